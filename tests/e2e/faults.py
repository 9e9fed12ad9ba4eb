"""What goes wrong around a service, and what its user then sees: exit codes, the text, and the same answers afterwards.

    faults.py BUILD embedded|kafka [NAME...]

Each case has a mesh of its own. What this machine does not permit is skipped by name.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import ROOT, START_TIMEOUT_S, Checks, Mesh, Service, free_port, skip, wait_until  # noqa: E402

START = "2026-11-02T10:00:00Z"
DOMAIN = "sales_fraud"
SESSION_S = 6  # MESH_KAFKA_SESSION_TIMEOUT_MS on a real Kafka
WRONG = 2  # the exit code of a service that cannot start or cannot go on


class Skipped(Exception):
    pass


class Fixed(Mesh):
    """A mesh of one service whose broker has a known port, so that it can come late and come back."""

    def __init__(self, build, broker):
        super().__init__(build, broker, services=[DOMAIN])
        self.port = free_port()
        self.brokers = "127.0.0.1:%d" % self.port
        self.service = self.services[DOMAIN]
        self.others = []
        self.sims = []

    def start_broker(self):
        topics = os.path.join(self.dir, "topics")
        with open(topics, "w") as f:
            subprocess.run([self.bin("meshgen"), "topics", "--mesh", self.root], check=True, stdout=f)
        if self.kind == "kafka":
            result = self.script("kafka.sh", "start", os.path.join(self.dir, "kafka"), str(self.port), check=False)
            if result.returncode == 3:
                skip("Apache Kafka is not there")
            assert result.returncode == 0, "Apache Kafka did not start"
            subprocess.run([self.bin("mesh-topics"), "--brokers", self.brokers, "--file", topics], check=True, stdout=subprocess.DEVNULL)
            return
        ready = os.path.join(self.dir, "broker.ready")
        with open(os.path.join(self.dir, "broker.log"), "ab") as log:
            self.broker = subprocess.Popen([self.bin("mesh-broker"), "--listen", self.brokers, "--topics", topics, "--ready-file", ready],
                                           stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until("the broker is ready", lambda: os.path.exists(ready), START_TIMEOUT_S)

    def lose_broker(self):
        if self.kind == "kafka":
            self.script("kafka.sh", "kill", os.path.join(self.dir, "kafka"))
        else:  # it lives in memory: it goes away for everybody, and keeps what it has
            self.broker.send_signal(signal.SIGSTOP)

    def find_broker(self):
        if self.kind == "kafka":
            self.script("kafka.sh", "restart", os.path.join(self.dir, "kafka"))
        else:
            self.broker.send_signal(signal.SIGCONT)

    def stop(self):
        for sim in self.sims:
            sim.kill()
            sim.wait()
        if self.broker and self.broker.poll() is None:
            self.broker.send_signal(signal.SIGCONT)
        for other in self.others:
            if other.process and other.process.poll() is None:
                other.kill()
        super().stop()

    def another(self):
        """A second instance of the service, as on another machine: its own folder of state, empty, and its own log."""
        other = Service(self, DOMAIN, self.service.binary)
        n = len(self.others) + 2
        other.state, other.log = "%s-%d" % (other.state, n), "%s.%d" % (other.log, n)
        self.others.append(other)
        return other

    def move_to(self, other):
        """The one that is asked from now on."""
        self.others.append(self.service)
        self.others.remove(other)
        self.service = self.services[DOMAIN] = other

    def events(self, n, rate=0, more=()):
        """Simulated events; returns the process."""
        rates = ["--rate", str(rate)] if rate else []
        self.sims.append(self.simulate("--start", START, "--events", str(n), "--truth", self.truth_path(), *rates, *more))
        return self.sims[-1]

    def truth_path(self):
        return os.path.join(self.dir, "truth")

    def sent(self, sim):
        assert sim.wait(timeout=180) == 0, "mesh-sim failed"
        with open(self.truth_path()) as f:
            return json.loads(f.readlines()[-1])

    def log_text(self):
        with open(self.service.log, errors="replace") as f:
            return f.read()


def answers(service):
    rows = service.rows("/sales/daily/by-country")
    return {row["country"]: (row["n"], Decimal(row["total_eur"])) for row in rows}


def counted(service):
    """Sales so far; 0 while the state is not loaded yet."""
    return sum(n for n, _ in answers(service).values()) if service.status("/sales/daily/by-country") == 200 else 0


def alerts(service):
    return {row["rule"]: row["n"] for row in service.rows("/alerts/by-rule", windowed=False)}


def check_answers(mesh, checks, truth):
    """All of it, and nothing twice: numbers, money, and alerts."""
    want = {c: (v["n"], Decimal(v["total_eur"])) for c, v in truth["sales"]["by_country"].items()}
    rules = {rule: n for rule, n in truth["injected"]["fraud"].items() if n > 0}
    mesh.wait_caught_up()
    try:
        wait_until("all is counted", lambda: answers(mesh.service) == want and alerts(mesh.service) == rules, 30)
    except AssertionError:  # the comparison says what differs; records behind an idle close may cost an alert, and are counted
        print("    after an idle close came %d records" % mesh.service.metric("mesh_idle_late_total"))
    checks.equal("sales by country", answers(mesh.service), want)
    checks.equal("alerts", alerts(mesh.service), rules)


def refused(checks, what, service, texts, env=None, user=None):
    """The service does not start: its exit code, and what its user reads. No stack, no crash."""
    environment = dict(os.environ, MESH_KAFKA_BROKERS=service.mesh.brokers, MESH_HTTP_LISTEN="127.0.0.1:%d" % service.port,
                       MESH_STATE_DIR=service.state, MESH_PSEUDONYM_KEY="a key for tests that is long enough", **service.mesh.env)
    environment.update(env or {})
    result = subprocess.run([service.binary], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                            text=True, errors="replace", timeout=60, user=user)
    checks.equal(what + ": exit code", result.returncode, WRONG)
    for text in texts:
        checks.equal("%s: says '%s'" % (what, text), text in result.stdout or result.stdout, True)
    print("    %s: %s" % (what, result.stdout.strip().splitlines()[-1] if result.stdout.strip() else "(nothing)"))


def broker_away_at_start(mesh, checks):
    service = mesh.service
    service.start()
    wait_until("the service says that there is no broker", lambda: "no broker can be reached" in mesh.log_text())
    end = time.monotonic() + 4  # several attempts
    while time.monotonic() < end:
        status, body, _ = service.request("/readyz")
        ready = json.loads(body)
        checks.equal("/readyz without a broker", (status, ready["status"]), (200, "degraded"))
        checks.equal("the broker in /readyz", ready["products"][0]["broker"]["status"], "waiting for the broker")
        service.alive()
        time.sleep(0.2)
    checks.equal("it says so once", mesh.log_text().count("no broker can be reached"), 1)
    checks.equal("its log is short", mesh.log_text().count("\n") <= 4, True)
    mesh.start_broker()
    truth = mesh.sent(mesh.events(20000))
    check_answers(mesh, checks, truth)
    checks.equal("it says that the broker is back", mesh.log_text().count("the broker is back"), 1)
    checks.equal("/readyz with a broker", service.get("/readyz")["status"], "ok")


def broker_away_later(mesh, checks):
    mesh.start()
    sim = mesh.events(60000, rate=6000)
    wait_until("some sales", lambda: mesh.service.alive() and counted(mesh.service) > 3000)
    mesh.lose_broker()
    if mesh.kind == "kafka":
        wait_until("the service notices", lambda: mesh.service.alive() and mesh.service.get("/readyz")["status"] == "degraded", 90)
    else:  # a broker that hangs closes no connection: longer than the session lasts, shorter than librdkafka's patience
        end = time.monotonic() + 6
        wait_until("twice the session time-out", lambda: mesh.service.alive() and time.monotonic() > end)
    checks.equal("/readyz while the broker is away", mesh.service.status("/readyz"), 200)
    checks.equal("answers are given while the broker is away", sum(n for n, _ in answers(mesh.service).values()) > 0, True)
    mesh.find_broker()
    truth = mesh.sent(sim)
    wait_until("the service is well again", lambda: mesh.service.alive() and mesh.service.get("/readyz")["status"] == "ok", 90)
    check_answers(mesh, checks, truth)
    times = 1 if mesh.kind == "kafka" else 0
    checks.equal("away is said once", mesh.log_text().count("no broker can be reached"), times)
    checks.equal("back is said once", mesh.log_text().count("the broker is back"), times)


def port_taken(mesh, checks):
    service = mesh.service
    service.start()
    other = Service(mesh, DOMAIN, service.binary)
    other.port, other.state = service.port, service.state + "-other"
    refused(checks, "port taken", other, ["127.0.0.1:%d" % service.port, "taken", "MESH_HTTP_LISTEN"])
    checks.equal("the first goes on", service.status("/readyz"), 200)


def state_unusable(mesh, checks):
    service = mesh.service
    os.makedirs(os.path.dirname(service.state))
    with open(service.state, "w") as f:
        f.write("no folder\n")
    refused(checks, "a file in the place of the state", service, [service.state, "MESH_STATE_DIR"])
    os.unlink(service.state)
    os.makedirs(os.path.join(service.state, DOMAIN))
    if os.getuid() == 0:
        os.chmod(mesh.dir, 0o755)
        refused(checks, "state of another user", service, [service.state, "MESH_STATE_DIR"], user=65534)
    else:
        os.chmod(os.path.join(service.state, DOMAIN), 0o555)
        refused(checks, "state without the right to write", service, [service.state, "MESH_STATE_DIR"])
        os.chmod(os.path.join(service.state, DOMAIN), 0o755)
    refused(checks, "no pseudonym key", service, ["MESH_PSEUDONYM_KEY is not set"], env={"MESH_PSEUDONYM_KEY": ""})


def state_of_another(mesh, checks):
    mesh.start()
    mesh.sent(mesh.events(2000))
    mesh.wait_caught_up()
    service = mesh.service
    second = Service(mesh, DOMAIN, service.binary)
    refused(checks, "state in use", second, ["in use by process %d" % service.process.pid, service.state])
    before = answers(service)
    refused(checks, "state in use, to be reset", second, ["in use by process %d" % service.process.pid], env={"MESH_STATE_RESET": "1"})
    checks.equal("the state is where it was", sorted(os.listdir(service.state)), [DOMAIN])
    checks.equal("the first goes on", answers(service), before)
    checks.equal("stops when asked", service.kill(signal.SIGTERM), 0)
    stranger = Service(mesh, "customer", os.path.join(mesh.build, "svc", "customer", "customer"))
    shutil.copytree(os.path.join(service.state, DOMAIN), os.path.join(stranger.state, "customer"))
    refused(checks, "state of another product", stranger, ["holds the state of %s/%s" % (DOMAIN, DOMAIN), "customer/customer"])


def stop_while_ingesting(mesh, checks):
    mesh.start()
    sim = mesh.events(60000, rate=6000)
    service = mesh.service
    for goal in (8000, 20000, 35000):
        wait_until("%d records" % goal, lambda: service.alive() and (
            sum(s["position"] for s in service.get("/readyz")["products"][0].get("sources", [])) > goal))
        began = time.monotonic()
        checks.equal("exit code after SIGTERM", service.kill(signal.SIGTERM), 0)
        checks.equal("stops within 10 s", time.monotonic() - began < 10, True)
        service.start()
    check_answers(mesh, checks, mesh.sent(sim))


def state_deleted(mesh, checks):
    mesh.start()
    truth = mesh.sent(mesh.events(20000))
    check_answers(mesh, checks, truth)
    service = mesh.service
    checks.equal("stops when asked", service.kill(signal.SIGTERM), 0)
    shutil.rmtree(service.state)
    refused(checks, "state lost", service, ["mesh.%s.%s" % (DOMAIN, DOMAIN), "committed offsets", service.state, "MESH_STATE_RESET=1"])
    refused(checks, "state lost, again", service, ["MESH_STATE_RESET=1"])
    service.env = {"MESH_STATE_RESET": "1"}
    service.start()
    check_answers(mesh, checks, truth)
    checks.equal("stops when asked", service.kill(signal.SIGTERM), 0)
    service.env = {}
    service.start()
    check_answers(mesh, checks, truth)


def owner(service):
    """It is ready and owns all tasks."""
    return service.alive() and service.status("/readyz") == 200 and service.get("/readyz")["products"][0].get("group") == "owner"


ENDS = {"group.fenced": "Stop one of the two", "state.stale": "Start the instance that went on", "state.lost": "MESH_STATE_RESET=1"}


def settle(checks, a, b):
    """Of two instances that end because of each other, each is started again, as a supervisor does, until one owns the work and the other
    one is refused before it joins the group. The one that goes on: it must not hear later that it was fenced."""
    refusals, since = 0, None
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for service, other in ((a, b), (b, a)):
            if service.process.poll() is None:
                continue
            if refusals >= 2 and other.process.poll() is None:
                since = since or time.monotonic()
                if time.monotonic() > since + SESSION_S and owner(other):
                    return other
                continue
            since = None
            error = [line for line in service.tail().splitlines() if " error " in line][-1]
            code = next((c for c in ENDS if "code=" + c in error), None)
            checks.equal("it says why it ends, and what to do: " + error[-200:], code is not None and ENDS[code] in error, True)
            checks.equal("its exit code", service.process.returncode, WRONG)
            refused_before = code in ("state.stale", "state.lost") and other.process.poll() is None
            refusals = refusals + 1 if refused_before else 0
            if refusals < 2:
                service.start(wait=False)
        time.sleep(0.2)
    raise AssertionError("the two drive each other out")


def second_without_state(mesh, checks):
    """An accidental second instance, with a folder of its own: it is the one that gives way, and the first notices nothing."""
    mesh.start()
    sim = mesh.events(40000, rate=5000)
    wait_until("some sales", lambda: mesh.service.alive() and counted(mesh.service) > 10000)  # the group has offsets after a second
    second = mesh.another()
    refused(checks, "a second instance", second, ["state.lost", "mesh.%s.%s" % (DOMAIN, DOMAIN), second.state, "MESH_STATE_RESET=1"])
    checks.equal("the first still owns the work", owner(mesh.service), True)
    check_answers(mesh, checks, mesh.sent(sim))


def second_after_kill(mesh, checks):
    """The first is killed; its folder, taken to another machine, goes on there at once: the static member need not time out."""
    mesh.start()
    sim = mesh.events(60000, rate=5000)
    first, second = mesh.service, mesh.another()
    wait_until("some sales", lambda: first.alive() and counted(first) > 5000)
    first.kill()
    shutil.copytree(first.state, second.state)
    mesh.move_to(second)
    second.start()
    wait_until("the second owns the work", lambda: owner(second), 30)
    checks.equal("the second still owns the work", owner(second), True)
    check_answers(mesh, checks, mesh.sent(sim))


def stopped_past_session(mesh, checks):
    """Frozen for longer than its session, with nobody else there: it joins again and goes on."""
    mesh.start()
    sim = mesh.events(60000, rate=5000)
    first = mesh.service
    wait_until("some sales", lambda: first.alive() and counted(first) > 5000)
    first.process.send_signal(signal.SIGSTOP)
    time.sleep(2 * SESSION_S)  # not a wait for something: the length of the freeze is what is tested
    first.process.send_signal(signal.SIGCONT)
    check_answers(mesh, checks, mesh.sent(sim))
    checks.equal("it owns the work again", owner(first), True)


def forked(mesh, first):
    """The folder of an instance that is not running, copied and started elsewhere: the copy owns the work and goes on with it."""
    second = mesh.another()
    shutil.copytree(first.state, second.state)
    mesh.move_to(second)
    second.start()
    wait_until("the copy owns the work", lambda: owner(second), 30)
    before = counted(second)
    wait_until("the copy works", lambda: second.alive() and counted(second) > before + 1000)
    return second


def woken(mesh, checks):
    """Frozen, taken for dead, its folder taken elsewhere; then it wakes. It must end, and nothing that it still sends may count. By
    waking it takes the group's member name back, so the rightful one may end too; a supervisor starts it again."""
    mesh.start()
    sim = mesh.events(80000, rate=4000)
    first = mesh.service
    wait_until("some sales", lambda: first.alive() and counted(first) > 5000)
    first.process.send_signal(signal.SIGSTOP)
    time.sleep(2 * SESSION_S)
    second = forked(mesh, first)
    first.process.send_signal(signal.SIGCONT)
    checks.equal("the one that woke ends", first.process.wait(timeout=60), WRONG)
    with open(first.log, errors="replace") as f:
        said = f.read()
    checks.equal("and says why", any(code in said for code in ("state.stale", "group.fenced")), True)
    truth = mesh.sent(sim)
    if second.process.poll() is not None:
        second.start()
    check_answers(mesh, checks, truth)


