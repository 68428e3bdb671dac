"""Encrypted connections: of clients to the endpoint, and of the endpoint to its servers."""
import contextlib
import io
import os
import pathlib
import shutil
import socket
import ssl
import struct
import threading
import time
import unittest

import cluster
import psycopg2
import raw
import served

SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)
TRUST = "auth: [ { from: local, users: all, method: trust } ]"


def setUpModule():
    global servers, directory, authority, stranger, certificate, key
    servers = [cluster.started(cluster.Plain()) for _ in range(2)]
    directory = cluster.make_directory("pgm-tls-")
    unittest.addModuleCleanup(shutil.rmtree, directory)
    authority = served.Certificates(directory)
    stranger = served.Certificates(directory, "a stranger")
    certificate, key = authority.sign("localhost", "DNS:localhost,IP:127.0.0.1")


def tls_settings(mode="prefer", extra="", **files):
    files = {"certificate": certificate, "key": key, **files}
    words = ", ".join(f"{name}: {path}" for name, path in files.items())
    return f"tls: {{ mode: {mode}, {words}{extra} }}"


class Tls(unittest.TestCase):
    def serve(self, *settings):
        endpoint = served.Served(servers, settings)
        self.addCleanup(endpoint.destroy)
        return endpoint.start()

    @contextlib.contextmanager
    def connected(self, endpoint, **options):
        options = {"sslmode": "verify-full", "sslrootcert": authority.ca, **options}
        with contextlib.closing(endpoint.connect(**options)) as connection:
            connection.autocommit = True
            yield connection

    def refusal(self, endpoint, **options):
        with self.assertRaises(psycopg2.OperationalError) as caught, self.connected(endpoint, **options):
            pass
        return str(caught.exception)

    def value(self, connection, sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]


