"""The simulator's truth against what the four services found: everything injected is found, nothing is invented.

    truth.py BUILD embedded|kafka [--events N] [--kills N]

With --kills the services are killed with SIGKILL at seeded moments and restarted; the answers must be the same.
"""
import argparse
import json
import os
import random
import subprocess
import sys
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import Checks, Mesh, pseudonym, wait_until  # noqa: E402

START = "2026-11-02T10:00:00Z"

# how mesh-sim breaks a record -> the codes under which a dead letter may stand
CODES = {
    "truncated": {"frame.truncated", "avro.truncated"},
    "unknown_schema": {"schema.unknown"},
    "absurd_length": {"avro.length", "avro.truncated"},
    "invalid_utf8": {"avro.utf8"},
    "wrong_magic": {"frame.magic"},
    "enum_range": {"avro.enum"},
    "trailing_bytes": {"avro.trailing"},
    "time_range": {"avro.time"},
    "unknown_currency": {"join.missing"},
}


def decimal_sum(rows, key, value):
    sums = {}
    for row in rows:
        sums[row[key]] = sums.get(row[key], Decimal(0)) + Decimal(row[value])
    return sums


def count_sum(rows, key, value):
    sums = {}
    for row in rows:
        sums[row[key]] = sums.get(row[key], 0) + row[value]
    return sums


def check_sales(checks, service, truth):
    sales = truth["sales"]
    for path, key, part in (("/sales/daily/by-country", "country", "by_country"), ("/sales/daily/by-category", "category", "by_category"),
                            ("/sales/daily/by-method", "method", "by_method")):
        rows = service.rows(path)
        n, total = count_sum(rows, key, "n"), decimal_sum(rows, key, "total_eur")
        checks.equal(path + " keys", sorted(n), sorted(sales[part]))
        for name, want in sales[part].items():
            checks.equal("%s %s n" % (path, name), n.get(name), want["n"])
            checks.equal("%s %s total" % (path, name), total.get(name), Decimal(want["total_eur"]))
    for path, key, part in (("/sales/by-country", "country", "by_country"), ("/sales/by-category", "category", "by_category"),
                            ("/sales/by-method", "method", "by_method")):
        rows = service.rows(path)
        n, total = count_sum(rows, key, "n"), decimal_sum(rows, key, "total_eur")
        for name, want in sales[part].items():
            checks.equal("%s %s n" % (path, name), n.get(name, 0), want["n"] - want["late_n"])
            checks.equal("%s %s total" % (path, name), total.get(name, Decimal(0)), Decimal(want["total_eur"]) - Decimal(want["late_eur"]))


def check_faults(checks, mesh, truth, restarted):
    sales, marketing = mesh.services["sales_fraud"], mesh.services["marketing"]
    injected = truth["injected"]
    rules = {row["rule"]: row["n"] for row in sales.rows("/alerts/by-rule", windowed=False)}
    for rule, n in injected["fraud"].items():
        checks.equal("alerts of rule " + rule, rules.get(rule, 0), n)
    checks.equal("rules that alerted", sorted(r for r in rules), sorted(r for r, n in injected["fraud"].items() if n > 0))
    if restarted:
        return  # counters begin anew with the process
    checks.equal("duplicate payments", sales.metric("mesh_duplicates_total"), injected["duplicate"]["payments"])
    checks.equal("duplicate ads", marketing.metric("mesh_duplicates_total"), injected["duplicate"]["ads"])
    for view in ("sales_by_country", "sales_by_category", "sales_by_method"):
        late = sum(v for (name, labels), v in sales.metrics().items() if name == "mesh_late_total" and any(view in label for label in labels))
        checks.equal("late for " + view, late, injected["late"])
    codes = {}
    for (name, labels), value in sales.metrics().items():
        if name == "mesh_rejected_total" and value:
            code = next(label.split("=", 1)[1] for label in labels if label.startswith("code="))
            codes[code] = codes.get(code, 0) + int(value)
    checks.equal("rejected records", sum(codes.values()), sum(injected["malformed"].values()))
    for how, n in injected["malformed"].items():
        others = sum(m for h, m in injected["malformed"].items() if h != how and CODES[h] & CODES[how])
        have = sum(codes.get(code, 0) for code in CODES[how])
        checks.equal("rejected as %s (%s)" % (how, "/".join(sorted(CODES[how]))), n <= have <= n + others, True)


