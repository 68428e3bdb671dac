"""`up` and `down`: a cluster made, found again, killed half-way, refused where it has no business."""
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time
import unittest

import cluster
import psycopg2

DONE, FAILED, USAGE, UNREACHABLE, REFUSED, NOT_FOUND, CONFLICT = range(7)


def processes_below(directory):
    """Live processes that work somewhere in the directory."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.readlink(entry / "cwd").startswith(directory + "/"):
                found.append(int(entry.name))
    return found


def reach(program):
    """The program at a place where the servers' user can run it."""
    directory = cluster.make_directory("pgm-bin-")
    shutil.copy(program, f"{directory}/pgmosaic")
    os.chmod(f"{directory}/pgmosaic", 0o755)
    return f"{directory}/pgmosaic"


class UpTest(unittest.TestCase):
    def setUp(self):
        self.parent = cluster.make_directory("pgm-up-")
        self.directory = f"{self.parent}/c"
        self.addCleanup(self.clean)

    def clean(self):
        if not os.path.exists(self.directory) and os.listdir(self.parent) == []:
            os.rmdir(self.parent)
            return
        self.run_program("down", self.directory, "--destroy")
        self.assertEqual(processes_below(self.parent), [])
        shutil.rmtree(self.parent)

    def run_program(self, *words, code=None, timeout=180, environment=None, **options):
        done = subprocess.run([cluster.PGMOSAIC, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout, env={**os.environ, **(environment or {})},
                              **options)
        if code is not None:
            self.assertEqual(done.returncode, code, f"{words}:\n{done.stdout}{done.stderr}{self.logs()}")
        return done

    def up(self, *words, code=DONE, **options):
        return self.run_program("up", self.directory, *words, code=code, **options)

    def logs(self):
        texts = []
        for path in sorted(pathlib.Path(self.directory).glob("log/*")):
            texts.append(f"--- {path}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:]))
        return "\n".join(texts)

    def port(self):
        text = pathlib.Path(f"{self.directory}/pgmosaic.yaml").read_text()
        return int(text.split("127.0.0.1:")[1].split('"')[0])

    def servers(self):
        return json.loads(pathlib.Path(f"{self.directory}/cluster.json").read_text())["servers"]

    def daemon(self):
        return int(pathlib.Path(f"{self.directory}/pgmosaic.pid").read_text())

    def value(self, sql, port=None, user="app", database="app"):
        with contextlib.closing(psycopg2.connect(host="127.0.0.1", port=port or self.port(), user=user, dbname=database,
                                                 connect_timeout=10)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchone()[0]

    def execute(self, sql, port):
        with contextlib.closing(psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres")) as connection:
            connection.autocommit = True
            connection.cursor().execute(sql)

    def kill_daemon(self):
        pid = self.daemon()
        os.kill(pid, signal.SIGKILL)
        status = pathlib.Path(f"/proc/{pid}/stat")
        cluster.wait_for(lambda: not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z",
                         what="the daemon's end")


class Life(UpTest):
    def test_makes_stops_and_finds_again(self):
        made = self.up("--shards", "2", "--port", str(cluster.free_port()))
        self.assertEqual(made.stdout, "")
        self.assertEqual(self.value("SELECT 1"), 1)
        self.assertEqual(self.value("SELECT current_user::text"), "app")
        identity = pathlib.Path(f"{self.directory}/cluster.json").read_text()
        for shard in "12":
            primary = next(each["port"] for each in self.servers() if each["name"] == f"s{shard}a")
            self.assertEqual(self.value("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND "
                                        f"application_name = 's{shard}b'", primary, "postgres"), 1)
            self.assertEqual(self.value("SHOW max_prepared_transactions", primary, "postgres"), "200")
        # Again: it runs already, and says so.
        self.assertIn("already running", self.up().stderr)
        self.up("--shards", "3", code=CONFLICT)
        self.up("--port", str(cluster.free_port()), code=CONFLICT)
        self.assertEqual(self.run_program("down", self.directory, code=DONE).stdout, "")
        self.assertEqual(processes_below(self.directory), [])
        self.run_program("status", "--cluster", self.directory, code=UNREACHABLE)
        self.up("--shards", "3", code=CONFLICT)
        self.up()
        self.assertEqual(self.value("SELECT 1"), 1)
        self.assertEqual(pathlib.Path(f"{self.directory}/cluster.json").read_text(), identity)
        self.run_program("down", self.directory, "--destroy", code=DONE)
        self.assertFalse(os.path.exists(self.directory))
        self.run_program("down", self.directory, code=NOT_FOUND)

    def test_adopts_servers_whose_daemon_was_killed(self):
        self.up("--shards", "1")
        primary = self.servers()[0]["port"]
        started = self.value("SELECT pg_postmaster_start_time()::text", primary, "postgres")
        self.kill_daemon()
        self.assertEqual(self.value("SELECT 1", primary, "postgres"), 1)
        self.up()
        self.assertEqual(self.value("SELECT 1"), 1)
        self.assertEqual(self.value("SELECT pg_postmaster_start_time()::text", primary, "postgres"), started)
        # Killed again, `down` stops the servers itself.
        self.kill_daemon()
        self.run_program("down", self.directory, code=DONE)
        self.assertEqual(processes_below(self.directory), [])

    def test_starts_again_after_everything_was_killed(self):
        self.up("--shards", "1")
        primary = self.servers()[0]["port"]
        self.value("CREATE TABLE kept AS SELECT 7 AS n; SELECT n FROM kept", primary)
        self.kill_daemon()
        for pid in processes_below(self.directory):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.up()
        self.assertEqual(self.value("SELECT n FROM kept", primary), 7)

    def test_without_standbys(self):
        self.up("--shards", "2", "--no-standby")
        self.assertEqual([each["name"] for each in self.servers()], ["s1a", "s2a", "workbench"])
        self.assertEqual(self.value("SELECT 1"), 1)

    def test_stays_in_the_foreground_until_interrupted(self):
        program = subprocess.Popen([cluster.PGMOSAIC, "up", self.directory, "--shards", "1", "--no-standby", "--foreground"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(program.kill)

        def answers():
            with contextlib.suppress(OSError, IndexError, psycopg2.Error):
                return self.value("SELECT 1") == 1
        cluster.wait_for(answers, 60, "an answer")
        program.send_signal(signal.SIGINT)
        self.assertEqual(program.wait(60), DONE)
        self.assertEqual(processes_below(self.directory), [])


class TwoAtOnce(UpTest):
    def test_find_ports_of_their_own(self):
        def start(name):
            return subprocess.Popen([cluster.PGMOSAIC, "up", f"{self.parent}/{name}", "--shards", "1", "--no-standby"],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        names = [f"c{number}" for number in range(3)]
        programs = [start(name) for name in names]
        try:
            for program in programs:
                errors = program.communicate(timeout=180)[1]
                self.assertEqual(program.returncode, DONE, errors)
            ports = [each["port"] for name in names
                     for each in json.loads(pathlib.Path(f"{self.parent}/{name}/cluster.json").read_text())["servers"]]
            self.assertEqual(len(set(ports)), len(ports))
        finally:
            for name in names:
                self.run_program("down", f"{self.parent}/{name}", "--destroy")


class HalfWay(UpTest):
    def test_goes_on_after_a_kill_at_any_point(self):
        # Each run is killed a little later than the last, until one gets through.
        for attempt in range(1, 30):
            program = subprocess.Popen([cluster.PGMOSAIC, "up", self.directory, "--shards", "2"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:
                errors = program.communicate(timeout=0.05 * 1.35**attempt)[1]
                self.assertEqual(program.returncode, DONE, errors + self.logs())
                break
            except subprocess.TimeoutExpired:
                with contextlib.suppress(OSError, ValueError):
                    self.kill_daemon()
                program.kill()
                program.communicate()
        else:
            self.fail("up never got through")
        self.assertGreater(attempt, 1, "nothing was killed")
        self.assertEqual(self.value("SELECT 1"), 1)
        identities = {self.value("SELECT system_identifier FROM pg_control_system()", each["port"], "postgres")
                      for each in self.servers()}
        self.assertEqual(len(identities), 3)  # two shards and the workbench; standbys have their primary's
        self.assertEqual(list(pathlib.Path(self.directory).glob("nodes/*/data.new*")), [])

    def test_goes_on_beside_a_session_that_outlived_its_program(self):
        self.up("--shards", "1", "--no-standby")
        self.kill_daemon()
        state = pathlib.Path(f"{self.directory}/cluster.json")
        state.write_text(json.dumps({**json.loads(state.read_text()), "complete": False}))
        port = self.servers()[0]["port"]
        for statement in "DROP DATABASE app", "DROP ROLE app":
            self.execute(statement, port)
        with contextlib.closing(psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres")) as other:
            other.cursor().execute("CREATE ROLE app LOGIN")
            program = subprocess.Popen([cluster.PGMOSAIC, "up", self.directory], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE ROLE app%' AND wait_event_type = 'Lock'"
            cluster.wait_for(lambda: self.value(waits, port, "postgres", "postgres") == 1, what="the same statement to wait")
            other.commit()
        errors = program.communicate(timeout=60)[1]
        self.assertEqual(program.returncode, DONE, errors + self.logs())
        self.assertEqual(self.value("SELECT current_user::text"), "app")

    def test_a_full_disk_is_named_and_survived(self):
        if os.geteuid() != 0:
            self.skipTest("mounting a small file system needs root")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=90m,mode=755,uid=%d" % pwd.getpwnam("postgres").pw_uid, "tmpfs",
                           self.parent], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("cannot mount here")
        try:
            failed = self.up("--shards", "2", code=FAILED)
            self.assertIn("disk is full", failed.stderr)
            self.assertIn("goes on where it stopped", failed.stderr)
            self.assertEqual(processes_below(self.directory), [])
            subprocess.run(["mount", "-o", "remount,size=2g", self.parent], check=True)
            self.up()
            self.assertEqual(self.value("SELECT 1"), 1)
        finally:
            self.run_program("down", self.directory, "--destroy")
            subprocess.run(["umount", self.parent], check=True)


class Refusals(UpTest):
    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            failed = self.up("--port", str(taken.getsockname()[1]), code=CONFLICT)
        self.assertIn("is in use", failed.stderr)
        self.assertFalse(os.path.exists(self.directory))

    def test_a_directory_with_something_else(self):
        os.mkdir(self.directory)
        pathlib.Path(f"{self.directory}/letter").write_text("dear")
        self.assertIn("is not empty", self.up(code=REFUSED).stderr)
        self.run_program("down", self.directory, "--destroy", code=REFUSED)
        self.assertEqual(os.listdir(self.directory), ["letter"])
        shutil.rmtree(self.directory)

    def test_a_cluster_of_another_version(self):
        os.mkdir(self.directory)
        pathlib.Path(f"{self.directory}/cluster.json").write_text('{"schema": "pgmosaic/cluster/9"}')
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        self.assertIn("another version", self.up(code=REFUSED).stderr)
        shutil.rmtree(self.directory)

    def test_no_postgresql_or_another_one(self):
        failed = self.up(environment={"PGMOSAIC_PG_BIN": self.parent}, code=USAGE)
        self.assertIn("postgresql-15", failed.stderr)
        pathlib.Path(f"{self.parent}/postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 16.2'\n")
        os.chmod(f"{self.parent}/postgres", 0o755)
        failed = self.up(environment={"PGMOSAIC_PG_BIN": self.parent}, code=USAGE)
        self.assertIn("there is 16.2", failed.stderr)
        self.assertFalse(os.path.exists(self.directory))

    def test_a_configuration_with_mistakes(self):
        self.up("--shards", "1", "--no-standby")
        self.run_program("down", self.directory, code=DONE)
        config = pathlib.Path(f"{self.directory}/pgmosaic.yaml")
        good = config.read_text()
        config.write_text(good + "pool: { per_shard: none, mod: session }\n")
        failed = self.up(code=USAGE)
        self.assertIn("did you mean mode?", failed.stderr)
        self.assertIn("pool.per_shard is a whole number", failed.stderr)
        config.write_text(good)
        self.up()

    def test_a_directory_out_of_reach(self):
        if os.geteuid() != 0:
            self.skipTest("only root starts servers as somebody else")
        closed = f"{self.parent}/closed"
        os.mkdir(closed, 0o700)
        failed = self.run_program("up", f"{closed}/c", code=REFUSED)
        self.assertIn(f'may not enter directory "{closed}"', failed.stderr)
        self.assertEqual(os.listdir(closed), [])


@unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
class OrdinaryUser(UpTest):
    def test_makes_a_cluster_of_its_own(self):
        program = reach(cluster.PGMOSAIC)
        self.addCleanup(shutil.rmtree, os.path.dirname(program))

        def run(*words):
            return subprocess.run([program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, timeout=180, cwd="/", **cluster.SERVER_USER)

        made = run("up", self.directory, "--shards", "1")
        self.assertEqual(made.returncode, DONE, made.stderr + self.logs())
        self.assertEqual(self.value("SELECT 1"), 1)
        self.assertEqual({os.stat(path).st_uid for path in pathlib.Path(self.directory).iterdir()},
                         {pwd.getpwnam("postgres").pw_uid})
        os.mkdir(f"{self.parent}/of-root")
        self.assertEqual(run("up", f"{self.parent}/of-root").returncode, REFUSED)
        self.assertEqual(run("down", self.directory, "--destroy").returncode, DONE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
