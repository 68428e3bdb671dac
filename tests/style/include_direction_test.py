"""Includes run one way, towards base; each folder links what its row allows; a library has one user."""
import re
import unittest

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)
LIBRARY = re.compile(r"pgm_library\((\w+)(.*?)\)", re.S)

# Third-party headers that only some folders may touch: (pattern, folders, why).
GUARDED = [
    (re.compile(r"pg_query"), {"planner"}, "the planner is the only user of libpg_query"),
    (re.compile(r"libpq-fe\.h|libpq/"), {"backend", "replication/node", "cli"}, "connections are made in backend"),
    (re.compile(r"sqlite3\.h"), {"shardmap/store"}, "the embedded store is the only user of SQLite"),
    (re.compile(r"boost/asio|boost/beast|sys/socket\.h|netinet/"),
     {"base", "backend", "replication/node", "replication", "coordinator", "cli", "shardmap/store"},
     "wire, shardmap and planner do no input or output"),
    (re.compile(r"tbb/"), {"coordinator", "coordinator/merge"}, "heavy merges run in the coordinator's arena"),
]
TARGETS = {"store": "shardmap/store", "node": "replication/node", "merge": "coordinator/merge"}


def includes(text):
    """(own path or None, system path or None, line) of each #include."""
    return [(match.group(1), match.group(2), tree.line_of(text, match.start())) for match in INCLUDE.finditer(text)]


def problems_of_file(path, text, exists):
    """What is wrong with the includes of one file, as lines `path:line: why`."""
    folder = tree.folder_of(path)
    if folder is None:
        return []
    found = []
    for own, system, line in includes(text):
        name = own or system
        if folder in tree.MAY_INCLUDE:
            for pattern, allowed, why in GUARDED:
                if pattern.search(name) and folder not in allowed:
                    found.append(f"{path}:{line}: <{name}> does not belong into {folder}: {why}")
        if own is None:
            continue
        target = tree.folder_of(own)
        if target is None or not exists(own):
            if not own.endswith((".pb.h",)):
                found.append(f'{path}:{line}: "{own}" is not a path from the root; what is not ours goes into <>')
            continue
        if folder in tree.OUTSIDE or target == folder:
            continue
        if target not in tree.MAY_INCLUDE[folder]:
            found.append(f'{path}:{line}: {folder} may not include {target} ("{own}")')
        elif "/internal/" in own:
            found.append(f'{path}:{line}: "{own}" is internal to {target}')
    return found


def problems_of_links(folder, text):
    """pgm_library(… LINKS …) of a folder's CMakeLists.txt against the table."""
    found = []
    for match in LIBRARY.finditer(text):
        for link in re.findall(r"\bpgm_(\w+)\b", match.group(2)):
            target = TARGETS.get(link, link)
            if target in tree.MAY_INCLUDE and target not in tree.MAY_INCLUDE[folder]:
                found.append(f"{folder}/CMakeLists.txt: {folder} may not link pgm_{link}")
    return found


class IncludeDirection(unittest.TestCase):
    def test_every_include_runs_towards_base(self):
        found, seen = [], 0
        for path in tree.files(".h", ".cc", ".cpp"):
            text = (tree.ROOT / path).read_text()
            seen += len(includes(text))
            found += problems_of_file(path, text, lambda own: (tree.ROOT / own).exists())
        self.assertGreater(seen, 50, "the test reads no includes")
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_every_folder_links_what_its_row_allows(self):
        found = []
        for folder in tree.MAY_INCLUDE:
            lists = tree.ROOT / folder / "CMakeLists.txt"
            if lists.exists():
                found += problems_of_links(folder, lists.read_text())
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_every_source_folder_has_a_row(self):
        found = [path for path in tree.files(".h", ".cc") if tree.folder_of(path) is None and not path.startswith("cmake/")]
        self.assertEqual(found, [])


class ItCanFail(unittest.TestCase):
    """The canaries: each kind of mistake is noticed."""

    def check(self, path, text):
        return problems_of_file(path, text, lambda own: not own.startswith("missing"))

    def test_wrong_direction(self):
        self.assertEqual(len(self.check("wire/a.h", '#include "coordinator/session.h"\n')), 1)
        self.assertEqual(len(self.check("base/a.cc", '\n#include "wire/frame.h"\n')), 1)
        self.assertEqual(len(self.check("shardmap/a.cc", '#include "shardmap/store/store.h"\n')), 1)

    def test_right_direction(self):
        self.assertEqual(self.check("wire/a.h", '#include "base/error.h"\n#include "wire/b.h"\n#include <string>\n'), [])

    def test_internal_header_of_another_folder(self):
        self.assertEqual(len(self.check("coordinator/a.cc", '#include "planner/internal/tree.h"\n')), 1)

    def test_path_that_is_not_from_the_root(self):
        self.assertEqual(len(self.check("wire/a.h", '#include "b.h"\n')), 1)

    def test_guarded_library(self):
        self.assertEqual(len(self.check("coordinator/a.cc", "#include <pg_query.h>\n")), 1)
        self.assertEqual(len(self.check("planner/a.cc", "#include <boost/asio/awaitable.hpp>\n")), 1)

    def test_wrong_link(self):
        self.assertEqual(len(problems_of_links("wire", "pgm_library(wire SOURCES a.cc LINKS pgm_base pgm_planner)")), 1)


if __name__ == "__main__":
    unittest.main()
