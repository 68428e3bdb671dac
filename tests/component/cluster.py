"""Servers for tests: a cluster made by `pgmosaic up`, and a plain PostgreSQL with the same locale to compare with.

PGMOSAIC      the program under test (default build/pgmosaic)
PGM_TARGET    `plain`: a second plain PostgreSQL stands in for the cluster. What a test expects of any PostgreSQL it then
              expects of the original, which shows that the test is right.
PGM_GDB       a file: gdb is attached to the endpoint and writes there where it died
"""
import atexit
import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import psycopg2
import raw

ROOT = pathlib.Path(__file__).resolve().parents[2]
PGMOSAIC = os.environ.get("PGMOSAIC") or str(ROOT / "build/pgmosaic")
BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
ON_PLAIN = os.environ.get("PGM_TARGET") == "plain"
SERVER_USER = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
DEADLINE_SECONDS = 3600 if os.environ.get("PGM_LONG") else 570  # before ctest's timeout, which would leave the servers behind


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=30, what="the condition", pause=0.05):
    """The first true value of condition(); an error after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come true within {seconds} s")
        time.sleep(pause)


def make_directory(prefix):
    """A new directory that the servers' user may enter and write."""
    directory = tempfile.mkdtemp(prefix=prefix)
    os.chmod(directory, 0o755)
    if SERVER_USER:
        entry = pwd.getpwnam("postgres")
        os.chown(directory, entry.pw_uid, entry.pw_gid)
    return directory


class Endpoint:
    """Something that speaks PostgreSQL's protocol, and ways to speak with it."""
    host = "127.0.0.1"
    user = "app"
    database = "app"
    port = None

    def raw(self, **parameters):
        parameters = {"user": self.user, "database": self.database, **parameters}
        return raw.Connection((self.host, self.port)).start(**parameters)

    def socket(self):
        """A connection on which nothing has been said yet."""
        return raw.Connection((self.host, self.port))

    def connect(self, **options):
        return psycopg2.connect(**{"host": self.host, "port": self.port, "user": self.user, "dbname": self.database,
                                   **options})

    def environment(self, user=None, database=None):
        return {**os.environ, "PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": user or self.user,
                "PGDATABASE": database or self.database, "PGCONNECT_TIMEOUT": "10", "PAGER": "", "PSQLRC": "/dev/null"}

    def psql(self, *commands, flags=(), user=None, database=None, script=None):
        """psql's output and errors as one text."""
        arguments = [argument for command in commands for argument in ("-c", command)]
        return subprocess.run(["psql", "-X", *flags, *arguments], env=self.environment(user, database), input=script,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300).stdout

    def pgbench(self, *arguments):
        """pgbench's output and errors as one text."""
        return subprocess.run([str(BIN / "pgbench"), *arguments], env=self.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300).stdout


class Plain(Endpoint):
    """One stock PostgreSQL 15 in a temporary directory."""

    def __init__(self, locale=("C.UTF-8", "C.UTF-8"), encoding="UTF8", settings=()):
        self.directory = make_directory("pgm-plain-")
        self.port = free_port()
        self.data = f"{self.directory}/data"
        # initdb takes a password-less superuser as the installed program would make it.
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "-E", encoding,
                 f"--lc-collate={locale[0]}", f"--lc-ctype={locale[1]}")
        options = ["listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.directory}",
                   "fsync=off", "max_prepared_transactions=50", "max_connections=200", *settings]
        self.options = " ".join(f"-c {option}" for option in options)
        self.start()
        with contextlib.closing(self.connect(user="postgres", dbname="postgres")) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("CREATE ROLE app LOGIN")
            cursor.execute("CREATE DATABASE app OWNER app")

    def run(self, program, *arguments):
        done = subprocess.run([str(BIN / program), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, timeout=120, cwd="/", **SERVER_USER)
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}")

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-l", f"{self.directory}/log", "-o", self.options, "-w", "start")

    def destroy(self):
        subprocess.run([str(BIN / "pg_ctl"), "-D", self.data, "-m", "immediate", "-w", "stop"], cwd="/",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, **SERVER_USER)
        shutil.rmtree(self.directory, ignore_errors=True)


