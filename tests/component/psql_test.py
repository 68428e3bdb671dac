"""psql and its backslash commands show what they show on one plain PostgreSQL; pg_dump's output is the same, too."""
import re
import subprocess
import unittest

import cluster

SCHEMA = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL DEFAULT 'x', email text, CHECK (id > 0));
CREATE TABLE orders (customer_id int, id int, total numeric(10,2), at timestamptz DEFAULT now(), PRIMARY KEY (customer_id, id));
CREATE TABLE products (id int PRIMARY KEY, name text);
CREATE TABLE notes (id serial PRIMARY KEY, body text);
CREATE INDEX orders_at ON orders (at);
CREATE VIEW big_orders AS SELECT * FROM orders WHERE total > 100;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 2';
CREATE SCHEMA other;
CREATE TABLE other.things (a int, b mood);
COMMENT ON TABLE customers IS 'who buys';
GRANT SELECT ON customers TO PUBLIC;
"""


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair())
    pair.both(SCHEMA)
    pair.distribute("customers", "id")
    pair.distribute("orders", "customer_id", colocate_with="customers")
    pair.reference("products")
    pair.fill("customers (id, name)", "SELECT g, 'name ' || g FROM generate_series(1, 30) g")
    pair.fill("orders", "SELECT 1 + g % 30, g, g * 10.5, '2024-01-01'::timestamptz FROM generate_series(1, 60) g")
    pair.both("ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers")


def neutral(output):
    """Without what differs between any two servers, sizes, and without the shard's name that we add to errors."""
    return re.sub(r"CONTEXT:  shard s\d+\n", "", re.sub(r"\d+ (bytes|kB|MB)\b", "SIZE", output))


class Psql(unittest.TestCase):
    maxDiff = None

    def same(self, *commands, **options):
        for command in commands:
            with self.subTest(command):
                self.assertEqual(neutral(pair.target.psql(command, **options)), neutral(pair.plain.psql(command, **options)))

    def test_relations(self):
        self.same(r"\d", r"\dt", r"\di", r"\ds", r"\dv", r"\dt public.*", r"\dt+ customers", r"\d+ orders", r"\d customers", r"\d orders",
                  r"\d products", r"\d notes", r"\d big_orders", r"\d+ big_orders", r"\d other.things", r"\d nowhere", r"\d orders_at")

    def test_other_objects(self):
        self.same(r"\dn", r"\dn+", r"\df", r"\df+ twice", r"\dT", r"\dT+ mood", r"\du", r"\dp", r"\ddp", r"\dx", r"\do", r"\dC", r"\dD",
                  r"\des", r"\dew", r"\dl", r"\dy", r"\dRp", r"\dRs", r"\dO", r"\dc", r"\dd", r"\sf twice", r"\sv big_orders", r"\dconfig work_mem")

    def test_databases_and_roles(self):
        self.same(r"\l app", r"\drds", r"\dg app")

    def test_connection_report(self):
        report = pair.target.psql(r"\conninfo")
        self.assertIn(f'You are connected to database "app" as user "app" on host "127.0.0.1" at port "{pair.target.port}"', report)

    def test_formats_and_errors(self):
        self.same("SELECT * FROM customers ORDER BY id LIMIT 3", "SELECT 1/0", "SELEC 1", "SELECT nope FROM customers")
        self.same(r"\x", "SELECT id, total FROM orders WHERE customer_id = 4 ORDER BY id", flags=("-A", "-F", "|"))
        self.same("INSERT INTO customers VALUES (1)", flags=("-v", "VERBOSITY=terse"))

    def test_script_with_copy_variables_and_gexec(self):
        script = r"""
\set key 7
SELECT name FROM customers WHERE id = :key;
\copy (SELECT id FROM customers ORDER BY id LIMIT 3) TO stdout
COPY products FROM stdin;
1	one
2	two
\.
SELECT * FROM products ORDER BY id;
SELECT format('SELECT %s AS number', g) FROM generate_series(1, 3) g \gexec
SELECT id, name FROM customers WHERE id = 3 \gx
SELECT 1 AS a, 2 AS b \gset
\echo :a :b
BEGIN;
SELECT 1/0;
SELECT 2;
ROLLBACK;
\errverbose
SELECT id FROM customers ORDER BY id \crosstabview
\watch
DELETE FROM products;
\bind 5
SELECT name FROM customers WHERE id = 5 \gdesc
"""
        outputs = [re.sub(r"(LOCATION|CONTEXT): .*\n", "", endpoint.psql(script=script.replace("\\watch\n", "")))
                   for endpoint in (pair.target, pair.plain)]
        self.assertEqual(outputs[0], outputs[1])

    def test_fetch_count(self):
        self.same("SELECT id, name FROM customers ORDER BY id", flags=("-v", "FETCH_COUNT=7"))

    def test_information_schema(self):
        self.same("SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
                  "WHERE table_schema IN ('public', 'other') ORDER BY 1, 2, ordinal_position",
                  "SELECT constraint_name, constraint_type FROM information_schema.table_constraints WHERE table_schema = 'public' "
                  "AND constraint_name !~ '^\\d' ORDER BY 1, 2",
                  "SELECT relname, relkind FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public' ORDER BY 1")

    def dump(self, endpoint, *arguments):
        done = subprocess.run([str(cluster.BIN / "pg_dump"), *arguments], env=endpoint.environment(user="postgres"), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        return re.sub(r"\\(un)?restrict \w+", "", done.stdout)  # a random word in each dump

    def test_pg_dump_of_the_schema(self):
        self.assertEqual(self.dump(pair.target, "--schema-only"), self.dump(pair.plain, "--schema-only"))


if __name__ == "__main__":
    unittest.main()
