"""The rest of a transaction's life over several shards: savepoints, time limits, cursors, notices, snapshots by name."""
import os
import re
import subprocess
import threading
import time
import unittest

import cluster
import compare
import raw


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair(shards=3))
    pair.both("CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 0)")
    pair.both("CREATE TABLE u (id int PRIMARY KEY, t_id int, w numeric)")
    pair.both("CREATE TABLE own (a int PRIMARY KEY, b text)")
    pair.both("CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS "
              "$$ BEGIN RAISE NOTICE 'row % is checked', new.id; IF new.v = 'bad' THEN RAISE EXCEPTION 'row % is bad', new.id; END IF; RETURN NULL; END $$")
    for table in ("t", "u"):
        pair.distribute(table, "id")
    pair.both("CREATE CONSTRAINT TRIGGER say AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION say()")
    pair.both("ALTER TABLE t DISABLE TRIGGER say")
    pair.fill("t (id, v)", "SELECT g, 'v' || g FROM generate_series(1, 40) g")
    pair.fill("u (id, t_id, w)", "SELECT g, g % 13, g / 7.0 FROM generate_series(1, 40) g")


class Both(unittest.TestCase):
    def setUp(self):
        self.session = compare.Comparison(pair)
        self.addCleanup(self.session.close)

    def same(self, *statements, **options):
        found = [line for sql in statements for line in self.session.simple(sql, **options)]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def same_extended(self, sql, values, **options):
        found = self.session.extended(sql, values, **options)
        self.assertEqual(found, [], "\n" + "\n".join(found))


class Savepoints(Both):
    def test_after_errors_on_any_shard(self):
        self.same("BEGIN", "INSERT INTO t VALUES (101, 'a'), (102, 'b'), (103, 'c'), (104, 'd')", "SAVEPOINT one",
                  "INSERT INTO t VALUES (105, 'e'), (1, 'double')", "SELECT 1", "ROLLBACK TO one",
                  "SELECT count(*), max(id) FROM t", "UPDATE t SET v = v || '!' WHERE id > 100", "SAVEPOINT two", "SELECT 1 / (id - 7) FROM t ORDER BY 1", "ROLLBACK TO two",
                  "DELETE FROM t WHERE id IN (101, 102)", "SAVEPOINT two", "INSERT INTO t VALUES (2, 'double')", "ROLLBACK TO SAVEPOINT two", "RELEASE two",
                  "SELECT id, v FROM t WHERE id > 100 ORDER BY id", "ROLLBACK TO nothing", "ROLLBACK TO one", "SELECT count(*) FROM t", "COMMIT",
                  "SELECT id, v FROM t WHERE id > 100 ORDER BY id", "DELETE FROM t WHERE id > 100")

    def test_after_errors_of_the_workbench_and_of_ours(self):
        self.same("BEGIN", "SAVEPOINT a", "SELECT 1 / (x.id - 7) FROM t x JOIN u y ON x.id = y.t_id ORDER BY 1", "ROLLBACK TO a", "SELECT no_such FROM t", "ROLLBACK TO a",
                  "SELECT x.id FROM t x JOIN u y ON x.id = y.t_id ORDER BY 1 LIMIT 3", "SELECT id FROM t ORDER BY id LIMIT -1", "ROLLBACK TO a",
                  "INSERT INTO own VALUES (1, 'x')", "SAVEPOINT b", "INSERT INTO own VALUES (1, 'y')", "ROLLBACK TO b", "SELECT * FROM own", "ROLLBACK")

    def test_settings_and_cursors_go_back(self):
        self.same("BEGIN", "SAVEPOINT a", "SET work_mem = '5MB'", "DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id", "FETCH 2 FROM c", "ROLLBACK TO a", "SHOW work_mem",
                  "FETCH 1 FROM c", "ROLLBACK")

    def test_released_ones_nest(self):
        self.same("BEGIN", "SAVEPOINT a", "INSERT INTO t VALUES (201, 'x'), (202, 'y')", "SAVEPOINT a", "DELETE FROM t WHERE id = 201", "RELEASE a",
                  "SELECT count(*) FROM t WHERE id > 200", "ROLLBACK TO a", "SELECT count(*) FROM t WHERE id > 200", "COMMIT")

    def test_psql_with_on_error_rollback(self):
        script = ("BEGIN; INSERT INTO t VALUES (301, 'a'), (302, 'b'), (303, 'c');\nINSERT INTO t VALUES (304, 'd'), (1, 'double');\n"
                  "SELECT 1 / (id - 301) FROM t;\nUPDATE t SET v = 'kept' WHERE id > 300;\nSELECT x.v FROM t x, u y WHERE x.id = y.t_id + no_such;\n"
                  "SELECT id, v FROM t WHERE id > 300 ORDER BY id;\nCOMMIT;\nDELETE FROM t WHERE id > 300;\n")
        outputs = [re.sub(r"psql:.*?: ", "", re.sub(r"(CONTEXT|LINE \d+):.*\n|^ +\^\n", "", endpoint.psql(script=script, flags=("-v", "ON_ERROR_ROLLBACK=on")), flags=re.M))
                   for endpoint in (pair.target, pair.plain)]
        self.assertEqual(*outputs)
        self.assertIn("kept", outputs[0])


