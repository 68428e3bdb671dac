"""asyncpg: binary everywhere, named statements, introspection of types, cursors, COPY of records."""
import asyncio
import datetime
import decimal
import os
import uuid

import asyncpg


def show(step, *values):
    print(step, *(repr(value) for value in values), sep="\t")


async def run(step, call):
    try:
        found = await call
        show(step, [dict(row) for row in found] if isinstance(found, list) else found)
    except asyncpg.PostgresError as error:
        show(step, type(error).__name__, error.sqlstate, error.message)


async def main():
    address = {"host": os.environ["PGHOST"], "port": int(os.environ["PGPORT"]), "user": os.environ["PGUSER"], "database": os.environ["PGDATABASE"]}
    connection = await asyncpg.connect(**address)
    show("server", connection.get_server_version()[:2], connection.get_settings().TimeZone)
    await run("types", connection.fetch(
        "SELECT $1::int, $2::text, $3::numeric, $4::date, $5::text[], $6::jsonb, $7::bytea, $8::timestamptz, $9::uuid, $10::bool, $11::float8, $12::interval",
        5, "ä'\\x", decimal.Decimal("1.50"), datetime.date(2020, 2, 29), ["a", None], '{"a": 1}', b"\0\xff",
        datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), uuid.UUID(int=7), True, 0.1, datetime.timedelta(days=1, seconds=5)))
    await connection.executemany("INSERT INTO people (id, name, height, born, tags, big) VALUES ($1, $2, $3, $4, $5, $6)",
                                 [(n, f"p{n}", decimal.Decimal(n), datetime.date(1990, 1, n), [str(n)], n << 40) for n in range(1, 31)])
    for number in (1, 2, 30, 31):
        await run("fetch", connection.fetch("SELECT id, name, height, tags FROM people WHERE id = $1", number))
    statement = await connection.prepare("SELECT name, big FROM people WHERE id = $1")
    show("prepared", [(p.name, p.oid) for p in statement.get_parameters()], [(a.name, a.type.name) for a in statement.get_attributes()])
    show("rows", [await statement.fetchval(n) for n in range(1, 6)])
    await run("all", connection.fetch("SELECT count(*), sum(big), avg(height), max(born) FROM people WHERE id > $1", 10))
    await run("any", connection.fetch("SELECT id FROM people WHERE id = ANY($1::int[]) ORDER BY id", [5, 3, 99]))
    await run("tag", connection.execute("UPDATE people SET ok = false WHERE id = $1", 3))
    await run("unique", connection.execute("INSERT INTO people (id, name) VALUES ($1, $2)", 1, "again"))
    await run("missing", connection.fetch("SELECT * FROM nowhere"))
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute("INSERT INTO notes VALUES ($1, $2, $3)", 1, 1, "kept")
        try:
            async with connection.transaction():
                await connection.execute("INSERT INTO notes VALUES ($1, $2, $3)", 1, 1, "twice")
        except asyncpg.UniqueViolationError as error:
            show("inner", error.sqlstate, error.constraint_name)
        rows = [row["id"] async for row in connection.cursor("SELECT id FROM people ORDER BY id", prefetch=7)]
        show("cursor", rows)
    await run("kept", connection.fetch("SELECT * FROM notes"))
    await run("copy in", connection.copy_records_to_table("notes", records=[(60 + n, 1, f"row {n}") for n in range(10)]))
    path = f"{os.getpid()}.copied"
    await run("copy out", connection.copy_from_query("SELECT * FROM notes WHERE person >= 60 ORDER BY person", output=path))
    with open(path, encoding="utf-8") as file:
        show("copied", file.read())
    os.remove(path)
    try:
        await connection.fetch("SELECT pg_sleep(20)", timeout=0.3)
    except asyncio.TimeoutError:
        show("timeout")
    await run("after", connection.fetch("SELECT 1 AS one"))
    await connection.close()


asyncio.run(main())
