"""The commit of several shards, broken exactly at one of its steps: docs/transaction_path.md, "Which test holds which rule"."""
import contextlib
import os
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "component"))
import cluster
import raw
import served

if cluster.ON_PLAIN:
    sys.exit(77)
SETTINGS = ["auth: [ { from: local, users: all, method: trust } ]", "pool: { wait_timeout: 1s }"]
OURS = "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE 'pgm%'"


def setUpModule():
    global endpoint, servers, keys
    servers = [cluster.started(cluster.Plain()) for _ in range(3)]
    endpoint = cluster.started(served.Served(servers, SETTINGS))
    endpoint.start()
    with endpoint.raw() as connection:
        connection.execute("CREATE TABLE k (id int PRIMARY KEY, n int NOT NULL)")
        connection.execute("SELECT create_distributed_table('k', 'id')")
        connection.execute("INSERT INTO k SELECT g, 0 FROM generate_series(1, 30) g")
        names = {connection.value(f"SELECT mosaic.shard_of('k', '{key}')"): key for key in range(30, 0, -1)}
    keys = [names[name] for name in ("s1", "s2", "s3")]


def direct(shard, user="postgres"):
    """A session on a shard's server, past the endpoint."""
    return servers[shard].raw(user=user)


def on(shard, sql):
    with direct(shard) as connection:
        return connection.rows(sql)


def prepared():
    return [row[0] for shard in range(3) for row in on(shard, OURS)]


def decisions():
    return [row for shard in range(3) for row in on(shard, "SELECT gid, verdict FROM pg_mosaic.decisions")]


def value(shard):
    return int(on(shard, f"SELECT n FROM k WHERE id = {keys[shard]}")[0][0])


