"""Histories of transactions over several shards, beside crashes of pgmosaic at each step of a commit, primaries that are killed, and
connections that hang or are lost between pgmosaic and its servers. PGM_LONG=1: ten times as long."""
import os
import random
import signal
import sys
import threading
import time
import unittest

import psycopg2

import gate
import history as histories
import ledger  # makes the component folder known
import cluster
import served
from history import COMMITTED, ROLLED_BACK, UNKNOWN, Transaction, check

if cluster.ON_PLAIN:
    sys.exit(77)
KEYS = list(range(1, 9))
LONG = os.environ.get("PGM_LONG") == "1"
SECONDS = float(os.environ.get("PGM_SECONDS", "60" if LONG else "6"))
SEED = int(os.environ.get("PGM_SEED", random.randrange(1 << 30)))
STEPS = ["commit:before_prepare", "commit:one_prepared", "commit:after_prepare", "commit:after_decision", "commit:one_finished",
         "commit:after_phase_two"]
NOT_DONE = ("40001", "40P01", "57P03", "55P03")


SCANS = ["SELECT id, items FROM lists", "SELECT id, items FROM lists ORDER BY id", "SELECT a.id, a.items FROM lists a JOIN lists b ON b.id = a.id + 0"]


class Clients:
    """Threads that write and read until they are stopped; a lost connection is made again."""

    def __init__(self, target, kept, consistency="strict", scans=SCANS):
        self.target, self.history, self.consistency, self.scans = target, kept, consistency, scans
        self.stop, self.problems = threading.Event(), []
        jobs = [self.pair, self.pair, self.pair, self.single, self.single, self.scan, self.scan, self.one_by_one]
        self.threads = [threading.Thread(target=self.work, args=(job, SEED + i)) for i, job in enumerate(jobs)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def work(self, job, seed):
        dice, connection = random.Random(seed), None
        while not self.stop.is_set():
            try:
                if connection is None or connection.closed:
                    connection = self.target.connect(options=f"-c mosaic.consistency={self.consistency}")
                job(connection, dice)
            except (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.errors.SerializationFailure,
                    psycopg2.errors.DeadlockDetected) as error:
                if connection is not None and (connection.closed or error.pgcode is None):
                    connection.close()
                    connection = None
                time.sleep(0.02)
            except psycopg2.Error as error:
                self.problems.append(f"{error.pgcode} {error}")
                return
        if connection is not None:
            connection.close()

    def attempt(self, connection, transaction, statements):
        """Runs the statements as one transaction and notes what became of it."""
        sent = False
        try:
            with connection.cursor() as cursor:
                for sql, take in statements:
                    cursor.execute(sql)
                    if take:
                        take(cursor)
            sent = True
            connection.commit()
            self.history.finish(transaction, COMMITTED)
        except psycopg2.Error as error:
            known = not sent or error.pgcode in NOT_DONE
            self.history.finish(transaction, ROLLED_BACK if known else UNKNOWN)
            if not connection.closed:
                connection.rollback()
            raise

    def pair(self, connection, dice):
        keys = sorted(dice.sample(KEYS, dice.choice((2, 2, 3))))
        transaction = self.history.begin(keys)
        self.attempt(connection, transaction,
                     [(f"UPDATE lists SET items = items || {transaction.value} WHERE id = {key}", None) for key in keys])

    def single(self, connection, dice):
        key = dice.choice(KEYS)
        connection.autocommit = True
        transaction = self.history.begin([key])
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"UPDATE lists SET items = items || {transaction.value} WHERE id = {key}")
            self.history.finish(transaction, COMMITTED)
        except psycopg2.Error as error:
            self.history.finish(transaction, ROLLED_BACK if error.pgcode in NOT_DONE else UNKNOWN)
            raise

    def scan(self, connection, dice):
        connection.autocommit = True
        transaction = self.history.begin()
        sql = dice.choice(self.scans)
        with connection.cursor() as cursor:
            cursor.execute(sql)
            transaction.reads = dict(cursor.fetchall())
        self.history.finish(transaction, COMMITTED)

    def one_by_one(self, connection, dice):
        connection.set_session(isolation_level="REPEATABLE READ")
        transaction = self.history.begin()

        def take(cursor):
            transaction.reads.update(cursor.fetchall())
        keys = dice.sample(KEYS, 4)
        self.attempt(connection, transaction, [(f"SELECT id, items FROM lists WHERE id = {key}", take) for key in keys])


