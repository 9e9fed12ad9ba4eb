"""Where something is missing, zero, or both: conditional averages, joins that find nothing, state that is null, minima, ratios by zero.

    values.py BUILD

Seeded readings go through the product values of tests/real/mesh, by its kafka port and its views over HTTP; each value is computed
again here in the most obvious way, from all readings. The declaration is in tests/real/mesh/domains/values/product.yaml.
"""
import datetime
import json
import os
import random
import struct
import sys
from collections import Counter, defaultdict
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import Checks, Mesh, wait_until  # noqa: E402
from real import MESH, Datum, build_service, load, records  # noqa: E402

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
HOUR_S = 3600
READINGS = 4000
SENSORS = ["s%02d" % i for i in range(24)]
CENT = Decimal("0.01")


class Reading:
    def __init__(self, number, t, rng):
        self.id, self.t, self.sensor = number, t, rng.choice(SENSORS)
        self.good = int(rng.random() < 0.8)
        self.amount = Decimal(rng.randrange(-5000, 50000)) / 100
        self.value = rng.choice([None, 0.0, round(rng.uniform(-40, 60), 3)])
        self.note = rng.choice([None, None, None, "a note of %d" % number])
        self.zone = self.cost = None


class World:
    """What is sent. Of the sensors, one third have a zone, one third none, one third are not known at all."""

    def __init__(self, seed):
        rng = random.Random(seed)
        times = sorted(rng.randrange(40 * HOUR_S // 20) * 20 for _ in range(READINGS))  # in steps of 20 s: ties happen
        self.readings = [Reading(i, t, rng) for i, t in enumerate(times)]
        self.zones = {s: rng.choice(["north", "south"]) if i % 3 == 0 else None for i, s in enumerate(SENSORS) if i % 3 != 2}
        # The first price comes late, and for some sensors never: until then a reading has no cost.
        self.prices = {s: [(t, Decimal(rng.randrange(1, 90000)) / 10000) for t in sorted(rng.sample(range(0, 40 * HOUR_S, 60), 4))]
                       for s in SENSORS[4:]}
        for r in self.readings:
            r.zone = (self.zones[r.sensor] or "none") if r.sensor in self.zones else "unknown"
            known = [price for since, price in self.prices.get(r.sensor, []) if since <= r.t]
            if known:
                r.cost = (r.amount * known[-1]).quantize(CENT, ROUND_HALF_EVEN)


def stamp(t):
    return (START + datetime.timedelta(seconds=t)).strftime("%Y-%m-%d %H:%M:%S")


def text(value):
    return "" if value is None else str(value)


def send(mesh, build, name, header, rows):
    path = os.path.join(mesh.dir, name + ".csv")
    with open(path, "w") as f:
        f.write(header + "\n")
        for row in rows:
            f.write(",".join(map(text, row)) + "\n")
    time = "since" if "since" in header else "at"
    return load(mesh, build, path, "real.values." + name, "values/%s.v1.avsc" % name[:-1], "sensor", time)


# ---- the aggregates, said again ----

def avg(values):
    """Of exact numbers, rounded once."""
    values = [Fraction(v) for v in values if v is not None]
    return float(sum(values) / len(values)) if values else None


def least(values):
    return min((v for v in values if v is not None), default=None)


def most(values):
    return max((v for v in values if v is not None), default=None)


def ratio(a, b):
    return float(Fraction(a) / b) if b != 0 else None


def warm(rs):
    return avg(r.value for r in rs if r.value is not None and r.value > 0)


def folded(world):
    """id -> the members of contract values/folded@1 behind id."""
    want = {}
    by_sensor = defaultdict(list)
    for r in world.readings:
        own = by_sensor[r.sensor]
        own.append(r)
        h6 = [p for p in own if r.t - 6 * HOUR_S < p.t <= r.t]
        past = [p for p in own if r.t - 3 * HOUR_S < p.t <= r.t - 2 * HOUR_S]
        row = [r.zone, r.cost]
        for aggregate in (lambda rs: avg(p.amount for p in rs if p.good == 1), lambda rs: avg(p.value for p in rs), warm,
                          lambda rs: least(p.amount for p in rs), lambda rs: most(p.amount for p in rs),
                          lambda rs: ratio(sum(p.amount for p in rs), sum(p.good == 0 for p in rs))):
            row += [aggregate(h6), aggregate(past)]
        want[r.id] = row
    return want


def last_seen(world):
    rows = {}
    for r in world.readings:
        row = rows.setdefault(r.sensor, {"value": None, "note": None, "best": None, "best_at": None, "gaps": 0})
        row["value"] = r.value
        row["note"] = r.note if r.note is not None else row["note"]
        if r.good == 1 and (row["best"] is None or r.amount > row["best"]):
            row["best"], row["best_at"] = r.amount, stamp(r.t).replace(" ", "T") + "Z"
        row["gaps"] += r.value is None
    return rows


def by_zone(world):
    groups = defaultdict(list)
    for r in world.readings:
        groups[r.zone, stamp(r.t // HOUR_S * HOUR_S).replace(" ", "T") + "Z"].append(r)
    plain = {key: {
        "n": len(rs), "good_mean": avg(r.amount for r in rs if r.good == 1), "cost": sum((r.cost or Decimal(0) for r in rs), Decimal(0)),
        "costly": avg(r.cost for r in rs if r.cost is not None and r.cost > 100),
        "per_bad": ratio(sum(r.amount for r in rs), sum(r.good == 0 for r in rs)),
        "least_good": least(r.amount for r in rs if r.good == 1)} for key, rs in groups.items()}
    warmth = {key: {
        "value_mean": avg(r.value for r in rs), "warm_mean": warm(rs), "coldest": least(r.value for r in rs),
        "warmest": most(r.value for r in rs if r.good == 1)} for key, rs in groups.items()}
    return plain, warmth


# ---- what came ----

class Folded(Datum):
    def maybe(self, read):
        return None if self.long() == 0 else read()

    def double(self):
        self.at += 8
        return struct.unpack_from("<d", self.data, self.at - 8)[0]

    def bytes(self):
        n = self.long()
        self.at += n
        return self.data[self.at - n:self.at]

    def decimal(self):
        return Decimal(int.from_bytes(self.bytes(), "big", signed=True)) / 100

    def row(self):
        head = [self.bytes().decode(), self.maybe(self.decimal)]
        row = head + [self.maybe(self.double) for _ in range(6)] + [self.maybe(self.decimal) for _ in range(4)] + [
            self.maybe(self.double) for _ in range(2)]
        assert self.at == len(self.data)
        return row


def found_folded(mesh):
    result = {}
    for value in records(mesh, "real.values.folded"):
        d = Folded(value)
        number = d.long()
        assert number not in result, "reading %d came twice" % number
        result[number] = d.row()
    return result


def same(have, want):
    if isinstance(want, float) and isinstance(have, (int, float)):
        return abs(have - want) <= 1e-9 * max(1.0, abs(want))
    if isinstance(want, Decimal) and have is not None:
        return Decimal(have) == want
    return have == want


def compare(checks, where, have, want, names, seen):
    for name, a, b in zip(names, have, want):
        checks.equal("%s, %s: have %r, want %r" % (where, name, a, b), same(a, b), True)
        seen[name, "null" if b is None else "a value"] += 1


def compare_rows(checks, rows, want, key, seen):
    checks.equal("rows", sorted(map(key, rows)), sorted(want))
    for row in rows:
        wanted = want.get(key(row), {})
        compare(checks, str(key(row)), [row.get(n) for n in wanted], wanted.values(), wanted.keys(), seen)


def main(build):
    gen = build_service(build, "values")
    world, checks, seen = World(20261121), Checks(), Counter()
    with Mesh(build, "embedded", root=MESH, gen=gen, services=["values"]) as mesh:
        mesh.start_broker()  # the tables are there before the service: a join must not depend on who came first
        send(mesh, build, "sensors", "sensor,since,zone", [(s, stamp(0), zone) for s, zone in world.zones.items()])
        send(mesh, build, "prices", "sensor,since,price", [(s, stamp(t), p) for s, versions in world.prices.items() for t, p in versions])
        sent = send(mesh, build, "readings", "id,at,sensor,good,amount,value,note",
                    [(r.id, stamp(r.t), r.sensor, r.good, r.amount, r.value, r.note) for r in world.readings])
        checks.equal("readings sent", sent, READINGS)
        mesh.start_services()
        service = mesh.services["values"]
        wait_until("every reading has come out", lambda: service.caught_up() and len(found_folded(mesh)) == READINGS, 90)
        zones, warmth = by_zone(world)
        wait_until("every reading is counted", lambda: service.caught_up() and sum(r["n"] for r in service.rows("/by-zone")) == READINGS, 60)
        for name in ("mesh_rejected_total", "mesh_late_total", "mesh_skipped_total"):
            checks.equal(name, service.metric(name), 0)

        with open(os.path.join(MESH, "contracts", "values", "folded.v1.avsc")) as f:
            names = [field["name"] for field in json.load(f)["fields"]][1:]
        found = found_folded(mesh)
        for number, want in folded(world).items():
            compare(checks, "reading %d" % number, found[number], want, names, seen)
        compare_rows(checks, service.rows("/last-seen", windowed=False), last_seen(world), lambda r: r["sensor"], seen)
        compare_rows(checks, service.rows("/by-zone"), zones, lambda r: (r["zone"], r["window_start"]), seen)
        compare_rows(checks, service.rows("/warm"), warmth, lambda r: (r["zone"], r["window_start"]), seen)
    # Each construct was met with a value and without one, or it was not tested.
    for name in ("cost", "good_mean_past", "value_mean_past", "warm_mean_past", "least_past", "most_past", "per_bad_h6", "per_bad_past",
                 "value", "per_bad", "costly"):
        checks.equal("%s was null, and was not" % name, (seen[name, "null"] > 0, seen[name, "a value"] > 0), (True, True))
    checks.end(at_least=READINGS * 14)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
