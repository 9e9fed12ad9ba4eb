#!/usr/bin/env python3
"""From the raw numbers of a run to results.json and the tables of the README.

  report.py DIR COMMAND     reads DIR/raw/*.json, writes DIR/results.json, prints Markdown

A file of raw/ is what one program printed: JOB.SUBJECT.REPETITION.json. Of repetitions the median of cpu_s counts, and their spread is
shown. results.json has one row per job and subject: events, wall_s, cpu_s, events_per_cpu_s, rss_mb, ratio_to, ratio, correct; what
a row has no number for is null. For latencies and durations wall_s is the duration in seconds and events says of how many.
"""
import json
import os
import sys
from pathlib import Path

# job, what it is, the ceiling it is measured against
PIPELINES = [
    ("filter", "filter and project, 1 % passes → Kafka", "events"),
    ("copy", "filter and project, all passes → Kafka", "events-copied"),
    ("fold", "tumbling fold, count and sum per key and minute", "events"),
    ("dedupe", "dedupe by id within 1 h, then count by country", "events"),
    ("sales_fraud", "the sales_fraud product: 9 views, 2 sliding folds, 2 patterns, 2 topics", "payments"),
]
CEILINGS = {
    "events": "librdkafka consume, noop (events)",
    "events-copied": "librdkafka consume and produce (events)",
    "payments": "librdkafka consume, noop (payments and rates)",
}
DECODERS = [
    ("wide", "decode 12 of 12 fields", "mesh"),
    ("few", "decode 3 of 12 fields", "mesh"),
    ("avro", "decode 12 of 12 fields", "avro-c 1.11 (read)"),
    ("avro12", "decode 12 of 12 fields", "avro-c 1.11 (read, then fetch)"),
]


def load(raw):
    found = {}
    for path in sorted(raw.glob("*.json")):
        job, subject, _ = path.name.split(".", 2)
        found.setdefault((job, subject), []).append(json.loads(path.read_text(encoding="utf-8")))
    return found


def row(job, subject, **numbers):
    keys = ["events", "wall_s", "cpu_s", "events_per_cpu_s", "rss_mb", "ratio_to", "ratio", "correct"]
    assert set(numbers) <= set(keys)
    return {"job": job, "subject": subject, **{key: numbers.get(key) for key in keys}}


