#!/usr/bin/env python3
"""Nexmark through the generated code, and the same queries in SQL over the same events.

    run.py MESHGEN [SEED] [BIDS]     PKG_CONFIG_PATH names the folder of mesh.pc

Events are made from the seed. Each query is SQL (sqlite3); its result is what `meshgen test` must find in the view of its name: every row,
and no other. README.md lists the queries."""
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone

HERE = os.path.dirname(os.path.abspath(__file__))
T0 = 1_780_000_000_000
DAY = 86_400_000

QUERIES = {
    "bids": {
        "q0": "select bid_id, auction_id, price from bid",
        "q1": "select bid_id, price * 908 / 1000.0 as dollars from bid",
        "q2": "select bid_id, auction_id, price from bid where auction_id % 7 = 0",
        "q4": """with best as (select b.auction_id, a.category, max(b.price) as price from bid b join auction a using (auction_id)
                   where b.at <= a.expires group by 1, 2)
                 select category, sum(price) as sum, count(*) as n, avg(price) as average from best group by 1""",
        "q5": """with recursive k(i) as (select 0 union all select i + 1 from k where i < 4),
                   hop as (select b.auction_id, (b.at / 2000 - i) * 2000 as window_start from bid b, k),
                   counted as (select window_start, auction_id, count(*) as bids from hop group by 1, 2)
                 select 'all' as "all", window_start, auction_id as auction, bids from (select *, row_number() over
                   (partition by window_start order by bids desc, auction_id) as place from counted) where place = 1""",
        "q7": """select 'all' as "all", at / 10000 * 10000 as window_start, price, bidder, auction_id as auction from (select *, row_number() over
                   (partition by at / 10000 order by price desc, at, number) as place from bid) where place = 1""",
        "q9": """select auction_id, category, price, bidder, at as won_at from (select b.*, a.category, row_number() over
                   (partition by b.auction_id order by b.price desc, b.at, b.number) as place from bid b join auction a using (auction_id)
                   where b.at <= a.expires) where place = 1""",
        "q11": """with gaps as (select *, case when at - lag(at) over (partition by bidder order by at, number) < 10000 then 0 else 1 end as new from bid),
                    numbered as (select *, sum(new) over (partition by bidder order by at, number) as session from gaps)
                  select bidder, min(at) as window_start, max(at) + 10000 as window_end, count(*) as bids from numbered group by bidder, session""",
        "q15": """select 'all' as "all", at / 86400000 * 86400000 as window_start, count(*) as bids, sum(price < 10000) as low,
                    sum(price >= 10000 and price < 1000000) as middle, sum(price >= 1000000) as high, count(distinct bidder) as bidders,
                    count(distinct case when price >= 1000000 then bidder end) as high_bidders, count(distinct auction_id) as auctions
                  from bid group by 2""",
        "q16": """select channel, at / 86400000 * 86400000 as window_start, count(*) as bids, sum(price < 10000) as low,
                    count(distinct bidder) as bidders, count(distinct auction_id) as auctions from bid group by 1, 2""",
        "q17": """select auction_id, at / 86400000 * 86400000 as window_start, count(*) as bids, sum(price < 10000) as low,
                    sum(price >= 1000000) as high, min(price) as min_price, max(price) as max_price, avg(price) as avg_price,
                    sum(price) as sum_price from bid group by 1, 2""",
        "q18": """select bidder, auction_id, bid_id, price from (select *, row_number() over
                    (partition by bidder, auction_id order by at desc, number desc) as place from bid) where place = 1""",
        "q19": """with ranked as (select *, row_number() over (partition by auction_id order by price desc, bid_id) as place from bid)
                  select auction_id, max(case when place = 1 then bid_id end) as first, max(case when place = 2 then bid_id end) as second,
                    max(case when place = 3 then bid_id end) as third from ranked group by 1""",
        "q20": "select bid_id, seller, price from bid join auction using (auction_id) where category = 10",
    },
    "people": {
        "q3": """select auction_id, name, city, state from auction join person on seller = person_id
                 where category = 10 and state in ('OR', 'ID', 'CA')""",
    },
    "arrivals": {
        "q8": """with both as (select person_id as person, at / 10000 * 10000 as window_start, name, 1 as registered, 0 as sold from person
                   union all select seller, at / 10000 * 10000, null, 0, 1 from auction)
                 select person, window_start, max(name) as name, sum(registered) as registered, sum(sold) as sold from both group by 1, 2""",
    },
}
TIMES = {"window_start", "window_end", "won_at", "at", "expires"}


