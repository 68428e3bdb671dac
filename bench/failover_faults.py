"""The faults of bench/failover: what is done to a node, and what is done once the clients are served again."""
import contextlib
import os
import pathlib
import signal
import subprocess
import time

import common
cluster = common.cluster


def processes(node):
    """The postmaster and its children."""
    children = pathlib.Path(f"/proc/{node['pid']}/task/{node['pid']}/children").read_text().split()
    return [node["pid"], *map(int, children)]


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Fault:
    """`of` is the role of the node that suffers; `moves`: another node is primary afterwards; `is_outage`: somebody is away."""
    of, moves, is_outage = "primary", True, True

    def __init__(self, made, shard):
        self.made = made
        self.node = made.node(shard, self.of)
        self.shard = shard

    def strike(self):
        raise NotImplementedError

    def relent(self):
        """Afterwards: it wakes, or the network heals."""


class Kill(Fault):
    """SIGKILL of all processes of the primary"""

    def strike(self):
        signal_all(processes(self.node), signal.SIGKILL)


class Hang(Fault):
    """SIGSTOP of all processes of the primary, SIGCONT later"""

    def strike(self):
        self.stopped = processes(self.node)
        signal_all(self.stopped, signal.SIGSTOP)

    def relent(self):
        signal_all(self.stopped, signal.SIGCONT)


class Cut(Fault):
    """The network of the primary cut: every packet from and to its port dropped, healed later"""
    table = f"pgmosaic_bench_{os.getpid()}"

    def nft(self, *commands):
        subprocess.run(["nft", "-f", "-"], input="\n".join(commands) + "\n", text=True, check=True)

    def strike(self):
        port = self.node["port"]
        self.nft(f"add table inet {self.table}",
                 f"add chain inet {self.table} cut {{ type filter hook output priority 0; }}",
                 f"add rule inet {self.table} cut tcp dport {port} drop", f"add rule inet {self.table} cut tcp sport {port} drop")

    def relent(self):
        self.nft(f"delete table inet {self.table}")


class CleanStop(Fault):
    """pg_ctl stop -m fast of the primary, by a stranger"""

    def strike(self):
        subprocess.run([str(cluster.BIN / "pg_ctl"), "stop", "-D", self.node["data_directory"], "-m", "fast", "-W"], check=True,
                       stdout=subprocess.DEVNULL, cwd="/", **cluster.SERVER_USER)


class Backend(Fault):
    """SIGKILL of one backend: the server restarts by itself, no failover"""
    moves = False

    def strike(self):
        with self.made.server(self.node).raw() as connection:
            victim = connection.value("SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND pid <> pg_backend_pid() LIMIT 1")
        os.kill(int(victim), signal.SIGKILL)


class Standby(Fault):
    """SIGKILL of all processes of the standby, policy `continue`"""
    of, moves, is_outage = "standby", False, False

    def strike(self):
        signal_all(processes(self.node), signal.SIGKILL)


class Switchover(Fault):
    """pgmosaic switchover"""
    is_outage = False

    def strike(self):
        self.made.verb("switchover", self.made.status()["shards"][self.shard]["name"], "--yes")


class Coordinator(Fault):
    """SIGKILL of pgmosaic, then `up` at once"""
    moves = False

    def strike(self):
        pid = self.made.pid
        os.kill(pid, signal.SIGKILL)
        self.restarted = time.monotonic()
        self.restart = subprocess.Popen([cluster.PGMOSAIC, "up", self.made.directory], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def relent(self):
        self.restart.wait(60)


FAULTS = {"kill": Kill, "hang": Hang, "cut": Cut, "stop": CleanStop, "standby": Standby, "coordinator": Coordinator,
          "backend": Backend, "switchover": Switchover}
