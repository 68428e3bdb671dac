"""COPY both ways: split by key on the way in, gathered on the way out, in text, CSV and binary."""
import random
import struct
import unittest

import cluster
import compare
import raw


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair(shards=3))
    pair.both("CREATE TABLE t (id bigint PRIMARY KEY, v text, n numeric(10,2), at timestamptz);"
              "CREATE TABLE k (v text PRIMARY KEY, x int); CREATE TABLE r (id int PRIMARY KEY, name text);"
              "CREATE TABLE l (id int PRIMARY KEY, v text)")
    pair.distribute("t", "id")
    pair.distribute("k", "v", colocate_with="none")
    pair.reference("r")


def tricky_rows(count, seed=1):
    """COPY text rows whose values have all that the format escapes."""
    dice = random.Random(seed)
    pieces = ["a", "\\\\", "\\n", "\\t", "'", '"', ",", ";", "é", "漢", "\\r", " ", "x" * 300, "\\b"]
    lines = []
    for number in range(count):
        value = "\\N" if dice.random() < 0.1 else "".join(dice.choice(pieces) for _ in range(dice.randrange(6)))
        price = "\\N" if dice.random() < 0.1 else f"{dice.randrange(100000) / 100:.2f}"
        lines.append(f"{number * 7 - 300}\t{value}\t{price}\t2024-0{1 + number % 9}-01 12:00:00+00\n")
    return "".join(lines).encode()


