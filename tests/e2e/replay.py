"""A version beside another, and its taking over, with real processes.

    replay.py BUILD kafka

sales_fraud runs and is read by marketing, while payments come. A second version is replayed beside it: nothing of the first is touched.
Then it takes over under load, with meshctl, both services or either killed at each step; and the first takes it back. In the end a
third version, which nobody disturbs, says what should have been sent: the topics hold exactly that, each message once, and marketing
has counted every sale once.
"""
import copy
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import PSEUDONYM_KEY, ROOT, Checks, Mesh, wait_until  # noqa: E402

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
        service = copy.copy(self.mesh.services[PRODUCT])
        service.port, service.process = port, self.process
        service.alive = self.runs
        return service


def messages(mesh, topic, partitions):
    """Records of a topic without repetitions: [(key, value, origin)]; a gap in the numbers is an error."""
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


def changed_service(mesh):
    """The service of a declaration that leaves small payments out, and shows one thing more."""
    root = os.path.join(mesh.dir, "changed")
    for name in ("contracts", "domains"):
        shutil.copytree(os.path.join(ROOT, name), os.path.join(root, name))
    shutil.copy(os.path.join(ROOT, "mesh.yaml"), root)
    path = os.path.join(root, "domains", PRODUCT, "product.yaml")
    with open(path) as f:
        text = f.read()
    changed = text.replace("- where: amount > 0.0", "- where: amount > 5.0").replace("      largest_eur: max(amount_eur)\n", "      largest_eur: max(amount_eur)\n      smallest_eur: min(amount_eur)\n", 1)
    assert changed.count("amount > 5.0") == 1 and changed.count("smallest_eur") == 1
    with open(path, "w") as f:
        f.write(changed)
    env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(mesh.build, "meson-uninstalled"))
    gen, out = os.path.join(root, "gen"), os.path.join(root, "out")
    for command in ([mesh.bin("meshgen"), "generate", "--mesh", root, "-o", gen], ["meson", "setup", out, os.path.join(gen, PRODUCT)], ["ninja", "-C", out]):
        run = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
        assert run.returncode == 0, run.stdout[-2000:]
    return os.path.join(out, PRODUCT)


def compared(checks, mesh, ctl, v4):
    """Equal ones are found equal; a changed declaration shows where, with examples."""
    code, out, _ = ctl.run("compare", PRODUCT, "v2", "--format", "json")
    found = json.loads(out)
    checks.equal("compare of equals ends with", code, 0)
    checks.equal("both stand at the same positions", found["same_positions"], True)
    checks.equal("what differs", [f["name"] for f in found["findings"] if f["changed"] + f["missing"] + f["extra"]], [])
    checks.equal("something was compared", all(f["equal"] > 0 for f in found["findings"] if f["name"] in ("/sales/by-country", "/cards", "omnishop.sales.sales")), True)
    code, out, _ = ctl.run("replay", PRODUCT, "--as", "v4", "--service", changed_service(mesh), "--wait")
    checks.equal("replay of a changed declaration ends with", code, 0)
    v4.adopt(out)
    wait_until("v4 has caught up", lambda: v4.service().caught_up())
    code, out, _ = ctl.run("compare", PRODUCT, "v4", "--format", "json", "--examples", "3")
    found = {f["name"]: f for f in json.loads(out)["findings"]}
    checks.equal("compare with a changed one ends with", code, 1)
    sold = len(messages(mesh, "omnishop.sales.sales", 4))
    port = found["omnishop.sales.sales"]
    checks.equal("sales of both and of the old one alone", port["equal"] + port["missing"], sold)
    checks.equal("some are missing, none is new", (port["missing"] > 0, port["extra"]), (True, 0))
    checks.equal("examples of the port", len(port["examples"]), 3)
    totals = [sum(row["n"] for row in s.rows("/sales/daily/by-country")) for s in (mesh.services[PRODUCT], v4.service())]
    checks.equal("sales that the list counts less", totals[0] - totals[1], port["missing"])
    rows = found["/sales/daily/by-country"]
    checks.equal("changed rows of the list, with examples", (rows["changed"] > 0, "n " in rows["examples"][0]), (True, True))
    checks.equal("what only one shows", found["/sales/daily/by-country"]["note"], "smallest_eur only in v4")


