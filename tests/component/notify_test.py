"""LISTEN, NOTIFY and UNLISTEN: told once, at commit, to idle clients too, whatever server session did it."""
import time
import unittest

import cluster
import raw


def setUpModule():
    global target
    target = cluster.started(cluster.Pair(shards=3)).target
    with target.raw() as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, state text)")
        connection.execute("CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
                           "$$ BEGIN PERFORM pg_notify('orders', new.id::text); RETURN NULL; END $$")
        if not cluster.ON_PLAIN:
            connection.execute("SELECT create_distributed_table('orders', 'id')")
        connection.execute("CREATE TRIGGER tell AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION tell()")


class Notify(unittest.TestCase):
    def setUp(self):
        self.listener, self.sender = target.raw(), target.raw()
        self.addCleanup(self.listener.close)
        self.addCleanup(self.sender.close)
        self.sender.execute("DELETE FROM orders")

    def heard(self, connection, count, seconds=5):
        return connection.take_notifications(count, seconds)

    def silent(self, connection, seconds=0.3):
        return self.heard(connection, 1, seconds) == []

    def test_an_idle_client_is_told(self):
        self.listener.execute("LISTEN news")
        self.sender.execute("NOTIFY news, 'one'; NOTIFY news")
        self.sender.execute("SELECT pg_notify('news', 'two')")
        pid = self.sender.pid
        self.assertEqual(self.heard(self.listener, 3), [(pid, "news", "one"), (pid, "news", ""), (pid, "news", "two")])
        self.assertTrue(self.silent(self.listener))

    def test_only_at_commit_and_never_after_rollback(self):
        self.listener.execute("LISTEN news")
        self.sender.execute("BEGIN")
        self.sender.execute("NOTIFY news, 'now'")
        self.assertTrue(self.silent(self.listener))
        self.sender.execute("COMMIT")
        self.assertEqual([n[2] for n in self.heard(self.listener, 1)], ["now"])
        self.sender.execute("BEGIN")
        self.sender.execute("NOTIFY news, 'never'")
        self.sender.execute("ROLLBACK")
        self.sender.execute("BEGIN; SAVEPOINT a; NOTIFY news, 'neither'; ROLLBACK TO a; NOTIFY news, 'kept'; COMMIT")
        self.assertEqual([n[2] for n in self.heard(self.listener, 1)], ["kept"])

    def test_what_one_says_itself_comes_with_the_answer(self):
        self.listener.execute("LISTEN news")
        self.listener.query("NOTIFY news, 'mine'")
        self.assertEqual(self.listener.notifications, [(self.listener.pid, "news", "mine")])
        self.listener.notifications = []
        self.listener.execute("BEGIN")
        self.listener.query("NOTIFY news, 'later'")
        self.assertEqual(self.listener.notifications, [])
        self.listener.query("COMMIT")
        self.assertEqual([n[2] for n in self.listener.notifications], ["later"])
        self.listener.notifications = []
        self.listener.extended("NOTIFY news, 'extended'")
        self.assertEqual([n[2] for n in self.listener.notifications] or [n[2] for n in self.heard(self.listener, 1)], ["extended"])

    def test_not_within_a_transaction(self):
        self.listener.execute("LISTEN news")
        self.listener.execute("BEGIN")
        self.sender.execute("NOTIFY news, 'waits'")
        self.listener.query("SELECT 1")
        self.assertTrue(self.silent(self.listener))
        self.listener.query("COMMIT")
        self.assertEqual([n[2] for n in self.listener.notifications] or [n[2] for n in self.heard(self.listener, 1)], ["waits"])

    def test_listen_counts_from_its_commit_on(self):
        self.listener.execute("BEGIN")
        self.listener.execute("LISTEN news")
        self.listener.execute("ROLLBACK")
        self.sender.execute("NOTIFY news, 'unheard'")
        self.listener.execute("BEGIN; LISTEN news; SAVEPOINT a; LISTEN other; ROLLBACK TO a; COMMIT")
        self.sender.execute("NOTIFY news, 'heard'; NOTIFY other, 'unheard'")
        self.assertEqual([n[2] for n in self.heard(self.listener, 1)], ["heard"])
        self.assertEqual(self.listener.rows("SELECT pg_listening_channels()"), [("news",)])

    def test_unlisten(self):
        self.listener.execute("LISTEN a")
        self.listener.execute("LISTEN b")
        self.assertEqual(sorted(self.listener.rows("SELECT * FROM pg_listening_channels()")), [("a",), ("b",)])
        self.listener.execute("UNLISTEN a")
        self.sender.execute("NOTIFY a; NOTIFY b")
        self.assertEqual([n[1] for n in self.heard(self.listener, 1)], ["b"])
        self.listener.execute("UNLISTEN *")
        self.sender.execute("NOTIFY b")
        self.assertTrue(self.silent(self.listener))
        self.listener.execute("LISTEN c")
        self.listener.execute("DISCARD ALL")
        self.assertEqual(self.listener.rows("SELECT pg_listening_channels()"), [])

    def test_names_are_taken_as_postgresql_takes_them(self):
        self.listener.execute('LISTEN "Mixed Case"')
        self.listener.execute("LISTEN lower")
        self.sender.execute('NOTIFY "Mixed Case", \'it\'\'s\'')
        self.sender.execute("NOTIFY LOWER")
        self.assertEqual([n[1:] for n in self.heard(self.listener, 2)], [("Mixed Case", "it's"), ("lower", "")])

    def test_every_listener_once(self):
        listeners = [target.raw() for _ in range(6)]
        for each in listeners:
            self.addCleanup(each.close)
            each.execute("LISTEN news")
        for number in range(20):
            self.sender.execute(f"NOTIFY news, '{number}'")
        for each in listeners:
            self.assertEqual([n[2] for n in self.heard(each, 20)], [str(number) for number in range(20)])
            self.assertTrue(self.silent(each, 0.05))

    def test_a_trigger_tells_from_any_shard(self):
        self.listener.execute("LISTEN orders")
        for key in range(1, 13):
            self.sender.execute(f"INSERT INTO orders VALUES ({key}, 'new')")
        found = self.heard(self.listener, 12)
        self.assertEqual(sorted(int(n[2]) for n in found), list(range(1, 13)))
        self.assertEqual({n[0] for n in found}, {self.sender.pid})

    @unittest.skipIf(cluster.ON_PLAIN, "one server has no such bound")
    def test_triggers_that_tell_from_two_shards_are_refused(self):
        self.listener.execute("LISTEN orders")
        self.sender.execute("BEGIN")
        for key in range(1, 13):
            self.sender.execute(f"INSERT INTO orders VALUES ({key}, 'new')")
        with self.assertRaises(raw.ServerError) as caught:
            self.sender.execute("COMMIT")
        self.assertEqual(caught.exception.code, "0A000")
        self.assertIn("H", caught.exception.fields)
        self.assertEqual(self.sender.value("SELECT count(*) FROM orders"), "0")
        self.assertTrue(self.silent(self.listener))

    def test_with_writes_of_several_shards(self):
        with target.raw() as other:
            other.execute("CREATE TABLE IF NOT EXISTS plain_rows (id int PRIMARY KEY)")
            if not cluster.ON_PLAIN:
                other.execute("SELECT create_distributed_table('plain_rows', 'id')")
        self.listener.execute("LISTEN news")
        self.sender.execute("BEGIN")
        for key in range(1, 9):
            self.sender.execute(f"INSERT INTO plain_rows VALUES ({key})")
        self.sender.execute("NOTIFY news, 'written'")
        self.sender.execute("COMMIT")
        self.assertEqual([n[2] for n in self.heard(self.listener, 1)], ["written"])
        self.assertEqual(self.listener.value("SELECT count(*) FROM plain_rows"), "8")

    def test_errors_are_postgresqls(self):
        for sql, code in ((f"NOTIFY news, '{'x' * 8000}'", "22023"), ("SELECT pg_notify('', 'x')", "22023"),
                          (f"SELECT pg_notify('{'c' * 64}', 'x')", "22023")):
            self.assertEqual(self.sender.query(sql)[0].code, code)

    def test_psql_shows_it(self):
        out = target.psql("LISTEN news", "NOTIFY news, 'hello'", "SELECT 1")
        self.assertIn('Asynchronous notification "news" with payload "hello" received from server process', out)

    def test_a_client_that_has_gone_is_forgotten(self):
        for _ in range(30):
            with target.raw() as short:
                short.execute("LISTEN news")
        self.listener.execute("LISTEN news")
        begin = time.monotonic()
        self.sender.execute("NOTIFY news, 'still'")
        self.assertEqual([n[2] for n in self.heard(self.listener, 1)], ["still"])
        self.assertLess(time.monotonic() - begin, 2)


if __name__ == "__main__":
    unittest.main()
