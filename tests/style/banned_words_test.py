"""Words and shapes that the house does not use, each with its reason."""
import re
import unittest

import tree


def in_header(path):
    return path.endswith(".h")


def in_product(path):
    return tree.folder_of(path) in tree.MAY_INCLUDE


def in_unit_test(path):
    return path.startswith("tests/unit/")


def on_a_core(path):
    return tree.folder_of(path) in ("base", "wire", "shardmap", "planner", "backend", "replication", "coordinator")


# (pattern over code without comments and literals, where, why)
RULES = [
    (re.compile(r"\busing\s+namespace\s+(?!std::(?:\w+_)?literals\b|std::\w+_literals\b|std::literals::\w+)"), in_header,
     "no `using namespace` in headers (suffixes of literals excepted)"),
    (re.compile(r"\b(?:asio::)?detached\b(?!_)"), lambda path: in_product(path) and not path.startswith("base/task_group."),
     "nothing is detached: background work belongs to a TaskGroup"),
    (re.compile(r"\bsleep_for\b|\bsleep_until\b|\busleep\s*\(|\bnanosleep\s*\(|(?<![\w.>])sleep\s*\("), in_unit_test,
     "a unit test does not sleep: it has a clock moved by hand"),
    (re.compile(r"\bsleep_for\b|\bsleep_until\b|\busleep\s*\(|\bnanosleep\s*\("), on_a_core, "a core never blocks"),
    (re.compile(r"\bPQ(?:exec\w*|connectdb\w*|setdb\w*|sendFlushRequest|getResult|prepare)\s*\("), on_a_core,
     "libpq connects; after that the protocol is spoken without it, and nothing blocks"),
    (re.compile(r"\bstd::source_location\b"), in_product, "Clang 14 has none: use Boost's"),
    (re.compile(r"\bstd::(?:ranges::)?views::"), in_product, "Clang 14 with libstdc++ 12 has no working view pipelines"),
    (re.compile(r"\basync_wait\s*\(\s*(?:\w+::)*(?:socket_base::)?wait_(?:read|write)"), lambda path: path.startswith("coordinator/"),
     "async_wait costs an epoll_ctl each time"),
    (re.compile(r"\bassert\s*\("), in_product, "PGM_CHECK holds in release, too"),
]
TODO = re.compile(r"\bTODO\b(?!\((?:\w[\w .-]*|#\d+)\))")
CAPTURE = re.compile(r"(?<![\w\])])\[(?P<capture>[^\[\]]*)\]\s*(?=[({]|mutable\b|noexcept\b|->)")


def problems_of_words(path, text):
    code = tree.bare(text)
    found = [f"{path}:{tree.line_of(text, match.start())}: {why}"
             for pattern, where, why in RULES if where(path) for match in pattern.finditer(code)]
    found += [f"{path}:{tree.line_of(text, match.start())}: TODO carries a name or an issue: TODO(#3)"
              for match in TODO.finditer(text)]
    return found


