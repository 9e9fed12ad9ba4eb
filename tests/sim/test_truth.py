"""Every claim of the truth file against what an independent decoder finds in the records, and the rules about ordinary payments by
brute force.  usage: test_truth.py PATH/mesh-sim"""

import bisect
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from datetime import datetime, timezone

import simlog

SIM = os.path.abspath(sys.argv[1])
PAYMENTS = ("omnishop.sales.card-payments", "omnishop.sales.shop-payments")
ADS = "omnishop.marketing.ad-events"
YEARS_100_MS = 100 * 31557600 * 1000
MINUTE_MS = 60000

# How the decoder here complains about each kind of malformed record.
WORDS = {
    "truncated": {"frame", "truncated"},
    "unknown_schema": {"schema"},
    "absurd_length": {"length"},
    "invalid_utf8": {"utf8"},
    "wrong_magic": {"magic", "frame"},
    "enum_range": {"enum"},
    "trailing_bytes": {"trailing"},
    "time_range": {"time"},
    "unknown_currency": {"rate"},
}


def ms_of(text):
    at = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def cents_text(v, scale=2):
    sign, v = ("-" if v < 0 else ""), abs(v)
    return f"{sign}{v // 10**scale}.{v % 10**scale:0{scale}d}"


class Rates:
    def __init__(self, records):
        self.of = defaultdict(list)
        last = None
        for r in records:
            assert last is None or r["valid_from"] >= last, "rates come in the order of valid_from"
            last = r["valid_from"]
            self.of[r["currency"]].append((r["valid_from"], r["eur"]))

    def to_eur(self, cents, currency, at):
        """Half to even, in integers; None: no rate."""
        known = self.of.get(currency)
        i = bisect.bisect_right(known, (at, 1 << 60)) if known else 0
        if i == 0:
            return None
        whole, rest = divmod(cents * known[i - 1][1], 10**6)
        return whole + (rest * 2 > 10**6 or (rest * 2 == 10**6 and whole % 2 == 1))


def velocity_alerts(events):
    """events of one card: (time, id, eur) by time. Every event starts a run; a match clears all runs."""
    runs, alerts = [], []
    for at, payment, _ in events:
        runs = [(begin, n + 1) for begin, n in runs if at - begin <= MINUTE_MS] + [(at, 1)]
        if any(n == 6 for _, n in runs):
            alerts.append(payment)
            runs = []
    return alerts


def probes_alerts(events):
    runs, alerts = [], []
    for at, payment, eur in events:
        runs = [run for run in runs if at - run[0] <= 10 * MINUTE_MS]
        if eur > 50000 and any(n == 3 for _, n in runs):
            alerts.append(payment)
            runs = []
        elif eur < 200:
            runs = [(begin, min(n + 1, 3)) for begin, n in runs] + [(at, 1)]
    return alerts


