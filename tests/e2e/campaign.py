"""A campaign of faults on real servers: the four products of the domains, chained, on Apache Kafka (and MongoDB when there is one), while
events come in. Which fault, to whom and when is drawn by seed; each must be seen to have landed, by what the victim itself says. In the
end the answers of all products are held against what mesh-sim says it sent, which knows nothing of the platform.

    campaign.py BUILD [--seed N] [--faults N] [--rate N] [--report FILE] [--instances N]

With --instances each product is shared by so many at first, their state in Kafka (shared.py): then they also join and leave.

The report is a table in Markdown (docs/RELIABILITY.md holds one). Exit status 1 when anything was lost, doubled or wrong."""
import argparse
import http.client
import json
import os
import random
import signal
import sys
import time
from decimal import Decimal

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mongo as documents  # noqa: E402
import shared  # noqa: E402
import truth as answers  # noqa: E402
from meshtest import Checks, Mesh, wait_until  # noqa: E402

SESSION_S = 6
WRONG = 2  # the exit code of a service that was told that another one goes on
FIRST_RECORDS = 3000  # before the first fault
KINDS = {"kill": 8, "stop": 3, "freeze": 3, "broker": 2, "mongo": 2, "rolling": 1}  # how often, in parts


class Counted(Checks):
    """Tells what was lost from what was doubled."""

    def __init__(self):
        super().__init__()
        self.lost, self.doubled, self.other = 0, 0, 0

    def equal(self, what, have, want):
        super().equal(what, have, want)
        if have == want:
            return
        numbers = all(isinstance(v, (int, float, Decimal)) and not isinstance(v, bool) for v in (have, want))
        if numbers and have < want or have is None:
            self.lost += 1
        elif numbers:
            self.doubled += 1
        else:
            self.other += 1


