"""Asks the target and plain PostgreSQL the same, and says where the answers differ."""
import re

import raw

FIRST_USER_OID = 16384  # objects above differ from server to server


def shape_of(result):
    """Names, types and formats of the columns; OIDs of user types are only told from built-in ones."""
    if result.columns is None:
        return None
    return [(c.name, c.type if c.type < FIRST_USER_OID else "user type", c.typmod, c.format) for c in result.columns]


def answer_of(result, ordered):
    rows = result.rows if ordered else sorted(result.rows, key=repr)
    error = None
    if result.error:
        error = {code: result.error.get(code) for code in "SVCMDHP" if code in result.error}
    notices = [(notice.get("S"), notice.get("C"), notice.get("M")) for notice in result.notices]
    return {"columns": shape_of(result), "rows": rows, "tag": result.tag, "error": error, "notices": notices,
            "copied": result.copied if ordered or result.copied is None else sorted(result.copied.splitlines())}


def is_ordered(sql):
    return re.search(r"\border\s+by\b", sql, re.I) is not None


def differences(target_results, plain_results, ordered, refusals_allowed=False):
    """Lines that say what is not the same; an honest refusal (0A000) is none where `refusals_allowed`."""
    if refusals_allowed and any(result.code == "0A000" for result in target_results):
        return []
    found = []
    if len(target_results) != len(plain_results):
        found.append(f"{len(target_results)} results instead of {len(plain_results)}: "
                     f"{[r.tag or r.error for r in target_results]} / {[r.tag or r.error for r in plain_results]}")
    for ours, theirs in zip(target_results, plain_results):
        ours, theirs = answer_of(ours, ordered), answer_of(theirs, ordered)
        for part, expected in theirs.items():
            if ours[part] != expected:
                found.append(f"{part}: got {shorten(ours[part])}, expected {shorten(expected)}")
    return found


def shorten(value, length=1200):
    text = repr(value)
    return text if len(text) <= length else text[:length] + "…"


class Comparison:
    """A session on each side; statements go to both."""

    def __init__(self, pair):
        self.target = pair.target.raw()
        self.plain = pair.plain.raw()
        for connection in (self.target, self.plain):
            connection.execute("SET client_min_messages = notice")

    def close(self):
        self.target.close()
        self.plain.close()

    def simple(self, sql, copy_in=None, ordered=None, **options):
        """Differences of a simple query's answers and of the transaction status after it."""
        ordered = is_ordered(sql) if ordered is None else ordered
        ours, theirs = self.target.query(sql, copy_in), self.plain.query(sql, copy_in)
        found = differences(ours, theirs, ordered, **options)
        if self.target.status != self.plain.status:
            found.append(f"transaction status: got {self.target.status}, expected {self.plain.status}")
        return [f"{sql}\n    {line}" for line in found]

    def extended(self, sql, values=(), types=(), binary=False, ordered=None, **options):
        """The same through the extended protocol, in text or binary."""
        ordered = is_ordered(sql) if ordered is None else ordered
        formats = (1,) if binary else ()
        ours = self.target.extended(sql, values, types, result_formats=formats)
        theirs = self.plain.extended(sql, values, types, result_formats=formats)
        found = differences([ours], [theirs], ordered, **options)
        return [f"{sql} {values} {'binary' if binary else 'text'}\n    {line}" for line in found]

    def all_ways(self, sql, **options):
        """Simple, extended text, extended binary: for a read."""
        return (self.simple(sql, **options) + self.extended(sql, **options) + self.extended(sql, binary=True, **options))


def pipeline(connection, *parts):
    """Sends parts, reads to ReadyForQuery; the kinds of the messages, and errors by code."""
    connection.send(*parts)
    found = connection.until_ready()
    return "".join(message.kind for message in found), [raw.fields_of(m.body)["C"] for m in found if m.kind == "E"]