class Commit(Both):
    def test_deferred_triggers_are_heard(self):
        """What they say at COMMIT reaches the client, from one shard and from several."""
        pair.both("ALTER TABLE t ENABLE TRIGGER say")
        self.addCleanup(lambda: pair.both("ALTER TABLE t DISABLE TRIGGER say; DELETE FROM t WHERE id > 400"))
        for keys in ((401,), (402, 403, 404, 405, 406)):
            heard = []
            for endpoint in (pair.target, pair.plain):
                with endpoint.raw() as connection:
                    connection.execute("BEGIN")
                    for key in keys:
                        connection.execute(f"INSERT INTO t VALUES ({key}, 'good')")
                    self.assertEqual(connection.notices, [])
                    result = connection.query("COMMIT")[0]
                    self.assertEqual(result.tag, "COMMIT")
                    heard.append(sorted(notice["M"] for notice in result.notices))
            self.assertEqual(heard[0], heard[1])
            self.assertEqual(len(heard[0]), len(keys))

    def test_deferred_triggers_that_fail_roll_all_back(self):
        pair.both("ALTER TABLE t ENABLE TRIGGER say")
        self.addCleanup(lambda: pair.both("ALTER TABLE t DISABLE TRIGGER say"))
        for bad in (501, 503, 506):
            with pair.target.raw() as connection:
                connection.execute("BEGIN")
                for key in range(501, 507):
                    connection.execute(f"INSERT INTO t VALUES ({key}, '{'bad' if key == bad else 'good'}')")
                with self.assertRaises(raw.ServerError) as caught:
                    connection.execute("COMMIT")
                self.assertIn(f"row {bad} is bad", caught.exception.fields["M"])
                self.assertEqual(connection.status, "I")
                self.assertEqual(connection.value("SELECT count(*) FROM t WHERE id > 500"), "0")

    def test_serializable_with_definitions(self):
        self.same("SET default_transaction_isolation TO 'serializable'", "CREATE TABLE made (a int)", "INSERT INTO made VALUES (1)", "ALTER TABLE made ADD COLUMN b int",
                  "BEGIN", "CREATE TABLE made2 (a int)", "DROP TABLE made", "COMMIT", "DROP TABLE made2", "RESET default_transaction_isolation")
        self.same("BEGIN ISOLATION LEVEL SERIALIZABLE", "CREATE TABLE made (a int)", "INSERT INTO made SELECT 1", "SELECT * FROM made", "CREATE INDEX ON made (a)", "COMMIT", "DROP TABLE made")