class Campaign:
    def __init__(self, mesh, rng, without):
        self.mesh, self.rng, self.without = mesh, rng, without
        self.landed, self.missed, self.ended = {}, {}, {}
        self.kinds = KINDS
        self.took = {}  # kind: seconds until it owned its work again
        self.idle_late = {}  # domain: corrections behind an idle close, of processes that are gone

    # ---- what can be seen of a service ----
    def said(self, service, text):
        with open(service.log, errors="replace") as f:
            return f.read().count(text)

    def up(self, service):
        """It owns its work. One that ended is started again, as a supervisor does."""
        if service.process.poll() is not None:
            code = service.process.returncode
            self.ended[code] = self.ended.get(code, 0) + 1
            service.start(wait=False)
        return self.asked(service, lambda s: s.status("/readyz") == 200 and s.get("/readyz")["products"][0].get("group") == "owner")

    def asked(self, service, question, otherwise=0):
        """Of a service that may be gone this moment."""
        try:
            return question(service)
        except (OSError, ValueError, AssertionError, http.client.HTTPException):
            return otherwise

    def position(self, service):
        return self.asked(service, lambda s: sum(max(source["position"], 0) for source in s.get("/readyz")["products"][0].get("sources", [])))

    def metric(self, service, name):
        return self.asked(service, lambda s: s.metric(name), -1)

    def note_late(self, service):
        """The order of inputs is promised while no record comes behind a close that an idle source allowed; a process takes its count along."""
        late = self.metric(service, "mesh_idle_late_total") + self.metric(service, "mesh_table_late_total")
        self.idle_late[service.domain] = self.idle_late.get(service.domain, 0) + max(int(late), 0)

    def recovered(self, kind, service, since):
        wait_until("%s owns its work again" % service.domain, lambda: self.up(service), 120)
        self.took.setdefault(kind, []).append(time.monotonic() - since)

    def count(self, kind, landed):
        where = self.landed if landed else self.missed
        where[kind] = where.get(kind, 0) + 1

    # ---- faults ----
    def kill(self, service):
        loaded = self.said(service, "state loaded")
        self.note_late(service)
        code = service.kill()
        since = time.monotonic()
        service.start(wait=False)
        self.recovered("kill", service, since)
        self.count("kill", code == -signal.SIGKILL and self.said(service, "state loaded") > loaded)

    def stop(self, service, kind="stop"):
        began = time.monotonic()
        self.note_late(service)
        code = service.kill(signal.SIGTERM)
        stopped_in = time.monotonic() - began
        since = time.monotonic()
        service.start(wait=False)
        self.recovered(kind, service, since)
        self.count(kind, code == 0 and stopped_in < 10)

    def rolling(self, service):
        for each in self.mesh.services.values():
            self.stop(each, "rolling")

    def freeze(self, service):
        before = self.said(service, "stood still")
        service.process.send_signal(signal.SIGSTOP)
        time.sleep(SESSION_S * self.rng.uniform(0.6, 1.8))  # the length of the freeze is the fault
        service.process.send_signal(signal.SIGCONT)
        since = time.monotonic()
        wait_until("it notices", lambda: service.process.poll() is not None or self.said(service, "stood still") > before, 30)
        self.recovered("freeze", service, since)
        self.count("freeze", True)

    def broker(self, service):
        folder = os.path.join(self.mesh.dir, "kafka")
        services = list(self.mesh.services.values())
        before = sum(self.said(s, "no broker can be reached") for s in services)
        self.mesh.script("kafka.sh", "kill", folder)
        wait_until("somebody notices", lambda: sum(self.said(s, "no broker can be reached") for s in services) > before, 60)
        time.sleep(self.rng.uniform(0, 4))
        self.mesh.script("kafka.sh", "restart", folder)
        since = time.monotonic()
        for each in services:
            wait_until("%s finds the broker" % each.domain, lambda s=each: self.up(s) and self.metric(s, "mesh_broker_up") == 1, 120)
        self.took.setdefault("broker", []).append(time.monotonic() - since)
        self.count("broker", True)

    def mongo_away(self, service):
        folder = os.path.join(self.mesh.dir, "mongo")
        writers = [s for s in self.mesh.services.values() if self.metric(s, "mesh_mongo_up") == 1]
        self.mesh.script("mongo.sh", "kill", folder)
        wait_until("somebody notices", lambda: any(self.metric(s, "mesh_mongo_up") == 0 for s in writers), 60)
        time.sleep(self.rng.uniform(0, 3))
        self.mesh.script("mongo.sh", "start", folder, self.mesh.env["MESH_MONGO_URI"].rsplit(":", 1)[1].split("/")[0])
        since = time.monotonic()
        for each in writers:
            wait_until("%s finds MongoDB" % each.domain, lambda s=each: self.up(s) and self.metric(s, "mesh_mongo_up") == 1, 120)
        self.took.setdefault("mongo", []).append(time.monotonic() - since)
        self.count("mongo", len(writers) > 0)

    def one(self):
        kinds = [k for k in self.kinds if k not in self.without]
        kind = self.rng.choices(kinds, [self.kinds[k] for k in kinds])[0]
        service = self.rng.choice(list(self.mesh.services.values()))
        before = self.position(service) if self.up(service) else 0
        getattr(self, "mongo_away" if kind == "mongo" else kind)(service)
        wait_until("%s works" % service.domain, lambda: self.up(service) and self.position(service) > before, 120)
        time.sleep(self.rng.uniform(0, 1.5))
        return kind, service.domain


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


def report(campaign, checks, seed, seconds, records):
    lines = ["| Fault | landed | not seen to land | owner again p50 | p99 |", "|---|---|---|---|---|"]
    for kind in campaign.kinds:
        took = campaign.took.get(kind)
        if took:
            lines.append("| %s | %d | %d | %.1f s | %.1f s |" % (kind, campaign.landed.get(kind, 0), campaign.missed.get(kind, 0),
                                                              percentile(took, 0.5), percentile(took, 0.99)))
    lines += ["", "seed %d: %d faults in %d s, %d records; %d values compared: %d lost, %d doubled, %d otherwise wrong; ended by themselves "
              "and started again: %s" % (seed, sum(campaign.landed.values()), seconds, records, checks.done, checks.lost, checks.doubled,
                                         checks.other, json.dumps(campaign.ended) if campaign.ended else "none"),
              "records behind an idle close: " + json.dumps(campaign.idle_late)]
    return "\n".join(lines)


