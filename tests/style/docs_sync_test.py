"""What is generated is up to date; what the pages point at is there."""
import pathlib
import re
import sys
import unittest

import tree

sys.path.insert(0, str(tree.ROOT / "docs"))
import generate  # noqa: E402

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
PATH = re.compile(r"`((?:base|wire|shardmap|planner|backend|replication|coordinator|cli|tests|bench|examples|docs|scripts)/[\w./*<>-]+)`")


def dead_links(page, text, exists):
    """Links and `paths` of a page that lead nowhere."""
    found = [f"{page}: {target}" for target in LINK.findall(text)
             if "://" not in target and not exists((pathlib.PurePosixPath(page).parent / target).as_posix())]
    return found + [f"{page}: {target}" for target in PATH.findall(text) if "<" not in target and not exists(target)]


def in_tree(path):
    path = (tree.ROOT / path).resolve()
    if "*" in path.name:
        return any(path.parent.glob(path.name))
    return path.exists() or path.with_suffix(".h").exists() or path.with_suffix(".cc").exists()


class Docs(unittest.TestCase):
    def test_generated_pages_are_up_to_date(self):
        for name, text in generate.pages().items():
            self.assertEqual((tree.ROOT / "docs" / name).read_text(), text, f"run docs/generate.py: {name}")

    def test_pages_point_at_what_is_there(self):
        found = [line for page in tree.files(".md") for line in dead_links(page, (tree.ROOT / page).read_text(), in_tree)]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_every_group_of_packages_is_sorted_out(self):
        lines = [line.split() for line in (tree.ROOT / "scripts/packages").read_text().splitlines() if line and line[0] != "#"]
        packages = [package for group, *names in lines for package in names]
        self.assertEqual(len(packages), len(set(packages)), "a package is listed twice")


class ItCanFail(unittest.TestCase):
    def test_dead_links(self):
        self.assertEqual(dead_links("docs/a.md", "[x](b.md) [y](../README.md) `base/error.h`", lambda path: False),
                         ["docs/a.md: b.md", "docs/a.md: ../README.md", "docs/a.md: base/error.h"])
        self.assertEqual(dead_links("docs/a.md", "[x](https://example.org) `tests/unit/<folder>/`", lambda path: False), [])

    def test_a_code_without_words(self):
        with self.assertRaises(SystemExit):
            generate.errors_page({"kNew": "99999"}, {})


if __name__ == "__main__":
    unittest.main()
