#!/usr/bin/python3
"""Makes the pages of docs/ that are made of other files. `--check`: only says which are out of date.

errors.md     base/sqlstate.h (the codes) and errors.txt (the words)
settings.md   what `pgmosaic settings` would show: the table of settings in base (when the program offers it)
"""
import pathlib
import re
import sys

DOCS = pathlib.Path(__file__).resolve().parent
ROOT = DOCS.parent


def codes():
    """name -> code of each constant in base/sqlstate.h."""
    return dict(re.findall(r'constexpr SqlState (k\w+)\{"(\w{5})"\}', (ROOT / "base/sqlstate.h").read_text()))


def words(text):
    """name -> (meaning, advice) of errors.txt."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, rest = line.split(None, 1)
            found[name] = tuple(part.strip() for part in rest.split("|"))
    return found


def errors_page(known, described):
    missing, unknown = known.keys() - described.keys(), described.keys() - known.keys()
    if missing or unknown:
        raise SystemExit(f"docs/errors.txt: no words for {sorted(missing)}, no code for {sorted(unknown)}")
    rows = [f"| `{code}` | {described[name][0]} | {described[name][1]} |" for name, code in sorted(known.items(), key=lambda item: item[1])
            if code != "00000"]
    return ("# Errors that pgmosaic raises itself\n\n"
            "An error of a shard passes unchanged, with `CONTEXT: shard NAME` added. These are our own; a code is a promise about\n"
            "what the driver does next. Made by `docs/generate.py` of `base/sqlstate.h` and `docs/errors.txt`.\n\n"
            "| SQLSTATE | when | what to do |\n|---|---|---|\n" + "\n".join(rows) + "\n")


def pages():
    return {"errors.md": errors_page(codes(), words((DOCS / "errors.txt").read_text()))}


def main():
    stale = [name for name, text in pages().items() if not (DOCS / name).exists() or (DOCS / name).read_text() != text]
    if "--check" in sys.argv:
        for name in stale:
            print(f"docs/{name} is out of date: run docs/generate.py")
        sys.exit(1 if stale else 0)
    for name, text in pages().items():
        (DOCS / name).write_text(text)


if __name__ == "__main__":
    main()
