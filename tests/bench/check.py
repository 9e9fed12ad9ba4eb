#!/usr/bin/env python3
"""Are the answers right? Asked over HTTP like any consumer, or read from the output topic; compared with what the one who made the
events knows. Prints true or false; what differs goes to standard error. Nothing of this is timed.

  check.py sales  PORT TRUTH   sales by country and day, n and euro, against the totals of mesh-sim (exact decimals)
  check.py fold   PORT TRUTH   every row of the view: how many, the sum of n and the sum of the doubles (to 1e-9), against fill
  check.py dedupe PORT TRUTH   the sum of n over all countries against the number of different ids
  check.py filter FILE TRUTH   the datums of the output topic (kcat -f '%R%s'): how many, and the sum of revenue (to 1e-9)
"""
import http.client
import json
import struct
import sys
import urllib.parse
from decimal import Decimal


def rows(port, path):
    """All rows of a port, page by page; and the number that the port says there are."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    after, found, count = "", [], 0
    while True:
        query = path + ("&" if "?" in path else "?") + "limit=1000"
        connection.request("GET", query + ("&after=" + urllib.parse.quote(after) if after else ""))
        page = json.loads(connection.getresponse().read())
        if "items" not in page:
            sys.exit(f"check: {path}: {page}")
        found += page["items"]
        count = page.get("count", 0)
        after = page.get("next")
        if not after:
            return found, count


def close(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b), 1)


def same(what, found, wanted):
    if found != wanted:
        print(f"check: {what}: found {found}, wanted {wanted}", file=sys.stderr)
    return found == wanted


def sales(port, truth_file):
    with open(truth_file, encoding="utf-8") as file:
        truth = json.loads(file.readlines()[-1])["sales"]["by_country"]
    sums = {}
    for row in rows(port, "/sales/daily/by-country?window=all")[0]:
        n, eur = sums.get(row["country"], (0, Decimal(0)))
        sums[row["country"]] = (n + row["n"], eur + Decimal(row["total_eur"]))
    wanted = {country: (group["n"], Decimal(group["total_eur"])) for country, group in truth.items()}
    return same("sales by country", sums, wanted)


def fold(port, truth_file):
    with open(truth_file, encoding="utf-8") as file:
        truth = json.load(file)
    found, count = rows(port, "/minutes?window=all")
    ok = same("rows", (len(found), count), (truth["groups"], truth["groups"]))
    ok = same("sum of n", sum(row["n"] for row in found), truth["events"]) and ok
    return close(sum(row["total"] for row in found), truth["amount"]) and ok


def dedupe(port, truth_file):
    with open(truth_file, encoding="utf-8") as file:
        truth = json.load(file)
    return same("different ids", sum(row["n"] for row in rows(port, "/countries")[0]), truth["unique"])


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def filtered(path, truth_file):
    with open(truth_file, encoding="utf-8") as file:
        truth = json.load(file)
    with open(path, "rb") as file:
        data = file.read()
    at, n, revenue = 0, 0, 0.0
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        end = at + 4 + length
        _, p = varint(data, at + 4 + 5)  # behind the length: magic byte and schema id
        _, p = varint(data, p)
        revenue += struct.unpack_from("<d", data, p)[0]
        at, n = end, n + 1
    ok = same("records sent", n, truth["passed"])
    if not close(revenue, truth["passed_revenue"]):
        print(f"check: revenue: found {revenue}, wanted {truth['passed_revenue']}", file=sys.stderr)
        return False
    return ok


def main():
    what, where, truth = sys.argv[1:4]
    if what == "filter":
        ok = filtered(where, truth)
    else:
        ok = {"sales": sales, "fold": fold, "dedupe": dedupe}[what](int(where), truth)
    print("true" if ok else "false")


if __name__ == "__main__":
    main()