def from_a_time(checks, ctl, binary, v5):
    """A version whose history begins now: it says so, and has nothing of before."""
    code, out, said = ctl.run("replay", PRODUCT, "--as", "v5", "--service", binary, "--from", "1ms", "--wait")
    checks.equal("replay from a time ends with", code, 0)
    v5.adopt(out)
    checks.equal("it is said", "history begins at a time" in said, True)
    product = v5.service().get("/readyz")["products"][0]
    checks.equal("it says so itself", (product["role"], product["variant"], "history_from" in product), ("muted", "v5", True))
    checks.equal("records of before", v5.service().metric("mesh_records_total", input="card_payments"), 0)
    checks.equal("tables are whole", v5.service().metric("mesh_records_total", input="rates") > 0, True)


def ordered(version, word):
    try:
        with open(os.path.join(version.dir, "ORDER")) as f:
            return "word %s\n" % word in f.read()
    except OSError:
        return False


def disturbed(ctl, old, new, steps, *args):
    """The command, again and again until it is through; whenever one of the moments has come, somebody is killed: (who, what, when).
    Returns how many were."""
    steps, killed = list(steps), 0
    for _ in range(20):
        process = ctl.start(*args, "--timeout", "20s")
        while process.poll() is None:
            due = next((step for step in steps if step[2]()), None)
            if due is None:
                time.sleep(0.002)
                continue
            steps.remove(due)
            killed += 1
            print("  kills %s: %s (%s %s, %s %s)" % (due[0], due[1], old.name, old.role(), new.name, new.role()), flush=True)
            if due[0] == "meshctl":
                process.kill()
            else:
                version = old if due[0] == "old" else new
                version.kill()
                version.begin()
        out, err = process.communicate(timeout=120)
        print("$ meshctl %s -> %d\n%s%s" % (" ".join(args), process.returncode, out, err), flush=True)
        if process.returncode == 0:
            return killed
    raise AssertionError("meshctl %s does not come through" % " ".join(args))


def main():
    build, broker = sys.argv[1], sys.argv[2]
    checks = Checks()
    with Mesh(build, broker, services=[PRODUCT, "marketing"]) as mesh:
        mesh.start()
        ctl = Ctl(mesh)
        base, v2, v3, v4, v5 = started = [Version(mesh, name) for name in ("base", "v2", "v3", "v4", "v5")]
        try:
            assert mesh.simulate("--events", str(EVENTS // 3), "--rate", "20000", "--seed", "5", "--fraud", "0.01").wait() == 0
            mesh.wait_caught_up()
            untouched(checks, mesh, ctl, base, v2)
            compared(checks, mesh, ctl, v4)
            from_a_time(checks, ctl, mesh.services[PRODUCT].binary, v5)
            for version in (v4, v5):
                version.kill(signal.SIGTERM)

            # it takes over while payments come, and back
            service = mesh.services[PRODUCT]
            base.process, base.pid = service.process, service.process.pid
            sim = mesh.simulate("--events", str(2 * EVENTS // 3), "--rate", "1000", "--seed", "6", "--fraud", "0.01")
            time.sleep(3)
            n = disturbed(ctl, base, v2, [
                ("new", "the new one is told to hold", lambda: ordered(v2, "hold") and v2.role() == "muted"),
                ("meshctl", "the new one holds", lambda: v2.role() == "held" and not ordered(base, "retire")),
                ("old", "the old one is told to retire", lambda: ordered(base, "retire") and base.role() == "active"),
                ("meshctl", "the old one has retired", lambda: base.role() == "retired" and not ordered(v2, "promote")),
                ("new", "the new one is told to take over", lambda: ordered(v2, "promote") and v2.role() == "held"),
                ("new", "the new one has taken over", lambda: v2.role() == "active"),
            ], "cutover", PRODUCT, "v2")
            checks.equal("kills on the way", n >= 4, True)
            checks.equal("roles", (base.role(), v2.role()), ("retired", "active"))
            time.sleep(3)
            n = disturbed(ctl, v2, base, [
                ("meshctl", "the first one is told to follow", lambda: ordered(base, "follow") and base.role() == "retired"),
                ("new", "the first one follows", lambda: base.role() == "muted" and not ordered(base, "hold")),
                ("old", "the second one has retired", lambda: v2.role() == "retired"),
                ("meshctl", "the first one is told to take over", lambda: ordered(base, "promote") and base.role() == "held"),
            ], "rollback", PRODUCT, "base")
            checks.equal("kills on the way back", n >= 3, True)
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
        checks.end(at_least=35)


main()
