"""Primaries that are killed or hang under load: the standby takes over, nothing acknowledged is lost, the old one returns."""
import os
import pathlib
import random
import signal
import sys
import time
import unittest

import ledger as books  # also makes the component folder known
import cluster

if cluster.ON_PLAIN:
    sys.exit(77)
LONG = os.environ.get("PGM_LONG") == "1"
SEED = int(os.environ.get("PGM_SEED", random.randrange(1 << 30)))


def setUpModule():
    global made, ledger
    print(f"PGM_SEED={SEED}")
    made = cluster.started(cluster.Cluster(shards=2, standby=True))
    ledger = books.Ledger(SEED)
    with made.raw() as connection:
        connection.execute(books.SCHEMA)


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)


class Failover(unittest.TestCase):
    def setUp(self):
        cluster.wait_for(lambda: made.status()["state"] == "healthy", 60, "a healthy cluster")

    def committed(self):
        return ledger.count(books.COMMITTED)

    def check(self, idle):
        """What must hold after every takeover."""
        self.assertEqual(idle.value("SELECT 'still here'"), "still here")
        # Clients keep their connections, and are told what happened: a shard's own last words are not for them.
        self.assertLessEqual(set(ledger.errors), {"40001"}, ledger.summary())
        self.assertEqual(ledger.verdict(books.entries(made)), [], ledger.summary() + "\n" + made.logs())
        cluster.wait_for(lambda: made.status()["state"] == "healthy", 90, "the old primary's return")
        cluster.wait_for(lambda: not books.prepared(made.servers()), 30, "recovery of prepared transactions")
        print(ledger.summary())

    def take_over(self, shard, act, within):
        """Runs `act` on the primary under load and waits until another node is primary and commits come again."""
        old = made.node(shard)
        version = made.status()["map_version"]
        idle = made.raw()
        self.addCleanup(idle.close)
        self.assertEqual(idle.value("SELECT 1"), "1")
        with books.Writers(made, ledger):
            start = self.committed()
            cluster.wait_for(lambda: self.committed() > start + 50, 30, "load")
            started = time.monotonic()
            act(old)
            new = cluster.wait_for(lambda: (made.node(shard) or old)["name"] != old["name"] and made.node(shard), within,
                                   "another primary")
            before = self.committed()
            cluster.wait_for(lambda: self.committed() > before + 20, within, "commits after the takeover")
            print(f"{old['name']} -> {new['name']}: commits again after {time.monotonic() - started:.2f} s")
        self.assertGreater(made.status()["map_version"], version)
        self.assertIsNotNone(made.status()["last_failover"])
        return old, idle

    def test_killed_primary(self):
        for shard in (0, 1) * (5 if LONG else 1):
            with self.subTest(shard=shard):
                old, idle = self.take_over(shard, lambda node: kill(node["pid"]), 10)
                self.check(idle)
                back = next(node for node in made.status()["shards"][shard]["nodes"] if node["name"] == old["name"])
                self.assertEqual(back["role"], "standby")

    def test_hung_primary(self):
        """SIGSTOP of the postmaster and all its children: it answers nothing, and may wake at any time."""
        def processes(node):
            children = [int(pid) for pid in pathlib.Path(f"/proc/{node['pid']}/task/{node['pid']}/children").read_text().split()]
            return [node["pid"], *children]

        stopped = []

        def hang(node):
            stopped.extend(processes(node))
            for pid in stopped:
                kill(pid, signal.SIGSTOP)

        try:
            old, idle = self.take_over(0, hang, 20)
        finally:
            for pid in stopped:
                try:
                    kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass
        time.sleep(1)
        self.check(idle)

    def test_killed_standby_lets_commits_go_on(self):
        standby = made.node(0, "standby")
        with books.Writers(made, ledger):
            before = self.committed()
            kill(standby["pid"])
            cluster.wait_for(lambda: self.committed() > before + 100, 20, "commits without the standby")
        self.assertEqual(ledger.verdict(books.entries(made)), [], ledger.summary())
        cluster.wait_for(lambda: made.status()["state"] == "healthy", 60, "the standby's return")

    def test_by_hand(self):
        old, idle = self.take_over(0, lambda node: made.verb("failover", made.status()["shards"][0]["name"], "--yes"), 20)
        self.check(idle)
        events = made.verb("events").stdout
        self.assertIn("failover", events)

    def test_statement_in_flight_gets_40001_or_is_finished(self):
        with made.raw() as connection:
            connection.execute("BEGIN; INSERT INTO entries VALUES (1, 900, 1, 5), (2, 900, 1, 5), (3, 900, 1, 5), (4, 900, 1, 5), "
                               "(5, 900, 1, -5), (6, 900, 1, -5), (7, 900, 1, -5), (8, 900, 1, -5)")
            old = made.node(0)
            kill(old["pid"])
            cluster.wait_for(lambda: (made.node(0) or old)["name"] != old["name"], 20, "another primary")
            result = connection.query("INSERT INTO entries SELECT 1, 900, 2, 0")[-1]
            if result.error is None:
                result = connection.query("COMMIT")[-1]
            self.assertEqual(result.code, "40001")
            connection.query("ROLLBACK")
            self.assertEqual(connection.value("SELECT count(*) FROM entries WHERE writer = 900"), "0")
            self.assertEqual(connection.status, "I")


if __name__ == "__main__":
    unittest.main()
