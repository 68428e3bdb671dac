"""Rules of PROTOCOLS 3, each by the accident that it was written for (docs/failover.md has the table of all of them)."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

import ledger  # noqa: F401  makes the component folder known
import cluster
import raw

if cluster.ON_PLAIN:
    sys.exit(77)


def setUpModule():
    global made
    made = cluster.started(cluster.Cluster(shards=1, standby=True))
    with made.raw() as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY)")


def processes(node):
    children = pathlib.Path(f"/proc/{node['pid']}/task/{node['pid']}/children").read_text().split()
    return [node["pid"], *map(int, children)]


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def ask(node, sql):
    with made.server(node).raw() as connection:
        return connection.value(sql)


def process_of(node, backend_type):
    return int(ask(node, f"SELECT pid FROM pg_stat_activity WHERE backend_type = '{backend_type}'"))


def healthy():
    return made.status()["state"] == "healthy"


def events():
    return made.verb("events").stdout


@contextlib.contextmanager
def stopped(pids):
    """SIGSTOP for as long as it lasts."""
    signal_all(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_all(pids, signal.SIGCONT)


class Rules(unittest.TestCase):
    def setUp(self):
        cluster.wait_for(healthy, 60, "a healthy cluster")

    def insert(self, number):
        """Seconds that an autocommitted insert took."""
        with made.raw() as connection, cluster.stopwatch() as elapsed:
            connection.socket.settimeout(60)
            connection.execute(f"INSERT INTO t VALUES ({number})")
        return elapsed[0]

    def test_3_2_an_archive_gives_nothing_to_a_standby_that_takes_over(self):
        standby = made.node(0, "standby")
        with made.server(standby).raw() as connection:
            connection.execute("ALTER SYSTEM SET restore_command = 'false'")
            connection.execute("SELECT pg_reload_conf()")
        cluster.wait_for(lambda: ask(standby, "SHOW restore_command") == "false", 5, "the archive")
        made.verb("failover", "s1", "--yes")
        self.assertEqual(made.node(0)["name"], standby["name"])
        self.assertEqual(ask(made.node(0), "SHOW restore_command"), "")

    def test_3_4_sync_is_not_believed_while_the_checkpointer_sleeps(self):
        """The primary says that commits wait, and they do not: the standby must not be promotable before they do."""
        signal_all(processes(made.node(0, "standby")), signal.SIGKILL)
        primary = made.node(0)
        cluster.wait_for(lambda: ask(primary, "SHOW synchronous_standby_names") == "", 20, "commits without the standby")
        self.insert(34)
        said = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        with stopped([process_of(primary, "checkpointer")]):
            cluster.wait_for(lambda: ask(primary, said) == "1", 30, "a primary that says sync")
            end = time.monotonic() + 4
            while time.monotonic() < end:
                promotable = [node["promotable"] for node in made.status()["shards"][0]["nodes"]]
                self.assertNotIn(True, promotable)
                time.sleep(0.1)

    def test_3_5_sessions_of_an_earlier_decider_are_ended(self):
        with made.server(made.node(0)).raw(application_name="pgmosaic_keeper") as late:
            late.value("SELECT 1")
            os.kill(made.pid, signal.SIGKILL)
            made.command("up", made.directory, timeout=60)

            def ended():
                with contextlib.suppress(OSError, raw.Closed, raw.ServerError):
                    late.value("SELECT 1")
                    return False
                return True
            cluster.wait_for(ended, 10, "the end of an earlier decider's session")

    def test_3_9_settings_do_not_travel_with_clones(self):
        old = made.node(0)["name"]
        made.verb("failover", "s1", "--yes")
        cluster.wait_for(healthy, 60, "the old primary's return")
        returned = made.node(0, "standby")
        self.assertEqual(returned["name"], old)
        kept = pathlib.Path(returned["data_directory"], "postgresql.auto.conf").read_text()
        self.assertNotIn("synchronous_standby_names", kept)
        self.assertIn(f"port={made.node(0)['port']}", kept)
        made.verb("failover", "s1", "--yes")
        self.assertEqual(made.node(0)["name"], old)
        self.assertLess(self.insert(39), 2, "the promoted standby waits for itself")

    def test_3_10_a_slot_reserves_from_the_start(self):
        """Made, used, and never seen by a checkpoint: after a crash it still knows what its standby needs."""
        made.verb("standby", "remove", made.node(0, "standby")["name"], "--yes")
        made.verb("standby", "add", "s1", "--yes")
        primary, standby = made.node(0), made.node(0, "standby")
        command = pathlib.Path(f"/proc/{primary['pid']}/cmdline").read_text().split("\0")[:-1]
        os.kill(made.pid, signal.SIGKILL)  # else it would start both
        signal_all(processes(primary) + processes(standby), signal.SIGKILL)
        time.sleep(0.5)
        pathlib.Path(primary["data_directory"], "postmaster.pid").unlink(missing_ok=True)
        for left in pathlib.Path(made.directory, "sockets").glob(f".s.PGSQL.{primary['port']}*"):
            left.unlink()
        server = subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **cluster.SERVER_USER)
        try:
            def position():
                self.assertIsNone(server.poll(), server.poll() is not None and server.stderr.read())
                with contextlib.suppress(OSError, raw.Closed, raw.ServerError):
                    return ask(primary, f"SELECT coalesce(restart_lsn::text, 'nothing') FROM pg_replication_slots "
                                        f"WHERE slot_name = '{standby['name']}'")
            self.assertNotEqual(cluster.wait_for(position, 20, "the primary"), "nothing")
        finally:
            server.send_signal(signal.SIGQUIT)
            server.communicate(timeout=20)
            made.command("up", made.directory, timeout=60)

    def test_3_11_another_receiver_of_the_same_name_is_not_the_standby(self):
        primary, standby = made.node(0), made.node(0, "standby")
        directory = cluster.make_directory("pgm-receiver-")
        self.addCleanup(shutil.rmtree, directory, True)
        receiver = subprocess.Popen(
            [str(cluster.BIN / "pg_receivewal"), "-D", directory, "-n", "--synchronous", "-d",
             f"host=127.0.0.1 port={primary['port']} user=postgres application_name={standby['name']}"],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **cluster.SERVER_USER)
        try:
            cluster.wait_for(lambda: "somebody else streams under the name" in events(), 10, "the stranger to be noticed")
            self.assertNotIn(True, [node["promotable"] for node in made.status()["shards"][0]["nodes"]])
            self.insert(311)
        finally:
            receiver.kill()
            receiver.wait()

    def test_3_12_a_function_that_writes_has_written_once(self):
        with made.raw() as connection:
            connection.execute("CREATE TABLE calls (at timestamptz); CREATE FUNCTION slow() RETURNS int LANGUAGE plpgsql AS "
                               "$$BEGIN INSERT INTO calls VALUES (now()); PERFORM pg_sleep(1.5); RETURN 1; END$$")
        told = []

        def call():
            with made.raw() as connection:
                connection.socket.settimeout(60)
                told.append(connection.query("SELECT slow()")[-1].code)
        caller = threading.Thread(target=call)
        caller.start()
        time.sleep(0.7)
        signal_all(processes(made.node(0)), signal.SIGKILL)
        caller.join(60)
        self.assertIn(told, ([None], ["40001"]))
        with made.raw() as connection:
            self.assertEqual(connection.value("SELECT count(*) FROM calls"), "1" if told == [None] else "0")

    def test_3_13_a_trigger_cannot_lower_synchronous_commit(self):
        with made.raw() as connection:
            connection.execute("CREATE TABLE lowered (id int PRIMARY KEY); CREATE FUNCTION lower_it() RETURNS trigger LANGUAGE plpgsql AS "
                               "$$BEGIN PERFORM set_config('synchronous_commit', 'local', true); RETURN NEW; END$$;"
                               "CREATE TRIGGER lowering BEFORE INSERT ON lowered FOR EACH ROW EXECUTE FUNCTION lower_it()")
        ways = {"alone": "INSERT INTO lowered VALUES (1)", "explicit": "BEGIN; INSERT INTO lowered VALUES (2); COMMIT"}
        for way, sql in ways.items():
            with self.subTest(way):
                cluster.wait_for(healthy, 60, "a healthy cluster")
                with made.raw() as connection, stopped(processes(made.node(0, "standby"))), cluster.stopwatch() as elapsed:
                    connection.socket.settimeout(60)
                    connection.execute(sql)
                # Acknowledged only after the store says that the standby does not count any more.
                self.assertGreater(elapsed[0], 1.0)


class ZOldStore(unittest.TestCase):
    """PROTOCOLS 3.7: last week's copy of the store knows a primary that is none any more."""

    def test_3_7_an_old_copy_serves_nothing(self):
        cluster.wait_for(healthy, 60, "a healthy cluster")
        store = pathlib.Path(made.directory, "state")
        made.command("down", made.directory, timeout=90)
        old, newest = store.with_name("old"), store.with_name("newest")
        shutil.copytree(store, old)
        made.command("up", made.directory, timeout=60)
        cluster.wait_for(healthy, 60, "a healthy cluster")
        made.verb("failover", "s1", "--yes")
        cluster.wait_for(healthy, 60, "the old primary's return")
        made.command("down", made.directory, timeout=90)
        self.exchange(store, newest, old)
        up = subprocess.Popen([cluster.PGMOSAIC, "up", made.directory], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            cluster.wait_for(lambda: "has seen epoch" in made.logs(2000) , 30, "the refusal's reason")
            with self.assertRaises((raw.ServerError, raw.Closed, OSError)):
                made.socket().start(user="app", database="app").value("SELECT 1")
        finally:
            made.command("down", made.directory, timeout=90)
            up.wait(70)
            self.exchange(store, old, newest)
        made.command("up", made.directory, timeout=60)
        with made.raw() as connection:
            connection.value("SELECT count(*) FROM t")

    def exchange(self, store, away, here):
        owner = store.stat()
        if away.exists():
            shutil.rmtree(away)
        store.rename(away)
        shutil.copytree(here, store)
        for path in [store, *store.rglob("*")]:
            os.chown(path, owner.st_uid, owner.st_gid)


if __name__ == "__main__":
    unittest.main(verbosity=2)