def median(runs):
    return sorted(runs, key=lambda run: run["cpu_s"])[len(runs) // 2]


def rate(run):
    return run["events"] / max(run["cpu_s"], 1e-9)


def spread(runs):
    rates = [rate(run) for run in runs]
    return (max(rates) - min(rates)) / 2 / (sum(rates) / len(rates)) if len(rates) > 1 else None


def consumed(job, subject, runs, ceiling=None):
    run = median(runs)
    answers = [each["correct"] for each in runs if "correct" in each]
    numbers = {"events": int(run["events"]), "wall_s": run["wall_s"], "cpu_s": run["cpu_s"], "events_per_cpu_s": round(rate(run))}
    numbers["rss_mb"] = run.get("rss_peak_mb", run["rss_mb"])
    if answers:
        numbers["correct"] = all(answers)
    if ceiling is not None:
        numbers["ratio_to"] = ceiling["job"]
        numbers["ratio"] = round(rate(run) / ceiling["events_per_cpu_s"], 3)
    return row(job, subject, **numbers)


def thousands(n):
    return f"{n / 1000:,.0f}" if n < 10e6 else f"{n / 1e6:,.1f} M"


def table(head, lines):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for line in lines:
        print("| " + " | ".join(line) + " |")
    print()


def pipelines(found, results):
    ceilings, lines = {}, []
    for name, job in CEILINGS.items():
        runs = found.get((name, "ceiling"))
        if runs:
            ceilings[name] = consumed(job, "ceiling", runs)
            results.append(ceilings[name])
            lines.append(line_of(job, ceilings[name], runs, ""))
    for name, job, against in PIPELINES:
        runs = found.get((name, "mesh"))
        if runs:
            results.append(consumed(job, "mesh", runs, ceilings.get(against)))
            share = results[-1]["ratio"]
            lines.append(line_of("**" + job + "**", results[-1], runs, f"{share:.0%} of {against}" if share else ""))
    table(["on a real Kafka", "thousand events per CPU-second", "share of the ceiling", "wall", "peak memory", "right answers"], lines)


def line_of(job, numbers, runs, share):
    wide = spread(runs)
    cell = thousands(numbers["events_per_cpu_s"]) + (f" ± {wide:.0%}" if wide is not None else "")
    right = {None: "", True: "yes", False: "**NO**"}[numbers["correct"]]
    return [job, cell, share, f"{numbers['wall_s']:.1f} s", f"{numbers['rss_mb']:.0f} MB", right]


def decoders(found, results):
    runs = found.get(("decode", "all"))
    if not runs:
        return
    raw, lines = runs[0], []
    theirs = raw["avro"]["median_ns"]
    for key, job, subject in DECODERS:
        ns = raw[key]["median_ns"]
        numbers = {"events": raw["records"], "cpu_s": round(ns * raw["records"] / 1e9, 6), "events_per_cpu_s": round(1e9 / ns)}
        if subject == "mesh":
            numbers |= {"ratio_to": DECODERS[2][2], "ratio": round(theirs / ns, 2), "correct": raw["equal"]}
        results.append(row(job, subject, **numbers))
        lines.append([f"{subject}: {job}", f"{raw[key]['min_ns']:.1f}", f"{ns:.1f}", f"{theirs / ns:.1f}×"])
    for key, name in (("java", "Java Avro {}"), ("fastavro", "fastavro {}")):
        for raw in found.get(("decode", key), [])[:1]:
            ns, subject = raw["median_ns"], name.format(raw["version"])
            results.append(row("decode 12 of 12 fields", subject, events=raw["records"], cpu_s=round(ns * raw["records"] / 1e9, 6),
                               events_per_cpu_s=round(1e9 / ns)))
            lines.append([f"{subject}: decode 12 of 12 fields", f"{raw['min_ns']:.1f}", f"{ns:.1f}", f"{theirs / ns:.1f}×"])
    table(["one record, same bytes", "min ns", "median ns", "against avro-c (read)"], lines)


def duration(results, lines, job, seconds, events, note="", rss_mb=None):
    results.append(row(job, "mesh", events=events, wall_s=seconds, rss_mb=rss_mb))
    shown = f"{seconds * 1000:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"
    lines.append([job, shown, note])


def moments(found, results):
    lines = []
    for how, words in (("idle", "idle"), ("saturated", "while ingesting at saturation")):
        for raw in found.get(("http", how), []):
            late = f"client late p99 {raw['late']['p99_ms']:.2f} ms; {raw['failed']} failed, {raw['not_found']} not there yet"
            if raw.get("ingested") is not None:
                late += f"; {thousands(raw['ingested'] / raw['seconds'])} thousand events/s meanwhile"
                late += "" if raw["lasted"] else "; CAREFUL: the topic ended before the questions did"
            for point, name in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")):
                note = f"open loop, {raw['rate']:.0f}/s, {raw['requests']} requests; {late}" if point == "p50" else ""
                job = f"point query {name}, {words}"
                duration(results, lines, job, round(raw["latency"][point + "_ms"] / 1000, 7), raw["requests"], note)
    for raw in found.get(("ready", "mesh"), []):
        duration(results, lines, "start to ready, median", raw["median_ms"] / 1000, raw["runs"], "exec to /readyz 200, empty state")
        duration(results, lines, "start to ready, slowest", raw["max_ms"] / 1000, raw["runs"])
        results.append(row("idle memory", "mesh", events=1, rss_mb=raw["rss_mb"]))
        lines.append(["idle memory, 2 s after ready", f"{raw['rss_mb']:.1f} MB", "resident; no records"])
    for raw in found.get(("compiler", "mesh"), []):
        for key, job in raw["jobs"].items():
            duration(results, lines, job, round(raw[key], 4), 1)
    table(["", "", ""], lines)


def main():
    bench, command = Path(sys.argv[1]), sys.argv[2]
    found, results = load(bench / "raw"), []
    machine = (bench / "machine").read_text(encoding="utf-8").strip()
    print(f"\nMeasured by `{command}` ({machine}). CPU-seconds are user + system of the whole process; the median of the repetitions.\n")
    pipelines(found, results)
    decoders(found, results)
    moments(found, results)
    part = bench / "results.json.part"
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in results)
    part.write_text("[\n" + lines + "\n]\n", encoding="utf-8")
    os.replace(part, bench / "results.json")
    if any(each["correct"] is False for each in results):
        print("Some answers are WRONG (see above).", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
