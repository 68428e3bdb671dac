"""EXPLAIN shows our node above PostgreSQL's plans; ANALYZE runs the statement; `explain` and `route` say where statements go."""
import json
import pathlib
import tempfile
import unittest

import cluster


def setUpModule():
    global target
    target = cluster.started(cluster.Cluster(shards=3))
    with target.raw() as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
        connection.execute("SELECT create_distributed_table('t', 'id')")
        connection.execute("INSERT INTO t SELECT g, g % 7 FROM generate_series(1, 300) g")


class Explain(unittest.TestCase):
    def setUp(self):
        self.connection = target.raw()
        self.addCleanup(self.connection.close)

    def lines(self, sql):
        return [row[0] for row in self.connection.rows(sql)]

    def document(self, sql):
        text = "\n".join(self.lines(sql))
        plans = json.loads(text)
        self.assertEqual(len(plans), 1)
        return plans[0]

    def test_scatter(self):
        lines = self.lines("EXPLAIN (COSTS OFF) SELECT count(*) FROM t")
        self.assertEqual(lines[0], "Mosaic Scatter")
        self.assertIn("  Shards: s1, s2, s3", lines)
        self.assertEqual(lines[-2:], ["        Aggregate", "          ->  Seq Scan on t"])

    def test_one_shard(self):
        lines = self.lines("EXPLAIN (COSTS OFF) SELECT * FROM t WHERE id = 7")
        self.assertEqual(lines[0], "Mosaic Route")
        shard = self.connection.value("SELECT mosaic.shard_of('t', 7)")
        self.assertIn(f"  Shards: {shard}", lines)
        self.assertIn("          Index Cond: (id = 7)", lines)

    def test_keys_of_several_shards(self):
        lines = self.lines("EXPLAIN (COSTS OFF) SELECT * FROM t WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8, 9)")
        self.assertEqual(lines[0], "Mosaic Scatter")
        self.assertEqual(sum("on shard" in line for line in lines), 1)

    def test_workbench(self):
        lines = self.lines("EXPLAIN SELECT count(*) FROM t a JOIN t b ON a.v = b.id")
        self.assertEqual(lines[0], "Mosaic Workbench")
        self.assertTrue(any("Pull pull_1" in line for line in lines), lines)

    def test_local_tables_have_postgresql_s_plan_alone(self):
        self.connection.execute("CREATE TABLE own (a int)")
        self.addCleanup(self.connection.execute, "DROP TABLE own")
        self.assertEqual(self.lines("EXPLAIN (COSTS OFF) SELECT * FROM own"), ["Seq Scan on own"])

    def test_analyze_of_a_read(self):
        document = self.document("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM t")
        plans = document["Plan"]["Plans"]
        self.assertEqual([plan["Shard"] for plan in plans], ["s1", "s2", "s3"])
        self.assertEqual(sum(plan["Actual Rows"] for plan in plans), 300)
        self.assertGreater(document["Execution Time"], 0)

    def test_analyze_runs_a_write(self):
        before = self.connection.value("SELECT sum(v) FROM t")
        self.connection.execute("BEGIN")
        document = self.document("EXPLAIN (ANALYZE, FORMAT JSON) UPDATE t SET v = v + 1")
        self.assertEqual(len(document["Plan"]["Plans"]), 3)
        self.assertEqual(int(self.connection.value("SELECT sum(v) FROM t")), int(before) + 300)
        self.connection.execute("ROLLBACK")
        self.assertEqual(self.connection.value("SELECT sum(v) FROM t"), before)

    def test_analyze_of_what_is_run_as_a_whole(self):
        document = self.document("EXPLAIN (ANALYZE, FORMAT JSON) SELECT a.id FROM t a JOIN t b ON a.v = b.id WHERE a.id < 50")
        self.assertEqual(document["Plan"]["Actual Rows"], 42)  # of 1 to 49, seven have v = 0
        document = self.document("EXPLAIN (ANALYZE, FORMAT JSON) INSERT INTO t SELECT id + 1000, v FROM t WHERE id <= 10")
        self.assertEqual(document["Plan"]["Actual Rows"], 10)
        self.assertEqual(self.connection.execute("DELETE FROM t WHERE id > 1000"), "DELETE 10")

    def test_explain_alone_writes_nothing(self):
        for sql in ("DELETE FROM t", "INSERT INTO t SELECT id + 1000, v FROM t", "INSERT INTO t VALUES (2001, 1), (2002, 1)", "UPDATE t SET id = id + 5000"):
            self.assertTrue(self.lines("EXPLAIN " + sql)[0].startswith("Mosaic "), sql)
        self.assertEqual(self.connection.value("SELECT count(*) FROM t WHERE id BETWEEN 1 AND 300"), "300")
        self.assertEqual(self.connection.value("SELECT count(*) FROM t"), "300")

    def test_extended_protocol_with_parameters(self):
        for column, first in (("id", "Mosaic Route"), ("v", "Mosaic Scatter")):
            for binary in ((), (1,)):
                result = self.connection.extended(f"EXPLAIN (COSTS OFF) SELECT * FROM t WHERE {column} = $1", ("7",), result_formats=binary)
                self.assertIsNone(result.code)
                self.assertIn(first, str(result.rows[0][0]))

    def test_errors(self):
        for sql, code in (("EXPLAIN SELECT nothing FROM t", "42703"), ("EXPLAIN ANALYZE SELECT 1 / (v - v) FROM t", "22012"),
                          ("EXPLAIN (FORMAT YAML) SELECT * FROM t", "0A000"), ("EXPLAIN (FORMAT nonsense) SELECT * FROM t WHERE id = 1", "22023")):
            self.assertEqual(self.connection.query(sql)[0].code, code, sql)
        self.assertEqual(self.connection.value("SELECT count(*) FROM t"), "300")


class CommandLine(unittest.TestCase):
    def test_explain(self):
        self.assertEqual(target.verb("explain", "SELECT count(*) FROM t").stdout.splitlines()[0], "Mosaic Scatter")
        document = json.loads(target.verb("explain", "SELECT * FROM t WHERE id = 1", "-o", "json").stdout)
        self.assertEqual(document[0]["Plan"]["Node Type"], "Mosaic Route")

    def route(self, text, *words):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory, "queries.sql")
            file.write_text(text)
            rows = json.loads(target.verb("route", str(file), "-o", "json", *words).stdout)
        return {row["plan"]: row["statements"] for row in rows}

    def test_route(self):
        log = "SELECT * FROM t WHERE id = 1; SELECT * FROM t WHERE id = 2; SELECT count(*) FROM t;\nSELECT FROM WHERE;"
        self.assertEqual(self.route(log), {"route": 2, "scatter": 1, "error": 1})

    def test_route_by_a_proposed_key(self):
        self.assertEqual(self.route("SELECT * FROM t WHERE v = 1"), {"scatter": 1})
        self.assertEqual(self.route("SELECT * FROM t WHERE v = 1", "--key", "t=v"), {"route": 1})

    def test_route_says_what_is_wrong(self):
        for words in (("/nowhere/queries.sql",), ("/etc/hostname", "--key", "t=nothing"), ("/etc/hostname", "--key", "nothing=id")):
            done = target.verb("route", *words, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, "cannot read|does not exist")


if __name__ == "__main__":
    unittest.main()
