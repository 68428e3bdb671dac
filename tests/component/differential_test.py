"""The sample shop, asked the same questions as one plain PostgreSQL with the same rows.

An answer must be equal in rows, names, types, tags and errors, through the simple and the extended protocol, in text and
binary. What is not in MUST_WORK may be refused with 0A000 instead, never answered otherwise.
"""
import os
import pathlib
import subprocess
import unittest

import cluster
import compare

ORDERS = 4000
SAMPLE_SQL = pathlib.Path(os.environ.get("PGM_BUILD") or cluster.ROOT / "build") / "sample_sql"

# Routed, scattered and merged, in the first version.
MUST_WORK = """
SELECT * FROM customers WHERE customer_id = 42
SELECT name FROM customers WHERE customer_id IN (1, 7, 19, 300) ORDER BY customer_id
SELECT * FROM orders WHERE customer_id = 3 AND order_id > 100 ORDER BY order_id
SELECT o.order_id, l.product_id FROM orders o JOIN order_lines l USING (customer_id, order_id) WHERE o.customer_id = 5 ORDER BY 1, 2, l.line_number
SELECT c.name, count(*) FROM customers c JOIN orders o USING (customer_id) WHERE c.customer_id = 2 GROUP BY c.name
SELECT p.name, l.quantity FROM order_lines l JOIN products p USING (product_id) WHERE l.customer_id = 9 ORDER BY p.name, l.order_id, l.line_number
SELECT count(*) FROM orders
SELECT count(*), count(note), sum(total), min(total), max(total) FROM orders
SELECT avg(total) FROM orders
SELECT avg(quantity), sum(quantity), avg(line_number) FROM order_lines
SELECT min(ordered_at), max(ordered_at) FROM orders
SELECT status, count(*) FROM orders GROUP BY status ORDER BY status
SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY n DESC, status
SELECT region, avg(balance), sum(balance), count(birthday) FROM customers GROUP BY region ORDER BY region
SELECT status, sum(total) FROM orders GROUP BY status HAVING count(*) > 100 ORDER BY 1
SELECT region, vip, count(*) FROM customers GROUP BY region, vip ORDER BY region, vip
SELECT count(*) FROM orders WHERE total > 100000
SELECT sum(total), min(total), avg(total) FROM orders WHERE total > 100000
SELECT status, count(*) FROM orders WHERE false GROUP BY status
SELECT order_id, total FROM orders ORDER BY total DESC, order_id LIMIT 10
SELECT order_id FROM orders ORDER BY order_id LIMIT 5 OFFSET 100
SELECT order_id FROM orders ORDER BY order_id DESC OFFSET 3990
SELECT order_id, note FROM orders ORDER BY note, order_id
SELECT order_id, note FROM orders ORDER BY note DESC NULLS LAST, order_id DESC LIMIT 50
SELECT order_id, note FROM orders ORDER BY note NULLS FIRST, order_id LIMIT 50
SELECT customer_id, birthday FROM customers ORDER BY birthday DESC, customer_id LIMIT 20
SELECT customer_id, balance, vip FROM customers ORDER BY vip DESC, balance, customer_id
SELECT name, customer_id FROM customers ORDER BY name, customer_id
SELECT customer_id FROM customers ORDER BY created_at, customer_id LIMIT 30
SELECT DISTINCT status FROM orders
SELECT DISTINCT status FROM orders ORDER BY status
SELECT DISTINCT region, vip FROM customers ORDER BY region, vip
SELECT customer_id FROM orders WHERE total > 1000
SELECT customer_id, total * 2 AS twice FROM orders WHERE total > 1500
SELECT c.region, sum(o.total) FROM customers c JOIN orders o USING (customer_id) GROUP BY c.region ORDER BY 1
SELECT p.category, sum(l.quantity) AS sold FROM order_lines l JOIN products p USING (product_id) GROUP BY p.category ORDER BY sold DESC, 1
SELECT count(*) FROM customers c LEFT JOIN orders o USING (customer_id)
SELECT * FROM products ORDER BY product_id LIMIT 5
SELECT category, count(*) FROM products GROUP BY category ORDER BY 1
SELECT order_id FROM orders ORDER BY order_id LIMIT 0
SELECT order_id FROM orders LIMIT 0
SELECT date_trunc('month', ordered_at) AS month, count(*) FROM orders GROUP BY month ORDER BY month
SELECT extract(year FROM ordered_at) AS y, sum(total) FROM orders GROUP BY y ORDER BY y
SELECT count(*) FROM orders WHERE note LIKE '%''%'
SELECT bool_and(vip), bool_or(vip) FROM customers
SELECT length(note) AS n, count(*) FROM orders GROUP BY 1 ORDER BY 1 NULLS FIRST
SELECT 1 AS one, customer_id FROM customers ORDER BY customer_id LIMIT 3
SELECT * FROM customers c JOIN orders o ON o.customer_id = c.customer_id WHERE c.customer_id = 11 ORDER BY o.order_id
SELECT (SELECT count(*) FROM orders o WHERE o.customer_id = c.customer_id) FROM customers c WHERE c.customer_id = 17
SELECT customer_id FROM customers WHERE customer_id = 8 UNION ALL SELECT customer_id FROM orders WHERE customer_id = 8
WITH mine AS (SELECT * FROM orders WHERE customer_id = 21) SELECT count(*), sum(total) FROM mine
SELECT min(name), max(name) FROM customers
SELECT max(customer_id), min(customer_id), max(email) FROM customers
""".strip().splitlines()

