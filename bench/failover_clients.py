"""Clients of bench/failover: processes that write, read and stray, each with its own connection and its own log.

A line of a log is one finished statement: kind (a acknowledged, e failed, r read, s stale read, c connected), number,
begin, end, and of a failure its code and words. Clocks are CLOCK_MONOTONIC, the same for all processes of a machine.
"""
import contextlib
import multiprocessing
import os
import pathlib
import random
import signal
import time

import psycopg2

PAUSE_SECONDS = 0.005  # after a success, as peers/failover/meter.py does
RETRY_SECONDS = 0.02   # after a failure
NOW = time.monotonic


class Client(multiprocessing.Process):
    """`shards`: of each writer, by its number. A paused client has finished its statement and begins no other."""

    def __init__(self, directory, name, options, numbers):
        super().__init__(daemon=True, name=name)
        self.path = pathlib.Path(directory, f"{name}.log")
        self.path.touch()
        self.options, self.numbers = options, numbers
        self.pausing, self.paused = multiprocessing.Event(), multiprocessing.Event()
        self.acknowledged = multiprocessing.Value("d", 0.0, lock=False)  # when
        self.number = multiprocessing.Value("q", 0, lock=False)          # of the last acknowledged statement
        self.offset = 0
        self.connection = None

    def run(self):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.log = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        while True:
            if self.pausing.is_set():
                self.paused.set()
                time.sleep(0.005)
                continue
            self.paused.clear()
            time.sleep(PAUSE_SECONDS if self.turn() else RETRY_SECONDS)

    def turn(self):
        if self.connection is None or self.connection.closed:
            with contextlib.suppress(psycopg2.Error):
                self.connection = psycopg2.connect(**self.options, connect_timeout=5)
                self.connection.autocommit = True
                self.note("c", 0, NOW(), NOW())
            if self.connection is None or self.connection.closed:
                return False
        return self.step(self.connection.cursor())

    def note(self, kind, number, begin, end, *words):
        os.write(self.log, (" ".join(map(str, (kind, number, begin, end, *words))) + "\n").encode())

    def failed(self, number, begin, error):
        code = error.pgcode or "connection"
        self.note("e", number, begin, NOW(), code, *str(error).split())
        # A session on a server that has become a standby is of no use to a writer.
        if code == "25006":
            self.connection.close()
        elif not self.connection.closed:
            with contextlib.suppress(psycopg2.Error):
                self.connection.rollback()
        return False

    def lines(self):
        """What was logged since the last call."""
        with open(self.path, encoding="ascii") as log:
            log.seek(self.offset)
            text = log.read()
        whole = text[:text.rfind("\n") + 1]
        self.offset += len(whole)
        return [(kind, int(number), float(begin), float(end), *words)
                for kind, number, begin, end, *words in map(str.split, whole.splitlines())]


class Writer(Client):
    """Inserts (client, number), one row per statement, each a transaction."""

    def __init__(self, directory, client, options, name=None):
        super().__init__(directory, name or f"writer{client}", options, None)
        self.client = client
        self.next = 0

    def step(self, cursor):
        self.next += 1
        begin = NOW()
        try:
            cursor.execute("INSERT INTO fm (client, seq) VALUES (%s, %s)", (self.client, self.next))
        except psycopg2.Error as error:
            return self.failed(self.next, begin, error)
        end = NOW()
        self.note("a", self.next, begin, end)
        self.acknowledged.value, self.number.value = end, self.next
        return True


class Reader(Client):
    """Reads the newest number of some writer: it is stale if that writer knew better before the read began."""

    def __init__(self, directory, name, options, writers):
        super().__init__(directory, name, options, [(writer.client, writer.number) for writer in writers])

    def step(self, cursor):
        client, number = random.choice(self.numbers)
        known, begin = number.value, NOW()
        try:
            cursor.execute("SELECT coalesce(max(seq), 0) FROM fm WHERE client = %s", (client,))
            found = cursor.fetchone()[0]
        except psycopg2.Error as error:
            return self.failed(client, begin, error)
        self.note("s" if found < known else "r", client, begin, NOW())
        return True


def pause(clients, seconds=30):
    """All of them finish what they do; the names of those that do not."""
    for client in clients:
        client.pausing.set()
    end = NOW() + seconds
    return [client.name for client in clients if not client.paused.wait(max(0.0, end - NOW()))]


def resume(clients):
    for client in clients:
        client.paused.clear()
        client.pausing.clear()
