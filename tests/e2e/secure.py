"""A Kafka that demands proof: services over SASL_SSL with SCRAM and over mutual TLS, end to end, and what the operator reads when the
broker refuses.

    secure.py BUILD

One broker with throw-away credentials (scripts/secure.sh), all of it on loopback.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import Checks, Mesh, Service, skip, wait_until  # noqa: E402

SALES, STOCK = "sales_fraud", "product_stock"
START = "2026-11-02T10:00:00Z"
EVENTS = 8000
LETTER_KEY = "00112233445566778899aabbccddeeff" * 2


class Secure(Mesh):
    """Each client says how it connects; what it needs stands in its environment."""

    def __init__(self, build):
        super().__init__(build, "kafka", services=[SALES, STOCK])
        self.kafka = os.path.join(self.dir, "kafka")
        self.strangers = []

    def credential(self, name):
        return os.path.join(self.kafka, "secure", name)

    def uri(self, *listener):
        return self.script("kafka.sh", "uri", self.kafka, *listener).stdout.strip()

    def start_broker(self):
        os.environ["KAFKA_SECURE"] = "1"
        result = self.script("kafka.sh", "start", self.kafka, check=False)
        if result.returncode == 3:
            skip("Apache Kafka is not there")
        assert result.returncode == 0, "Apache Kafka did not start"
        self.brokers = self.uri("scram")

    def scram(self, password="password", ca="ca.pem", mechanism="SCRAM-SHA-256"):
        with open(self.credential("user")) as f:
            user = f.read().strip()
        return {"MESH_KAFKA_BROKERS": self.uri("scram"), "MESH_KAFKA_SECURITY": "sasl_tls", "MESH_KAFKA_CA_FILE": self.credential(ca),
                "MESH_KAFKA_SASL_MECHANISM": mechanism, "MESH_KAFKA_USER": user, "MESH_KAFKA_PASSWORD_FILE": self.credential(password)}

    def mutual(self, cert="client.pem", key="client.key", **more):
        env = {"MESH_KAFKA_BROKERS": self.uri("mtls"), "MESH_KAFKA_SECURITY": "tls", "MESH_KAFKA_CA_FILE": self.credential("ca.pem")}
        if cert:
            env.update(MESH_KAFKA_CERT_FILE=self.credential(cert), MESH_KAFKA_KEY_FILE=self.credential(key), **more)
        return env

    def stranger(self, name, env):
        """A service that the broker will refuse, with a state and a log of its own."""
        service = Service(self, STOCK, self.services[STOCK].binary)
        service.state, service.log, service.env = service.state + name, os.path.join(self.dir, name + ".log"), env
        self.strangers.append(service)
        service.start(wait=False)
        return service

    def stranger_with_cards(self):
        """The product with personal inputs, without a key for its letters."""
        service = Service(self, SALES, self.services[SALES].binary)
        service.state, service.log = service.state + "-2", os.path.join(self.dir, "cards.log")
        service.env = {"MESH_KAFKA_BROKERS": "127.0.0.1:1"}
        self.strangers.append(service)
        service.start()
        return service

    def tool(self, name, env, *args):
        return subprocess.run([self.bin(name), *args], env=dict(os.environ, **env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, timeout=60)

    def stop(self):
        for service in self.strangers:
            if service.process.poll() is None:
                service.process.kill()
                service.process.wait()
        super().stop()


def log_of(service):
    with open(service.log, errors="replace") as f:
        return f.read()


def broker_of(service):
    service.alive()
    return service.get("/readyz")["products"][0]["broker"]


def check_refused(checks, what, service, texts):
    """Where an operator looks: /readyz, the metric, and one line of the log, which is not that of a broker that is away."""
    service.wait_ready()
    wait_until(what + ": is refused", lambda: broker_of(service)["status"] == "refused", 30)
    reason = broker_of(service)["reason"]
    print("    %s: %s" % (what, reason))
    for text in texts:
        checks.equal("%s: /readyz says '%s'" % (what, text), text in reason or reason, True)
        checks.equal("%s: the log says '%s'" % (what, text), text in log_of(service) or log_of(service), True)
    checks.equal(what + ": said once", log_of(service).count("do not accept each other"), 1)
    checks.equal(what + ": does not look like a broker that is away", "no broker can be reached" in log_of(service), False)
    checks.equal(what + ": degraded, and up", (service.status("/readyz"), service.get("/readyz")["status"]), (200, "degraded"))
    checks.equal(what + ": mesh_broker_up", service.metric("mesh_broker_up"), 0)


def check_refusals(mesh, checks):
    strangers = [
        ("unknown CA", mesh.scram(ca="other-ca.pem"), ["MESH_KAFKA_CA_FILE", "other-ca.pem", "certificate verify failed"]),
        ("wrong password", mesh.scram(password="key-password"), ["user 'mesh' with SCRAM-SHA-256", "MESH_KAFKA_PASSWORD_FILE"]),
        ("mechanism not offered", mesh.scram(mechanism="PLAIN"), ["does not offer MESH_KAFKA_SASL_MECHANISM=PLAIN", "SCRAM-SHA-512"]),
        ("no client certificate", mesh.mutual(cert=None), ["a client without a certificate", "MESH_KAFKA_CERT_FILE"]),
        ("expired client certificate", mesh.mutual(cert="expired.pem"), ["expired.pem has expired on 20", "renew it"]),
        ("unknown client certificate", mesh.mutual(cert="other-ca.pem", key="other-ca.key"), ["does not accept the client certificate"]),
        ("no TLS", {"MESH_KAFKA_BROKERS": mesh.uri("scram")}, ["another MESH_KAFKA_SECURITY than plaintext"]),
    ]
    started = [(what, mesh.stranger("stranger%d" % i, env), texts) for i, (what, env, texts) in enumerate(strangers)]
    for what, service, texts in started:
        check_refused(checks, what, service, texts)
    for _, service, _ in started:
        service.kill()


def check_tools(mesh, checks):
    topics = os.path.join(mesh.dir, "topics")
    with open(topics, "w") as f:
        subprocess.run([mesh.bin("meshgen"), "topics", "--mesh", mesh.root], check=True, stdout=f)
    args = ["--brokers", mesh.uri("scram"), "--file", topics]
    began = time.monotonic()
    result = mesh.tool("mesh-topics", mesh.scram(password="key-password"), *args)
    checks.equal("mesh-topics with a wrong password", (result.returncode, "user 'mesh' with SCRAM" in result.stdout or result.stdout), (1, True))
    checks.equal("it does not wait for its time-out", time.monotonic() - began < 12, True)
    result = mesh.tool("mesh-topics", dict(mesh.scram(), MESH_KAFKA_PASSWORD_FILE=""), *args)
    checks.equal("mesh-topics without a password", (result.returncode, "MESH_KAFKA_PASSWORD_FILE is not set" in result.stdout), (2, True))
    result = mesh.tool("mesh-topics", mesh.scram(), "--set", "sasl.password=x", *args)
    checks.equal("mesh-topics with a password as argument", (result.returncode, "no secrets" in result.stdout), (2, True))
    result = mesh.tool("mesh-topics", mesh.scram(mechanism="SCRAM-SHA-512"), *args)
    checks.equal("mesh-topics", (result.returncode, " 0 not there" in result.stdout or result.stdout), (0, True))


def check_mended(mesh, checks):
    """The service has the right password, the broker not yet."""
    sales = mesh.services[SALES]
    with open(os.open(mesh.credential("next"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write("the password of tomorrow\n")
    with open(os.open(mesh.credential("letters"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write(LETTER_KEY + "\n")
    sales.env = dict(mesh.scram(password="next"), MESH_LETTER_KEY_FILE=mesh.credential("letters"))
    sales.start()
    check_refused(checks, "password of tomorrow", sales, ["user 'mesh'"])
    mesh.script("kafka.sh", "user", mesh.kafka, mesh.credential("next"))
    wait_until("the service finds the broker by itself", lambda: broker_of(sales)["status"] == "ok", 30)
    checks.equal("nothing is left of it", "reason" in broker_of(sales), False)
    checks.equal("it says so once", log_of(sales).count("the broker is back"), 1)


def check_end_to_end(mesh, checks):
    """Records in by mesh-sim over SCRAM, answers out."""
    sales, stock = mesh.services[SALES], mesh.services[STOCK]
    with open(mesh.credential("key-password")) as f:
        key_password = f.read().strip()
    stock.env = mesh.mutual(key="locked.key", MESH_KAFKA_KEY_PASSWORD_FILE=mesh.credential("key-password"))
    stock.start()
    path = os.path.join(mesh.dir, "truth")
    sim = mesh.simulate("--start", START, "--events", str(EVENTS), "--truth", path, env=dict(os.environ, **mesh.scram(password="next")))
    try:
        assert sim.wait(timeout=60) == 0, "mesh-sim failed"
    finally:
        if sim.poll() is None:
            sim.kill()
            sim.wait()
    with open(path) as f:
        truth = json.loads(f.readlines()[-1])
    mesh.wait_caught_up()

    def sold():
        return {row["country"]: row["n"] for row in sales.rows("/sales/daily/by-country")}

    want = {country: v["n"] for country, v in truth["sales"]["by_country"].items()}
    wait_until("all sales are counted", lambda: sum(sold().values()) >= sum(want.values()), 30)
    checks.equal("sales over SASL_SSL with SCRAM", sold(), want)
    have = {(row["product_id"], row["store_id"]): row["on_hand"] for row in stock.rows("/stock", windowed=False)}
    checks.equal("stock over mutual TLS", have, {(p, s): n for p, stores in truth["stock"].items() for s, n in stores.items()})
    for service in (sales, stock):
        checks.equal("/readyz of " + service.domain, service.get("/readyz")["status"], "ok")
        checks.equal("no secret in the log of " + service.domain, re.search("tomorrow\n|" + re.escape(key_password), log_of(service)), None)
        checks.equal("no secret in its arguments", b"tomorrow" in open("/proc/%d/cmdline" % service.process.pid, "rb").read(), False)


def check_letters(mesh, checks):
    """What could not be processed holds card numbers: nobody reads them in the topic."""
    sales = mesh.services[SALES]
    rejected = sales.metric("mesh_rejected_total")
    checks.equal("there are dead letters", rejected > 0, True)
    checks.equal("readable letters are warned about, sealed ones not", [("go readable" in log_of(s)) for s in (sales, mesh.stranger_with_cards())],
                 [False, True])
    checks.equal("no key in the log", LETTER_KEY in log_of(sales), False)
    if shutil.which("kcat") is None:
        print("    the letters themselves are not looked at: no kcat on PATH")
        return
    letters = subprocess.run(["kcat", "-b", mesh.uri(), "-C", "-q", "-e", "-t", "mesh.%s.dlq" % SALES, "-f", "%K %h %s\\n--\\n"],
                             stdout=subprocess.PIPE, check=True, timeout=30).stdout.split(b"\n--\n")[:-1]
    checks.equal("letters in the topic", len(letters), rejected)
    for letter in letters:
        checks.equal("a letter is sealed, and has no key", (letter.startswith(b"-1 "), b"__mesh.sealed=aes-256-gcm " in letter), (True, True))


def check_replay(mesh, checks):
    """Sealed letters go back as they are, over SCRAM and without the key; the service opens them and finds them as broken as before."""
    sales = mesh.services[SALES]
    before = sales.metric("mesh_rejected_total")
    result = mesh.tool("meshctl", mesh.scram(password="next"), "dlq", "replay", SALES, "--yes")
    checks.equal("meshctl dlq replay", (result.returncode, result.stdout), (0, result.stdout))
    wait_until("they were refused again", lambda: sales.alive() and sales.metric("mesh_rejected_total") >= 2 * before, 30)
    checks.equal("refused again", sales.metric("mesh_rejected_total"), 2 * before)
    checks.equal("all were opened", sales.metric("mesh_rejected_total", code="letter.sealed"), 0)


def main():
    with Secure(sys.argv[1]) as mesh:
        checks = Checks()
        mesh.start_broker()
        for part in (check_tools, check_refusals, check_mended, check_end_to_end, check_letters, check_replay):
            began = time.monotonic()
            part(mesh, checks)
            print("%s: %.1f s" % (part.__name__, time.monotonic() - began), flush=True)
        checks.end(at_least=60)


main()
