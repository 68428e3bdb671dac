"""What clients were told about their transfers, and what the shards say afterwards.

A transfer moves money between two accounts by two rows of `entries`, usually on two shards, in one transaction. Told
"committed" it must be there whole; told "rolled back" it must not be there at all; told nothing, or that the outcome is
not known, it must be there whole or not at all.
"""
import contextlib
import pathlib
import random
import sys
import threading

import psycopg2

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "component"))

COMMITTED, ROLLED_BACK, UNKNOWN = "committed", "rolled back", "unknown"
# Codes that say: this did not happen. 08007 and a lost connection say nothing.
SURE = {"40001", "40P01", "57P03", "57P01", "57014", "53300", "55P03", "25006"}


class Ledger:
    def __init__(self, seed):
        self.lock = threading.Lock()
        self.told = {}
        self.errors = {}
        self.writers = 0  # numbers are not used twice
        self.seed = seed

    def note(self, transfer, outcome, error=None):
        with self.lock:
            self.told[transfer] = outcome
            if error:
                self.errors[error] = self.errors.get(error, 0) + 1

    def count(self, outcome):
        with self.lock:
            return sum(told == outcome for told in self.told.values())

    def summary(self):
        return (f"seed {self.seed}: {len(self.told)} transfers, {self.count(COMMITTED)} committed, "
                f"{self.count(ROLLED_BACK)} rolled back, {self.count(UNKNOWN)} unknown; errors {self.errors}")

    def verdict(self, rows):
        """What is wrong with the entries (writer, number, amount) that the shards hold, as lines."""
        found, wrong = {}, []
        for writer, number, amount in rows:
            found.setdefault((writer, number), []).append(amount)
        for transfer, amounts in found.items():
            if len(amounts) != 2 or sum(amounts) != 0:
                wrong.append(f"half a transfer: {transfer} {amounts}, told {self.told.get(transfer)}")
            if self.told.get(transfer) == ROLLED_BACK:
                wrong.append(f"told rolled back, but is there: {transfer}")
        wrong += [f"told committed, but is gone: {transfer}" for transfer, outcome in self.told.items()
                  if outcome == COMMITTED and transfer not in found]
        return wrong


SCHEMA = ("CREATE TABLE entries (account int, writer int, number int, amount int, PRIMARY KEY (account, writer, number));"
          "SELECT create_distributed_table('entries', 'account')")


class Writer(threading.Thread):
    """Makes transfers one after the other until told to stop; reconnects when it must."""

    def __init__(self, endpoint, ledger, number, accounts=1000):
        super().__init__(daemon=True)
        self.endpoint, self.ledger, self.number = endpoint, ledger, number
        self.accounts = accounts
        self.dice = random.Random(f"{ledger.seed}/{number}")
        self.stopping = threading.Event()

    def run(self):
        connection, number = None, 0
        while not self.stopping.is_set():
            try:
                if connection is None or connection.closed:
                    connection = self.endpoint.connect(connect_timeout=5)
            except psycopg2.Error:
                self.stopping.wait(0.1)
                continue
            number += 1
            self.transfer(connection, (self.number, number))
        if connection is not None:
            with contextlib.suppress(psycopg2.Error):
                connection.close()

    def transfer(self, connection, transfer):
        giver, taker = self.dice.sample(range(self.accounts), 2)
        amount = self.dice.randint(1, 100)
        committing = False
        try:
            with connection.cursor() as cursor:
                insert = "INSERT INTO entries VALUES (%s, %s, %s, %s)"
                cursor.execute(insert, (giver, *transfer, -amount))
                cursor.execute(insert, (taker, *transfer, amount))
                committing = True
                connection.commit()
            self.ledger.note(transfer, COMMITTED)
        except psycopg2.Error as error:
            # Before COMMIT was sent nothing can have happened; after it only a code that says so is proof.
            sure = not committing or error.pgcode in SURE
            self.ledger.note(transfer, ROLLED_BACK if sure else UNKNOWN, error.pgcode or "connection lost")
            with contextlib.suppress(psycopg2.Error):
                connection.rollback()


class Writers:
    def __init__(self, endpoint, ledger, count=8):
        first = ledger.writers
        ledger.writers += count
        self.threads = [Writer(endpoint, ledger, number) for number in range(first, first + count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer hangs"


def entries(endpoint):
    with endpoint.raw() as connection:
        return [tuple(map(int, row)) for row in connection.rows("SELECT writer, number, amount FROM entries")]


def prepared(servers):
    """Prepared transactions that are left on the servers."""
    left = []
    for server in servers:
        with server.raw() as connection:
            left += connection.rows("SELECT gid, database FROM pg_prepared_xacts")
    return left