# Exact or refused.
MAY_BE_REFUSED = """
SELECT count(DISTINCT status) FROM orders
SELECT count(DISTINCT customer_id) FROM orders
SELECT DISTINCT ON (status) status, order_id FROM orders ORDER BY status, order_id DESC
SELECT order_id, rank() OVER (ORDER BY total DESC, order_id) FROM orders ORDER BY 2 LIMIT 10
SELECT customer_id, sum(total) OVER (PARTITION BY customer_id) FROM orders ORDER BY 1, 2 LIMIT 10
SELECT array_agg(customer_id ORDER BY customer_id) FROM customers WHERE customer_id < 20
SELECT string_agg(status, ',' ORDER BY status) FROM (SELECT DISTINCT status FROM orders) s
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders
SELECT stddev(total), variance(quantity) FROM orders JOIN order_lines USING (customer_id, order_id)
SELECT c.name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.customer_id AND o.total > 1000) ORDER BY 1
SELECT c.customer_id FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.customer_id) ORDER BY 1
SELECT count(*) FROM customers a JOIN customers b ON a.region = b.region AND a.customer_id < b.customer_id
SELECT a.customer_id, b.customer_id FROM customers a, customers b WHERE a.customer_id = 1 AND b.customer_id = 2
SELECT region, count(*) FROM customers GROUP BY ROLLUP (region) ORDER BY 1
SELECT status FROM orders WHERE customer_id = 3 UNION SELECT region FROM customers ORDER BY 1
SELECT count(*) FROM (SELECT customer_id FROM orders GROUP BY customer_id HAVING count(*) > 3) s
SELECT * FROM (SELECT order_id, total FROM orders ORDER BY total DESC, order_id LIMIT 5) s ORDER BY order_id
SELECT customer_id, count(*) FROM orders GROUP BY customer_id ORDER BY 2 DESC, 1 LIMIT 5
SELECT count(*) FROM orders WHERE total > (SELECT avg(total) FROM orders)
SELECT p.product_id FROM products p WHERE NOT EXISTS (SELECT 1 FROM order_lines l WHERE l.product_id = p.product_id) ORDER BY 1
SELECT p.name, sum(l.quantity) FROM products p LEFT JOIN order_lines l USING (product_id) GROUP BY p.product_id, p.name ORDER BY 2 DESC NULLS LAST, 1 LIMIT 5
WITH best AS (SELECT customer_id, sum(total) AS s FROM orders GROUP BY customer_id) SELECT c.name, s FROM best JOIN customers c USING (customer_id) ORDER BY s DESC, 1 LIMIT 3
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, (SELECT count(*) FROM orders WHERE customer_id = i) FROM n ORDER BY i
SELECT o.order_id FROM orders o FULL JOIN order_lines l ON l.order_id = o.order_id WHERE l.order_id IS NULL ORDER BY 1
SELECT max(total) - min(total) AS spread, sum(total) / count(*) AS mean FROM orders
SELECT count(*) FILTER (WHERE status = 'paid'), count(*) FILTER (WHERE vip) FROM customers JOIN orders USING (customer_id)
SELECT CASE WHEN count(*) > 10 THEN 'many' ELSE 'few' END FROM orders
SELECT status || '!' AS s, count(*) FROM orders GROUP BY status || '!' ORDER BY s
SELECT random() < 2, count(*) FROM orders
SELECT customer_id FROM customers ORDER BY lower(name), customer_id LIMIT 10
SELECT customer_id FROM customers ORDER BY name COLLATE "C", customer_id LIMIT 10
SELECT customer_id FROM orders GROUP BY customer_id ORDER BY sum(total) DESC, customer_id LIMIT 5
SELECT sum(total) FROM orders ORDER BY count(*)
SELECT o.* FROM orders o, LATERAL (SELECT max(line_number) AS m FROM order_lines l WHERE l.order_id = o.order_id AND l.customer_id = o.customer_id) x WHERE x.m > 3 ORDER BY o.order_id
TABLE customers
VALUES (1, 'a'), (2, 'b')
SELECT count(*) FROM orders TABLESAMPLE SYSTEM (100)
SELECT order_id FROM orders ORDER BY order_id FETCH FIRST 3 ROWS WITH TIES
SELECT order_id FROM orders WHERE customer_id = 3 FOR UPDATE
SELECT count(*) FROM orders o WHERE o.customer_id = 3 OR o.customer_id = 4
SELECT customer_id, order_id FROM orders WHERE (customer_id, order_id) IN ((1, 5), (2, 9)) ORDER BY 1, 2
SELECT grouping(status), status, count(*) FROM orders GROUP BY GROUPING SETS ((status), ()) ORDER BY 1, 2
SELECT json_agg(status ORDER BY order_id) FROM orders WHERE customer_id = 7
SELECT count(*) FROM order_lines l JOIN orders o ON o.order_id = l.order_id
SELECT every(total > 0), bit_or(line_number) FROM orders JOIN order_lines USING (customer_id, order_id)
""".strip().splitlines()

