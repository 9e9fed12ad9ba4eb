#!/usr/bin/env python3
"""Proof that disk_test and protocol_test can fail: each defect of tests/chaos/mutants is planted into a copy of one source, which is linked into
the two tests in place of the library's, and one of them has to notice. The sources themselves are not touched.

    mutants.py BUILD [NAME...]     all, or those named

A mutant is a file: a line that says what is broken, then for each place `file PATH`, `<<<`, the text as it is (it must be there exactly
once), `===`, the text as it is planted, `>>>`."""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "tests", "chaos", "mutants")
TESTS = ["tests/chaos_protocol_test", "tests/chaos_disk_test"]
TIME_MAX_S = 240
EDIT = re.compile(r"^file (\S+)\n<<<\n(.*?)\n===\n(.*?)\n?>>>$", re.S | re.M)


class Stale(Exception):
    """The text that a mutant changes is not there any more."""


def planted(name):
    """Path of each source that changes, and its new text."""
    with open(os.path.join(FOLDER, name + ".mutant")) as f:
        text = f.read()
    sources = {}
    edits = EDIT.findall(text)
    if not text.startswith("# ") or not edits:
        raise Stale("%s: not a mutant" % name)
    for path, old, new in edits:
        if path not in sources:
            with open(os.path.join(ROOT, path)) as f:
                sources[path] = f.read()
        if sources[path].count(old) != 1:
            raise Stale("%s: its text is %d times in %s" % (name, sources[path].count(old), path))
        sources[path] = sources[path].replace(old, new)
    return sources


def compile_commands(build):
    with open(os.path.join(build, "compile_commands.json")) as f:
        return {os.path.realpath(os.path.join(c["directory"], c["file"])): c for c in json.load(f)}


def link_command(build, target):
    out = subprocess.run(["ninja", "-C", build, "-t", "commands", target], check=True, capture_output=True, text=True).stdout
    return shlex.split(out.strip().splitlines()[-1])


def try_one(build, commands, links, name):
    """The test that noticed, and what it said; None: nobody did."""
    with tempfile.TemporaryDirectory(prefix="mesh-mutant-") as work:
        objects = []
        for path, text in planted(name).items():
            command = commands[os.path.join(ROOT, path)]
            source = os.path.join(work, os.path.basename(path))
            with open(source, "w") as f:
                f.write(text)
            objects.append(source + ".o")
            args = shlex.split(command["command"])
            args[args.index("-o") + 1] = objects[-1]
            args[args.index(command["file"])] = source
            subprocess.run(args + ["-w"], cwd=command["directory"], check=True)
        for target in TESTS:
            program = os.path.join(work, os.path.basename(target))
            link = list(links[target])
            link[link.index(target)] = program
            first = next(i for i, arg in enumerate(link) if arg.endswith(".o"))
            subprocess.run(link[:first] + objects + link[first:], cwd=build, check=True)
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
    names = sys.argv[2:] or sorted(name[:-7] for name in os.listdir(FOLDER) if name.endswith(".mutant"))
    commands = compile_commands(build)
    links = {target: link_command(build, target) for target in TESTS}
    missed = []

    def one(name):
        try:
            return name, try_one(build, commands, links, name)
        except Stale as why:
            return name, why

    with ThreadPoolExecutor(2) as pool:
        for name, caught in pool.map(one, names):
            if isinstance(caught, Stale) or caught is None:
                missed.append(name)
                print("MISSED  %-32s %s" % (name, caught or ""), flush=True)
            else:
                print("caught  %-32s %s: %s" % (name, caught[0], caught[1][:110]), flush=True)
    print("%d planted, %d not noticed%s" % (len(names), len(missed), ": " + ", ".join(missed) if missed else ""))
    sys.exit(1 if missed or not names else 0)


main()
