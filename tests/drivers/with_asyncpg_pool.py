"""asyncpg's pool: what it resets a connection with (advisory locks, cursors, LISTEN, settings) before the next one gets it."""
import asyncio
import os

import asyncpg


def show(step, *values):
    print(step, *(repr(value) for value in values), sep="\t")


async def main():
    address = {"host": os.environ["PGHOST"], "port": int(os.environ["PGPORT"]), "user": os.environ["PGUSER"], "database": os.environ["PGDATABASE"]}
    connection = await asyncpg.connect(**address)
    await connection.executemany("INSERT INTO people (id, name) VALUES ($1, $2)", [(n, f"p{n}") for n in range(1, 31)])
    for zone in ("Asia/Tokyo", "Europe/Berlin"):
        await connection.execute(f"SET TIME ZONE '{zone}'")
        show("set", await connection.fetchval("SELECT current_setting('TimeZone')"))
        await connection.reset()
        show("reset", await connection.fetchval("SELECT current_setting('TimeZone')"))
    await connection.close()
    async with asyncpg.create_pool(**address, min_size=2, max_size=4) as pool:
        async def ask(number):
            async with pool.acquire() as one:
                return await one.fetchval("SELECT name FROM people WHERE id = $1", number)
        for name in await asyncio.gather(*(ask(number) for number in range(1, 21))):
            show("pool", name)


asyncio.run(main())
