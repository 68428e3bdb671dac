"""`up --sample shop` loads what sample_sql prints, once, spread over the shards."""
import os
import pathlib
import subprocess
import unittest

import cluster

if cluster.ON_PLAIN:
    raise SystemExit(77)
SAMPLE_SQL = pathlib.Path(os.environ.get("PGM_BUILD") or cluster.ROOT / "build") / "sample_sql"


class Sample(unittest.TestCase):
    def test_shop(self):
        made = cluster.started(cluster.Cluster(shards=4, sample="shop"))
        plain = cluster.started(cluster.Plain())
        script = subprocess.run([str(SAMPLE_SQL)], check=True, capture_output=True, text=True).stdout
        self.assertNotIn("ERROR", plain.psql(script=script, flags=("-q", "-v", "ON_ERROR_STOP=1")))
        for _ in range(2):
            for table in ("customers", "products", "orders", "order_lines"):
                sums = [endpoint.raw().rows(f"SELECT count(*), sum(('x' || substr(md5(t::text), 1, 8))::bit(32)::bigint) FROM {table} t")
                        for endpoint in (made, plain)]
                self.assertEqual(sums[0], sums[1], table)
            made.command("up", made.directory, "--sample", "shop")
        for table in ("customers", "orders", "order_lines"):
            counts = [int(server.raw().value(f"SELECT count(*) FROM {table}")) for server in made.servers()]
            self.assertGreater(min(counts), max(counts) / 3, (table, counts))
        products = {server.raw().value("SELECT count(*) FROM products") for server in made.servers()}
        self.assertEqual(products, {"500"})


if __name__ == "__main__":
    unittest.main()
