"""What an operator does to standbys by hand, and what health checks say meanwhile."""
import json
import os
import signal
import sys
import time
import unittest
import urllib.error
import urllib.request

import cluster

if cluster.ON_PLAIN:
    sys.exit(77)


def setUpModule():
    global made, console
    console = cluster.free_port()
    made = cluster.started(cluster.Cluster(shards=1, standby=True, arguments=("--console", str(console))))
    with made.raw() as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")


def get(path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{console}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Operate(unittest.TestCase):
    def setUp(self):
        cluster.wait_for(lambda: made.status()["state"] == "healthy", 60, "a healthy cluster")

    def test_standby_rebuild_and_rejoin(self):
        for words in (("standby", "rebuild"), ("rejoin",)):
            standby = made.node(0, "standby")
            made.verb(*words, standby["name"], "--yes")
            cluster.wait_for(lambda: made.status()["state"] == "healthy", 60, "the standby's return")
        primary = made.node(0)
        refused = made.verb("standby", "rebuild", primary["name"], "--yes", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("is the primary", refused.stderr)
        self.assertEqual(made.verb("standby", "rebuild", "nobody", "--yes", check=False).returncode, 5)

    def test_standby_remove_and_add(self):
        standby = made.node(0, "standby")
        made.verb("standby", "remove", standby["name"], "--yes")
        nodes = made.status()["shards"][0]["nodes"]
        self.assertEqual([node["role"] for node in nodes], ["primary"])
        with made.raw() as connection:
            connection.execute("INSERT INTO t VALUES (2)")
        made.verb("standby", "add", "s1", "--yes")
        cluster.wait_for(lambda: made.status()["state"] == "healthy", 60, "the standby's return")
        self.assertNotEqual(made.verb("standby", "add", "s1", "--yes", check=False).returncode, 0)

    def test_pause_and_resume(self):
        primary, epoch = made.node(0), made.status()["shards"][0]["epoch"]
        made.verb("pause", "--yes")
        try:
            os.kill(primary["pid"], signal.SIGKILL)
            time.sleep(0.5)
            # Nobody takes its place: it is started again as it is.
            cluster.wait_for(lambda: (made.node(0) or primary)["pid"] not in (0, primary["pid"]), 30, "the primary's restart")
            with made.raw() as connection:
                connection.value("SELECT count(*) FROM t")
            self.assertEqual((made.node(0)["name"], made.status()["shards"][0]["epoch"]), (primary["name"], epoch))
        finally:
            made.verb("resume", "--yes")
        cluster.wait_for(lambda: "failover_resumed" in made.verb("events").stdout, 5, "the event")

    def test_health_and_metrics(self):
        self.assertEqual(get("/health/live"), (200, "live\n"))
        self.assertEqual(get("/health/ready"), (200, "ready\n"))
        status, body = get("/health/shard/s1/primary")
        self.assertEqual((status, json.loads(body)["primary"]), (200, made.node(0)["name"]))
        self.assertEqual(get("/health/shard/s7/primary")[0], 404)
        self.assertIn('mosaic_shard_primary_up{shard="s1"} 1', get("/metrics")[1])

    def test_switchover(self):
        before = made.node(0)["name"]
        with made.raw() as idle:
            made.verb("switchover", "s1", "--yes")
            self.assertNotEqual(made.node(0)["name"], before)
            self.assertEqual(idle.value("SELECT count(*) > 0 FROM t"), "t")


if __name__ == "__main__":
    unittest.main()