class Copy(unittest.TestCase):
    def setUp(self):
        self.session = compare.Comparison(pair)
        self.addCleanup(self.session.close)

    def same(self, sql, copy_in=None, **options):
        found = self.session.simple(sql, copy_in, **options)
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def emptied(self):
        self.same("DELETE FROM t")

    def test_text_in_and_out(self):
        self.same("COPY t FROM STDIN", tricky_rows(3000))
        self.assertEqual(self.session.plain.value("SELECT count(*) FROM t"), "3000")
        self.same("SELECT * FROM t ORDER BY id")
        self.same("COPY t TO STDOUT", ordered=False)
        self.same("COPY (SELECT id, v FROM t ORDER BY id) TO STDOUT", ordered=True)
        self.same("COPY t (v, id) TO STDOUT WITH (FORMAT csv)", ordered=False)
        self.emptied()

    def test_column_list_in_another_order(self):
        self.same("COPY t (n, id) FROM STDIN", b"1.5\t1\n2.5\t2\n\\N\t3\n")
        self.same("SELECT * FROM t ORDER BY id")
        self.emptied()

    def test_csv_with_header_quotes_and_line_ends_in_values(self):
        data = b'id,v,n,at\n1,"a,b ""quoted""",1.00,\n2,"line\nend",,2024-01-01\n3,"",3,\n4,,4,\n-5,\\.x,5,\n'
        self.same("COPY t FROM STDIN WITH (FORMAT csv, HEADER)", data)
        self.same("SELECT id, v, v IS NULL FROM t ORDER BY id")
        self.same("COPY (SELECT id, v FROM t ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER, FORCE_QUOTE *)", ordered=True)
        self.emptied()

    def test_csv_with_other_delimiters(self):
        self.same("COPY t (id, v) FROM STDIN WITH (FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\\', NULL 'nil')",
                  b"1;'it\\'s; here'\n2;nil\n3;'nil'\n")
        self.same("SELECT id, v, v IS NULL FROM t ORDER BY id")
        self.emptied()
        self.same("COPY t (id, v) FROM STDIN WITH (DELIMITER '|', NULL '')", b"1|a\\|b\n2|\n3|\\\\\n")
        self.same("SELECT id, v, v IS NULL FROM t ORDER BY id")
        self.emptied()

    def test_binary(self):
        self.same("COPY t FROM STDIN", tricky_rows(500))
        for endpoint in (self.session.target, self.session.plain):
            copied = endpoint.query("COPY t TO STDOUT WITH (FORMAT binary)")[0].copied
            self.assertTrue(copied.startswith(b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 0, 0)))
            self.assertTrue(copied.endswith(b"\xff\xff"))
            self.assertEqual(copied.count(b"PGCOPY\n"), 1)
            endpoint.execute("DELETE FROM t")
            endpoint.execute("COPY t FROM STDIN WITH (FORMAT binary)", copied)
        self.same("SELECT * FROM t ORDER BY id")
        self.emptied()

    def test_text_key_with_escapes(self):
        self.same("COPY k FROM STDIN", "a\\tb\t1\nc\\\\d\t2\n\\x41\t3\né\t4\n\\101B\t5\n\t6\n".encode())
        self.same("SELECT * FROM k ORDER BY x")
        for value in ("a\tb", "c\\d", "é", "AB", ""):
            self.same("SELECT x FROM k WHERE v = '" + value + "'")
        self.same("DELETE FROM k")

    def test_data_in_any_pieces(self):
        data = tricky_rows(200, seed=3)
        for endpoint in (self.session.target, self.session.plain):
            for size in (1, 7, 4096):
                endpoint.send(raw.query("COPY t FROM STDIN"))
                self.assertEqual(endpoint.next().kind, "G")
                endpoint.send(*[raw.message("d", data[at:at + size]) for at in range(0, len(data), size)], raw.message("c"))
                self.assertEqual(endpoint.kinds(), "CZ")
                self.assertEqual(endpoint.value("SELECT count(*) FROM t"), "200")
                endpoint.execute("DELETE FROM t")

    def test_end_marker(self):
        self.same("COPY t (id) FROM STDIN", b"1\n2\n\\.\n")
        self.same("SELECT count(*) FROM t")
        self.emptied()

    def test_last_line_without_end(self):
        self.same("COPY t (id, v) FROM STDIN", b"1\ta\n2\tb")
        self.same("SELECT id, v FROM t ORDER BY id")
        self.emptied()

    def test_no_rows(self):
        self.same("COPY t FROM STDIN", b"")
        self.same("COPY t TO STDOUT")
        self.same("COPY t FROM STDIN WITH (FORMAT csv, HEADER)", b"id,v,n,at\n")

    def code_of(self, sql, data):
        """The error's code from both, which must agree; nothing must have stayed."""
        codes = [endpoint.query(sql, data)[-1].code for endpoint in (self.session.target, self.session.plain)]
        self.assertEqual(codes[0], codes[1], (sql, data[:60]))
        self.same("SELECT count(*) FROM t")
        return codes[0]

    def test_bad_rows_leave_nothing(self):
        good = b"".join(b"%d\tx\t1\t\\N\n" % number for number in range(10000, 10200))
        self.assertEqual(self.code_of("COPY t FROM STDIN", good + b"1\tx\n"), "22P04")
        self.assertEqual(self.code_of("COPY t FROM STDIN", good + b"1\tx\t1\t\\N\textra\n"), "22P04")
        self.assertEqual(self.code_of("COPY t FROM STDIN", good + b"abc\tx\t1\t\\N\n"), "22P02")
        self.assertEqual(self.code_of("COPY t FROM STDIN", good + b"\\N\tx\t1\t\\N\n"), "23502")
        self.assertEqual(self.code_of("COPY t FROM STDIN", good + b"99999999999999999999\tx\t1\t\\N\n"), "22003")
        self.assertEqual(self.code_of("COPY t FROM STDIN", good + b"1\tx\tnumber\t\\N\n"), "22P02")
        self.assertEqual(self.code_of("COPY t FROM STDIN", good + b"10000\tx\t1\t\\N\n"), "23505")
        self.assertEqual(self.code_of("COPY t FROM STDIN WITH (FORMAT csv)", b'1,"open\n'), "22P04")
        self.assertEqual(self.code_of("COPY t FROM STDIN WITH (FORMAT binary)", b"not binary at all, no no no"), "22P04")
        self.assertEqual(self.code_of("COPY t (nope) FROM STDIN", b"x\n"), "42703")
        self.assertEqual(self.code_of("COPY nowhere FROM STDIN", b"x\n"), "42P01")

    def test_errors_name_the_clients_line(self):
        lines = [b"%d\tx\t1\t\\N\n" % number for number in range(20000, 20500)]
        for number in (3, 250, 499):
            data = b"".join(lines[:number] + [b"7\tx\tnumber\t\\N\n"] + lines[number:])
            contexts = [endpoint.query("COPY t FROM STDIN", data)[-1].error["W"].splitlines()[0]
                        for endpoint in (self.session.target, self.session.plain)]
            self.assertEqual(contexts[0], contexts[1])
            self.assertIn(f"COPY t, line {number + 1}, column n", contexts[0])
        quoted = b'1,"a\nb",1,\n2,"c\nd\ne",2,\n3,x,bad,\n'
        contexts = [endpoint.query("COPY t FROM STDIN (FORMAT csv)", quoted)[-1].error["W"].splitlines()[0]
                    for endpoint in (self.session.target, self.session.plain)]
        self.assertEqual(contexts[0], contexts[1])

    def test_keys_in_other_forms(self):
        self.same("COPY t (id, v) FROM STDIN", b" 7\tblank\n+8\tplus\n009\tzeros\n-0\tzero\n")
        for key in (7, 8, 9, 0):
            self.same(f"SELECT v FROM t WHERE id = {key}")
        self.emptied()

    def test_notices_of_triggers_pass(self):
        self.same("CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
                  "$$ BEGIN RAISE NOTICE 'row %', NEW.id; RETURN NEW; END $$")
        self.same("CREATE TRIGGER tell AFTER INSERT ON l FOR EACH ROW EXECUTE FUNCTION tell()")
        data = b"".join(b"%d\tx\n" % number for number in range(100, 3100))
        self.same("COPY l FROM STDIN", data)
        self.same("DROP TRIGGER tell ON l")
        self.same("DELETE FROM l")
        self.same("DROP FUNCTION tell()")

    def test_other_messages_in_the_middle(self):
        target = self.session.target  # PostgreSQL says the same, and then loses its place in the stream and closes
        target.send(raw.query("COPY t (id) FROM STDIN"))
        self.assertEqual(target.next().kind, "G")
        target.send(raw.message("d", b"1\n2\n"), raw.flush(), raw.sync(), raw.message("d", b"3\n"), raw.query("SELECT 1"))
        error = target.next()
        self.assertEqual((error.kind, raw.fields_of(error.body)["M"]), ("E", "unexpected message type 0x51 during COPY from stdin"))
        if cluster.ON_PLAIN:
            return
        self.assertEqual(target.next().kind, "Z")
        target.send(raw.message("d", b"1\n2\n"), raw.message("c"))  # what was on its way is passed over
        self.same("SELECT count(*) FROM t")

    def test_several_statements_in_one_string(self):
        for endpoint in (self.session.target, self.session.plain):
            endpoint.send(raw.query("INSERT INTO t (id) VALUES (1); COPY t (id) FROM STDIN; COPY k FROM STDIN; SELECT count(*) FROM t"))
            kinds = [endpoint.next().kind for _ in range(2)]
            self.assertEqual(kinds, ["C", "G"])
            endpoint.send(raw.message("d", b"2\n3\n"), raw.message("c"))
            self.assertEqual([endpoint.next().kind for _ in range(2)], ["C", "G"])
            endpoint.send(raw.message("d", b"a\t1\n"), raw.message("c"))
            self.assertEqual(endpoint.kinds(), "CTDCZ")
        self.same("SELECT id FROM t ORDER BY id")
        self.same("DELETE FROM k")
        self.emptied()

    def test_rows_without_their_key_are_refused(self):
        self.assertEqual(self.session.plain.query("COPY t (v) FROM STDIN", b"x\n")[-1].code, "23502")
        if not cluster.ON_PLAIN:
            self.assertEqual(self.session.target.query("COPY t (v) FROM STDIN", b"x\n")[-1].code, "0A000")
        self.same("SELECT count(*) FROM t")

    def test_copy_fail(self):
        answers = []
        for endpoint in (self.session.target, self.session.plain):
            endpoint.send(raw.query("COPY t (id) FROM STDIN"))
            self.assertEqual(endpoint.next().kind, "G")
            endpoint.send(raw.message("d", b"1\n2\n"), raw.message("f", raw.text("changed my mind")))
            error = endpoint.results()[-1].error
            answers.append((error["C"], error["M"]))
        self.assertEqual(answers[0], answers[1])
        self.same("SELECT count(*) FROM t")

    def test_client_that_goes_away_in_the_middle(self):
        for endpoint in (pair.target, pair.plain):
            connection = endpoint.raw()
            connection.send(raw.query("COPY t (id) FROM STDIN"))
            self.assertEqual(connection.next().kind, "G")
            connection.send(raw.message("d", b"1\n2\n3\n"))
            connection.socket.close()
        cluster.wait_for(lambda: self.session.target.value("SELECT count(*) FROM t") == "0", 10, "rollback")

    def test_within_a_transaction(self):
        self.same("BEGIN")
        self.same("COPY t (id) FROM STDIN", b"1\n2\n3\n")
        self.same("SELECT count(*) FROM t")
        self.same("ROLLBACK")
        self.same("SELECT count(*) FROM t")
        self.same("BEGIN")
        self.same("COPY t (id) FROM STDIN", b"1\n2\n3\n")
        self.same("INSERT INTO t (id) VALUES (4)")
        self.same("COMMIT")
        self.same("SELECT id FROM t ORDER BY id")
        self.emptied()

    def test_reference_and_local_tables(self):
        self.same("COPY r FROM STDIN", b"1\tone\n2\ttwo\n")
        self.same("SELECT * FROM r ORDER BY id")
        self.same("COPY r TO STDOUT", ordered=False)
        self.same("COPY l FROM STDIN", b"1\tone\n2\ttwo\n")
        self.same("COPY l TO STDOUT", ordered=False)
        if not cluster.ON_PLAIN:
            for server in pair.target.servers():
                self.assertEqual(server.raw().value("SELECT count(*) FROM r"), "2")
        self.same("DELETE FROM r")
        self.same("DELETE FROM l")

    def test_through_the_extended_protocol(self):
        for endpoint in (self.session.target, self.session.plain):
            endpoint.send(raw.parse("COPY t (id) FROM STDIN"), raw.bind(), raw.describe_portal(), raw.execute(), raw.flush())
            self.assertEqual([endpoint.next().kind for _ in range(4)], ["1", "2", "n", "G"])
            endpoint.send(raw.message("d", b"1\n2\n"), raw.message("c"), raw.sync())
            self.assertEqual(endpoint.kinds(), "CZ")
            endpoint.send(raw.parse("COPY t (id) TO STDOUT"), raw.bind(), raw.execute(), raw.sync())
            self.assertEqual(endpoint.kinds(), "12HddcCZ")
        self.emptied()

    def test_hundred_thousand_rows(self):
        data = b"".join(b"%d\tvalue %d\t%d.25\t2024-01-01 00:00:00+00\n" % (n, n, n % 1000) for n in range(100000))
        self.same("COPY t FROM STDIN", data)
        self.same("SELECT count(*), sum(id), sum(n), min(v), max(v) FROM t")
        self.emptied()


if __name__ == "__main__":
    unittest.main()
