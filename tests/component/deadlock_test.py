"""Circles of waiting that no single server sees are found within deadlock_timeout and broken with 40P01 for the youngest."""
import os
import random
import threading
import time
import unittest

import cluster
import raw

KEYS = 16


def setUpModule():
    global target
    target = cluster.started(cluster.Pair(shards=4)).target
    with target.raw() as connection:
        connection.execute("CREATE TABLE things (id int PRIMARY KEY, n int NOT NULL)")
        connection.execute("CREATE TABLE codes (id int PRIMARY KEY, n int NOT NULL)")
        if not cluster.ON_PLAIN:
            connection.execute("SELECT create_distributed_table('things', 'id')")
            connection.execute("SELECT create_reference_table('codes')")
        connection.execute("COPY things FROM STDIN", b"".join(b"%d\t0\n" % key for key in range(1, KEYS + 1)))
        connection.execute("COPY codes FROM STDIN", b"".join(b"%d\t0\n" % key for key in range(1, KEYS + 1)))


def keys_of_different_shards(count):
    """Keys that live on different shards."""
    if cluster.ON_PLAIN:
        return list(range(1, count + 1))
    with target.raw() as connection:
        by_shard = {}
        for key in range(1, KEYS + 1):
            by_shard.setdefault(connection.value(f"SELECT mosaic.shard_of('things', '{key}')"), key)
    return list(by_shard.values())[:count]


class Waiting(threading.Thread):
    """A statement that another session's lock holds up."""

    def __init__(self, connection, sql, extended=False):
        super().__init__()
        self.connection, self.sql, self.extended, self.error, self.seconds = connection, sql, extended, None, None
        self.start()

    def run(self):
        begin = time.monotonic()
        try:
            if self.extended:
                result = self.connection.extended(self.sql)
                if result.error:
                    raise raw.ServerError(result.error)
            else:
                self.connection.execute(self.sql)
        except raw.ServerError as error:
            self.error = error
        self.seconds = time.monotonic() - begin


