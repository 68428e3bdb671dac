"""Every header compiles alone.

Three ways spare time: what was compiled before with the same text is not compiled again; a source file that includes its own
header first, in a folder without precompiled header, is the proof already; the others are compiled side by side.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

import tree

BUILD = pathlib.Path(os.environ.get("PGM_BUILD") or tree.ROOT / "build")
CXX = os.environ.get("CXX") or "g++"
OWN = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def flags_by_folder():
    """The compiler's arguments per folder, from the build's compile_commands.json: no output, no precompiled header; and the
    folders that have no precompiled header."""
    database = BUILD / "compile_commands.json"
    flags, bare_folders = {}, set()
    if not database.exists():
        return flags, bare_folders
    for entry in json.loads(database.read_text()):
        path = os.path.relpath(entry["file"], tree.ROOT)
        folder = tree.folder_of(path)
        if folder is None or folder in flags:
            continue
        if "cmake_pch" not in entry["command"]:
            bare_folders.add(folder)
        words, kept = shlex.split(entry["command"]), []
        skip = 0
        for position, word in enumerate(words):
            if skip:
                skip -= 1
            elif word in ("-o", "-MF", "-MT", "-include", "-Xclang", "-include-pch"):
                skip = 1
            elif word.startswith("-") and position and not word.startswith(("-c", "-M", "-Winvalid-pch", "-g")):
                kept.append(word)
                if word == "-isystem":
                    kept.append(words[position + 1])
        flags[folder] = kept
    return flags, bare_folders


def proved_by_source(header, bare_folders):
    """True if compiling the header's own source file shows that the header needs nothing before it."""
    source = tree.ROOT / header.replace(".h", ".cc")
    if tree.folder_of(header) not in bare_folders or not source.exists():
        return False
    first = re.search(r'^[ \t]*#[ \t]*include[ \t]*(\S+)', source.read_text(), re.M)
    return first is not None and first.group(1) == f'"{header}"'


def digest(path, seen):
    """Hash material of a header and of all headers of ours that it includes."""
    if path in seen or not (tree.ROOT / path).exists():
        return ""
    seen.add(path)
    text = (tree.ROOT / path).read_text()
    return text + "".join(digest(own, seen) for own in OWN.findall(text))


def compile_alone(text, flags, directory=tree.ROOT):
    """The compiler's complaint about a translation unit, or an empty string."""
    command = [CXX, "-std=c++20", *flags, f"-I{directory}", "-fsyntax-only", "-x", "c++", "-"]
    result = subprocess.run(command, input=text, capture_output=True, text=True, cwd=directory)
    return result.stderr if result.returncode else ""


class LoneHeaders(unittest.TestCase):
    def test_every_header_compiles_alone(self):
        flags, bare_folders = flags_by_folder()
        fallback = next(iter(flags.values()), ["-fcoroutines"])
        memory = BUILD / "lone_headers.json"
        known = set(json.loads(memory.read_text())) if memory.exists() else set()
        headers = [path for path in tree.files(".h") if tree.folder_of(path) in tree.MAY_INCLUDE]
        self.assertGreater(len(headers), 5, "the test sees no headers")
        todo = {}
        for path in headers:
            if proved_by_source(path, bare_folders):
                continue
            own_flags = flags.get(tree.folder_of(path), fallback)
            key = hashlib.sha256(repr((path, CXX, own_flags, digest(path, set()))).encode()).hexdigest()
            todo[key] = (path, own_flags)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            new = {key: pool.submit(compile_alone, f'#include "{path}"\n', own_flags)
                   for key, (path, own_flags) in todo.items() if key not in known}
        failures = [f"{todo[key][0]}:\n{run.result()}" for key, run in new.items() if run.result()]
        if BUILD.exists():
            passed = {key for key in todo if key in known or not new[key].result()}
            memory.write_text(json.dumps(sorted(passed)))
        self.assertEqual(failures, [], "\n" + "\n".join(failures))

    def test_every_header_is_included_once(self):
        found = [path for path in tree.files(".h") if "#pragma once" not in (tree.ROOT / path).read_text()]
        self.assertEqual(found, [])


class ItCanFail(unittest.TestCase):
    def test_header_that_leans_on_its_includer(self):
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / "bad.h").write_text("#pragma once\ninline std::string name() { return {}; }\n")
            self.assertIn("string", compile_alone('#include "bad.h"\n', [], directory))


if __name__ == "__main__":
    unittest.main()
