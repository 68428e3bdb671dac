"""Two sessions, statement by statement in one order, on pgmosaic and on plain PostgreSQL: a write that waited for another one's row
goes on with what is true then, or gives 40001, as PostgreSQL's isolation level says (PROTOCOLS 2.5, 2.7)."""
import threading
import time
import unittest

import cluster
import raw


def setUpModule():
    global pair, watchers
    pair = cluster.started(cluster.Pair(shards=3))
    servers = [pair.target, pair.plain] if cluster.ON_PLAIN else [*pair.target.servers(), pair.plain]
    watchers = [server.raw(user="postgres") for server in servers]
    pair.both("CREATE TABLE acc (id int PRIMARY KEY, v int NOT NULL, grp int NOT NULL)")
    pair.both("CREATE TABLE rate (id int PRIMARY KEY, r int NOT NULL)")
    pair.both("CREATE TABLE code (code int PRIMARY KEY, r int NOT NULL)")
    pair.both("CREATE TABLE own (a int PRIMARY KEY, r int NOT NULL)")
    for table, key in (("acc", "id"), ("rate", "id"), ("code", "code")):
        pair.distribute(table, key)


class Session:
    """A connection whose statement may wait while others go on."""

    def __init__(self, endpoint):
        self.connection, self.thread, self.said = endpoint.raw(), None, []

    def run(self, sql):
        assert self.settled(), "the schedule lets a waiting session speak"
        self.thread = threading.Thread(target=self.ask, args=(sql,), daemon=True)
        self.thread.start()
        end = time.monotonic() + 10
        while self.thread.is_alive() and time.monotonic() < end and not somebody_waits():
            self.thread.join(0.01)

    def ask(self, sql):
        for result in self.connection.query(sql):
            self.said.append(result.code or (result.tag, sorted(map(tuple, result.rows))))

    def settled(self, seconds=10):
        if self.thread is not None:
            self.thread.join(seconds)
        return self.thread is None or not self.thread.is_alive()

    def waits(self):
        return self.thread is not None and self.thread.is_alive()