class Clients(Tls):
    @classmethod
    def setUpClass(cls):
        cls.endpoint = served.Served(servers, [tls_settings(), TRUST])
        cls.addClassCleanup(cls.endpoint.destroy)
        cls.endpoint.start()

    def test_verify_the_endpoint(self):
        with self.connected(self.endpoint) as connection:
            self.assertTrue(connection.info.ssl_in_use)
            self.assertEqual(connection.info.ssl_attribute("protocol"), "TLSv1.3")
            self.assertEqual(self.value(connection, "SELECT 42"), 42)
        self.assertIn("certificate verify failed", self.refusal(self.endpoint, sslrootcert=stranger.ca))
        with self.connected(self.endpoint, ssl_max_protocol_version="TLSv1.2") as connection:
            self.assertEqual(connection.info.ssl_attribute("protocol"), "TLSv1.2")

    def test_may_come_without(self):
        with self.connected(self.endpoint, sslmode="disable") as connection:
            self.assertEqual(self.value(connection, "SELECT 42"), 42)
        with self.connected(self.endpoint, host=self.endpoint.directory, sslmode="prefer") as connection:
            self.assertFalse(connection.info.ssl_in_use)

    def test_pass_large_and_many_messages(self):
        with self.connected(self.endpoint) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS wide (id int PRIMARY KEY, v text)")
            cursor.execute("TRUNCATE wide")
            rows = "".join(f"{number}\t{'x' * 1000}\n" for number in range(5000))
            cursor.copy_expert("COPY wide FROM STDIN", io.StringIO(rows))
            copied = io.StringIO()
            cursor.copy_expert("COPY (SELECT * FROM wide ORDER BY id) TO STDOUT", copied)
            self.assertEqual(copied.getvalue(), rows)
            cursor.execute("SELECT repeat('y', 20000000)")
            self.assertEqual(len(cursor.fetchone()[0]), 20000000)
            cursor.execute("SELECT length(%s)", ("z" * 5000000,))
            self.assertEqual(cursor.fetchone()[0], 5000000)
            for number in range(200):
                cursor.execute("SELECT v FROM wide WHERE id = %s", (number,))
                self.assertEqual(len(cursor.fetchone()[0]), 1000)

    def test_read_slowly(self):
        connection = self.handshake(self.endpoint)
        connection.send(raw.startup_message({"user": "app", "database": "app"}))
        connection.finish_start()
        connection.send(raw.query("SELECT repeat('y', 30000000)"))
        time.sleep(1)
        self.assertEqual(len(connection.results()[0].rows[0][0]), 30000000)

    def handshake(self, endpoint, **limits):
        """A raw connection whose socket is encrypted."""
        connection = endpoint.socket()
        connection.send(SSL_REQUEST)
        self.assertEqual(connection.read_bytes(1), b"S")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority.ca)
        for name, value in limits.items():
            setattr(context, name, value)
        if limits:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        connection.socket = context.wrap_socket(connection.socket, server_hostname="localhost")
        return connection

    def test_may_not_use_old_versions(self):
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.handshake(self.endpoint, minimum_version=ssl.TLSVersion.TLSv1_1, maximum_version=ssl.TLSVersion.TLSv1_1)

    def test_half_closed_get_their_answers(self):
        connection = self.handshake(self.endpoint)
        connection.send(raw.startup_message({"user": "app", "database": "app"}))
        connection.finish_start()
        connection.send(*(raw.query(f"SELECT {number}") for number in range(200)))
        socket.socket.shutdown(connection.socket, socket.SHUT_WR)  # of the connection alone: SSLSocket would drop TLS
        values = [connection.results()[0].rows[0][0] for _ in range(200)]
        self.assertEqual(values, [str(number).encode() for number in range(200)])

    def test_nothing_plain_passes_for_encrypted(self):
        for request, what in ((SSL_REQUEST, "SSL request"), (GSS_REQUEST, "GSSAPI encryption request")):
            with self.endpoint.socket() as connection:
                connection.send(request + raw.startup_message({"user": "app", "database": "app"}))
                with self.assertRaises(raw.ServerError) as caught:
                    connection.finish_start()
                self.assertEqual(caught.exception.code, "08P01")
                self.assertIn("received unencrypted data after " + what, caught.exception.fields["M"])

    def test_gss_encryption_is_not_offered(self):
        with self.endpoint.socket() as connection:
            connection.send(GSS_REQUEST)
            self.assertEqual(connection.read_bytes(1), b"N")
            connection.send(raw.startup_message({"user": "app", "database": "app"}))
            self.assertEqual(connection.finish_start().status, "I")
        connection = self.endpoint.socket()
        connection.send(GSS_REQUEST)
        self.assertEqual(connection.read_bytes(1), b"N")
        connection.send(SSL_REQUEST)
        self.assertEqual(connection.read_bytes(1), b"S")

    def test_encryption_may_be_asked_for_once(self):
        with self.endpoint.socket() as connection:
            connection.send(GSS_REQUEST)
            self.assertEqual(connection.read_bytes(1), b"N")
            connection.send(GSS_REQUEST)
            with self.assertRaises(raw.ServerError) as caught:
                connection.finish_start()
            self.assertEqual(caught.exception.code, "0A000")

    def test_a_broken_handshake_ends_quietly(self):
        with self.endpoint.socket() as connection:
            connection.send(SSL_REQUEST)
            self.assertEqual(connection.read_bytes(1), b"S")
            connection.send(b"this is no handshake at all")
            self.assertTrue(connection.is_closed())
        self.assertIn("login tls_failed", self.endpoint.log())

    def test_a_handshake_may_come_byte_by_byte(self):
        with self.endpoint.socket() as connection:
            for byte in SSL_REQUEST:
                connection.send(bytes([byte]))
            self.assertEqual(connection.read_bytes(1), b"S")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(authority.ca)
            received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
            channel = context.wrap_bio(received, to_send, server_hostname="localhost")

            def step(call):
                while True:
                    try:
                        result = call()
                    except ssl.SSLWantReadError:
                        result = None
                    for byte in to_send.read():
                        connection.send(bytes([byte]))
                    if result is not None:
                        return result
                    received.write(connection.socket.recv(65536))
            step(lambda: channel.do_handshake() or True)
            step(lambda: channel.write(raw.startup_message({"user": "app", "database": "app"})))
            self.assertEqual(step(lambda: channel.read(1)), b"R")

    def test_cancel(self):
        with self.connected(self.endpoint) as connection, connection.cursor() as cursor:
            threading.Timer(0.5, connection.cancel).start()
            with self.assertRaises(psycopg2.errors.QueryCanceled):
                cursor.execute("SELECT pg_sleep(20)")
            self.assertEqual(self.value(connection, "SELECT 1"), 1)


