"""What a client leaves in a pooled server session is that client's: values of sequences, and what functions do."""
import io
import os
import random
import unittest

import cluster
import psycopg2

SEED = int(os.environ.get("PGM_SEED", random.randrange(1 << 30)))
CLIENTS = 9
SCHEMA = """
CREATE TABLE notes (id serial PRIMARY KEY, v text);
CREATE TABLE numbered (id serial PRIMARY KEY, v text);
CREATE TABLE children (parent bigint, v text);
CREATE TABLE kids (id serial, parent bigint);
CREATE TABLE everywhere (id int PRIMARY KEY);
CREATE FUNCTION as_tenant(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM set_config('app.tenant', name, false); RETURN current_setting('app.tenant'); END $$;
CREATE FUNCTION make_scratch() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE scratch (a int); END $$;
CREATE FUNCTION prepare_it() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'PREPARE left_here AS SELECT 1'; END $$;
CREATE FUNCTION lock_it() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(77); END $$;
CREATE FUNCTION who() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN pg_backend_pid(); END $$;
"""


def setUpModule():
    global target
    print(f"PGM_SEED={SEED}")
    target = cluster.started(cluster.Pair(shards=2)).target
    with target.raw() as connection:
        connection.execute(SCHEMA)
        for number in range(3):
            connection.execute(f"CREATE SEQUENCE q{number} START {1000 * (number + 1)}")
        if not cluster.ON_PLAIN:
            for table, key in ("numbered", "id"), ("children", "parent"), ("kids", "id"):
                connection.execute(f"SELECT create_distributed_table('{table}', '{key}')")
            connection.execute("SELECT create_reference_table('everywhere')")


class Client:
    def __init__(self):
        self.connection = target.connect()
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.current, self.last = {}, None

    def value(self, sql, *arguments):
        """The value, or the SQLSTATE of the error."""
        try:
            self.cursor.execute(sql, arguments)
            return self.cursor.fetchone()[0] if self.cursor.description else None
        except psycopg2.Error as error:
            return error.pgcode


