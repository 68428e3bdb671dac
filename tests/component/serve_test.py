"""`serve`, `check` and `init`: the endpoint on servers that somebody else made."""
import contextlib
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

import cluster
import psycopg2

DONE, FAILED, USAGE = range(3)


def setUpModule():
    global servers
    servers = [cluster.started(cluster.Plain()) for _ in range(2)]


class Serve(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="pgm-serve-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.port = cluster.free_port()
        self.file = f"{self.directory}/pgmosaic.yaml"
        self.write()

    def write(self, *shards, user="postgres"):
        shards = shards or [[server.port] for server in servers]
        lines = []
        for number, ports in enumerate(shards, 1):
            nodes = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
            lines.append(f"  - {{ name: s{number}, nodes: [{nodes}] }}")
        pathlib.Path(self.file).write_text("\n".join([
            "cluster: served", f'listen: {{ postgres: ["127.0.0.1:{self.port}"] }}',
            "auth: [ { from: local, users: all, method: trust } ]", f"servers: {{ user: {user} }}", "shards:", *lines, ""]))

    def run_program(self, *words):
        return subprocess.run([cluster.PGMOSAIC, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60)

    def value(self, sql):
        with contextlib.closing(psycopg2.connect(host="127.0.0.1", port=self.port, user="app", dbname="app",
                                                 connect_timeout=5)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchone()[0]

    @contextlib.contextmanager
    def serving(self):
        with open(f"{self.directory}/log", "a") as log:
            program = subprocess.Popen([cluster.PGMOSAIC, "serve", "-c", self.file], stdin=subprocess.DEVNULL, stderr=log)
        try:
            def answers():
                self.assertIsNone(program.poll(), pathlib.Path(f"{self.directory}/log").read_text())
                with contextlib.suppress(psycopg2.Error):
                    return self.value("SELECT 1") == 1
            cluster.wait_for(answers, 30, "an answer")
            yield program
            program.send_signal(signal.SIGTERM)
            self.assertEqual(program.wait(30), DONE)
        finally:
            program.kill()
            program.wait()

    def test_knows_its_tables_again_after_a_restart(self):
        with self.serving():
            self.value("CREATE TABLE things (id int PRIMARY KEY); SELECT create_distributed_table('things', 'id')")
            rows = ", ".join(f"({number})" for number in range(1, 101))
            self.value(f"INSERT INTO things VALUES {rows}; SELECT 1")
            self.assertEqual(self.value("SELECT count(*) FROM things"), 100)
            self.assertEqual(self.value("SELECT value FROM mosaic.settings WHERE name = 'cluster'"), "served")
        counts = []
        for server in servers:
            with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM things")
                counts.append(cursor.fetchone()[0])
        self.assertEqual(sum(counts), 100)
        self.assertNotIn(0, counts)
        with self.serving():
            self.assertEqual(self.value("SELECT count(*) FROM things"), 100)

    def test_refuses_servers_that_are_not_what_the_file_says(self):
        free = cluster.free_port()
        self.write([servers[0].port, servers[1].port], [free])
        checked = self.run_program("check", self.file, "--online")
        self.assertEqual(checked.returncode, USAGE)
        self.assertIn(f'standby of shard "s1" 127.0.0.1:{servers[1].port} is not a standby', checked.stderr)
        self.assertIn(f'primary of shard "s2" 127.0.0.1:{free}: could not connect', checked.stderr)
        served = self.run_program("serve", "-c", self.file)
        self.assertEqual(served.returncode, USAGE, served.stderr)
        self.assertIn("is not a standby", served.stderr)

    def test_names_every_mistake_of_a_file(self):
        pathlib.Path(self.file).write_text("clustr: app\nthreads: many\nthreads: 2\npool: { mode: transactoin }\nlog:\n  slow: 5\n")
        for words in (["check", self.file], ["serve", "-c", self.file]):
            done = self.run_program(*words)
            self.assertEqual(done.returncode, USAGE)
            self.assertEqual([line.split(self.file + ":")[1].split(": error")[0] for line in done.stderr.splitlines()
                              if line.startswith(self.file)], ["1:1", "2:10", "3:1", "4:15", "6:9"])

    def test_writes_a_file_that_it_accepts(self):
        file = f"{self.directory}/new.yaml"
        self.assertEqual(self.run_program("init", file).returncode, DONE)
        self.assertEqual(self.run_program("check", file).returncode, DONE)
        self.assertEqual(self.run_program("init", file).returncode, 6)
        self.assertEqual(self.run_program("init").stdout, pathlib.Path(file).read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
