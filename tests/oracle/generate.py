"""Random products and random inputs for them, from a seed."""

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
T0 = 1_780_000_000_000  # 2026-05-28T20:26:40Z, in the middle of everything
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000

CONTRACT = {
    "type": "record",
    "name": "Event",
    "namespace": "oracle",
    "doc": "Anything.",
    "label": "internal",
    "fields": [
        {"name": "id", "type": "string", "doc": "Which one."},
        {"name": "k1", "type": "string", "doc": "The message key."},
        {"name": "k2", "type": "int", "doc": "Another key."},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B", "C"]}, "doc": "A third."},
        {"name": "small", "type": "long", "doc": "A number."},
        {"name": "big", "type": ["null", "long"], "default": None, "doc": "A number of any size."},
        {"name": "money", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}, "doc": "An amount."},
        {"name": "d", "type": "double", "doc": "Eighths, so that sums are exact in any order."},
        {"name": "s", "type": ["null", "string"], "default": None, "doc": "A text."},
        {"name": "flag", "type": "boolean", "doc": "Yes or no."},
        {
            "name": "lines",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Line",
                    "fields": [
                        {"name": "n", "type": "long", "doc": "A number."},
                        {"name": "w", "type": ["null", "string"], "default": None, "doc": "A text."},
                    ],
                },
            },
            "doc": "Items.",
        },
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "doc": "When."},
    ],
}

MESH = """apiVersion: mesh/v1
kind: Mesh
name: oracle
pseudonym: { keyRef: "env:ORACLE_KEY" }
topics: { partitions: 2 }
"""

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca"]


