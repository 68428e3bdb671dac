"""One program per driver, run against plain PostgreSQL and against us: what it prints must be the same.

The programs are in tests/drivers. Without PGM_DRIVERS=all (scripts/test --drivers sets it) only those run whose driver the
component tests install anyway.
"""
import difflib
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import cluster

PROGRAMS = cluster.ROOT / "tests/drivers"
ALL = os.environ.get("PGM_DRIVERS") == "all"

TABLES = """
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, height numeric(6,2), born date, tags text[], doc jsonb, raw bytea,
                     seen timestamptz, uid uuid, ok boolean DEFAULT true, big bigint, ratio double precision);
CREATE TABLE notes (person int, number int, body varchar(40), PRIMARY KEY (person, number));
CREATE TABLE colours (id int PRIMARY KEY, name text UNIQUE);
INSERT INTO colours VALUES (1, 'red'), (2, 'green'), (3, 'blue')
"""


def setUpModule():
    global pair, scratch
    pair = cluster.started(cluster.Pair())
    scratch = tempfile.mkdtemp(prefix="pgm-drivers-")
    unittest.addModuleCleanup(shutil.rmtree, scratch)


def make_tables():
    for endpoint in (pair.plain, pair.target):
        with endpoint.raw() as connection:
            for name, in connection.rows("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = 'public'"):
                connection.execute(f"DROP TABLE {name} CASCADE")
    pair.both(TABLES)
    pair.distribute("people", "id")
    pair.distribute("notes", "person", colocate_with="people")
    pair.reference("colours")


class Drivers(unittest.TestCase):
    maxDiff = None

    def output_of(self, endpoint, command, more):
        environment = {**endpoint.environment(), "PGSSLMODE": "disable", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=180, cwd=scratch)
        self.assertEqual(done.returncode, 0, f"port {endpoint.port}\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}")
        return done.stdout.splitlines()

    def same(self, *command, more=None):
        make_tables()
        plain = self.output_of(pair.plain, command, more)
        self.assertGreater(len(plain), 15, "the program has printed what it saw")
        target = self.output_of(pair.target, command, more)
        if target != plain:
            self.fail("\n".join(difflib.unified_diff(plain, target, "plain PostgreSQL", "us", lineterm="", n=1)))

    def python(self, module, program):
        found = subprocess.run(["/usr/bin/python3", "-c", f"import {module}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if found.returncode:
            self.skipTest(f"{module} is not installed: scripts/install test drivers")
        self.same("/usr/bin/python3", str(PROGRAMS / program))

    def wanted(self, program):
        if not ALL:
            self.skipTest("with PGM_DRIVERS=all only")
        if not shutil.which(program):
            self.skipTest(f"{program} is not installed: scripts/install drivers")

    def test_psycopg2(self):
        self.python("psycopg2", "with_psycopg2.py")

    def test_psycopg3(self):
        self.python("psycopg", "with_psycopg3.py")

    def test_asyncpg(self):
        self.python("asyncpg", "with_asyncpg.py")

    def test_asyncpg_pool(self):
        self.wanted("python3")
        self.python("asyncpg", "with_asyncpg_pool.py")

    def test_sqlalchemy(self):
        self.wanted("python3")
        self.python("sqlalchemy", "with_sqlalchemy.py")

    def test_django(self):
        self.wanted("python3")
        self.python("django", "with_django.py")

    def test_jdbc(self):
        self.wanted("javac")
        classes = "/usr/share/java/postgresql.jar"
        if not os.path.exists(classes):
            self.skipTest("libpostgresql-jdbc-java is not installed: scripts/install drivers")
        subprocess.run(["javac", "-cp", classes, "-d", scratch, str(PROGRAMS / "WithJdbc.java")], check=True, timeout=180)
        self.same("java", "-Xshare:auto", "-cp", f"{scratch}:{classes}:/usr/share/java/scram-client.jar:/usr/share/java/scram-common.jar", "WithJdbc")

    def test_go_pq(self):
        self.wanted("go")
        source = pathlib.Path(scratch) / "with_pq"
        source.mkdir(exist_ok=True)
        shutil.copy(PROGRAMS / "with_pq.go.txt", source / "main.go")
        go = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": f"{scratch}/gocache", "GOFLAGS": ""}
        subprocess.run(["go", "build", "-o", f"{scratch}/with_pq.bin", "."], cwd=source, env=go, check=True, timeout=300)
        self.same(f"{scratch}/with_pq.bin")

    def test_node_pg(self):
        self.wanted("node")
        if not os.path.isdir("/usr/share/nodejs/pg"):
            self.skipTest("node-pg is not installed: scripts/install drivers")
        self.same("node", str(PROGRAMS / "with_node_pg.js"), more={"NODE_PATH": "/usr/share/nodejs"})

    def test_php_pdo(self):
        self.wanted("php")
        self.same("php", str(PROGRAMS / "with_pdo.php"))

    def test_ruby_pg(self):
        self.wanted("ruby")
        self.same("ruby", str(PROGRAMS / "with_ruby_pg.rb"))

    def test_perl_dbd(self):
        self.wanted("perl")
        if subprocess.run(["perl", "-MDBD::Pg", "-e", "1"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("libdbd-pg-perl is not installed: scripts/install drivers")
        self.same("perl", str(PROGRAMS / "with_dbd_pg.pl"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
