"""What a product's views must show, said as plainly as possible.

A record is a dict of the contract's fields; times are whole milliseconds, decimals are Decimal. A row is the list of the records that
were folded into it, and every column is computed from that list. Nothing here is fast, shared with the engine, or clever: a window is
found by looking at all of them, a session by looking at all sessions. docs/ARCHITECTURE.md ("Time") and docs/DECLARATION.md say what is
computed here; where they are silent this file decides.
"""

from decimal import Decimal

NEVER = -(10**18)
INT_MIN, INT_MAX = -(2**63), 2**63 - 1


def murmur2(data):
    """Kafka's, for the partition of a key."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    n = len(data) // 4 * 4
    for i in range(0, n, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    tail = data[n:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & mask


def partition_of(text, partitions):
    return (murmur2(text.encode()) & 0x7FFFFFFF) % partitions


# ---- which records a task sees, in which order ----


class Fed:
    """A record as a task meets it: late or not is judged by `wm`, the watermark of its own source before it."""

    def __init__(self, record, source, lane, place, wm):
        self.record, self.source, self.lane, self.place, self.wm = record, source, lane, place, wm
        self.time = record["at"]
        self.order = max(self.time, wm)

    def of(self, record):
        """The same place, and what a stream made of the record."""
        return Fed(record, self.source, self.lane, self.place, self.wm)


def external(product, test):
    """{(input, partition): [Fed]}, each in the order of its topic."""
    fed, newest = {}, {}
    for name, record in test["records"]:
        lane = (list(product["inputs"]).index(name), partition_of(record["k1"], test["partitions"]))
        before = newest.get((name, lane[1]), NEVER)
        delay = product["inputs"][name]["delay"]
        wm = before - delay if before != NEVER else NEVER
        of_lane = fed.setdefault((name, lane[1]), [])
        of_lane.append(Fed(record, name, lane, len(of_lane), wm))
        newest[(name, lane[1])] = max(before, record["at"])
    return fed


def roots(product):
    """{source: the inputs it comes from, all partitioned by k1}."""
    of = {name: [name] for name in product["inputs"]}
    for name, stream in product["streams"].items():
        of[name] = [i for source in stream["from"] for i in of[source]]
    return of


def is_local(view):
    return "k1" in view["by"]


def aggregates_of(view):
    return [column["call"] for column in view["let"]]


def order_counts(view):
    """Whether its rows depend on the order of records, so that they cannot be merged from parts."""
    if view["window"] is not None and view["window"]["kind"] == "session":
        return True
    for call in aggregates_of(view):
        field, fn = call["field"], call["fn"]
        if fn in ("first", "last", "variance"):
            return True
        if fn in ("sum", "avg") and field == "d":
            return True
    return False


def topologies(product):
    """Sets of inputs whose records meet in one task: those that a union or a local view puts together."""
    groups = [{name} for name in product["inputs"]]
    of = roots(product)
    together = [of[name] for name in product["streams"]]
    together += [[i for s in v["from"] for i in of[s]] for v in product["views"].values() if is_local(v)]
    for names in together:
        met = [g for g in groups if g & set(names)]
        groups = [g for g in groups if not g & set(names)] + [set().union(*met)]
    return groups


def is_ordered(product, group):
    """Whether a task of these inputs sorts its records: it has several, and something in it depends on their order."""
    of = roots(product)
    if len(group) < 2:
        return False
    for view in product["views"].values():
        read = {i for s in view["from"] for i in of[s]}
        if read & group and order_counts(view):
            return True
    return False


def task_order(fed, ordered):
    """The records of one task in the order in which it takes them."""
    if ordered:
        return sorted(fed, key=lambda f: (f.order, f.lane, f.place))
    return sorted(fed, key=lambda f: (f.lane, f.place))


def come_out(product, source, input_name, record):
    """What comes out of this source of a record of this input."""
    if source in product["inputs"]:
        return [record] if source == input_name else []
    stream = product["streams"][source]
    out = [r for s in stream["from"] for r in come_out(product, s, input_name, record)]
    out = [r for r in out if stream["where"] is None or holds(stream["where"], r)]
    if "empty" not in stream:
        return out
    nothing = [{"n": 99, "w": None}] if stream["empty"] == "keep" else []
    return [dict(r, small=line["n"], s=line["w"]) for r in out for line in r["lines"] or nothing]


# ---- expressions ----


def holds(cond, record):
    value = record[cond["field"]]
    if cond["op"] == "has":
        return value is not None
    if cond["op"] == "is":
        return value
    return value == cond["value"] if cond["op"] == "==" else value > cond["value"]


def aggregate(call, records, source_of):
    """Of the records of a row, in the order in which they were folded."""
    taken = [r for r in records if call["source"] is None or source_of[id(r)] == call["source"]]
    taken = [r for r in taken if call["cond"] is None or holds(call["cond"], r)]
    fn = call["fn"]
    if fn == "count":
        return len(taken)
    values = [r[call["field"]] for r in taken if r[call["field"]] is not None]
    if fn == "sum":
        if call["field"] == "d":
            return float(sum(values))
        if call["field"] == "money":
            return sum(values, Decimal("0.00"))
        return min(max(sum(values), INT_MIN), INT_MAX)
    if fn == "distinct":
        return len(set(values))
    if not values:
        return None
    if fn == "avg":
        return float(sum(values)) / len(values)
    if fn == "variance":
        mean = float(sum(values)) / len(values)
        return sum((float(v) - mean) ** 2 for v in values) / len(values)
    if fn == "quantile":
        return sorted(float(v) for v in values)[int(float(call["q"]) * (len(values) - 1))]
    if fn in ("min", "max"):
        by = (lambda v: v.encode()) if isinstance(values[0], str) else (lambda v: v)
        return (min if fn == "min" else max)(values, key=by)
    return values[0] if fn == "first" else values[-1]


# ---- windows ----


class Rows:
    """The rows of one view in one task."""

    def __init__(self, view, zones):
        self.view, self.zones = view, zones
        self.rows = {}  # (key, window start) -> [record]
        self.late = []

    def fold(self, fed):
        key = tuple(fed.record[name] for name in self.view["by"])
        window = self.view["window"]
        if window is None:
            self.rows.setdefault((key, None), []).append(fed.record)
        elif window["kind"] == "session":
            self.fold_session(key, window, fed)
        else:
            for start, end in self.windows_of(window, fed.time):
                if end + window["grace"] <= fed.wm:
                    self.late.append(fed)
                else:
                    self.rows.setdefault((key, start), []).append(fed.record)

    def windows_of(self, window, time):
        if window["kind"] == "day":
            return [day for day in self.zones.days_around(window["zone"], time) if day[0] <= time < day[1]]
        size, every = window["size"], window.get("every", window["size"])
        first = (time - size) // every * every
        starts = range(first, time + every, every)
        return [(s, s + size) for s in starts if s <= time < s + size]

    def fold_session(self, key, window, fed):
        gap, grace = window["size"], window["grace"]
        if fed.time + gap + grace <= fed.wm:
            self.late.append(fed)
            return
        joined = []
        for (k, start), records in self.rows.items():
            first, last = start, max(r["at"] for r in records)
            is_open = last + gap + grace > fed.wm
            if k == key and is_open and first - gap < fed.time < last + gap:
                joined.append(start)
        records = [r for start in sorted(joined) for r in self.rows.pop((key, start))]
        self.rows[(key, min(joined + [fed.time]))] = records + [fed.record]

    def shown(self, closed, source_of):
        """Rows as dicts; `closed` is the task's watermark at the end."""
        window = self.view["window"]
        for (key, start), records in self.rows.items():
            row = dict(zip(self.view["by"], key))
            row["revision"] = len(records)
            if window is not None:
                if window["kind"] == "session":
                    end = max(r["at"] for r in records) + window["size"]
                else:
                    end = self.windows_of(window, start)[-1][1]
                row["window_start"], row["window_end"] = start, end
                row["final"] = end + window["grace"] <= closed
            for column in self.view["let"]:
                row[column["name"]] = aggregate(column["call"], records, source_of)
            yield row


