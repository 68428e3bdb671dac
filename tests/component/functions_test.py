"""create_distributed_function: calls run where their key's rows are, on all shards or on any, and answer as one PostgreSQL does."""
import unittest

import cluster
import psycopg2

SCHEMA = """
CREATE TABLE accounts (owner text PRIMARY KEY, balance numeric NOT NULL);
CREATE TABLE payments (owner text, id int, amount numeric, PRIMARY KEY (owner, id));
CREATE TABLE rates (code text PRIMARY KEY, rate numeric);
CREATE FUNCTION balance_of(name text) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT balance FROM accounts WHERE owner = name';
CREATE FUNCTION payments_of(floor_ numeric, name text, OUT id int, OUT amount numeric) RETURNS SETOF record LANGUAGE sql STABLE
    AS 'SELECT p.id, p.amount FROM payments p WHERE p.owner = name AND p.amount >= floor_';
CREATE FUNCTION pay(name text, sum numeric) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE result numeric;
BEGIN
    UPDATE accounts SET balance = balance - sum WHERE owner = name RETURNING balance INTO result;
    IF result < 0 THEN RAISE check_violation USING MESSAGE = 'too poor'; END IF;
    INSERT INTO payments SELECT name, COALESCE(max(id), 0) + 1, sum FROM payments WHERE owner = name;
    RETURN result;
END $$;
CREATE FUNCTION rich(floor_ numeric) RETURNS TABLE (owner text, balance numeric) LANGUAGE sql STABLE
    AS 'SELECT a.owner, a.balance FROM accounts a WHERE a.balance >= floor_';
CREATE FUNCTION rate_of(wanted text) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT rate FROM rates WHERE code = wanted';
CREATE PROCEDURE close_account(name text) LANGUAGE sql AS 'DELETE FROM payments WHERE owner = name; DELETE FROM accounts WHERE owner = name';
CREATE PROCEDURE give_all(bonus numeric) LANGUAGE sql AS 'UPDATE accounts SET balance = balance + bonus';
INSERT INTO rates VALUES ('EUR', 1), ('USD', 1.1);
"""
DISTRIBUTED = """
SELECT create_distributed_function('balance_of(text)', 'name');
SELECT create_distributed_function('payments_of(numeric, text)', '$2', colocate_with := 'accounts');
SELECT create_distributed_function('pay(text, numeric)', distribution_arg_name := 'name');
SELECT create_distributed_function('rich(numeric)', '*');
SELECT create_distributed_function('rate_of(text)');
SELECT create_distributed_function('close_account(text)', '$1');
SELECT create_distributed_function('give_all(numeric)', '*');
"""
OWNERS = [f"o{number}" for number in range(40)]


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair(shards=3))
    pair.both(SCHEMA)
    if not cluster.ON_PLAIN:
        with pair.target.raw() as connection:
            for table in "accounts", "payments":
                connection.execute(f"SELECT create_distributed_table('{table}', 'owner')")
            connection.execute("SELECT create_reference_table('rates')")
            connection.execute(DISTRIBUTED)
    pair.both("INSERT INTO accounts VALUES " + ",".join(f"('{owner}', {100 + number})" for number, owner in enumerate(OWNERS)))


