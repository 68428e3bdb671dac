"""What belongs to a session stays with it, whatever server connection serves it: settings, locks, temporary tables, LISTEN."""
import threading
import unittest

import cluster
import compare


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair(shards=3))
    pair.both("CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz DEFAULT '2024-07-01 12:00+00')")
    pair.both("CREATE SCHEMA tenant; CREATE TABLE tenant.t (id int, v text);"
              "INSERT INTO tenant.t VALUES (1, 'tenant''s own')")
    pair.distribute("t", "id")
    pair.fill("t (id, v)", "SELECT g, 'v' || g FROM generate_series(1, 60) g")


class Session(unittest.TestCase):
    def setUp(self):
        self.sessions = [compare.Comparison(pair) for _ in range(3)]
        for session in self.sessions:
            self.addCleanup(session.close)

    def same(self, number, *statements, **options):
        found = [line for sql in statements for line in self.sessions[number].simple(sql, **options)]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_settings_do_not_leak(self):
        zones = ("Asia/Tokyo", "America/New_York", "UTC")
        for number, zone in enumerate(zones):
            self.same(number, f"SET TimeZone = '{zone}'", f"SET app.tenant = 'tenant {number}'")
        for key in range(1, 31):
            for number in range(3):
                self.same(number, f"SELECT at, current_setting('app.tenant') FROM t WHERE id = {key}")
        for number in range(3):
            self.same(number, "SELECT min(at), max(at) FROM t", "SHOW app.tenant", "SELECT id, at FROM t ORDER BY id")

    def test_setting_never_made_is_unknown_to_the_next_session(self):
        self.same(0, "SET app.secret = 'x'", "SELECT current_setting('app.secret') FROM t WHERE id = 1")
        for number in (1, 2):
            for key in range(1, 10):
                # A server session cannot forget the name of a setting, only its value.
                self.same(number, f"SELECT coalesce(current_setting('app.secret', true), '') FROM t WHERE id = {key}")

    def test_set_config_is_a_setting_too(self):
        self.same(0, "SELECT set_config('app.user', 'anna', false)", "SELECT current_setting('app.user') FROM t WHERE id = 5",
                  "SELECT current_setting('app.user') FROM t WHERE id = 6", refusals_allowed=True)
        self.same(1, "SELECT coalesce(current_setting('app.user', true), '') FROM t WHERE id = 5")

    def test_cursors_with_hold(self):
        self.same(0, "BEGIN", "DECLARE kept CURSOR WITH HOLD FOR SELECT generate_series(1, 3)", "COMMIT", "FETCH 1 FROM kept", "CLOSE ALL", "FETCH 1 FROM kept",
                  "SELECT 1; VACUUM t", refusals_allowed=True)

    def test_reset_goes_back_to_the_startup_packet(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw(DateStyle="Postgres, MDY", application_name="from the start") as connection:
                found = []
                for sql in ("SET datestyle TO ymd", "RESET datestyle", "SET application_name = 'x'", "RESET application_name", "BEGIN",
                            "SET datestyle TO German", "SET LOCAL datestyle TO DEFAULT", "COMMIT", "SET datestyle TO DEFAULT"):
                    result = connection.query(sql)[0]
                    shown = connection.value("SHOW datestyle"), connection.value("SHOW application_name")
                    days = {connection.value(f"SELECT at::date FROM t WHERE id = {key}") for key in range(1, 9)}
                    found.append((result.tag, shown, days))
                self.assertEqual([days for _, _, days in found if len(days) != 1], [], "shards write dates in different ways")
                self.assertEqual([shown for _, shown, _ in found][:4],
                                 [("Postgres, YMD", "from the start"), ("Postgres, MDY", "from the start"), ("Postgres, MDY", "x"),
                                  ("Postgres, MDY", "from the start")])
                self.assertEqual([tag for tag, _, _ in found], ["SET", "RESET", "SET", "RESET", "BEGIN", "SET", "SET", "COMMIT", "SET"])

    def test_backslashes_in_strings(self):
        self.same(0, "SET standard_conforming_strings = off", "SET escape_string_warning = off", r"SELECT 'a\\b', 'it\'s', E'\x41', '\x41'",
                  r"SELECT id FROM t WHERE v = '\x76\x31'", r"INSERT INTO t (id, v) VALUES (901, 'tab\tend'), (902, ';\'')",
                  r"SELECT v FROM t WHERE id = 901; SELECT '\';'; SELECT v FROM t WHERE v = ';\''", "DELETE FROM t WHERE id > 900")

    def test_definitions_lock_only_what_they_define(self):
        self.same(0, "CREATE VIEW looked_at AS SELECT * FROM t WHERE id > 0", "BEGIN", "CREATE TABLE defined (a int)",
                  "SELECT count(*) FROM defined", "SELECT count(*) FROM pg_locks WHERE relation = 'looked_at'::regclass", "ROLLBACK",
                  "DROP VIEW looked_at")

    def test_set_local_and_rollback(self):
        self.same(0, "SET app.x = 'outer'", "BEGIN", "SET LOCAL app.x = 'local'", "SELECT current_setting('app.x') FROM t WHERE id = 1",
                  "SELECT current_setting('app.x') FROM t WHERE id = 2", "COMMIT", "SELECT current_setting('app.x') FROM t WHERE id = 1",
                  "BEGIN", "SET app.x = 'lost'", "SELECT current_setting('app.x') FROM t WHERE id = 3", "ROLLBACK",
                  "SELECT current_setting('app.x') FROM t WHERE id = 3", "BEGIN", "SAVEPOINT s", "SET app.x = 'deep'", "ROLLBACK TO s",
                  "SELECT current_setting('app.x') FROM t WHERE id = 4", "COMMIT")

    def test_search_path_chooses_the_table(self):
        self.same(0, "SET search_path = tenant, public", "SELECT v FROM t WHERE id = 1", "SELECT count(*) FROM t")
        self.same(1, "SELECT v FROM t WHERE id = 1", "SELECT count(*) FROM t")
        self.same(0, "RESET search_path", "SELECT v FROM t WHERE id = 1")

    def test_roles(self):
        pair_admins = [endpoint.raw(user="postgres") for endpoint in (pair.target, pair.plain)]
        for admin in pair_admins:
            admin.execute("CREATE ROLE reader LOGIN; GRANT SELECT ON t TO reader; GRANT reader TO app")
        self.same(0, "SET ROLE reader", "SELECT current_user, session_user", "SELECT v FROM t WHERE id = 3", "SELECT count(*) FROM t",
                  "DELETE FROM t WHERE id = 3", "RESET ROLE", "SELECT current_user")
        self.same(1, "SELECT current_user", "SET ROLE nobody", "SHOW role")
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw(user="reader") as connection:
                self.assertEqual(connection.value("SELECT v FROM t WHERE id = 3"), "v3")
                self.assertEqual(connection.query("UPDATE t SET v = 'x' WHERE id = 3")[0].code, "42501")
        for admin in pair_admins:
            admin.execute("REVOKE ALL ON t FROM reader; DROP ROLE reader")
            admin.close()

    def test_who_takes_another_identity_leaves_the_role(self):
        admins = [compare.raw.Connection((endpoint.host, endpoint.port)).start(user="postgres", database=endpoint.database)
                  for endpoint in (pair.target, pair.plain)]
        answers = []
        for admin in admins:
            answers.append([(result.tag, result.code, result.rows) for sql in
                            ("CREATE ROLE anna; CREATE ROLE bert; GRANT bert TO anna; GRANT SELECT ON t TO bert", "SET SESSION AUTHORIZATION anna", "SET ROLE bert",
                             "SELECT current_user, session_user", "SELECT v FROM t WHERE id = 2", "RESET SESSION AUTHORIZATION", "SELECT current_user",
                             "CREATE TABLE by_whom (a int)", "SELECT tableowner FROM pg_tables WHERE tablename = 'by_whom'", "DROP TABLE by_whom",
                             "REVOKE ALL ON t FROM bert; DROP ROLE anna; DROP ROLE bert") for result in admin.query(sql)])
            admin.close()
        self.assertEqual(answers[0], answers[1])

    def test_temporary_tables_belong_to_one_session(self):
        self.same(0, "CREATE TEMP TABLE mine (a int)", "INSERT INTO mine VALUES (1), (2)", "SELECT count(*) FROM mine", refusals_allowed=True)
        self.same(1, "SELECT count(*) FROM mine", "SELECT v FROM t WHERE id = 1")
        self.same(0, "SELECT a FROM mine ORDER BY a", "DROP TABLE mine", "SELECT * FROM mine", refusals_allowed=True)

    def test_temporary_table_hides_the_real_one(self):
        self.same(0, "CREATE TEMP TABLE t (id int, v text)", "INSERT INTO t VALUES (1, 'temporary')", "SELECT v FROM t WHERE id = 1",
                  "SELECT count(*) FROM t", refusals_allowed=True)
        self.same(1, "SELECT v FROM t WHERE id = 1", "SELECT count(*) FROM t")
        self.same(0, "DROP TABLE t", "SELECT v FROM t WHERE id = 1", "DISCARD ALL", refusals_allowed=True)

    def test_advisory_locks(self):
        self.same(0, "SELECT pg_advisory_lock(77)", refusals_allowed=True)
        self.same(1, "SELECT pg_try_advisory_lock(77)", refusals_allowed=True)
        self.same(0, "SELECT pg_advisory_unlock(77)", refusals_allowed=True)
        self.same(1, "SELECT pg_try_advisory_lock(77)", "SELECT pg_advisory_unlock(77)", refusals_allowed=True)
        self.same(0, "BEGIN", "SELECT pg_advisory_xact_lock(78)")
        self.same(1, "SELECT pg_try_advisory_xact_lock(78)")
        self.same(0, "COMMIT")
        self.same(1, "SELECT pg_try_advisory_xact_lock(78)")

    def test_listen_and_notify(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw() as listener, endpoint.raw() as sender:
                result = listener.query("LISTEN news")[0]
                if result.code == "0A000":
                    self.skipTest("LISTEN is refused")
                sender.execute("NOTIFY news, 'hello'")
                sender.execute("SELECT pg_notify('news', 'again')")
                cluster.wait_for(lambda: listener.query("SELECT 1") and len(listener.notifications) == 2, 5, "both notifications")
                self.assertEqual([(channel, payload) for _, channel, payload in listener.notifications],
                                 [("news", "hello"), ("news", "again")])

    def test_current_time_is_the_transactions(self):
        for endpoint in (pair.target, pair.plain):
            with endpoint.raw() as connection:
                connection.execute("BEGIN")
                times = {connection.value(f"SELECT now() FROM t WHERE id = {key}") for key in (1, 1, 1)}
                connection.execute("COMMIT")
                self.assertEqual(len(times), 1)

    def test_row_locks_hold_between_sessions(self):
        self.same(0, "BEGIN", "SELECT v FROM t WHERE id = 9 FOR UPDATE")
        self.same(1, "SELECT v FROM t WHERE id = 9 FOR UPDATE NOWAIT", "BEGIN", "SELECT v FROM t WHERE id = 9 FOR UPDATE SKIP LOCKED", "COMMIT",
                  "SET lock_timeout = '200ms'", "UPDATE t SET v = 'x' WHERE id = 9")
        self.same(0, "ROLLBACK")
        self.same(1, "SELECT v FROM t WHERE id = 9 FOR UPDATE NOWAIT")

    def test_deadlock_across_shards_is_broken(self):
        """Two transactions that lock two rows in opposite order; PostgreSQL breaks it after deadlock_timeout."""
        for endpoint in (pair.target, pair.plain):
            first, second = endpoint.raw(), endpoint.raw()
            for connection in (first, second):
                connection.execute("BEGIN")
            codes = []
            first.execute("UPDATE t SET v = v WHERE id = 1")
            second.execute("UPDATE t SET v = v WHERE id = 2; UPDATE t SET v = v WHERE id = 3; UPDATE t SET v = v WHERE id = 4")

            def cross(connection, keys):
                for key in keys:
                    result = connection.query(f"UPDATE t SET v = v WHERE id = {key}")[0]
                    if result.error:
                        codes.append(result.code)
                        break
                connection.query("ROLLBACK")
            threads = [threading.Thread(target=cross, args=(first, (2, 3, 4))), threading.Thread(target=cross, args=(second, (1,)))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            self.assertEqual([thread.is_alive() for thread in threads], [False, False], "the deadlock stays")
            self.assertEqual(codes, ["40P01"])

    def test_functions_with_side_effects(self):
        self.same(0, "CREATE FUNCTION poison() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('app.poison', 'yes', false); "
                     "CREATE TEMP TABLE IF NOT EXISTS poisoned (a int); END $$", "SELECT poison()", refusals_allowed=True)
        for key in range(1, 20):
            self.same(1, f"SELECT coalesce(current_setting('app.poison', true), '') FROM t WHERE id = {key}")
        self.same(1, "SELECT * FROM poisoned", "SELECT coalesce(current_setting('app.poison', true), '')")
        self.same(0, "DROP FUNCTION poison()")


if __name__ == "__main__":
    unittest.main()
