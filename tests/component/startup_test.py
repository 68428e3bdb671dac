"""How connections begin, and what the endpoint says to those that begin wrongly."""
import socket
import struct
import time
import unittest

import cluster
import raw


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair())


class Startup(unittest.TestCase):
    def socket(self):
        connection = pair.target.socket()
        self.addCleanup(connection.socket.close)
        return connection

    def test_says_what_every_driver_waits_for(self):
        ours, theirs = pair.target.raw(), pair.plain.raw()
        self.assertEqual(set(ours.parameters), set(theirs.parameters))
        for name in ("server_version", "server_encoding", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone",
                     "integer_datetimes", "standard_conforming_strings", "session_authorization", "is_superuser",
                     "in_hot_standby", "default_transaction_read_only", "application_name"):
            self.assertEqual(ours.parameters[name], theirs.parameters[name], name)
        self.assertEqual(ours.status, "I")
        self.assertNotEqual(ours.pid, 0)

    def test_ssl_request_is_answered_with_one_letter(self):
        connection = self.socket()
        connection.send(struct.pack("!II", 8, raw.SSL_REQUEST))
        self.assertIn(connection.read_bytes(1), b"NS")
        if not connection.buffer:
            connection.start(user="app", database="app")
            self.assertEqual(connection.value("SELECT 1"), "1")

    def test_gssenc_then_ssl_then_startup(self):
        connection = self.socket()
        connection.send(struct.pack("!II", 8, raw.GSSENC_REQUEST))
        if connection.read_bytes(1) == b"G":
            self.skipTest("the server would go on with GSSAPI")
        connection.send(struct.pack("!II", 8, raw.SSL_REQUEST))
        if connection.read_bytes(1) == b"S":
            self.skipTest("the server would go on with TLS")
        connection.start(user="app", database="app")
        self.assertEqual(connection.value("SELECT 1"), "1")

    def test_bytes_behind_an_ssl_request_are_not_taken_for_a_startup(self):
        """A man in the middle could have put them there (CVE-2021-23214)."""
        connection = self.socket()
        connection.send(struct.pack("!II", 8, raw.SSL_REQUEST) + raw.startup_message({"user": "app", "database": "app"}))
        first = connection.read_bytes(1)
        if first == b"S":
            self.assertTrue(connection.is_closed())

    def test_startup_byte_by_byte(self):
        connection = self.socket()
        for byte in raw.startup_message({"user": "app", "database": "app"}):
            connection.send(bytes([byte]))
        connection.finish_start()
        for byte in raw.query("SELECT 'slow'"):
            connection.send(bytes([byte]))
        self.assertEqual(connection.results()[0].rows, [(b"slow",)])

    def test_startup_and_first_query_in_one_packet(self):
        connection = self.socket()
        connection.send(raw.startup_message({"user": "app", "database": "app"}), raw.query("SELECT 7"))
        connection.finish_start()
        self.assertEqual(connection.results()[0].rows, [(b"7",)])

    def test_newer_minor_version_is_negotiated(self):
        for endpoint in (pair.target, pair.plain):
            connection = endpoint.socket()
            connection.send(raw.startup_message({"user": "app", "database": "app", "_pq_.wish": "on"},
                                                version=raw.PROTOCOL_3_0 + 2))
            first = connection.next()
            self.assertEqual(first.kind, "v")
            self.assertEqual(struct.unpack_from("!II", first.body), (raw.PROTOCOL_3_0, 1))
            self.assertEqual(first.body[8:], b"_pq_.wish\0")
            connection.finish_start()
            self.assertEqual(connection.value("SELECT 1"), "1")

    def test_protocol_2_is_refused_as_postgresql_does(self):
        answers = []
        for endpoint in (pair.target, pair.plain):
            connection = endpoint.socket()
            connection.send(raw.startup_message({"user": "app"}, version=2 << 16))
            answers.append(connection.read_all())  # PostgreSQL: a message of protocol 2, text without fields
        for answer in answers:
            self.assertIn(b"unsupported frontend protocol 2.0: server supports 3.0 to 3.0", answer)

    def refused(self, **parameters):
        """(severity, code, message) of both to a startup that must fail."""
        answers = []
        for endpoint in (pair.target, pair.plain):
            connection = endpoint.socket()
            with self.assertRaises(raw.ServerError) as caught:
                connection.start(**parameters)
            fields = caught.exception.fields
            answers.append((fields["S"], fields["C"], fields["M"]))
            self.assertTrue(connection.is_closed())
        self.assertEqual(answers[0], answers[1])
        return answers[0]

    def test_unknown_database(self):
        self.assertEqual(self.refused(user="app", database="nowhere")[:2], ("FATAL", "3D000"))

    def test_unknown_role(self):
        self.assertEqual(self.refused(user="nobody", database="app")[:2], ("FATAL", "28000"))

    def test_no_user(self):
        self.assertEqual(self.refused(database="app")[:2], ("FATAL", "28000"))

    def test_bad_setting_in_startup(self):
        self.assertEqual(self.refused(user="app", database="app", DateStyle="nonsense")[1], "22023")
        self.assertEqual(self.refused(user="app", database="app", no_such_setting="1")[1], "42704")

    def test_database_defaults_to_the_user(self):
        self.assertEqual(self.socket().start(user="app").value("SELECT current_database()"), "app")

    def test_startup_settings_count(self):
        connection = self.socket().start(user="app", database="app", application_name="tester", DateStyle="SQL, DMY",
                                         TimeZone="Asia/Tokyo", options="-c statement_timeout=5s -c search_path=a,public")
        self.assertEqual(connection.parameters["application_name"], "tester")
        self.assertEqual(connection.parameters["TimeZone"], "Asia/Tokyo")
        self.assertEqual(connection.value("SHOW DateStyle"), "SQL, DMY")
        self.assertEqual(connection.value("SHOW statement_timeout"), "5s")
        self.assertEqual(connection.value("SHOW search_path"), "a,public")
        self.assertEqual(connection.value("SELECT '2024-03-02'::date"), "02/03/2024")
        connection.execute("SET TimeZone = 'UTC'")
        self.assertEqual(connection.parameters["TimeZone"], "UTC")
        connection.execute("RESET ALL")
        self.assertEqual(connection.parameters["TimeZone"], "Asia/Tokyo")
        self.assertEqual(connection.value("SHOW statement_timeout"), "5s")

    def test_unix_socket(self):
        if cluster.ON_PLAIN:
            path = f"{pair.target.directory}/.s.PGSQL.{pair.target.port}"
        else:
            import pathlib
            found = [str(path) for path in pathlib.Path(pair.target.directory).rglob(f".s.PGSQL.{pair.target.port}")]
            self.assertTrue(found, "the endpoint has no Unix socket below its directory")
            path = found[0]
        with raw.Connection(path).start(user="app", database="app") as connection:
            self.assertEqual(connection.value("SELECT 1"), "1")


