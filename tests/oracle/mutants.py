#!/usr/bin/env python3
"""Proof that the oracle can fail: each defect of tests/oracle/mutants is planted into a copy of the engine or of the compiler, and some seed
of run.py has to notice.

    mutants.py BUILD [NAME...]     all, or those named

What a mutant is, says tests/lib/planted.py. PKG_CONFIG_PATH names the folder of mesh.pc."""
import os
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import planted  # noqa: E402

FOLDER = os.path.join(HERE, "mutants")
MESHGEN = "codegen/meshgen"
SEEDS = range(1, 17)
FIRST = {"session-merged-backwards": 14}  # rare ones: the seed that is known to notice, tried before the others


def linking_with(objects, work):
    """A C compiler that puts these objects before all libraries."""
    path = os.path.join(work, "cc")
    with open(path, "w") as f:
        f.write('#!/bin/sh\nfor arg; do [ "$arg" = -c ] && exec cc "$@"; done\nexec cc %s "$@"\n' % shlex.join(objects))
    os.chmod(path, 0o755)
    return path


def noticed_by(build, commands, link, name):
    """The seed, and the first line that it said; None: nobody did."""
    with tempfile.TemporaryDirectory(prefix="mesh-mutant-") as work:
        sources = planted.planted(FOLDER, name)
        of_compiler = [path for path in sources if path.startswith("codegen/")]
        objects = planted.compiled(commands, sources, work)
        meshgen = os.path.join(build, MESHGEN)
        env = dict(os.environ)
        if of_compiler:
            meshgen = planted.linked(build, link, MESHGEN, objects, work)
        else:
            env["CC"] = linking_with(objects, work)
        for seed in sorted(SEEDS, key=lambda s: s != FIRST.get(name)):
            run = [sys.executable, os.path.join(HERE, "run.py"), "--meshgen", meshgen, "--seed", str(seed), "--products", "4", "--tests", "15"]
            said = subprocess.run(run + ["--keep", os.path.join(work, "mesh%d" % seed)], capture_output=True, text=True, env=env, check=False)
            if said.returncode != 0:
                lines = [line for line in said.stdout.splitlines() if "error[" in line or "different" in line]
                return seed, (lines or said.stdout.splitlines() or ["exit code %d" % said.returncode])[0]
    return None


def main():
    build = os.path.abspath(sys.argv[1])
    names = sys.argv[2:] or planted.names_in(FOLDER)
    commands = planted.compile_commands(build)
    link = planted.link_command(build, MESHGEN)
    missed = []
    for name in names:
        try:
            caught = noticed_by(build, commands, link, name)
        except planted.Stale as why:
            caught = None
            print(why)
        if caught is None:
            missed.append(name)
            print("MISSED  %s" % name, flush=True)
        else:
            print("caught  %-28s seed %d: %s" % (name, caught[0], caught[1][:110]), flush=True)
    print("%d planted, %d not noticed" % (len(names), len(missed)))
    return 1 if missed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
