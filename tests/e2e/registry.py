"""A service with a schema registry, Confluent's Python clients on the other side, and a registry that misbehaves.

    registry.py BUILD mesh|apicurio

`mesh` is `meshctl registry`. The service asks through a gate that can be made to fail: away, slow, garbage, 401, 503, another
certificate. What is written is registered by the clients themselves; every figure is computed again here from what was sent.
"""
import base64
import http.client
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import ROOT, Checks, Mesh, free_port, skip, wait_until  # noqa: E402

HERE = os.path.join(ROOT, "tests", "e2e", "registry")
CACHE = os.environ.get("MESH_CACHE", os.path.join(ROOT, ".cache"))
PYTHON = os.path.join(CACHE, "registry", "python", "bin", "python")
TOPIC, OUT, DLQ = "till.sales", "till.receipts", "mesh.till.dlq"
NOW_MS = int(time.time() * 1000)


def contract(name):
    with open(os.path.join(HERE, "contracts", "till", name)) as f:
        return f.read()


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
TIME = {"type": "long", "logicalType": "timestamp-millis"}
# Other order, other types, an enum with other numbers, a field that nobody knows: what no version in the tree says.
FOREIGN = {"type": "record", "name": "Sale", "namespace": "com.other", "doc": "Seen for the first time.", "fields": [
    {"name": "at", "type": TIME}, {"name": "extra", "type": {"type": "map", "values": "int"}}, {"name": "pieces", "type": "int"},
    {"name": "channel", "type": {"type": "enum", "name": "Channel", "symbols": ["KIOSK", "SHOP", "WEB"]}},
    {"name": "sale_id", "type": "bytes"}, {"name": "amount", "type": DECIMAL}, {"name": "shop", "type": "string"},
    {"name": "note", "type": "string"}]}
UNFIT = {"type": "record", "name": "Sale", "namespace": "till", "fields": [
    {"name": "sale_id", "type": "string"}, {"name": "shop", "type": "string"}, {"name": "amount", "type": "double"},
    {"name": "channel", "type": "string"}, {"name": "at", "type": TIME}]}


def foreign(n):
    """As many schemas as one wants, all readable, all different."""
    schema = json.loads(json.dumps(FOREIGN))
    schema["fields"].append({"name": "more_%d" % n, "type": "int", "default": 0})
    return schema