class Cursors(Both):
    def test_with_hold_over_merged_rows(self):
        self.same("BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT id, v FROM t WHERE id <= 9 ORDER BY id", "FETCH 3 FROM c", "COMMIT", "FETCH 3 FROM c", "MOVE 1 IN c",
                  "FETCH ALL FROM c", "FETCH c", "CLOSE c", "FETCH c")
        self.same("DECLARE c CURSOR WITH HOLD FOR SELECT count(*) FROM t x JOIN u y ON x.id = y.t_id", "FETCH c", "BEGIN", "ROLLBACK", "FETCH c", "CLOSE c")
        self.same("BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id", "ROLLBACK", "FETCH c")
        self.same("DECLARE one CURSOR WITH HOLD FOR SELECT v FROM t WHERE id = 7", "FETCH one", "CLOSE one",
                  "BEGIN", "DECLARE one CURSOR WITH HOLD FOR SELECT v FROM t WHERE id = 8", "COMMIT", "FETCH one", "FETCH one", "CLOSE ALL", "FETCH one")

    def test_its_rows_are_those_of_its_declaration(self):
        self.same("DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t WHERE id > 600 ORDER BY id", "INSERT INTO t VALUES (601, 'x')", "FETCH c", "CLOSE c", "DELETE FROM t WHERE id > 600")


class Parameters(Both):
    JOIN = "SELECT x.id, y.w, $2::text AS said FROM t x JOIN u y ON x.id = y.t_id WHERE y.w > $1 AND x.v <> $2 ORDER BY 1, 2"

    def test_several_pulls_in_read_committed(self):
        self.same("BEGIN")
        for values in (["1.5", "v3"], ["0", "it's"], ["-1", ""]):
            self.same_extended(self.JOIN, values)
        self.same("UPDATE t SET v = 'seen' WHERE id = 3")
        self.same_extended(self.JOIN, ["0.1", "x"])
        self.same("ROLLBACK")

    def test_binary_values(self):
        import struct
        self.same("BEGIN")
        sql = "SELECT x.id, y.w FROM t x JOIN u y ON x.id = y.t_id WHERE y.w::float8 > $1 AND x.id >= $2 AND ($3::date IS NULL OR $3 > '2000-01-01') ORDER BY 1, 2"
        for number, least, day in ((0.1 + 0.2, 3, 9000), (1e-300, -5, 1), (2.0, 2, None)):
            values = [struct.pack("!d", number), struct.pack("!i", least), None if day is None else struct.pack("!i", day)]
            answers = [connection.extended(sql, values, types=(701, 23, 1082), formats=(1, 1, 1)) for connection in (self.session.target, self.session.plain)]
            self.assertIsNone(answers[0].error)
            self.assertEqual(answers[0].rows, answers[1].rows)
            self.assertGreater(len(answers[0].rows), 0)
        self.same("ROLLBACK")


