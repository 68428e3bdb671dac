"""What goes wrong around the servers: disks that fill, clocks and processes that stand still, directories and logins that do not fit."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import ledger as books  # also makes the component folder known
import cluster
import raw

if cluster.ON_PLAIN:
    sys.exit(77)


LONG = os.environ.get("PGM_LONG") == "1"


def processes(node):
    children = pathlib.Path(f"/proc/{node['pid']}/task/{node['pid']}/children").read_text().split()
    return [node["pid"], *map(int, children)]


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Case(unittest.TestCase):
    """`arguments` of the cluster, and what stands in its servers' own settings."""
    settings = ""

    @classmethod
    def setUpClass(cls):
        cls.made = cluster.started(cluster.Cluster(shards=1, standby=True))
        if cls.settings:
            cls.made.command("down", cls.made.directory, timeout=90)
            pathlib.Path(cls.made.directory, "servers.conf").write_text(cls.settings)
            cls.made.command("up", cls.made.directory, timeout=90)
        with cls.made.raw() as connection:
            connection.execute("CREATE TABLE t (id int PRIMARY KEY, filler text)")

    @classmethod
    def tearDownClass(cls):
        cls.made.destroy()

    def setUp(self):
        self.wait_healthy()

    def healthy(self):
        with contextlib.suppress(RuntimeError):
            return self.made.status()["state"] == "healthy"
        return False

    def wait_healthy(self, seconds=90):
        cluster.wait_for(self.healthy, seconds, "a healthy cluster")

    def events(self):
        return self.made.verb("events").stdout

    def ask(self, node, sql):
        with self.made.server(node).raw() as connection:
            return connection.value(sql)

    def write(self, megabytes, first):
        """Rows that cannot be compressed; how many there are then."""
        with self.made.raw() as connection:
            connection.socket.settimeout(120)
            for part in range(megabytes):
                begin = first + 1000 * part
                connection.execute("INSERT INTO t SELECT g, (SELECT string_agg(md5(g::text || i), '') FROM generate_series(1, 32) i) "
                                   f"FROM generate_series({begin}, {begin + 999}) g")
            return connection.value("SELECT count(*) FROM t")

    def check_same(self):
        self.wait_healthy()
        verified = self.made.verb("verify", check=False, timeout=120)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)