class Recorded(unittest.TestCase):
    def setUp(self):
        print(f"PGM_SEED={SEED}")

    target, servers = None, None  # of those who have others

    def make(self):
        with (self.target or made).raw() as connection:
            connection.execute("DROP TABLE IF EXISTS lists")
            connection.execute("CREATE TABLE lists (id int PRIMARY KEY, items int[] NOT NULL)")
            connection.execute("SELECT create_distributed_table('lists', 'id')")
            connection.execute("COPY lists FROM STDIN", b"".join(b"%d\t{}\n" % key for key in KEYS))

    def problems_of(self, kept):
        target = self.target or made
        cluster.wait_for(lambda: not ledger.prepared(self.servers or target.servers()), 30, "recovery of prepared transactions")
        connection = target.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT id, items FROM lists")
            final = dict(cursor.fetchall())
        connection.close()
        print(f"{kept.count(COMMITTED, False)} writes, {kept.count(COMMITTED, True)} reads, {kept.count(UNKNOWN, False)} unknown")
        return check(kept.transactions, final)


class Histories(Recorded):
    def test_reads_and_writes_of_several_shards(self):
        self.make()
        kept = histories.History()
        with Clients(made, kept) as clients:
            time.sleep(SECONDS)
        self.assertEqual(clients.problems, [])
        self.assertGreater(kept.count(COMMITTED, True), 20)
        self.assertEqual(self.problems_of(kept)[:5], [])

    def test_kill_at_each_step_of_a_commit(self):
        self.make()
        kept = histories.History()
        with Clients(made, kept) as clients:
            for step in STEPS:
                time.sleep(SECONDS / 8)
                os.kill(made.pid, signal.SIGKILL)
                made.command("up", made.directory, timeout=60, check=False, env={**os.environ, "PGMOSAIC_FAULT": step})
                cluster.wait_for(lambda: not alive(made), 30, f"the end at {step}")
                made.command("up", made.directory, timeout=60)
            time.sleep(SECONDS / 8)
        self.assertEqual(clients.problems, [])
        self.assertEqual(self.problems_of(kept)[:5], [])

    def test_a_planted_bug_is_found(self):
        """Without windows a read tears: the checker must see it."""
        self.make()
        found = []
        for _ in range(5):
            kept = histories.History()
            with Clients(made, kept, "eventual"):
                time.sleep(SECONDS / 2)
            found = self.problems_of(kept)
            if found:
                break
            self.make()
        print(f"{len(found)} problems, for example: {found[:1]}")
        self.assertNotEqual(found, [])


class KilledPrimaries(Recorded):
    def test_take_over(self):
        """kill -9 of one primary after the other, each replaced by its standby."""
        self.target = cluster.started(cluster.Cluster(shards=2, standby=True))
        self.addCleanup(self.target.destroy)
        self.make()
        kept = histories.History()
        with Clients(self.target, kept) as clients:
            for turn in range(8 if LONG else 2):
                cluster.wait_for(lambda: self.target.status()["state"] == "healthy", 90, "a healthy cluster")
                time.sleep(1)
                old = self.target.node(turn % 2)
                os.kill(old["pid"], signal.SIGKILL)
                cluster.wait_for(lambda shard=turn % 2, name=old["name"]: (self.target.node(shard) or {"name": name})["name"] != name, 30, "another primary")
                before = kept.count(COMMITTED, False)
                cluster.wait_for(lambda: kept.count(COMMITTED, False) > before + 20, 30, "writes")
        self.assertEqual(clients.problems, [])
        self.assertEqual(self.problems_of(kept)[:5], [])


