"""Consent and erasure over four real services: a person is erased everywhere, byte by byte, with a service killed on the way.

    erase.py BUILD embedded|kafka

With a MongoDB-compatible server its documents are looked at too; without one they are left out, and it says so.
"""
import csv
import io
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import ROOT, Checks, Mesh, pseudonym, wait_until  # noqa: E402

T0 = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
WHO, CARD, MAIL = "cus-erased-77", "card-erased-77", "erased-77@example.org"
STAYS, STAYS_CARD = "cus-stays-11", "card-stays-11"


def load(mesh, topic, contract, key, at, rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: v.strftime("%Y-%m-%d %H:%M:%S") if isinstance(v, datetime) else v for k, v in row.items()})
    subprocess.run([os.path.join(mesh.build, "tests", "mesh-load"), "--brokers", mesh.brokers, "--topic", topic, "--key", key, "--time", at,
                    "--contract", os.path.join(ROOT, "contracts", contract), "--partitions", str(mesh.partitions(topic))],
                   input=out.getvalue(), text=True, check=True, stdout=subprocess.DEVNULL)


def people(mesh):
    ids = [WHO, STAYS] + ["cus-%04d" % i for i in range(60)]
    load(mesh, "omnishop.crm.customers", "customer/customer_record.v1.avsc", "customer_id", "updated_at",
         [{"customer_id": c, "email": MAIL if c == WHO else c + "@example.org", "country": "DE", "segment": "A", "deleted": "false",
           "updated_at": T0} for c in ids])
    load(mesh, "omnishop.crm.consents", "customer/consent.v1.avsc", "customer_id", "decided_at",
         [{"customer_id": c, "purpose": "marketing", "granted": "true", "decided_at": T0 + timedelta(minutes=1)} for c in (WHO, STAYS)])
    load(mesh, "omnishop.sales.orders", "customer/order.v1.avsc", "customer_id", "placed_at",
         [{"order_id": "o%d" % i, "customer_id": ids[i % len(ids)], "channel": "WEB", "amount_eur": "10.00",
           "placed_at": T0 + timedelta(minutes=2, seconds=i)} for i in range(300)])
    load(mesh, "omnishop.finance.rates", "finance/rate.v1.avsc", "currency", "valid_from",
         [{"currency": "EUR", "valid_from": T0 - timedelta(days=1), "eur": "1.000000"}])
    cards = [CARD, STAYS_CARD] + ["card-%04d" % i for i in range(60)]
    load(mesh, "omnishop.sales.card-payments", "sales_fraud/payment.v1.avsc", "card_id", "paid_at",
         [{"payment_id": "p%d" % i, "card_id": cards[i % len(cards)], "terminal_id": "t%d" % (i % 7), "channel": "WEB", "method": "CREDIT",
           "country": "DE", "category": "toys", "amount": "12.50", "currency": "EUR", "campaign_id": "c1" if i % 2 else "",
           "paid_at": T0 + timedelta(minutes=3, seconds=i)} for i in range(300)])


def ctl(mesh, *args):
    return subprocess.run([mesh.bin("meshctl"), "erase", "--mesh", ROOT, "--brokers", mesh.brokers] + list(args), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=150)


def lookup(service, path, key):
    status, body, _ = service.request(path + "/lookup", "POST", {"Content-Type": "application/json"}, json.dumps({"key": key}))
    return json.loads(body) if status == 200 else status


def folders_show(mesh, text):
    found = []
    for service in mesh.services.values():
        for folder, _, files in os.walk(service.state):
            for name in files:
                with open(os.path.join(folder, name), "rb") as f:
                    if text.encode() in f.read():
                        found.append(os.path.join(folder, name))
    return found


def newest(mesh, topic):
    """The newest value of each key, as compaction leaves it."""
    last = {}
    for record in mesh.records("dump", topic, mesh.partitions(topic)):
        last[record["key"]] = record["value"] or None
    return last


