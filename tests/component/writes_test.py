"""Writes that no shard can do for itself do what they do on one PostgreSQL, or nothing on any shard."""
import threading
import unittest

import cluster
import compare


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair(shards=3))
    pair.both("CREATE TABLE t (id int PRIMARY KEY, grp int, v varchar(12), n numeric(8,2) DEFAULT 7, twice int GENERATED ALWAYS AS (grp * 2) STORED, list int[])")
    pair.both("CREATE TYPE mood AS ENUM ('low', 'high'); CREATE TABLE s (id bigint PRIMARY KEY, ref int, note text, m mood)")
    pair.both("CREATE TABLE made (tenant int, id serial, note text, PRIMARY KEY (tenant, id))")
    pair.both("CREATE TABLE old (id int, at text, v text, PRIMARY KEY (at, id))")
    pair.both("CREATE TABLE r (code int PRIMARY KEY, label text, m mood)")
    pair.both("CREATE TABLE own (a int PRIMARY KEY, b text)")
    pair.both("CREATE TABLE seen (k int PRIMARY KEY, v text, changes int DEFAULT 0)")
    for table, key in (("t", "id"), ("s", "id"), ("made", "tenant"), ("old", "at"), ("seen", "k")):
        pair.distribute(table, key)
    pair.reference("r")
    pair.both("CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
              "IF NEW.v = 'stay' THEN RETURN NULL; END IF; NEW.changes := NEW.changes + 1; RETURN NEW; END $$")
    pair.both("CREATE TRIGGER changes BEFORE UPDATE OR INSERT ON seen FOR EACH ROW EXECUTE FUNCTION note_change()")


