"""psycopg 3: the extended protocol, prepared statements, binary results, pipelines, COPY by rows."""
import datetime
import decimal
import os

import psycopg


def show(step, *values):
    print(step, *(repr(value) for value in values), sep="\t")


connection = psycopg.connect(f"host={os.environ['PGHOST']}")
connection.prepare_threshold = 2
show("server", connection.info.server_version, connection.info.encoding, connection.info.parameter_status("standard_conforming_strings"))
cursor = connection.cursor()


def run(step, sql, values=None, **options):
    try:
        found = connection.execute(sql, values, **options)
        rows = found.fetchall() if found.description else None
        columns = [(c.name, c.type_code, c.internal_size, c.precision, c.scale) for c in found.description or ()]
        show(step, columns, rows, found.statusmessage, found.rowcount)
    except psycopg.Error as error:
        show(step, type(error).__name__, error.sqlstate, error.diag.message_primary, error.diag.constraint_name)
        connection.rollback()


for binary in (False, True):
    run("types", "SELECT %s::int4, %s::text, %s::numeric, %s::date, %s::text[], %s::jsonb, %s::bytea, %s::bool, %s::float8, %s::timestamptz",
        (5, "ä'\\x", decimal.Decimal("1.50"), datetime.date(2020, 2, 29), ["a", None], '{"a": 1}', b"\0\xff", True, 0.1,
         datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)), binary=binary)
cursor.executemany("INSERT INTO people (id, name, height, big) VALUES (%s, %s, %s, %s)",
                   [(number, f"p{number}", decimal.Decimal(number), number << 40) for number in range(1, 31)])
show("many", cursor.rowcount)
connection.commit()
for number in (1, 2, 3, 4, 5, 31):
    run("prepared", "SELECT id, name, height FROM people WHERE id = %s", (number,))
for number in (1, 2, 3, 4):
    run("prepared binary", "SELECT id, big, height FROM people WHERE id = %s", (number,), binary=True)
run("all", "SELECT count(*), sum(big), avg(height) FROM people WHERE id > %s", (10,))
run("returning", "INSERT INTO people (id, name) VALUES (%s, %s) RETURNING id, ok", (100, "hundred"))
connection.rollback()
run("unique", "INSERT INTO people (id, name) VALUES (%s, 'again')", (1,))
run("wrong", "SELECT * FROM people WHERE id = %s", ("x",))
run("missing", "SELECT nothing FROM people WHERE id = %s", (1,))
with connection.transaction():
    run("in block", "INSERT INTO notes VALUES (%s, %s, %s)", (1, 1, "kept"))
    try:
        with connection.transaction():
            run("inner", "INSERT INTO notes VALUES (%s, %s, %s)", (1, 2, "gone"))
            raise psycopg.Rollback
    except psycopg.Rollback:
        pass
run("kept", "SELECT * FROM notes WHERE person = 1")
with connection.pipeline():
    waiting = [connection.execute("SELECT name FROM people WHERE id = %s", (number,)) for number in range(1, 11)]
show("pipeline", [found.fetchone() for found in waiting])
try:
    with connection.pipeline():
        connection.execute("SELECT 1 / %s", (0,))
        connection.execute("SELECT 1")
except psycopg.Error as error:
    show("pipeline error", error.sqlstate)
connection.rollback()
with cursor.copy("COPY notes FROM STDIN") as copy:
    for number in range(5):
        copy.write_row((60 + number, 1, f"row {number}"))
show("copied", cursor.rowcount)
with cursor.copy("COPY notes FROM STDIN (FORMAT binary)") as copy:
    copy.set_types(["int4", "int4", "varchar"])
    for number in range(5):
        copy.write_row((70 + number, 1, f"binary {number}"))
with cursor.copy("COPY (SELECT * FROM notes ORDER BY person) TO STDOUT") as copy:
    copy.set_types(["int4", "int4", "varchar"])
    show("read", list(copy.rows()))
with connection.cursor("named") as named:
    named.itersize = 7
    named.execute("SELECT id FROM people ORDER BY id")
    show("cursor", [row[0] for row in named])
connection.commit()
connection.autocommit = True
run("stream", "SELECT 1")
show("streamed", [row for row in connection.cursor().stream("SELECT id FROM people WHERE id < %s ORDER BY id", (6,))])
run("setting", "SELECT set_config('application_name', 'three', false)")
show("reported", connection.info.parameter_status("application_name"))
run("deallocate", "DEALLOCATE ALL")
run("prepared", "SELECT id FROM people WHERE id = %s", (1,), prepare=True)
