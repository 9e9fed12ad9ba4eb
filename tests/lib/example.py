"""The scaffold's own test, run from outside: the records and the rows of tests/first.yaml.

    example.py send FILE PORT                   the records of an input port, as CSV for mesh-load
    example.py expect FILE BASE VIEW=PATH...    exit 0 when HTTP answers exactly the rows of each view

Standard library only, so it reads just the shape that the scaffold has: blocks of "- { name: value, ... }" under a name.
"""
import csv
import hmac
import json
import os
import re
import sys
import urllib.request
from datetime import datetime


def read(path):
    parts, part, rows = {}, None, None
    with open(path) as f:
        for line in f:
            line = line.rstrip()
            if re.match(r"\w+:$", line):
                part = parts.setdefault(line[:-1], {})
            elif re.match(r"  \w+:$", line):
                rows = part.setdefault(line.strip()[:-1], [])
            elif line.strip().startswith("- {"):
                rows.append(dict(pair.split(": ", 1) for pair in line.strip()[4:-2].split(", ")))
    return parts


def given(records):
    out = csv.DictWriter(sys.stdout, list(records[0]), lineterminator="\n")
    out.writeheader()
    for record in records:
        out.writerow({k: re.sub(r"T(.*)Z", r" \1", v) for k, v in record.items()})


def same(have, want):
    if isinstance(have, (int, float)):
        return float(have) == float(want)
    try:
        return datetime.fromisoformat(have.replace("Z", "+00:00")) == datetime.fromisoformat(want.replace("Z", "+00:00"))
    except ValueError:
        return have == want


def compare(wanted, base, path):
    url = base + path + ("?window=all" if "window_start" in wanted[0] else "")
    with urllib.request.urlopen(url, timeout=5) as answer:
        items = json.load(answer)["items"]
    key = os.environ["MESH_PSEUDONYM_KEY"].encode()
    for row in wanted:  # a person leaves as a pseudonym
        if "person_id" in row:
            row["person_id"] = hmac.new(key, b"person\0" + row["person_id"].encode(), "sha256").digest()[:16].hex()
    wrong = [row for row in wanted if not any(all(same(item.get(k), v) for k, v in row.items()) for item in items)]
    if wrong or len(items) != len(wanted):
        sys.exit("%s: have %r, want %r" % (path, items, wanted))
    return len(wanted)


def main():
    parts = read(sys.argv[2])
    if sys.argv[1] == "send":
        given(parts["given"][sys.argv[3]])
        return
    n = 0
    for pair in sys.argv[4:]:
        view, path = pair.split("=")
        n += compare(parts["then"].pop(view), sys.argv[3], path)
    assert not parts["then"], "rows that nobody looked at: %r" % parts["then"]
    print("%d rows as they must be" % n)


main()