class TimeLimits(unittest.TestCase):
    SLOW = ("SELECT count(pg_sleep(0.4)) FROM t",                                        # all shards
            "SELECT count(*) FROM t x JOIN u y ON x.id = y.t_id, pg_sleep(10)",           # the workbench
            "SELECT count(*), pg_sleep(10) FROM t x JOIN u y ON x.id = y.t_id",
            "UPDATE t SET n = n + 1 WHERE pg_sleep(0.4) IS NOT NULL",
            "INSERT INTO own SELECT id, pg_sleep(0.4)::text FROM t",
            "SELECT pg_sleep(10)")

    def limited(self, connection, sql, code, within=3):
        begin = time.monotonic()
        result = connection.query(sql)[0]
        self.assertEqual(result.code, code, sql)
        self.assertLess(time.monotonic() - begin, within, sql)
        return result.error

    def test_statement_timeout(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw() as connection:
                connection.execute("SET statement_timeout = '600ms'")
                for sql in self.SLOW:
                    error = self.limited(connection, sql, "57014")
                    self.assertIn(error["M"], ("canceling statement due to statement timeout",), sql)
                    self.assertEqual(connection.value("SELECT count(*) FROM t"), "40")
                connection.execute("BEGIN; SET LOCAL statement_timeout = 200")
                self.limited(connection, self.SLOW[0], "57014", 1.5)
                connection.execute("ROLLBACK")
                connection.execute("RESET statement_timeout")
                self.assertEqual(connection.value("SELECT count(*) FROM t, pg_sleep(0.7)"), "40")

    def test_the_whole_statement_counts(self):
        """Parts that are each in time are late together."""
        with pair.target.raw() as connection:
            connection.execute("SET statement_timeout = '700ms'")
            self.limited(connection, "INSERT INTO own SELECT a.id + 1000, pg_sleep(0.02)::text FROM (SELECT id, pg_sleep(0.02) FROM t ORDER BY 1) a", "57014")
            self.assertEqual(connection.value("SELECT count(*) FROM own"), "0")

    def test_lock_timeout(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw() as holder, endpoint.raw() as connection:
                holder.execute("BEGIN; UPDATE t SET n = n WHERE id IN (5, 6, 7, 8)")
                connection.execute("SET lock_timeout = '300ms'")
                for sql in ("UPDATE t SET n = n", "UPDATE t SET n = n WHERE id = 6", "SELECT id FROM t ORDER BY id FOR UPDATE", "DELETE FROM t WHERE id > 4 AND n = 5 OR id = 8"):
                    self.limited(connection, sql, "55P03")
                connection.execute("BEGIN; SAVEPOINT a")
                self.limited(connection, "UPDATE t SET n = n", "55P03")
                connection.execute("ROLLBACK TO a")
                self.assertEqual(connection.value("SELECT count(*) FROM t"), "40")
                connection.execute("ROLLBACK")
                holder.execute("ROLLBACK")

    def idle(self, endpoint, begin, code):
        with endpoint.raw() as connection:
            for sql in begin:
                connection.execute(sql)
            connection.socket.settimeout(5)
            found = connection.next()
            self.assertEqual(found.kind, "E")
            fields = raw.fields_of(found.body)
            self.assertEqual((fields["C"], fields["V"]), (code, "FATAL"))
            self.assertTrue(connection.is_closed())

    def test_idle_in_transaction(self):
        for endpoint in (pair.target, pair.plain):
            limit = "SET idle_in_transaction_session_timeout = '300ms'"
            self.idle(endpoint, [limit, "BEGIN", "UPDATE t SET n = n + 1 WHERE id < 20"], "25P03")
            self.idle(endpoint, [limit, "BEGIN"], "25P03")
            self.idle(endpoint, ["BEGIN", "SET LOCAL idle_in_transaction_session_timeout = 300", "SELECT count(*) FROM t"], "25P03")
            self.idle(endpoint, ["SET idle_session_timeout = 300", "SELECT 1"], "57P05")
            with endpoint.raw() as connection:
                self.assertEqual(connection.value("SELECT sum(n) FROM t"), "0")

    def test_nobody_is_idle_while_another_shard_works(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw() as connection:
                connection.execute("SET idle_in_transaction_session_timeout = '400ms'")
                self.assertEqual(connection.value("SHOW idle_in_transaction_session_timeout"), "400ms")
                connection.execute("BEGIN")
                for key in range(1, 9):
                    connection.execute(f"UPDATE t SET n = n WHERE id = {key}")
                for key in range(1, 9):
                    connection.value(f"SELECT pg_sleep(0.15) FROM t WHERE id = {key}")
                connection.value("SELECT pg_sleep(1)")
                connection.execute("UPDATE t SET n = n")
                connection.execute("COMMIT")
                time.sleep(0.6)
                self.assertEqual(connection.value("SELECT 1"), "1")
                connection.execute("SET idle_in_transaction_session_timeout = '2min'")
                self.assertEqual(connection.value("SHOW idle_in_transaction_session_timeout"), "2min")


class Cancel(unittest.TestCase):
    def test_a_late_cancel_hits_nothing_that_comes_later(self):
        """PROTOCOLS 1.3: cancels that arrive when their statement is over, then COMMIT at once."""
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw() as connection:
                for turn in range(60):
                    connection.execute("BEGIN; UPDATE t SET n = n WHERE id <= 4")
                    thread = threading.Thread(target=connection.cancel)
                    connection.send(raw.query(f"SELECT pg_sleep({turn % 6 / 1000})"))
                    thread.start()
                    connection.until_ready()
                    thread.join()
                    failed = connection.status == "E"
                    result = connection.query("COMMIT")[0]
                    self.assertEqual((result.tag, result.error), ("ROLLBACK" if failed else "COMMIT", None))
                    self.assertEqual([n["M"] for n in result.notices], [])


class Snapshots(unittest.TestCase):
    def test_one_name_is_one_moment_of_all_shards(self):
        for endpoint in (pair.target, pair.plain):
            for level in ("REPEATABLE READ", "READ COMMITTED"):
                with endpoint.raw() as first, endpoint.raw() as second, endpoint.raw() as writer:
                    first.execute(f"BEGIN ISOLATION LEVEL {level}")
                    name = first.value("SELECT pg_export_snapshot()")
                    writer.execute("UPDATE t SET n = n + 1; UPDATE own SET b = 'x'")
                    second.execute("BEGIN")
                    second.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    second.execute(f"SET TRANSACTION SNAPSHOT '{name}'")
                    self.assertEqual(second.value("SELECT sum(n) FROM t"), "0")
                    self.assertEqual(second.value("SELECT sum(x.n) FROM t x JOIN u y ON x.id = y.t_id"), "0")
                    self.assertEqual({second.value(f"SELECT n FROM t WHERE id = {key}") for key in range(1, 9)}, {"0"})
                    second.execute("COMMIT")
                    first.execute("COMMIT")
                    self.assertEqual(second.value("SELECT sum(n) FROM t"), "40")
                    writer.execute("UPDATE t SET n = n - 1")

    def test_misuse_is_told(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw() as connection, endpoint.raw() as other:
                other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                name = other.value("SELECT pg_catalog.pg_export_snapshot()")
                for statements, code in ((["BEGIN ISOLATION LEVEL REPEATABLE READ", "SET TRANSACTION SNAPSHOT 'nonsense'"], "22023"),
                                         (["BEGIN ISOLATION LEVEL REPEATABLE READ", "SET TRANSACTION SNAPSHOT '00000099-00000099-1'"], "22023"),
                                         (["BEGIN", f"SET TRANSACTION SNAPSHOT '{name}'"], "0A000"),
                                         (["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM t", f"SET TRANSACTION SNAPSHOT '{name}'"], "25001")):
                    results = [connection.query(sql)[0] for sql in statements]
                    self.assertEqual(results[-1].code, code, statements)
                    connection.execute("ROLLBACK")
                result = other.extended("SELECT pg_export_snapshot()")
                self.assertEqual(len(result.rows), 1)
                other.execute("ROLLBACK")


@unittest.skipIf(cluster.ON_PLAIN, "compares dumps of the cluster")
class Dump(unittest.TestCase):
    def dump(self, endpoint, *arguments):
        command = [cluster.BIN / "pg_dump", "-h", endpoint.host, "-p", str(endpoint.port), "-U", endpoint.user, *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def restored(self, directory):
        done = subprocess.run([str(cluster.BIN / "pg_restore"), "-f", "-", directory], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def rows_sorted(self, script):
        """COPY's rows have no order of their own."""
        parts = re.split(r"(?m)^(COPY .*? FROM stdin;\n)", script)
        for i in range(2, len(parts), 2):
            rows, end, rest = parts[i].partition("\\.\n")
            parts[i] = "".join(sorted(rows.splitlines(True))) + end + rest
        return "".join(parts)

    def test_in_parallel_as_serially(self):
        directory = cluster.make_directory("pgm_dump_")
        target = os.path.join(directory, "out")
        self.dump(pair.target, "-Fd", "-j4", "-f", target, pair.target.database)
        serial = self.dump(pair.target, "-Fp", pair.target.database)
        strip = lambda text: re.sub(r"(?m)^--.*\n|^\n|^\\(un)?restrict .*\n", "", text)
        self.assertEqual(self.rows_sorted(strip(self.restored(target))), self.rows_sorted(strip(serial)))
        subprocess.run(["rm", "-rf", directory], check=True)


if __name__ == "__main__":
    unittest.main()
