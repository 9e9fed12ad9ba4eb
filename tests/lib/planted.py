"""Defects that are planted into copies of sources, to prove that a test can fail.

A mutant is a file: a line that says what is broken, then for each place `file PATH`, `<<<`, the text as it is (it must be there exactly
once), `===`, the text as it is planted, `>>>`. The sources themselves are not touched."""
import json
import os
import re
import shlex
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EDIT = re.compile(r"^file (\S+)\n<<<\n(.*?)\n===\n(.*?)\n?>>>$", re.S | re.M)


class Stale(Exception):
    """The text that a mutant changes is not there any more."""


def names_in(folder):
    return sorted(name[:-7] for name in os.listdir(folder) if name.endswith(".mutant"))


def planted(folder, name):
    """Path of each source that changes, and its new text."""
    with open(os.path.join(folder, name + ".mutant")) as f:
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


def compiled(commands, sources, work):
    """The objects of the changed sources, made in the folder `work`."""
    objects = []
    for path, text in sources.items():
        command = commands[os.path.join(ROOT, path)]
        source = os.path.join(work, os.path.basename(path))
        with open(source, "w") as f:
            f.write(text)
        objects.append(source + ".o")
        args = shlex.split(command["command"])
        args[args.index("-o") + 1] = objects[-1]
        args[args.index(command["file"])] = source
        subprocess.run(args + ["-w"], cwd=command["directory"], check=True)
    return objects


def link_command(build, target):
    out = subprocess.run(["ninja", "-C", build, "-t", "commands", target], check=True, capture_output=True, text=True).stdout
    return shlex.split(out.strip().splitlines()[-1])


def linked(build, link, target, objects, work):
    """The program, with these objects in place of the library's."""
    program = os.path.join(work, os.path.basename(target))
    link = list(link)
    link[link.index(target)] = program
    first = next(i for i, arg in enumerate(link) if arg.endswith(".o"))
    subprocess.run(link[:first] + objects + link[first:], cwd=build, check=True)
    return program