def check_customers(checks, service, truth):
    rows = {row["customer_id"]: row for row in service.rows("/customers", windowed=False)}
    checks.equal("customers", len(rows), len(truth["customers"]))
    for number, want in truth["customers"].items():
        have = rows.get(pseudonym("customer", number), {})
        for field in ("country", "segment", "orders", "web_orders", "spend_eur", "last_seen", "marketing_consent"):
            checks.equal("customer %s %s" % (number, field), have.get(field), want[field])


def check_stock(checks, service, truth):
    rows = {(row["product_id"], row["store_id"]): row["on_hand"] for row in service.rows("/stock", windowed=False)}
    want = {(p, s): n for p, stores in truth["stock"].items() for s, n in stores.items()}
    checks.equal("products x stores", len(rows), len(want))
    for place, n in want.items():
        checks.equal("stock of %s in %s" % place, rows.get(place), n)


def check_campaigns(checks, service, truth):
    rows = {row["campaign_id"]: row for row in service.rows("/campaigns", windowed=False)}
    checks.equal("campaigns", sorted(rows), sorted(truth["campaigns"]))
    for name, want in truth["campaigns"].items():
        have = rows.get(name, {})
        for field in ("impressions", "clicks", "sales"):
            checks.equal("campaign %s %s" % (name, field), have.get(field), want[field])
        for field in ("spend_eur", "revenue_eur"):
            checks.equal("campaign %s %s" % (name, field), Decimal(have.get(field, "-1")), Decimal(want[field]))


def kill_at_random(mesh, sim, kills):
    rng = random.Random(7)
    done = 0
    while done < kills and sim.poll() is None:
        service = rng.choice(list(mesh.services.values()))
        seen = service.metric("mesh_records_total")
        goal = seen + rng.randrange(200, 3000)
        wait_until("some records", lambda: sim.poll() is not None or service.metric("mesh_records_total") >= goal, 60)
        service.kill()
        service.start()
        done += 1
    return done


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("broker", choices=["embedded", "kafka"])
    parser.add_argument("--events", type=int, default=120000)
    parser.add_argument("--rate", type=int, default=15000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--state-mb", type=int, default=0, help="MESH_STATE_MB; some state must then be on the disk in the end")
    args = parser.parse_args()
    with Mesh(args.build, args.broker) as mesh:
        if args.state_mb:
            mesh.env["MESH_STATE_MB"] = str(args.state_mb)
        mesh.start()
        path = os.path.join(mesh.dir, "truth")
        sim = mesh.simulate("--start", START, "--events", str(args.events), "--rate", str(args.rate), "--truth", path)
        kills = kill_at_random(mesh, sim, args.kills) if args.kills else 0
        assert sim.wait(timeout=300) == 0, "mesh-sim failed"
        with open(path) as f:
            truth = json.loads(f.readlines()[-1])
        mesh.wait_caught_up()
        checks = Checks()
        daily = mesh.services["sales_fraud"]
        wait_until("the last sales are counted", lambda: sum(r["n"] for r in daily.rows("/sales/daily/by-country")) >= truth["sales"]["n"], 30)
        mesh.wait_caught_up()
        check_sales(checks, daily, truth)
        check_faults(checks, mesh, truth, args.kills > 0)
        check_customers(checks, mesh.services["customer"], truth)
        check_stock(checks, mesh.services["product_stock"], truth)
        check_campaigns(checks, mesh.services["marketing"], truth)
        if args.state_mb:
            memory = {d: s.get("/readyz")["products"][0]["memory"] for d, s in mesh.services.items()}
            print("memory: %s" % json.dumps(memory))
            for domain, m in memory.items():
                checks.equal("%s keeps to its budget" % domain, m["in_memory"] <= m["budget"] and not m["paused"], True)
            checks.equal("state on the disk", sum(m["on_disk"] for m in memory.values()) > 0, True)
        print("%d records, %d kills, injected: %s" % (truth["records"], kills, json.dumps(truth["injected"])))
        assert args.kills == 0 or kills >= args.kills // 2, "only %d kills landed" % kills
        checks.end(at_least=1000)


if __name__ == "__main__":
    main()
