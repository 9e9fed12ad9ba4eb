"""Dead letters, as an operator meets them: payments in a currency that nobody published a rate for.

    dlq.py BUILD embedded|kafka

They are listed, looked at, the rate is published, they are replayed (killed in the middle, and again), and the figures are what an
independent sum says they would have been. What cannot be mended fails again, is refused by name, or is discarded.
"""
import csv
import io
import json
import os
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import ROOT, Checks, Mesh, free_port, wait_until  # noqa: E402

CARD, SHOP, RATES = "omnishop.sales.card-payments", "omnishop.sales.shop-payments", "omnishop.finance.rates"
DLQ, RETRY, LATE = "mesh.sales_fraud.dlq", "mesh.sales_fraud.retry", "mesh.sales_fraud.late"
T0 = datetime.now(timezone.utc).replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=1)
RATE = {"EUR": Decimal("1.000000"), "USD": Decimal("0.500000"), "XAU": Decimal("2.000000")}
JOIN = "streams.clean join rates"
FIELDS = "payment_id card_id terminal_id channel method country category amount currency campaign_id paid_at".split()


def payments():
    rng = random.Random(11)
    times = [timedelta(minutes=-20), timedelta(minutes=-20, seconds=1)] + [timedelta(seconds=rng.randrange(300)) for _ in range(600)]
    rows = []
    for i, at in enumerate(sorted(times)):
        currency = "XAU" if at < timedelta(0) else rng.choice(["EUR", "EUR", "USD", "XAU"])
        rows.append({"payment_id": "p%d" % i, "card_id": "c%d" % rng.randrange(80), "terminal_id": "t%d" % rng.randrange(9),
                     "channel": rng.choice(["WEB", "SHOP"]), "method": rng.choice(["CREDIT", "DEBIT", "WALLET"]),
                     "country": rng.choice(["DE", "FR", "IT"]), "category": rng.choice(["food", "toys"]),
                     "amount": str(Decimal(2 * rng.randrange(1, 5000)) / 100), "currency": currency, "campaign_id": "", "paid_at": T0 + at})
    return rows


def load(mesh, topic, contract, key, at, rows, partitions):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: v.strftime("%Y-%m-%d %H:%M:%S") if isinstance(v, datetime) else v for k, v in row.items()})
    subprocess.run([os.path.join(mesh.build, "tests", "mesh-load"), "--brokers", mesh.brokers, "--topic", topic, "--key", key, "--time", at,
                    "--contract", os.path.join(ROOT, "contracts", contract), "--partitions", str(partitions)],
                   input=out.getvalue(), text=True, check=True, stdout=subprocess.DEVNULL)


def publish(mesh, currency):
    load(mesh, RATES, "finance/rate.v1.avsc", "currency", "valid_from",
         [{"currency": currency, "valid_from": T0 - timedelta(days=1), "eur": str(RATE[currency])}], 1)