class Cluster(Endpoint):
    """What `pgmosaic up` makes."""

    def __init__(self, shards=2, standby=False, sample=None, arguments=()):
        self.parent = make_directory("pgm-cluster-")
        self.directory = f"{self.parent}/c"
        words = ["up", self.directory, "--shards", str(shards), "--port", str(free_port())]
        words += [] if standby else ["--no-standby"]
        words += ["--sample", sample] if sample else []
        try:
            self.command(*words, *arguments, timeout=240)
            self.port = self.status()["endpoint"]["port"]
            if os.environ.get("PGM_GDB"):
                self.attach_debugger(os.environ["PGM_GDB"])
        except BaseException:
            self.destroy()
            raise

    def raw(self, **parameters):
        try:
            return super().raw(**parameters)
        except ConnectionRefusedError:
            # It has died: the test that was running fails, the others are given a living one.
            print("the endpoint is gone and is started again\n" + self.logs(5), file=sys.stderr)
            self.command("up", self.directory, timeout=120)
            return super().raw(**parameters)

    def attach_debugger(self, path):
        steps = ["handle SIGPIPE SIGTERM SIGCHLD nostop noprint pass", "echo attached\\n", "continue", "bt 30", "thread apply all bt 6"]
        command = ["gdb", "-p", str(self.pid), "-batch", *(word for step in steps for word in ("-ex", step))]
        with open(path, "w", encoding="utf-8") as log:
            self.debugger = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        wait_for(lambda: "attached" in pathlib.Path(path).read_text(), 60, "gdb")

    def command(self, *words, check=True, timeout=60, **options):
        """Runs the program; its CompletedProcess, output and errors apart."""
        done = subprocess.run([PGMOSAIC, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout, **options)
        if check and done.returncode:
            raise RuntimeError(f"pgmosaic {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def verb(self, *words, **options):
        return self.command("--cluster", self.directory, *words, **options)

    def status(self):
        return json.loads(self.verb("status", "-o", "json").stdout)

    @property
    def pid(self):
        return self.status()["endpoint"]["pid"]

    def node(self, shard, role="primary"):
        """A node of the status document: shard by name or position."""
        for position, found in enumerate(self.status()["shards"]):
            if shard in (position, found["name"]):
                return next((node for node in found["nodes"] if node["role"] == role), None)
        return None

    def server(self, node, user="postgres"):
        """A server itself, past the endpoint."""
        endpoint = Endpoint()
        endpoint.host, endpoint.port, endpoint.user, endpoint.database = node["host"], node["port"], user, "app"
        return endpoint

    def servers(self):
        return [self.server(self.node(shard["name"])) for shard in self.status()["shards"]]

    def logs(self, lines=40, pattern="pgmosaic.log"):
        """The ends of log files, for a failed test's reader."""
        texts = []
        for path in sorted(pathlib.Path(self.directory).rglob(pattern)):
            with contextlib.suppress(OSError):
                texts.append(f"--- {path}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:]))
        return "\n".join(texts)

    def destroy(self):
        if not os.path.isdir(self.parent):
            return
        with contextlib.suppress(Exception):
            self.command("down", self.directory, "--destroy", check=False, timeout=90)
        self.kill_leftovers()
        shutil.rmtree(self.parent, ignore_errors=True)

    def kill_leftovers(self):
        """Ends what a failed `down` has left: found by this cluster's own files."""
        own = [pathlib.Path(self.directory, "pgmosaic.pid"), *pathlib.Path(self.directory).glob("nodes/*/data/postmaster.pid")]
        for path in own:
            with contextlib.suppress(OSError, ValueError, IndexError):
                pid = int(re.search(r"\d+", path.read_text()).group(0))
                if self.directory in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                    print(f"down left {path.relative_to(self.parent)} (pid {pid}) behind", file=sys.stderr)
                    os.kill(pid, signal.SIGKILL if path.name == "pgmosaic.pid" else signal.SIGQUIT)


@contextlib.contextmanager
def stopwatch():
    started = time.monotonic()
    elapsed = []
    yield elapsed
    elapsed.append(time.monotonic() - started)


class Pair:
    """The target and a plain PostgreSQL that get the same statements."""

    def __init__(self, **options):
        self.target = Plain() if ON_PLAIN else Cluster(**options)
        try:
            if ON_PLAIN:
                self.plain = Plain()
            else:
                with self.target.raw() as connection:
                    collate, ctype, encoding = connection.rows(
                        "SELECT datcollate, datctype, pg_encoding_to_char(encoding) FROM pg_database "
                        "WHERE datname = 'app'")[0]
                self.plain = Plain((collate, ctype), encoding)
        except BaseException:
            self.target.destroy()
            raise

    def both(self, sql):
        """Runs statements on both; an error of either is raised."""
        for endpoint in (self.target, self.plain):
            with endpoint.raw() as connection:
                connection.execute(sql)

    def distribute(self, table, column, **options):
        """create_distributed_table on the target; nothing on a plain one."""
        if ON_PLAIN:
            return
        extra = "".join(f", {name} := '{value}'" for name, value in options.items())
        with self.target.raw() as connection:
            connection.execute(f"SELECT create_distributed_table('{table}', '{column}'{extra})")

    def fill(self, table, select):
        """Puts the rows of a query, which plain PostgreSQL answers, into a table of both."""
        with self.plain.raw() as plain, self.target.raw() as target:
            rows = plain.query(f"COPY ({select}) TO STDOUT")[0].copied
            for connection in (plain, target):
                connection.execute(f"COPY {table} FROM STDIN", rows)

    def reference(self, table):
        if ON_PLAIN:
            return
        with self.target.raw() as connection:
            connection.execute(f"SELECT create_reference_table('{table}')")

    def destroy(self):
        self.target.destroy()
        self.plain.destroy()


_alive = []


def started(thing):
    """Sees to it that servers are stopped whatever ends the test program."""
    _alive.append(thing)
    return thing


@atexit.register
def stop_everything():
    while _alive:
        thing = _alive.pop()
        thing.destroy()


def _end(number, _):
    sys.exit(f"ended by {signal.Signals(number).name}")


signal.signal(signal.SIGTERM, _end)
signal.signal(signal.SIGALRM, _end)
signal.alarm(DEADLINE_SECONDS)
if not ON_PLAIN and not os.access(PGMOSAIC, os.X_OK):
    sys.exit(f"{PGMOSAIC} is not there: run scripts/build first")
