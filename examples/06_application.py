#!/usr/bin/python3
"""A program as one would write it for one PostgreSQL; the retry is what any replicated database asks for."""
import psycopg2
import psycopg2.errors
import psycopg2.extras


def retried(connection, work, attempts=10):
    """Runs work(cursor) in a transaction; again if it was rolled back for a reason that is not its own (40001, 40P01)."""
    for attempt in range(attempts):
        try:
            with connection, connection.cursor() as cursor:
                return work(cursor)
        except (psycopg2.errors.SerializationFailure, psycopg2.errors.DeadlockDetected):
            if attempt + 1 == attempts:
                raise


def make(cursor):
    cursor.execute("CREATE TABLE posts (author int, id int, title text, PRIMARY KEY (author, id))")
    cursor.execute("SELECT create_distributed_table('posts', 'author')")


def write_posts(cursor):
    rows = [(author, number, f"post {number} of {author}") for author in range(1, 21) for number in range(1, 6)]
    psycopg2.extras.execute_values(cursor, "INSERT INTO posts VALUES %s", rows)


def main():
    connection = psycopg2.connect("")  # PGHOST, PGPORT, PGUSER, PGDATABASE
    retried(connection, make)
    retried(connection, write_posts)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT title FROM posts WHERE author = %s ORDER BY id", (7,))
        print([title for (title,) in cursor.fetchall()])
        cursor.execute("SELECT count(*), count(DISTINCT title) FROM posts WHERE author = %s", (3,))
        print(cursor.fetchone())
        cursor.execute("SELECT author, max(id) FROM posts GROUP BY author ORDER BY author LIMIT 3")
        print(cursor.fetchall())
    retried(connection, lambda cursor: cursor.execute("DROP TABLE posts"))


if __name__ == "__main__":
    main()