class Gate:
    """Stands before a registry and does what `mode` says."""

    def __init__(self, target, tls=None):
        gate = self
        self.target, self.mode, self.asked, self.wants = target, "pass", 0, None

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def handle_any(self):
                gate.asked += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                mode = gate.mode
                if mode == "away":  # a connection that is kept open ends, others are not taken
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return None
                if mode == "slow":
                    time.sleep(8)
                if mode == "garbage":
                    return self.answer(200, b"<html>Welcome to the proxy</html>")
                if mode == "endless":
                    return self.answer(200, b"[" + b"1," * (3 << 20) + b"1]")
                if mode.isdigit():
                    return self.answer(int(mode), b'{"error_code": %s01, "message": "not today"}' % mode.encode())
                if gate.wants is not None and self.headers.get("Authorization") != gate.wants:
                    return self.answer(401, b'{"error_code": 40101, "message": "Unauthorized"}')
                host, port, prefix = gate.target
                connection = http.client.HTTPConnection(host, port, timeout=10)
                try:
                    connection.request(self.command, prefix + self.path, body=body or None, headers={"Content-Type": self.headers.get("Content-Type", "")})
                    answer = connection.getresponse()
                    self.answer(answer.status, answer.read())
                except OSError:
                    self.answer(502, b"no registry")
                finally:
                    connection.close()

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def verify_request(self, request, client_address):
                return gate.mode != "away"

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", free_port()), Handler)
        self.server.block_on_close = False
        scheme = "http"
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls[0], tls[1])
            if tls[2] is not None:
                context.load_verify_locations(tls[2])
                context.verify_mode = ssl.CERT_REQUIRED
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
            scheme = "https"
        self.url = "%s://localhost:%d" % (scheme, self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Registry:
    """`meshctl registry`, or Apicurio; killed and started again under the same address."""

    def __init__(self, kind, mesh):
        self.kind, self.mesh, self.port = kind, mesh, free_port()
        self.dir = os.path.join(mesh.dir, "registry")
        self.prefix = "" if kind == "mesh" else "/apis/ccompat/v7"
        self.process = None

    @property
    def url(self):
        return "http://127.0.0.1:%d%s" % (self.port, self.prefix)

    def start(self):
        home = os.path.join(CACHE, "registry", "apicurio")
        if self.kind == "mesh":
            command, cwd = [self.mesh.bin("meshctl"), "registry", "--dir", self.dir, "--listen", "127.0.0.1:%d" % self.port], None
        else:
            management = free_port()
            cwd = home
            command = ["java", "-Xmx400m", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1", "-Dquarkus.http.port=%d" % self.port,
                       "-Dquarkus.management.host=127.0.0.1", "-Dquarkus.management.port=%d" % management, "-jar", os.path.join(home, "quarkus-run.jar")]
            jars = [f for f in os.listdir(home) if f.endswith("-runner.jar")]
            if jars:
                command[-1] = os.path.join(home, jars[0])
        with open(os.path.join(self.mesh.dir, "registry.log"), "ab") as log:
            self.process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until("the registry answers", lambda: self.process.poll() is None and self.ask("GET", "/subjects")[0] == 200, 60)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, self.prefix + path, body=None if body is None else json.dumps(body),
                               headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except OSError:
            return 0, None
        finally:
            connection.close()


class World:
    """What was sent, and what must come of it."""

    def __init__(self, mesh, registry, checks):
        self.mesh, self.registry, self.checks = mesh, registry, checks
        self.n, self.sales = 0, []
        self.peer = subprocess.Popen([PYTHON, os.path.join(ROOT, "tests", "e2e", "registry_peer.py")], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)

    def tell(self, **ask):
        ask.update(registry=self.registry.url, brokers=self.mesh.brokers)
        self.peer.stdin.write(json.dumps(ask) + "\n")
        self.peer.stdin.flush()
        line = self.peer.stdout.readline()
        assert line, "the Python client ended"
        return json.loads(line)

    def sale(self, shop, **more):
        self.n += 1
        sale = {"sale_id": "s%d" % self.n, "shop": shop, "amount": "d:%d.%02d" % (self.n, self.n % 100), "channel": "WEB" if self.n % 3 else "SHOP",
                "pieces": self.n, "note": "note %d" % self.n, "at": "t:%d" % (NOW_MS + self.n)}
        sale.update(more)
        return sale

    def send(self, schema, shops, counted=True, conf=None, guid=False, **more):
        records = [self.sale(shop, **more) for shop in shops]
        fields = [f["name"] for f in json.loads(schema)["fields"]] if isinstance(schema, str) else [f["name"] for f in schema["fields"]]
        wire = []
        for r in records:
            w = {k: v for k, v in r.items() if k in fields}
            if isinstance(schema, dict) and any(f["name"] == "sale_id" and f["type"] == "bytes" for f in schema["fields"]):
                w["sale_id"] = "b:" + w["sale_id"]
            if "extra" in fields:
                w["extra"] = {"a": 1, "b": -2}
            if isinstance(schema, dict) and schema is UNFIT:
                w["amount"] = 1.5
            wire.append(w)
        text = schema if isinstance(schema, str) else json.dumps(schema)
        answer = self.tell(do="produce", topic=TOPIC, schema=text, key="shop", records=wire, conf=conf or {}, guid=guid)
        assert answer["left"] == 0, "messages were not delivered"
        if counted:
            for r in records:
                if "pieces" not in fields:
                    r["pieces"], r["note"] = 1, None
                self.sales.append(r)
        return answer

    def figures(self):
        result = {}
        for s in self.sales:
            row = result.setdefault(s["shop"], {"n": 0, "total": Decimal(0), "pieces": 0, "web": 0, "note": None})
            row["n"] += 1
            row["total"] += Decimal(s["amount"][2:])
            row["pieces"] += s["pieces"]
            row["web"] += s["channel"] == "WEB"
            row["note"] = s["note"] if s["note"] is not None else row["note"]
        return result

    def counted(self):
        return sum(r["n"] for r in self.mesh.services["till"].rows("/by-shop", windowed=False))

    def settle(self, what):
        service = self.mesh.services["till"]
        wait_until("%s: %d sales are counted" % (what, len(self.sales)), lambda: service.alive() and self.counted() >= len(self.sales), 40)
        have = {r["shop"]: {"n": r["n"], "total": Decimal(r["total"]), "pieces": r["pieces"], "web": r["web"], "note": r["note"]}
                for r in service.rows("/by-shop", windowed=False)}
        want = self.figures()
        for shop in sorted(set(have) | set(want)):
            self.checks.equal("%s: %s" % (what, shop), have.get(shop), want.get(shop))

    def schemas(self):
        return self.mesh.services["till"].get("/readyz")["products"][0]["schemas"]

    def waits(self, what, *words):
        """Until /readyz says so, with these words in the reason."""
        def says():
            s = self.schemas()
            return s if s["status"] == "waiting for the schema registry" and all(w in s.get("reason", "") for w in words) else None
        self.checks.equal(what + " is said", wait_until("/readyz says: " + what, says, 30)["status"], "waiting for the schema registry")

    def letters(self):
        out = subprocess.run([os.path.join(self.mesh.build, "tests", "mesh-records"), "dump", self.mesh.brokers, DLQ, "1"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        found = []
        for line in out.splitlines():
            record = json.loads(line)
            record["names"] = {name: bytes.fromhex(value).decode(errors="replace") for name, value in record["headers"]}
            found.append(record)
        return found


def build_service(build):
    """By a user's route: meshgen, then meson in the emitted folder."""
    gen, out = os.path.join(build, "e2e", "registry-gen"), os.path.join(build, "e2e", "registry-svc")
    subprocess.run([os.path.join(build, "bin", "meshgen"), "generate", "--mesh", HERE, "-o", gen], check=True, stdout=subprocess.DEVNULL)
    env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(build, "meson-uninstalled"))
    target = os.path.join(out, "till")
    if not os.path.exists(os.path.join(target, "build.ninja")):
        subprocess.run(["meson", "setup", target, os.path.join(gen, "till")], check=True, env=env, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", target], check=True, stdout=subprocess.DEVNULL)
    return out


def local_sale(mesh, world, shop):
    """A record with an id that was computed from the contract, as before there was a registry."""
    sale = world.sale(shop, note=None, pieces=1)
    row = "sale_id,shop,amount,channel,at\n%s,%s,%s,%s,%s\n" % (
        sale["sale_id"], shop, sale["amount"][2:], sale["channel"], time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(NOW_MS / 1000)))
    subprocess.run([os.path.join(mesh.build, "tests", "mesh-load"), "--brokers", mesh.brokers, "--topic", TOPIC, "--key", "shop", "--time", "at",
                    "--contract", os.path.join(HERE, "contracts", "till", "sale.v1.avsc"), "--partitions", "4"], input=row, text=True, check=True,
                   stdout=subprocess.DEVNULL)
    world.sales.append(sale)


def meshgen(mesh, url, *args, cwd=HERE):
    result = subprocess.run([mesh.bin("meshgen")] + list(args), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, env=dict(os.environ, MESH_SCHEMA_REGISTRY_URL=url))
    return result.returncode, result.stdout


def tools(mesh, registry, checks):
    """meshgen publishes contracts, and holds files against the registry."""
    def says(what, code, words, *args, url=registry.url):
        have = meshgen(mesh, url, *args)
        checks.equal("meshgen %s: exit" % " ".join(args), have[0], code)
        checks.equal("%s says %s: %s" % (what, words, have[1]), words in have[1], True)
    says("a dry run", 0, "till.receipts-value: till/receipt@1 would be registered", "schema", "register", "--dry-run")
    checks.equal("a dry run registers nothing", registry.ask("GET", "/subjects/till.receipts-value/versions")[0], 404)
    says("publishing", 0, "1 registered, 0 there already", "schema", "register")
    says("publishing again", 0, "0 registered, 1 there already", "schema", "register")
    checks.equal("with its documentation", "A sale that was paid." in registry.ask("GET", "/subjects/till.receipts-value/versions/1")[1]["schema"], True)
    says("nothing breaks", 0, "nothing breaks against", "breaking", "--against", "registry")
    says("a schema of another name", 1, "NAME_MISMATCH", "schema", "compat", "--against", "registry:till.receipts-value", "--mode", "BACKWARD",
         "contracts/till/sale.v1.avsc")
    says("no subject", 2, "has no subject 'nope'", "schema", "compat", "--against", "registry:nope", "contracts/till/sale.v1.avsc")
    says("no registry", 2, "which schema registry? Give --registry URL", "schema", "register", url="")
    says("nobody there", 2, "cannot be reached", "breaking", "--against", "registry", url="http://127.0.0.1:%d" % free_port())
    bad = {"type": "record", "name": "Sale", "namespace": "till", "fields": [{"name": "sale_id", "type": "long"}]}
    checks.equal("a writer that changed", registry.ask("POST", "/subjects/till.sales-value/versions", {"schema": json.dumps(bad)})[0], 200)
    says("what an input cannot read", 1, "field 'sale_id' is written as long", "breaking", "--against", "registry")
    registry.ask("PUT", "/config/till.sales-value", {"compatibility": "NONE"})


def data(world, service, checks, kind):
    registry = world.registry
    wait_until("the port's contract is registered", lambda: registry.ask("GET", "/subjects/till.receipts-value/versions")[1] == [1], 20)
    world.send(contract("sale.v2.avsc"), ["a", "b", "c", "d", "e", "a"])
    world.settle("a version of the contract")
    checks.equal("plans for it", service.metric("mesh_schema_plans"), 0)
    world.send(contract("sale.v1.avsc"), ["a", "b"])
    world.settle("an older version")
    checks.equal("plans for versions", service.metric("mesh_schema_plans"), 0)
    local_sale(world.mesh, world, "c")
    world.settle("an id from before the registry")
    world.send(FOREIGN, ["a", "b", "c", "d"])
    world.settle("a schema that nobody knew")
    checks.equal("plans", service.metric("mesh_schema_plans"), 1)
    if kind == "mesh":
        answer = world.send(foreign(1), ["a", "b"], guid=True)
        checks.equal("the id is in a header", answer["sent"][0][:2] != "00", True)
        world.settle("a GUID in a header")
        checks.equal("plans with a GUID", service.metric("mesh_schema_plans"), 2)


def refused(world, service, checks):
    """What cannot be read becomes letters with their original bytes; the rest goes on."""
    sent = world.send(UNFIT, ["a", "b"], counted=False)["sent"]
    value = world.send(FOREIGN, ["c"], counted=False, channel="KIOSK")["sent"]
    unknown = "00" + "7fff0001" + "0202"
    subprocess.run([os.path.join(world.mesh.build, "tests", "mesh-records"), "put", world.mesh.brokers, TOPIC, "0", "x", unknown,
                    str(NOW_MS)], check=True, stdout=subprocess.DEVNULL)
    want = {("schema.incompatible", sent[0]), ("schema.incompatible", sent[1]), ("schema.value", value[0]), ("schema.unknown", unknown)}
    wait_until("four letters", lambda: len(world.letters()) >= 4, 30)
    letters = world.letters()
    checks.equal("letters", {(x["names"]["__mesh.errors.code"], x["value"]) for x in letters}, want)
    reason = next(x["names"]["__mesh.errors.reason"] for x in letters if x["names"]["__mesh.errors.code"] == "schema.incompatible")
    checks.equal("the reason names the contract", "till/sale@2 cannot read what schema" in reason, True)
    checks.equal("others have none", [x["names"].get("__mesh.errors.reason") for x in letters if x["names"]["__mesh.errors.code"] == "schema.unknown"], [None])
    world.send(contract("sale.v2.avsc"), ["a", "b", "c", "d"])
    world.settle("behind letters")
    # A writer of garbage: every record has another id, and each is asked for.
    for i in range(40):
        subprocess.run([os.path.join(world.mesh.build, "tests", "mesh-records"), "put", world.mesh.brokers, TOPIC, "1", "x",
                        "00%08x00" % (0x70000000 + i), str(NOW_MS)], check=True, stdout=subprocess.DEVNULL)
    wait_until("40 more letters", lambda: len(world.letters()) >= 44, 15)
    checks.equal("of garbage", sorted(x["value"] for x in world.letters() if x["value"].startswith("0070")), ["00%08x00" % (0x70000000 + i) for i in range(40)])


def faults(world, service, gate, checks):
    """A registry that does not answer holds back what needs it, and nothing else."""
    for i, (mode, words) in enumerate((("away", ["cannot be reached"]), ("slow", ["cannot be reached", "timed out"]), ("garbage", ["Welcome to the proxy"]),
                                       ("401", ["does not accept", "MESH_SCHEMA_REGISTRY_PASSWORD_FILE"]), ("503", ["503"]), ("endless", ["more than"]))):
        gate.mode = mode
        world.send(foreign(10 + i), ["a"])  # waits
        before = world.counted()
        world.send(contract("sale.v2.avsc"), ["b", "c", "d"])  # go on; those of a's partition wait behind it
        world.waits(mode, *words)
        wait_until("other partitions go on", lambda: world.counted() > before, 15)
        checks.equal(mode + ": partitions that wait", world.schemas()["partitions_waiting"], 1)
        checks.equal(mode + ": up", service.metric("mesh_schema_registry_up"), 0)
        gate.mode = "pass"
        world.settle("after " + mode)
        wait_until("it says that it is well", lambda: world.schemas()["status"] == "ok", 20)


def restarts(world, service, gate, registry, checks):
    """What was learned is kept: a start needs no registry. What was never seen waits, through a kill too."""
    gate.mode = "away"
    service.kill()
    world.send(contract("sale.v2.avsc"), ["a", "b"])
    world.send(FOREIGN, ["c", "d"])
    service.start()
    world.settle("a start without a registry")
    world.send(foreign(30), ["a", "b", "c", "d", "e"])
    world.waits("away", "cannot be reached")
    service.kill()
    service.start()
    registry.kill()
    gate.mode = "pass"
    world.waits("502", "502")
    registry.start()
    world.settle("a kill while it waits, and a registry that was killed")
    checks.equal("its ids are the same", registry.ask("GET", "/subjects/till.receipts-value/versions")[1], [1])


def fresh_start(world, service, gate, checks):
    """No state and no registry: it is ready, says why, reads nothing; then it does."""
    service.kill(signal.SIGTERM)
    gate.mode = "away"
    os.rename(os.path.join(service.state, "till", "schemas.json"), os.path.join(world.mesh.dir, "schemas.json"))
    service.start()
    world.waits("away", "cannot be reached")
    checks.equal("it has not joined", service.get("/readyz")["products"][0]["group"], "not joined")
    gate.mode = "pass"
    world.settle("a registry that comes late")


def secured(world, service, gate_of, checks):
    """TLS with a CA of its own, a client certificate, a password; and each of them wrong."""
    d = world.mesh.dir
    def run(*args):
        subprocess.run(["openssl"] + list(args), check=True, cwd=d, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for ca in ("ca", "other"):
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + ca, "-keyout", ca + ".key", "-out", ca + ".pem")
    for name in ("localhost", "client"):
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name, "-keyout", name + ".key", "-out", name + ".csr")
        run("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", name + ".pem")
    with open(os.path.join(d, "password"), "w") as f:
        f.write("geheim\n")
    for name in ("password", "client.key"):
        os.chmod(os.path.join(d, name), 0o600)
    gate = gate_of((os.path.join(d, "localhost.pem"), os.path.join(d, "localhost.key"), os.path.join(d, "ca.pem")))
    gate.wants = "Basic " + base64.b64encode(b"ann:geheim").decode()
    good = {"MESH_SCHEMA_REGISTRY_URL": gate.url, "MESH_SCHEMA_REGISTRY_CA_FILE": os.path.join(d, "ca.pem"),
            "MESH_SCHEMA_REGISTRY_CERT_FILE": os.path.join(d, "client.pem"), "MESH_SCHEMA_REGISTRY_KEY_FILE": os.path.join(d, "client.key"),
            "MESH_SCHEMA_REGISTRY_USER": "ann", "MESH_SCHEMA_REGISTRY_PASSWORD_FILE": os.path.join(d, "password")}
    for what, change, words in (
            ("another CA", {"MESH_SCHEMA_REGISTRY_CA_FILE": os.path.join(d, "other.pem")}, ["is not trusted", "MESH_SCHEMA_REGISTRY_CA_FILE"]),
            ("no client certificate", {"MESH_SCHEMA_REGISTRY_CERT_FILE": "", "MESH_SCHEMA_REGISTRY_KEY_FILE": ""}, ["certificate", "MESH_SCHEMA_REGISTRY_CERT_FILE"]),
            ("another user", {"MESH_SCHEMA_REGISTRY_USER": "bob"}, ["does not accept user bob"]), ("all in order", {}, None)):
        service.kill(signal.SIGTERM)
        service.env = dict(good, **change)
        service.start()
        if words is not None:
            world.waits(what, *words)
        with open(service.log) as f:
            checks.equal(what + ": no password in the log", "geheim" in f.read(), False)
    world.send(foreign(40), ["a", "b", "c"])
    world.settle("with TLS and a password")


def read_back(world, checks):
    """Confluent's deserializer reads what the service wrote; after a kill some of it twice, because it does not look at our header."""
    answer = world.tell(do="consume", topic=OUT, n=len(world.sales), timeout_s=30)
    have = sorted({(r["sale_id"], r["shop"], r["amount"], r["channel"], r["pieces"], r["note"]) for r in answer["records"]})
    want = sorted((s["sale_id"], s["shop"], s["amount"][2:], s["channel"], s["pieces"], s["note"]) for s in world.sales)
    checks.equal("receipts", have, want)
    checks.equal("they have one id", len(answer["ids"]), 1)
    checks.equal("which the registry gave", world.registry.ask("GET", "/subjects/till.receipts-value/versions/1")[1]["id"], answer["ids"][0])


def main():
    build, kind = os.path.abspath(sys.argv[1]), sys.argv[2]
    subprocess.run([os.path.join(ROOT, "scripts", "setup", "registry.sh")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not os.path.exists(PYTHON):
        skip("Confluent's Python clients are not there (scripts/setup.sh registry says why)")
    if kind == "apicurio" and not os.path.isdir(os.path.join(CACHE, "registry", "apicurio")):
        skip("Apicurio is not there (scripts/setup.sh registry says why)")
    checks = Checks()
    with Mesh(build, "embedded", root=HERE, gen=build_service(build), services=["till"]) as mesh:
        registry = Registry(kind, mesh)
        registry.start()
        gate_of = lambda tls=None: Gate(("127.0.0.1", registry.port, registry.prefix), tls)  # noqa: E731
        gate, service = gate_of(), mesh.services["till"]
        service.env = {"MESH_SCHEMA_REGISTRY_URL": gate.url}
        mesh.env["MESH_LOG_LEVEL"] = "debug"
        world = World(mesh, registry, checks)
        try:
            tools(mesh, registry, checks)
            mesh.start()
            data(world, service, checks, kind)
            refused(world, service, checks)
            if kind == "mesh":
                faults(world, service, gate, checks)
                restarts(world, service, gate, registry, checks)
                fresh_start(world, service, gate, checks)
                secured(world, service, gate_of, checks)
            read_back(world, checks)
        finally:
            world.peer.stdin.close()
            world.peer.wait(timeout=10)
            registry.kill()
    checks.end(20)


if __name__ == "__main__":
    main()
