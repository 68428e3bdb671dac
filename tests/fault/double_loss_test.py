"""COMMIT PREPARED waits for no standby (docs/decisions/2026-11-23-phase-two-waits-for-no-standby.md): what is lost with it comes back."""
import contextlib
import os
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "component"))
import cluster
import raw

if cluster.ON_PLAIN:
    sys.exit(77)


def setUpModule():
    global made, keys
    made = cluster.started(cluster.Cluster(shards=2, standby=True))
    with made.raw() as connection:
        connection.execute("CREATE TABLE k (id int PRIMARY KEY, n int NOT NULL)")
        connection.execute("SELECT create_distributed_table('k', 'id')")
        connection.execute("INSERT INTO k SELECT g, 0 FROM generate_series(1, 30) g")
        names = {connection.value(f"SELECT mosaic.shard_of('k', '{key}')"): key for key in range(30, 0, -1)}
    keys = [names["s1"], names["s2"]]


def children(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_server(node):
    for pid in [node["pid"], *children(node["pid"])]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def receiver(node):
    """The process of a standby that takes WAL in: stopped, the standby has nothing new, and says so to nobody."""
    for pid in children(node["pid"]):
        if b"walreceiver" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("no walreceiver")


def is_stopped(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class DoubleLoss(unittest.TestCase):
    def setUp(self):
        cluster.wait_for(lambda: made.status()["state"] == "healthy", 90, "a healthy cluster")
        self.stopped = []
        self.addCleanup(self.wake)

    def wake(self):
        for pid in self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def committed_alone(self, value):
        """A transaction of both shards, acknowledged to its client, whose COMMIT PREPARED on s2 no standby has."""
        os.kill(made.pid, signal.SIGKILL)
        made.command("up", made.directory, timeout=60, env={**os.environ, "PGMOSAIC_FAULT": "stop@commit:after_decision"})
        pid, participant = made.pid, made.node(1, "standby")
        connection = made.raw()
        self.addCleanup(connection.close)
        connection.execute("BEGIN")
        for key in keys:
            connection.execute(f"UPDATE k SET n = {value} WHERE id = {key}")
        told = []
        commit = threading.Thread(target=lambda: told.append(connection.query("COMMIT")[-1].tag), daemon=True)
        commit.start()
        cluster.wait_for(lambda: is_stopped(pid), 10, "the decision")
        self.stopped = [receiver(participant)]
        os.kill(self.stopped[0], signal.SIGSTOP)
        os.kill(pid, signal.SIGCONT)
        commit.join(1.5)
        self.assertEqual(told, ["COMMIT"], "phase two waits for the standby")

    def read_until(self, shards, value):
        """Every answer, from the loss on until both shards have other primaries, shows what was acknowledged."""
        for shard in shards:
            cluster.wait_for(lambda shard=shard: made.node(shard) is not None, 20, "another primary")
        for _ in range(30):
            for key in keys:
                with made.raw() as connection:
                    self.assertEqual(connection.value(f"SELECT n FROM k WHERE id = {key}"), str(value), made.logs())
            time.sleep(0.03)
        with made.raw() as connection:
            self.assertEqual(connection.value(f"SELECT sum(n) FROM k WHERE id IN ({keys[0]}, {keys[1]})"), str(2 * value))

    def test_the_participant_is_lost(self):
        self.committed_alone(1)
        old = made.node(1)
        kill_server(old)
        self.wake()
        cluster.wait_for(lambda: (made.node(1) or old)["name"] != old["name"], 20, "another primary")
        self.read_until([1], 1)

    def test_both_are_lost(self):
        self.committed_alone(2)
        old = [made.node(0), made.node(1)]
        readers, wrong = [], []
        stop = threading.Event()

        def read(key):
            while not stop.is_set():
                with contextlib.suppress(OSError, raw.Closed), made.raw() as connection:
                    result = connection.query(f"SELECT n FROM k WHERE id = {key}")[-1]
                    if result.error is None and result.rows != [(b"2",)]:
                        wrong.append(result.rows)

        for node in old:
            kill_server(node)
        self.wake()
        for key in keys:
            readers.append(threading.Thread(target=read, args=(key,), daemon=True))
            readers[-1].start()
        for shard in (0, 1):
            cluster.wait_for(lambda shard=shard: (made.node(shard) or old[shard])["name"] != old[shard]["name"], 30, "another primary")
        self.read_until([0, 1], 2)
        stop.set()
        for reader in readers:
            reader.join(30)
        self.assertEqual(wrong, [])

    def test_the_decision_is_kept_meanwhile(self):
        self.committed_alone(3)
        time.sleep(0.8)  # longer than a pass of the recovery
        with made.server(made.node(0)).raw() as connection:
            self.assertEqual(connection.value("SELECT count(*) FROM pg_mosaic.decisions WHERE verdict = 'yes'"), "1")
        self.wake()
        with made.server(made.node(0)).raw() as connection:
            cluster.wait_for(lambda: connection.value("SELECT count(*) FROM pg_mosaic.decisions") == "0", 15, "the decision's end")


if __name__ == "__main__":
    unittest.main()