class Run:
    def __init__(self, name, folder, *options, binary=False):
        self.name = name
        out, truth = os.path.join(folder, "out"), os.path.join(folder, "truth")
        command = [SIM, "--out", out, "--truth", truth, "--contracts", os.path.join(simlog.ROOT, "contracts"), *options]
        subprocess.run(command + (["--format", "binary"] if binary else []), check=True)
        with open(truth, encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        assert lines[-1]["kind"] == "totals" and all(t["kind"] != "totals" for t in lines[:-1])
        self.totals = lines.pop()
        self.truth = defaultdict(list)
        for line in lines:
            self.truth[line["kind"]].append(line)
        self.raw = list((simlog.read_binary if binary else simlog.read_ndjson)(out))
        self.options = dict(zip(options[::2], options[1::2]))

    def decode(self):
        """-> self.good: (topic, partition, timestamp, key, record, value); self.bad: (topic, partition, key, word)"""
        read = simlog.readers()
        ids = {}
        for topic, _, _, _, value in self.raw:
            if len(value) >= 5 and value[0] == 0:
                ids.setdefault(topic, Counter())[int.from_bytes(value[1:5], "big")] += 1
        self.ids = {topic: n.most_common(1)[0][0] for topic, n in ids.items()}
        self.good, self.bad = [], []
        for topic, partition, timestamp, key, value in self.raw:
            try:
                record = simlog.decode(read[topic], value, self.ids[topic])
                if abs(record.get("paid_at", timestamp) - timestamp) > YEARS_100_MS:
                    raise simlog.Malformed("time")
            except simlog.Malformed as e:
                self.bad.append((topic, partition, key, str(e)))
            else:
                self.good.append((topic, partition, timestamp, key, record, value))
        self.rates = Rates([r for t, _, _, _, r, _ in self.good if t == "omnishop.finance.rates"])

    def of(self, *topics):
        return [g for g in self.good if g[0] in topics]

    def check_places(self):
        n = int(self.options.get("--partitions", 4))
        last = None
        for topic, partition, timestamp, key, _ in self.raw:
            assert partition == (0 if topic == "omnishop.finance.rates" else simlog.partition_of(key, n)), (topic, key)
            assert last is None or timestamp >= last, "Kafka timestamps are the event clock"
            last = timestamp
        assert len(set(self.ids.values())) == len(set(simlog.CONTRACTS[t] for t in self.ids))
        assert Counter(r[0] for r in self.raw) == Counter(self.totals["topics"])
        assert len(self.raw) == self.totals["records"]
        keys = {"omnishop.finance.rates": "currency", ADS: "campaign_id"}
        for topic, _, _, key, record, _ in self.good:
            field = keys.get(topic) or next(k for k in ("card_id", "customer_id", "product_id") if k in record)
            assert key == record[field], (topic, key)

    def check_malformed(self):
        bad = Counter((t, p, k, w) for t, p, k, w in self.bad)
        for topic, partition, _, key, record, _ in self.of(*PAYMENTS):
            if self.rates.to_eur(record["amount"], record["currency"], record["paid_at"]) is None:
                bad[(topic, partition, key, "rate")] += 1
        told = self.truth["malformed"]
        assert len(told) == sum(bad.values()), (len(told), sum(bad.values()))
        assert len({t["key"] for t in told}) == len(told), "each has its own key"
        for t in told:
            place = (t["topic"], t["partition"], t["key"])
            assert any(bad[place + (w,)] == 1 for w in WORDS[t["how"]]), t
        assert Counter(t["how"] for t in told) == Counter({k: n for k, n in self.totals["injected"]["malformed"].items() if n})

    def check_late_and_duplicates(self):
        """-> self.sales: (topic, record, eur, late)"""
        late = {t["payment_id"]: t for t in self.truth["late"]}
        again = Counter(t.get("payment_id") or t["event_id"] for t in self.truth["duplicate"])
        assert set(again.values()) <= {1}
        fraud_cards = {t["card_id"] for t in self.truth["fraud"]}
        newest, seen, self.sales, found_again, found_late = {}, {}, [], set(), set()
        for topic, partition, timestamp, _, record, value in self.of(*PAYMENTS, ADS):
            ad = topic == ADS
            ident, at = (record["event_id"], record["at"]) if ad else (record["payment_id"], record["paid_at"])
            behind = newest.get((topic, partition), at) - at
            newest[topic, partition] = max(newest.get((topic, partition), at), at)
            eur = None if ad else self.rates.to_eur(record["amount"], record["currency"], at)
            if not ad and eur is None:
                continue
            if ident in seen:
                assert seen[ident] == (topic, partition, value), "the same bytes"
                assert ident in again and ident not in late
                assert ad or record["card_id"] not in fraud_cards
                assert 1000 <= timestamp - at <= 30 * MINUTE_MS + 1000
                found_again.add(ident)
                continue
            seen[ident] = (topic, partition, value)
            if ident in late:
                told = late[ident]
                assert (told["topic"], told["partition"]) == (topic, partition)
                assert behind == told["behind_ms"] > 12 * MINUTE_MS and ms_of(told["at"]) == at, told
                assert record["card_id"] not in fraud_cards
                found_late.add(ident)
            else:
                assert behind <= 0 and timestamp == at, "all others are in order"
            if not ad:
                self.sales.append((topic, record, eur, ident in late))
        assert found_again == set(again) and found_late == set(late)
        injected = self.totals["injected"]
        assert injected["late"] == len(late)
        assert injected["duplicate"] == {
            "payments": sum("payment_id" in t for t in self.truth["duplicate"]),
            "ads": sum("event_id" in t for t in self.truth["duplicate"]),
        }

    def check_patterns(self):
        cards = defaultdict(list)
        for topic, record, eur, _ in self.sales:
            cards[record["card_id"]].append((record["paid_at"], record["payment_id"], eur))
        told = {(t["rule"], t["card_id"], t["payment_id"]) for t in self.truth["fraud"]}
        begun = {t["card_id"] for t in self.truth["fraud"]}
        found, unfinished = set(), 0
        for card, events in cards.items():
            events.sort()
            found |= {("velocity", card, p) for p in velocity_alerts(events)}
            found |= {("probes", card, p) for p in probes_alerts(events)}
            if card in begun:
                continue
            if any(not 250 <= eur <= 49000 for _, _, eur in events) or len(events) > 3 and any(
                events[i + 3][0] - events[i][0] <= MINUTE_MS for i in range(len(events) - 3)
            ):
                # Only a campaign that the end of the run cut off may look like this.
                assert len(events) < 6 and events[0][0] > ms_of(self.totals["last_at"]) - 10 * MINUTE_MS, (card, events)
                unfinished += 1
        assert found == told, found ^ told
        assert len(told) == len(self.truth["fraud"]) == len(begun)
        assert Counter(r for r, _, _ in told) == Counter({k: n for k, n in self.totals["injected"]["fraud"].items() if n})
        assert unfinished <= 3 + len(told), unfinished
        at = {record["payment_id"]: (topic, record) for topic, record, _, _ in self.sales}
        for t in self.truth["fraud"]:
            topic, record = at[t["payment_id"]]
            assert (topic, record["paid_at"]) == (t["topic"], ms_of(t["at"]))

    def check_sales(self):
        sums = defaultdict(lambda: [0, 0, 0, 0])
        for _, record, eur, late in self.sales:
            groups = [("all", ""), ("by_country", record["country"]), ("by_category", record["category"])]
            groups += [("by_method", record["method"])]
            groups += [("by_campaign", record["campaign_id"])] if record["campaign_id"] else []
            for group in groups:
                s = sums[group]
                s[0] += 1
                s[1] += eur
                s[2] += late
                s[3] += eur if late else 0
        told = {("all", ""): self.totals["sales"]}
        for by in ("by_country", "by_category", "by_method", "by_campaign"):
            told.update({(by, name): group for name, group in self.totals["sales"][by].items()})
        assert set(told) == set(sums) | {("all", "")}
        for group, (n, eur, late_n, late_eur) in sums.items():
            t = told[group]
            found = (n, cents_text(eur), late_n, cents_text(late_eur))
            assert (t["n"], t["total_eur"], t["late_n"], t["late_eur"]) == found, (group, found)
        self.check_campaigns({name: s for (by, name), s in sums.items() if by == "by_campaign"})

    def check_campaigns(self, sales):
        sums, seen = defaultdict(lambda: [0, 0, 0]), set()
        for _, _, _, _, record, _ in self.of(ADS):
            if record["event_id"] not in seen:
                seen.add(record["event_id"])
                s = sums[record["campaign_id"]]
                s[record["kind"] == "CLICK"] += 1
                s[2] += record["cost_eur"]
        assert set(self.totals["campaigns"]) == set(sums) | set(sales)
        for name, told in self.totals["campaigns"].items():
            impressions, clicks, spend = sums[name]
            n, eur, _, _ = sales.get(name, (0, 0, 0, 0))
            assert told == {
                "impressions": impressions, "clicks": clicks, "spend_eur": cents_text(spend, 4), "sales": n,
                "revenue_eur": cents_text(eur),
            }, (name, told)

    def check_customers(self):
        customers, last = {}, {}
        for topic, _, timestamp, key, r, _ in self.of(*(t for t in simlog.CONTRACTS if ".crm." in t or t.endswith("orders"))):
            at = r.get("updated_at") or r.get("decided_at") or r.get("placed_at")
            assert at > last.get(key, 0), "the events of a customer have an order"
            quiet = at - last.get(key, at)
            last[key] = at
            new = {"orders": 0, "web_orders": 0, "spend": 0, "last_seen": None, "marketing_consent": None, "deleted": False}
            if topic.endswith("customers"):
                c = customers.setdefault(key, new)
                c.update(country=r["country"], segment=r["segment"])
                assert not c["deleted"]
                c["deleted"] = r["deleted"]
                assert not r["deleted"] or quiet > 10 * MINUTE_MS
                continue
            c = customers[key]
            assert not c["deleted"], "nothing is heard of a deleted customer"
            if topic.endswith("consents"):
                if r["purpose"] == "marketing":
                    c["marketing_consent"] = r["granted"]
            else:
                c["orders"] += 1
                c["web_orders"] += r["channel"] == "WEB"
                c["spend"] += r["amount_eur"]
                c["last_seen"] = r["placed_at"]
        assert self.totals["deleted_customers"] == sum(c["deleted"] for c in customers.values())
        found = {}
        for key, c in customers.items():
            if not c.pop("deleted"):
                found[key] = dict(c, spend_eur=cents_text(c.pop("spend")))
        told = self.totals["customers"]
        for t in told.values():
            t["last_seen"] = None if t["last_seen"] is None else ms_of(t["last_seen"])
        assert found == told

    def check_stock(self):
        products = {r["product_id"]: r for _, _, _, _, r, _ in self.of("omnishop.stock.products")}
        shelves, low, last, n_low = {}, {}, {}, 0
        for topic, _, _, _, r, _ in self.of("omnishop.stock.movements", "omnishop.stock.counts"):
            shelf, movement = (r["product_id"], r["store_id"]), topic.endswith("movements")
            at = r["moved_at"] if movement else r["counted_at"]
            before, was_movement = last.get(shelf, (0, movement))
            assert at - before >= (1 if was_movement == movement else 5000)
            last[shelf] = (at, movement)
            shelves[shelf] = shelves.get(shelf, 0) + r["qty"] if movement else r["counted"]
            assert shelves[shelf] >= 0
            limit = products[shelf[0]]["reorder_point"]
            if not low.get(shelf) and shelves[shelf] <= limit:
                low[shelf] = True
                n_low += 1
            elif low.get(shelf) and shelves[shelf] > limit + 5:
                low[shelf] = False
        told = {(p, s): n for p, stores in self.totals["stock"].items() for s, n in stores.items()}
        assert told == shelves
        assert self.totals["low_stock"] == n_low

    def check(self):
        self.decode()
        self.check_places()
        self.check_malformed()
        self.check_late_and_duplicates()
        self.check_patterns()
        self.check_sales()
        self.check_customers()
        self.check_stock()
        print(f"ok {self.name}: {len(self.raw)} records, {({k: len(v) for k, v in sorted(self.truth.items())})}")


def shares(run):
    n = Counter(r[0] for r in run.raw[4000:])
    return {
        "payments": sum(n[t] for t in PAYMENTS), "ads": n[ADS], "orders": n["omnishop.sales.orders"],
        "stock": n["omnishop.stock.movements"] + n["omnishop.stock.counts"],
        "customers": n["omnishop.crm.customers"] + n["omnishop.crm.consents"],
    }


def main():
    with tempfile.TemporaryDirectory() as folder:
        run = Run("defaults", folder, "--start", "2026-11-21T08:00:00Z", "--events", "60000")
        run.check()
        all_ = sum(shares(run).values())
        for (name, n), percent in zip(shares(run).items(), (60, 20, 8, 8, 4)):
            assert abs(n / all_ * 100 - percent) < 2, (name, n)
        prices = sorted(eur for _, _, eur, _ in run.sales)
        assert sum(500 <= p <= 15000 for p in prices) > 0.75 * len(prices), "most cost 5 to 150"
        assert {r["currency"] for _, r, _, _ in run.sales} >= {"EUR", "GBP", "USD", "CHF", "PLN", "SEK"}
        one = Run("one event", folder, "--start", "2026-11-21T08:00:00Z", "--events", "1")
        assert run.totals["records"] - 60000 == one.totals["records"] - 1, "master data does not count"

        run = Run("many faults", folder, "--start", "2026-03-07T23:50:00Z", "--events", "60000", "--seed", "7", "--density", "30",
                  "--fraud", "0.01", "--duplicates", "0.1", "--late", "0.05", "--malformed", "0.05", "--partitions", "7",
                  binary=True)
        run.check()
        assert all(n > 100 for n in run.totals["injected"]["malformed"].values())
        assert all(n > 50 for n in run.totals["injected"]["fraud"].values())
        assert len(run.truth["late"]) > 1000 and len(run.truth["duplicate"]) > 1000

        run = Run("no faults", folder, "--start", "2026-11-21T17:30:00Z", "--events", "20000", "--fraud", "0", "--duplicates", "0",
                  "--late", "0", "--malformed", "0", "--partitions", "1")
        run.check()
        assert not any(run.truth.values())

        run = Run("three quiet days", folder, "--start", "2026-11-20T00:00:00Z", "--events", "30000", "--density", "0.1",
                  "--fraud", "0.01")
        run.check()
        assert ms_of(run.totals["last_at"]) - ms_of(run.totals["first_at"]) > 2 * 86400000
        hours = Counter(at // 3600000 % 24 for at in (r["paid_at"] for _, r, _, late in run.sales if not late))
        assert hours[17] > 5 * hours[3], "people sleep at night"

        run = Run("dense", folder, "--start", "2026-11-21T17:30:00Z", "--events", "60000", "--density", "100000")
        run.check()

        for domain, n in (("customer", 3), ("product_stock", 3), ("sales_fraud", 3), ("marketing", 1)):
            run = Run(domain, folder, "--start", "2026-11-21T08:00:00Z", "--events", "5000", "--domain", domain)
            run.check()
            assert len(run.totals["topics"]) == n, run.totals["topics"]


main()