class Calls(unittest.TestCase):
    def setUp(self):
        self.target, self.plain = pair.target.raw(), pair.plain.raw()
        self.addCleanup(self.target.close)
        self.addCleanup(self.plain.close)

    def same(self, sql, in_order=False):
        answers = [connection.query(sql)[-1] for connection in (self.target, self.plain)]
        self.assertEqual([answer.error for answer in answers], [None, None], sql)
        self.assertEqual(answers[0].tag, answers[1].tag, sql)
        shapes = [[(column.name, column.type) for column in answer.columns or []] for answer in answers]
        self.assertEqual(shapes[0], shapes[1], sql)
        rows = [answer.rows if in_order else sorted(answer.rows, key=str) for answer in answers]
        self.assertEqual(rows[0], rows[1], sql)

    def code(self, sql):
        return self.target.query(sql)[-1].code

    def test_run_where_their_key_is(self):
        for owner in OWNERS:
            self.same(f"SELECT balance_of('{owner}')")
            self.same(f"SELECT pay('{owner}', 7), balance_of('{owner}') < 0")
        for owner in OWNERS[:10]:
            self.same(f"SELECT * FROM payments_of(5, '{owner}') ORDER BY id")
            self.same(f"SELECT count(*), sum(amount) FROM payments_of(name => '{owner}', floor_ => 5) AS p WHERE p.id > 0")
        self.same("SELECT sum(balance) FROM accounts")
        self.same("SELECT count(*), sum(amount) FROM payments")

    def test_run_for_rows(self):
        self.same("SELECT owner, balance_of(owner) = balance FROM accounts")
        self.same("SELECT a.owner, p.* FROM accounts a, payments_of(1, a.owner) p")
        self.same("SELECT count(*) FROM accounts a JOIN payments p USING (owner) WHERE balance_of(a.owner) > 110")

    def test_take_parameters(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.connect() as connection, connection.cursor() as cursor:
                cursor.execute("PREPARE b(text) AS SELECT balance_of($1)")
                answers = []
                for owner in OWNERS[:30]:
                    cursor.execute("EXECUTE b(%s)", (owner,))
                    answers.append(cursor.fetchone()[0] > 0)
                self.assertEqual(answers, [True] * 30)
        with pair.target.raw() as connection:
            self.assertEqual(connection.extended("SELECT balance_of($1) > 0", [b"o3"]).rows, [(b"t",)])

    def test_run_on_every_shard(self):
        self.same("SELECT * FROM rich(120)")
        self.same("SELECT * FROM rich(0) ORDER BY balance DESC, owner LIMIT 5 OFFSET 2", in_order=True)
        self.same("SELECT count(*), avg(balance), max(owner) FROM rich(105) r WHERE r.owner <> 'o9'")
        self.same("SELECT r.owner FROM rich(110) AS r(owner, money) GROUP BY r.owner HAVING sum(money) > 120")

    def test_run_anywhere(self):
        self.same("SELECT rate_of('USD')")

    def test_errors_are_the_server_s_and_undo_the_call(self):
        self.assertEqual(self.code("SELECT pay('o5', 100000)"), "23514")
        self.same("SELECT balance_of('o5')")

    def test_join_a_transaction(self):
        for connection in (self.target, self.plain):
            connection.execute("BEGIN")
            for owner in OWNERS[:6]:
                connection.execute(f"SELECT pay('{owner}', 1)")
        self.same("SELECT sum(balance) FROM accounts")
        for connection in (self.target, self.plain):
            connection.execute("ROLLBACK")
        self.same("SELECT sum(balance) FROM accounts")

    def test_procedures(self):
        self.same("CALL close_account('o39')")
        self.same("CALL give_all(3)")
        self.same("SELECT count(*), sum(balance) FROM accounts")

    @unittest.skipIf(cluster.ON_PLAIN, "our own refusals")
    def test_refusals(self):
        for sql in ("SELECT pay(owner || 'x', 1) FROM accounts", "SELECT balance_of('o' || 1)", "INSERT INTO payments VALUES ('o1', 99, balance_of('o1'))",
                    "SELECT count(*) FROM rich(1) r JOIN accounts a ON a.balance = r.balance",
                    "SELECT create_distributed_function('sum(int)', '$1')", "SELECT create_distributed_function('lower(text)', '$1')",
                    "SELECT create_distributed_function('pay(text, numeric)', '$2')",
                    "SELECT create_distributed_function('pay(text, numeric)', '$1', colocate_with := 'rates')"):
            self.assertEqual(self.code(sql), "0A000", sql)
        self.assertEqual(self.code("SELECT create_distributed_function('pay(text, numeric)', 'nobody')"), "42P17")
        self.assertEqual(self.code("SELECT create_distributed_function('missing(int)', '$1')"), "42883")

    @unittest.skipIf(cluster.ON_PLAIN, "our own functions")
    def test_only_the_owner_says_where_they_run(self):
        with pair.target.raw(user="postgres") as operator:
            operator.execute("CREATE ROLE stranger LOGIN")
        with pair.target.connect(user="stranger") as connection, connection.cursor() as cursor:
            with self.assertRaises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("SELECT create_distributed_function('balance_of(text)', 'name')")

    @unittest.skipIf(cluster.ON_PLAIN, "our own functions")
    def test_a_new_function_of_the_name_is_no_distributed_one(self):
        self.target.execute("CREATE FUNCTION passing(n int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
        self.target.execute("CREATE TABLE numbers (n int PRIMARY KEY); SELECT create_distributed_table('numbers', 'n')")
        self.target.execute("SELECT create_distributed_function('passing(int)', 'n')")
        self.assertEqual(self.target.value("SELECT passing(3)"), "1")
        self.target.execute("BEGIN; DROP FUNCTION passing; CREATE FUNCTION passing(n int) RETURNS int LANGUAGE sql AS 'SELECT 2'; COMMIT")
        self.assertEqual(self.target.rows("EXPLAIN SELECT passing(3)")[0][0], "Result  (cost=0.00..0.01 rows=1 width=4)")
        self.target.execute("DROP FUNCTION passing; DROP TABLE numbers")


if __name__ == "__main__":
    unittest.main()
