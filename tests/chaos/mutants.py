#!/usr/bin/env python3
"""Proof that disk_test, protocol_test, shard_test, cutover_test and erase_test can fail: each defect of tests/chaos/mutants is planted into a copy of one source, which is linked into
the tests in place of the library's, and one of them has to notice. The sources themselves are not touched.

    mutants.py BUILD [NAME...]     all, or those named

What a mutant is, says tests/lib/planted.py."""
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import planted  # noqa: E402

FOLDER = os.path.join(planted.ROOT, "tests", "chaos", "mutants")
TESTS = ["tests/chaos_protocol_test", "tests/chaos_shard_test", "tests/flow_cutover_test", "tests/chaos_disk_test"]
OF_ERASURE = ["tests/flow_erase_test"]  # erase-*
TIME_MAX_S = 240


def try_one(build, commands, links, name):
    """The test that noticed, and what it said; None: nobody did."""
    with tempfile.TemporaryDirectory(prefix="mesh-mutant-") as work:
        objects = planted.compiled(commands, planted.planted(FOLDER, name), work)
        for target in OF_ERASURE if name.startswith("erase-") else TESTS:
            program = planted.linked(build, links[target], target, objects, work)
            try:
                run = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIME_MAX_S, errors="replace",
                                     env=dict(os.environ, SEEDS="2000"))
            except subprocess.TimeoutExpired:
                return os.path.basename(target), "it does not come to an end"
            if run.returncode != 0:
                said = [line for line in run.stdout.splitlines() if line.startswith(("#", "cluster:", "world:", "mesh:"))]
                return os.path.basename(target), (said or ["exit code %d" % run.returncode])[0]
    return None


def main():
    build = os.path.abspath(sys.argv[1])
    names = sys.argv[2:] or planted.names_in(FOLDER)
    commands = planted.compile_commands(build)
    links = {target: planted.link_command(build, target) for target in TESTS + OF_ERASURE}
    missed = []

    def one(name):
        try:
            return name, try_one(build, commands, links, name)
        except planted.Stale as why:
            return name, why

    with ThreadPoolExecutor(2) as pool:
        for name, caught in pool.map(one, names):
            if isinstance(caught, planted.Stale) or caught is None:
                missed.append(name)
                print("MISSED  %-32s %s" % (name, caught or ""), flush=True)
            else:
                print("caught  %-32s %s: %s" % (name, caught[0], caught[1][:110]), flush=True)
    print("%d planted, %d not noticed%s" % (len(names), len(missed), ": " + ", ".join(missed) if missed else ""))
    sys.exit(1 if missed or not names else 0)


main()