class Writes(unittest.TestCase):
    def setUp(self):
        self.session = compare.Comparison(pair)
        self.addCleanup(self.session.close)
        pair.both("TRUNCATE t, s, made, old, seen; TRUNCATE r; TRUNCATE own; ALTER SEQUENCE made_id_seq RESTART")
        pair.fill("t (id, grp, v, list)", "SELECT g, g % 7, 'v' || g, ARRAY[g, g % 3] FROM generate_series(1, 40) g")
        pair.fill("s (id, ref, note, m)", "SELECT g, g % 9, 'n' || g, CASE WHEN g % 2 = 0 THEN 'low'::mood ELSE 'high' END FROM generate_series(1, 30) g")
        pair.fill("seen (k, v)", "SELECT g, 'first' FROM generate_series(1, 20) g")
        pair.both("INSERT INTO r SELECT g, 'l' || g, 'low' FROM generate_series(1, 12) g; INSERT INTO own SELECT g, 'b' || g FROM generate_series(1, 12) g")

    def same(self, *statements, **options):
        found = [line for sql in statements for line in self.session.simple(sql, **options)]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def same_tables(self, *tables):
        for table in tables or ("t", "s", "made", "old", "r", "own", "seen"):
            self.same(f"SELECT * FROM {table} ORDER BY 1, 2")

    def copies_agree(self):
        found = self.session.target.query("SELECT DISTINCT md5(string_agg(r::text, ',' ORDER BY code)) FROM r")
        self.assertEqual(len(found[0].rows), 1)

    def test_update_from_and_delete_using(self):
        self.same("UPDATE t SET v = s.note FROM s WHERE s.id = t.id * 2 RETURNING t.id, t.twice, s.note", "UPDATE t x SET grp = s.id, n = s.id / 3.0 FROM s WHERE s.id = x.id + 1 RETURNING x.*",
                  "DELETE FROM t USING s WHERE s.id = t.grp AND s.ref > 4 RETURNING *, s.note", "DELETE FROM t USING own WHERE a = t.id AND b = 'b3'",
                  "UPDATE t SET v = r.label FROM r JOIN s ON s.ref = r.code WHERE s.id = t.id AND t.id < 20", "UPDATE t SET n = DEFAULT, v = NULL FROM s WHERE s.id = t.id AND t.id > 25",
                  "UPDATE t SET list[2] = s.ref FROM s WHERE s.id = t.id AND t.id % 4 = 1", "UPDATE t SET (grp, v) = (SELECT count(*), max(note) FROM s WHERE s.ref = t.grp)",
                  "UPDATE s SET m = 'high', note = o.b FROM own o WHERE o.a = s.ref AND s.m = 'low' RETURNING s.id, s.m", "DELETE FROM t USING s WHERE false")
        self.same_tables()

    def test_sub_queries(self):
        self.same("UPDATE t SET v = (SELECT max(note) FROM s) WHERE id IN (SELECT ref FROM s)", "DELETE FROM t WHERE NOT EXISTS (SELECT FROM s WHERE s.id = t.grp)",
                  "UPDATE t SET n = (SELECT count(*) FROM t o WHERE o.grp = t.grp) RETURNING id, n, (SELECT count(*) FROM s)",
                  "UPDATE own SET b = (SELECT max(v) FROM t) WHERE a < 4 RETURNING *",
                  "DELETE FROM own WHERE a IN (SELECT grp FROM t)")
        self.same("DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY n DESC, id LIMIT 5) RETURNING id", ordered=False)
        self.same_tables()

    def test_of_reference_tables(self):
        self.same("UPDATE r SET label = (SELECT max(note) FROM s WHERE s.ref = r.code) WHERE code > 3 RETURNING code, label, m", "DELETE FROM r USING s WHERE s.id = r.code AND s.id > 10",
                  "UPDATE r SET code = code + 100, m = 'high' FROM own WHERE a = code AND a < 3", "WITH u AS (UPDATE r SET label = 'u' WHERE code < 5 RETURNING *) SELECT count(*), max(code) FROM u",
                  "MERGE INTO r USING s ON r.code = s.id WHEN MATCHED THEN UPDATE SET label = note WHEN NOT MATCHED AND s.id < 20 THEN INSERT VALUES (s.id, note, s.m)")
        self.same_tables("r")
        self.copies_agree()

    def test_keys_that_change(self):
        self.same("UPDATE t SET id = t.id + 100 FROM s WHERE s.id = t.grp AND t.grp = 3 RETURNING t.id, s.note", "UPDATE t SET id = -id, v = s.note FROM s WHERE s.id = t.id",
                  "UPDATE t SET (id, v) = (SELECT 1000 + t.id, 'x') WHERE id < -20", "UPDATE t SET id = NULL FROM s WHERE s.id = -t.id")
        self.same_tables("t")

    def test_rows_of_with_go_on(self):
        self.same("WITH gone AS (DELETE FROM t WHERE grp = 2 RETURNING *) INSERT INTO old SELECT id, 'a' || id, v FROM gone",
                  "WITH gone AS (DELETE FROM t WHERE grp = 1 RETURNING id, v), i AS (INSERT INTO old SELECT id, 'b', v FROM gone RETURNING *) SELECT count(*), min(v) FROM i",
                  "WITH u AS (UPDATE t SET v = 'new' WHERE grp = 3 RETURNING id) SELECT u.id, t.v FROM u JOIN t USING (id) ORDER BY 1",
                  "WITH a AS (UPDATE t SET v = 'a' WHERE id < 9 RETURNING *), b AS (DELETE FROM s WHERE id IN (SELECT id FROM a) RETURNING note) UPDATE own SET b = 'seen' FROM b WHERE b.note = 'n' || a",
                  "WITH i AS (INSERT INTO made (tenant, note) SELECT a, b FROM own WHERE a < 4 ORDER BY a RETURNING *) SELECT tenant, id, note FROM i ORDER BY id",
                  "WITH i AS (INSERT INTO made (tenant, note) VALUES (70, 'x'), (71, 'y') RETURNING id, tenant) INSERT INTO own SELECT id * 100, 'of ' || tenant FROM i RETURNING *",
                  "WITH i AS (INSERT INTO made (tenant) SELECT 5 WHERE false RETURNING id) SELECT count(*) FROM i")
        self.same_tables()

    def test_rows_that_refer_to_each_other(self):
        pair.both("CREATE TABLE head (k int, id int, PRIMARY KEY (k, id)); CREATE TABLE body (k int, id int, line int, PRIMARY KEY (k, id, line))")
        self.addCleanup(pair.both, "DROP TABLE body, head")
        pair.distribute("head", "k")
        pair.distribute("body", "k")
        pair.both("ALTER TABLE body ADD FOREIGN KEY (k, id) REFERENCES head")
        self.same("WITH h AS (INSERT INTO head SELECT g, g * 2 FROM generate_series(1, 9) g RETURNING *) INSERT INTO body SELECT k, id, l FROM h, generate_series(1, 2) l RETURNING *",
                  "WITH b AS (DELETE FROM body WHERE k < 5 RETURNING *) DELETE FROM head USING b WHERE head.k = b.k RETURNING head.*", "DELETE FROM head USING own WHERE a = k AND b = 'b6'")
        self.same_tables("head", "body")

    def test_values_of_every_kind(self):
        pair.both("CREATE DOMAIN small AS int CHECK (VALUE < 100); CREATE TYPE pair AS (x int, y text); "
                  "CREATE TABLE kinds (id int PRIMARY KEY, f float8[], t timestamptz[], d small, p pair, j jsonb, b bytea, r int4range, c char(3), i interval, m mood[], z varbit)")
        self.addCleanup(pair.both, "DROP TABLE kinds; DROP DOMAIN small; DROP TYPE pair")
        pair.distribute("kinds", "id")
        pair.fill("kinds", "SELECT g, ARRAY[0.1 * g, NULL, 1e300], ARRAY['2024-02-03 04:05:06+09'::timestamptz], g % 50, ROW(g, 'a,\"b\"'), '{\"k\": [1, null]}', '\\x00ff', '[1,5)', 'x', "
                  "'-1 day 02:00', ARRAY['low', NULL]::mood[], '101' FROM generate_series(1, 20) g")
        self.same("SET extra_float_digits = -5", "SET DateStyle = 'SQL, DMY'", "SET TimeZone = 'Asia/Kolkata'",
                  "UPDATE kinds SET f = k.f || (k.f[1] / 3), t = k.t || k.t[1] + interval '1 day', d = k.d + 1, p = ROW((k.p).x + 1, (k.p).y), j = k.j || '{\"n\": 1}', b = k.b || '\\x01', r = r * '[2,9)', "
                  "c = 'y', i = -k.i, m = m || 'high'::mood, z = z || '1' FROM own, kinds k WHERE k.id = kinds.id AND a = kinds.id",
                  "UPDATE kinds SET id = kinds.id + 100, p.y = 'part' FROM own WHERE a = kinds.id", "RESET ALL")
        self.same_tables("kinds")
        self.same("UPDATE kinds SET d = 100 FROM own WHERE a = 5", "SELECT max(d) FROM kinds")

    def test_partitions(self):
        pair.both("CREATE TABLE part (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10); "
                  "CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20)")
        self.addCleanup(pair.both, "DROP TABLE part")
        pair.distribute("part", "id")
        pair.fill("part", "SELECT g, g % 20, 'p' || g FROM generate_series(1, 40) g")
        self.same("UPDATE part SET v = note FROM s WHERE s.ref = day AND s.id < 10 RETURNING part.*", "UPDATE part SET day = 19 - day FROM own WHERE a = day", "DELETE FROM part USING own WHERE a = part.id",
                  "MERGE INTO part USING s ON part.id = s.id WHEN MATCHED THEN UPDATE SET v = 'm' WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.ref, note)")
        self.same_tables("part")
        self.same("SELECT count(*) FROM part_1", "SELECT count(*) FROM part_2")

    def test_errors_and_savepoints(self):
        self.same("BEGIN", "UPDATE t SET v = s.note FROM s WHERE s.id = t.id + 1", "SAVEPOINT a", "UPDATE t SET n = 1 / (s.id - 5) FROM s WHERE s.id = t.id", "ROLLBACK TO a",
                  "DELETE FROM t USING own WHERE a = t.id", "SAVEPOINT b", "WITH d AS (DELETE FROM t RETURNING *) INSERT INTO own SELECT 1, v FROM d WHERE id = 20", "ROLLBACK TO b",
                  "MERGE INTO t USING s ON t.grp = s.ref WHEN MATCHED THEN DELETE", "ROLLBACK TO b", "COMMIT")
        self.same_tables()

    def test_merge(self):
        self.same("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND t.id % 3 = 0 THEN DELETE WHEN MATCHED AND t.id % 3 = 1 THEN DO NOTHING WHEN MATCHED THEN UPDATE SET v = s.note, grp = t.grp + 1",
                  "MERGE INTO t USING (SELECT id + 30 AS id, note FROM s) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.note WHEN NOT MATCHED AND s.id < 55 THEN INSERT (id, v) VALUES (s.id, s.note) WHEN NOT MATCHED THEN DO NOTHING",
                  "MERGE INTO made USING own ON tenant = a WHEN NOT MATCHED AND a < 4 THEN INSERT (tenant, note) VALUES (a, b)", "SELECT tenant, note FROM made ORDER BY 1",
                  "MERGE INTO t USING s ON t.grp = s.ref WHEN MATCHED THEN UPDATE SET v = s.note", "MERGE INTO own USING t ON a = t.id WHEN MATCHED THEN UPDATE SET b = t.v WHEN NOT MATCHED THEN INSERT VALUES (t.id, t.v)")
        self.same_tables("t", "own")

    def test_triggers_have_the_last_word(self):
        self.same("UPDATE seen SET v = s.note FROM s WHERE s.id = k AND k < 8", "UPDATE seen SET v = CASE WHEN s.id % 2 = 0 THEN 'stay' ELSE 'go' END FROM s WHERE s.id = k AND k > 10",
                  "MERGE INTO seen USING (SELECT id + 15 AS id FROM s WHERE id < 10) s ON k = s.id WHEN MATCHED THEN UPDATE SET v = 'merged' WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.id, 'fresh')")
        self.same("UPDATE seen SET v = 'r' FROM s WHERE s.id = k RETURNING *", refusals_allowed=True)
        self.same_tables("seen")

    def test_parameters(self):
        for sql, values in (("UPDATE t SET v = s.note || $1 FROM s WHERE s.id = t.id AND t.grp < $2 RETURNING t.id", ["p", "4"]),
                            ("WITH d AS (DELETE FROM t WHERE grp = $1 RETURNING *) SELECT count(*), sum(id) + $2 FROM d", ["5", "1"]),
                            ("DELETE FROM t USING s, own WHERE s.id = t.id AND own.a = s.ref AND s.id < $1 AND own.a > $2 RETURNING t.id", ["20", "2"]),
                            ("MERGE INTO t USING s ON t.id = s.id AND s.id < $1 WHEN MATCHED THEN UPDATE SET v = $2", ["5", "m"])):
            found = self.session.extended(sql, values) + self.session.extended(sql, values, binary=True)
            self.assertEqual(found, [], "\n" + "\n".join(found))
        self.same_tables("t")

    def test_an_error_leaves_nothing(self):
        self.same("UPDATE t SET v = repeat('x', s.ref * 2) FROM s WHERE s.id = t.id", "UPDATE t SET n = 1 / (s.id - 5) FROM s WHERE s.id = t.id",
                  "WITH d AS (DELETE FROM t RETURNING *) INSERT INTO own SELECT 1, v FROM d WHERE id = 3", "WITH d AS (DELETE FROM t RETURNING *) SELECT nothing FROM d",
                  "UPDATE t SET missing = 1 FROM s", "DELETE FROM missing USING s", "WITH i AS (INSERT INTO made (tenant, id) SELECT 1, 1 FROM s WHERE id < 3 RETURNING *) SELECT * FROM i")
        self.same_tables()

    def test_own_transactions(self):
        self.same("BEGIN", "INSERT INTO s VALUES (1000, 1, 'mine', NULL)", "UPDATE t SET v = s.note FROM s WHERE s.id = t.id + 999", "SELECT v FROM t WHERE id = 1", "SAVEPOINT a",
                  "DELETE FROM t USING s WHERE s.ref = t.id", "SELECT count(*) FROM t", "ROLLBACK TO a", "SELECT count(*) FROM t", "COMMIT")
        self.same("BEGIN ISOLATION LEVEL REPEATABLE READ", "UPDATE t SET v = 'rr' FROM s, own WHERE s.id = t.id AND a = s.ref", "ROLLBACK")
        self.same_tables("t", "s")

    def test_conflicts_of_rows_that_with_gives(self):
        self.same("INSERT INTO old SELECT id, 'a' || id, 'before' FROM t WHERE id < 6",
                  "WITH gone AS (DELETE FROM t WHERE grp < 3 RETURNING id, v), n AS (SELECT count(*) AS c FROM gone) INSERT INTO old SELECT id, 'a' || id, v || c FROM gone, n "
                  "ON CONFLICT (at, id) DO UPDATE SET v = excluded.v || old.v", "WITH gone AS (DELETE FROM s RETURNING id) INSERT INTO t (id) SELECT max(id) FROM gone ON CONFLICT DO NOTHING RETURNING id")
        self.same_tables()

    def test_conflicts_within_with(self):
        self.same("WITH i AS (INSERT INTO t (id, grp, v) SELECT ref * 20, id, note FROM s WHERE id < 9 ON CONFLICT (id) DO NOTHING RETURNING id, v) SELECT * FROM i UNION ALL SELECT id, v FROM t WHERE id = 20",
                  "WITH i AS (INSERT INTO t AS x (id, v) SELECT id + 25, note FROM s ON CONFLICT (id) DO UPDATE SET v = excluded.v || x.v, grp = 1 WHERE x.id % 2 = 0 RETURNING *) SELECT count(*), sum(grp) FROM i",
                  "INSERT INTO t (id, v) VALUES (1, 'q'), (99, 'r') ON CONFLICT (id) DO UPDATE SET v = (SELECT max(note) FROM s) RETURNING id, v, twice",
                  "WITH i AS (INSERT INTO made (tenant, id, note) SELECT a, 5, b FROM own ON CONFLICT (tenant, id) DO UPDATE SET note = 'met' RETURNING *), n AS (INSERT INTO r SELECT tenant, note FROM i ON CONFLICT (code) DO UPDATE SET label = excluded.label RETURNING code) SELECT count(*) FROM n",
                  "WITH i AS (INSERT INTO t (id) SELECT 1 FROM s ON CONFLICT (id) DO UPDATE SET v = 'twice' RETURNING id) SELECT * FROM i")
        self.same("WITH i AS (INSERT INTO t (id, v) VALUES (1, 'x') ON CONFLICT (v) DO NOTHING RETURNING id) SELECT * FROM i, s WHERE s.id = i.id", refusals_allowed=True)
        self.same_tables()
        self.copies_agree()

    def test_one_time_for_all_shards(self):
        pair.target.psql("CREATE TABLE at_times (id int PRIMARY KEY, at timestamptz DEFAULT now(), day timestamp DEFAULT localtimestamp)", "SELECT create_distributed_table('at_times', 'id')")
        self.addCleanup(pair.target.psql, "DROP TABLE at_times")
        with pair.target.raw() as connection:
            connection.execute("SET TimeZone = 'Asia/Tokyo'")
            connection.execute("INSERT INTO at_times (id) VALUES " + ",".join(f"({i})" for i in range(20)))
            self.assertEqual(connection.value("SELECT count(DISTINCT at) + count(DISTINCT day) + count(DISTINCT (at::timestamp = day)) FROM at_times"), "3")
            self.assertEqual(connection.value("SELECT count(*) FROM (SELECT DISTINCT now() FROM at_times) n"), "1")
            self.assertEqual([c.name for c in connection.query("SELECT now(), current_date FROM at_times LIMIT 1")[0].columns], ["now", "current_date"])
            connection.execute("BEGIN")
            now = connection.value("SELECT now()")
            connection.execute("UPDATE at_times SET at = now(), day = CURRENT_TIMESTAMP")
            connection.execute("INSERT INTO at_times (id) VALUES (30), (31), (32), (33)")
            connection.execute("UPDATE at_times SET at = now() FROM own WHERE a = at_times.id")
            connection.execute("COMMIT")
            self.assertEqual(connection.value(f"SELECT count(*) FROM at_times WHERE at = '{now}' AND day = at::timestamp"), "24")

    def test_what_others_do_meanwhile_is_waited_for(self):
        # Each of them adds one to every row, from another table: no addition may be lost.
        def add():
            with pair.target.raw() as connection:
                for _ in range(5):
                    connection.execute("UPDATE t SET grp = t.grp + o.a FROM own o WHERE o.a = 1 AND t.id < 15")
        pair.target.psql("UPDATE t SET grp = 0")
        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pair.target.raw() as connection:
            self.assertEqual(connection.value("SELECT string_agg(DISTINCT grp::text, ',') FROM t WHERE id < 15"), "20")


if __name__ == "__main__":
    unittest.main()
