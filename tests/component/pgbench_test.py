"""pgbench through the endpoint: initialisation, the three protocols, and books that balance."""
import re
import unittest

import cluster


def setUpModule():
    global target
    target = cluster.started(cluster.Pair(shards=4)).target


class Pgbench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # drop, create tables, primary keys; then the distribution; then rows (TRUNCATE and COPY FREEZE) and VACUUM.
        made = target.pgbench("-i", "-I", "dtp", "-s", "2", "--quiet")
        assert "done" in made, made
        if not cluster.ON_PLAIN:
            with target.raw() as connection:
                connection.execute("SELECT create_distributed_table('pgbench_accounts', 'aid')")
                connection.execute("SELECT create_reference_table('pgbench_branches')")
        cls.filled = target.pgbench("-i", "-I", "gv", "-s", "2", "--quiet")

    def test_tables_are_filled(self):
        self.assertIn("done", self.filled)
        with target.raw() as connection:
            self.assertEqual(connection.rows("SELECT count(*), min(aid), max(aid) FROM pgbench_accounts"),
                             [("200000", "1", "200000")])
            self.assertEqual(connection.value("SELECT count(*) FROM pgbench_branches"), "2")

    @unittest.skipIf(cluster.ON_PLAIN, "only the cluster has shards")
    def test_accounts_are_spread(self):
        counts = [int(server.raw().value("SELECT count(*) FROM pgbench_accounts")) for server in target.servers()]
        self.assertEqual(sum(counts), 200000)
        self.assertGreater(min(counts), 40000)

    def balanced(self):
        with target.raw() as connection:
            sums = [connection.value(sql) for sql in (
                "SELECT sum(abalance) FROM pgbench_accounts", "SELECT sum(bbalance) FROM pgbench_branches",
                "SELECT sum(tbalance) FROM pgbench_tellers", "SELECT coalesce(sum(delta), 0) FROM pgbench_history")]
        self.assertEqual(len(set(sums)), 1, sums)

    def run_protocol(self, protocol, *arguments):
        output = target.pgbench("-n", "-M", protocol, "-c", "8", "-j", "2", "-T", "4", "--verbose-errors", "--failures-detailed",
                                *arguments)
        self.assertIn("number of failed transactions: 0 ", output)
        done = int(re.search(r"actually processed: (\d+)", output).group(1))
        self.assertGreater(done, 20, output)
        self.assertNotIn("ERROR", output)

    def test_simple(self):
        self.run_protocol("simple")
        self.balanced()

    def test_extended(self):
        self.run_protocol("extended")
        self.balanced()

    def test_prepared(self):
        self.run_protocol("prepared")
        self.balanced()

    def test_select_only(self):
        for protocol in ("simple", "extended", "prepared"):
            self.run_protocol(protocol, "-S")

    def test_simple_update(self):
        self.run_protocol("prepared", "-N")

    def test_new_connection_for_each_transaction(self):
        self.run_protocol("simple", "-S", "-C")


@unittest.skipIf(cluster.ON_PLAIN, "the original needs no proof")
class AsItComes(unittest.TestCase):
    def test_plain_initialisation_works(self):
        """`pgbench -i` without any distribution: local tables on the home shard."""
        with target.raw(user="postgres") as connection:
            connection.execute("CREATE DATABASE bench OWNER app")
        database, target.database = target.database, "bench"
        try:
            output = target.pgbench("-i", "-s", "1", "--quiet", "--foreign-keys")
            self.assertIn("done", output)
            output = target.pgbench("-c", "4", "-t", "50")
            self.assertIn("actually processed: 200/200", output)
        finally:
            target.database = database


if __name__ == "__main__":
    unittest.main()
