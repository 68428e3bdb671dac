"""A statement that reads several shards sees every transfer between them whole or not at all."""
import random
import threading
import time
import unittest

import psycopg2

import cluster
import raw

ACCOUNTS, SECONDS = 64, 4


def setUpModule():
    global target
    target = cluster.started(cluster.Pair(shards=4)).target
    with target.raw() as connection:
        connection.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL)")
        connection.execute("CREATE TABLE steps (id int PRIMARY KEY, n bigint NOT NULL)")
        connection.execute("CREATE TABLE locked (id int PRIMARY KEY)")
        connection.execute("CREATE TABLE seen (id int, round int, balance bigint)")
        connection.execute("CREATE TABLE noted (id int PRIMARY KEY, balance bigint)")
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY)")
        connection.execute("CREATE TABLE lines (id int PRIMARY KEY, order_id int NOT NULL)")
        if not cluster.ON_PLAIN:
            for table in ("accounts", "steps", "locked", "seen", "noted", "orders", "lines"):
                connection.execute(f"SELECT create_distributed_table('{table}', 'id')")
        connection.execute("COPY accounts FROM STDIN", b"".join(b"%d\t1000\n" % key for key in range(1, ACCOUNTS + 1)))
        connection.execute(f"INSERT INTO noted SELECT g, 0 FROM generate_series(1, {ACCOUNTS}) g")
        connection.execute("COPY steps FROM STDIN", b"".join(b"%d\t0\n" % key for key in range(1, 9)))