def old_copy(mesh, checks):
    """A folder from which another copy went on is too old: it is refused, and the newer one goes on with all of it."""
    mesh.start()
    sim = mesh.events(60000, rate=4000)
    first = mesh.service
    wait_until("some sales", lambda: first.alive() and counted(first) > 5000)
    first.kill()
    second = forked(mesh, first)
    checks.equal("stops when asked", second.kill(signal.SIGTERM), 0)
    first.start(wait=False)
    try:
        checks.equal("an older copy: exit code", first.process.wait(timeout=20), WRONG)
    except subprocess.TimeoutExpired:
        checks.equal("an older copy goes on", True, False)
        first.kill()
    second.start()
    check_answers(mesh, checks, mesh.sent(sim))


def two_with_one_state(mesh, checks):
    """Two with the same state, started together: one owns the work, the other one says so and ends; nothing is counted twice."""
    mesh.start()
    sim = mesh.events(60000, rate=4000)
    first, second = mesh.service, mesh.another()
    wait_until("some sales", lambda: first.alive() and counted(first) > 5000)
    checks.equal("stops when asked", first.kill(signal.SIGTERM), 0)
    shutil.copytree(first.state, second.state)
    for service in (first, second):
        service.start(wait=False)
    if settle(checks, first, second) is second:
        mesh.move_to(second)
    check_answers(mesh, checks, mesh.sent(sim))


