"""Advisory locks are one set for the whole database, held as long as PostgreSQL holds them."""
import threading
import time
import unittest

import cluster
import raw


def setUpModule():
    global target
    target = cluster.started(cluster.Pair(shards=3)).target
    with target.raw() as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
        if not cluster.ON_PLAIN:
            connection.execute("SELECT create_distributed_table('t', 'id')")
        connection.execute("INSERT INTO t SELECT g, 0 FROM generate_series(1, 12) g")


class Advisory(unittest.TestCase):
    def setUp(self):
        self.one, self.two = target.raw(), target.raw()
        self.addCleanup(self.one.close)
        self.addCleanup(self.two.close)

    def tries(self, connection, call):
        return connection.value(f"SELECT {call}") == "t"

    def test_a_key_is_one_for_all(self):
        self.one.execute("SELECT pg_advisory_lock(42)")
        self.assertFalse(self.tries(self.two, "pg_try_advisory_lock(42)"))
        self.assertFalse(self.tries(self.two, "pg_try_advisory_lock(21 * 2)"))
        self.assertFalse(self.tries(self.two, "pg_try_advisory_xact_lock(42)"))
        self.assertTrue(self.tries(self.two, "pg_try_advisory_lock(0, 42)"))  # two numbers are another space
        self.assertTrue(self.tries(self.one, "pg_try_advisory_lock(42)"))
        self.assertTrue(self.tries(self.one, "pg_advisory_unlock(42)"))
        self.assertFalse(self.tries(self.two, "pg_try_advisory_lock(42)"))    # it was taken twice
        self.assertTrue(self.tries(self.one, "pg_advisory_unlock(42)"))
        self.assertTrue(self.tries(self.two, "pg_try_advisory_lock(42)"))
        self.assertEqual(self.one.query("SELECT pg_advisory_unlock(42)")[0].rows, [(b"f",)])

    def test_shared(self):
        self.assertTrue(self.tries(self.one, "pg_try_advisory_lock_shared(1, 2)"))
        self.assertTrue(self.tries(self.two, "pg_try_advisory_lock_shared(1, 2)"))
        self.assertFalse(self.tries(self.two, "pg_try_advisory_lock(1, 2)"))
        self.assertTrue(self.tries(self.one, "pg_advisory_unlock_shared(1, 2)"))
        self.assertTrue(self.tries(self.two, "pg_try_advisory_lock(1, 2)"))

    def test_until_the_session_ends(self):
        with target.raw() as short:
            short.execute("SELECT pg_advisory_lock(7)")
            self.assertFalse(self.tries(self.one, "pg_try_advisory_lock(7)"))
        cluster.wait_for(lambda: self.tries(self.one, "pg_try_advisory_lock(7)"), 5, "the lock's release")

    def test_unlock_all_and_discard_all(self):
        for end in ("SELECT pg_advisory_unlock_all()", "DISCARD ALL"):
            self.one.execute("SELECT pg_advisory_lock(8); SELECT pg_advisory_lock_shared(9)")
            self.assertFalse(self.tries(self.two, "pg_try_advisory_lock(8)"))
            self.one.execute(end)
            cluster.wait_for(lambda: self.tries(self.two, "pg_try_advisory_lock(8)"), 5, "the lock's release")
            self.assertTrue(self.tries(self.two, "pg_try_advisory_lock(9)"))
            self.two.execute("SELECT pg_advisory_unlock_all()")

    def test_over_statements_of_all_shards_and_transactions(self):
        self.one.execute("SELECT pg_advisory_lock(10)")
        for key in range(1, 13):
            self.one.execute(f"UPDATE t SET n = n + 1 WHERE id = {key}")
        self.one.execute("BEGIN; UPDATE t SET n = n - 1; COMMIT")
        self.one.execute("BEGIN; SELECT pg_advisory_lock(11); ROLLBACK")
        self.assertFalse(self.tries(self.two, "pg_try_advisory_lock(10)"))
        self.assertFalse(self.tries(self.two, "pg_try_advisory_lock(11)"))
        self.one.execute("SELECT pg_advisory_unlock_all()")

    def test_of_a_transaction(self):
        for end in ("COMMIT", "ROLLBACK"):
            self.one.execute("BEGIN")
            self.one.execute("UPDATE t SET n = n")
            self.one.execute("SELECT pg_advisory_xact_lock(12)")
            self.assertFalse(self.tries(self.two, "pg_try_advisory_xact_lock(12)"))
            self.one.execute(end)
            self.assertTrue(self.tries(self.two, "pg_try_advisory_xact_lock(12)"))

    def test_through_the_extended_protocol(self):
        self.assertIsNone(self.one.extended("SELECT pg_advisory_lock($1)", ["13"]).error)
        self.assertEqual(self.two.extended("SELECT pg_try_advisory_lock($1)", ["13"]).rows, [(b"f",)])
        self.assertEqual(self.one.extended("SELECT pg_advisory_unlock($1)", ["13"]).rows, [(b"t",)])
        self.assertEqual(self.two.extended("SELECT pg_try_advisory_lock($1)", ["13"]).rows, [(b"t",)])

    @unittest.skipIf(cluster.ON_PLAIN, "a view of ours")
    def test_only_those_who_hold_one_are_pinned(self):
        pinned = lambda: target_pinned(self.two)
        before = pinned()
        self.one.execute("SELECT pg_advisory_lock(14)")
        self.assertEqual(pinned(), before + 1)
        self.one.execute("SELECT pg_advisory_lock(15)")
        self.one.execute("SELECT pg_advisory_unlock(14)")
        self.assertEqual(pinned(), before + 1)
        self.one.execute("SELECT pg_advisory_unlock(15)")
        self.assertEqual(pinned(), before)
        self.one.execute("SELECT pg_advisory_lock(16)")
        self.one.execute("CREATE TEMP TABLE mine (a int)")
        self.one.execute("SELECT pg_advisory_unlock(16)")
        self.assertEqual(self.one.value("SELECT count(*) FROM mine"), "0")

    def test_a_migration_runs_once(self):
        """As Rails and its kind do it: who gets the lock migrates, the others wait or give up."""
        done, problems = [], []

        def migrate(number):
            try:
                with target.raw() as connection:
                    if not self.tries(connection, "pg_try_advisory_lock(4919)"):
                        connection.execute("SELECT pg_advisory_lock(4919)")
                    connection.execute("CREATE TABLE IF NOT EXISTS versions (v int PRIMARY KEY)")
                    connection.execute("BEGIN")
                    if connection.value("SELECT count(*) FROM versions WHERE v = 1") == "0":
                        connection.execute("CREATE TABLE migrated (id int PRIMARY KEY)")
                        connection.execute("INSERT INTO versions VALUES (1)")
                        done.append(number)
                    connection.execute("COMMIT")
                    connection.execute("SELECT pg_advisory_unlock(4919)")
            except raw.ServerError as error:
                problems.append(error)
        threads = [threading.Thread(target=migrate, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(problems, [])
        self.assertEqual(len(done), 1)

    def test_a_circle_through_one_is_broken(self):
        """A holds the lock and waits for B's row; B waits for the lock. On one server PostgreSQL sees it."""
        for key in (3, 4, 5, 6):  # on several shards
            self.one.execute("SELECT pg_advisory_lock(17)")
            self.two.execute(f"BEGIN; UPDATE t SET n = n WHERE id = {key}")
            codes = []

            def wait(connection, sql):
                result = connection.query(sql)[0]
                if result.error:
                    codes.append(result.code)
                    connection.query("ROLLBACK")
            threads = [threading.Thread(target=wait, args=(self.one, f"UPDATE t SET n = n WHERE id = {key}")),
                       threading.Thread(target=wait, args=(self.two, "SELECT pg_advisory_lock(17)"))]
            begin = time.monotonic()
            for thread in threads:
                thread.start()
                time.sleep(0.1)
            self.one.socket.settimeout(10)
            self.two.socket.settimeout(10)
            threads[0].join(10)
            self.two.query("ROLLBACK") if not threads[1].is_alive() else None
            if threads[1].is_alive():
                self.one.query("SELECT pg_advisory_unlock_all()")
            threads[1].join(10)
            self.assertEqual(codes, ["40P01"])
            self.assertLess(time.monotonic() - begin, 5)
            self.two.query("ROLLBACK")
            self.one.query("SELECT pg_advisory_unlock_all()")
            self.two.query("SELECT pg_advisory_unlock_all()")


def target_pinned(connection):
    return int(connection.value("SELECT count(*) FROM mosaic.clients WHERE pinned_to <> ''"))


if __name__ == "__main__":
    unittest.main()
