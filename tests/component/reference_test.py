"""The copies of a reference table stay equal whatever is written to it, by whom, and at the same time (PROTOCOLS 1.11)."""
import random
import threading
import time
import unittest

import cluster
import raw

ROWS, SECONDS = 12, 3


def setUpModule():
    global target
    target = cluster.started(cluster.Pair(shards=3)).target
    with target.raw() as connection:
        connection.execute("CREATE TABLE ref (id int PRIMARY KEY, x int NOT NULL, y int NOT NULL)")
        connection.execute("CREATE TABLE made (id bigserial PRIMARY KEY, name text, at timestamptz DEFAULT clock_timestamp(), "
                           "word uuid DEFAULT gen_random_uuid(), stamp text)")
        connection.execute("CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.stamp := random()::text; RETURN NEW; END $$")
        if not cluster.ON_PLAIN:
            for table in ("ref", "made"):
                connection.execute(f"SELECT create_reference_table('{table}')")
        connection.execute(f"INSERT INTO ref SELECT g, 0, g % 10 FROM generate_series(1, {ROWS}) g")


class Copies(unittest.TestCase):
    def equal(self, table):
        servers = [target] if cluster.ON_PLAIN else target.servers()
        copies = []
        for server in servers:
            with server.raw() as connection:
                copies.append(connection.rows(f"SELECT * FROM {table} ORDER BY id"))
        for copy in copies[1:]:
            self.assertEqual(copy, copies[0])
        return copies[0]

    def side_by_side(self, *jobs):
        """Each job has a connection of its own and is done again and again; deadlocks are none."""
        end, problems, done = time.monotonic() + SECONDS, [], [0] * len(jobs)

        def work(number, job):
            dice = random.Random(number)
            with target.raw() as connection:
                while time.monotonic() < end and not problems:
                    try:
                        job(connection, dice)
                        done[number] += 1
                    except raw.ServerError as error:
                        problems.append(error)
        threads = [threading.Thread(target=work, args=each) for each in enumerate(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(problems, [])
        self.assertGreater(min(done), 5)
        return done

    def test_rows_that_a_condition_chooses_while_others_change_it(self):
        def chosen(connection, dice):
            connection.execute(f"UPDATE ref SET x = x + 1 WHERE y < {dice.randint(1, 9)}")

        def changed(connection, dice):
            connection.execute(f"UPDATE ref SET y = (y + {dice.randint(1, 9)}) % 10 WHERE id = {dice.randint(1, ROWS)}")

        def all_of_them(connection, _):
            connection.execute("BEGIN; UPDATE ref SET y = (y + 3) % 10; UPDATE ref SET x = x + 10 WHERE y > 5; COMMIT")
        self.side_by_side(chosen, chosen, changed, changed, all_of_them)
        self.equal("ref")

    def test_values_that_differ_each_time(self):
        with target.raw() as connection:
            for _ in range(5):
                connection.execute("INSERT INTO made (name) VALUES ('a'), ('b')")
            connection.execute("INSERT INTO made (name) SELECT 'c' FROM generate_series(1, 5)")
            connection.extended("INSERT INTO made (name) VALUES ($1)", ["d"])
            connection.execute("UPDATE made SET at = clock_timestamp() WHERE false")
        rows = self.equal("made")
        self.assertEqual(len(rows), 16)
        self.assertEqual(len({row[3] for row in rows}), 16)

    @unittest.skipIf(cluster.ON_PLAIN, "there are no copies")
    def test_triggers_would_make_them_differ(self):
        writes = ("INSERT INTO made (name) VALUES ('t1'), ('t2')", "INSERT INTO made (name) SELECT 't' FROM generate_series(1, 2)", "DELETE FROM made",
                  "INSERT INTO made (id, name) VALUES (1, 't') ON CONFLICT (id) DO UPDATE SET name = 't'", "UPDATE made SET name = 't'", "COPY made FROM STDIN")
        with target.raw() as connection:
            connection.execute("CREATE TRIGGER stamp BEFORE INSERT ON made FOR EACH ROW EXECUTE FUNCTION stamp()")
            for sql in writes:
                self.assertEqual(connection.query(sql)[0].code, "0A000", sql)
            connection.execute("DROP TRIGGER stamp ON made")
        self.equal("made")

    def test_a_row_lock_is_one_lock(self):
        key = "UPDATE ref SET x = x WHERE id = 1"
        for lock in ("SELECT * FROM ref WHERE id = 1 FOR UPDATE", key):
            for wish in ("SELECT * FROM ref WHERE id = 1 FOR UPDATE NOWAIT", "SELECT * FROM ref WHERE id = 1 FOR SHARE NOWAIT"):
                with target.raw() as holder, target.raw() as other:
                    holder.execute("BEGIN")
                    holder.query(lock)
                    other.execute("BEGIN")
                    self.assertEqual(other.query(wish)[0].code, "55P03", (lock, wish))

    def test_counts_are_exact(self):
        """Read and written back under the lock of one row: no addition is lost."""
        with target.raw() as connection:
            connection.execute("UPDATE ref SET x = 0")

        def add(connection, _):
            connection.execute("BEGIN")
            x = int(connection.value("SELECT x FROM ref WHERE id = 2 FOR UPDATE"))
            connection.execute(f"UPDATE ref SET x = {x + 1} WHERE id = 2; COMMIT")
        done = self.side_by_side(add, add, add)
        self.assertEqual(int(self.equal("ref")[1][1]), sum(done))


if __name__ == "__main__":
    unittest.main()