def two_without_state(mesh, checks):
    """Two that begin at once, each with an empty folder; whichever ends is started again, as a supervisor does. One of them stays."""
    mesh.start_broker()
    sim = mesh.events(60000, rate=4000)
    first, second = mesh.service, mesh.another()
    for service in (first, second):
        service.start(wait=False)
    if settle(checks, first, second) is second:
        mesh.move_to(second)
    check_answers(mesh, checks, mesh.sent(sim))


def too_many_letters(mesh, checks):
    """A bad deploy upstream: a fifth of the payments is broken. The partitions stop within their budget, a restart lets nothing more
    through, and when an operator accepts them everything is counted."""
    mesh.start()
    truth = mesh.sent(mesh.events(60000, more=["--malformed", "0.2"]))
    service = mesh.service

    def stopped():
        return service.alive() and service.get("/readyz")["products"][0].get("stopped", "")

    def letters():
        return int(service.metric("mesh_rejected_total", input="card_payments") + service.metric("mesh_rejected_total", input="shop_payments"))

    wait_until("an input stops", stopped)
    checks.equal("it says what to do: " + stopped(), "MESH_ACCEPT_ERRORS=" in stopped() and "maxErrorRate" in stopped(), True)
    checks.equal("/readyz is degraded", service.get("/readyz")["status"], "degraded")
    wait_until("all eight partitions stop", lambda: service.alive() and service.metric("mesh_error_budget_exceeded") == 8)
    checks.equal("letters within the budget", 8 * 51 <= letters() <= 8 * 51 + 400, True)  # those of the join come behind what was read
    checks.equal("the log says so", "more than its maxErrorRate" in mesh.log_text(), True)
    checks.equal("stops when asked", service.kill(signal.SIGTERM), 0)
    service.start()
    wait_until("it is still stopped", lambda: service.alive() and service.metric("mesh_error_budget_exceeded") == 8)
    checks.equal("no further record of it is read", letters() < 100, True)
    checks.equal("stops when asked", service.kill(signal.SIGTERM), 0)
    refused(checks, "an input that does not exist", service, ["there is no input 'cards'"], env={"MESH_ACCEPT_ERRORS": "cards"})
    service.env = {"MESH_ACCEPT_ERRORS": "card_payments,shop_payments"}
    service.start()
    check_answers(mesh, checks, truth)
    checks.equal("it goes on", stopped(), "")


