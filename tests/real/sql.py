#!/usr/bin/env python3
"""Sessions, a join of streams and a pattern over real input, through the generated code, and the same in SQL (sqlite3).

    sql.py MESHGEN DATA_FOLDER [EVERY]     PKG_CONFIG_PATH names the folder of mesh.pc

Every EVERY-th customer of the online retail data, with all of their invoice lines in the order of the file; each row of the three views must
be what SQL says, and no other may be there."""
import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone

HERE = os.path.dirname(os.path.abspath(__file__))
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
TIMES = {"window_start", "window_end", "last_back", "InvoiceDate"}

QUERIES = {
    "visits": """with gaps as (select *, case when at - lag(at) over (partition by customer order by number) < 1800000 then 0 else 1 end as new
                     from line),
                   numbered as (select *, sum(new) over (partition by customer order by number) as visit from gaps)
                 select customer as CustomerID, min(at) as window_start, max(at) + 1800000 as window_end, count(*) as lines,
                   sum(quantity) as pieces, max(mills) as dearest from numbered group by customer, visit""",
    "returns": """with back as (select r.*, (select b.number from line b where b.customer = r.customer and b.quantity > 0
                      and b.at between r.at - 2592000000 and r.at order by b.at desc, b.number desc limit 1) as found
                    from line r where r.invoice like 'C%')
                  select r.customer as CustomerID, count(*) as lines, count(b.number) as known, coalesce(sum(b.mills), 0) as prices,
                    (select b2.stock from back r2 join line b2 on b2.number = r2.found where r2.customer = r.customer
                     order by r2.number desc limit 1) as last_before
                  from back r left join line b on b.number = r.found group by r.customer""",
    "regrets": """with runs as (select d.*, (select r.number from line r where r.customer = d.customer and r.number > d.number
                      and r.invoice like 'C%' order by r.number limit 1) as back from line d where d.quantity > 0 and d.mills > 10000)
                  select d.customer as CustomerID, count(*) as n, sum(d.mills) as prices, max(r.at) as last_back
                  from runs d join line r on r.number = d.back where r.at - d.at <= 604800000 group by d.customer""",
}


def lines_of(folder, every):
    text = subprocess.run(["zstdcat", os.path.join(folder, "online_retail.csv.zst")], check=True, capture_output=True).stdout.decode()
    for row in csv.DictReader(io.StringIO(text)):
        if row["CustomerID"] and int(float(row["CustomerID"])) % every == 0:
            row["CustomerID"] = str(int(float(row["CustomerID"])))
            row["at"] = (datetime.fromisoformat(row["InvoiceDate"] + "+00:00") - EPOCH) // timedelta(milliseconds=1)
            row["mills"] = round(float(row["UnitPrice"]) * 1000)
            yield row


def time_text(ms):
    return (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%SZ")


def value_text(name, value):
    if name in TIMES:
        return time_text(value)
    return '"%.3f"' % (value / 1000) if name in ("dearest", "prices") else json.dumps(value)


def main():
    meshgen, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
    every = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    root = tempfile.mkdtemp(prefix="real-sql-")
    shutil.copytree(os.path.join(HERE, "sql"), root, dirs_exist_ok=True)
    tests = os.path.join(root, "domains", "habits", "tests")
    os.makedirs(tests)
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    db.execute("create table line (number integer primary key, customer, invoice, stock, quantity, mills, at)")
    db.execute("create index by_customer on line (customer, number)")
    n = 0
    with open(os.path.join(tests, "lines.jsonl"), "w", encoding="utf-8") as out:
        for row in lines_of(folder, every):
            n += 1
            db.execute("insert into line values (?, ?, ?, ?, ?, ?, ?)",
                       (n, row["CustomerID"], row["InvoiceNo"], row["StockCode"], int(row["Quantity"]), row["mills"], row["at"]))
            kept = {k: row[k] for k in ("InvoiceNo", "StockCode", "CustomerID", "Country")}
            kept.update(Quantity=int(row["Quantity"]), UnitPrice="%.3f" % (row["mills"] / 1000), InvoiceDate=time_text(row["at"]))
            out.write(json.dumps(kept) + "\n")
    print("%d lines" % n)
    for view, sql in QUERIES.items():
        rows = db.execute(sql).fetchall()
        assert len(rows) > 5, view + " has hardly a row: take more customers"
        print("%-8s %5d rows" % (view, len(rows)))
        text = ["apiVersion: mesh/v1", "kind: Test", "describe: as SQL says", "given:", "  - { input: lines, jsonl: lines.jsonl }", "expect:",
                "  - view: " + view, "    rows:"]
        text += ["      - { %s }" % ", ".join("%s: %s" % (k, value_text(k, row[k])) for k in row.keys()) for row in rows]
        with open(os.path.join(tests, view + ".yaml"), "w", encoding="utf-8") as f:
            f.write("\n".join(text) + "\n")
    run = subprocess.run([meshgen, "test", "--mesh", root, "--out", root + "/build"], capture_output=True, text=True, check=False)
    print("\n".join((run.stdout + run.stderr).splitlines()[-40:]))
    if run.returncode == 0:
        shutil.rmtree(root)
    else:
        print("the mesh is in %s" % root)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
