"""A materialized view never holds one shard's part of a sharded table."""
import unittest

import cluster
import raw


def setUpModule():
    global target
    target = cluster.started(cluster.Pair(shards=2)).target
    with target.raw() as connection:
        for statement in ("CREATE TABLE spread (id int PRIMARY KEY)", "CREATE TABLE own (id int PRIMARY KEY)", "CREATE TABLE later (id int PRIMARY KEY)",
                          "CREATE VIEW seen AS SELECT id FROM spread"):
            connection.execute(statement)
        if not cluster.ON_PLAIN:
            connection.execute("SELECT create_distributed_table('spread', 'id')")
        for table in "spread", "own":
            connection.execute(f"INSERT INTO {table} SELECT generate_series(1, 40)")


class MaterializedViews(unittest.TestCase):
    def setUp(self):
        self.connection = target.raw()
        self.addCleanup(self.connection.close)

    def refused(self, sql):
        if cluster.ON_PLAIN:
            self.connection.execute(sql)
            return
        with self.assertRaises(raw.ServerError) as caught:
            self.connection.execute(sql)
        self.assertEqual(caught.exception.code, "0A000")

    def test_of_sharded_tables_are_not_filled_with_one_part(self):
        self.refused("CREATE MATERIALIZED VIEW filled AS SELECT id FROM spread")
        for name, source in ("direct", "spread"), ("through_view", "seen"):
            with self.subTest(source=source):
                self.connection.execute(f"CREATE MATERIALIZED VIEW {name} AS SELECT id FROM {source} WITH NO DATA")
                self.refused(f"REFRESH MATERIALIZED VIEW {name}")
                self.connection.execute(f"REFRESH MATERIALIZED VIEW {name} WITH NO DATA")
                self.assertEqual(self.connection.query(f"SELECT * FROM {name}")[-1].code, "55000")
                self.connection.execute(f"DROP MATERIALIZED VIEW {name}")

    def test_of_a_table_that_is_sharded_later(self):
        self.connection.execute("CREATE MATERIALIZED VIEW of_later AS SELECT id FROM later")
        self.connection.execute("REFRESH MATERIALIZED VIEW of_later")
        if not cluster.ON_PLAIN:
            self.connection.execute("SELECT create_distributed_table('later', 'id')")
        self.refused("REFRESH MATERIALIZED VIEW of_later")

    def test_of_other_tables_are_refreshed_and_joined(self):
        self.connection.execute("CREATE MATERIALIZED VIEW mine AS SELECT id FROM own")
        self.connection.execute("INSERT INTO own VALUES (41)")
        self.assertEqual(self.connection.value("SELECT count(*) FROM mine"), "40")
        self.connection.execute("REFRESH MATERIALIZED VIEW mine")
        self.assertEqual(self.connection.value("SELECT count(*) FROM mine"), "41")
        self.assertEqual(self.connection.value("SELECT count(*) FROM mine JOIN spread USING (id)"), "40")
        self.connection.execute("DELETE FROM own WHERE id = 41")


if __name__ == "__main__":
    unittest.main()