def somebody_waits():
    return any(watcher.value("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0" for watcher in watchers)


# Changes of A's while B's statement waits for a row of A's.
CHANGES = {
    "leaves the condition": "UPDATE acc SET grp = 2 WHERE id IN (3, 4)",
    "is added to": "UPDATE acc SET v = v + 100 WHERE id IN (3, 4, 5)",
    "is deleted": "DELETE FROM acc WHERE id IN (3, 5)",
    "is rolled back": "UPDATE acc SET v = v + 100, grp = 2 WHERE id IN (3, 4)",
}
# With what the statement reads of other tables, each shard by itself.
COLOCATED = {
    "update from": "UPDATE acc SET v = acc.v + rate.r FROM rate WHERE rate.id = acc.id AND acc.grp = 1",
    "update with a sub-query": "UPDATE acc SET v = v + (SELECT r FROM rate WHERE rate.id = acc.id) WHERE grp = 1",
    "update where exists": "UPDATE acc SET v = v * 2 WHERE grp = 1 AND EXISTS (SELECT FROM rate WHERE rate.id = acc.id AND rate.r > 2)",
    "update returning": "UPDATE acc SET v = acc.v + rate.r FROM rate WHERE rate.id = acc.id AND acc.grp = 1 RETURNING acc.id, acc.v",
    "delete using": "DELETE FROM acc USING rate WHERE rate.id = acc.id AND acc.grp = 1 AND rate.r < 6",
    "plain update": "UPDATE acc SET v = v + 1 WHERE grp = 1",
    "plain delete": "DELETE FROM acc WHERE grp = 1 AND v < 50",
}
# By way of the workbench.
GATHERED = {
    "update from another key": "UPDATE acc SET v = acc.v + code.r FROM code WHERE code.code = acc.grp AND acc.grp = 1",
    "update from a local table": "UPDATE acc SET v = acc.v + own.r FROM own WHERE own.a = acc.grp AND acc.grp = 1",
    "update with an aggregate": "UPDATE acc SET v = v + (SELECT max(r) FROM code) WHERE grp = 1",
    "delete by another key": "DELETE FROM acc USING code WHERE code.code = acc.grp AND code.r > 10 AND acc.grp = 1",
}


class Schedules(unittest.TestCase):
    def setUp(self):
        pair.both("TRUNCATE acc, rate, code, own")
        for sql in ("INSERT INTO acc SELECT g, g, 1 FROM generate_series(1, 12) g", "INSERT INTO rate SELECT g, g FROM generate_series(1, 30) g",
                    "INSERT INTO code VALUES (1, 1000), (2, 2000)", "INSERT INTO own VALUES (1, 500), (2, 700)"):
            pair.both(sql)

    def outcome(self, endpoint, steps):
        sessions = {name: Session(endpoint) for name in "AB"}
        waited = []
        for name, sql in steps:
            sessions[name].run(sql)
            waited.append(sessions[name].waits())
        for session in sessions.values():
            self.assertTrue(session.settled(), "a session hangs")
            session.connection.close()
        with endpoint.raw() as connection:
            rows = connection.rows("SELECT * FROM acc ORDER BY id")
        return {"waited": any(waited), "A": sessions["A"].said, "B": sessions["B"].said, "rows": rows}

    def same(self, steps, waits=True):
        found = {}
        for name, endpoint in (("target", pair.target), ("plain", pair.plain)):
            found[name] = self.outcome(endpoint, steps)
        self.assertEqual(found["target"], found["plain"], steps)
        if waits:
            self.assertTrue(found["plain"]["waited"], "the schedule has no wait in it")

    def each(self, statements, level, in_transaction):
        for how, write in statements.items():
            for what, change in CHANGES.items():
                with self.subTest(statement=how, row=what):
                    self.setUp()
                    begin = [("B", f"BEGIN ISOLATION LEVEL {level}"), ("B", "SELECT count(*) FROM acc")] if in_transaction else []
                    last = "ROLLBACK" if what == "is rolled back" else "COMMIT"
                    self.same([*begin, ("A", "BEGIN"), ("A", change), ("B", write), ("A", last), *([("B", "COMMIT")] if in_transaction else [])])

    def test_read_committed(self):
        self.each(COLOCATED, "READ COMMITTED", False)

    def test_read_committed_in_a_transaction(self):
        self.each({name: COLOCATED[name] for name in ("update from", "delete using", "plain update")}, "READ COMMITTED", True)

    def test_repeatable_read(self):
        self.each({name: COLOCATED[name] for name in ("update from", "update where exists", "delete using", "plain update")}, "REPEATABLE READ", True)

    def test_what_the_workbench_feeds(self):
        """2.7: no update is lost, rows are judged as they are when they are locked."""
        self.each(GATHERED, "READ COMMITTED", False)

    def test_what_the_workbench_feeds_in_repeatable_read(self):
        """2.7: 40001 where a row has changed since the snapshot."""
        self.each({name: GATHERED[name] for name in ("update from another key", "delete by another key")}, "REPEATABLE READ", True)

    def test_what_has_changed_before_the_statement(self):
        """Nothing waits: the snapshot is older (REPEATABLE READ) or not."""
        for level in ("READ COMMITTED", "REPEATABLE READ"):
            for write in (COLOCATED["update from"], COLOCATED["plain update"], GATHERED["update from another key"]):
                with self.subTest(level=level, write=write):
                    self.setUp()
                    self.same([("B", f"BEGIN ISOLATION LEVEL {level}"), ("B", "SELECT count(*) FROM acc"),
                               ("A", "UPDATE acc SET v = v + 100 WHERE id IN (3, 4)"), ("A", "INSERT INTO acc VALUES (20, 20, 1), (21, 21, 1)"),
                               ("B", write), ("B", "COMMIT")], waits=False)

    def test_locking_reads(self):
        """2.5: FOR UPDATE gives the newest version of its rows, or 40001."""
        for level in ("READ COMMITTED", "REPEATABLE READ"):
            for change in CHANGES.values():
                with self.subTest(level=level, change=change):
                    self.setUp()
                    self.same([("B", f"BEGIN ISOLATION LEVEL {level}"), ("B", "SELECT count(*) FROM acc"), ("A", "BEGIN"), ("A", change),
                               ("B", "SELECT * FROM acc WHERE grp = 1 ORDER BY id FOR UPDATE"), ("A", "COMMIT"), ("B", "COMMIT")])


class LostUpdates(unittest.TestCase):
    def test_read_and_written_back(self):
        """REPEATABLE READ over several shards: what has been read is not overwritten unseen."""
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw() as one, endpoint.raw() as other:
                one.execute("TRUNCATE acc; INSERT INTO acc SELECT g, 0, 1 FROM generate_series(1, 12) g")
                for connection in (one, other):
                    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                    connection.value("SELECT sum(v) FROM acc")
                one.execute("UPDATE acc SET v = 1 WHERE id <= 6")
                one.execute("COMMIT")
                with self.assertRaises(raw.ServerError) as caught:
                    other.execute("UPDATE acc SET v = 2 WHERE id > 5")
                self.assertEqual(caught.exception.code, "40001")
                other.execute("ROLLBACK")


if __name__ == "__main__":
    unittest.main()
