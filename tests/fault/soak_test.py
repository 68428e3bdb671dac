"""Random faults on random shards under the bank load: what clients were told is true, and the cluster heals by itself.

PGM_LONG=1 goes on for PGM_MINUTES (10), and then a fault may also hit a shard that has not recovered from the last one.
"""
import contextlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

import ledger as books  # also makes the component folder known
import cluster
import psycopg2

if cluster.ON_PLAIN:
    sys.exit(77)
LONG = os.environ.get("PGM_LONG") == "1"
SECONDS = 60 * float(os.environ.get("PGM_MINUTES", 10)) if LONG else 25
SEED = int(os.environ.get("PGM_SEED", random.randrange(1 << 30)))
if LONG:
    signal.alarm(int(SECONDS) + 600)


def processes(node):
    children = pathlib.Path(f"/proc/{node['pid']}/task/{node['pid']}/children").read_text().split()
    return [node["pid"], *map(int, children)]


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Auditor(threading.Thread):
    """Reads the sum of all entries, which is 0 at every moment."""

    def __init__(self, endpoint):
        super().__init__(daemon=True)
        self.endpoint, self.stopping = endpoint, threading.Event()
        self.reads, self.torn, self.errors = 0, [], {}

    def run(self):
        connection = None
        while not self.stopping.wait(0.05):
            try:
                if connection is None or connection.closed:
                    connection = self.endpoint.connect(connect_timeout=5)
                    connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute("SELECT coalesce(sum(amount), 0) FROM entries")
                    total = cursor.fetchone()[0]
                self.reads += 1
                if total != 0:
                    self.torn.append(total)
            except psycopg2.Error as error:
                code = error.pgcode or "connection"
                self.errors[code] = self.errors.get(code, 0) + 1


class Soak(unittest.TestCase):
    def test_what_clients_were_told_is_true(self):
        print(f"PGM_SEED={SEED}")
        self.dice = random.Random(SEED)
        self.made = cluster.started(cluster.Cluster(shards=3, standby=True))
        with self.made.raw() as connection:
            connection.execute(books.SCHEMA)
        ledger, auditor = books.Ledger(SEED), Auditor(self.made)
        cluster.wait_for(self.healthy, 60, "a healthy cluster")
        auditor.start()
        self.faults, self.crashes = {}, 0
        end = time.monotonic() + SECONDS
        with books.Writers(self.made, ledger):
            while time.monotonic() < end:
                self.strike(ledger)
            cluster.wait_for(self.healthy, 120, "a healthy cluster")
            before = ledger.count(books.COMMITTED)
            cluster.wait_for(lambda: ledger.count(books.COMMITTED) > before + 50, 30, "transfers after it all")
        auditor.stopping.set()
        auditor.join(60)
        self.judge(ledger, auditor)

    def judge(self, ledger, auditor):
        summary = f"{self.faults}\n{ledger.summary()}\n{auditor.reads} sums read, errors {auditor.errors}"
        print(summary)
        self.assertEqual(ledger.verdict(books.entries(self.made)), [], summary + "\n" + self.made.logs())
        self.assertEqual(auditor.torn, [], summary)
        allowed = {"40001"} | ({"connection lost"} if self.crashes else set()) | ({"57P03", "08007"} if LONG else set())
        self.assertLessEqual(set(ledger.errors), allowed, summary)
        cluster.wait_for(lambda: not books.prepared(self.made.servers()), 30, "recovery of prepared transactions")
        verified = self.made.verb("verify", check=False, timeout=300)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        # The canary: a commit lost on purpose is noticed by the ledger, and one that only a server has by verify.
        writer, number = next(transfer for transfer, outcome in ledger.told.items() if outcome == books.COMMITTED)
        with self.made.raw() as connection:
            connection.execute(f"DELETE FROM entries WHERE writer = {writer} AND number = {number}")
        self.assertEqual(len(ledger.verdict(books.entries(self.made))), 1)

    def healthy(self):
        with contextlib.suppress(RuntimeError):
            return self.made.status()["state"] == "healthy"
        return False

    def strike(self, ledger):
        shards = self.made.status()["shards"]
        shard = self.dice.randrange(len(shards))
        ready = LONG and self.dice.random() < 0.2 or shards[shard]["state"] == "healthy"
        primary, standby = self.made.node(shard), self.made.node(shard, "standby")
        if not ready or primary is None or standby is None or not primary["pid"] or not standby["pid"]:
            time.sleep(0.1)
            return
        fault = self.dice.choice((self.kill, self.kill, self.kill_postmaster, self.hang, self.stop, self.lose_standby, self.kill_backend,
                                  self.crash, self.switch))
        self.faults[fault.__name__] = self.faults.get(fault.__name__, 0) + 1
        before = ledger.count(books.COMMITTED)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just died of something else
            fault(primary, standby)
        cluster.wait_for(lambda: ledger.count(books.COMMITTED) > before + 20, 60, f"transfers after {fault.__name__}")
        time.sleep(self.dice.uniform(0, 1))

    def kill(self, primary, _):
        signal_all(processes(primary), signal.SIGKILL)

    def kill_postmaster(self, primary, _):
        os.kill(primary["pid"], signal.SIGKILL)

    def hang(self, primary, standby):
        pids = processes(self.dice.choice((primary, standby)))
        signal_all(pids, signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.5, 4))  # shorter and longer than it takes to be judged dead
        signal_all(pids, signal.SIGCONT)

    def stop(self, primary, _):
        subprocess.run([str(cluster.BIN / "pg_ctl"), "stop", "-D", primary["data_directory"], "-m", self.dice.choice(("fast", "immediate")), "-W"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **cluster.SERVER_USER)

    def lose_standby(self, _, standby):
        signal_all(processes(standby), signal.SIGKILL)

    def kill_backend(self, primary, _):
        os.kill(self.dice.choice(processes(primary)[1:]), signal.SIGKILL)

    def crash(self, *_):
        self.crashes += 1
        os.kill(self.made.pid, signal.SIGKILL)
        self.made.command("up", self.made.directory, timeout=90)

    def switch(self, primary, _):
        self.made.verb("switchover", primary["name"][:-1], "--yes", check=False)


if __name__ == "__main__":
    unittest.main()