class BadStart(unittest.TestCase):
    def answer(self, endpoint, data):
        """What a fresh connection is told for `data` before it is closed: an error's code, or nothing."""
        connection = endpoint.socket()
        connection.send(data)
        connection.socket.shutdown(socket.SHUT_WR)
        try:
            found = connection.read()
            code = raw.fields_of(found.body)["C"] if found.kind == "E" else found.kind
        except raw.Closed:
            code = None
        self.assertTrue(connection.is_closed())
        return code

    def test_garbage_gets_what_postgresql_gives(self):
        for data in (b"GET / HTTP/1.0\r\n\r\n", b"\0", b"\0\0\0\3\0\0", b"\x16\x03\x01\x02\x00\x01\x00\x01",
                     struct.pack("!II", 8, 0), struct.pack("!II", 8, 196608) , struct.pack("!I", 0x7FFFFFFF) + b"x" * 100,
                     struct.pack("!I", 10001) + b"\0" * 9997, struct.pack("!II", 20, 196608) + b"user\0app\0xyz",
                     struct.pack("!IIII", 16, raw.CANCEL_REQUEST, 1, 1), struct.pack("!II", 8, raw.CANCEL_REQUEST)):
            with self.subTest(data=data[:40]):
                ours, theirs = self.answer(pair.target, data), self.answer(pair.plain, data)
                # Where PostgreSQL hangs up without a word, we may say why.
                self.assertIn(ours, (theirs, "08P01") if theirs is None else (theirs,))

    def test_endpoint_goes_on_after_garbage(self):
        for seed in range(50):
            connection = pair.target.socket()
            connection.send(bytes((seed * 37 + i * i) % 256 for i in range(200)))
            connection.socket.close()
        self.assertEqual(pair.target.raw().value("SELECT 1"), "1")

    def test_two_gigabyte_length_word_after_login(self):
        """PostgreSQL ends the connection at once; nobody waits for, or makes room for, two gigabytes."""
        for endpoint in (pair.target, pair.plain):
            for kind in (b"Q", b"B", b"d", b"p"):
                connection = endpoint.raw()
                connection.send(kind + struct.pack("!I", 0x7FFFFFFF) + b"x" * 1000)
                started = time.monotonic()
                try:
                    found = connection.next()
                    self.assertEqual((found.kind, raw.fields_of(found.body)["C"]), ("E", "08P01"), kind)
                except raw.Closed:
                    pass  # PostgreSQL writes its reason to the log only
                self.assertTrue(connection.is_closed())
                self.assertLess(time.monotonic() - started, 5)

    def test_unknown_message_type(self):
        answers = []
        for endpoint in (pair.target, pair.plain):
            connection = endpoint.raw()
            connection.send(raw.message("y", b"abc"))
            fields = raw.fields_of(connection.next().body)
            answers.append((fields["S"], fields["C"], fields["M"], connection.is_closed()))
        self.assertEqual(answers[0], answers[1])

    def test_malformed_messages_get_postgresqls_code(self):
        cases = {"query without end": raw.message("Q", b"SELECT 1"), "empty bind": raw.message("B", b""),
                 "parse with negative count": raw.message("P", b"\0SELECT 1\0\xff\xff"),
                 "describe of neither": raw.message("D", b"X\0"), "close of neither": raw.message("C", b"X\0"),
                 "execute without rows": raw.message("E", b"\0")}
        for name, data in cases.items():
            with self.subTest(name):
                codes = []
                for endpoint in (pair.target, pair.plain):
                    connection = endpoint.raw()
                    connection.send(data, raw.sync())
                    found = connection.next()
                    codes.append(raw.fields_of(found.body)["C"] if found.kind == "E" else found.kind)
                    connection.close()
                self.assertEqual(codes[0], codes[1])


if __name__ == "__main__":
    unittest.main()