def documents(mesh, collection):
    result = subprocess.run([os.path.join(mesh.build, "tests", "mongo-dump"), mesh.env["MESH_MONGO_URI"], "mesh", collection],
                            stdout=subprocess.PIPE, check=True, text=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def consent(mesh, checks):
    customer = mesh.services["customer"]
    checks.equal("address of who agreed", lookup(customer, "/contacts", WHO)["email"], MAIL)
    checks.equal("address of who was never asked", lookup(customer, "/contacts", "cus-0001")["email"], None)
    checks.equal("nobody else is in the topic", len(newest(mesh, "omnishop.customer.contacts")), 2)
    checks.equal("denied is counted", customer.metric("mesh_denied_total", port="contact", purpose="marketing") >= 1, True)
    load(mesh, "omnishop.crm.consents", "customer/consent.v1.avsc", "customer_id", "decided_at",
         [{"customer_id": STAYS, "purpose": "marketing", "granted": "false", "decided_at": T0 + timedelta(minutes=9)}])
    wait_until("a withdrawal is seen", lambda: lookup(customer, "/contacts", STAYS)["email"] is None, 30)
    mesh.wait_caught_up()
    left = {k: v for k, v in newest(mesh, "omnishop.customer.contacts").items() if v is not None}
    checks.equal("and takes the record back", len(left), 1)


def main():
    kind = sys.argv[2]
    with Mesh(sys.argv[1], kind) as mesh:
        checks = Checks()
        mongo = os.path.join(mesh.dir, "mongo")
        started = mesh.script("mongo.sh", "start", mongo, check=False)
        has_mongo = started.returncode == 0
        if has_mongo:
            mesh.env["MESH_MONGO_URI"] = mesh.script("mongo.sh", "uri", mongo).stdout.strip()
        else:
            print("without documents: " + started.stdout.strip())
        try:
            mesh.start()
            people(mesh)
            customer, sales = mesh.services["customer"], mesh.services["sales_fraud"]
            wait_until("orders are counted", lambda: lookup(customer, "/customers", WHO) != 404, 60)
            mesh.wait_caught_up()
            consent(mesh, checks)
            for text in (WHO, CARD, MAIL):
                checks.equal(text + " is there before", len(folders_show(mesh, text)) > 0, True)
            checks.equal("the card has a row", lookup(sales, "/cards", CARD) != 404, True)

            said = ctl(mesh, "customer", WHO)
            checks.equal("erase customer: exit of\n" + said.stdout, said.returncode, 0)
            checks.equal("all three products answer", sum(line.startswith(("customer/", "marketing/", "sales_fraud/"))
                                                          for line in said.stdout.splitlines()), 3)
            # One service is away: its receipt is missing, until it is back.
            sales.kill()
            said = ctl(mesh, "customer", CARD, "--request", "card", "--timeout", "8")
            checks.equal("without one service: exit of\n" + said.stdout, said.returncode, 1)
            checks.equal("and it is named", "sales_fraud/sales_fraud" in said.stdout and "no answer" in said.stdout, True)
            sales.start()
            said = ctl(mesh, "customer", CARD, "--request", "card again")
            checks.equal("with it: exit of\n" + said.stdout, said.returncode, 0)
            mesh.wait_caught_up()

            checks.equal("no profile", lookup(customer, "/customers", WHO), 404)
            checks.equal("no address", lookup(customer, "/contacts", WHO), 404)
            checks.equal("no card", lookup(sales, "/cards", CARD), 404)
            checks.equal("others stay", lookup(customer, "/customers", STAYS)["orders"] > 0, True)
            checks.equal("and their cards", lookup(sales, "/cards", STAYS_CARD) != 404, True)
            for text in (WHO, CARD, MAIL):
                checks.equal("state folders hold " + text, folders_show(mesh, text), [])
            for topic, who in (("omnishop.customer.profiles", WHO), ("omnishop.customer.contacts", WHO)):
                last = newest(mesh, topic)
                key = [k for k in last if pseudonym("customer", who) in (k, bytes.fromhex(k).decode(errors="replace"))]
                checks.equal(topic + " knew the person", len(key), 1)
                checks.equal(topic + " has taken it back", last[key[0]], None)
            if has_mongo:
                for collection in ("profiles", "contacts", "visits"):
                    rows = [d for d in documents(mesh, collection) if not d.get("deleted")]
                    checks.equal(collection + " has others", len(rows) > 0, collection != "contacts")
                    checks.equal(collection + " has not the person", [d for d in rows if pseudonym("customer", WHO) in json.dumps(d)], [])
                    checks.equal(collection + " has no byte of it", any(t in json.dumps(documents(mesh, collection)) for t in (WHO, MAIL)), False)

            # What is left says verify: the sources, and topics that keep what was sent.
            states = [a for s in mesh.services.values() for a in ("--state", s.state)]
            said = ctl(mesh, "--verify", WHO, MAIL, CARD, *states)
            lines = said.stdout.splitlines()
            checks.equal("verify names a source", any("omnishop.crm.customers" in x and "a source" in x for x in lines), True)
            checks.equal("and no folder in\n" + said.stdout, [x for x in lines if x.startswith("file")], [])
            ours = {x.split()[1] for x in lines if x.startswith("topic") and "a source" not in x and "requests themselves" not in x}
            print("topics that keep bytes until their retention: %s" % sorted(ours))
            checks.equal("ports are free of the raw text, but for the released address", ours - {"omnishop.customer.contacts"},
                         {t for t in ours if t.startswith("mesh.")})
            checks.equal("exit of verify", said.returncode, 1 if ours else 0)
            checks.equal("nobody else is missing", ctl(mesh, "--verify", "nobody-at-all", *states).returncode, 0)

            # It does not come back with a restart, nor when the topics are read again by a record from before.
            customer.kill()
            customer.start()
            load(mesh, "omnishop.sales.orders", "customer/order.v1.avsc", "customer_id", "placed_at",
                 [{"order_id": "again", "customer_id": WHO, "channel": "WEB", "amount_eur": "1.00", "placed_at": T0 + timedelta(minutes=20)}])
            wait_until("the old order is dropped", lambda: customer.metric("mesh_erased_records_total") >= 1, 30)
            checks.equal("still no profile", lookup(customer, "/customers", WHO), 404)
            checks.end(at_least=30)
        finally:
            mesh.stop()
            if has_mongo:
                mesh.script("mongo.sh", "stop", mongo, check=False)


if __name__ == "__main__":
    main()
