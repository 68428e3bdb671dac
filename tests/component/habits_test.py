"""What clients are used to beyond queries: cursors that outlive transactions, large objects, defaults of roles, pools."""
import contextlib
import socket
import struct
import unittest

import cluster
import raw
import served


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair())
    pair.both("CREATE TABLE t (id int PRIMARY KEY, v text)")
    pair.distribute("t", "id")
    pair.fill("t", "SELECT g, 'v' || g FROM generate_series(1, 20) g")


class Same(unittest.TestCase):
    def setUp(self):
        self.target, self.plain = pair.target.raw(), pair.plain.raw()
        self.addCleanup(self.target.close)
        self.addCleanup(self.plain.close)

    def same(self, sql):
        """The answers of both to a query string."""
        answers = []
        for connection in (self.target, self.plain):
            answers.append([(r.tag, r.code, r.error and r.error["M"], [c.name for c in r.columns or ()], r.rows) for r in connection.query(sql)]
                           + [connection.status])
        self.assertEqual(answers[0], answers[1], sql)
        return answers[1]


class Cursors(Same):
    def test_with_hold_outlive_their_transaction(self):
        for sql in ("BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT id, v FROM t ORDER BY id", "DECLARE d CURSOR FOR SELECT id FROM t ORDER BY id",
                    "FETCH 0 FROM c", "FETCH 3 FROM c", "COMMIT", "FETCH 2 FROM c", "FETCH 1 FROM d", "BEGIN", "FETCH 2 FROM c", "COMMIT", "MOVE 5 FROM c",
                    "FETCH ALL FROM c", "FETCH c", "CLOSE c", "FETCH c"):
            self.same(sql)

    def test_with_hold_need_no_block(self):
        for sql in ("DECLARE c CURSOR FOR SELECT id FROM t", "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id DESC", "FETCH 2 FROM c",
                    "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t", "FETCH 2 FROM c", "DISCARD ALL", "FETCH 2 FROM c",
                    "DECLARE c CURSOR WITH HOLD FOR SELECT count(*) FROM t", "CLOSE ALL", "FETCH c"):
            self.same(sql)

    def test_with_hold_end_with_a_rollback(self):
        for sql in ("DECLARE a CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id", "BEGIN", "DECLARE b CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id",
                    "FETCH b", "ROLLBACK", "FETCH a", "FETCH b"):
            self.same(sql)

    def test_are_described_by_the_protocol(self):
        for query in ("SELECT id, v FROM t ORDER BY id", "SELECT id, v FROM t WHERE id = 7"):
            answers = []
            for connection in (self.target, self.plain):
                connection.execute("BEGIN")
                connection.execute(f"DECLARE c CURSOR FOR {query}")
                connection.send(raw.describe_portal("c"), raw.sync())
                described = connection.until_ready()
                fetched = connection.extended("FETCH 2 FROM c")
                connection.send(raw.describe_portal("nobody"), raw.sync())
                missing = connection.until_ready()[0]
                connection.execute("ROLLBACK")
                columns = [(c.name, c.type, c.size, c.format) for c in raw.columns_of(described[0].body)]
                answers.append(([m.kind for m in described], columns, [(c.name, c.type) for c in fetched.columns], fetched.rows, fetched.tag,
                                raw.fields_of(missing.body)["C"]))
            self.assertEqual(answers[0], answers[1], query)


class LargeObjects(unittest.TestCase):
    def test_are_written_and_read_by_function_calls(self):
        with contextlib.closing(pair.target.connect()) as connection:
            made = connection.lobject(0, "wb")
            number = made.oid
            made.write(b"x" * 300000 + b"end")
            made.close()
            connection.commit()
            read = connection.lobject(number, "rb")
            read.seek(299998)
            self.assertEqual(read.read(), b"xxend")
            self.assertEqual(read.tell(), 300003)
            read.close()
            connection.lobject(number).unlink()
            connection.commit()
            with self.assertRaises(Exception):
                connection.lobject(number, "rb")
            connection.rollback()

    def test_other_functions_are_not_called(self):
        with pair.target.raw() as connection:
            connection.send(raw.message("F", struct.pack("!IHHIiH", 1598, 0, 0, 0, 0, 0)[:10]))
            found = connection.until_ready()
            self.assertEqual([m.kind for m in found], ["E", "Z"])
            self.assertEqual(raw.fields_of(found[0].body)["C"], "0A000")
            self.assertEqual(connection.value("SELECT 1"), "1")