# (statement, table whose content is compared after it); each in a transaction that is rolled back.
WRITES = """
UPDATE orders SET note = 'changed' WHERE customer_id = 3
UPDATE orders SET note = 'changed' WHERE total > 500 RETURNING order_id, note
UPDATE orders SET total = total + 1
DELETE FROM order_lines WHERE quantity > 2
DELETE FROM order_lines WHERE customer_id = 5 RETURNING *
UPDATE customers SET balance = balance * 1.1 WHERE region = 'north' RETURNING customer_id, balance
INSERT INTO customers VALUES (100001, 'New', 'n@x', 'north', NULL, 0, false, '2024-01-01')
INSERT INTO customers VALUES (100001, 'a', 'n@x', 'north', NULL, 0, false, '2024-01-01'), (100002, 'b', 'n@x', 'north', NULL, 0, false, '2024-01-01'), (100003, 'c', 'n@x', 'north', NULL, 0, false, '2024-01-01') RETURNING customer_id, name
INSERT INTO customers VALUES (1, 'double', 'n@x', 'north', NULL, 0, false, '2024-01-01')
INSERT INTO customers VALUES (1, 'double', 'n@x', 'north', NULL, 0, false, '2024-01-01') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name RETURNING name
INSERT INTO orders VALUES (999999, 1, now(), 'paid', 1, 'x', NULL)
UPDATE products SET price = price + 1 WHERE category = 'toys'
UPDATE products SET price = price + 1 WHERE product_id = 5 RETURNING *
INSERT INTO products VALUES (9001, 'SKU-x', 'thing', 'toys', 1.5, NULL, false) RETURNING product_id
DELETE FROM products WHERE product_id = 1
DELETE FROM customers WHERE customer_id = 3
UPDATE customers SET customer_id = 5 WHERE customer_id = 3
UPDATE orders SET status = 'x' FROM customers c WHERE c.customer_id = orders.customer_id AND c.region = 'north'
DELETE FROM order_lines USING products p WHERE p.product_id = order_lines.product_id AND p.category = 'toys'
INSERT INTO order_lines SELECT customer_id, order_id, 99, 1, 1, 1.0 FROM orders WHERE customer_id = 7
TRUNCATE order_lines
WITH gone AS (DELETE FROM order_lines WHERE customer_id = 4 RETURNING *) SELECT count(*) FROM gone
""".strip().splitlines()


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair(shards=4))
    for endpoint, kind in ((pair.target, "plain" if cluster.ON_PLAIN else "distributed"), (pair.plain, "plain")):
        script = subprocess.run([str(SAMPLE_SQL), str(ORDERS), "1", kind], check=True, capture_output=True, text=True).stdout
        output = endpoint.psql(script=script, flags=("-q", "-v", "ON_ERROR_STOP=1"))
        assert "ERROR" not in output, output


