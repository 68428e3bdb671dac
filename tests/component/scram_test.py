"""Who may come in: passwords by SCRAM and what they open on the servers, rules, limits, wrong and slow logins."""
import base64
import contextlib
import getpass
import hashlib
import hmac
import os
import shutil
import struct
import threading
import time
import unittest

import cluster
import psycopg2
import raw
import served

SERVERS_ACCESS = ["local all all trust", "host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256"]
RULES = ("auth: [ { from: local, users: postgres, method: trust }, { from: local, users: barred, method: reject },"
         " { from: local, users: all, databases: [app, nowhere], method: scram-sha-256 } ]")


def setUpModule():
    global servers, endpoint, directory, authority
    directory = cluster.make_directory("pgm-scram-")
    unittest.addModuleCleanup(shutil.rmtree, directory)
    authority = served.Certificates(directory)
    certificate, key = authority.sign("localhost", "DNS:localhost,IP:127.0.0.1")
    servers = [cluster.started(cluster.Plain()) for _ in range(2)]
    for server in servers:
        served.set_access(server, *SERVERS_ACCESS)
    endpoint = served.Served(servers, [f"tls: {{ certificate: {certificate}, key: {key} }}", RULES])
    unittest.addModuleCleanup(endpoint.destroy)
    endpoint.start()
    administer("CREATE ROLE anna LOGIN PASSWORD 'geheim'", "GRANT ALL ON SCHEMA public TO anna",
               "CREATE TABLE spread (id int PRIMARY KEY)", "SELECT create_distributed_table('spread', 'id')",
               "INSERT INTO spread SELECT generate_series(1, 100)", "GRANT SELECT, INSERT ON spread TO anna")