def events(seed, n_bids):
    """Persons, auctions and bids as a market has them: newer auctions get more bids, a few are hot, prices vary over four decades."""
    rng = random.Random(seed)
    persons, auctions, bids = [], [], []
    now = T0
    while len(bids) < n_bids:
        now += rng.choice([0, 0, 50, 200, 1000, 1000, 9999, 10000]) if rng.random() < 0.5 else rng.randrange(300)
        if rng.random() < 0.002:
            now += DAY // 2
        kind = rng.random()
        if len(persons) < 3 or kind < 0.06:
            state = rng.choice(["OR", "ID", "CA", "WA", "NY"])
            persons.append({"person_id": 1000 + len(persons), "name": "person %d" % len(persons), "city": "city " + state, "state": state, "at": now})
        elif len(auctions) < 3 or kind < 0.2:
            seller = rng.choice(persons[-5:])["person_id"]
            auctions.append({"auction_id": 1000 + len(auctions), "seller": seller, "category": rng.randrange(8, 13),
                             "initial_bid": rng.randrange(1, 1000), "expires": now + rng.choice([5000, 60000, DAY]), "at": now})
        else:
            hot = auctions[len(auctions) // 20 * 20 - 1] if len(auctions) > 20 and rng.random() < 0.4 else None
            auction = hot or rng.choice(auctions[-30:])
            bids.append({"bid_id": "b%06d" % len(bids), "auction_id": auction["auction_id"], "bidder": rng.choice(persons[-40:])["person_id"],
                         "price": int(10 ** (rng.random() * 5 + 2)), "channel": rng.choice(["Apple", "Google", "Facebook", "Baidu"]), "at": now})
    return {"persons": persons, "auctions": auctions, "bids": bids}


def database(made):
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    for table, rows in (("person", made["persons"]), ("auction", made["auctions"]), ("bid", made["bids"])):
        names = list(rows[0])
        db.execute("create table %s (%s, number)" % (table, ", ".join(names)))
        for number, row in enumerate(rows):
            db.execute("insert into %s values (%s)" % (table, ", ".join("?" * (len(names) + 1))), [row[n] for n in names] + [number])
    return db


def time_text(ms):
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (ms % 1000)


def value_text(name, value):
    if name in TIMES:
        return time_text(value)
    return '"%.3f"' % value if name == "dollars" else json.dumps(value)


def write_test(folder, product, query, rows, inputs):
    out = ["apiVersion: mesh/v1", "kind: Test", "describe: as SQL says", "product: " + product, "given:"]
    out += ["  - { input: %s, jsonl: %s.jsonl }" % (name, name) for name in inputs]
    out += ["expect:", "  - view: " + query, "    tolerance: 0.000001", "    rows:"]
    out += ["      - { %s }" % ", ".join("%s: %s" % (n, value_text(n, row[n])) for n in row.keys()) for row in rows]
    with open(os.path.join(folder, query + ".yaml"), "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


def main():
    meshgen = os.path.abspath(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    made = events(seed, int(sys.argv[3]) if len(sys.argv) > 3 else 1000)
    root = tempfile.mkdtemp(prefix="nexmark-")
    for part in ("mesh.yaml", "contracts", "domains"):
        (shutil.copytree if os.path.isdir(os.path.join(HERE, part)) else shutil.copy)(os.path.join(HERE, part), os.path.join(root, part))
    db = database(made)
    for product, queries in QUERIES.items():
        folder = os.path.join(root, "domains", product, "tests")
        inputs = {"bids": ["auctions", "bids"], "people": ["persons", "auctions"], "arrivals": ["persons", "auctions"]}[product]
        os.makedirs(folder)
        for name in inputs:
            with open(os.path.join(folder, name + ".jsonl"), "w", encoding="utf-8") as f:
                for row in made[name]:
                    f.write(json.dumps({k: time_text(v) if k in TIMES else v for k, v in row.items()}) + "\n")
        for query, sql in queries.items():
            rows = db.execute(sql).fetchall()
            assert rows, query + " finds nothing: the events are too few"
            print("%-4s %5d rows" % (query, len(rows)))
            write_test(folder, product, query, rows, inputs)
    run = subprocess.run([meshgen, "test", "--mesh", root, "--out", root + "/build"], capture_output=True, text=True, check=False)
    print("\n".join((run.stdout + run.stderr).splitlines()[-60:]))
    if run.returncode == 0:
        shutil.rmtree(root)
    else:
        print("seed %d failed; the mesh is in %s" % (seed, root))
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
