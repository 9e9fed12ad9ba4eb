"""What end-to-end tests share: a mesh of real processes on loopback, stopped by pid whatever happens.

Standard library only. A Mesh starts a broker (the embedded one, or Apache Kafka through scripts/kafka.sh), creates the topics of the
declarations, and runs services with a state directory of their own, so that a test can kill and restart each of them.
"""
import csv
import hmac
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import datetime

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PSEUDONYM_KEY = "a key for tests that is long enough"
START_TIMEOUT_S = 60


def skip(reason):
    print("skip: " + reason)
    sys.exit(77)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, condition, timeout_s=60.0):
    """Poll until condition() is true; its last value is shown when the time is over."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("timed out after %.0f s: %s (last: %r)" % (timeout_s, what, value))
        time.sleep(0.02)


def pseudonym(subject, value):
    """Hex of the first 16 bytes of HMAC-SHA256(key, subject 0 value), as mesh/task.h says."""
    return hmac.new(PSEUDONYM_KEY.encode(), subject.encode() + b"\0" + value.encode(), "sha256").digest()[:16].hex()


class Service:
    def __init__(self, mesh, domain, binary):
        self.mesh, self.domain, self.binary = mesh, domain, binary
        self.port = free_port()
        self.state = os.path.join(mesh.dir, "state", domain)
        self.log = os.path.join(mesh.dir, domain + ".log")
        self.process = None
        self.env = {}

    def start(self, wait=True):
        env = dict(os.environ, MESH_KAFKA_BROKERS=self.mesh.brokers, MESH_HTTP_LISTEN="127.0.0.1:%d" % self.port,
                   MESH_STATE_DIR=self.state, MESH_PSEUDONYM_KEY=PSEUDONYM_KEY, **self.mesh.env)
        env.update(self.env)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.binary], env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            self.wait_ready()

    def wait_ready(self):
        wait_until(self.domain + " is ready", lambda: self.alive() and self.status("/readyz") == 200, START_TIMEOUT_S)

    def alive(self):
        if self.process.poll() is not None:
            raise AssertionError("%s ended with %r:\n%s" % (self.domain, self.process.returncode, self.tail()))
        return True

    def tail(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-15:])

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def request(self, path, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=headers or {}, body=body)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def status(self, path):
        try:
            return self.request(path)[0]
        except OSError:
            return 0

    def get(self, path):
        status, body, _ = self.request(path)
        if status != 200:
            raise AssertionError("GET %s of %s: %d %s" % (path, self.domain, status, body[:400]))
        return json.loads(body)

    def rows(self, path, window="all", windowed=True):
        """Every row of a list, page by page."""
        items, after = [], None
        while True:
            query = "limit=1000" + ("&window=" + window if windowed else "") + ("&after=" + after if after else "")
            page = self.get(path + "?" + query)
            items += page["items"]
            after = page.get("next")
            if not after:
                return items

    def metrics(self):
        """{(name, frozenset of labels): value}"""
        result = {}
        for line in self.request("/metrics")[1].decode().splitlines():
            if not line or line.startswith("#"):
                continue
            name, value = line.rsplit(" ", 1)
            labels = frozenset()
            if "{" in name:
                name, inside = name.rstrip("}").split("{", 1)
                labels = frozenset(part.replace('"', "") for part in inside.split(",") if part)
            result[(name, labels)] = float(value)
        return result

    def metric(self, name, **labels):
        want = {"%s=%s" % item for item in labels.items()}
        return sum(v for (n, have), v in self.metrics().items() if n == name and want <= have)

    def caught_up(self):
        """Every source read to its end, nothing held back for its turn, everything committed, nothing left to send."""
        self.alive()
        ready = self.get("/readyz")
        parts = [part for product in ready["products"] for part in product.get("held", [product])]  # several instances: per shard
        sources = [s for part in parts for s in part.get("sources", [])]
        return bool(sources) and all(s["lag"] == 0 for s in sources) and self.metric("mesh_order_buffer_records") == 0 and \
            self.metric("mesh_outbox_messages") == 0


class Mesh:
    def __init__(self, build, broker="embedded", root=ROOT, gen=None, services=None):
        self.build, self.kind, self.root = os.path.abspath(build), broker, root
        self.dir = tempfile.mkdtemp(prefix="mesh-test-")
        self.env = {"MESH_KAFKA_EMBEDDED": "1", "MESH_KAFKA_SESSION_TIMEOUT_MS": "3000"} if broker == "embedded" else {}
        self.broker = None
        self.services = {}
        for domain in services or sorted(os.listdir(os.path.join(root, "domains"))):
            binary = os.path.join(self.build, "svc", domain, domain) if gen is None else os.path.join(gen, domain, domain)
            self.services[domain] = Service(self, domain, binary)

    def bin(self, name):
        return os.path.join(self.build, "bin", name)

    def script(self, *args, check=True):
        return subprocess.run([os.path.join(ROOT, "scripts", args[0])] + list(args[1:]), check=check, stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True)

    def start_broker(self):
        topics = os.path.join(self.dir, "topics")
        with open(topics, "w") as f:
            subprocess.run([self.bin("meshgen"), "topics", "--mesh", self.root], check=True, stdout=f)
        if self.kind == "kafka":
            result = self.script("kafka.sh", "start", os.path.join(self.dir, "kafka"), check=False)
            if result.returncode == 3:
                skip("Apache Kafka is not there: " + result.stdout.strip())
            self.brokers = self.script("kafka.sh", "uri", os.path.join(self.dir, "kafka")).stdout.strip()
            subprocess.run([self.bin("mesh-topics"), "--brokers", self.brokers, "--file", topics], check=True, stdout=subprocess.DEVNULL)
        else:
            self.brokers = "127.0.0.1:%d" % free_port()
            ready = os.path.join(self.dir, "broker.ready")
            with open(os.path.join(self.dir, "broker.log"), "ab") as log:
                self.broker = subprocess.Popen([self.bin("mesh-broker"), "--listen", self.brokers, "--topics", topics, "--ready-file", ready],
                                               stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            wait_until("the embedded broker is ready", lambda: os.path.exists(ready), START_TIMEOUT_S)

    def start(self):
        self.start_broker()
        self.start_services()

    def start_services(self):
        for service in self.services.values():
            service.start(wait=False)
        for service in self.services.values():
            service.wait_ready()

    def simulate(self, *args, **kwargs):
        return subprocess.Popen([self.bin("mesh-sim"), "--brokers", self.brokers, "--contracts", os.path.join(ROOT, "contracts")] + list(args),
                                stdin=subprocess.DEVNULL, **kwargs)

    def partitions(self, topic):
        with open(os.path.join(self.dir, "topics")) as f:
            return next(int(line.split()[1]) for line in f if line.split()[:1] == [topic])

    def records(self, *args):
        """mesh-records put or dump (tests/lib/records.c)."""
        out = subprocess.run([os.path.join(self.build, "tests", "mesh-records"), args[0], self.brokers] + [str(a) for a in args[1:]], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        found = [json.loads(line) for line in out.splitlines()]
        for record in found:
            record["names"] = dict((name, bytes.fromhex(value).decode(errors="replace")) for name, value in record["headers"])
        return found

    def wait_caught_up(self, timeout_s=120):
        """All services at once, twice in a row: one may feed another."""
        calm = 0
        end = time.monotonic() + timeout_s
        while calm < 3:
            states = {d: s.caught_up() for d, s in self.services.items()}
            calm = calm + 1 if all(states.values()) else 0
            if time.monotonic() > end:
                raise AssertionError("not caught up after %d s: %r" % (timeout_s, states))
            time.sleep(0.1)

    def stop(self):
        for service in self.services.values():
            if service.process and service.process.poll() is None:
                service.process.terminate()
        for service in self.services.values():
            if service.process:
                try:
                    service.process.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    service.process.kill()
                    service.process.wait()
        if self.broker:
            self.broker.terminate()
            self.broker.wait(timeout=15)
        if self.kind == "kafka" and os.path.isdir(os.path.join(self.dir, "kafka")):
            self.script("kafka.sh", "stop", os.path.join(self.dir, "kafka"), check=False)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and kind is not SystemExit:
            for service in self.services.values():
                if os.path.exists(service.log):
                    print("---- %s (last lines of its log)\n%s" % (service.domain, service.tail()))
        self.stop()
        if kind is None or os.environ.get("MESH_TEST_KEEP") is None:
            shutil.rmtree(self.dir, ignore_errors=True)
        else:
            print("kept: " + self.dir)


def load(mesh, topic, contract, key, at, rows, partitions):
    """Rows (dicts; times in UTC) as records of a topic, by tests/lib/load.c."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: v.strftime("%Y-%m-%d %H:%M:%S") if isinstance(v, datetime) else v for k, v in row.items()})
    subprocess.run([os.path.join(mesh.build, "tests", "mesh-load"), "--brokers", mesh.brokers, "--topic", topic, "--key", key, "--time", at,
                    "--contract", os.path.join(ROOT, "contracts", contract), "--partitions", str(partitions)],
                   input=out.getvalue(), text=True, check=True, stdout=subprocess.DEVNULL)


class Checks:
    """Counts what was compared, so that a test cannot pass by comparing nothing."""

    def __init__(self):
        self.done, self.wrong = 0, []

    def equal(self, what, have, want):
        self.done += 1
        if have != want:
            self.wrong.append("%s: have %r, want %r" % (what, have, want))

    def end(self, at_least):
        for line in self.wrong[:40]:
            print("WRONG " + line)
        print("%d values compared, %d wrong" % (self.done, len(self.wrong)))
        assert self.done >= at_least, "only %d values were compared" % self.done
        assert not self.wrong
