"""Bounds: memory under slow readers, many clients, long pipelines."""
import os
import pathlib
import time
import unittest

import cluster
import raw

MEGABYTE = 1 << 20


def setUpModule():
    global target, pid
    target = cluster.started(cluster.Pair()).target
    pid = None if cluster.ON_PLAIN else target.pid
    with target.raw() as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        if not cluster.ON_PLAIN:
            connection.execute("SELECT create_distributed_table('t', 'id')")
        connection.execute("COPY t FROM STDIN", b"".join(b"%d\t%s\n" % (key, b"x" * 1000) for key in range(1, 20001)))


def anonymous_bytes():
    """The endpoint's anonymous memory."""
    if pid is None:
        return 0
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Anonymous line")


class Memory(unittest.TestCase):
    def peak_while_nothing_is_read(self, sql, seconds=4):
        connection = target.raw()
        connection.socket.setsockopt(raw.socket.SOL_SOCKET, raw.socket.SO_RCVBUF, 65536)
        before = anonymous_bytes()
        connection.send(raw.query(sql))
        peak = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            peak = max(peak, anonymous_bytes() - before)
            time.sleep(0.1)
        read = 0
        while read < 40 * MEGABYTE:
            read += len(connection.socket.recv(MEGABYTE))
            peak = max(peak, anonymous_bytes() - before) if read % 8 == 0 else peak
        connection.socket.close()
        return peak

    def test_reader_that_does_not_read_a_large_result_of_one_shard(self):
        self.assertLess(self.peak_while_nothing_is_read("SELECT g, repeat('x', 1000) FROM generate_series(1, 1000000) g"),
                        64 * MEGABYTE)

    def test_reader_that_does_not_read_a_large_result_of_all_shards(self):
        sql = "SELECT id, v, v, v, v FROM t"
        self.assertLess(self.peak_while_nothing_is_read(sql), 64 * MEGABYTE)

    def test_reader_that_does_not_read_a_sorted_result(self):
        self.assertLess(self.peak_while_nothing_is_read("SELECT id, v, v, v FROM t ORDER BY id DESC"), 64 * MEGABYTE)

    def test_sessions_go_on_beside_a_slow_reader(self):
        slow = target.raw()
        slow.send(raw.query("SELECT id, v, v, v, v FROM t"))
        time.sleep(0.5)
        with target.raw() as connection:
            started = time.monotonic()
            for key in range(1, 200):
                connection.value(f"SELECT id FROM t WHERE id = {key}")
            self.assertLess(time.monotonic() - started, 5)
        slow.socket.close()

    def test_a_long_pipeline_is_taken_in_pieces(self):
        connection = target.raw()
        connection.socket.settimeout(60)
        before = anonymous_bytes()
        part = b"".join(raw.parse("SELECT v FROM t WHERE id = $1") + raw.bind([key]) + raw.execute() for key in range(1, 101))
        import threading
        sender = threading.Thread(target=lambda: [connection.socket.sendall(part) for _ in range(200)] and
                                  connection.socket.sendall(raw.sync()))
        sender.start()
        time.sleep(1)
        rows = 0
        while True:
            found = connection.next()
            rows += found.kind == "D"
            if found.kind == "Z":
                break
        sender.join()
        self.assertEqual(rows, 20000)
        self.assertLess(anonymous_bytes() - before, 64 * MEGABYTE)


class ManyClients(unittest.TestCase):
    COUNT = 80 if cluster.ON_PLAIN else 1000

    def test_idle_clients_cost_little_and_all_are_served(self):
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
        connections = [target.raw() for _ in range(20)]
        for connection in connections:
            connection.value("SELECT v FROM t WHERE id = 1")
        before = anonymous_bytes()
        connections += [target.raw() for _ in range(self.COUNT - 20)]
        for position, connection in enumerate(connections):
            self.assertEqual(connection.value(f"SELECT id FROM t WHERE id = {position + 1}"), str(position + 1))
        grown = anonymous_bytes() - before
        for connection in connections:
            connection.close()
        self.assertLess(grown / self.COUNT, 16384)

    def test_more_transactions_than_pooled_connections_wait_and_finish(self):
        connections = [target.raw() for _ in range(90 if not cluster.ON_PLAIN else 30)]
        for position, connection in enumerate(connections):
            connection.send(raw.query(f"SELECT id, pg_sleep(0.05) FROM t WHERE id = {position + 1}"))
        for position, connection in enumerate(connections):
            self.assertEqual(connection.results()[0].error, None)
            connection.close()


if __name__ == "__main__":
    unittest.main()