def administer(*statements):
    with contextlib.closing(endpoint.connect(user="postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None


@contextlib.contextmanager
def logged_in(user="anna", password="geheim", **options):
    with contextlib.closing(endpoint.connect(user=user, password=password, **options)) as connection:
        connection.autocommit = True
        yield connection


def value(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


class Client:
    """A client of SCRAM-SHA-256 whose every message can be looked at and spoilt."""

    def __init__(self, connection, user, database="app"):
        self.connection = connection
        connection.send(raw.startup_message({"user": user, "database": database}))
        self.nonce = base64.b64encode(os.urandom(18)).decode()

    def authentication(self, wanted):
        found = self.connection.next()
        if found.kind == "E":
            raise raw.ServerError(raw.fields_of(found.body))
        kind, = struct.unpack_from("!I", found.body)
        assert (found.kind, kind) == ("R", wanted), (found, kind)
        return found.body[4:]

    def begin(self, header="n,,", mechanism="SCRAM-SHA-256"):
        self.header = header
        self.mechanisms = self.authentication(10).split(b"\0")[:-2]
        self.bare = f"n=,r={self.nonce}"
        first = (header + self.bare).encode()
        self.connection.send(raw.message("p", raw.text(mechanism) + struct.pack("!i", len(first)) + first))
        self.challenge = self.authentication(11).decode()
        return dict(part.split("=", 1) for part in self.challenge.split(","))

    def final(self, password, nonce=None):
        seen = dict(part.split("=", 1) for part in self.challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(seen["s"]), int(seen["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without = f"c={base64.b64encode(self.header.encode()).decode()},r={nonce or seen['r']}"
        message = f"{self.bare},{self.challenge},{without}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return f"{without},p={base64.b64encode(proof).decode()}".encode()

    def log_in(self, password):
        self.begin()
        self.connection.send(raw.message("p", self.final(password)))
        self.authentication(12)
        return self.connection.finish_start()


class Passwords(unittest.TestCase):
    def refusal(self, **options):
        with self.assertRaises(psycopg2.OperationalError) as caught, logged_in(**options):
            pass
        return str(caught.exception)

    def test_open_every_server_for_the_same_user(self):
        with logged_in() as connection:
            self.assertEqual(value(connection, "SELECT current_user"), "anna")
            self.assertEqual(value(connection, "SELECT session_user"), "anna")
            self.assertEqual(value(connection, "SELECT count(*) FROM spread"), 100)
            for number in range(1, 20):
                self.assertEqual(value(connection, f"SELECT id FROM spread WHERE id = {number}"), number)
        for server in servers:
            with contextlib.closing(server.connect(user="postgres")) as connection:
                self.assertEqual(value(connection, "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'anna'"), True)

    def test_are_the_same_on_all_servers(self):
        administer("DROP ROLE IF EXISTS berta", "DROP ROLE IF EXISTS carla")
        for statement in ("CREATE ROLE berta LOGIN ENCRYPTED PASSWORD 'eins'", "ALTER ROLE berta PASSWORD $$zw'ei$$",
                          "ALTER USER berta WITH PASSWORD E'dr\\'ei' VALID UNTIL 'infinity'", "ALTER ROLE berta PASSWORD U&'\\00fcber'",
                          "CREATE ROLE carla; ALTER ROLE berta NOINHERIT PASSWORD 'fünf' LOGIN"):
            administer(statement)
            kept = set()
            for server in servers:
                with contextlib.closing(server.connect(user="postgres")) as connection:
                    kept.add(value(connection, "SELECT rolpassword FROM pg_authid WHERE rolname = 'berta'"))
            self.assertEqual(len(kept), 1, statement)
            self.assertTrue(kept.pop().startswith("SCRAM-SHA-256$4096:"))
        with logged_in("berta", "fünf") as connection:
            self.assertEqual(value(connection, "SELECT 1"), 1)

    def test_that_are_hashed_stay_as_they_are(self):
        hashed = administer("SELECT rolpassword FROM pg_authid WHERE rolname = 'anna'")[0][0]
        administer("DROP ROLE IF EXISTS dora", f"CREATE ROLE dora LOGIN PASSWORD '{hashed}'")
        with logged_in("dora", "geheim") as connection:
            self.assertEqual(value(connection, "SELECT current_user"), "dora")
        administer("ALTER ROLE dora PASSWORD NULL")
        self.assertIn("password authentication failed", self.refusal(user="dora"))

    def test_wrong_and_unknown_look_the_same(self):
        for user in ("anna", "nobody"):
            with self.assertRaises(raw.ServerError) as caught, endpoint.socket() as connection:
                Client(connection, user).log_in("wrong")
            self.assertEqual(caught.exception.code, "28P01")
            self.assertEqual(caught.exception.fields["M"], f'password authentication failed for user "{user}"')
            self.assertEqual(caught.exception.fields["S"], "FATAL")
        challenges = []
        for _ in range(2):
            with endpoint.socket() as connection:
                challenges.append(Client(connection, "nobody").begin())
        self.assertEqual(challenges[0]["s"], challenges[1]["s"])
        self.assertEqual(challenges[0]["i"], "4096")
        self.assertEqual(len(base64.b64decode(challenges[0]["s"])), 16)

    def test_may_be_changed(self):
        administer("DROP ROLE IF EXISTS emma", "CREATE ROLE emma LOGIN PASSWORD 'alt'")
        with logged_in("emma", "alt") as old:
            administer("ALTER ROLE emma PASSWORD 'neu'")
            self.assertIn("password authentication failed", self.refusal(user="emma", password="alt"))
            with logged_in("emma", "neu") as connection:
                self.assertEqual(value(connection, "SELECT 1"), 1)
            self.assertEqual(value(old, "SELECT 1"), 1)

    def test_end(self):
        administer("DROP ROLE IF EXISTS frieda", "CREATE ROLE frieda LOGIN PASSWORD 'geheim' VALID UNTIL '2020-01-01'")
        self.assertIn("password authentication failed", self.refusal(user="frieda"))
        administer("ALTER ROLE frieda NOLOGIN VALID UNTIL 'infinity'")
        self.assertIn('role "frieda" is not permitted to log in', self.refusal(user="frieda"))

    def test_bind_the_channel(self):
        with logged_in(sslmode="verify-full", sslrootcert=authority.ca, channel_binding="require") as connection:
            self.assertEqual(value(connection, "SELECT count(*) FROM spread"), 100)
        self.assertIn("password authentication failed", self.refusal(password="x", sslmode="require", channel_binding="require"))
        with endpoint.socket() as connection:
            client = Client(connection, "anna")
            client.begin()
            self.assertEqual(client.mechanisms, [b"SCRAM-SHA-256"])

    def test_a_login_cancels_on_the_servers(self):
        with logged_in(options="-c statement_timeout=20s") as connection:
            threading.Timer(0.5, connection.cancel).start()
            with self.assertRaises(psycopg2.errors.QueryCanceled):
                value(connection, "SELECT count(pg_sleep(30)) FROM spread WHERE id = 1")


class Garbage(unittest.TestCase):
    def code_of(self, *messages):
        """The error that these messages get in place of the SASL exchange."""
        with endpoint.socket() as connection:
            client = Client(connection, "anna")
            client.authentication(10)
            connection.send(*messages)
            found = connection.next()
            while found.kind == "R":
                found = connection.next()
            self.assertEqual(found.kind, "E")
            fields = raw.fields_of(found.body)
            self.assertEqual(fields["S"], "FATAL")
            self.assertTrue(connection.is_closed())
            return fields["C"]

    def initial(self, message, mechanism="SCRAM-SHA-256"):
        return raw.message("p", raw.text(mechanism) + struct.pack("!i", len(message)) + message)

    def test_is_answered_with_a_protocol_error(self):
        good = self.initial(b"n,,n=,r=abcdefgh")
        for messages in ([raw.message("p")], [raw.message("p", b"SCRAM-SHA-256")], [raw.message("p", b"\0\0\0\0\0")],
                         [self.initial(b"n,,n=,r=abc", "PLAIN")], [self.initial(b"n,,n=,r=abc", "SCRAM-SHA-256-PLUS")],
                         [raw.message("p", b"SCRAM-SHA-256\0\xff\xff\xff\xff")], [raw.message("p", b"SCRAM-SHA-256\0\0\0\0\x99n,,")],
                         [raw.message("p", b"x" * 5000)], [raw.query("SELECT 1")], [b"p\0\0\0\x01"], [b"p\xff\xff\xff\xff"],
                         [self.initial(b"")], [self.initial(b"\xff\xfe\x00")], [self.initial(b"n,,n=,r=\x80\x81")],
                         [good, raw.message("p", b"c=biws,r=abcdefgh,p=AAAA")], [good, raw.message("p", b"\0" * 20)],
                         [good, raw.message("p")]):
            self.assertEqual(self.code_of(*messages), "08P01", messages)
        self.assertEqual(self.code_of(self.initial(b"n,a=postgres,n=,r=abc")), "0A000")

    def test_a_client_that_goes_in_the_middle_costs_nothing(self):
        for _ in range(50):
            connection = endpoint.socket()
            Client(connection, "anna").begin()
            connection.socket.close()
        with logged_in() as connection:
            self.assertEqual(value(connection, "SELECT 1"), 1)

    def test_a_login_may_come_byte_by_byte(self):
        class Slow:
            def __init__(self, connection):
                self.inner = connection

            def send(self, *parts):
                for byte in b"".join(parts):
                    self.inner.send(bytes([byte]))
                    time.sleep(0.001)

            def __getattr__(self, name):
                return getattr(self.inner, name)

        with endpoint.socket() as connection:
            self.assertEqual(Client(Slow(connection), "anna").log_in("geheim").status, "I")
            self.assertEqual(connection.value("SELECT current_user"), "anna")

    def test_the_order_of_answers_is_that_of_postgresql(self):
        kinds = []
        for place in (endpoint, servers[0]):
            with place.socket() as connection:
                client = Client(connection, "anna")
                client.begin()
                connection.send(raw.message("p", client.final("geheim")))
                client.authentication(12)
                found = [connection.read()]
                while found[-1].kind != "Z":
                    found.append(connection.read())
                kinds.append(sorted(each.kind for each in found))
        self.assertEqual(kinds[0], kinds[1])


class Rules(unittest.TestCase):
    def failure(self, user, database="app", place=None):
        with self.assertRaises(raw.ServerError) as caught:
            (place or endpoint).raw(user=user, database=database)
        return caught.exception

    def test_say_no_in_the_words_of_postgresql(self):
        rejected = self.failure("barred")
        self.assertEqual(rejected.code, "28000")
        self.assertEqual(rejected.fields["M"],
                         'pg_hba.conf rejects connection for host "127.0.0.1", user "barred", database "app", no encryption')
        missing = self.failure("anna", "elsewhere")
        self.assertEqual(missing.code, "28000")
        self.assertEqual(missing.fields["M"],
                         'no pg_hba.conf entry for host "127.0.0.1", user "anna", database "elsewhere", no encryption')

    def test_an_unknown_database_is_named_after_the_password(self):
        with self.assertRaises(raw.ServerError) as caught, endpoint.socket() as connection:
            Client(connection, "anna", "nowhere").log_in("geheim")
        self.assertEqual(caught.exception.code, "3D000")
        self.assertEqual(caught.exception.fields["M"], 'database "nowhere" does not exist')
        unknown = self.failure("postgres", "nowhere")
        self.assertEqual(unknown.code, "3D000")

    def test_the_machine_says_who_is_at_a_socket(self):
        account = getpass.getuser()
        place = served.Served(servers, ["auth: [ { from: local, users: all, method: peer } ]"])
        self.addCleanup(place.destroy)
        place.start()
        administer(f"DROP ROLE IF EXISTS \"{account}\"", f"CREATE ROLE \"{account}\" LOGIN")
        for server in servers:
            served.set_access(server, "local all all trust", "host all all 127.0.0.1/32 trust")
            self.addCleanup(served.set_access, server, *SERVERS_ACCESS)
        with contextlib.closing(psycopg2.connect(host=place.directory, port=place.port, user=account, dbname="app")) as connection:
            self.assertEqual(value(connection, "SELECT current_user"), account)
        with self.assertRaises(psycopg2.OperationalError) as caught:
            psycopg2.connect(host=place.directory, port=place.port, user="app", dbname="app")
        self.assertIn('Peer authentication failed for user "app"', str(caught.exception))
        self.assertEqual(self.failure("app", place=place).code, "28000")

    def test_bound_the_clients_of_a_user_and_of_a_database(self):
        place = served.Served(servers, ["auth: [ { from: local, users: all, method: trust } ]",
                                        "limits: { clients_per_user: 2, clients_per_database: 3 }"])
        self.addCleanup(place.destroy)
        place.start()
        kept = [place.raw(user="postgres"), place.raw(user="postgres")]
        full = self.failure("postgres", place=place)
        self.assertEqual((full.code, full.fields["M"]), ("53300", 'too many connections for role "postgres"'))
        said = place.reload(["auth: [ { from: local, users: all, method: trust } ]", "limits: { clients_per_database: 2 }"])
        self.assertIn("cli reloaded", said)
        full = self.failure("postgres", place=place)
        self.assertEqual((full.code, full.fields["M"]), ("53300", 'too many connections for database "app"'))
        kept[0].close()
        cluster.wait_for(lambda: self.comes_in(place), 10, "a free seat")

    def comes_in(self, place):
        with contextlib.suppress(raw.ServerError), place.raw(user="postgres"):
            return True
        return False

    def test_a_reload_brings_others(self):
        place = served.Served(servers, ["auth: [ { from: local, users: all, method: trust } ]"])
        self.addCleanup(place.destroy)
        place.start()
        with place.raw(user="postgres") as old:
            said = place.reload(["auth: [ { from: local, users: all, method: reject } ]"])
            self.assertIn("cli reloaded", said)
            self.assertEqual(self.failure("postgres", place=place).code, "28000")
            self.assertEqual(old.value("SELECT 1"), "1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
