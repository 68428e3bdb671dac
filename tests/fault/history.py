"""Histories of concurrent transactions and what must not be in them.

Each value is appended once to the lists of some keys, so what a reader saw tells whose writes it saw and in which order they
were made (list-append, as in "Elle", Kingsbury and Alvaro 2020). Checked are: acknowledged appends that are gone, appends of
rolled back transactions that are seen, orders that contradict each other, and circles of dependencies with at most one
anti-dependency (G0, G1c, G-single), where "had ended before the other began" is a dependency, too.
"""
import bisect
import collections
import dataclasses
import threading
import time

COMMITTED, ROLLED_BACK, UNKNOWN = "committed", "rolled back", "unknown"


@dataclasses.dataclass
class Transaction:
    """Appends are keys that got `value`; reads are what was seen: key -> list of values."""
    begin: float
    value: int = None
    appends: tuple = ()
    reads: dict = dataclasses.field(default_factory=dict)
    end: float = None
    outcome: str = UNKNOWN


class History:
    """What clients did and were told. Serves several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.transactions = []
        self.last = 0

    def begin(self, appends=()):
        with self.lock:
            self.last += 1
            made = Transaction(time.monotonic(), self.last if appends else None, tuple(appends))
            self.transactions.append(made)
            return made

    @staticmethod
    def finish(transaction, outcome):
        transaction.outcome = outcome
        transaction.end = time.monotonic()

    def count(self, outcome, reads):
        return sum(1 for each in self.transactions if each.outcome == outcome and bool(each.reads) == reads)


def check(transactions, final):
    """The problems as texts; `final`: key -> list at the end."""
    problems = []
    writer = {each.value: each for each in transactions if each.value is not None}
    orders = {key: list(values) for key, values in final.items()}
    committed_readers = [each for each in transactions if each.outcome == COMMITTED and each.reads]
    for reader in committed_readers:
        for key, seen in reader.reads.items():
            if list(seen) != orders[key][:len(seen)]:
                problems.append(f"key {key}: {seen[-3:]} was read, the end is {orders[key][max(0, len(seen) - 3):len(seen)]} there")
    for key, values in orders.items():
        if len(set(values)) != len(values):
            problems.append(f"key {key}: a value was appended twice")
        for value in values:
            if writer[value].outcome == ROLLED_BACK:
                problems.append(f"key {key}: value {value} of a rolled back transaction is there (G1a)")
    for each in writer.values():
        there = [key for key in each.appends if each.value in orders[key]]
        if each.outcome == COMMITTED and len(there) != len(each.appends):
            problems.append(f"value {each.value} is lost: in {there} of {each.appends}")
        if there and len(there) != len(each.appends):
            problems.append(f"value {each.value} is half committed: in {there} of {each.appends}")
    if not problems:
        problems += circles(transactions, writer, orders, committed_readers)
    return problems


def circles(transactions, writer, orders, readers):
    alive = [each for each in transactions if each.outcome == COMMITTED or any(each.value in orders[key] for key in each.appends)]
    number = {id(each): i for i, each in enumerate(alive)}
    after = collections.defaultdict(set)  # ww and wr
    anti = []
    for values in orders.values():
        for one, two in zip(values, values[1:]):
            after[number[id(writer[one])]].add(number[id(writer[two])])
    for reader in readers:
        here = number[id(reader)]
        for key, seen in reader.reads.items():
            if seen:
                after[number[id(writer[seen[-1]])]].add(here)
            if len(seen) < len(orders[key]):
                anti.append((here, number[id(writer[orders[key][len(seen)]])]))
    by_begin = sorted(range(len(alive)), key=lambda i: alive[i].begin)
    begins = [alive[i].begin for i in by_begin]

    def reaches(start, goal):
        """Along dependencies and real time, at least one step."""
        seen, stack, later = set(), [start], len(by_begin)
        while stack:
            here = stack.pop()
            following = set(after[here])
            if alive[here].outcome == COMMITTED and alive[here].end is not None:
                first = bisect.bisect_right(begins, alive[here].end)
                following.update(by_begin[first:later])
                later = min(later, first)
            for each in following - seen:
                if each == goal:
                    return True
                seen.add(each)
                stack.append(each)
        return False

    problems = []
    for here, there in anti:
        if here != there and reaches(there, here):
            problems.append(f"a reader saw an effect of value {alive[there].value}, or began after it was acknowledged, and did not see it (G-single)")
    for here in range(len(alive)):
        if alive[here].value is not None and reaches(here, here):
            problems.append(f"value {alive[here].value} depends on itself (G0 or G1c)")
    return problems
