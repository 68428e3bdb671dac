"""What the style tests know about the source tree: which files are ours, and C++ without comments and strings."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The folder table of the house: folder -> folders whose headers it may include besides its own.
MAY_INCLUDE = {
    "base": set(),
    "wire": {"base"},
    "shardmap": {"base"},
    "shardmap/store": {"shardmap", "base"},
    "planner": {"shardmap", "base"},
    "backend": {"wire", "base"},
    "replication/node": {"backend", "base"},
    "replication": {"replication/node", "shardmap/store", "shardmap", "backend", "base"},
    "coordinator/merge": {"planner", "shardmap", "wire", "base"},
    "coordinator": {"base", "wire", "shardmap", "shardmap/store", "planner", "backend", "replication/node", "replication",
                    "coordinator/merge"},
    "cli": {"base", "wire", "shardmap", "shardmap/store", "planner", "backend", "replication/node", "replication",
            "coordinator/merge", "coordinator"},
}
# Folders that prove, measure or show; they may include anything.
OUTSIDE = ("tests", "bench", "examples", "docs")


def files(*suffixes, root=ROOT):
    """Tracked files and new ones that are not ignored, by suffix, as paths relative to the root."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive has no git
        listed = [os.path.relpath(os.path.join(folder, name), root)
                  for folder, _, names in os.walk(root) for name in names]
        listed = [name for name in listed if not name.startswith(("build", ".git/", "mosaic"))]
    return sorted(name for name in set(listed) if name.endswith(suffixes) and (root / name).exists())


def folder_of(path):
    """The row of the folder table that a file belongs to: `planner/internal/x.h` is in `planner`."""
    known = [folder for folder in list(MAY_INCLUDE) + list(OUTSIDE) if path.startswith(folder + "/")]
    return max(known, key=len) if known else None


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\\ ]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def bare(text):
    """C++ with comments and literals blanked, so that offsets and line numbers stay."""
    def blank(match):
        found = match.group(0)
        if found.startswith("'") and match.start() > 0 and text[match.start() - 1].isalnum():
            return found  # a digit separator: 1'000
        return re.sub(r"[^\n]", " ", found)
    return TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
