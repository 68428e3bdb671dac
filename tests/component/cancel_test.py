"""Cancelling, timeouts and clients that vanish: work ends on every shard, and the session lives on."""
import struct
import threading
import time
import unittest

import cluster
import raw

SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair())
    pair.both("CREATE TABLE t (id int PRIMARY KEY, v text)")
    pair.distribute("t", "id")
    pair.fill("t", "SELECT g, 'v' FROM generate_series(1, 100) g")


def endpoints():
    return (("target", pair.target), ("plain", pair.plain))


class Cancel(unittest.TestCase):
    def cancelled(self, connection, sql):
        """Runs sql and cancels it after a while; the error and how long it took."""
        started = time.monotonic()
        timer = threading.Timer(0.5, connection.cancel)
        timer.start()
        result = connection.query(sql)[-1]
        timer.join()
        return result.error, time.monotonic() - started

    def test_running_statements(self):
        for name, endpoint in endpoints():
            for sql in ("SELECT pg_sleep(20)", "SELECT pg_sleep(20) FROM t WHERE id = 7"):
                with self.subTest(endpoint=name, sql=sql), endpoint.raw() as connection:
                    error, seconds = self.cancelled(connection, sql)
                    self.assertIsNotNone(error)
                    self.assertEqual(error["C"], "57014")
                    self.assertEqual(error["M"], "canceling statement due to user request")
                    self.assertLess(seconds, 5)
                    self.assertEqual(connection.value("SELECT 1"), "1")

    def test_statement_on_all_shards(self):
        with pair.target.raw() as connection:
            error, seconds = self.cancelled(connection, "SELECT count(*) FROM t WHERE (SELECT pg_sleep(0.5)) IS NOT NULL AND id::text <> repeat('x', 2) "
                                                        "AND pg_sleep(1) IS NOT NULL")
            self.assertIn(error and error["C"], ("57014", "0A000"))
            self.assertLess(seconds, 5)
            cluster.wait_for(lambda: connection.value(SLEEPERS) == "0", 5, "the shards to stop")
            self.assertEqual(connection.value("SELECT count(*) FROM t"), "100")

    def test_within_a_transaction(self):
        with pair.target.raw() as connection:
            connection.execute("BEGIN; INSERT INTO t VALUES (500, 'x')")
            error, _ = self.cancelled(connection, "SELECT pg_sleep(20)")
            self.assertEqual((error["C"], connection.status), ("57014", "E"))
            connection.execute("ROLLBACK")
            self.assertEqual(connection.value("SELECT count(*) FROM t WHERE id = 500"), "0")

    def test_waiting_for_a_lock(self):
        with pair.target.raw() as holder, pair.target.raw() as waiter:
            holder.execute("BEGIN; UPDATE t SET v = 'held' WHERE id = 3")
            error, seconds = self.cancelled(waiter, "UPDATE t SET v = 'mine' WHERE id = 3")
            self.assertEqual(error["C"], "57014")
            self.assertLess(seconds, 5)
            holder.execute("ROLLBACK")

    def test_wrong_secret_and_idle_session(self):
        with pair.target.raw() as connection:
            with pair.target.socket() as other:
                other.send(struct.pack("!IIII", 16, raw.CANCEL_REQUEST, connection.pid, connection.secret ^ 1))
                self.assertTrue(other.is_closed())
            self.assertTrue(connection.cancel())
            time.sleep(0.2)
            self.assertEqual(connection.value("SELECT pg_sleep(0.3)"), "")
            self.assertEqual(connection.value("SELECT 5"), "5")

    def test_a_late_cancel_hits_nobody_else(self):
        """Cancels rain on a session that only runs short statements; its neighbours never see one."""
        stop = threading.Event()
        errors = []

        def neighbour():
            with pair.target.raw() as connection:
                while not stop.is_set():
                    result = connection.query("SELECT v FROM t WHERE id = 5")[-1]
                    if result.error:
                        errors.append(result.error)

        threads = [threading.Thread(target=neighbour) for _ in range(3)]
        for thread in threads:
            thread.start()
        with pair.target.raw() as connection:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                canceller = threading.Thread(target=connection.cancel)
                canceller.start()
                result = connection.query("SELECT v FROM t WHERE id = 6")[-1]
                self.assertIn(result.code, (None, "57014"))
                canceller.join()
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])

    def test_statement_timeout(self):
        for name, endpoint in endpoints():
            with self.subTest(name), endpoint.raw() as connection:
                connection.execute("SET statement_timeout = '300ms'")
                error = connection.query("SELECT pg_sleep(10)")[-1].error
                self.assertEqual((error["C"], error["M"]), ("57014", "canceling statement due to statement timeout"))
                connection.execute("RESET statement_timeout")
                self.assertEqual(connection.value("SELECT 1"), "1")

    def test_client_that_vanishes_frees_its_locks(self):
        holder = pair.target.raw()
        holder.execute("BEGIN; UPDATE t SET v = 'gone' WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8)")
        holder.socket.close()
        with pair.target.raw() as connection:
            connection.execute("SET lock_timeout = '5s'; UPDATE t SET v = 'v' WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8)")
            self.assertEqual(connection.value("SELECT count(*) FROM t WHERE v = 'gone'"), "0")

    def test_terminate_message_ends_the_session_quietly(self):
        connection = pair.target.raw()
        connection.send(raw.message("X"))
        self.assertTrue(connection.is_closed())


if __name__ == "__main__":
    unittest.main()