class OneMoment(unittest.TestCase):
    def setUp(self):
        self.stop = threading.Event()
        self.transfers = 0
        self.problems = []

    def transfer(self, seed):
        dice = random.Random(seed)
        connection = target.connect()
        while not self.stop.is_set():
            giver, taker = sorted(dice.sample(range(1, ACCOUNTS + 1), 2))  # always in one order: no deadlocks
            amount = dice.randint(-50, 50)
            try:
                with connection, connection.cursor() as cursor:
                    cursor.execute("UPDATE accounts SET balance = balance - %s WHERE id = %s", (amount, giver))
                    cursor.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, taker))
                self.transfers += 1
            except psycopg2.Error as error:
                self.problems.append(f"transfer: {error.pgcode} {error}")
        connection.close()

    def beside_transfers(self, read, reads_min=20):
        """Calls read() as often as it goes while four clients transfer."""
        threads = [threading.Thread(target=self.transfer, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        end, reads = time.monotonic() + SECONDS, 0
        try:
            while time.monotonic() < end:
                read()
                reads += 1
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(30)
        self.assertEqual(self.problems, [])
        self.assertGreater(self.transfers, 50)
        self.assertGreater(reads, reads_min)
        print(f"{reads} reads beside {self.transfers} transfers")

    def test_sum_over_all_shards(self):
        with target.raw() as connection:
            self.beside_transfers(lambda: self.assertEqual(connection.value("SELECT sum(balance) FROM accounts"), str(1000 * ACCOUNTS)))

    def test_rows_of_all_shards(self):
        def read():
            rows = connection.rows("SELECT balance FROM accounts ORDER BY id")
            self.assertEqual(sum(int(balance) for (balance,) in rows), 1000 * ACCOUNTS)
        with target.raw() as connection:
            self.beside_transfers(read)

    def test_extended_protocol(self):
        with target.raw() as connection:
            self.beside_transfers(lambda: self.assertEqual(
                connection.extended("SELECT sum(balance) FROM accounts WHERE id > $1", [0]).rows, [(str(1000 * ACCOUNTS).encode(),)]))

    def test_repeatable_read_sees_one_moment_all_along(self):
        def read():
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            first = connection.rows("SELECT id, balance FROM accounts ORDER BY id")
            half = sum(int(connection.value(f"SELECT balance FROM accounts WHERE id = {key}")) for key, _ in first[:8])
            again = connection.rows("SELECT id, balance FROM accounts ORDER BY id")
            connection.execute("COMMIT")
            self.assertEqual(first, again)
            self.assertEqual(half, sum(int(balance) for _, balance in first[:8]))
            self.assertEqual(sum(int(balance) for _, balance in first), 1000 * ACCOUNTS)
        with target.raw() as connection:
            self.beside_transfers(read)

    def test_query_on_the_workbench(self):
        sql = "SELECT sum(a.balance) FROM accounts a JOIN accounts b ON b.id = a.id + 0"
        with target.raw() as connection:
            self.beside_transfers(lambda: self.assertEqual(connection.value(sql), str(1000 * ACCOUNTS)))

    def test_query_on_the_workbench_in_a_transaction(self):
        def read():
            connection.execute("BEGIN")
            self.assertEqual(connection.value("SELECT sum(a.balance) FROM accounts a JOIN accounts b ON b.id = a.id + 0"), str(1000 * ACCOUNTS))
            self.assertEqual(connection.value("SELECT sum(balance) FROM accounts"), str(1000 * ACCOUNTS))
            connection.execute("COMMIT")
        with target.raw() as connection:
            self.beside_transfers(read)

    def test_a_write_of_all_shards_in_repeatable_read(self):
        """2.5: it says nothing about its snapshot, so the transaction's is taken before it."""
        def read():
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            rows = connection.rows("UPDATE noted n SET balance = a.balance FROM accounts a WHERE a.id = n.id RETURNING n.balance")
            connection.execute("COMMIT")
            self.assertEqual(sum(int(balance) for (balance,) in rows), 1000 * ACCOUNTS)
        with target.raw() as connection:
            self.beside_transfers(read)

    def pulled_tables(self, begin, end):
        """2.6: what one commit has put into two tables is read from both or from none, also where it was on one shard."""
        stop, orders, problems = threading.Event(), [0], []

        def write():
            with target.raw() as writer:
                while not stop.is_set():
                    orders[0] += 1
                    try:
                        writer.execute(f"BEGIN; INSERT INTO orders VALUES ({orders[0]}); INSERT INTO lines VALUES ({orders[0]}, {orders[0]}); COMMIT")
                    except raw.ServerError as error:
                        problems.append(error)
                        return
        with target.raw() as connection:
            connection.execute("TRUNCATE orders, lines")
            thread = threading.Thread(target=write)
            thread.start()
            until, reads = time.monotonic() + SECONDS, 0
            try:
                while time.monotonic() < until:
                    connection.query(begin)
                    for one, other in (("orders", "lines"), ("lines", "orders")):
                        columns = {"orders": "id", "lines": "order_id"}
                        lonely = connection.value(f"SELECT count(*) FROM {one} a LEFT JOIN {other} b ON a.{columns[one]} = b.{columns[other]} + 0 "
                                                  f"WHERE b.{columns[other]} IS NULL")
                        self.assertEqual(lonely, "0", f"{one} without {other}")
                    connection.query(end)
                    reads += 1
            finally:
                stop.set()
                thread.join(30)
        self.assertEqual(problems, [])
        self.assertGreater(orders[0], 50)
        print(f"{reads} reads beside {orders[0]} orders")

    def test_tables_that_the_workbench_pulls(self):
        self.pulled_tables("SELECT 1", "SELECT 1")

    def test_tables_that_the_workbench_pulls_in_a_transaction(self):
        self.pulled_tables("BEGIN", "COMMIT")

    def rows_of_a_query(self, insert, around=()):
        """The rows that an INSERT … SELECT reads are one moment's, too."""
        rounds = iter(range(1, 1000000))

        def read():
            number = next(rounds)
            for sql in around[:1]:
                connection.execute(sql)
            connection.execute(insert % number)
            for sql in around[1:]:
                connection.execute(sql)
            self.assertEqual(connection.value(f"SELECT sum(balance) FROM seen WHERE round = {number}"), str(1000 * ACCOUNTS))
        with target.raw() as connection:
            connection.execute("TRUNCATE seen")
            self.beside_transfers(read, 10)

    def test_insert_select_off_the_key(self):
        self.rows_of_a_query("INSERT INTO seen SELECT -id, %d, balance FROM accounts")

    def test_insert_select_off_the_key_in_a_transaction(self):
        self.rows_of_a_query("INSERT INTO seen SELECT id + 7, %d, balance FROM accounts", ("BEGIN", "COMMIT"))

    def test_insert_select_on_each_shard(self):
        self.rows_of_a_query("INSERT INTO seen SELECT id, %d, balance FROM accounts")

    def test_insert_select_on_each_shard_in_a_transaction(self):
        self.rows_of_a_query("INSERT INTO seen SELECT id, %d, balance FROM accounts", ("BEGIN", "COMMIT"))

    def test_insert_select_of_the_workbench(self):
        self.rows_of_a_query("INSERT INTO seen SELECT a.id, %d, a.balance FROM accounts a JOIN accounts b ON b.id = a.id + 0")

    def test_create_table_as(self):
        def read():
            connection.execute("CREATE TABLE copied AS SELECT id, balance FROM accounts")
            self.assertEqual(connection.value("SELECT sum(balance) FROM copied"), str(1000 * ACCOUNTS))
            connection.execute("DROP TABLE copied")
        with target.raw() as connection:
            self.beside_transfers(read, 5)

    def test_copy_to(self):
        def read():
            for in_transaction in (False, True):
                if in_transaction:
                    connection.execute("BEGIN")
                rows = connection.query("COPY accounts (balance) TO STDOUT")[-1].copied.split()
                self.assertEqual(sum(map(int, rows)), 1000 * ACCOUNTS)
                if in_transaction:
                    connection.execute("COMMIT")
        with target.raw() as connection:
            self.beside_transfers(read)


class Door(unittest.TestCase):
    """No effect without its cause: what is written after an acknowledged write is not seen without it."""

    def test_writes_of_one_client_are_seen_in_their_order(self):
        stop, counts, problems = threading.Event(), [0, 0], []

        def write():
            with target.raw() as connection:
                while not stop.is_set():
                    counts[0] += 1
                    for key in range(1, 9):  # on all shards, one after the other
                        try:
                            connection.execute(f"UPDATE steps SET n = n + 1 WHERE id = {key}")
                        except Exception as error:
                            problems.append(error)
                            return
        thread = threading.Thread(target=write)
        thread.start()
        end = time.monotonic() + SECONDS
        try:
            with target.raw() as connection:
                while time.monotonic() < end:
                    seen = [int(n) for (n,) in connection.rows("SELECT n FROM steps ORDER BY id")]
                    self.assertEqual(seen, sorted(seen, reverse=True))
                    self.assertLessEqual(seen[0] - seen[-1], 1)
                    counts[1] += 1
        finally:
            stop.set()
            thread.join(30)
        self.assertEqual(problems, [])
        self.assertGreater(counts[0], 20)
        self.assertGreater(counts[1], 20)
        print(f"{counts[1]} reads beside {counts[0]} rounds of 8 writes")


class Latch(unittest.TestCase):
    def test_a_locked_table_holds_up_only_those_who_read_it(self):
        """PROTOCOLS 2.1: whoever waits for a lock holds neither the latch nor the door."""
        with target.raw() as holder, target.raw() as waiter, target.raw() as other:
            holder.execute("BEGIN")
            holder.execute("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
            answers = []
            thread = threading.Thread(target=lambda: answers.append(waiter.value("SELECT count(*) FROM locked")))
            thread.start()
            time.sleep(0.3)
            begin = time.monotonic()
            for _ in range(5):
                other.execute("UPDATE accounts SET balance = balance + 0")
                other.execute("UPDATE accounts SET balance = balance + 0 WHERE id = 1")
                other.value("SELECT sum(balance) FROM accounts")
            self.assertLess(time.monotonic() - begin, 5)
            self.assertEqual(answers, [])
            holder.execute("COMMIT")
            thread.join(10)
            self.assertEqual(answers, ["0"])

    def test_a_prepared_read_of_a_locked_table_too(self):
        with target.connect() as holder, target.connect() as waiter, target.raw() as other:
            with waiter.cursor() as cursor:
                cursor.execute("PREPARE known AS SELECT count(*) FROM locked")
                cursor.execute("EXECUTE known")
            waiter.commit()
            holder.cursor().execute("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
            answers = []

            def wait():
                with waiter.cursor() as cursor:
                    cursor.execute("EXECUTE known")
                    answers.append(cursor.fetchone()[0])
            thread = threading.Thread(target=wait)
            thread.start()
            time.sleep(0.3)
            begin = time.monotonic()
            for _ in range(5):
                other.execute("UPDATE accounts SET balance = balance + 0")
            self.assertLess(time.monotonic() - begin, 5)
            holder.commit()
            thread.join(10)
            self.assertEqual(answers, [0])


@unittest.skipIf(cluster.ON_PLAIN, "a setting of ours")
class Consistency(unittest.TestCase):
    def test_the_setting(self):
        with target.raw() as connection:
            self.assertEqual(connection.value("SHOW mosaic.consistency"), "strict")
            connection.execute("SET mosaic.consistency = eventual")
            self.assertEqual(connection.value("SHOW mosaic.consistency"), "eventual")
            self.assertEqual(connection.value("SELECT sum(balance) FROM accounts WHERE id < 0"), None)
            connection.execute("BEGIN")
            connection.execute("SET LOCAL mosaic.consistency = 'strict'")
            self.assertEqual(connection.value("SHOW mosaic.consistency"), "strict")
            connection.execute("COMMIT")
            self.assertEqual(connection.value("SHOW mosaic.consistency"), "eventual")
            with self.assertRaises(raw.ServerError) as caught:
                connection.execute("SET mosaic.consistency = 'sometimes'")
            self.assertEqual(caught.exception.code, "22023")
            connection.execute("RESET mosaic.consistency")
            self.assertEqual(connection.value("SHOW mosaic.consistency"), "strict")


class Isolation(unittest.TestCase):
    def test_repeatable_read_sees_one_key_as_it_was_at_the_first_statement(self):
        with target.raw() as reader, target.raw() as writer:
            reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            reader.value("SELECT n FROM steps WHERE id = 1")
            before = [int(writer.value(f"SELECT n FROM steps WHERE id = {key}")) for key in range(1, 9)]
            writer.execute("UPDATE steps SET n = n + 100")
            self.assertEqual([int(reader.value(f"SELECT n FROM steps WHERE id = {key}")) for key in range(1, 9)], before)
            reader.execute("COMMIT")
            writer.execute("UPDATE steps SET n = n - 100")

    def test_also_where_it_is_the_default_or_set_later(self):
        for begin in (["SET default_transaction_isolation TO 'repeatable read'", "BEGIN"],
                      ["BEGIN", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"],
                      ["SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ", "BEGIN"]):
            with self.subTest(begin=begin), target.raw() as reader, target.raw() as writer:
                for sql in begin:
                    reader.execute(sql)
                before = reader.value("SELECT n FROM steps WHERE id = 1")
                writer.execute("UPDATE steps SET n = n + 100")
                self.assertEqual(reader.value("SELECT n FROM steps WHERE id = 8"), before)
                reader.execute("COMMIT")
                writer.execute("UPDATE steps SET n = n - 100")

    @unittest.skipIf(cluster.ON_PLAIN, "a plain server can keep it")
    def test_serializable_over_several_shards_is_refused(self):
        with target.raw() as connection:
            for begin in (["BEGIN ISOLATION LEVEL SERIALIZABLE"], ["BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"]):
                for sql in begin:
                    connection.execute(sql)
                connection.value("SELECT n FROM steps WHERE id = 1")
                connection.value("SELECT n FROM steps WHERE id = 1")
                with self.assertRaises(raw.ServerError) as caught:
                    connection.value("SELECT sum(n) FROM steps")
                self.assertEqual(caught.exception.code, "0A000")
                connection.execute("ROLLBACK")
            connection.execute("SET default_transaction_isolation TO 'serializable'")
            with self.assertRaises(raw.ServerError) as caught:
                connection.value("SELECT sum(n) FROM steps")
            self.assertEqual(caught.exception.code, "0A000")

    def test_serializable_on_one_shard_is_kept(self):
        with target.raw() as one, target.raw() as other:
            for connection in (one, other):
                connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
                connection.value("SELECT n FROM steps WHERE id = 8")
            one.execute("UPDATE steps SET n = n WHERE id = 8")
            one.execute("COMMIT")
            with self.assertRaises(raw.ServerError) as caught:
                other.execute("UPDATE steps SET n = n WHERE id = 8")
                other.execute("COMMIT")
            self.assertEqual(caught.exception.code, "40001")


if __name__ == "__main__":
    unittest.main()
