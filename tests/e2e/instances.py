"""Several instances of one product, their state in Kafka: they join, leave, are killed, frozen, rolled; the answers are those of the oracle.

    instances.py BUILD [NAME...]

Each case has an Apache Kafka of its own and the service sales_fraud: three topologies of four partitions. An instance starts with an empty
folder each time."""
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from decimal import Decimal

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import DOMAIN, START, WRONG  # noqa: E402
from meshtest import Checks, Mesh, Service, wait_until  # noqa: E402

SHARDS = 4
SESSION_S = 6


class Shared(Mesh):
    def __init__(self, build):
        super().__init__(build, "kafka", services=[DOMAIN])
        self.env.update({"MESH_STATE": "kafka", "MESH_KAFKA_SESSION_TIMEOUT_MS": str(1000 * SESSION_S)})
        self.binary = self.services[DOMAIN].binary
        self.services = {}
        self.sims = []

    def instance(self, wait=True, **env):
        """One more. Its folder is its own, and nothing may come to be in it."""
        service = Service(self, DOMAIN, self.binary)
        name = "%s-%d" % (DOMAIN, len(self.services) + 1)
        service.state, service.log, service.name = os.path.join(self.dir, "state", name), os.path.join(self.dir, name + ".log"), name
        service.env = dict(env)
        self.services[name] = service
        service.start(wait=wait)
        return service

    def live(self):
        return [s for s in self.services.values() if s.process and s.process.poll() is None]

    def events(self, n, rate=0, more=()):
        rates = ["--rate", str(rate)] if rate else []
        self.sims.append(self.simulate("--start", START, "--events", str(n), "--truth", self.truth_path(), *rates, *more))
        return self.sims[-1]

    def truth_path(self):
        return os.path.join(self.dir, "truth")

    def sent(self, sim):
        assert sim.wait(timeout=180) == 0, "mesh-sim failed"
        with open(self.truth_path()) as f:
            return json.loads(f.readlines()[-1])

    def stop(self):
        for sim in self.sims:
            sim.kill()
            sim.wait()
        for service in self.live():
            service.process.send_signal(signal.SIGCONT)
        super().stop()


def product(service):
    """What /readyz says of the product; {}: nothing now."""
    try:
        status, body, _ = service.request("/readyz")
        return json.loads(body)["products"][0]
    except (OSError, ValueError, http.client.HTTPException):
        return {}


def held(service):
    return sorted(s["shard"] for s in product(service).get("held", []) if s["phase"] == "running")


def shared_out(services, at_least=0):
    """All shards are held, each by one of them, and none has fewer than that."""
    have = [held(s) for s in services]
    return sorted(p for h in have for p in h) == list(range(SHARDS)) and min(len(h) for h in have) >= at_least and have


def said(service, text):
    with open(service.log, errors="replace") as f:
        return f.read().count(text)


def rows(mesh, path, windowed=True):
    """A list from all instances: each gives its own part."""
    items = []
    for service in mesh.live():
        after = None
        while True:
            query = "limit=1000&partitions=local" + ("&window=all" if windowed else "") + ("&after=" + after if after else "")
            page = service.get(path + "?" + query)
            items += page["items"]
            after = page.get("next")
            if not after:
                break
    return items


def countries(mesh):
    return {r["country"]: (r["n"], Decimal(r["total_eur"])) for r in rows(mesh, "/sales/daily/by-country")}


def alerts(mesh):
    return {r["rule"]: r["n"] for r in rows(mesh, "/alerts/by-rule", windowed=False)}


def counted(mesh):
    try:
        return sum(n for n, _ in countries(mesh).values())
    except (OSError, AssertionError, http.client.HTTPException):
        return 0


def quiet(mesh):
    """Everything was read, committed and sent."""
    for service in mesh.live():
        state = product(service)
        sources = [s for shard in state.get("held", []) for s in shard["sources"]]
        if not state.get("ready") or any(s["lag"] != 0 for s in sources):
            return False
        if service.metric("mesh_order_buffer_records") != 0 or service.metric("mesh_outbox_messages") != 0:
            return False
    return shared_out(mesh.live())


def check_answers(mesh, checks, truth):
    """All of it, and nothing twice."""
    want = {c: (v["n"], Decimal(v["total_eur"])) for c, v in truth["sales"]["by_country"].items()}
    rules = {rule: n for rule, n in truth["injected"]["fraud"].items() if n > 0}
    try:
        wait_until("all is counted", lambda: quiet(mesh) and countries(mesh) == want and alerts(mesh) == rules, 90)
    except AssertionError as e:
        print("    %s; behind an idle close: %d" % (e, sum(s.metric("mesh_idle_late_total") for s in mesh.live())))
    checks.equal("sales by country", countries(mesh), want)
    checks.equal("alerts", alerts(mesh), rules)


def alone(mesh, checks):
    """One instance has all shards. It is killed and stopped, and each time begins with an empty folder."""
    mesh.start_broker()
    service = mesh.instance()
    sim = mesh.events(40000, rate=5000)
    wait_until("it has all shards", lambda: held(service) == list(range(SHARDS)), 30)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        before = counted(mesh)
        wait_until("some sales", lambda: service.alive() and counted(mesh) > before + 2000)
        code = service.kill(number)
        checks.equal("exit code", code, 0 if number == signal.SIGTERM else -number)
        checks.equal("nothing is in its folder", os.path.exists(service.state), False)
        service.start(wait=False)
        wait_until("it has all shards again", lambda: held(service) == list(range(SHARDS)), 60)
    checks.equal("states were restored", said(service, "state loaded") >= SHARDS, True)
    check_answers(mesh, checks, mesh.sent(sim))


CASES = [alone]


def main():
    build, only = sys.argv[1], sys.argv[2:]
    failed, compared = [], 0
    for case in CASES:
        if only and case.__name__ not in only:
            continue
        began, checks, word = time.monotonic(), Checks(), "ok"
        try:
            with Shared(build) as mesh:
                case(mesh, checks)
            checks.end(at_least=3)
        except (AssertionError, subprocess.SubprocessError, OSError, KeyError):
            traceback.print_exc(file=sys.stdout)
            for line in checks.wrong:
                print("WRONG " + line)
            word = "FAILED"
            failed.append(case.__name__)
        compared += checks.done
        print("%s: %s (%.1f s)" % (case.__name__, word, time.monotonic() - began), flush=True)
    print("%d values compared; failed: %s" % (compared, ", ".join(failed) or "none"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
