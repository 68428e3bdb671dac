"""CREATE DATABASE and DROP DATABASE act on every shard, and each database has its own tables, map and pools."""
import unittest

import cluster
import raw


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair())


class Databases(unittest.TestCase):
    def setUp(self):
        self.admin = pair.target.raw(user="postgres")
        self.addCleanup(self.admin.close)

    def drop(self, name):
        self.admin.execute(f"DROP DATABASE IF EXISTS {name}")

    def test_new_database_is_used_at_once(self):
        self.admin.execute("CREATE DATABASE one OWNER app")
        self.addCleanup(self.drop, "one")
        with pair.target.raw(database="one") as connection, pair.target.raw() as old:
            connection.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
            if not cluster.ON_PLAIN:
                connection.execute("SELECT create_distributed_table('t', 'id')")
            connection.execute("COPY t FROM STDIN", b"".join(b"%d\tx\n" % key for key in range(1, 41)))
            self.assertEqual(connection.value("SELECT count(*) FROM t"), "40")
            self.assertEqual(old.query("SELECT * FROM t")[0].code, "42P01")
        if not cluster.ON_PLAIN:
            for server in pair.target.servers():
                self.assertEqual(server.raw().value("SELECT count(*) FROM pg_database WHERE datname = 'one'"), "1")

    def test_same_name_in_two_databases(self):
        self.admin.execute("CREATE DATABASE two OWNER app")
        self.addCleanup(self.drop, "two")
        with pair.target.raw() as first, pair.target.raw(database="two") as second:
            first.execute("CREATE TABLE same (id int PRIMARY KEY)")
            second.execute("CREATE TABLE same (key text PRIMARY KEY)")
            if not cluster.ON_PLAIN:
                first.execute("SELECT create_distributed_table('same', 'id')")
                second.execute("SELECT create_distributed_table('same', 'key')")
            first.execute("INSERT INTO same VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)")
            second.execute("INSERT INTO same VALUES ('a'), ('b')")
            self.assertEqual((first.value("SELECT count(*) FROM same"), second.value("SELECT count(*) FROM same")), ("10", "2"))
            first.execute("DROP TABLE same")
            self.assertEqual(second.value("SELECT count(*) FROM same"), "2")

    def test_options(self):
        self.admin.execute("CREATE DATABASE three WITH TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' OWNER app")
        self.addCleanup(self.drop, "three")
        self.assertEqual(self.admin.rows("SELECT datcollate, datctype FROM pg_database WHERE datname = 'three'"), [("C", "C")])
        with pair.target.raw(database="three") as connection:
            self.assertEqual(connection.value("SELECT 'a' < 'B'"), "f")

    def test_rename(self):
        self.admin.execute("CREATE DATABASE four OWNER app")
        self.addCleanup(self.drop, "four")
        self.addCleanup(self.drop, "five")
        with pair.target.raw(database="four") as connection:
            connection.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (4)")
            self.assertEqual(self.admin.query("ALTER DATABASE four RENAME TO five")[0].code, "55006")
        self.admin.execute("ALTER DATABASE four RENAME TO five")  # whatever idle server sessions there are
        with pair.target.raw(database="five") as connection:
            self.assertEqual(connection.value("SELECT id FROM t"), "4")
        self.assertEqual(self.admin.query("ALTER DATABASE four RENAME TO six")[0].code, "3D000")
        self.assertEqual(self.admin.query("ALTER DATABASE five RENAME TO app")[0].code, "42P04")

    def test_errors(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw(user="postgres") as admin, endpoint.raw() as app:
                self.assertEqual(admin.query("CREATE DATABASE app")[0].code, "42P04")
                self.assertEqual(admin.query("DROP DATABASE nowhere")[0].code, "3D000")
                self.assertEqual(app.query("CREATE DATABASE mine")[0].code, "42501")
                self.assertEqual(app.query("DROP DATABASE app")[0].code, "55006")
                self.assertEqual(admin.query("BEGIN; CREATE DATABASE inside")[-1].code, "25001")
                admin.query("ROLLBACK")
                self.assertEqual(admin.query("CREATE DATABASE x TEMPLATE nowhere")[0].code, "3D000")

    def test_drop_while_in_use_and_with_force(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw(user="postgres") as admin:
                admin.execute("CREATE DATABASE busy OWNER app")
                user = endpoint.raw(database="busy")
                self.assertEqual(user.value("SELECT 1"), "1")
                self.assertEqual(admin.query("DROP DATABASE busy")[0].code, "55006")
                self.assertEqual(user.value("SELECT 1"), "1")
                admin.execute("DROP DATABASE busy WITH (FORCE)")
                try:
                    result = user.query("SELECT 1")
                    self.assertEqual(result[0].code, "57P01")
                except (raw.Closed, ConnectionError, BrokenPipeError):
                    pass
                with self.assertRaises(raw.ServerError):
                    endpoint.raw(database="busy")

    def test_dropped_database_comes_back_empty(self):
        for _ in range(3):
            self.admin.execute("CREATE DATABASE again OWNER app")
            with pair.target.raw(database="again") as connection:
                connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
                if not cluster.ON_PLAIN:
                    connection.execute("SELECT create_distributed_table('t', 'id')")
                connection.execute("INSERT INTO t VALUES (1), (2), (3), (4), (5)")
                self.assertEqual(connection.value("SELECT count(*) FROM t"), "5")
            cluster.wait_for(lambda: self.admin.query("DROP DATABASE again")[0].error is None, 10, "the drop")


if __name__ == "__main__":
    unittest.main()
