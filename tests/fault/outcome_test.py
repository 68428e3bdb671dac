"""Writes in flight when their primary dies are told their true outcome: done means there, an error means not there."""
import os
import pathlib
import random
import signal
import sys
import threading
import time
import unittest

import ledger as books  # also makes the component folder known
import cluster
import raw

if cluster.ON_PLAIN:
    sys.exit(77)
SEED = int(os.environ.get("PGM_SEED", random.randrange(1 << 30)))
SURE = books.SURE


def setUpModule():
    global made
    print(f"PGM_SEED={SEED}")
    made = cluster.started(cluster.Cluster(shards=2, standby=True))
    with made.raw() as connection:
        connection.execute("CREATE TABLE notes (writer int, number int, PRIMARY KEY (writer, number));"
                           "SELECT create_distributed_table('notes', 'writer')")


def patient():
    connection = made.raw()
    connection.socket.settimeout(60)
    return connection


class Writer(threading.Thread):
    """Inserts one row after the other in its own way, on one connection, and keeps what it was told."""

    def __init__(self, number, way):
        super().__init__(daemon=True)
        self.number, self.way = number, way
        self.told, self.codes, self.lost = {}, {}, 0
        self.stopping = threading.Event()

    def run(self):
        connection, number = patient(), 0
        while not self.stopping.is_set():
            number += 1
            try:
                code = self.way(connection, self.number, number)
            except (OSError, raw.Closed):
                self.told[number], self.lost = None, self.lost + 1
                connection = patient()
                continue
            self.told[number] = code
            if code:
                self.codes[code] = self.codes.get(code, 0) + 1
        connection.close()


def code_of(results):
    return next((result.code for result in results if result.error is not None), None)


def simple(connection, writer, number):
    return code_of(connection.query(f"INSERT INTO notes VALUES ({writer}, {number})"))


def returning(connection, writer, number):
    results = connection.query(f"INSERT INTO notes VALUES ({writer}, {number}) RETURNING number")
    code = code_of(results)
    assert code or results[-1].rows[0][0] == str(number).encode(), results
    return code


def extended(connection, writer, number):
    return code_of([connection.extended("INSERT INTO notes VALUES ($1, $2)", [writer, number])])


def explicit(connection, writer, number):
    code = code_of(connection.query("BEGIN"))
    code = code or code_of(connection.query(f"INSERT INTO notes VALUES ({writer}, {number})"))
    result = connection.query("COMMIT")[-1]
    code = code or result.code or (None if result.tag == "COMMIT" else "40001")
    return code


def implicit(connection, writer, number):
    return code_of(connection.query(f"INSERT INTO notes VALUES ({writer}, {number}); SELECT 1"))


WAYS = (simple, returning, extended, explicit, implicit)


class Outcome(unittest.TestCase):
    def setUp(self):
        cluster.wait_for(lambda: made.status()["state"] == "healthy", 60, "a healthy cluster")
        with made.raw() as connection:
            connection.execute("DELETE FROM notes")

    def check(self, writers):
        with made.raw() as connection:
            rows = {tuple(map(int, row)) for row in connection.rows("SELECT writer, number FROM notes")}
        wrong, codes = [], {}
        for writer in writers:
            for code, count in writer.codes.items():
                codes[code] = codes.get(code, 0) + count
            self.assertEqual(writer.lost, 0, "connections are kept")
            for number, code in writer.told.items():
                there = (writer.number, number) in rows
                if code is None and not there:
                    wrong.append(f"told done, but gone: {writer.way.__name__} {writer.number}/{number}")
                if code is not None and there:
                    wrong.append(f"told {code}, but there: {writer.way.__name__} {writer.number}/{number}")
        print(f"seed {SEED}: {sum(len(writer.told) for writer in writers)} writes, errors {codes}")
        self.assertEqual(wrong, [])
        self.assertLessEqual(set(codes), SURE)

    def run_with_fault(self, fault, moves=True):
        writers = [Writer(number, WAYS[number % len(WAYS)]) for number in range(20)]
        for writer in writers:
            writer.start()
        try:
            cluster.wait_for(lambda: all(len(writer.told) > 20 for writer in writers), 60, "load")
            old = made.node(0)
            fault(old)
            if moves:
                cluster.wait_for(lambda: (made.node(0) or old)["name"] != old["name"], 30, "another primary")
            before = [len(writer.told) for writer in writers]
            cluster.wait_for(lambda: all(len(writer.told) > count + 10 for writer, count in zip(writers, before)), 30, "writes")
        finally:
            for writer in writers:
                writer.stopping.set()
            for writer in writers:
                writer.join(90)
        self.assertFalse(any(writer.is_alive() for writer in writers), "a writer hangs")
        self.check(writers)

    def test_killed_primary(self):
        def kill(node):
            for pid in [node["pid"], *children(node["pid"])]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.run_with_fault(kill)

    def test_killed_backend(self):
        """The server restarts in place and gives the lost transactions' numbers to others (PROTOCOLS 3.3)."""
        def kill(node):
            with made.server(node).raw() as connection:
                victim = connection.value("SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND backend_type = 'client backend' LIMIT 1")
            os.kill(int(victim), signal.SIGKILL)
        self.run_with_fault(kill, moves=False)

    def test_killed_postmaster(self):
        """Its backends say their last words."""
        self.run_with_fault(lambda node: os.kill(node["pid"], signal.SIGKILL))


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


if __name__ == "__main__":
    unittest.main()
