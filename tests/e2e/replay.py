"""A version beside another, and its taking over, with real processes.

    replay.py BUILD kafka

sales_fraud runs and is read by marketing, while payments come. A second version is replayed beside it: nothing of the first is touched.
Then it takes over under load, with meshctl, both services or either killed at each step; and the first takes it back. In the end a
third version, which nobody disturbs, says what should have been sent: the topics hold exactly that, each message once, and marketing
has counted every sale once.
"""
import hashlib
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import PSEUDONYM_KEY, Checks, Mesh, wait_until  # noqa: E402

PRODUCT = "sales_fraud"
PORTS = {"omnishop.sales.sales": 4, "omnishop.sales.fraud-alerts": 4}
OWN = ["mesh.sales_fraud.partials", "mesh.sales_fraud.dlq", "mesh.sales_fraud.late", "mesh.sales_fraud.retry"]
EVENTS = 60000


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def origin(value):
    """(product, generation, topology, partition, sequence) of a header "mesh"."""
    assert value[0] == 1
    n, at = varint(value, 1)
    product = value[at:at + n].decode()
    at += n
    numbers = []
    for _ in range(4):
        number, at = varint(value, at)
        numbers.append(number)
    return (product,) + tuple(numbers)


class Ctl:
    def __init__(self, mesh):
        self.mesh, self.state = mesh, os.path.join(mesh.dir, "state", PRODUCT)

    def start(self, *args):
        env = dict(os.environ, MESH_KAFKA_BROKERS=self.mesh.brokers, MESH_STATE_DIR=self.state, MESH_PSEUDONYM_KEY=PSEUDONYM_KEY, **self.mesh.env)
        return subprocess.Popen([self.mesh.bin("meshctl")] + list(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=env)

    def run(self, *args, timeout=120):
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        print("$ meshctl %s -> %d\n%s%s" % (" ".join(args), process.returncode, out, err), flush=True)
        return process.returncode, out, err


class Version:
    """A process that meshctl started, or this test in its place."""

    def __init__(self, mesh, name):
        self.mesh, self.name, self.pid, self.process = mesh, name, None, None
        self.dir = os.path.join(mesh.dir, "state", PRODUCT, PRODUCT + ("" if name == "base" else "." + name))

    def role(self):
        try:
            with open(os.path.join(self.dir, "ROLE")) as f:
                return next(line.split()[1] for line in f if line.startswith("word "))
        except OSError:
            return "active" if self.name == "base" else "muted"

    def adopt(self, said):
        self.pid = int(said.split("as process ")[1].split(",")[0])

    def begin(self):
        binary = self.mesh.services[PRODUCT].binary
        env = dict(os.environ, MESH_KAFKA_BROKERS=self.mesh.brokers, MESH_STATE_DIR=os.path.dirname(self.dir), MESH_HTTP_LISTEN="127.0.0.1:0",
                   MESH_PSEUDONYM_KEY=PSEUDONYM_KEY, MESH_VARIANT="" if self.name == "base" else self.name, **self.mesh.env)
        with open(self.dir + ".log", "ab") as log:
            self.process = subprocess.Popen([binary], env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid

    def kill(self, number=signal.SIGKILL):
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return
        if self.process:
            self.process.wait(timeout=30)
        wait_until("%s has ended" % self.name, lambda: not self.runs())
        self.process = None

    def runs(self):
        if self.process:
            return self.process.poll() is None
        try:
            with open("/proc/%d/stat" % self.pid) as f:
                return f.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def service(self):
        """Questions to it, as to a service of the mesh."""
        with open(os.path.join(self.dir, "ADDRESS")) as f:
            port = int(f.read().strip().rsplit(":", 1)[1])
        import copy
        service = copy.copy(self.mesh.services[PRODUCT])
        service.port, service.process = port, self.process
        service.alive = self.runs
        return service


def messages(mesh, topic, partitions):
    """Records of a topic without repetitions: [(key, value, origin)]; a gap in the numbers is an error."""
    import json
    out = subprocess.run([os.path.join(mesh.build, "tests", "mesh-records"), "dump", mesh.brokers, topic, str(partitions)], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    found, last = [], {}
    for line in out.splitlines():
        record = json.loads(line)
        headers = dict(record["headers"])
        who = origin(bytes.fromhex(headers["mesh"]))
        task = (record.get("partition"),) + who[:4]
        if who[4] <= last.get(task, 0):
            continue
        assert who[4] == last.get(task, 0) + 1, "%s: %r after %d" % (topic, who, last.get(task, 0))
        last[task] = who[4]
        found.append((record["key"], record["value"], who))
    return found


def digest(folder):
    result = {}
    for base, _, files in os.walk(folder):
        for name in files:
            with open(os.path.join(base, name), "rb") as f:
                result[os.path.join(base, name)] = hashlib.sha256(f.read()).hexdigest()
    return result


def dump(mesh, topic):
    for partitions in (8, 4, 2, 1):
        run = subprocess.run([os.path.join(mesh.build, "tests", "mesh-records"), "dump", mesh.brokers, topic, str(partitions)],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if run.returncode == 0:
            return run.stdout
    raise AssertionError("cannot read " + topic)


def views(service):
    paths = [("/sales/by-country", True), ("/sales/daily/by-country", True), ("/sales/daily/by-method", True), ("/alerts/by-rule", False)]
    return {path: sorted(map(repr, service.rows(path, windowed=windowed))) for path, windowed in paths}


def untouched(checks, mesh, ctl, base, v2):
    """The first version at rest, with nothing running but the second: nothing of the first changes."""
    mesh.services[PRODUCT].kill(signal.SIGTERM)
    before = {topic: dump(mesh, topic) for topic in list(PORTS) + OWN}, digest(base.dir)
    code, out, _ = ctl.run("replay", PRODUCT, "--as", "v2", "--service", mesh.services[PRODUCT].binary, "--wait")
    checks.equal("replay ends with", code, 0)
    v2.adopt(out)
    after = {topic: dump(mesh, topic) for topic in list(PORTS) + OWN}, digest(base.dir)
    checks.equal("the topics of the first version", after[0] == before[0], True)
    checks.equal("its state", after[1], before[1])
    mesh.services[PRODUCT].start()
    mesh.wait_caught_up()
    wait_until("v2 has caught up", lambda: v2.service().caught_up())
    for path, rows in views(mesh.services[PRODUCT]).items():
        checks.equal("rows of " + path, views(v2.service())[path], rows)
    for topic, partitions in PORTS.items():
        checks.equal("messages of " + topic, sorted(m[:2] for m in messages(mesh, topic + ".v2", partitions)),
                     sorted(m[:2] for m in messages(mesh, topic, partitions)))


def ordered(version, word):
    try:
        with open(os.path.join(version.dir, "ORDER")) as f:
            return "word %s\n" % word in f.read()
    except OSError:
        return False


def disturbed(ctl, old, new, steps, *args):
    """The command again and again, until it is through. At each step somebody is killed: (who, when)."""
    steps = list(steps)
    for _ in range(20):
        process = ctl.start(*args, "--timeout", "20s")
        if steps:
            victim, what, when = steps.pop(0)
            while process.poll() is None and not when():
                time.sleep(0.005)
            print("  kills %s when %s (%s %s, %s %s)" % (victim, what, old.name, old.role(), new.name, new.role()), flush=True)
            if victim == "meshctl":
                process.kill()
            else:
                version = old if victim == "old" else new
                version.kill()
                version.begin()
        out, err = process.communicate(timeout=120)
        print("$ meshctl %s -> %d\n%s%s" % (" ".join(args), process.returncode, out, err), flush=True)
        if process.returncode == 0 and not steps:
            return
    raise AssertionError("meshctl %s does not come through" % " ".join(args))


def main():
    build, broker = sys.argv[1], sys.argv[2]
    checks = Checks()
    with Mesh(build, broker, services=[PRODUCT, "marketing"]) as mesh:
        mesh.start()
        ctl = Ctl(mesh)
        base, v2, v3 = Version(mesh, "base"), Version(mesh, "v2"), Version(mesh, "v3")
        started = [base, v2, v3]
        try:
            assert mesh.simulate("--events", str(EVENTS // 3), "--rate", "20000", "--seed", "5", "--fraud", "0.01").wait() == 0
            mesh.wait_caught_up()
            untouched(checks, mesh, ctl, base, v2)

            # it takes over while payments come, and back
            service = mesh.services[PRODUCT]
            base.process, base.pid = service.process, service.process.pid
            sim = mesh.simulate("--events", str(2 * EVENTS // 3), "--rate", "1000", "--seed", "6", "--fraud", "0.01")
            time.sleep(3)
            disturbed(ctl, base, v2, [
                ("new", "the new one is told to hold", lambda: ordered(v2, "hold")),
                ("meshctl", "the new one holds", lambda: v2.role() == "held"),
                ("old", "the old one is told to retire", lambda: ordered(base, "retire")),
                ("meshctl", "the old one has retired", lambda: base.role() == "retired"),
                ("new", "the new one is told to take over", lambda: ordered(v2, "promote")),
                ("new", "the new one has taken over", lambda: v2.role() == "active"),
            ], "cutover", PRODUCT, "v2")
            checks.equal("roles", (base.role(), v2.role()), ("retired", "active"))
            time.sleep(3)
            disturbed(ctl, v2, base, [
                ("meshctl", "the first one is told to follow", lambda: ordered(base, "follow")),
                ("new", "the first one follows", lambda: base.role() == "muted"),
                ("old", "the second one has retired", lambda: v2.role() == "retired"),
                ("meshctl", "the first one is told to take over", lambda: ordered(base, "promote")),
            ], "rollback", PRODUCT, "base")
            checks.equal("roles after the way back", (base.role(), v2.role()), ("active", "retired"))
            assert sim.wait() == 0

            code, out, _ = ctl.run("replay", PRODUCT, "--as", "v3", "--service", service.binary, "--wait")
            checks.equal("replay of the third ends with", code, 0)
            v3.adopt(out)
            wait_until("all have caught up", lambda: base.service().caught_up() and v3.service().caught_up() and mesh.services["marketing"].caught_up(), 120)
            for topic, partitions in PORTS.items():
                sent = messages(mesh, topic, partitions)
                checks.equal("messages of " + topic, sorted(m[:2] for m in sent), sorted(m[:2] for m in messages(mesh, topic + ".v3", partitions)))
                print("%s: %d messages" % (topic, len(sent)))
            checks.equal("versions that sent sales", len({m[2][1] for m in messages(mesh, "omnishop.sales.sales", 4)}), 3)
            for path, rows in views(v3.service()).items():
                checks.equal("rows of " + path, views(base.service())[path], rows)
            marketing = mesh.services["marketing"]
            checks.equal("marketing has stopped", [p.get("stopped") for p in marketing.get("/readyz")["products"]], [None])
            checks.equal("marketing saw versions take over", marketing.metric("mesh_upstream_succeeded_total") > 0, True)
            checks.equal("marketing's sales", marketing.metric("mesh_records_total", input="sales") - marketing.metric("mesh_upstream_duplicates_total"),
                         len(messages(mesh, "omnishop.sales.sales", 4)))
        finally:
            for version in started:
                if version.pid:
                    version.kill(signal.SIGTERM)
        checks.end(at_least=15)


main()