# ---- a view of a product ----


def watermark_behind_partials(product, test, fed):
    """All views that are merged from parts hear, through one topic, of all tasks that send to it."""
    of = roots(product)
    read = {
        i for v in product["views"].values() if not is_local(v) and not order_counts(v) for s in v["from"] for i in of[s]
    }
    groups = [g for g in topologies(product) if g & read]
    last = [f.time - product["inputs"][f.source]["delay"] for of_lane in fed.values() for f in of_lane if any(f.source in g for g in groups)]
    return max(last, default=NEVER)


def evaluate(product, view, test, zones=None):
    """The rows of a view behind all records of a test, and the records that it refused."""
    fed = external(product, test)
    of = roots(product)
    read = {i for s in view["from"] for i in of[s]}
    groups = topologies(product)
    tasks = {}  # (group, partition) -> its records in order
    closed = {}
    for g, group in enumerate(groups):
        if not read & group:
            continue
        for p in range(test["partitions"]):
            mine = [f for (name, q), list_ in fed.items() if name in group and q == p for f in list_]
            tasks[g, p] = task_order(mine, is_ordered(product, group))
            last = [
                max(f.time for f in list_) - product["inputs"][name]["delay"]
                for (name, q), list_ in fed.items()
                if name in group and q == p
            ]
            closed[g, p] = max(last, default=NEVER)
    source_of = {}
    rows, late = [], []

    def run(records, ends):
        into = Rows(view, zones)
        for f in records:
            for source in view["from"]:
                for record in come_out(product, source, f.source, f.record):
                    source_of[id(record)] = source
                    into.fold(f.of(record))
        rows.extend(into.shown(ends, source_of))
        late.extend(into.late)

    if is_local(view):
        for place, records in tasks.items():
            run(records, closed[place])
        return rows, late
    everywhere = max(closed.values(), default=NEVER)
    if not order_counts(view):
        everywhere = watermark_behind_partials(product, test, fed)
    behind = []  # what the tasks that own the key get, as the tasks before them send it
    for n, ((g, p), records) in enumerate(tasks.items()):
        sorts = is_ordered(product, groups[g])
        for place, f in enumerate(records):
            sent = Fed(f.record, f.source, (0, n), place, f.order if sorts else f.wm)
            behind.append(sent)
    if order_counts(view):
        run(task_order(behind, len(tasks) > 1), everywhere)
    else:
        run([f for records in tasks.values() for f in records], everywhere)
    return rows, late
