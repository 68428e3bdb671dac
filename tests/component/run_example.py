"""Runs one example against a cluster of its own and compares its output with the .out file beside it.

`--write` makes the .out file. On a plain PostgreSQL (PGM_TARGET=plain) our functions do nothing.
"""
import difflib
import pathlib
import re
import subprocess
import sys

import cluster

STUBS = """
CREATE FUNCTION create_distributed_table(t text, c text, colocate_with text DEFAULT 'default') RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION create_reference_table(t text) RETURNS void LANGUAGE sql AS '';
"""


def command_of(example):
    if example.suffix == ".sql":
        return ["psql", "-X", "-e", "-f", str(example)]
    return [{".py": "/usr/bin/python3", ".sh": "bash"}[example.suffix], str(example)]


def main():
    example = pathlib.Path(sys.argv[1]).resolve()
    expected = example.with_suffix(".out")
    text = example.read_text()
    standby = "needs: standby" in text
    if cluster.ON_PLAIN:
        if standby:
            sys.exit(77)
        target = cluster.started(cluster.Plain())
        target.psql(STUBS)
    else:
        target = cluster.started(cluster.Cluster(shards=3, standby=standby))
    environment = {**target.environment(), "PGTZ": "UTC", "PGMOSAIC": cluster.PGMOSAIC,
                   "PGMOSAIC_CLUSTER": getattr(target, "directory", "")}
    done = subprocess.run(command_of(example), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300, cwd=cluster.ROOT)
    # Which shard an error comes from depends on their number; the expected output holds for any.
    output = re.sub(r"CONTEXT:  shard s\d+\n", "", done.stdout.replace(f"{example.parent}/", "examples/"))
    if "--write" in sys.argv:
        expected.write_text(output)
    if not expected.exists():
        sys.exit(f"{expected} is missing: look at the output and make it with --write\n{output}")
    wanted = expected.read_text()
    sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), output.splitlines(True), "expected", "printed"))
    sys.exit(0 if output == wanted and done.returncode == 0 else 1)


if __name__ == "__main__":
    main()
