"""Histories of concurrent transactions and what must not be in them.

Each value is appended once to the lists of some keys, so what a reader saw tells whose writes it saw and in which order they
were made (list-append, as in "Elle", Kingsbury and Alvaro 2020). Checked are: acknowledged appends that are gone, appends of
rolled back transactions that are seen, orders that contradict each other, and circles of dependencies with at most one
anti-dependency (G0, G1c, G-single), where "had ended before the other began" is a dependency, too.
"""
import bisect
import collections
import dataclasses
import heapq
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
    anti = set()
    for values in orders.values():
        for one, two in zip(values, values[1:]):
            after[number[id(writer[one])]].add(number[id(writer[two])])
    for reader in readers:
        here = number[id(reader)]
        for key, seen in reader.reads.items():
            if seen:
                after[number[id(writer[seen[-1]])]].add(here)
            if len(seen) < len(orders[key]):
                anti.add((here, number[id(writer[orders[key][len(seen)]])]))
    add_real_time(alive, after)
    place = order_of(alive, after)
    problems = [f"value {alive[here].value} depends on itself (G0 or G1c)" for here in range(len(alive))
                if here not in place and alive[here].value is not None and reaches(after, here, here)]
    for here, there in anti:
        # In an order that respects all dependencies nobody reaches what stands before him.
        possible = here != there and not (here in place and there in place and place[there] > place[here])
        if possible and reaches(after, there, here, place):
            problems.append(f"a reader saw an effect of value {alive[there].value}, or began after it was acknowledged, and did not see it (G-single)")
    return problems


def add_real_time(alive, after):
    """What had ended before another began comes before it: by a chain of moments, numbered from len(alive) on."""
    count = len(alive)
    by_begin = sorted(range(count), key=lambda i: alive[i].begin)
    begins = [alive[i].begin for i in by_begin]
    for place, each in enumerate(by_begin):
        after[count + place].add(each)
        if place + 1 < count:
            after[count + place].add(count + place + 1)
    for here, each in enumerate(alive):
        if each.outcome == COMMITTED and each.end is not None:
            first = bisect.bisect_right(begins, each.end)
            if first < count:
                after[here].add(count + first)


def order_of(alive, after):
    """Places in an order that respects all dependencies, early beginners first; without those in circles and what follows them."""
    before = collections.Counter(there for following in after.values() for there in following)
    begin = [each.begin for each in alive] + sorted(each.begin for each in alive)
    ready = [(begin[i], i) for i in range(len(begin)) if before[i] == 0]
    heapq.heapify(ready)
    place = {}
    while ready:
        _, here = heapq.heappop(ready)
        place[here] = len(place)
        for there in after[here]:
            before[there] -= 1
            if before[there] == 0:
                heapq.heappush(ready, (begin[there], there))
    return place


def reaches(after, start, goal, place=None):
    """Along dependencies, at least one step; `place` tells who cannot lie on the way."""
    last = place.get(goal) if place else None
    seen, stack = set(), [start]
    while stack:
        for each in after[stack.pop()] - seen:
            if each == goal:
                return True
            seen.add(each)
            if last is None or place.get(each, last) <= last:
                stack.append(each)
    return False