def time_text(ms):
    return (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (ms % 1000)


def duration_text(ms):
    return "%dms" % ms if ms % 1000 else "%ds" % (ms // 1000)


# What leaves has no arrays.
FLAT = dict(CONTRACT, name="Flat", fields=[f for f in CONTRACT["fields"] if f["name"] != "lines"])

# ---- declarations ----

NUMBERS = ["small", "big", "money", "d"]


def random_call(rng, sources, features):
    fn = rng.choice(["count", "sum", "avg", "min", "max", "first", "last", "variance"] + features)
    field = {
        "count": None,
        "sum": rng.choice(NUMBERS),
        "avg": rng.choice(["small", "money", "d"]),
        "variance": rng.choice(["small", "d"]),
        "min": rng.choice(NUMBERS + ["s", "at"]),
        "max": rng.choice(NUMBERS + ["s", "at"]),
        "quantile": "small",  # whole and below 128: exact
        "distinct": rng.choice(["id", "k1", "k2", "kind", "small", "big", "money", "d", "s", "flag", "at"]),
    }.get(fn, rng.choice(["id", "kind", "small", "big", "money", "d", "s", "flag", "at"]))
    cond = rng.choice([None, None, random_cond(rng)])
    call = {"fn": fn, "field": field, "cond": cond, "source": rng.choice(sources) if len(sources) > 1 else None}
    if fn == "quantile":
        call["q"] = rng.choice(["0.0", "0.25", "0.5", "0.95", "1.0"])
    return call


def random_cond(rng):
    return rng.choice(
        [
            {"field": "flag", "op": "is"},
            {"field": "small", "op": ">", "value": rng.randrange(-5, 6)},
            {"field": "kind", "op": "==", "value": rng.choice("ABC")},
            {"field": "s", "op": "has"},
        ]
    )


def random_window(rng, features):
    kind = rng.choice([None, "tumbling", "hopping", "session", "session"] + [f for f in features if f == "day"])
    grace = rng.choice([0, 0, 5 * SECOND, MINUTE, 10 * MINUTE])
    if kind is None:
        return None
    if kind == "day":
        return {"kind": kind, "zone": rng.choice(ZONES), "grace": grace}
    if kind == "hopping":
        every = rng.choice([SECOND, 7 * SECOND, MINUTE])
        return {"kind": kind, "every": every, "size": every * rng.randrange(2, 6), "grace": grace}
    return {"kind": kind, "size": rng.choice([SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, 10 * MINUTE + 1]), "grace": grace}


def random_product(rng, name, features):
    from naive import order_counts

    delays = [0, 0, 2 * SECOND, MINUTE]
    inputs = {"in1": {"delay": rng.choice(delays)}, "in2": {"delay": rng.choice(delays)}}
    calm = rng.random() < 0.3  # nothing depends on the order of records where they come in, only behind a change of key
    streams = {"only": {"from": [rng.choice(["in1", "in2"])], "where": random_cond(rng)}}
    if calm or rng.random() < 0.5:
        streams["both"] = {"from": ["in1", "in2"], "where": None}
    if "flatten" in features:
        source = rng.choice(["in1", "in2", "only"])
        streams["flat"] = {"from": [source], "where": rng.choice([None, random_cond(rng)]), "empty": rng.choice(["skip", "keep"])}
        features = [f for f in features if f != "flatten"]
    views = {}
    for i in range(rng.randrange(4, 8)):
        several = [] if calm else [["in1", "in2"]]
        sources = rng.choice([["in1"], ["in2"], ["only"]] + several + [["both"]] * ("both" in streams) + [["flat"]] * ("flat" in streams))
        view = {"from": sources, "window": random_window(rng, features)}
        view["by"] = rng.choice([["k1"], ["k1", "kind"], ["k2", "k1"], ["k2"], ["kind"], ["kind", "k2"]])
        calls = [random_call(rng, sources, [f for f in features if f != "day"]) for _ in range(rng.randrange(1, 5))]
        view["let"] = [{"name": "c%d" % n, "call": call} for n, call in enumerate(calls)]
        if len(sources) > 1 and order_counts(view) and "k1" not in view["by"]:
            view["by"] = ["k1"] + view["by"]  # MP004
        if calm and order_counts(view):
            view["by"] = rng.choice([["k2"], ["kind"]])
        if view["window"] and view["window"]["kind"] == "session" and len(sources) == 1:
            view["let"].append({"name": "n", "call": {"fn": "count", "field": None, "cond": None, "source": None}})
            view["total"] = True  # a view over its changes adds the differences of n up
        views["v%d" % i] = view
    return {"name": name, "inputs": inputs, "streams": streams, "views": views}


def cond_text(cond, at):
    name = at + cond["field"]
    if cond["op"] == "is":
        return name
    if cond["op"] == "has":
        return "has(%s)" % name
    return "%s %s %s" % (name, cond["op"], json.dumps(cond["value"]))


def call_text(call):
    at = call["source"] + "." if call["source"] else ""
    args = [at + call["field"]] if call["field"] else [call["source"]] if call["source"] else []
    if call["fn"] == "quantile":
        args.append(call["q"])
    if call["cond"]:
        args.append(cond_text(call["cond"], at))
    return "%s(%s)" % (call["fn"], ", ".join(args))


def window_text(w):
    if w["kind"] == "day":
        return "{ tumbling: 1d, zone: %s, grace: %s }" % (w["zone"], duration_text(w["grace"]))
    every = ", every: " + duration_text(w["every"]) if w["kind"] == "hopping" else ""
    return "{ %s: %s%s, grace: %s }" % (w["kind"], duration_text(w["size"]), every, duration_text(w["grace"]))


def closed_contract(view):
    """Of the rows of closed windows: which, and how many records."""
    types = {f["name"]: f for f in CONTRACT["fields"]}
    time = {"type": "long", "logicalType": "timestamp-millis"}
    fields = [types[name] for name in view["by"]]
    fields += [{"name": n, "type": time, "doc": n} for n in ("window_start", "window_end")]
    fields.append({"name": "revision", "type": "long", "doc": "Records."})
    name = "Closed_" + "_".join(view["by"])
    return {"type": "record", "name": name, "namespace": "oracle", "doc": "A closed window.", "label": "internal", "fields": fields}


def declaration(product):
    out = ["apiVersion: mesh/v1", "kind: DataProduct", "name: " + product["name"], "domain: oracle", "version: 1.0.0"]
    out += ["description: { purpose: Nothing but tests. }"]
    out += ["team: { name: t, members: [ { username: a@b.example, role: owner } ] }"]
    out += ["slaProperties: { latency: 5s, availability: 99.9%, retention: 3650d }", "inputPorts:"]
    for name, port in product["inputs"].items():
        topic = "%s.%s" % (product["name"], name)
        out.append(
            "  %s: { topic: %s, contract: oracle/event@1, key: k1, eventTime: at, delay: %s, ahead: 3650d }"
            % (name, topic, duration_text(port["delay"]))
        )
    out.append("streams:")
    for name, stream in product["streams"].items():
        out += ["  %s:" % name, "    from: [%s]" % ", ".join(stream["from"])]
        if stream["where"] or "empty" in stream:
            out.append("    steps:")
        if stream["where"]:
            out.append("      - where: '%s'" % cond_text(stream["where"], ""))
        if "empty" in stream:
            out += ["      - flatten: { array: lines, as: line, empty: %s }" % stream["empty"], "      - set:"]
            out += ["          small: '%s'" % ("line.n" if stream["empty"] == "skip" else "line.n != null ? line.n : 99"), "          s: line.w"]
    for name, view in product["views"].items():
        if "total" in view:
            out += ["  %s_changes:" % name, "    from: { changes: %s }" % name, "    steps:", "      - select:"]
            out += ["          %s: new.%s" % (by, by) for by in view["by"]]
            out.append("          more: 'has(old.n) ? new.n - old.n : new.n'")
    out.append("views:")
    for name, view in product["views"].items():
        if "total" in view:
            out += ["  %s_total:" % name, "    from: %s_changes" % name, "    by: [%s]" % ", ".join(view["by"]), "    keep: 3650d"]
            out += ["    let:", "      total: sum(more)"]
        source = view["from"][0] if len(view["from"]) == 1 else "[%s]" % ", ".join(view["from"])
        out += ["  %s:" % name, "    from: %s" % source, "    by: [%s]" % ", ".join(view["by"]), "    keep: 3650d"]
        if view["window"]:
            out.append("    window: " + window_text(view["window"]))
        out.append("    let:")
        out += ["      %s: '%s'" % (c["name"], call_text(c["call"])) for c in view["let"]]
    out.append("outputPorts:")
    for name, view in product["views"].items():
        if "total" in view:
            out.append("  %s_total: { kind: http, from: %s_total, path: /%s/%s-total }" % (name, name, product["name"], name))
        if view["window"]:
            out.append(
                "  %s_closed: { kind: kafka, from: %s, emit: close, topic: %s.%s-closed, contract: oracle/%s@1, key: %s }"
                % (name, name, product["name"], name, closed_contract(view)["name"].lower(), view["by"][0])
            )
        out.append("  %s: { kind: http, from: %s, path: /%s/%s }" % (name, name, product["name"], name))
        out.append("  %s_docs: { kind: mongo, from: %s, collection: %s_%s }" % (name, name, product["name"], name))
    if "only" in product["streams"] and not any("only" in v["from"] for v in product["views"].values()):
        out.append("  only: { kind: kafka, from: only, topic: %s.only, contract: oracle/flat@1, key: k1 }" % product["name"])
    if "both" in product["streams"] and not any("both" in v["from"] for v in product["views"].values()):
        out.append("  both: { kind: kafka, from: both, topic: %s.both, contract: oracle/flat@1, key: k1 }" % product["name"])
    if "flat" in product["streams"] and not any("flat" in v["from"] for v in product["views"].values()):
        out.append("  flat: { kind: kafka, from: flat, topic: %s.flat, contract: oracle/flat@1, key: k1 }" % product["name"])
    return "\n".join(out) + "\n"


# ---- inputs ----


def random_records(rng):
    """Records of two inputs, mostly forward in time: out of order, late, repeated, at equal times, and with pauses between."""
    keys = ["k%d" % i for i in range(rng.randrange(1, 5))] + rng.choice([[], ["", "ä" * 20]])
    pace = rng.choice([1, SECOND, 10 * SECOND, MINUTE, HOUR])
    disorder = rng.choice([0, SECOND, MINUTE, 20 * MINUTE])
    changes = ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2018-02-18", "2018-11-04", "2026-04-05", "2027-02-07"]
    change = (datetime.fromisoformat(rng.choice(changes) + "T00:00:00+00:00") - EPOCH) // timedelta(milliseconds=1)
    now = rng.choice([T0, T0 - 40 * 365 * 24 * HOUR, change - rng.randrange(30 * HOUR)])
    records = []
    for n in range(rng.randrange(1, 120)):
        if rng.random() < 0.03:
            now += rng.choice([HOUR, 10 * MINUTE, 10 * MINUTE + 1, 24 * HOUR])
        now += rng.choice([0, 0, rng.randrange(pace + 1), pace])
        if records and rng.random() < 0.04:
            records.append(rng.choice(records))
            continue
        back = rng.randrange(disorder + 1) if rng.random() < 0.3 else 0
        record = {
            "id": "e%d" % n,
            "k1": rng.choice(keys),
            "k2": rng.choice([-1, 0, 1, 2**31 - 1]),
            "kind": rng.choice("ABC"),
            "small": rng.randrange(-10, 11),
            "big": rng.choice([None, 0, 1, 2**63 - 1, -(2**63), 2**62]),
            "money": Decimal(rng.choice([0, 1, -1, 995, 9999999999_99, -9999999999_99])) / 100,
            "d": rng.choice([0.0, 0.125, -2.5, 3.0, 64.0]),
            "s": rng.choice([None, "", "a", "b", "ab", "\u00fc"]),
            "flag": rng.random() < 0.5,
            "lines": [{"n": rng.randrange(-3, 4), "w": rng.choice([None, "a", "x"])} for _ in range(rng.choice([0, 0, 1, 2, 5]))],
            "at": now - back,
        }
        records.append((rng.choice(["in1", "in1", "in2"]), record))
    return records


def random_test(rng):
    # Each repetition is a record of its own.
    return {"partitions": rng.choice([1, 1, 2, 3]), "records": [(name, dict(r)) for name, r in random_records(rng)]}


def value_text(value, as_time):
    if value is None:
        return "null"
    if as_time:
        return time_text(value)
    if isinstance(value, Decimal):
        return '"%.2f"' % value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "[%s]" % ", ".join(record_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def record_text(record):
    return "{ %s }" % ", ".join("%s: %s" % (k, value_text(v, k == "at")) for k, v in record.items())


def is_time(view, name):
    if name in ("window_start", "window_end"):
        return True
    return any(
        c["name"] == name and c["call"]["field"] == "at" and c["call"]["fn"] in ("min", "max", "first", "last") for c in view["let"]
    )


def row_text(view, row):
    return "{ %s }" % ", ".join("%s: %s" % (k, value_text(v, is_time(view, k))) for k, v in row.items())


def listed(what, items):
    return ["    %s:" % what] + ["      - " + item for item in items] if items else ["    absent: true"]


def test_text(product, test, expected):
    out = ["apiVersion: mesh/v1", "kind: Test", "describe: random", "product: " + product["name"], "partitions: %d" % test["partitions"], "given:"]
    last = None
    for name, record in test["records"]:
        if name != last:
            out += ["  - input: " + name, "    records:"]
        out.append("      - " + record_text(record))
        last = name
    out.append("expect:")
    for name, rows in expected.items():
        view = product["views"][name]
        for what in ("view: " + name, "port: %s_docs" % name):
            out += ["  - " + what, "    tolerance: 0.000001"]
            out += listed("rows", [row_text(view, row) for row in rows])
        if view["window"]:
            members = view["by"] + ["window_start", "window_end", "revision"]
            closed = [{m: row[m] for m in members} for row in rows if row["final"]]
            out += ["  - port: %s_closed" % name] + listed("messages", [row_text(view, row) for row in closed])
        if "total" in view:
            totals = {}
            for row in rows:
                key = tuple(row[by] for by in view["by"])
                totals[key] = totals.get(key, 0) + row["revision"]
            shown = [row_text(view, dict(zip(view["by"], key), total=n)) for key, n in totals.items()]
            out += ["  - view: %s_total" % name] + listed("rows", shown)
    return "\n".join(out) + "\n"
