"""Real input, exact answers: cards or retail, through a broker and a product declared in YAML (tests/real/mesh).

    real.py BUILD small                     needs no data: seeded payments, features recomputed here in the most obvious way
    real.py BUILD cards|retail DATA_FOLDER  through a real Kafka

small   3,000 payments of 40 customers at 15 terminals in 50 days, many in the same second; all features of all of them.
cards   431,773 payments; every one of the 28,873 expected rows of features must match: counts exactly, means and shares to 1e-9 relative.
retail  541,909 invoice lines; invoices, customers, quantity, revenue to the cent, and revenue by country, over HTTP.
"""
import csv
import datetime
import io
import os
import random
import struct
import subprocess
import sys
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import ROOT, Checks, Mesh, wait_until  # noqa: E402

MESH = os.path.join(ROOT, "tests", "real", "mesh")


def build_service(build, domain):
    """By a user's route: meshgen, then meson in the emitted folder."""
    gen, out = os.path.join(build, "real", "gen"), os.path.join(build, "real", "svc")
    subprocess.run([os.path.join(build, "bin", "meshgen"), "generate", "--mesh", MESH, "-o", gen], check=True, stdout=subprocess.DEVNULL)
    env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(build, "meson-uninstalled"))
    target = os.path.join(out, domain)
    if not os.path.exists(os.path.join(target, "build.ninja")):
        subprocess.run(["meson", "setup", target, os.path.join(gen, domain)], check=True, env=env, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", target], check=True, stdout=subprocess.DEVNULL)
    return out


def load(mesh, build, data, topic, contract, key, time):
    cat = subprocess.Popen(["zstdcat" if data.endswith(".zst") else "cat", data], stdout=subprocess.PIPE)
    tool = subprocess.run([os.path.join(build, "tests", "mesh-load"), "--brokers", mesh.brokers, "--topic", topic, "--contract",
                           os.path.join(MESH, "contracts", contract), "--key", key, "--time", time, "--partitions", "4"],
                          stdin=cat.stdout, stdout=subprocess.PIPE, check=True, text=True)
    cat.stdout.close()
    assert cat.wait() == 0
    return int(tool.stdout)


class Datum:
    """Just enough Avro to read the features' contract, written apart from the project's own decoder."""

    def __init__(self, data):
        self.data, self.at = data, 5

    def long(self):
        shift = value = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7

    def maybe_double(self):
        if self.long() == 0:
            return 0.0
        value = struct.unpack_from("<d", self.data, self.at)[0]
        self.at += 8
        return value


def records(mesh, topic):
    """Every value of a topic."""
    kcat = subprocess.run(["kcat", "-C", "-q", "-b", mesh.brokers, "-t", topic, "-o", "beginning", "-e", "-f", "%R%s"],
                          stdout=subprocess.PIPE, check=True).stdout
    at = 0
    while at < len(kcat):
        size = struct.unpack_from(">i", kcat, at)[0]
        yield kcat[at + 4:at + 4 + size]
        at += 4 + size


def features(mesh):
    """transaction id -> the 12 features, from the output topic."""
    found, repeated = {}, 0
    for value in records(mesh, "real.cards.features"):
        d = Datum(value)
        number = d.long()
        row = [d.long() for _ in range(3)] + [d.maybe_double() for _ in range(3)] + [d.long() for _ in range(3)] + [d.maybe_double() for _ in range(3)]
        assert d.at == len(d.data)
        repeated += number in found
        found[number] = row
    return found, repeated


def close(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def cards(build, data):
    gen = build_service(build, "cards")
    checks = Checks()
    with Mesh(build, "kafka", root=MESH, gen=gen, services=["cards"]) as mesh:
        mesh.start()
        sent = load(mesh, build, os.path.join(data, "card_transactions.csv.zst"), "real.cards.transactions", "cards/transaction.v1.avsc",
                    "customer_id", "tx_datetime")
        checks.equal("payments sent", sent, 431773)
        mesh.wait_caught_up()
        service = mesh.services["cards"]
        wait_until("every payment has its features", lambda: service.caught_up() and len(features(mesh)[0]) == sent, 60)
        found, repeated = features(mesh)
        checks.equal("features sent twice", repeated, 0)
        expected = subprocess.run(["zstdcat", os.path.join(data, "card_features_expected.csv.zst")], stdout=subprocess.PIPE, check=True).stdout
        rows = 0
        for row in csv.DictReader(io.StringIO(expected.decode())):
            have = found[int(row["transaction_id"])]
            days = ("1day", "7day", "30day")
            for i, day in enumerate(days):
                where = "payment %s, %s: " % (row["transaction_id"], day)
                checks.equal(where + "customer's payments", have[i], int(float(row["customer_id_nb_tx_%s_window" % day])))
                checks.equal(where + "customer's mean", close(have[3 + i], float(row["customer_id_avg_amount_%s_window" % day])), True)
                checks.equal(where + "terminal's payments", have[6 + i], int(float(row["terminal_id_nb_tx_%s_window" % day])))
                checks.equal(where + "terminal's fraud share", close(have[9 + i], float(row["terminal_id_risk_%s_window" % day])), True)
            rows += 1
        checks.equal("expected rows", rows, 28873)
    checks.end(at_least=28873 * 12)


WINDOWS_S = (86400, 7 * 86400, 30 * 86400)
DELAY_S = 7 * 86400


def naive_features(payments):
    """O(n^2): for each payment, look at all. Of one second, those that came first count as earlier (for the customer: same partition)."""
    result = {}
    for i, (number, t, customer, terminal, amount, _) in enumerate(payments):
        own = [p for p in payments[:i + 1] if p[2] == customer]
        place = [p for p in payments if p[3] == terminal]
        n, mean, count, risk = [], [], [], []
        for w in WINDOWS_S:
            inside = [p[4] for p in own if t - w < p[1] <= t]
            n.append(len(inside))
            mean.append(float(sum(inside) / len(inside)))
            marked = [p[5] for p in place if t - DELAY_S - w < p[1] <= t - DELAY_S]
            count.append(len(marked))
            risk.append(sum(marked) / len(marked) if marked else 0.0)
        result[number] = n + mean + count + risk
    return result


def small(build, _):
    rng = random.Random(20261121)
    start = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
    times = sorted(rng.randrange(50 * 86400 // 20) * 20 for _ in range(3000))  # in steps of 20 s: ties happen
    payments = [(i, t, rng.randrange(40), rng.randrange(15), Decimal(rng.randrange(100, 50000)) / 100, int(rng.random() < 0.05))
                for i, t in enumerate(times)]
    gen = build_service(build, "cards")
    checks = Checks()
    with Mesh(build, "embedded", root=MESH, gen=gen, services=["cards"]) as mesh:
        mesh.start()
        path = os.path.join(mesh.dir, "payments.csv")
        with open(path, "w") as f:
            f.write("transaction_id,tx_datetime,customer_id,terminal_id,tx_amount,tx_fraud\n")
            for number, t, customer, terminal, amount, fraud in payments:
                when = (start + datetime.timedelta(seconds=t)).strftime("%Y-%m-%d %H:%M:%S")
                f.write("%d,%s,%d,%d,%.2f,%d\n" % (number, when, customer, terminal, amount, fraud))
        checks.equal("payments sent", load(mesh, build, path, "real.cards.transactions", "cards/transaction.v1.avsc", "customer_id",
                                           "tx_datetime"), len(payments))
        wait_until("every payment has its features", lambda: mesh.services["cards"].caught_up() and len(features(mesh)[0]) == len(payments), 90)
        found, repeated = features(mesh)
        checks.equal("features sent twice", repeated, 0)
        for number, want in naive_features(payments).items():
            for i, (a, b) in enumerate(zip(found[number], want)):
                checks.equal("payment %d, feature %d" % (number, i), close(a, b), True)
    checks.end(at_least=3000 * 12)


def retail(build, data):
    gen = build_service(build, "retail")
    checks = Checks()
    path = os.path.join(data, "online_retail.csv.zst")
    with Mesh(build, "kafka", root=MESH, gen=gen, services=["retail"]) as mesh:
        mesh.start()
        sent = load(mesh, build, path, "real.retail.lines", "retail/line.v1.avsc", "InvoiceNo", "InvoiceDate")
        checks.equal("lines sent", sent, 541909)
        mesh.wait_caught_up()
        service = mesh.services["retail"]
        wait_until("every line is counted", lambda: sum(r["lines"] for r in service.rows("/by-country", windowed=False)) == sent, 60)
        checks.equal("invoices", service.get("/invoices?limit=1")["count"], 25900)
        checks.equal("customers", service.get("/customers?limit=1")["count"], 4372)
        rows = {r["Country"]: r for r in service.rows("/by-country", windowed=False)}
        checks.equal("quantity", sum(r["quantity"] for r in rows.values()), 5176450)
        checks.equal("revenue", sum(Decimal(r["revenue"]) for r in rows.values()).quantize(Decimal("0.01")), Decimal("9747747.93"))
        want = {}
        text = subprocess.run(["zstdcat", path], stdout=subprocess.PIPE, check=True).stdout.decode()
        for line in csv.DictReader(io.StringIO(text)):
            want[line["Country"]] = want.get(line["Country"], Decimal(0)) + Decimal(line["UnitPrice"]) * int(line["Quantity"])
        checks.equal("countries", sorted(rows), sorted(want))
        for country, revenue in want.items():
            checks.equal("revenue of " + country, Decimal(rows[country]["revenue"]), revenue)
    checks.end(at_least=40)


if __name__ == "__main__":
    {"small": small, "cards": cards, "retail": retail}[sys.argv[2]](os.path.abspath(sys.argv[1]), (sys.argv + [None])[3])