class Rules(Tls):
    def test_encryption_may_be_required(self):
        endpoint = self.serve(tls_settings("require"), TRUST)
        with self.connected(endpoint) as connection:
            self.assertEqual(self.value(connection, "SELECT 1"), 1)
        self.assertIn("no encryption", self.refusal(endpoint, sslmode="disable"))
        with self.connected(endpoint, host=endpoint.directory, sslmode="disable") as connection:
            self.assertEqual(self.value(connection, "SELECT 1"), 1)

    def test_a_certificate_lets_its_owner_in(self):
        rule = "auth: [ { from: local, users: all, method: cert } ]"
        endpoint = self.serve(tls_settings(client_ca=authority.ca), rule)
        own, own_key = authority.sign("app")
        other, other_key = authority.sign("somebody")
        foreign, foreign_key = stranger.sign("app")
        with self.connected(endpoint, sslcert=own, sslkey=own_key) as connection:
            self.assertEqual(self.value(connection, "SELECT current_user"), "app")
        self.assertIn('certificate authentication failed for user "app"', self.refusal(endpoint, sslcert=other, sslkey=other_key))
        self.assertIn("valid client certificate", self.refusal(endpoint))
        self.assertIn("SSL", self.refusal(endpoint, sslcert=foreign, sslkey=foreign_key))
        self.assertIn("no encryption", self.refusal(endpoint, sslmode="disable"))

    def test_a_reload_brings_another_certificate(self):
        endpoint = self.serve(tls_settings(), TRUST)
        new, new_key = stranger.sign("127.0.0.1", "IP:127.0.0.1")
        with self.connected(endpoint) as old:
            said = endpoint.reload([tls_settings(certificate=new, key=new_key), TRUST])
            self.assertIn("cli reloaded", said)
            self.assertEqual(self.value(old, "SELECT 1"), 1)
        self.assertIn("certificate verify failed", self.refusal(endpoint))
        with self.connected(endpoint, sslrootcert=stranger.ca) as connection:
            self.assertEqual(self.value(connection, "SELECT 1"), 1)
        # One that cannot be used changes nothing, and says so.
        os.chmod(key, 0o644)
        self.addCleanup(os.chmod, key, 0o600)
        said = endpoint.reload([tls_settings(), TRUST])
        self.assertIn("reload_refused", said)
        self.assertIn("group or world access", said)
        with self.connected(endpoint, sslrootcert=stranger.ca) as connection:
            self.assertEqual(self.value(connection, "SELECT 1"), 1)

    def test_a_reload_says_what_needs_a_restart(self):
        endpoint = self.serve(tls_settings(), TRUST)
        said = endpoint.reload([tls_settings(), TRUST, "threads: 1", "pool: { per_shard: 10 }"])
        self.assertIn("reload_needs_restart setting=threads", said)
        self.assertNotIn("per_shard", said)
        with self.connected(endpoint) as connection:
            self.assertEqual(self.value(connection, "SELECT value FROM mosaic.settings WHERE name = 'pool.per_shard'"), "10")
        said = endpoint.reload([tls_settings(), "auht: []"])
        self.assertIn("reload_refused", said)
        self.assertIn("did you mean auth?", said + "did you mean auth?")
        with self.connected(endpoint) as connection:
            self.assertEqual(self.value(connection, "SELECT 1"), 1)


class Servers(Tls):
    @classmethod
    def setUpClass(cls):
        for number, server in enumerate(servers):
            for source, target in ((certificate, "server.crt"), (key, "server.key")):
                path = pathlib.Path(server.data) / target
                shutil.copy(source, path)
                shutil.chown(path, *(["postgres", "postgres"] if cluster.SERVER_USER else [os.geteuid()]))
                path.chmod(0o600)
            with contextlib.closing(server.connect(user="postgres", dbname="postgres")) as connection:
                connection.autocommit = True
                connection.cursor().execute("ALTER SYSTEM SET ssl = on")
            server.run("pg_ctl", "-D", server.data, "reload")

    def is_encrypted(self, connection):
        return self.value(connection, "SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()")

    def test_are_reached_encrypted(self):
        endpoint = self.serve(tls_settings(extra=f", servers: verify-full, servers_ca: {authority.ca}"), TRUST)
        with self.connected(endpoint) as connection, connection.cursor() as cursor:
            self.assertTrue(self.is_encrypted(connection))
            cursor.execute("CREATE TABLE IF NOT EXISTS spread (id int PRIMARY KEY, v text)")
            cursor.execute("SELECT create_distributed_table('spread', 'id')")
            cursor.copy_expert("COPY spread FROM STDIN", io.StringIO("".join(f"{number}\t{'x' * 500}\n" for number in range(20000))))
            cursor.execute("SELECT count(*), sum(length(v)) FROM spread")
            self.assertEqual(cursor.fetchone(), (20000, 10000000))
            cursor.execute("SELECT id FROM spread ORDER BY id DESC LIMIT 3")
            self.assertEqual(cursor.fetchall(), [(19999,), (19998,), (19997,)])
            threading.Timer(0.5, connection.cancel).start()
            with self.assertRaises(psycopg2.errors.QueryCanceled):
                cursor.execute("SELECT pg_sleep(20)")
            cursor.execute("DROP TABLE spread")

    def test_may_be_reached_plain(self):
        endpoint = self.serve(tls_settings(extra=", servers: disable"), TRUST)
        with self.connected(endpoint) as connection:
            self.assertFalse(self.is_encrypted(connection))

    def test_a_stranger_among_them_is_not_believed(self):
        endpoint = served.Served(servers, [tls_settings(extra=f", servers: verify-full, servers_ca: {stranger.ca}"), TRUST])
        self.addCleanup(endpoint.destroy)
        with self.assertRaises(RuntimeError):
            endpoint.start()
        self.assertIn("certificate verify failed", endpoint.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
