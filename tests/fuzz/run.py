"""Runs a fuzz target for PGM_FUZZ_SECONDS (default 5) on a copy of its corpus; what it finds stays in that copy."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

program, corpus = sys.argv[1:]
seconds = os.environ.get("PGM_FUZZ_SECONDS", "5")
with tempfile.TemporaryDirectory(prefix="pgm-fuzz-") as work:
    if os.path.isdir(corpus):
        shutil.copytree(corpus, f"{work}/corpus")
    else:
        os.mkdir(f"{work}/corpus")
    done = subprocess.run([program, f"{work}/corpus", f"-max_total_time={seconds}", f"-artifact_prefix={work}/", "-max_len=4096",
                           "-rss_limit_mb=2048", "-print_final_stats=1"], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print("\n".join(done.stdout.splitlines()[-40:]))
    for artifact in pathlib.Path(work).glob("*-*"):
        print(f"{artifact.name}: {artifact.read_bytes()!r}\nput it into {corpus} once it is mended")
sys.exit(1 if done.returncode else 0)
