"""What the bench programs share: servers and relays beside each other, CPU of processes, rounds and tables.

All targets are up at once and take turns, round by round, so that a noisy neighbour disturbs all alike. CPU is the
scheduler's own account (/proc/PID/task/*/schedstat, nanoseconds) of the process in the middle; of the rounds the
lowest counts (the least disturbed), of throughput and latency the median.
"""
import atexit
import contextlib
import glob
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/component"))
import cluster  # noqa: E402
import raw  # noqa: E402

cluster.signal.alarm(0)  # the deadline of tests is none of ours
ROWS = 100_000  # of the accounts table
USER = "app"


def cpu_seconds(pid):
    """CPU of a process, all threads, since it began."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(pathlib.Path(path).read_text().split()[0])
    return total / 1e9


def memory_bytes(pid, line="Anonymous"):
    for text in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if text.startswith(line + ":"):
            return int(text.split()[1]) * 1024
    return 0


class Target(cluster.Endpoint):
    """An endpoint to measure; `pid` is the process in the middle, None if there is none."""

    def __init__(self, name, port, database, pid=None):
        self.name, self.port, self.database, self.middle = name, port, database, pid

    def cpu(self):
        return cpu_seconds(self.middle) if self.middle else 0.0


class Bench:
    """A cluster without standbys, and relays to a database `whole` on its first shard that holds all rows."""

    def __init__(self, shards=4, threads=0):
        self.cluster = cluster.started(cluster.Cluster(shards=shards))
        if threads:
            self.limit_threads(threads)
        self.directory = cluster.make_directory("pgm-bench-")
        atexit.register(shutil.rmtree, self.directory, True)
        self.first = self.cluster.node(0)
        self.mosaic = Target("pgmosaic", self.cluster.port, "app", self.cluster.pid)
        self.direct = Target("postgres", self.first["port"], "whole")

    def limit_threads(self, threads):
        """As many as a relay beside us has: a message that wakes another core costs both more."""
        directory = self.cluster.directory
        self.cluster.command("down", directory)
        with open(f"{directory}/pgmosaic.yaml", "a", encoding="utf-8") as config:
            config.write(f"threads: {threads}\n")
        self.cluster.command("up", directory, timeout=120)

    def make_whole(self):
        """The database `whole`, past the endpoint, as the relays' counterpart of `app`."""
        server = self.cluster.server(self.first)
        server.database = "postgres"
        with server.raw() as connection:
            connection.execute("CREATE DATABASE whole OWNER app")

    def both(self, sql, distribution=None):
        """Runs statements in `whole` and through us; then, through us only, what distributes."""
        with self.direct.raw() as connection:
            connection.execute(sql)
        with self.mosaic.raw() as connection:
            connection.execute(sql)
            if distribution:
                connection.execute(distribution)

    def load_accounts(self):
        """pgbench's accounts in both."""
        self.make_whole()
        self.both("CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));"
                  f"INSERT INTO pgbench_accounts SELECT g, 1, 0, '' FROM generate_series(1, {ROWS}) g",
                  "SELECT create_distributed_table('pgbench_accounts', 'aid')")
        for server in [self.direct, *self.cluster.servers()]:
            with server.raw() as connection:
                connection.execute("VACUUM ANALYZE pgbench_accounts")

    def haproxy(self):
        port = cluster.free_port()
        path = pathlib.Path(self.directory, "haproxy.cfg")
        path.write_text(f"global\n  nbthread 1\n  maxconn 8000\ndefaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1h\n"
                        f"  timeout server 1h\nlisten pg\n  bind 127.0.0.1:{port}\n  server s 127.0.0.1:{self.first['port']}\n")
        return self.relay("haproxy", port, ["haproxy", "-db", "-f", str(path)])

    def pgbouncer(self, mode="session"):
        port = cluster.free_port()
        users = pathlib.Path(self.directory, "users.txt")
        users.write_text('"app" ""\n')
        path = pathlib.Path(self.directory, "pgbouncer.ini")
        path.write_text(f"[databases]\nwhole = host=127.0.0.1 port={self.first['port']} dbname=whole\n[pgbouncer]\n"
                        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {users}\n"
                        f"pool_mode = {mode}\nmax_client_conn = 8000\ndefault_pool_size = 40\nlog_connections = 0\n"
                        f"log_disconnections = 0\nlog_stats = 0\nignore_startup_parameters = extra_float_digits\n")
        return self.relay(f"pgbouncer {mode}", port, ["pgbouncer", "-q", str(path)], **cluster.SERVER_USER)

    def relay(self, name, port, command, **options):
        if not shutil.which(command[0]):
            sys.exit(f"{command[0]} is not installed: scripts/install bench")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **options)
        atexit.register(process.kill)
        target = Target(name, port, "whole", process.pid)

        def answers():
            with contextlib.suppress(OSError, raw.Closed, raw.ServerError):
                return target.raw().value("SELECT 1")
        cluster.wait_for(answers, 10, name)
        return target


def pgbench(target, script, seconds, clients, protocol):
    """One run: transactions per second, mean latency in ms, and CPU in the middle per transaction in µs."""
    before = target.cpu()
    output = target.pgbench("-n", "-M", protocol, "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", script,
                            "-D", f"rows={ROWS}")
    spent = target.cpu() - before
    done = int(re.search(r"actually processed: (\d+)", output).group(1))
    if "number of failed transactions: 0 " not in output:
        raise RuntimeError(output)
    return {"tps": float(re.search(r"tps = ([\d.]+)", output).group(1)),
            "latency": float(re.search(r"latency average = ([\d.]+)", output).group(1)), "cpu": spent / done * 1e6}


def interleaved(targets, rounds, measure):
    """measure(target) for each target in turn, `rounds` times; name -> list of what it returned."""
    taken = {target.name: [] for target in targets}
    for number in range(rounds):
        for target in targets[number % len(targets):] + targets[:number % len(targets)]:
            taken[target.name].append(measure(target))
    return taken


def median(values, key):
    return statistics.median(value[key] for value in values)


def lowest(values, key):
    return min(value[key] for value in values)


def table(head, rows):
    """A Markdown table."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def ratio(value, reference):
    return f"{value / reference:.2f}" if reference else "–"


def introduce(question):
    """What is asked, with which versions, and how to repeat it."""
    def first_line(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
        except (OSError, IndexError):
            return f"{command[0]}: not installed"
    print(f"## {question}\n")
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {first_line(str(cluster.BIN / 'postgres'), '--version')}, "
          f"{first_line('haproxy', '-v')[:40]}, {first_line('pgbouncer', '--version')}, {first_line(cluster.PGMOSAIC, 'version')}\n")
    print(f"    {' '.join(['bench/' + pathlib.Path(sys.argv[0]).name, *sys.argv[1:]])}\n", flush=True)