class Differential(unittest.TestCase):
    def setUp(self):
        self.session = compare.Comparison(pair)
        self.addCleanup(self.session.close)

    def test_reads_that_must_work(self):
        for sql in MUST_WORK:
            with self.subTest(sql):
                found = self.session.all_ways(sql)
                self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_reads_that_may_be_refused(self):
        refused = 0
        for sql in MAY_BE_REFUSED:
            with self.subTest(sql):
                found = self.session.all_ways(sql, refusals_allowed=True)
                self.assertEqual(found, [], "\n" + "\n".join(found))
                result = self.session.target.query(sql)[-1]
                if result.error:
                    refused += 1
                    self.assertTrue(result.error.get("D") or result.error.get("H"), result.error)
        print(f"{len(MAY_BE_REFUSED) - refused} of {len(MAY_BE_REFUSED)} harder reads answered, {refused} refused")

    def test_writes(self):
        refused = []
        for sql in WRITES:
            with self.subTest(sql):
                self.session.simple("BEGIN")
                found = self.session.simple(sql, ordered=False, refusals_allowed=True)
                if self.session.target.status == "E" and self.session.plain.status == "T":
                    refused.append(sql)
                else:
                    for table in ("customers", "orders", "order_lines", "products"):
                        found += self.session.simple(f"SELECT * FROM {table}", ordered=False)
                self.session.simple("ROLLBACK")
                self.assertEqual(found, [], "\n" + "\n".join(found)[:4000])
        print(f"{len(WRITES) - len(refused)} of {len(WRITES)} writes answered; refused: {refused}")

    def test_writes_in_autocommit_reach_every_copy(self):
        self.session.simple("UPDATE products SET price = price + 1 WHERE category = 'books'")
        self.session.simple("UPDATE orders SET note = 'seen' WHERE total > 1000")
        self.assertEqual(self.session.simple("SELECT * FROM orders ORDER BY order_id"), [])
        if not cluster.ON_PLAIN:
            copies = [server.raw().rows("SELECT * FROM products ORDER BY product_id") for server in pair.target.servers()]
            self.assertTrue(all(copy == copies[0] for copy in copies))

    def test_parameters(self):
        for sql, values in (("SELECT * FROM orders WHERE customer_id = $1 ORDER BY order_id", [7]),
                            ("SELECT count(*) FROM orders WHERE total > $1", ["250.5"]),
                            ("SELECT order_id FROM orders ORDER BY total DESC, order_id LIMIT $1 OFFSET $2", [5, 3]),
                            ("SELECT order_id FROM orders WHERE customer_id IN ($1, $2) ORDER BY 1", [3, 5]),
                            ("SELECT order_id FROM orders WHERE customer_id = ANY ($1) ORDER BY 1", ["{3,5,9}"]),
                            ("SELECT status, sum(total) FROM orders WHERE status <> $1 GROUP BY status ORDER BY 1", ["paid"]),
                            ("SELECT order_id FROM orders LIMIT $1", [0]), ("SELECT order_id FROM orders LIMIT $1", [-1]),
                            ("SELECT order_id FROM orders ORDER BY order_id LIMIT $1", [None])):
            for binary in (False, True):
                with self.subTest(sql=sql, binary=binary):
                    found = self.session.extended(sql, values, binary=binary)
                    self.assertEqual(found, [], "\n" + "\n".join(found))


if __name__ == "__main__":
    unittest.main()
