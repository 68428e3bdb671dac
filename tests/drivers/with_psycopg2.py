"""psycopg2: libpq's simple protocol, client-side parameters, named cursors, COPY."""
import datetime
import decimal
import io
import os
import uuid

import psycopg2
import psycopg2.extras


def show(step, *values):
    print(step, *(repr(value) for value in values), sep="\t")


psycopg2.extras.register_uuid()
connection = psycopg2.connect(f"host={os.environ['PGHOST']}")
show("server", connection.server_version, connection.encoding, connection.get_parameter_status("TimeZone"), connection.status)
cursor = connection.cursor()


def run(step, sql, *values):
    try:
        cursor.execute(sql, values or None)
        rows = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in cursor] if cursor.description else None
        show(step, [(c.name, c.type_code, c.internal_size) for c in cursor.description or ()], rows, cursor.statusmessage, cursor.rowcount)
    except psycopg2.Error as error:
        show(step, type(error).__name__, error.pgcode, error.diag.message_primary, error.diag.constraint_name, error.diag.table_name)
        connection.rollback()


run("types", "SELECT %s::int, %s::text, %s::numeric, %s::date, %s::text[], %s::jsonb, %s::bytea, %s::timestamptz, %s::uuid, %s::bool, %s::float8",
    5, "ä'\\x", decimal.Decimal("1.50"), datetime.date(2020, 2, 29), ["a", None, "b,c"], '{"a": [1, null]}', b"\0\xff",
    datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), uuid.UUID(int=7), True, 0.1)
for number in range(1, 21):
    cursor.execute("INSERT INTO people (id, name, height, born, tags, uid, big) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                   (number, f"p{number}", decimal.Decimal(number) / 3, datetime.date(1990, 1, number), [str(number)], uuid.UUID(int=number), number << 40))
connection.commit()
run("one", "SELECT * FROM people WHERE id = %s", 7)
run("some", "SELECT id, name FROM people WHERE id = ANY(%s) ORDER BY id", [3, 1, 99])
run("all", "SELECT count(*), sum(height), min(born), max(name), avg(big) FROM people")
run("returning", "INSERT INTO people (id, name) VALUES (%s, %s) RETURNING id, ok, born", 100, "hundred")
run("update", "UPDATE people SET ok = false WHERE id = %s", 100)
run("unique", "INSERT INTO people (id, name) VALUES (1, 'again')")
run("rolled back", "SELECT count(*) FROM people WHERE id = 100")
run("missing", "SELECT * FROM nowhere")
run("wrong", "SELECT * FROM people WHERE id = %s", "x")
run("null", "INSERT INTO people (id, name) VALUES (200, NULL)")
run("savepoint", "SAVEPOINT a; INSERT INTO notes VALUES (1, 1, 'x'); ROLLBACK TO a; SELECT count(*) FROM notes")
psycopg2.extras.execute_values(cursor, "INSERT INTO notes VALUES %s", [(p, n, f"note {p}.{n}") for p in range(1, 6) for n in range(3)])
psycopg2.extras.execute_batch(cursor, "UPDATE notes SET body = body || '!' WHERE person = %s", [(1,), (2,)])
connection.commit()
run("join", "SELECT p.name, n.body FROM people p JOIN notes n ON n.person = p.id WHERE p.id = %s ORDER BY n.number", 2)
run("reference", "SELECT p.id, c.name FROM people p JOIN colours c ON c.id = p.id ORDER BY 1")
named = connection.cursor("named")
named.itersize = 4
named.execute("SELECT id FROM people ORDER BY id")
show("cursor", [row[0] for row in named])
named.close()
connection.commit()
cursor.copy_expert("COPY notes FROM STDIN (FORMAT csv)", io.StringIO("50,1,copied\n51,1,\n"))
out = io.StringIO()
cursor.copy_expert("COPY (SELECT * FROM notes WHERE person >= 50 ORDER BY 1) TO STDOUT", out)
show("copy", cursor.rowcount, out.getvalue())
connection.rollback()
connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
run("read only", "DELETE FROM notes WHERE person = 1")
connection.set_session(isolation_level="DEFAULT", readonly=False, autocommit=True)
run("set", "SET TIME ZONE 'Asia/Tokyo'")
show("reported", connection.get_parameter_status("TimeZone"))
run("shown", "SELECT '2020-01-01 00:00+00'::timestamptz::text")
connection.reset()
show("reset", connection.get_parameter_status("TimeZone"))
run("after", "SELECT count(*) FROM notes")
cursor.execute("DO $$ BEGIN RAISE NOTICE 'told'; END $$")
show("notices", connection.notices)