def is_stopped(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class Commit(threading.Thread):
    """COMMIT of a connection, and what it was told."""

    def __init__(self, connection):
        super().__init__(daemon=True)
        self.connection, self.result = connection, None
        self.start()

    def run(self):
        with contextlib.suppress(OSError, raw.Closed):
            self.result = self.connection.query("COMMIT")[-1]

    def told(self, seconds=20):
        self.join(seconds)
        assert not self.is_alive(), "COMMIT hangs"
        if self.result is None:
            return "nothing"
        return self.result.code or self.result.tag


class Step(unittest.TestCase):
    def setUp(self):
        endpoint.kill()
        endpoint.start()
        with endpoint.raw() as connection:
            connection.execute("UPDATE k SET n = 0")
        cluster.wait_for(lambda: not prepared(), 10, "recovery")

    def tearDown(self):
        if endpoint.program.poll() is None:
            endpoint.program.send_signal(signal.SIGCONT)
        for server in servers:
            with contextlib.suppress(RuntimeError):
                server.start()

    def restart(self, fault):
        endpoint.kill()
        for shard in range(3):
            on(shard, "TRUNCATE pg_mosaic.decisions")
        endpoint.start(PGMOSAIC_FAULT=fault)

    def begin(self, *statements):
        connection = endpoint.raw()
        self.addCleanup(connection.close)
        connection.execute("BEGIN")
        for sql in statements:
            connection.execute(sql)
        return connection

    def write(self, *shards):
        return self.begin(*(f"UPDATE k SET n = 1 WHERE id = {keys[shard]}" for shard in shards))

    def stopped(self, step, connection=None, shards=(0, 1)):
        """A COMMIT at which the coordinator sleeps at this step."""
        self.restart(f"stop@{step}")
        commit = Commit(connection() if connection else self.write(*shards))
        cluster.wait_for(lambda: is_stopped(endpoint.program.pid), 10, f"the stop at {step}")
        return commit

    def killed(self, step, shards=(0, 1)):
        self.restart(step)
        commit = Commit(self.write(*shards))
        endpoint.program.wait(10)
        commit.told()

    @staticmethod
    def go_on():
        endpoint.program.send_signal(signal.SIGCONT)

    def agrees(self, told, shards=(0, 1)):
        """Whole or not at all, as the client was told, within a few seconds; nothing is locked then."""
        cluster.wait_for(lambda: not prepared(), 15, "the end of all prepared transactions")
        values = {value(shard) for shard in shards}
        self.assertEqual(len(values), 1, f"half a transaction, told {told}")
        if told == "COMMIT":
            self.assertEqual(values, {1})
        elif told not in ("nothing", "08007"):
            self.assertEqual(values, {0}, told)
        for shard in shards:
            on(shard, f"SELECT n FROM k WHERE id = {keys[shard]} FOR UPDATE NOWAIT")
        return values.pop()


class Participants(Step):
    def test_who_only_locked_is_prepared_too(self):
        """1.4: its lock holds until the others are committed."""
        commit = self.stopped("commit:after_prepare", lambda: self.begin(
            f"UPDATE k SET n = 1 WHERE id = {keys[0]}", f"SELECT n FROM k WHERE id = {keys[1]} FOR UPDATE"))
        self.assertEqual(len(prepared()), 1)
        for shard in (0, 1):
            with direct(shard) as connection, self.assertRaises(raw.ServerError) as caught:
                connection.execute(f"SELECT n FROM k WHERE id = {keys[shard]} FOR UPDATE NOWAIT")
            self.assertEqual(caught.exception.code, "55P03")
        self.go_on()
        self.assertEqual(commit.told(), "COMMIT")

    def test_who_only_locked_the_table_or_a_key_is_prepared_too(self):
        for lock in ("LOCK TABLE k IN SHARE ROW EXCLUSIVE MODE", "SELECT pg_advisory_xact_lock(7)"):
            with self.subTest(lock=lock):
                commit = self.stopped("commit:after_prepare", lambda sql=lock: self.begin(sql, f"UPDATE k SET n = 1 WHERE id = {keys[2]}"))
                self.assertNotEqual(prepared(), [])
                self.go_on()
                self.assertEqual(commit.told(), "COMMIT")

    def test_what_cannot_be_prepared_commits_last(self):
        """1.9: a temporary table, a cursor WITH HOLD. A snapshot is exported on all shards: then there is no last one."""
        for state in ("CREATE TEMP TABLE mine (a int)", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"):
            with self.subTest(state=state):
                connection = self.begin(state, *(f"UPDATE k SET n = n + 1 WHERE id = {key}" for key in keys))
                self.assertEqual(connection.query("COMMIT")[0].tag, "COMMIT")
                connection.query("DISCARD ALL")
        connection = self.begin("SELECT pg_export_snapshot()", *(f"UPDATE k SET n = 9 WHERE id = {key}" for key in keys))
        self.assertEqual(connection.query("COMMIT")[0].code, "0A000")
        self.assertNotIn(9, {value(0), value(1), value(2)})

    def test_a_full_table_of_prepared_transactions(self):
        """The participant that has no room left: nothing is half committed, nothing stays locked."""
        room = int(on(1, "SHOW max_prepared_transactions")[0][0])
        with direct(1) as connection:
            for number in range(room):
                connection.execute(f"BEGIN; PREPARE TRANSACTION 'full{number}'")
            commit = Commit(self.write(0, 1, 2))
            told = commit.told()
            for number in range(room):
                connection.execute(f"ROLLBACK PREPARED 'full{number}'")
        self.assertEqual(told, "53200")
        self.assertEqual(self.agrees(told, (0, 1, 2)), 0)
        self.assertEqual(Commit(self.write(0, 1, 2)).told(), "COMMIT")

    def test_a_client_that_vanishes(self):
        connection = self.write(0, 1)
        connection.socket.close()
        cluster.wait_for(lambda: self.is_free(0) and self.is_free(1), 5, "its locks' end")
        self.agrees("rolled back")
        commit = self.stopped("commit:after_prepare")
        with contextlib.suppress(OSError):
            commit.connection.socket.shutdown(2)
        self.go_on()
        self.agrees("nothing")

    def is_free(self, shard):
        with direct(shard) as connection:
            return connection.query(f"SELECT n FROM k WHERE id = {keys[shard]} FOR UPDATE NOWAIT")[0].error is None


class Decision(Step):
    def test_a_no_that_came_first_wins(self):
        """1.5, 1.6: a coordinator that slept while another one gave its transaction up."""
        commit = self.stopped("commit:after_prepare")
        gid, = prepared()
        on(0, f"INSERT INTO pg_mosaic.decisions (gid, verdict) VALUES ('{gid}', 'no')")
        on(1, f"ROLLBACK PREPARED '{gid}'")
        self.go_on()
        told = commit.told()
        self.assertEqual(told, "40001")
        self.assertEqual(self.agrees(told), 0)

    def test_a_forged_yes_is_none(self):
        """1.8: anybody may read a gid; only its coordinator knows the nonce."""
        self.killed("commit:after_prepare")
        gid, = prepared()
        with direct(0, "app") as connection:
            connection.execute(f"SELECT pg_mosaic.decide_yes('{gid}', 'guessed', 's1,s2')")
            for sql in (f"INSERT INTO pg_mosaic.decisions (gid, verdict) VALUES ('{gid}x', 'no')", f"DELETE FROM pg_mosaic.decisions"):
                with self.assertRaises(raw.ServerError) as caught:
                    connection.execute(sql)
                self.assertEqual(caught.exception.code, "42501")
        endpoint.start()
        self.assertEqual(self.agrees("rolled back"), 0)

    def test_the_row_of_a_dead_coordinator_is_not_waited_for(self):
        """1.7: its server session is half open and holds the row."""
        self.killed("commit:after_prepare")
        gid, = prepared()
        with direct(0, "app") as holder:
            holder.execute(f"BEGIN; SELECT pg_mosaic.decide_yes('{gid}', 'x', 's1,s2')")
            endpoint.start()
            self.assertEqual(self.agrees("rolled back"), 0)

    def test_a_yes_is_kept_until_all_have_done_it(self):
        """1.6: a participant that is down for longer than anybody waits."""
        commit = self.stopped("commit:after_decision")
        cluster.subprocess.run([str(cluster.BIN / "pg_ctl"), "-D", servers[1].data, "-m", "immediate", "-w", "stop"], cwd="/", check=True,
                               stdout=cluster.subprocess.DEVNULL, **cluster.SERVER_USER)
        self.go_on()
        told = commit.told(90)
        self.assertEqual(told, "08007", "it is not everywhere yet")
        self.assertIn("committed", commit.result.error["M"])
        time.sleep(1.5)  # what nobody needs is deleted by then
        servers[1].start()
        self.assertEqual(self.agrees(told), 1)

    def test_its_shard_is_down(self):
        """Lost before it could decide: rolled back everywhere, and told so or not told."""
        for back_soon in (True, False):
            with self.subTest(back_soon=back_soon):
                commit = self.stopped("commit:after_prepare")
                cluster.subprocess.run([str(cluster.BIN / "pg_ctl"), "-D", servers[0].data, "-m", "immediate", "-w", "stop"], cwd="/", check=True,
                                       stdout=cluster.subprocess.DEVNULL, **cluster.SERVER_USER)
                self.go_on()
                if back_soon:
                    servers[0].start()
                told = commit.told(90)
                self.assertIn(told, ("40001", "08007"))
                if not back_soon:
                    self.assertEqual(value(2), 0)
                    servers[0].start()
                self.assertEqual(self.agrees(told), 0)

    def test_old_ones_go(self):
        """1.6: a yes when nobody lists it, a no also not before what is older than it has ended."""
        self.killed("commit:after_phase_two")
        self.assertEqual([verdict for _, verdict in decisions()], ["yes"])
        with direct(0) as sleeper:
            sleeper.execute("BEGIN; SELECT 1")
            on(0, "INSERT INTO pg_mosaic.decisions (gid, verdict) VALUES ('pgm_of_somebody', 'no')")
            endpoint.start()
            with endpoint.raw() as connection:
                connection.value("SELECT sum(n) FROM k")
            cluster.wait_for(lambda: [verdict for _, verdict in decisions()] == ["no"], 20, "the end of the yes")
            time.sleep(6)
            self.assertEqual([verdict for _, verdict in decisions()], ["no"])
        cluster.wait_for(lambda: not decisions(), 20, "the end of the no")


class Reads(Step):
    @contextlib.contextmanager
    def busy(self, shard, gid):
        """Somebody finishes it, and sleeps: nobody else can."""
        self.replication(shard, "'nobody'")
        with direct(shard) as sleeper:
            thread = threading.Thread(target=lambda: sleeper.query(f"COMMIT PREPARED '{gid}'"), daemon=True)
            thread.start()
            cluster.wait_for(lambda: on(shard, f"SELECT 1 FROM pg_stat_activity WHERE pid = {sleeper.pid} AND wait_event = 'SyncRep'"), 10, "its wait")
            os.kill(sleeper.pid, signal.SIGSTOP)
            try:
                self.replication(shard, "''")
                yield
            finally:
                os.kill(sleeper.pid, signal.SIGCONT)
                thread.join(10)

    @staticmethod
    def replication(shard, names):
        with direct(shard) as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = {names}")
            connection.execute("SELECT pg_reload_conf()")
        cluster.wait_for(lambda: on(shard, "SHOW synchronous_standby_names")[0][0] == names.strip("'"), 10, "the reload")
        time.sleep(0.2)  # of the checkpointer, which decides who waits

    def test_what_is_in_doubt_is_in_no_snapshot_of_several_shards(self):
        """2.4: decided, and not finished on one shard, also for a coordinator that has just begun; all else goes on."""
        self.killed("commit:after_decision", (0, 1, 2))
        gid = prepared()[0]
        on(1, f"COMMIT PREPARED '{gid}'")
        with self.busy(2, gid):
            endpoint.start()
            with endpoint.raw() as connection:
                self.assertEqual(connection.value(f"SELECT n FROM k WHERE id = {keys[0]}"), "1")
                connection.execute(f"UPDATE k SET n = n + 0 WHERE id = {keys[1]}")
                begin = time.monotonic()
                result = connection.query("SELECT sum(n) FROM k")[0]
                self.assertEqual(result.code, "57P03", result.rows)
                self.assertLess(time.monotonic() - begin, 5)
                self.assertEqual(connection.value(f"SELECT count(*) FROM mosaic.transactions WHERE gid = '{gid}'"), "1")
                connection.execute("SET mosaic.consistency = eventual")
                self.assertEqual(connection.value("SELECT sum(n) FROM k"), "2")
        self.assertEqual(self.agrees("nothing", (0, 1, 2)), 1)
        with endpoint.raw() as connection:
            self.assertEqual(connection.value("SELECT sum(n) FROM k"), "3")

    def test_every_step(self):
        """Killed anywhere, whole or not at all, and free again within seconds."""
        for step in ("before_prepare", "one_prepared", "after_prepare", "after_decision", "one_finished", "after_phase_two"):
            with self.subTest(step=step):
                self.killed(f"commit:{step}", (0, 1, 2))
                endpoint.start()
                decided = step in ("after_decision", "one_finished", "after_phase_two")
                self.assertEqual(self.agrees("nothing", (0, 1, 2)), int(decided))
                with endpoint.raw() as connection:
                    connection.execute("UPDATE k SET n = 0")


if __name__ == "__main__":
    unittest.main()