def closing(code, start):
    """Offset behind the bracket that closes the one at `start`."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    depth = 0
    for offset in range(start, len(code)):
        if code[offset] == code[start]:
            depth += 1
        elif code[offset] == pairs[code[start]]:
            depth -= 1
            if depth == 0:
                return offset + 1
    return len(code)


def lambdas(code):
    """(offset, capture, body start, body end) of each lambda; attributes and array subscripts are passed over."""
    for match in CAPTURE.finditer(code):
        offset = match.end()
        if offset < len(code) and code[offset] == "(":
            offset = closing(code, offset)
        body = re.compile(r"[^;{}()\[\]]*(?:\([^()]*\)[^;{}()\[\]]*)*\{").match(code, offset)
        if body:
            yield match.start(), match.group("capture").strip(), body.end() - 1, closing(code, body.end() - 1)


def problems_of_lambdas(path, text):
    """A capturing lambda that is itself a coroutine; `run(…)` of a test fixture keeps its lambda alive."""
    code = tree.bare(text)
    all_lambdas = list(lambdas(code))
    found = []
    for offset, capture, start, end in all_lambdas:
        inner = code[start:end]
        for _, _, other_start, other_end in all_lambdas:
            if start < other_start and other_end <= end:  # what a lambda inside awaits is its own affair
                inner = inner[:other_start - start] + " " * (other_end - other_start) + inner[other_end - start:]
        if not capture or not re.search(r"\bco_(?:await|return|yield)\b", inner):
            continue
        if path.startswith("tests/") and re.search(r"\brun\w*\s*\(\s*(?:[\w.&*]+\s*,\s*)*$", code[:offset]):
            continue
        found.append(f"{path}:{tree.line_of(code, offset)}: a capturing lambda is a coroutine; "
                     "its captures die with the lambda: pass arguments by value to a function")
    return found


# What GCC 12 makes wrong code of (docs/decisions/2026-11-23-gcc-12-and-coroutines.md).
BRANCH = re.compile(r"if\s*\(\s*!\s*co_await\b[^;{}]*\)\s*(?:break|continue)\s*;")


def problems_of_coroutines(path, text):
    """`?:` in a statement that awaits, and a jump out of a loop by an awaited condition."""
    code = tree.bare(text)
    found = [f"{path}:{tree.line_of(text, match.end() - len(match.group().lstrip()))}: `?:` and co_await in one statement: "
             "GCC 12 runs both branches, or destroys temporaries twice"
             for match in re.finditer(r"[^;{}]+", code)
             if "co_await" in match.group() and re.search(r"\s\?\s", match.group())]
    return found + [f"{path}:{tree.line_of(text, match.start())}: keep what was awaited in a const first: GCC 12 traps here"
                    for match in BRANCH.finditer(code)]


class BannedWords(unittest.TestCase):
    def test_no_banned_word_in_the_tree(self):
        sources = tree.files(".h", ".cc")
        self.assertGreater(len(sources), 10, "the test sees no sources")
        found = []
        for path in sources:
            text = (tree.ROOT / path).read_text()
            found += problems_of_words(path, text) + problems_of_lambdas(path, text) + problems_of_coroutines(path, text)
        self.assertEqual(found, [], "\n" + "\n".join(found))


class ItCanFail(unittest.TestCase):
    def words(self, path, text):
        return len(problems_of_words(path, text))

    def test_words(self):
        self.assertEqual(self.words("base/a.h", "using namespace std;\n"), 1)
        self.assertEqual(self.words("base/a.h", "using namespace std::chrono_literals;\n"), 0)
        self.assertEqual(self.words("base/a.cc", "using namespace std;\n"), 0)
        self.assertEqual(self.words("coordinator/a.cc", "asio::co_spawn(io, f(), asio::detached);\n"), 1)
        self.assertEqual(self.words("base/task_group.cc", "asio::co_spawn(io, f(), asio::detached);\n"), 0)
        self.assertEqual(self.words("tests/unit/base/a_test.cc", "std::this_thread::sleep_for(5ms);\n"), 1)
        self.assertEqual(self.words("coordinator/a.cc", 'PQexec(conn, "x");\n'), 1)
        self.assertEqual(self.words("base/a.cc", "// TODO later\n"), 1)
        self.assertEqual(self.words("base/a.cc", "// TODO(#12): later\n"), 0)
        self.assertEqual(self.words("base/a.cc", '// asio::detached is for others\nauto s = "PQexec(";\n'), 0)

    def test_coroutine_lambdas(self):
        bad = "void f() { spawn([x, &y](int a) mutable -> Task<> { co_await g(x); }); }\n"
        self.assertEqual(len(problems_of_lambdas("backend/a.cc", bad)), 1)
        self.assertEqual(len(problems_of_lambdas("backend/a.cc", bad.replace("x, &y", "=").replace("(int a) mutable ", "()"))), 1)
        self.assertEqual(problems_of_lambdas("backend/a.cc", bad.replace("x, &y", "")), [])
        self.assertEqual(problems_of_lambdas("backend/a.cc", "auto f = [x] { return [](int y) -> Task<> { co_await y; }(x); };"), [])
        self.assertEqual(problems_of_lambdas("backend/a.cc", "int a[4] = {}; b[i] = c; [[nodiscard]] int f() { co_await x; }"), [])
        self.assertEqual(problems_of_lambdas("tests/unit/base/a_test.cc", "run([&]() -> Task<> { co_await g(x); });"), [])
        self.assertEqual(len(problems_of_lambdas("tests/unit/base/a_test.cc", "spawn([&]() -> Task<> { co_await g(x); });")), 1)


    def test_coroutine_traps(self):
        self.assertEqual(len(problems_of_coroutines("a.cc", "void f() {\n  co_await g(x ? y : z);\n}\n")), 1)
        self.assertEqual(len(problems_of_coroutines("a.cc", "x = y ? co_await g() : 0;\n")), 1)
        self.assertEqual(len(problems_of_coroutines("a.cc", "for (;;) { if (!co_await g()) break; }\n")), 1)
        self.assertEqual(problems_of_coroutines("a.cc", "const int a = x ? y : z;\nco_await g(a);\n"), [])


if __name__ == "__main__":
    unittest.main()
