"""kill -9 of pgmosaic under transfers between shards: no half commit, no lost commit, nothing left prepared."""
import os
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
ROUNDS = 25 if LONG else 5
SEED = int(os.environ.get("PGM_SEED", random.randrange(1 << 30)))


class CoordinatorCrash(unittest.TestCase):
    def test_transfers_are_whole_after_every_crash(self):
        made = cluster.started(cluster.Cluster(shards=3))
        with made.raw() as connection:
            connection.execute(books.SCHEMA)
        ledger = books.Ledger(SEED)
        dice = random.Random(SEED)
        print(f"PGM_SEED={SEED}")
        servers = made.servers()
        for _ in range(ROUNDS):
            pid = made.pid
            before = ledger.count(books.COMMITTED)
            with books.Writers(made, ledger):
                cluster.wait_for(lambda: ledger.count(books.COMMITTED) >= before + 50, 30, "50 transfers")
                time.sleep(dice.uniform(0.0, 0.3))
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.2)
                made.command("up", made.directory, timeout=60)
                after = ledger.count(books.COMMITTED)
                cluster.wait_for(lambda: ledger.count(books.COMMITTED) > after, 30, "the first transfer after the crash")
            cluster.wait_for(lambda: not books.prepared(servers), 30, "recovery of prepared transactions")
            rows = books.entries(made)
            self.assertEqual(ledger.verdict(rows), [], ledger.summary() + "\n" + made.logs())
        print(ledger.summary())

        # The canary: a commit lost on purpose is noticed.
        writer, number = next(transfer for transfer, outcome in ledger.told.items() if outcome == books.COMMITTED)
        with made.raw() as connection:
            connection.execute(f"DELETE FROM entries WHERE writer = {writer} AND number = {number}")
        self.assertEqual(len(ledger.verdict(books.entries(made))), 1)


class ItCanFail(unittest.TestCase):
    """The checker itself."""

    def test_verdicts(self):
        ledger = books.Ledger(0)
        ledger.note((1, 1), books.COMMITTED)
        ledger.note((1, 2), books.ROLLED_BACK)
        ledger.note((1, 3), books.UNKNOWN)
        self.assertEqual(ledger.verdict([(1, 1, 5), (1, 1, -5)]), [])
        self.assertEqual(ledger.verdict([(1, 1, 5), (1, 1, -5), (1, 3, 2), (1, 3, -2)]), [])
        self.assertEqual(len(ledger.verdict([])), 1)
        self.assertEqual(len(ledger.verdict([(1, 1, 5)])), 1)
        self.assertEqual(len(ledger.verdict([(1, 1, 5), (1, 1, -5), (1, 2, 1), (1, 2, -1)])), 1)
        self.assertEqual(len(ledger.verdict([(1, 1, 5), (1, 1, -5), (1, 3, 2)])), 1)


if __name__ == "__main__":
    unittest.main()