class State(unittest.TestCase):
    def client(self):
        made = Client()
        self.addCleanup(made.connection.close)
        return made

    def test_sequences_are_the_client_s_own(self):
        dice = random.Random(SEED)
        clients = [self.client() for _ in range(CLIENTS)]
        for step in range(400):
            client, name = dice.choice(clients), f"q{dice.randrange(3)}"
            act = dice.choice(["next", "next", "row", "current", "last", "both", "elsewhere"])
            where = f"step {step}, {act}"
            if act == "next":
                client.last = client.current[name] = client.value(f"SELECT nextval('{name}')")
            elif act == "row":
                client.last = client.current["notes_id_seq"] = client.value("INSERT INTO notes (v) VALUES ('x') RETURNING id")
            elif act == "both":
                client.cursor.execute("BEGIN")
                client.last = client.current[name] = client.value(f"SELECT nextval('{name}')")
                self.assertEqual(client.value("SELECT lastval()"), client.last, where)
                client.cursor.execute(dice.choice(["COMMIT", "ROLLBACK"]))
            elif act == "current":
                self.assertEqual(client.value(f"SELECT currval('{name}')"), client.current.get(name, "55000"), where)
            elif act == "last":
                self.assertEqual(client.value("SELECT lastval()"), client.last or "55000", where)
            else:
                self.assertEqual(client.value("SELECT count(*) FROM pg_class WHERE relname = %s", name), 1, where)

    def test_discard_forgets_sequences(self):
        client = self.client()
        client.value("SELECT nextval('q0')")
        client.cursor.execute("DISCARD SEQUENCES")
        self.assertEqual(client.value("SELECT lastval()"), "55000")
        client.cursor.execute("BEGIN")
        client.value("SELECT nextval('q0')")
        client.cursor.execute("DISCARD SEQUENCES")
        self.assertEqual(client.value("SELECT lastval()"), "55000")
        client.cursor.execute("ROLLBACK")

    def test_values_that_rows_of_sharded_tables_took(self):
        client, other = self.client(), self.client()
        self.assertEqual(client.value("SELECT currval('numbered_id_seq')"), "55000")
        client.cursor.execute("INSERT INTO numbered (v) VALUES ('a'), ('b')")
        mine = client.value("SELECT max(id) FROM numbered WHERE v = 'b'")
        other.cursor.execute("INSERT INTO numbered (v) VALUES ('c')")
        for sql in ("SELECT lastval()", "SELECT currval('numbered_id_seq')", "SELECT currval(pg_get_serial_sequence('numbered', 'id'))",
                    "SELECT id FROM numbered WHERE id = currval('numbered_id_seq')", "SELECT max(id) FROM numbered WHERE id <= lastval()",
                    "UPDATE numbered SET v = v WHERE id = currval('numbered_id_seq') RETURNING id",
                    "INSERT INTO notes (v) VALUES (currval('numbered_id_seq')) RETURNING v::int"):
            with self.subTest(sql=sql):
                self.assertEqual(client.value(sql), mine)
        self.assertNotEqual(client.value("SELECT lastval()"), mine)  # the note's
        self.assertEqual(client.value("SELECT currval('numbered_id_seq')"), mine)
        client.cursor.execute("PREPARE now(regclass) AS SELECT currval($1)")
        self.assertEqual(client.value("EXECUTE now('numbered_id_seq')"), mine)
        for sql in ("COPY (SELECT currval('numbered_id_seq')) TO STDOUT", "COPY (SELECT id FROM numbered WHERE id = currval('numbered_id_seq')) TO STDOUT"):
            copied = io.StringIO()
            client.cursor.copy_expert(sql, copied)
            self.assertEqual(copied.getvalue(), f"{mine}\n")
        client.cursor.execute("INSERT INTO numbered (v) SELECT 'd' FROM generate_series(1, 5)")
        self.assertEqual(client.value("SELECT lastval() - max(id) FROM numbered WHERE v = 'd'"), 0)
        client.cursor.execute("DISCARD SEQUENCES")
        self.assertEqual(client.value("SELECT lastval()"), "55000")

    def test_a_child_s_row_names_its_parent_s(self):
        client = self.client()
        client.cursor.execute("BEGIN")
        parent = client.value("INSERT INTO numbered (v) VALUES ('parent') RETURNING id")
        self.assertEqual(client.value("INSERT INTO children VALUES (currval('numbered_id_seq'), 'x') RETURNING parent"), parent)
        self.assertEqual(client.value("INSERT INTO kids (parent) VALUES (currval('numbered_id_seq')) RETURNING parent"), parent)
        self.assertEqual(client.value("SELECT currval('kids_id_seq') - id FROM kids WHERE parent = %s", parent), 0)
        client.cursor.execute("COMMIT")
        with target.raw() as connection:
            connection.extended("INSERT INTO numbered (v) VALUES ($1)", ["extended"])
            found = connection.extended("SELECT v FROM numbered WHERE id = currval('numbered_id_seq') AND v = $1", ["extended"])
            self.assertEqual([row[0] for row in found.rows], [b"extended"])
            found = connection.extended("SELECT currval($1) = max(id) FROM (SELECT currval($1) AS id) s", ["numbered_id_seq"])
            self.assertIsNone(found.error)

    def test_sequences_of_others_are_not_told(self):
        with target.raw(user="postgres") as connection:
            connection.execute("CREATE ROLE reader LOGIN; GRANT INSERT, SELECT ON numbered TO reader")
        with target.raw(user="reader") as reader:
            result = reader.query("SELECT currval('numbered_id_seq')")[-1]
            self.assertEqual(result.code, "42501")

    @unittest.skipIf(cluster.ON_PLAIN, "a refusal of ours")
    def test_what_is_not_known_is_refused(self):
        client = self.client()
        client.cursor.execute("INSERT INTO numbered (v) VALUES ('a')")
        mine = client.value("SELECT nextval('q1')")
        self.assertEqual(client.value("SELECT lastval()"), mine)
        self.assertEqual(client.value("SELECT currval('q1')"), mine)
        self.assertEqual(client.value("SELECT currval('numbered_id_seq')"), "0A000")  # q1 might be another name of it
        client.cursor.execute("INSERT INTO numbered (v) VALUES ('a')")
        self.assertIsInstance(client.value("SELECT currval('numbered_id_seq')"), int)
        self.assertEqual(client.value("INSERT INTO kids (parent) VALUES (lastval())"), "0A000")  # the kid's own, or what was before?
        self.assertEqual(client.value("CREATE TABLE made AS SELECT currval('numbered_id_seq')"), "0A000")
        self.assertEqual(client.value("INSERT INTO everywhere VALUES (currval('numbered_id_seq'))"), "0A000")

    def test_what_functions_leave_is_found_by_no_other(self):
        clients = [self.client() for _ in range(CLIENTS)]
        for number, client in enumerate(clients):
            self.assertEqual(client.value("SELECT as_tenant(%s)", f"t{number}"), f"t{number}")
            for other in clients[number + 1:]:
                self.assertIn(other.value("SELECT current_setting('app.tenant', true)"), (None, ""))
        for function in "make_scratch", "prepare_it", "lock_it":
            clients[0].value(f"SELECT {function}()")
        for client in clients[1:]:
            self.assertIsNone(client.value("SELECT to_regclass('pg_temp.scratch')::text"))
            self.assertIsNone(client.value("PREPARE left_here AS SELECT 2"))
            self.assertEqual(client.value("EXECUTE left_here"), 2)
            client.cursor.execute("DEALLOCATE left_here")
            self.assertEqual(client.value("SELECT as_tenant('x')"), "x")

    def test_a_function_costs_no_new_server_session(self):
        one, other = self.client(), self.client()
        pids = {client.value("SELECT who()") for _ in range(15) for client in (one, other)}
        self.assertLessEqual(len(pids), 4)

    def test_prepared_statements_survive_another_client(self):
        one, others = self.client(), [self.client() for _ in range(CLIENTS)]
        one.cursor.execute("PREPARE mine(int) AS SELECT $1 + 1")
        for number, other in enumerate(others):
            other.value("SELECT as_tenant('y')")
            self.assertEqual(one.value("EXECUTE mine(%s)", number), number + 1)
            self.assertEqual(one.value("SELECT current_setting('TimeZone')"), other.value("SELECT current_setting('TimeZone')"))


if __name__ == "__main__":
    unittest.main()