def repeated_by_the_writer(mesh, sent):
    """Records that the input topics hold beside what mesh-sim says it sent, by topic: nothing the platform did can be seen here."""
    more = {}
    for topic, n in sent["topics"].items():
        found = mesh.records("dump", topic, mesh.partitions(topic))
        if len(found) != n:
            places = {}
            for record in found:
                places.setdefault((record["partition"], record["key"], record["value"], record["time"]), []).append(record["offset"])
            more[topic] = {"records": len(found), "sent": n, "twice": [[key[0], at] for key, at in places.items() if len(at) > 1]}
    return more


def compare(mesh, checks, sent, mongo):
    sales = mesh.services["sales_fraud"]
    mesh.wait_caught_up(300)
    wait_until("the last sales are counted", lambda: sum(r["n"] for r in sales.rows("/sales/daily/by-country")) >= sent["sales"]["n"], 60)
    mesh.wait_caught_up(300)
    answers.check_sales(checks, sales, sent)
    answers.check_faults(checks, mesh, sent, True)
    answers.check_customers(checks, mesh.services["customer"], sent)
    answers.check_stock(checks, mesh.services["product_stock"], sent)
    answers.check_campaigns(checks, mesh.services["marketing"], sent)
    if mongo:
        documents.compare_all(checks, mesh)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1500)
    parser.add_argument("--without", action="append", default=[], choices=list(KINDS), help="leave this kind of fault out")
    parser.add_argument("--report")
    parser.add_argument("--instances", type=int, default=0, help="of each product at first; 0: one, with its state in a folder")
    args = parser.parse_args()
    with Mesh(args.build, "kafka") as mesh:
        mesh.env["MESH_KAFKA_SESSION_TIMEOUT_MS"] = str(1000 * SESSION_S)
        folder = os.path.join(mesh.dir, "mongo")
        mongo = mesh.script("mongo.sh", "start", folder, check=False).returncode == 0
        if mongo:
            mesh.env["MESH_MONGO_URI"] = mesh.script("mongo.sh", "uri", folder).stdout.strip()
        try:
            if args.instances > 0:
                mesh.env["MESH_STATE"] = "kafka"
            mesh.start()
            path = os.path.join(mesh.dir, "truth")
            began = time.monotonic()
            sim = mesh.simulate("--seed", str(args.seed), "--start", answers.START, "--rate", str(args.rate), "--density", str(args.rate), "--truth",
                               path)  # event time passes about as fast as the clock
            without = args.without + ([] if mongo else ["mongo"])
            rng = random.Random(args.seed)
            campaign = Campaign(mesh, rng, without) if args.instances == 0 else shared.Shared(Campaign, mesh, rng, without, args.instances)
            sales = mesh.services["sales_fraud"]
            wait_until("some records", lambda: campaign.up(sales) and campaign.metric(sales, "mesh_records_total") > FIRST_RECORDS, 60)
            for n in range(args.faults):
                assert sim.poll() is None, "mesh-sim ended"
                print("%4d/%d %s: %s" % ((n + 1, args.faults) + campaign.one()), flush=True)
            sim.send_signal(signal.SIGINT)
            assert sim.wait(timeout=180) == 0, "mesh-sim failed"
            seconds = time.monotonic() - began
            with open(path) as f:
                sent = json.loads(f.readlines()[-1])
            if args.instances > 0:
                campaign.gather()  # whole lists are where all partitions are
            checks = Counted()
            checks.equal("services that ended otherwise than they should", [c for c in campaign.ended if c != WRONG], [])
            more = repeated_by_the_writer(mesh, sent)
            print("in the topics beside what was sent: %s" % json.dumps(more))
            for topic, found in more.items():
                if found["records"] < found["sent"]:
                    print("%s: the broker acknowledged %d records that it does not hold; answers about them cannot be what was sent"
                          % (topic, found["sent"] - found["records"]))
            compare(mesh, checks, sent, mongo)
            for service in mesh.services.values():
                campaign.note_late(service)
        finally:
            if args.instances > 0:
                campaign.stop()
            if mongo:
                mesh.script("mongo.sh", "stop", folder, check=False)
        text = report(campaign, checks, args.seed, seconds, sent["records"])
        print(text)
        if args.report:
            with open(args.report, "a") as f:
                f.write(text + "\n\n")
        assert sum(campaign.landed.values()) >= args.faults * 9 // 10, "too few faults were seen to land: %r" % campaign.missed
        checks.end(at_least=1000)


if __name__ == "__main__":
    main()