class Standstill(Case):
    settings = "max_slot_wal_keep_size = 32MB\nwal_keep_size = 0\nmax_wal_size = 64MB\nmin_wal_size = 32MB\n"

    def test_a_coordinator_that_stood_still_blames_nobody(self):
        """As a clock that jumps: nobody was silent but it."""
        primary, pid = self.made.node(0)["name"], self.made.pid
        epoch = self.made.status()["shards"][0]["epoch"]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(pid, signal.SIGCONT)
        time.sleep(2)
        self.assertEqual((self.made.node(0)["name"], self.made.status()["shards"][0]["epoch"]), (primary, epoch))
        self.assertNotIn("standby_lost", self.events())

    def test_a_standby_far_behind_catches_up_before_commits_wait_for_it(self):
        standby = self.made.node(0, "standby")
        pids = processes(standby)
        signal_all(pids, signal.SIGSTOP)
        try:
            cluster.wait_for(lambda: "standby_lost" in self.events(), 20, "the loss")
            rows = self.write(24, 100_000)
        finally:
            signal_all(pids, signal.SIGCONT)
        with self.made.raw() as connection, cluster.stopwatch() as elapsed:
            connection.execute("INSERT INTO t VALUES (1)")
        self.assertLess(elapsed[0], 2)
        self.check_same()
        with self.made.raw() as connection:
            self.assertEqual(int(connection.value("SELECT count(*) FROM t")), int(rows) + 1)

    @unittest.skipUnless(LONG, "PGM_LONG=1")
    def test_a_slot_that_would_fill_the_disk_is_given_up_and_the_standby_made_anew(self):
        standby = self.made.node(0, "standby")
        pids = processes(standby)
        signal_all(pids, signal.SIGSTOP)
        try:
            cluster.wait_for(lambda: not self.healthy(), 20, "the loss")
            for number in range(4):
                self.write(24, 300_000 + 30_000 * number)
                with self.made.server(self.made.node(0)).raw() as connection:
                    connection.execute("CHECKPOINT")
            kept = self.ask(self.made.node(0), "SELECT wal_status FROM pg_replication_slots")
            wal = int(self.ask(self.made.node(0), "SELECT sum(size) FROM pg_ls_waldir()"))
        finally:
            signal_all(pids, signal.SIGCONT)
        self.assertIn(kept, ("unreserved", "lost"))
        self.assertLess(wal, 200 << 20)
        self.check_same()
        self.assertIn("standby_rebuilt", self.events())

    def test_a_directory_of_another_cluster_is_not_taken_in(self):
        standby = self.made.node(0, "standby")
        data = pathlib.Path(standby["data_directory"])
        identifier = self.ask(self.made.node(0), "SELECT system_identifier FROM pg_control_system()")
        os.kill(self.made.pid, signal.SIGKILL)  # else it would start the standby again at once
        signal_all(processes(standby), signal.SIGKILL)
        time.sleep(0.5)
        shutil.rmtree(data)
        subprocess.run([str(cluster.BIN / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N"], check=True, cwd="/",
                       stdout=subprocess.DEVNULL, **cluster.SERVER_USER)
        self.made.command("up", self.made.directory, timeout=90)
        self.check_same()
        self.assertEqual(self.ask(self.made.node(0, "standby"), "SELECT system_identifier FROM pg_control_system()"), identifier)
        self.assertIn("standby_rebuilt", self.events())

    def test_a_standby_that_is_gone_for_good_is_cloned(self):
        standby = self.made.node(0, "standby")
        signal_all(processes(standby), signal.SIGKILL)
        shutil.rmtree(standby["data_directory"], ignore_errors=True)
        shutil.rmtree(standby["data_directory"], ignore_errors=True)
        cluster.wait_for(lambda: "standby_rebuilt" in self.events(), 60, "a clone")
        self.check_same()

    def test_a_primary_that_refuses_our_login_is_neither_killed_nor_replaced_by_one_that_does_too(self):
        """As after a change of pgmosaic's password that nobody told it: all servers refuse."""
        nodes = self.made.status()["shards"][0]["nodes"]
        names = [node["name"] for node in nodes if node["role"] == "primary"]
        paths = [pathlib.Path(node["data_directory"]).parent / "pg_hba.conf" for node in nodes]
        before = [path.read_text() for path in paths]
        epoch = self.made.status()["shards"][0]["epoch"]
        try:
            for node, path in zip(nodes, paths):
                path.write_text("local all postgres trust\nhost all all 127.0.0.1/32 reject\nhost replication all 127.0.0.1/32 trust\n")
                os.kill(node["pid"], signal.SIGHUP)
                with contextlib.suppress(OSError, raw.Closed, raw.ServerError):
                    self.ask(node, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ 'pgmosaic'")
            time.sleep(4)
        finally:
            for node, path, text in zip(nodes, paths, before):
                path.write_text(text)
                os.kill(node["pid"], signal.SIGHUP)
        self.check_same()
        self.assertLessEqual(self.made.status()["shards"][0]["epoch"], epoch + 1)
        self.assertEqual(len(names), 1)


@unittest.skipUnless(LONG and os.geteuid() == 0, "PGM_LONG=1; only root may mount a small disk")
class FullDisk(Case):
    """One server's directory on a disk of its own that is too small."""
    settings = "max_wal_size = 64MB\nmin_wal_size = 32MB\nwal_keep_size = 32MB\n"
    megabytes = 600  # room for a clone beside what is there

    @contextlib.contextmanager
    def small_disk(self, role):
        node = self.made.node(0, role)
        place = pathlib.Path(node["data_directory"]).parent
        self.made.command("down", self.made.directory, timeout=90)
        aside = tempfile.mkdtemp(prefix="pgm-aside-")
        owner = place.stat()
        subprocess.run(["cp", "-a", f"{place}/.", aside], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m,mode=0755,uid={owner.st_uid},gid={owner.st_gid}", "tmpfs", str(place)],
                       check=True)
        try:
            subprocess.run(["cp", "-a", f"{aside}/.", str(place)], check=True)
            self.made.command("up", self.made.directory, timeout=90)
            self.wait_healthy()
            yield place
        finally:
            self.made.command("down", self.made.directory, timeout=90, check=False)
            subprocess.run(["cp", "-a", f"{place}/.", aside], check=True)
            subprocess.run(["umount", str(place)], check=True)
            subprocess.run(["cp", "-a", f"{aside}/.", str(place)], check=True)
            shutil.rmtree(aside, ignore_errors=True)
            self.made.command("up", self.made.directory, timeout=90)

    def fill(self, place):
        """Somebody else's file takes all that is left but a little."""
        room = shutil.disk_usage(place).free - (20 << 20)
        pathlib.Path(place, "somebody_elses").write_bytes(b"x" * room)

    def test_of_the_standby(self):
        with self.small_disk("standby") as place:
            self.fill(place)
            rows = self.write(50, 10_000)
            cluster.wait_for(lambda: "standby_lost" in self.events(), 60, "the loss")
            self.write(1, 90_000)
            pathlib.Path(place, "somebody_elses").unlink()
            self.check_same()
            with self.made.raw() as connection:
                self.assertEqual(int(connection.value("SELECT count(*) FROM t")), int(rows) + 1000)

    def test_of_the_primary(self):
        """Its WAL has no room: it ends by itself, the standby takes over, and it comes back when there is room."""
        with self.small_disk("primary") as place:
            old = self.made.node(0)["name"]
            with self.made.raw() as connection:
                before = int(connection.value("SELECT count(*) FROM t"))
            self.fill(place)
            written = 0
            for number in range(60):
                with self.made.raw() as connection:
                    connection.socket.settimeout(120)
                    answer = connection.query("INSERT INTO t SELECT g, (SELECT string_agg(md5(g::text || i), '') FROM generate_series(1, 32) i) "
                                              f"FROM generate_series({200_000 + 1000 * number}, {200_999 + 1000 * number}) g")[-1]
                if answer.error is None:
                    written += 1000
                else:
                    self.assertIn(answer.code, {"40001", "53100", "57P03"}, answer.error)
            pathlib.Path(place, "somebody_elses").unlink()
            self.check_same()
            with self.made.raw() as connection:
                self.assertEqual(int(connection.value("SELECT count(*) FROM t")), before + written)
            print(f"{old} -> {self.made.node(0)['name']}, {written} rows acknowledged")


if __name__ == "__main__":
    unittest.main(verbosity=2)