class Defaults(unittest.TestCase):
    def shown(self, endpoint, name):
        with endpoint.raw() as connection:
            return connection.value(f"SHOW {name}")

    def test_of_roles_and_databases_hold_for_new_clients(self):
        for endpoint in (pair.target, pair.plain):
            self.shown(endpoint, "search_path")
            with endpoint.raw(user="postgres") as connection:
                connection.execute("ALTER ROLE app SET search_path = elsewhere, public")
                self.assertEqual(self.shown(endpoint, "search_path"), "elsewhere, public")
                connection.execute("BEGIN")
                connection.execute("ALTER DATABASE app SET work_mem = '5MB'")
                self.assertNotEqual(self.shown(endpoint, "work_mem"), "5MB")
                connection.execute("COMMIT")
                self.assertEqual(self.shown(endpoint, "work_mem"), "5MB")
                connection.execute("ALTER ROLE app RESET ALL; ALTER DATABASE app RESET ALL")
                self.assertEqual(self.shown(endpoint, "search_path"), '"$user", public')

    def test_of_a_role_may_keep_it_out(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw(user="postgres") as connection:
                connection.execute("CREATE ROLE guest LOGIN")
                endpoint.raw(user="guest").close()
                connection.execute("ALTER ROLE guest NOLOGIN")
                with self.assertRaises(raw.ServerError) as caught:
                    endpoint.raw(user="guest")
                self.assertEqual(caught.exception.code, "28000")
                connection.execute("DROP ROLE guest")


class HalfClosed(unittest.TestCase):
    def test_clients_get_all_their_answers(self):
        for endpoint in (pair.target, pair.plain):
            connection = endpoint.raw()
            for number in range(200):
                connection.send(raw.parse("SELECT v FROM t WHERE id = $1", types=[23]), raw.bind([number % 20 + 1]), raw.execute(), raw.sync())
            connection.socket.shutdown(socket.SHUT_WR)
            values = [connection.results()[0].rows[0][0] for _ in range(200)]
            self.assertEqual(values, [f"v{number % 20 + 1}".encode() for number in range(200)])
            self.assertTrue(connection.is_closed())


class SessionPooling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers = [cluster.started(cluster.Plain()) for _ in range(2)]
        cls.endpoint = served.Served(servers, ["auth: [ { from: local, users: all, method: trust } ]", "pool: { mode: session, per_shard: 5 }", "threads: 1"])
        cls.addClassCleanup(cls.endpoint.destroy)
        cls.endpoint.start()
        with cls.endpoint.raw() as connection:
            connection.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
            connection.execute("SELECT create_distributed_table('t', 'id')")
            connection.execute("INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 20) g")

    def test_keeps_the_servers_of_a_client(self):
        with self.endpoint.raw() as one, self.endpoint.raw() as other:
            pid = one.value("SELECT pg_backend_pid()")
            self.assertNotEqual(other.value("SELECT pg_backend_pid()"), pid)
            one.execute("SET work_mem = '7MB'")
            for number in range(1, 21):
                self.assertEqual(one.value(f"SELECT v FROM t WHERE id = {number}"), f"v{number}")
            one.execute("BEGIN")
            one.execute("UPDATE t SET v = v WHERE id IN (1, 2, 3)")
            one.execute("COMMIT")
            self.assertEqual(one.value("SELECT count(*) FROM t"), "20")
            self.assertEqual(one.value("SELECT pg_backend_pid()"), pid)
            self.assertEqual(other.value(f"SELECT pinned_to FROM mosaic.clients WHERE id = {one.pid}"), "s1,s2")
            self.assertEqual(other.value("SHOW work_mem"), "4MB")

    def test_gives_them_to_the_next_client_as_new(self):
        with self.endpoint.raw() as connection:
            pid = connection.value("SELECT pg_backend_pid()")
            connection.execute("SET work_mem = '9MB'")
            connection.execute("PREPARE p AS SELECT 1")
        found = []
        for _ in range(20):
            with self.endpoint.raw() as connection:
                found.append(connection.value("SELECT pg_backend_pid()"))
                self.assertEqual(connection.value("SHOW work_mem"), "4MB")
        self.assertIn(pid, found)

    def test_more_clients_than_servers_wait(self):
        clients = [self.endpoint.raw() for _ in range(5)]
        for connection in clients:
            connection.value("SELECT 1 FROM t WHERE id = 1")
        with self.assertRaises(raw.ServerError) as caught:
            self.endpoint.raw()
        self.assertEqual(caught.exception.code, "53300")
        clients[0].close()
        cluster.wait_for(self.comes_in, 10, "a free server")
        for connection in clients:
            connection.close()

    def comes_in(self):
        with contextlib.suppress(raw.ServerError), self.endpoint.raw() as connection:
            return connection.value("SELECT 1") == "1"
        return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