def disk_full(mesh, checks):
    service = mesh.service
    os.makedirs(service.state)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", service.state], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skipped("this machine permits no mount")
    try:
        mesh.start()
        filler = os.path.join(service.state, "filler")
        with open(filler, "wb") as f:
            room = os.statvfs(service.state)
            f.write(bytes(room.f_bavail * room.f_frsize - 256 * 1024))
        sim = mesh.events(60000, rate=10000)
        code = service.process.wait(timeout=60)
        checks.equal("exit code when the disk is full", code, WRONG)
        last = mesh.log_text()
        print("    " + [line for line in last.splitlines() if "error" in line][-1])
        checks.equal("says 'No space left'", "No space left" in last or last[-400:], True)
        checks.equal("says where", service.state in last or last[-400:], True)
        service.port = free_port()
        truth = mesh.sent(sim)
        os.unlink(filler)
        service.start()
        check_answers(mesh, checks, truth)
        checks.equal("stops when asked", service.kill(signal.SIGTERM), 0)
    finally:
        if service.process and service.process.poll() is None:
            service.process.kill()
            service.process.wait()
        subprocess.run(["umount", service.state], check=True)


CASES = {
    "embedded": [broker_away_at_start, broker_away_later, port_taken, state_unusable, state_of_another, stop_while_ingesting, state_deleted,
                 too_many_letters, disk_full],
    "kafka": [broker_away_at_start, broker_away_later, stop_while_ingesting, state_deleted, second_without_state, second_after_kill,
              stopped_past_session, woken, old_copy, two_with_one_state, two_without_state],
}


