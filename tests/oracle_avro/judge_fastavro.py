"""fastavro's opinion of the pairs that generate.c wrote, as Judge.java gives Java's: canonical form, fingerprint, and what a reader sees
of what a writer wrote (fastavro has no compatibility check). Prints what disagrees, and how often the documented differences occurred.

    judge_fastavro.py PAIRS.tsv        exit 1: something disagrees that is not listed below
"""
import io
import json
import math
import re
import sys
from collections import Counter

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form

# Who is right, by the specification's text.
DEFAULT = "fastavro leaves a default of bytes or fixed a text (the specification: code points are bytes; ours)"
NUMBER = "fastavro refuses a whole number as the default of a float or double (a JSON number is one; ours)"
EMPTY = "fastavro refuses a pair whole, where no value that is there needs what does not fit (not said; Java reads it too)"
UNION = "fastavro reads a writer's union with a schema that is none of it (must be refused; ours)"
FIRST = "fastavro takes the first branch that a value can become, not the one of its own type (as the text says; ours and Java lose no digits)"
NAME = "fastavro does not find a type that is named a second time (must be read; ours)"


def alike(ours, theirs, why):
    """Equal, or different only by what is documented: that is added to `why`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(alike(ours[k], theirs[k], why) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(alike(a, b, why) for a, b in zip(ours, theirs))
    if isinstance(ours, bytes) and isinstance(theirs, str):
        if ours == theirs.encode("latin-1", "replace"):
            why.add(DEFAULT)
            return True
        why.add(FIRST)
        return ours == theirs.encode()
    if isinstance(ours, str) and isinstance(theirs, bytes):
        why.add(FIRST)
        return ours.encode() == theirs
    if type(ours) is type(theirs) and (ours == theirs or (isinstance(ours, float) and math.isnan(ours) and math.isnan(theirs))):
        return True
    if {type(ours), type(theirs)} <= {int, float}:
        why.add(FIRST)
        return math.isclose(ours, theirs, rel_tol=1e-6)
    return False


def decode(data, writer, reader=None):
    stream = io.BytesIO(data)
    value = schemaless_reader(stream, writer, reader)
    if stream.read(1):
        raise ValueError("bytes are left")
    return value


class Judge:
    def __init__(self):
        self.pairs = self.read = self.refused = self.disagreeing = 0
        self.known = Counter()

    def disagree(self, field, ours, theirs):
        self.disagreeing += 1
        if self.disagreeing <= 20:
            print("writer %s\nreader %s\n    datum %s\n    here %s\n    fastavro %s" % (field[0], field[1], field[5], ours, theirs))

    def judge(self, field):
        self.pairs += 1
        try:
            writer, reader = (parse_schema(json.loads(text)) for text in field[:2])
        except Exception as error:
            if re.search(r"Default value <-?\d+> must match schema type: (float|double)", str(error)):
                self.known[NUMBER] += 1
            else:
                self.disagree(field, "schemas", error)
            return
        canonical = to_parsing_canonical_form(json.loads(field[0]))
        if canonical != field[2]:
            self.disagree(field, "canonical form " + field[2], canonical)
        elif bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))[::-1].hex() != field[3]:  # it has the bytes as they are sent
            self.disagree(field, "fingerprint " + field[3], fingerprint(canonical, "CRC-64-AVRO"))
        self.resolve(field, writer, reader)

    def resolve(self, field, writer, reader):
        theirs = failure = None
        try:
            theirs = decode(bytes.fromhex(field[5][1:]), writer, reader)
        except Exception as error:
            failure = "%s: %s" % (type(error).__name__, error)
        if not field[6].startswith("x"):
            if failure is not None:
                self.refused += 1
            elif field[6] == "refused resolve.incompatible" and field[4] == "incompatible":
                self.known[UNION] += 1
            else:
                self.disagree(field, field[6], "reads %r" % (theirs,))
            return
        try:
            ours = decode(bytes.fromhex(field[6][1:]), reader)
        except Exception as error:
            self.disagree(field, field[6], "cannot be read with the reader's schema: %s" % error)
            return
        if failure is None:
            why = set()
            if not alike(ours, theirs, why):
                self.disagree(field, "reads %r" % (ours,), "reads %r" % (theirs,))
            elif why:
                self.known.update(why)
            else:
                self.read += 1
        elif re.search(r"is not ([A-Za-z_.0-9]+$|.*'(items|values|type)': '[a-z.]*N[0-9])", failure):
            self.known[NAME] += 1
        elif field[4] == "incompatible" and "ismatch" in failure:
            self.known[EMPTY] += 1
        elif failure.startswith("UnicodeDecodeError") and '"string"' in field[1] and '"bytes"' in field[1]:
            self.known[FIRST] += 1
        else:
            self.disagree(field, "reads %r" % (ours,), failure)


def main():
    judge = Judge()
    with open(sys.argv[1]) as pairs:
        for line in pairs:
            judge.judge(line.rstrip("\n").split("\t"))
    print("# %d pairs, %d data read alike, %d refused by both, %d disagree" % (judge.pairs, judge.read, judge.refused, judge.disagreeing))
    for why, n in sorted(judge.known.items()):
        print("#   %d times %s" % (n, why))
    sys.exit(judge.disagreeing > 0 or judge.read == 0 or judge.refused == 0)


main()
