"""Names in the unnamed namespaces of one folder are used once.

The release build joins sources of a folder (a unity build): two helpers of one name would be a redefinition there, or, worse,
overloads of each other, of which the wrong one may be called without a word. The same alias may be made in several files.
"""
import collections
import re
import unittest

import tree

UNNAMED = re.compile(r"^namespace \{\n(.*?)^\}", re.S | re.M)
TYPE = re.compile(r"(?:struct|class|enum class)\s+(\w+)\s*[:{]")
ALIAS = re.compile(r"(?:using\s+(\w+)|namespace\s+(\w+))\s*=\s*([^;]+);")
OTHER = re.compile(r"[^=({]*?(\w+)\s*(?:\(|=|\{)")


def names_in(code):
    """(name, text that makes it harmless to say it twice) of everything declared at the left margin of unnamed namespaces."""
    for block in UNNAMED.finditer(code):
        for line in block.group(1).splitlines():
            if not re.match(r"[A-Za-z[]", line) or re.match(r"(?:template|namespace\s*\{|public|private)\b", line):
                continue
            alias = ALIAS.match(line)
            if alias:
                yield alias.group(1) or alias.group(2), " ".join(alias.group(3).split())
                continue
            found = TYPE.match(line) or OTHER.match(line)
            if found:
                yield found.group(1), None


def clashes(sources):
    """sources: {path: code} of one folder."""
    seen = collections.defaultdict(dict)
    for path, code in sources.items():
        for name, same in names_in(code):
            seen[name].setdefault(path, same)
    return [f"{name}: {', '.join(sorted(places))}" for name, places in sorted(seen.items())
            if len(places) > 1 and (None in places.values() or len(set(places.values())) > 1)]


class UniqueNames(unittest.TestCase):
    def test_no_helper_has_the_name_of_another_in_its_folder(self):
        folders = collections.defaultdict(dict)
        for path in tree.files(".cc"):
            if tree.folder_of(path) in tree.MAY_INCLUDE:
                folders[tree.folder_of(path)][path] = tree.bare((tree.ROOT / path).read_text())
        self.assertGreater(len(folders), 5, "the test sees no sources")
        found = [clash for sources in folders.values() for clash in clashes(sources)]
        self.assertEqual(found, [], "\n" + "\n".join(found))


class ItCanFail(unittest.TestCase):
    def clash(self, one, other):
        wrap = "namespace {{\n\n{}\n}}  // namespace\n".format
        return len(clashes({"a.cc": wrap(one), "b.cc": wrap(other)}))

    def test_clashes(self):
        self.assertEqual(self.clash("int f(int a) {\n}\n", "int f(long a) {\n}\n"), 1)
        self.assertEqual(self.clash("[[noreturn]] void f() {\n}\n", "[[noreturn]] void f() {\n}\n"), 1)
        self.assertEqual(self.clash("constexpr int kMax = 1;\n", "constexpr int kMax = 1;\n"), 1)
        self.assertEqual(self.clash("struct A {\n};\n", "using A = int;\n"), 1)
        self.assertEqual(self.clash("namespace json = boost::json;\n", "namespace json = boost::json;\n"), 0)
        self.assertEqual(self.clash("using A = int;\n", "using A = long;\n"), 1)
        self.assertEqual(self.clash("int f(int a) {\n    return g(a);\n}\n", "int g(long a) {\n    return f(a);\n}\n"), 0)


if __name__ == "__main__":
    unittest.main()
