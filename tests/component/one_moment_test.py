"""A statement that reads several shards sees every transfer between them whole or not at all."""
import random
import threading
import time
import unittest

import psycopg2

import cluster

ACCOUNTS, SECONDS = 64, 8


def setUpModule():
    global target
    target = cluster.started(cluster.Pair(shards=4)).target
    with target.raw() as connection:
        connection.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL)")
        if not cluster.ON_PLAIN:
            connection.execute("SELECT create_distributed_table('accounts', 'id')")
        connection.execute("COPY accounts FROM STDIN", b"".join(b"%d\t1000\n" % key for key in range(1, ACCOUNTS + 1)))


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

    def beside_transfers(self, read):
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
        self.assertGreater(reads, 20)
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


if __name__ == "__main__":
    unittest.main()
