"""The formats in which meshgen tells its findings, held against what reads them: SARIF against its schema, JUnit with junitparser, GitHub's
workflow commands by their grammar, JSON by what docs say of it.

    formats.py MESHGEN

The findings are those of every example of tests/golden/diag that fails, so that every code and every odd character of a message is in it.
Exit 77: the validators cannot be had here.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from validators import home, inside  # noqa: E402

inside(__file__)
import jsonschema  # noqa: E402
import junitparser  # noqa: E402

DIAG = os.path.join(HERE, "..", "golden", "diag")
wrong, counted = [], {"sarif": 0, "junit": 0, "github": 0, "json": 0}
with open(os.path.join(home, "schemas", "sarif.json")) as f:
    schema = json.load(f)
sarif = jsonschema.validators.validator_for(schema)(schema)


def need(condition, what):
    if not condition:
        wrong.append(what)


def judge(name, said):
    found = json.loads(said["json"])
    n = found["errors"] + found["warnings"]
    need(n == len(found["diagnostics"]), name + ": the counts of JSON")
    counted["json"] += n
    log = json.loads(said["sarif"])
    for e in sarif.iter_errors(log):
        need(False, "%s: sarif: %s: %s" % (name, "/".join(map(str, e.absolute_path)), e.message[:200]))
    results = log["runs"][0]["results"]
    rules = {r["id"] for r in log["runs"][0]["tool"]["driver"].get("rules", [])}
    need(len(results) == n, "%s: %d results in SARIF, %d in JSON" % (name, len(results), n))
    need(not rules or all(r["ruleId"] in rules for r in results), name + ": a result of SARIF without its rule")
    counted["sarif"] += len(results)
    suites = junitparser.JUnitXml.fromstring(said["junit"].encode())
    failures = sum(len(case.result) for suite in (suites if isinstance(suites, junitparser.JUnitXml) else [suites]) for case in suite)
    need(failures == found["errors"], "%s: %d failures in JUnit, %d errors" % (name, failures, found["errors"]))
    for d in found["diagnostics"]:
        need(d["message"][:20].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:15].split("'")[0] in said["junit"],
             "%s: JUnit does not say %r" % (name, d["message"]))
    counted["junit"] += failures
    lines = [l for l in said["github"].splitlines() if l]
    for line in lines:
        match = re.fullmatch(r"::(error|warning|notice) ((?:(?:file|line|col|endLine|endColumn|title)=[^,:\r\n]*,?)+)::[^\r\n]*", line)
        need(match is not None, "%s: github: %r" % (name, line[:200]))
    counted["github"] += len(lines)
    need(len(lines) >= n, "%s: %d lines for GitHub, %d findings" % (name, len(lines), n))


def main():
    meshgen = os.path.abspath(sys.argv[1])
    for name in sorted(os.listdir(DIAG)):
        folder = os.path.join(DIAG, name)
        if not os.path.isdir(os.path.join(folder, "in")) or any(os.path.exists(os.path.join(folder, f)) for f in ("cmd", "setup")):
            continue
        with tempfile.TemporaryDirectory() as work:
            mesh = os.path.join(work, "mesh")
            shutil.copytree(os.path.join(DIAG, "base"), mesh)
            shutil.copytree(os.path.join(folder, "in"), mesh, dirs_exist_ok=True)
            said = {}
            for form in counted:
                done = subprocess.run([meshgen, "check", "--format", form], cwd=mesh, stdout=subprocess.PIPE, check=False)
                said[form] = done.stdout.decode("utf-8", errors="strict")
            judge(name, said)
    # the judges do judge
    broken = {"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": [{"message": "x"}]}]}
    need(list(sarif.iter_errors(broken)), "the schema of SARIF accepts anything")
    for line in wrong[:40]:
        print("WRONG " + line)
    print("%d wrong; findings read: %s" % (len(wrong), ", ".join("%d %s" % (n, k) for k, n in counted.items())))
    assert min(counted.values()) > 200
    sys.exit(1 if wrong else 0)


main()
