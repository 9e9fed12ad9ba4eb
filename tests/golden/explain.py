"""`meshgen explain`: every code has a wrong and a right example, and both are compiled.

    explain.py MESHGEN [CODE...]

The examples are those of templates/examples.tmpl and examples_2.tmpl; the first says what they look like. The wrong one gives exactly its code and no other; the
right one gives nothing at all. A code without an example, and an example without a code, is a failure; so is a code that is left out
of this (`shown`) without a golden that shows it.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BASE = os.path.join(HERE, "explain", "base")
PRODUCT = "domains/shop/product.yaml"
SHOWN_MAX = 16  # examples that are not compiled; none of them for want of trying


def examples():
    found, example, part = {}, None, None
    for name in ("examples.tmpl", "examples_2.tmpl"):
        with open(os.path.join(ROOT, "templates", name), encoding="utf-8") as f:
            lines = f.readlines()
        example = None
        for line in lines:
            head = re.match(r"== (\w+)(?: (\w+))?", line)
            if head:
                example = found.setdefault(head.group(1), {"how": head.group(2) or "check", "edits": []})
                path, part = PRODUCT, None
            elif example is None:
                continue
            elif line.startswith("-- "):
                word = line[3:].strip()
                if word.startswith("file "):
                    path, part = word[5:], None
                    continue
                edits = example["edits"]
                if not edits or word in edits[-1] or edits[-1]["path"] != path or ("right" in edits[-1] and "wrong" in edits[-1]):
                    edits.append({"path": path})
                part = word
                edits[-1][part] = ""
            elif part:
                example["edits"][-1][part] += line
    return found


def apply(mesh, edit, which):
    path = os.path.join(mesh, edit["path"])
    text = edit[which]
    if not os.path.exists(path):
        if text.strip():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return
    with open(path, encoding="utf-8") as f:
        old = f.read()
    place = edit.get("at", edit["right"])
    if not place.endswith("\n") or old.count(place) == 0:
        place, text = place.rstrip("\n"), text.rstrip("\n")  # a part of a line
    if old.count(place) != 1:
        raise ValueError("its place is %d times in %s" % (old.count(place), edit["path"]))
    with open(path, "w", encoding="utf-8") as f:
        f.write(old.replace(place, text))


def codes_of(meshgen, how, example, which):
    """The codes of everything that is said, and the exit code."""
    with tempfile.TemporaryDirectory() as work:
        if how == "compat":
            for name, text in (("new", example["edits"][0][which]), ("old", example["edits"][0]["at"])):
                with open(os.path.join(work, name + ".avsc"), "w", encoding="utf-8") as f:
                    f.write(text)
            done = subprocess.run([meshgen, "schema", "compat", "new.avsc", "old.avsc", "--format", "json"], cwd=work, capture_output=True,
                                  text=True, check=False)
            return set(re.findall(r"\b(?:%s)\b" % "|".join(c for c, e in EXAMPLES.items() if e["how"] == "compat"), done.stdout)), done
        mesh, before = os.path.join(work, "mesh"), os.path.join(work, "before")
        shutil.copytree(BASE, mesh)
        shutil.copytree(mesh, before)
        for edit in example["edits"]:
            apply(mesh, edit, which)
        args = ["check"] if how == "check" else ["breaking", "--against", before]
        done = subprocess.run([meshgen] + args + ["--format", "json"], cwd=mesh, capture_output=True, text=True, check=False)
        said = done.stdout.strip() or done.stderr.strip()
        diagnostics = json.loads(said) if said.startswith(("[", "{")) else None
        if diagnostics is None:
            return {"?"}, done
        if isinstance(diagnostics, dict):
            diagnostics = diagnostics.get("diagnostics") or diagnostics.get("findings") or []
        return {d["code"] for d in diagnostics}, done


def golden(meshgen, code, example):
    """The message as people see it, against the one that was read and kept."""
    with tempfile.TemporaryDirectory() as work:
        mesh, before = os.path.join(work, "mesh"), os.path.join(work, "before")
        if example["how"] == "compat":
            for name, text in (("new", example["edits"][0]["wrong"]), ("old", example["edits"][0]["at"])):
                with open(os.path.join(work, name + ".avsc"), "w", encoding="utf-8") as f:
                    f.write(text)
            mesh, args = work, ["schema", "compat", "new.avsc", "old.avsc"]
        else:
            shutil.copytree(BASE, mesh)
            shutil.copytree(mesh, before)
            for edit in example["edits"]:
                apply(mesh, edit, "wrong")
            args = ["check"] if example["how"] == "check" else ["breaking", "--against", "../before"]
        done = subprocess.run([meshgen] + args, cwd=mesh, capture_output=True, text=True, check=False)
    path = os.path.join(HERE, "explain", code + ".txt")
    have = done.stdout + done.stderr
    if os.environ.get("BLESS") == "1":
        with open(path, "w", encoding="utf-8") as f:
            f.write(have)
    with open(path, encoding="utf-8") as f:
        return [] if f.read() == have else ["%s: the message is not that of tests/golden/explain/%s.txt:\n%s" % (code, code, have)]


EXAMPLES = examples()


def main():
    meshgen = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:] or list(EXAMPLES)
    with open(os.path.join(ROOT, "codegen", "codes.def"), encoding="utf-8") as f:
        codes = re.findall(r'^MESH_CODE\("(\w+)"', f.read(), re.M)
    wrong = ["%s has no example in templates/examples.tmpl" % c for c in codes if c not in EXAMPLES]
    wrong += ["there is no code %s" % c for c in EXAMPLES if c not in codes]
    shown = [c for c in EXAMPLES if EXAMPLES[c]["how"] == "shown"]
    if len(shown) > SHOWN_MAX:
        wrong.append("%d examples are not compiled: %s" % (len(shown), " ".join(shown)))
    for code in shown:
        if subprocess.run(["grep", "-rqF", "[%s]" % code, HERE], check=False).returncode != 0:
            wrong.append("%s is not compiled, and no golden shows it" % code)
    compiled = 0
    for code in wanted:
        example = EXAMPLES[code]
        if example["how"] == "shown":
            continue
        try:
            for which, want in (("wrong", {code}), ("right", set())):
                have, done = codes_of(meshgen, example["how"], example, which)
                if have != want:
                    wrong.append("%s: the %s example gives %s\n%s" % (code, which, sorted(have) or "nothing", (done.stderr or done.stdout)[:600]))
                compiled += 1
            wrong += golden(meshgen, code, example)
        except (ValueError, KeyError, FileNotFoundError) as e:
            wrong.append("%s: %s" % (code, e))
    for line in wrong:
        print("WRONG " + line)
    print("%d codes, %d examples compiled, %d shown only, %d wrong" % (len(codes), compiled, len(shown), len(wrong)))
    sys.exit(1 if wrong else 0)


main()