class Deadlock(unittest.TestCase):
    def circle(self, count, extended=False):
        """`count` sessions, each holds a row and waits for the next one's. Returns the statements that waited."""
        keys = keys_of_different_shards(count)
        connections = [target.raw() for _ in keys]
        for connection, key in zip(connections, keys):
            connection.execute("BEGIN")
            connection.execute(f"UPDATE things SET n = n + 1 WHERE id = {key}")
            time.sleep(0.02)
        waiting = [Waiting(connection, f"UPDATE things SET n = n + 1 WHERE id = {keys[(i + 1) % count]}", extended)
                   for i, connection in enumerate(connections)]
        end = time.monotonic() + 10
        while time.monotonic() < end and not any(each.error for each in waiting):
            time.sleep(0.01)
        victims = [each for each in waiting if each.error]
        for each in victims:
            each.connection.execute("ROLLBACK")
        for i in reversed(range(count)):  # what was freed goes on, one after the other
            waiting[i].join(10)
            if waiting[i] not in victims:
                connections[i].execute("COMMIT")
        for connection in connections:
            connection.close()
        return waiting, victims

    def test_two_sessions(self):
        waiting, victims = self.circle(2)
        self.assertEqual([each.error.code for each in victims], ["40P01"])
        self.assertEqual(victims[0].error.fields["M"], "deadlock detected")
        if cluster.ON_PLAIN:
            return
        self.assertIs(victims[0], waiting[1], "the youngest is broken")
        detail = victims[0].error.fields["D"]
        self.assertEqual(detail.count("waits for"), 2, detail)
        self.assertEqual(detail.count("on shard"), 2, detail)
        self.assertLess(victims[0].seconds, 2.0)
        print(f"found after {victims[0].seconds:.2f} s")

    def test_three_sessions(self):
        waiting, victims = self.circle(3)
        self.assertEqual([each.error.code for each in victims], ["40P01"])

    def test_extended_protocol(self):
        waiting, victims = self.circle(2, extended=True)
        self.assertEqual([each.error.code for each in victims], ["40P01"])

    def test_a_statement_of_all_shards(self):
        keys = keys_of_different_shards(2)
        with target.raw() as one, target.raw() as other:
            one.execute("BEGIN")
            one.execute(f"UPDATE things SET n = n + 1 WHERE id = {keys[0]}")
            other.execute("BEGIN")
            other.execute(f"UPDATE things SET n = n + 1 WHERE id = {keys[1]}")
            waiting = [Waiting(one, f"UPDATE things SET n = n + 1 WHERE id = {keys[1]}"), Waiting(other, "UPDATE things SET n = n + 1")]
            end = time.monotonic() + 10
            while time.monotonic() < end and not any(each.error for each in waiting):
                time.sleep(0.01)
            self.assertEqual([each.error.code for each in waiting if each.error], ["40P01"])
            for each in waiting:
                if each.error:
                    each.connection.execute("ROLLBACK")
            for each in waiting:
                each.join(10)
                each.connection.execute("ROLLBACK")

    def test_long_waits_are_none(self):
        keys = keys_of_different_shards(2)
        with target.raw() as holder, target.raw() as waiter:
            for connection, key in ((holder, keys[0]), (waiter, keys[1])):
                connection.execute("BEGIN")
                connection.execute(f"UPDATE things SET n = n + 1 WHERE id = {key}")
            waiting = Waiting(waiter, f"UPDATE things SET n = n + 1 WHERE id = {keys[0]}")
            time.sleep(2.5)
            holder.execute("SELECT sum(n) FROM things")
            holder.execute("COMMIT")
            waiting.join(10)
            self.assertIsNone(waiting.error)
            waiter.execute("COMMIT")

    def test_who_holds_locks_gets_a_connection(self):
        """PROTOCOLS 2.10: all of a shard's connections belong to those who wait for a row of the one who wants another connection."""
        wanted, other = keys_of_different_shards(2)
        with target.raw() as holder:
            holder.execute("BEGIN")
            holder.execute(f"UPDATE things SET n = n + 1 WHERE id = {wanted}")
            crowd = [target.raw() for _ in range(40)]  # pool.per_shard
            for each in crowd:
                each.execute("BEGIN")
                each.execute(f"SELECT n FROM things WHERE id = {other}")
                each.send(raw.query(f"UPDATE things SET n = n + 0 WHERE id = {wanted}; ROLLBACK"))
            time.sleep(1)
            begin = time.monotonic()
            holder.execute(f"UPDATE things SET n = n + 1 WHERE id = {other}")
            self.assertLess(time.monotonic() - begin, 2)
            holder.execute("ROLLBACK")
            for each in crowd:
                each.until_ready()
                each.close()

    @unittest.skipUnless(os.environ.get("PGM_LONG"), "takes ten minutes; PGM_LONG=1 runs it")
    def test_waits_that_end_are_none_for_long(self):
        """No false alarm in ten minutes (or PGM_SOAK_SECONDS) of waiting in one order."""
        seconds = int(os.environ.get("PGM_SOAK_SECONDS", 600))
        end, done, problems = time.monotonic() + seconds, [0], []

        def work(seed):
            dice = random.Random(seed)
            with target.raw() as connection:
                while time.monotonic() < end and not problems:
                    try:
                        connection.execute("BEGIN")
                        for key in sorted(dice.sample(range(1, KEYS + 1), dice.randint(2, 5))):
                            connection.execute(f"UPDATE things SET n = n + 1 WHERE id = {key}")
                            if dice.random() < 0.02:
                                time.sleep(1.3)  # others wait longer than deadlock_timeout
                        connection.execute("COMMIT")
                        done[0] += 1
                    except raw.ServerError as error:
                        problems.append(error)
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([str(problem.fields) for problem in problems], [])
        print(f"{done[0]} transactions in {seconds} s, no deadlock")

    def test_what_is_only_described_holds_no_lock(self):
        """Parse locks the table it writes; two sessions that have only parsed must not wait for each other (D23)."""
        with target.raw() as one, target.raw() as other:
            for number, connection in enumerate((one, other)):
                connection.execute("BEGIN")
                connection.send(raw.parse(f"UPDATE codes SET n = n + 1 WHERE id = $1 AND {number} = {number}", name="u"), raw.sync())
                connection.until_ready()
            first = Waiting(one, "UPDATE codes SET n = n + 1 WHERE id = 1")
            first.join(0.5)
            second = Waiting(other, "UPDATE codes SET n = n + 1 WHERE id = 2")
            first.join(5)
            self.assertFalse(first.is_alive())
            self.assertIsNone(first.error)
            one.execute("COMMIT")
            second.join(10)
            self.assertIsNone(second.error)
            other.execute("COMMIT")


if __name__ == "__main__":
    unittest.main()
