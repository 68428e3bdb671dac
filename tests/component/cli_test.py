"""The program's verbs: what they print, how they end, and what they do about mistakes."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

import cluster

if cluster.ON_PLAIN:
    raise SystemExit(77)


def run(*words, **options):
    return subprocess.run([cluster.PGMOSAIC, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, **options)


class WithoutCluster(unittest.TestCase):
    def setUp(self):
        self.directory = cluster.make_directory("pgm-cli-")
        self.addCleanup(shutil.rmtree, self.directory, True)

    def test_help_and_version(self):
        for words in (("--help",), ("up", "--help"), ("status", "--help")):
            done = run(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("up" if words[0] == "--help" else "--", done.stdout)
        self.assertRegex(run("version").stdout, r"pgmosaic \d+\.\d+")

    def test_usage_errors_end_with_2(self):
        for words in (("nonsense",), ("up", "--no-such-flag"), ("up", "--shards", "zero"), ("up", "--shards", "0"), ("status", "-o", "xml"),
                      ("serve",), ()):
            done = run(*words, cwd=self.directory)
            self.assertEqual(done.returncode, 2, (words, done.stdout, done.stderr))
            self.assertEqual(done.stdout, "", words)
            self.assertTrue(done.stderr, words)
        self.assertEqual(os.listdir(self.directory), [])

    def test_no_cluster_ends_with_3_and_says_what_to_do(self):
        done = run("--cluster", f"{self.directory}/none", "status")
        self.assertEqual(done.returncode, 3)
        self.assertIn("pgmosaic up", done.stderr)

    def test_init_writes_a_configuration_that_check_accepts(self):
        path = f"{self.directory}/pgmosaic.yaml"
        self.assertEqual(run("init", path).returncode, 0)
        done = run("check", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotEqual(run("init", path).returncode, 0, "init must not overwrite")

    def test_check_reports_all_mistakes_with_their_place(self):
        path = f"{self.directory}/bad.yaml"
        pathlib.Path(path).write_text("version: 1\ncluster: app\nlisten: { postgres: [\"127.0.0.1:99999\"] }\n"
                                      "reads: { max_stalness: 1s }\npool: { per_shard: -1 }\nfailover: { detect: soon }\nthreads: many\n")
        done = run("check", path)
        self.assertEqual(done.returncode, 2)
        places = re.findall(r"^\S+bad\.yaml:(\d+):(\d+): error: ", done.stdout + done.stderr, re.M)
        self.assertEqual([int(line) for line, _ in places], [3, 4, 5, 6, 7], done.stdout + done.stderr)
        self.assertIn("did you mean max_staleness?", done.stdout + done.stderr)

    def test_directory_with_something_else_in_it(self):
        pathlib.Path(self.directory, "thesis.txt").write_text("years of work")
        done = run("up", self.directory)
        self.assertNotEqual(done.returncode, 0)
        done = run("down", self.directory, "--destroy")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(os.listdir(self.directory), ["thesis.txt"])

    def test_port_in_use(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            done = run("up", f"{self.directory}/c", "--no-standby", "--shards", "1", "--port", str(port))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(str(port), done.stderr)
        self.assertEqual(run("down", f"{self.directory}/c", "--destroy").returncode in (0, 3, 5), True)

    def test_no_postgresql(self):
        done = run("up", f"{self.directory}/c", env={"PATH": "/nowhere", "PGMOSAIC_BINDIR": "/nowhere", "HOME": "/tmp"})
        # The installed program is found without PATH, too; what counts is that nothing is half made if it is not.
        if done.returncode:
            self.assertIn("PostgreSQL", done.stderr)
        run("down", f"{self.directory}/c", "--destroy")

    def test_unknown_sample(self):
        done = run("up", f"{self.directory}/c", "--no-standby", "--shards", "1", "--sample", "zoo")
        self.addCleanup(run, "down", f"{self.directory}/c", "--destroy")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("zoo", done.stderr)


class Life(unittest.TestCase):
    def setUp(self):
        self.made = cluster.started(cluster.Cluster(shards=2, standby=True))
        self.addCleanup(self.made.destroy)

    def test_up_status_down(self):
        status = self.made.status()
        self.check_status(status)
        self.assertEqual(self.made.verb("status", "--check").returncode, 0)
        human = self.made.verb("status").stdout
        for shard in status["shards"]:
            for node in shard["nodes"]:
                self.assertIn(node["name"], human)
        with self.made.raw() as connection:
            connection.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100);"
                               "SELECT create_distributed_table('t', 'id')")

        again = self.made.command("up", self.made.directory)
        self.assertEqual(self.made.pid, status["endpoint"]["pid"], "a second up leaves what runs alone: " + again.stderr)

        self.made.command("down", self.made.directory)
        self.assertFalse(pathlib.Path(f"/proc/{status['endpoint']['pid']}").exists())
        for shard in status["shards"]:
            for node in shard["nodes"]:
                self.assertFalse(pathlib.Path(f"/proc/{node['pid']}").exists())
        self.assertEqual(self.made.verb("status", check=False).returncode, 3)
        self.made.command("down", self.made.directory)

        self.made.command("up", self.made.directory, timeout=120)
        self.assertEqual(self.made.status()["endpoint"]["port"], self.made.port)
        self.assertEqual(self.made.raw().value("SELECT count(*) FROM t"), "100")
        cluster.wait_for(lambda: self.made.status()["state"] == "healthy", 30, "healthy")

        self.made.command("down", self.made.directory, "--destroy")
        self.assertFalse(os.path.exists(self.made.directory))

    def check_status(self, status):
        self.assertEqual((status["schema"], status["cluster"], status["state"]), ("pgmosaic/status/1", "app", "healthy"))
        self.assertEqual(sum(shard["buckets"] for shard in status["shards"]), 65536)
        for shard in status["shards"]:
            self.assertEqual((shard["state"], [node["role"] for node in shard["nodes"]]), ("healthy", ["primary", "standby"]))
            for node in shard["nodes"]:
                self.assertTrue({"name", "role", "host", "port", "pid", "data_directory", "timeline", "lsn", "sync", "promotable",
                                 "lag_bytes"} <= set(node), node)
                self.assertTrue(node["data_directory"].startswith(self.made.directory))
            self.assertTrue(shard["nodes"][0]["sync"])
            self.assertTrue(shard["nodes"][1]["promotable"])
        self.assertIn("pid", status["workbench"])
        self.assertEqual((status["jobs"], status["last_failover"]), ([], None))

    def test_killed_half_way_up_goes_on(self):
        parent = cluster.make_directory("pgm-half-")
        self.addCleanup(shutil.rmtree, parent, True)
        directory = f"{parent}/c"
        self.addCleanup(run, "down", directory, "--destroy")
        for delay in (0.3, 1.0, 2.0, 3.0):
            process = subprocess.Popen([cluster.PGMOSAIC, "up", directory, "--shards", "2"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = run("up", directory, "--shards", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        status = json.loads(run("--cluster", directory, "status", "-o", "json").stdout)
        self.assertEqual([len(shard["nodes"]) for shard in status["shards"]], [2, 2])

    def test_killed_endpoint_comes_back_with_up(self):
        os.kill(self.made.pid, signal.SIGKILL)
        time.sleep(0.5)
        self.made.command("up", self.made.directory, timeout=120)
        self.assertEqual(self.made.raw().value("SELECT 1"), "1")


if __name__ == "__main__":
    unittest.main()