class Ctl:
    def __init__(self, mesh):
        self.mesh, self.said, self.errors = mesh, "", ""

    def start(self, *args):
        env = dict(os.environ, MESH_KAFKA_BROKERS=self.mesh.brokers)
        return subprocess.Popen([self.mesh.bin("meshctl"), "dlq"] + list(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=env, cwd=ROOT)

    def run(self, *args):
        process = self.start(*args)
        self.said, self.errors = process.communicate(timeout=60)
        return process.returncode

    def list(self, *args):
        code = self.run("list", "sales_fraud", "--format", "json", *args)
        if code not in (0, 1):
            raise AssertionError("list: %d %s" % (code, self.errors))
        answer = json.loads(self.said)
        assert answer["matched"] == sum(answer["codes"].values())
        return answer


def figures(service, path, key):
    """{(key, window): (n, total)}"""
    return {(row[key], row["window_start"]): (row["n"], Decimal(row["total_eur"])) for row in service.rows(path)}


def sums(rows, key, window):
    result = {}
    for row in rows:
        start = row["paid_at"].replace(second=0) if window == "1m" else row["paid_at"].replace(hour=0, minute=0, second=0)
        at = (row[key], start.strftime("%Y-%m-%dT%H:%M:%SZ"))
        n, total = result.get(at, (0, Decimal(0)))
        result[at] = (n + 1, total + Decimal(row["amount"]) * RATE[row["currency"]])
    return result


def compare(checks, when, service, minute_rows, day_rows):
    for key in ("country", "category", "method"):
        for path, rows, window in (("/sales/by-" + key, minute_rows, "1m"), ("/sales/daily/by-" + key, day_rows, "1d")):
            have, want = figures(service, path, key), sums(rows, key, window)
            checks.equal("%s: %s windows" % (when, path), sorted(have), sorted(want))
            for at, value in want.items():
                checks.equal("%s: %s %s" % (when, path, at), have.get(at), value)


def settle(mesh, day_rows):
    service = mesh.services["sales_fraud"]
    wait_until("%d payments are counted" % len(day_rows), lambda: sum(r["n"] for r in service.rows("/sales/daily/by-country")) >= len(day_rows))
    mesh.wait_caught_up()


def check_list(checks, ctl, missing):
    letters = ctl.list("--limit", "0")
    checks.equal("letters by code", letters["codes"], {"join.missing": len(missing), "schema.unknown": 1})
    joins = [x for x in letters["letters"] if x["code"] == "join.missing"]
    want = sorted((SHOP if row["channel"] == "SHOP" else CARD, row["paid_at"].strftime("%Y-%m-%dT%H:%M:%SZ")) for row in missing)
    checks.equal("where and when they were", sorted((x["topic"], x["time"]) for x in joins), want)
    checks.equal("where they failed", {(x["stage"], x["site"].split(":")[0], x["attempt"], x["state"]) for x in joins},
                 {(JOIN, "domains/sales_fraud/product.yaml", 1, "open")})
    checks.equal("ids are unique", len({x["id"] for x in letters["letters"]}), len(missing) + 1)
    shop = sum(row["channel"] == "SHOP" for row in missing)
    early = sum(row["paid_at"] < T0 for row in missing)
    cut = (T0 + timedelta(seconds=100)).strftime("%Y-%m-%dT%H:%M:%SZ")
    old = sum(row["paid_at"] < T0 + timedelta(seconds=100) for row in missing)
    for args, n in ((["--code", "schema.unknown"], 1), (["--code", "join.missing", "--input", SHOP], shop), (["--stage", JOIN], len(missing)),
                    (["--until", T0.strftime("%Y-%m-%dT%H:%M:%SZ")], early), (["--until", cut, "--stage", JOIN], old),
                    (["--since", cut, "--stage", JOIN], len(missing) - old), (["--since", "1m"], 0), (["--code", "nothing.like.it"], 0)):
        checks.equal("list " + " ".join(args), ctl.list(*args)["matched"], n)
    checks.equal("list of nothing ends with", ctl.run("list", "sales_fraud", "--code", "nothing.like.it"), 1)
    checks.equal("list ends with", ctl.run("list", "sales_fraud", "--limit", "5"), 0)
    lines = ctl.said.splitlines()
    checks.equal("lines of a list of 5", len(lines), 7)
    checks.equal("its last line", lines[-1], "%s: %d open letters: join.missing %d, schema.unknown 1; the first 5 are shown (--limit 0: all)"
                 % (DLQ, len(missing) + 1, len(missing)))
    return joins, next(x for x in letters["letters"] if x["code"] == "schema.unknown")


def check_show(checks, ctl, joins, garbage, rows):
    letter = joins[0]
    checks.equal("show ends with", ctl.run("show", "sales_fraud", letter["id"]), 0)
    hidden = ctl.said
    checks.equal("show: the currency stands there", '"currency": "XAU"' in hidden, True)
    checks.equal("show: the card is hidden", '"card_id": "(personal)"' in hidden, True)
    checks.equal("show --clear ends with", ctl.run("show", "sales_fraud", letter["id"], "--clear"), 0)
    line = next(x for x in ctl.said.splitlines() if x.startswith("{"))
    shown = json.loads(line)
    row = next(r for r in rows if r["payment_id"] == shown["payment_id"])
    for field in ("card_id", "country", "currency", "method", "amount"):
        have = Decimal(shown[field]) if field == "amount" else shown[field]
        checks.equal("show --clear " + field, have, Decimal(row[field]) if field == "amount" else row[field])
    for secret in (row["card_id"], row["card_id"].encode().hex(" ")):
        checks.equal("clear has it, otherwise it is nowhere: " + secret, (secret in ctl.said, secret in hidden), (True, False))
    checks.equal("show of garbage ends with", ctl.run("show", "sales_fraud", garbage["id"]), 0)
    checks.equal("show says why it is not decoded", "no contract below contracts has id 3735928559" in ctl.said, True)
    checks.equal("nor are its bytes shown", "01 02" in ctl.said, False)
    ctl.run("show", "sales_fraud", garbage["id"], "--clear")
    checks.equal("with --clear they are", "00 de ad be ef 01 02" in ctl.said, True)
    checks.equal("show of a letter that is not there", ctl.run("show", "sales_fraud", "0:99999"), 1)


def check_usage(checks, ctl):
    for args, code, says in ((["list"], 2, "Name the product"), (["list", "nobody"], 2, "no topic mesh.nobody.dlq"),
                             (["list", "sales_fraud", "--reason", "x"], 2, "does not take"), (["list", "sales_fraud", "--since", "soon"], 2, "soon"),
                             (["replay", "sales_fraud", "0:x", "--yes"], 2, "0:x"), (["discard", "sales_fraud", "--yes"], 2, "--reason"),
                             (["discard", "sales_fraud", "--clear", "--reason", "x"], 2, "does not take"), (["show", "sales_fraud"], 2, "one letter"),
                             (["replay", "sales_fraud"], 2, "--yes"), (["forget", "sales_fraud"], 2, "no such command"),
                             (["list", "sales_fraud", "--frob"], 2, "--frob"),
                             (["list", "sales_fraud", "--brokers", "127.0.0.1:%d" % free_port(), "--timeout", "1s"], 2, "is the broker up")):
        checks.equal(" ".join(args) + " ends with", ctl.run(*args), code)
        checks.equal(" ".join(args) + " says " + says, says in ctl.errors, True)


def plant(mesh, record, **more):
    """A letter that no test could bring about quickly: its like exists, with other headers."""
    headers = {"topic": record["topic"], "partition": record["partition"], "offset": record["offset"], "stage": "streams.clean where",
               "code": "expr.null", "time": int(T0.timestamp()) * 1000000}
    headers.update(more)
    mesh.records("put", DLQ, 0, "k", "0001", 0, *["__mesh.errors.%s=%s" % pair for pair in headers.items()])


def check_returns(checks, mesh):
    """Every return is the record itself: key, value and timestamp as they lie in the topic it came from."""
    sources = {(topic, r["partition"], r["offset"]): r for topic in (CARD, SHOP) for r in mesh.records("dump", topic, 4)}
    returns = mesh.records("dump", RETRY, 1)
    for r in returns:
        names = r["names"]
        record = sources.get((names["__mesh.retry.topic"], int(names["__mesh.retry.partition"]), int(names["__mesh.retry.offset"])), {})
        for part in ("key", "value", "time"):
            checks.equal("return %d: %s" % (r["offset"], part), r[part], record.get(part))
        checks.equal("return %d: other headers" % r["offset"], [n for n, _ in r["headers"] if not n.startswith("__mesh.retry.")],
                     [n for n, _ in record.get("headers", [])])
    return returns


def kill_a_replay(mesh, ctl, when):
    """A replay that gets SIGKILL once when() holds. Returns how many letters of its code are open."""
    process = ctl.start("replay", "sales_fraud", "--code", "join.missing", "--rate", "40/s", "--yes")
    wait_until("the moment for SIGKILL", lambda: process.poll() is not None or when())
    assert process.poll() is None, "the replay ended: %s" % process.communicate()[1]
    process.kill()
    process.communicate()
    return ctl.list("--code", "join.missing")["matched"]


def kill_replays(mesh, ctl, n):
    """One as soon as anything was sent, perhaps nothing of it marked; one when some letters are marked. Returns how many are open."""
    left = kill_a_replay(mesh, ctl, lambda: len(mesh.records("dump", RETRY, 1)) > 1)
    goal = left - 5
    left = kill_a_replay(mesh, ctl, lambda: ctl.list("--code", "join.missing")["matched"] <= goal)
    assert 0 < left <= goal < n, "%d of %d letters are open after the kills" % (left, n)
    return left


def main():
    build, broker = sys.argv[1], sys.argv[2]
    rows = payments()
    missing = [row for row in rows if row["currency"] == "XAU"]
    with Mesh(build, broker, services=["sales_fraud"]) as mesh:
        mesh.start()
        checks, ctl, service = Checks(), Ctl(mesh), mesh.services["sales_fraud"]
        checks.equal("no letters yet", (ctl.run("list", "sales_fraud"), ctl.errors), (1, ""))
        for currency in ("EUR", "USD"):
            publish(mesh, currency)
        twice = missing[10]  # the provider sends it again; dedupe drops the second
        sent = [row for r in rows for row in ([r, r] if r is twice else [r])]
        for topic, channel in ((CARD, "WEB"), (SHOP, "SHOP")):
            load(mesh, topic, "sales_fraud/payment.v1.avsc", "card_id", "paid_at", [r for r in sent if r["channel"] == channel], 4)
        mesh.records("put", SHOP, 0, "c1", "00deadbeef0102", int(T0.timestamp()) * 1000, "trace=abc")
        wait_until("all letters are there", lambda: ctl.list()["matched"] >= len(missing) + 1)
        mesh.wait_caught_up()
        good = [row for row in rows if row["currency"] != "XAU"]
        compare(checks, "before", service, good, good)
        joins, garbage = check_list(checks, ctl, missing)
        check_show(checks, ctl, joins, garbage, rows)
        check_usage(checks, ctl)

        # replayed before the cause is mended: it fails again, with the next attempt
        checks.equal("replay of one", ctl.run("replay", "sales_fraud", joins[0]["id"], "--yes"), 0)
        wait_until("it is a letter again", lambda: ctl.list("--code", "join.missing")["matched"] == len(missing))
        again = [x for x in ctl.list("--code", "join.missing", "--limit", "0")["letters"] if x["attempt"] == 2]
        checks.equal("attempt 2", [(x["topic"], x["partition"], x["offset"]) for x in again],
                     [(joins[0]["topic"], joins[0]["partition"], joins[0]["offset"])])

        publish(mesh, "XAU")
        mesh.wait_caught_up()
        before = [mesh.records("dump", topic, 1) for topic in (DLQ, RETRY)]
        checks.equal("dry run ends with", ctl.run("replay", "sales_fraud", "--code", "join.missing", "--dry-run"), 0)
        checks.equal("dry run says", "%d letters would be replayed (join.missing %d)" % (len(missing), len(missing)) in ctl.said, True)
        checks.equal("dry run of discard", ctl.run("discard", "sales_fraud", "--dry-run"), 0)
        checks.equal("dry runs change nothing", [mesh.records("dump", topic, 1) for topic in (DLQ, RETRY)], before)

        left = kill_replays(mesh, ctl, len(missing))
        checks.equal("replay ends with", ctl.run("replay", "sales_fraud", "--code", "join.missing", "--yes"), 0)
        checks.equal("replay says", ctl.said.strip(), "%s: %d of %d letters replayed" % (DLQ, left, left))
        checks.equal("none is left", ctl.list("--code", "join.missing")["matched"], 0)
        checks.equal("nothing more to replay", ctl.run("replay", "sales_fraud", "--code", "join.missing", "--yes"), 1)
        settle(mesh, rows)
        on_time = [row for row in rows if row["paid_at"] >= T0]  # the minutes of the others had closed
        compare(checks, "after", service, on_time, rows)
        closed = len(rows) - len(on_time)
        checks.equal("late records", len(mesh.records("dump", LATE, 1)), closed)
        checks.equal("dropped as duplicate: the one that the provider sent twice", service.metric("mesh_duplicates_total", step="streams.clean dedupe"), 1)

        # everything again, also what was replayed: the service knows it
        n = len(check_returns(checks, mesh))
        checks.equal("replay --all ends with", ctl.run("replay", "sales_fraud", "--code", "join.missing", "--all", "--yes"), 0)
        returns = check_returns(checks, mesh)
        checks.equal("they were sent again", len(returns) - n, len(missing) + 1)
        checks.equal("each record came back", len({(r["names"]["__mesh.retry.topic"], r["names"]["__mesh.retry.partition"], r["names"]["__mesh.retry.offset"])
                                                   for r in returns}), len(missing))
        mesh.wait_caught_up()
        compare(checks, "again", service, on_time, rows)
        service.kill()
        service.start()
        mesh.wait_caught_up()
        compare(checks, "after a kill", service, on_time, rows)

        # what cannot be mended
        checks.equal("replay of garbage", ctl.run("replay", "sales_fraud", garbage["id"], "--yes"), 0)
        wait_until("it fails again", lambda: ctl.list()["matched"] == 1)
        failed = ctl.list()["letters"][0]
        checks.equal("as attempt 2", (failed["code"], failed["attempt"], failed["offset"], failed["bytes"]), ("schema.unknown", 2, garbage["offset"], 7))
        last = [r for r in mesh.records("dump", DLQ, 1) if "__mesh.errors.code" in r["names"]][-1]
        checks.equal("with the record's own header", last["names"].get("trace"), "abc")
        plant(mesh, garbage, cut=2000000)
        plant(mesh, garbage, topic="omnishop.gone")
        plant(mesh, garbage, partition=7)
        plant(mesh, garbage, sealed="1", stage="streams.clean set")
        checks.equal("replay of all five ends with", ctl.run("replay", "sales_fraud", "--yes"), 1)
        for why in ("2 of 2000000 bytes are left", "its topic omnishop.gone is gone", "its partition 7 of " + SHOP, "does not know"):
            checks.equal("refused by name: " + why, sum("refused: letter 0:" in x and why in x for x in ctl.errors.splitlines()), 1)
        checks.equal("one was sent", ctl.said.strip(), DLQ + ": 1 of 1 letters replayed")
        wait_until("attempt 3", lambda: any(x["attempt"] == 3 for x in ctl.list()["letters"]))
        unknown = next(x["id"] for x in ctl.list("--stage", "streams.clean set")["letters"])
        ctl.run("show", "sales_fraud", unknown)
        checks.equal("show names what is not understood", "not understood: header __mesh.errors.sealed" in ctl.said, True)

        checks.equal("discard ends with", ctl.run("discard", "sales_fraud", "--code", "schema.unknown", "--reason", "a test's", "--yes"), 0)
        checks.equal("the others stay", ctl.list()["codes"], {"expr.null": 4})
        checks.equal("discard of the rest", ctl.run("discard", "sales_fraud", "--reason", "a test's", "--yes"), 0)
        checks.equal("discarded letters are hidden", ctl.list()["matched"], 0)
        states = [x["state"] for x in ctl.list("--all", "--limit", "0")["letters"]]
        checks.equal("but known", {s: states.count(s) for s in set(states)}, {"discarded": 5, "replayed": len(missing) + 1 + 2})
        mark = mesh.records("dump", DLQ, 1)[-1]["names"]
        checks.equal("marks say who and why", (mark["__mesh.letter.reason"], "@" in mark["__mesh.letter.by"]), ("a test's", True))

        # a row of a table that every task reads is one letter all the same
        mesh.records("put", RATES, 0, "XAG", "00deadbeef", 0)
        written = wait_until("it is refused", lambda: [
            r for r in mesh.records("dump", DLQ, 1) if r["names"].get("__mesh.errors.topic") == RATES])
        mesh.wait_caught_up()
        checks.equal("copies are one letter", (len(written), [x["topic"] for x in ctl.list()["letters"]]), (1, [RATES]))
        checks.equal("its replay", ctl.run("replay", "sales_fraud", "--input", RATES, "--yes"), 0)
        wait_until("it fails again", lambda: len([
            r for r in mesh.records("dump", DLQ, 1) if r["names"].get("__mesh.errors.topic") == RATES]) == 2)
        checks.equal("one letter again", [x["attempt"] for x in ctl.list()["letters"]], [2])
        mesh.wait_caught_up()
        compare(checks, "at the end", service, on_time, rows)
        checks.end(at_least=500)


main()