class LostNetwork(Recorded):
    def test_connections_to_the_servers(self):
        """They hang for a while, are cut, or are cut on pgmosaic's side only, with what was under way arriving later."""
        self.servers = [cluster.started(cluster.Plain()) for _ in range(3)]
        gates = [cluster.started(gate.Gate(server.port)) for server in self.servers]
        self.target = cluster.started(served.Served(gates, ["auth: [ { from: local, users: all, method: trust } ]", "pool: { wait_timeout: 2s }"]))
        self.target.start()
        self.make()
        kept, dice, faults = histories.History(), random.Random(SEED), 0
        with Clients(self.target, kept, scans=SCANS[:2]) as clients:  # it has no workbench
            end = time.monotonic() + 2 * SECONDS
            while time.monotonic() < end:
                time.sleep(dice.uniform(0.2, 0.6))
                broken, how = dice.choice(gates), dice.choice(("hang", "cut", "half", "hang and cut", "late"))
                if how in ("hang", "hang and cut", "late"):
                    broken.hold()
                    time.sleep(dice.uniform(0.1, 1.0))
                if how in ("cut", "hang and cut"):
                    broken.cut()
                if how in ("half", "late"):
                    broken.cut(half=True)
                broken.release()
                if how in ("half", "late"):
                    time.sleep(dice.uniform(0.1, 1.0))
                    broken.forget()
                faults += 1
        print(f"{faults} faults")
        self.assertEqual(clients.problems, [])
        self.assertGreater(kept.count(COMMITTED, False), 20)
        self.assertEqual(self.problems_of(kept)[:5], [])


def alive(target):
    try:
        target.socket().close()
        return True
    except OSError:
        return False


class Checker(unittest.TestCase):
    """The checker itself, on histories made by hand."""

    def write(self, value, keys, begin, end, outcome=COMMITTED):
        return Transaction(begin, value, tuple(keys), {}, end, outcome)

    def read(self, reads, begin, end):
        return Transaction(begin, None, (), reads, end, COMMITTED)

    def test_right_ones_pass(self):
        made = [self.write(1, "ab", 0, 1), self.write(2, "a", 2, 3), self.read({"a": [1], "b": [1]}, 0.5, 4), self.read({"a": [1, 2], "b": [1]}, 5, 6)]
        self.assertEqual(check(made, {"a": [1, 2], "b": [1]}), [])

    def test_a_torn_read(self):
        self.assertTrue(check([self.write(1, "ab", 0, 5), self.read({"a": [1], "b": []}, 1, 4)], {"a": [1], "b": [1]}))

    def test_an_effect_without_its_cause(self):
        made = [self.write(1, "a", 0, 1), self.write(2, "b", 2, 3), self.read({"a": [], "b": [2]}, 0, 4)]
        self.assertTrue(check(made, {"a": [1], "b": [2]}))

    def test_a_read_of_the_past(self):
        self.assertTrue(check([self.write(1, "a", 0, 1), self.read({"a": []}, 2, 3)], {"a": [1]}))

    def test_a_lost_write(self):
        self.assertTrue(check([self.write(1, "a", 0, 1)], {"a": []}))

    def test_a_half_commit(self):
        self.assertTrue(check([self.write(1, "ab", 0, 1, UNKNOWN)], {"a": [1], "b": []}))

    def test_an_aborted_write(self):
        self.assertTrue(check([self.write(1, "a", 0, 1, ROLLED_BACK)], {"a": [1]}))

    def test_orders_that_contradict(self):
        made = [self.write(1, "ab", 0, 5), self.write(2, "ab", 0, 5)]
        self.assertTrue(check(made, {"a": [1, 2], "b": [2, 1]}))


def setUpModule():
    global made
    made = cluster.started(cluster.Cluster(shards=3))


if __name__ == "__main__":
    unittest.main()
