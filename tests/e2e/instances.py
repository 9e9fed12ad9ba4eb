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

    def topic(self, what, *args):
        subprocess.run([os.path.join(self.build, "tests", "mesh-records"), what, self.brokers, *args], check=True, timeout=60)

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


def files_in(folder):
    return [name for _, _, names in os.walk(folder) for name in names]


def said(service, text):
    with open(service.log, errors="replace") as f:
        return f.read().count(text)


def takeovers(mesh):
    """Milliseconds from when a shard was given until it works, of all that were."""
    found = {"ms": [], "group_ms": [], "claim_ms": []}
    for service in mesh.services.values():
        with open(service.log, errors="replace") as f:
            for line in f:
                if "took over a shard" in line:
                    for name, values in found.items():
                        values.append(int(line.split(" %s=" % name)[1].split()[0]))
    return "%d takeovers, ms p50 %d, longest %d (the group's word %d, the claim %d)" % (
        len(found["ms"]), sorted(found["ms"])[len(found["ms"]) // 2], max(found["ms"]), max(found["group_ms"]), max(found["claim_ms"]))


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
    sim = mesh.events(150000, rate=5000)
    wait_until("it has all shards", lambda: held(service) == list(range(SHARDS)), 30)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        before = counted(mesh)
        wait_until("some sales", lambda: service.alive() and counted(mesh) > before + 2000)
        code = service.kill(number)
        checks.equal("exit code", code, 0 if number == signal.SIGTERM else -number)
        checks.equal("nothing is in its folder", files_in(service.state), [])
        service.start(wait=False)
        wait_until("it has all shards again", lambda: held(service) == list(range(SHARDS)), 60)
    checks.equal("states were restored", said(service, "state loaded") >= SHARDS, True)
    check_answers(mesh, checks, mesh.sent(sim))

def epochs(service):
    return {s["shard"]: s["epoch"] for s in product(service).get("held", [])}


def positions(service, shards):
    return {s["shard"]: sum(max(0, x["position"]) for x in s["sources"]) for s in product(service).get("held", []) if s["shard"] in shards}


def settled(mesh, services, at_least=1, seconds=60):
    return wait_until("the shards are shared out", lambda: all(s.alive() for s in services) and shared_out(services, at_least), seconds)


def grow_and_shrink(mesh, checks):
    """One, two, three; one is killed, one is asked to go. Shards that stay are not touched: their epoch is the same, and they go on reading
    while others move."""
    mesh.start_broker()
    a = mesh.instance()
    sim = mesh.events(120000, rate=5000)
    settled(mesh, [a], SHARDS)
    wait_until("some sales", lambda: counted(mesh) > 4000)
    before = epochs(a)
    b = mesh.instance(wait=False)
    settled(mesh, [a, b], 2)
    stayed = held(a)
    checks.equal("two shards stayed", len(stayed), 2)
    checks.equal("and were not opened anew", {p: e for p, e in epochs(a).items()}, {p: before[p] for p in stayed})
    c = mesh.instance(wait=False)
    was = positions(a, stayed), time.monotonic()
    settled(mesh, [a, b, c], 1)
    stayed_all = {s.name: epochs(s) for s in (a, b)}
    checks.equal("only one shard moved", sum(p in before and before[p] == e for p, e in stayed_all[a.name].items()) +
                 len(stayed_all[b.name]), 3)
    now = positions(a, held(a))
    checks.equal("those that stay read on meanwhile", all(now[p] > was[0][p] for p in now if p in was[0]), True)
    since = time.monotonic()
    b.kill()
    settled(mesh, [a, c], 2)
    print("    killed: all shards are held again after %.1f s, of which the session is %d s" % (time.monotonic() - since, SESSION_S))
    since = time.monotonic()
    checks.equal("exit code of one that leaves", c.kill(signal.SIGTERM), 0)
    settled(mesh, [a], SHARDS)
    print("    left: all shards are held again after %.1f s" % (time.monotonic() - since))
    checks.equal("no folder holds anything", files_in(os.path.join(mesh.dir, "state")), [])
    check_answers(mesh, checks, mesh.sent(sim))


def more_than_partitions(mesh, checks):
    """Six instances of four partitions: two have nothing to do, are ready, and take over when others go."""
    mesh.start_broker()
    all_of = [mesh.instance(wait=False) for _ in range(SHARDS + 2)]
    for service in all_of:
        service.wait_ready()
    have = settled(mesh, all_of, 0)
    checks.equal("each shard has its own instance", sorted(len(h) for h in have), [0, 0, 1, 1, 1, 1])
    sim = mesh.events(40000, rate=4000)
    busy = [s for s in all_of if held(s)]
    wait_until("some sales", lambda: counted(mesh) > 3000)
    checks.equal("exit code of one that leaves", busy[0].kill(signal.SIGTERM), 0)
    busy[1].kill()
    left = [s for s in all_of if s.process.poll() is None]
    have = settled(mesh, left, 1)
    checks.equal("the idle ones took over", [len(h) for h in have], [1, 1, 1, 1])
    check_answers(mesh, checks, mesh.sent(sim))


def rolling(mesh, checks):
    """Two with names of their own are restarted one after the other, twice: nothing moves."""
    mesh.start_broker()
    pair = [mesh.instance(wait=False, MESH_INSTANCE="instance-%d" % i) for i in range(2)]
    sim = mesh.events(80000, rate=5000)
    settled(mesh, pair, 2)
    for _ in range(2):
        for k in range(2):
            before = counted(mesh)
            wait_until("some sales", lambda: counted(mesh) > before + 1000)
            mine, others = held(pair[k]), epochs(pair[1 - k])
            checks.equal("exit code", pair[k].kill(signal.SIGTERM), 0)
            pair[k].start(wait=False)
            settled(mesh, pair, 2)
            checks.equal("it has the shards that it had", held(pair[k]), mine)
            checks.equal("the other one did not notice", epochs(pair[1 - k]), others)
    check_answers(mesh, checks, mesh.sent(sim))


def frozen(mesh, checks):
    """One is frozen past its session while records come in; the other one takes over. Then it wakes, with a producer, a log and a state of
    before: nothing of it counts, and it comes back as a member like any other."""
    mesh.start_broker()
    a, b = mesh.instance(wait=False), mesh.instance(wait=False)
    sim = mesh.events(120000, rate=5000)
    settled(mesh, [a, b], 2)
    wait_until("some sales", lambda: counted(mesh) > 4000)
    for first, second in ((a, b), (b, a)):
        mine, epoch = held(first), epochs(first)
        first.process.send_signal(signal.SIGSTOP)
        since = time.monotonic()
        wait_until("the other one has all", lambda: second.alive() and held(second) == list(range(SHARDS)), 60)
        print("    frozen: taken over after %.1f s" % (time.monotonic() - since))
        taken = epochs(second)
        checks.equal("with newer claims", all(taken[p] > epoch[p] for p in mine), True)
        time.sleep(1)  # the successor works on for a while
        first.process.send_signal(signal.SIGCONT)
        settled(mesh, [a, b], 2)
        checks.equal("it found out", said(first, "state.fenced") + said(first, "given its shards to others") > 0, True)
    check_answers(mesh, checks, mesh.sent(sim))


def broker_away(mesh, checks):
    """The broker is killed while commits are under way, once for a moment and once for longer than the session, and comes back."""
    mesh.start_broker()
    a, b = mesh.instance(wait=False), mesh.instance(wait=False)
    sim = mesh.events(100000, rate=4000)
    settled(mesh, [a, b], 2)
    folder = os.path.join(mesh.dir, "kafka")
    for pause in (0, SESSION_S + 4):
        before = counted(mesh)
        wait_until("some sales", lambda: counted(mesh) > before + 3000)
        mesh.script("kafka.sh", "kill", folder)
        wait_until("both notice", lambda: all(s.alive() and product(s).get("degraded") for s in (a, b)), 60)
        time.sleep(pause)
        checks.equal("health while the broker is away", {s.status("/livez") for s in (a, b)}, {200})
        mesh.script("kafka.sh", "restart", folder)
        settled(mesh, [a, b], 1, 120)
        wait_until("they are well again", lambda: not any(product(s).get("degraded", True) for s in (a, b)), 120)
    check_answers(mesh, checks, mesh.sent(sim))


def records_loaded(service):
    """What each restoring of a shard had to read."""
    with open(service.log, errors="replace") as f:
        return [int(line.split(" records=")[1].split()[0]) for line in f if "state loaded" in line]


def standby(mesh, checks):
    """The second reads along in the logs of the first. When that is killed it reads the rest only, while a third, which did not, would have
    had to read all. Then it has to prove that what it read along is the state: everything is counted."""
    mesh.start_broker()
    a = mesh.instance(MESH_INSTANCE="a")
    settled(mesh, [a], SHARDS)
    sim = mesh.events(120000, rate=5000)
    b = mesh.instance(wait=False, MESH_STANDBY="1", MESH_INSTANCE="b")
    settled(mesh, [a, b], 2)
    wait_until("it follows what it does not have", lambda: sorted(product(b).get("standby", []) + held(b)) == list(range(SHARDS)))
    before = counted(mesh)
    wait_until("some sales", lambda: counted(mesh) > before + 20000)
    loaded = len(records_loaded(b))
    a.kill()
    since = time.monotonic()
    wait_until("it has all", lambda: b.alive() and held(b) == list(range(SHARDS)), 60)
    took = time.monotonic() - since
    rest = records_loaded(b)[loaded:]
    a.start(wait=False)
    settled(mesh, [a, b], 2)
    whole = records_loaded(a)[-2:]
    checks.equal("shards taken over", len(rest), 2)
    checks.equal("it read the rest only: %r of about %r records" % (rest, whole), max(rest) * 2 < min(whole), True)
    with open(b.log, errors="replace") as f:
        ms = [int(line.split(" ms=")[1].split()[0]) for line in f if "took over a shard" in line][-4:]
    print("    killed: held again after %.1f s, of which the session is %d s; it read %r records, who did not read along %r; its takeovers took %r ms"
          % (took, SESSION_S, rest, whole, ms))
    check_answers(mesh, checks, mesh.sent(sim))


def asked(mesh, checks):
    """A key is answered by any instance, directly or by sending the client on; a list by each for its part, and by one with all."""
    mesh.start_broker()
    a, b = mesh.instance(wait=False), mesh.instance(wait=False)
    settled(mesh, [a, b], 2)
    truth = mesh.sent(mesh.events(20000))
    check_answers(mesh, checks, truth)
    want, sent_on = countries(mesh), 0
    wait_until("both know who has what", lambda: all(u for s in (a, b) for u in product(s)["owners"]))
    for country, (n, _) in sorted(want.items()):
        for service in (a, b):
            path = "/sales/daily/by-country/%s?window=all" % country
            status, body, headers = service.request(path)
            if status == 307:
                other = b if service is a else a
                checks.equal("Location", headers["Location"], "http://127.0.0.1:%d%s" % (other.port, path))
                sent_on += 1
                status, body, _ = other.request(path)
            checks.equal("%s: status" % country, status, 200)
            checks.equal("%s: n" % country, sum(r["n"] for r in json.loads(body)["items"]), n)
    checks.equal("each key was sent on once", sent_on, len(want))
    checks.equal("a key that nobody has", {s.request("/sales/daily/by-country/XX")[0] for s in (a, b)}, {404, 307})
    status, body, headers = a.request("/sales/daily/by-country?window=all")
    detail = json.loads(body)["detail"]
    checks.equal("a list of two instances", status, 503)
    checks.equal("it names both: " + detail, all(":%d" % s.port in detail for s in (a, b)), True)
    parts = []
    for service in (a, b):
        status, body, headers = service.request("/sales/daily/by-country?window=all&partitions=local&limit=1000")
        parts += headers["Mesh-Partitions"].split("/")[0].split(",")
        checks.equal("a part: status", (status, headers["Mesh-Consistency"]), (200, "per-partition"))
    checks.equal("the parts are all", sorted(parts), ["0", "1", "2", "3"])
    both = rows(mesh, "/sales/daily/by-country")
    b.kill(signal.SIGTERM)
    settled(mesh, [a], SHARDS)
    paged, after = [], None
    while True:  # page by page through the merged list
        page = a.get("/sales/daily/by-country?window=all&limit=3" + ("&after=" + after if after else ""))
        paged += page["items"]
        after = page.get("next")
        if not after:
            break
    checks.equal("one with all answers whole lists", sorted((r["country"], r["n"]) for r in paged), sorted((r["country"], r["n"]) for r in both))
    checks.equal("in their order", [(r["window_start"], r["country"]) for r in paged], sorted((r["window_start"], r["country"]) for r in paged))
    checks.equal("and counts", a.get("/sales/daily/by-country?window=all&count=1")["count"], len(both))


def refused(mesh, checks, what, texts, **env):
    service = mesh.instance(wait=False, **env)
    try:
        code = service.process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        service.kill()
        code = "goes on"
    with open(service.log, errors="replace") as f:
        text = f.read()
    checks.equal(what + ": exit code", code, WRONG)
    for part in texts:
        checks.equal("%s: says '%s'" % (what, part), part in text or text, True)
    print("    %s: %s" % (what, text.strip().splitlines()[-1][:300]))


def mistakes(mesh, checks):
    """What would give wrong answers does not start, and says what to do. Partitions that are added while it runs are not read, and it says so."""
    mesh.start_broker()
    refused(mesh, checks, "no such kind of state", ["MESH_STATE must be file or kafka"], MESH_STATE="s3")
    refused(mesh, checks, "an embedded broker", ["needs a real Kafka"], MESH_KAFKA_EMBEDDED="1")
    refused(mesh, checks, "an address that nobody can reach", ["MESH_HTTP_URL"], MESH_HTTP_URL="http://0.0.0.0:80")
    a = mesh.instance(MESH_INSTANCE="one")
    settled(mesh, [a], SHARDS)
    truth = mesh.sent(mesh.events(5000))
    check_answers(mesh, checks, truth)
    refused(mesh, checks, "a reset of what is in use", ["mesh.sales_fraud.sales_fraud.state", "stop all of them"], MESH_STATE_RESET="1")
    b = mesh.instance(wait=False, MESH_INSTANCE="one")
    checks.equal("the first of two with one name ends", a.process.wait(timeout=60), WRONG)
    checks.equal("and says why", said(a, "MESH_INSTANCE"), 1)
    settled(mesh, [b], SHARDS)
    mesh.topic("grow", "omnishop.sales.card-payments", str(SHARDS + 1))
    wait_until("it sees the new partition", lambda: "keys lie elsewhere" in product(b).get("stopped", ""), 30)
    checks.equal("it goes on with what it has", (product(b)["ready"], product(b)["degraded"], held(b)), (True, True, list(range(SHARDS))))
    checks.equal("exit code", b.kill(signal.SIGTERM), 0)
    refused(mesh, checks, "more partitions than shards", ["card-payments", "4", "5"])
    mesh.topic("delete", "mesh.sales_fraud.sales_fraud.state")
    refused(mesh, checks, "the state is lost", ["committed offsets", "MESH_STATE_RESET=1"])


CASES = [alone, grow_and_shrink, more_than_partitions, rolling, frozen, standby, broker_away, asked, mistakes]



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
                print("    " + takeovers(mesh))
            checks.end(at_least=3)
        except (AssertionError, subprocess.SubprocessError, OSError, KeyError, AttributeError):
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
