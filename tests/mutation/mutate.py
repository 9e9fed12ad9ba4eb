#!/usr/bin/env python3
"""Seeded mistakes in the repository's own declarations and contracts: does the compiler say what classes.py says beforehand?

mutate.py MESHGEN [--count N] [--seed S] [--class NAME] [--verbose]

Exit 0: at least 99 of 100 agree; the rest is printed.
"""
import argparse
import collections
import glob
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

import classes
from mesh_text import File

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Mesh:
    def __init__(self, meshgen, folder):
        self.meshgen, self.original, self.changed = meshgen, os.path.join(folder, "original"), os.path.join(folder, "changed")
        for copy in (self.original, self.changed):
            os.makedirs(copy)
            shutil.copy(os.path.join(ROOT, "mesh.yaml"), copy)
            for name in ("domains", "contracts"):
                shutil.copytree(os.path.join(ROOT, name), os.path.join(copy, name))
        paths = ["mesh.yaml"] + sorted(glob.glob("domains/*/product.yaml", root_dir=ROOT)) + sorted(glob.glob("contracts/*/*.avsc", root_dir=ROOT))
        self.files = [File(self.original, path) for path in paths]
        self.plan = self.run("plan")[1]

    def run(self, *arguments):
        done = subprocess.run([self.meshgen, *arguments, "--mesh", self.changed], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def findings(self, *arguments):
        code, out, err = self.run(*arguments, "--format", "json")
        if code not in (0, 1):
            return [{"severity": "crash", "code": str(code), "path": "", "line": 0, "message": err}]
        return json.loads(out)["diagnostics"]

    def apply(self, mutant):
        lines = list(mutant.file.lines)
        if mutant.line is not None:
            lines[mutant.line : mutant.line + 1] = [] if mutant.new is None else [mutant.new]
        self.write(mutant.file.path, "\n".join(lines))
        if mutant.extra:
            self.write(*mutant.extra)

    def restore(self, mutant):
        self.write(mutant.file.path, mutant.file.text)
        if mutant.extra:
            os.remove(os.path.join(self.changed, mutant.extra[0]))

    def write(self, path, text):
        with open(os.path.join(self.changed, path), "w", encoding="utf-8") as f:
            f.write(text)


def near(finding, mutant):
    """At one of the places; of what is not closed the reader of YAML tells where it noticed, and where it began as a note."""
    places = mutant.at or {(mutant.file.path, mutant.line)}
    told = [finding] + (finding["notes"] if finding["code"] == "MY001" else [])
    return any(f["path"] == path and abs(f["line"] - 1 - line) <= 1 for f in told for path, line in places)


def judge(mesh, mutant):
    """None when the compiler says what it should, else what it said."""
    found = mesh.findings("check")
    errors = [f for f in found if f["severity"] != "warning"]
    if mutant.verdict == "refused":
        wanted = found if mutant.warns else errors
        if any(f["code"] in mutant.codes and near(f, mutant) for f in wanted):
            return None
        return found
    if errors:
        return found
    if mutant.verdict == "planned":
        return None if mesh.run("plan")[1] != mesh.plan else [{"message": "the plan says the same as before"}]
    found = mesh.findings("breaking", "--against", mesh.original)
    if mutant.verdict == "clean":
        return found or None
    return None if any(f["code"] in mutant.codes for f in found) else found or [{"message": "meshgen breaking says nothing"}]


def told(finding):
    return "%s %s:%s %s" % (finding.get("code", ""), finding.get("path", ""), finding.get("line", ""), finding["message"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("meshgen")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--class", dest="kind")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mesh = Mesh(os.path.abspath(options.meshgen), folder)
        mutants = [m for make in classes.ALL for m in make(mesh.files) if options.kind in (None, m.kind)]
        everything = len(mutants)
        random.Random(options.seed).shuffle(mutants)
        del mutants[options.count :]
        agreed, tried, wrong = collections.Counter(), collections.Counter(), 0
        for mutant in mutants:
            mesh.apply(mutant)
            said = judge(mesh, mutant)
            mesh.restore(mutant)
            tried[mutant.kind] += 1
            agreed[mutant.kind] += said is None
            if said is not None:
                wrong += 1
                if wrong <= 40 or options.verbose:
                    where = mutant.extra[0] if mutant.extra else "%s:%d" % (mutant.file.path, mutant.line + 1)
                    print("%s at %s, wanted %s %s\n    %s" % (mutant.kind, where, mutant.verdict, " ".join(sorted(mutant.codes)),
                                                            mutant.new if mutant.extra is None else ""))
                    for finding in said[:4]:
                        print("      said: " + told(finding))
    for kind in sorted(tried):
        if options.verbose or agreed[kind] < tried[kind]:
            print("# %-32s %4d of %4d" % (kind, agreed[kind], tried[kind]))
    print("# %d mistakes of %d classes tried (of %d), %d judged as foretold" % (len(mutants), len(tried), everything, len(mutants) - wrong))
    return 0 if wrong * 100 <= len(mutants) and len(tried) >= (1 if options.kind else 40) else 1


if __name__ == "__main__":
    sys.exit(main())