def own_namespace():
    """Mounts of this test are its own and go with it."""
    if os.environ.get("MESH_FAULTS_INSIDE") or subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        return
    os.environ["MESH_FAULTS_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def on_signal(number, frame):
    raise KeyboardInterrupt  # so that everything is stopped and removed


def main():
    signal.signal(signal.SIGTERM, on_signal)
    build, kind, only = sys.argv[1], sys.argv[2], sys.argv[3:]
    own_namespace()
    failed, skipped, compared = [], [], 0
    for case in CASES[kind]:
        if only and case.__name__ not in only:
            continue
        began = time.monotonic()
        checks = Checks()
        word = "ok"
        try:
            with Fixed(build, kind) as mesh:
                case(mesh, checks)
            checks.end(at_least=3)
        except Skipped as why:
            word = "skip: %s: %s" % (case.__name__, why)
            skipped.append(case.__name__)
        except (AssertionError, subprocess.SubprocessError, OSError, KeyError):
            traceback.print_exc(file=sys.stdout)
            for line in checks.wrong:
                print("WRONG " + line)
            word = "FAILED"
            failed.append(case.__name__)
        compared += checks.done
        print("%s: %s (%.1f s)" % (case.__name__, word, time.monotonic() - began), flush=True)
    print("%d values compared; failed: %s; skipped: %s" % (compared, ", ".join(failed) or "none", ", ".join(skipped) or "none"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
