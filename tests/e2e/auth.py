"""Who may ask: TLS, keys, tokens and roles against a running service, with curl; and what does not start.

    auth.py BUILD
"""
import base64
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import Checks, Mesh, free_port, wait_until  # noqa: E402

DOMAIN = "sales_fraud"
DESK = "d" * 40
GUEST = "g" * 40
LATER = "l" * 40
ANALYST = "a" * 40
PURPOSE = "how many cards pay in a country"
DAILY = "/sales/daily/by-country"
STREAM = "/alerts/stream"
LIST = "/alerts/by-rule"


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class World:
    def __init__(self, mesh):
        self.mesh, self.dir, self.service = mesh, mesh.dir, mesh.services[DOMAIN]
        self.cert, self.key = self.path("cert.pem"), self.path("key.pem")
        self.keys, self.jwks, self.signer = self.path("keys.json"), self.path("jwks.json"), self.path("signer.pem")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                     "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.cert)
        os.chmod(self.key, 0o600)
        self.openssl("genpkey", "-algorithm", "ed25519", "-out", self.signer)
        public = self.openssl("pkey", "-in", self.signer, "-pubout", "-outform", "DER")[-32:]
        self.write(self.jwks, {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": b64(public)}]})
        self.write_keys([("desk", DESK, ["fraud-desk"]), ("guest", GUEST, []), ("analyst", ANALYST, [], [PURPOSE])])
        self.audit, self.audit_key = self.path("audit"), self.path("audit.key")
        with open(os.open(self.audit_key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write("k" * 64 + "\n")

    def path(self, name):
        return os.path.join(self.dir, name)

    @staticmethod
    def write(path, value):
        with open(path, "w") as f:
            json.dump(value, f)

    def write_keys(self, keys):
        self.write(self.keys, {"keys": [{"name": n, "sha256": hashlib.sha256(k.encode()).hexdigest(), "roles": r, "purposes": sum(p, [])}
                                        for n, k, r, *p in keys]})

    @staticmethod
    def openssl(*args):
        return subprocess.run(["openssl", *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout

    def token(self, claims, header=None):
        text = "%s.%s" % (b64(json.dumps(header or {"alg": "EdDSA", "kid": "k1"}).encode()), b64(json.dumps(claims).encode()))
        with open(self.path("text"), "w") as f:
            f.write(text)
        return text + "." + b64(self.openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.signer, "-in", self.path("text")))

    def settings(self, **more):
        env = {"MESH_HTTP_CERT_FILE": self.cert, "MESH_HTTP_KEY_FILE": self.key, "MESH_HTTP_API_KEYS_FILE": self.keys,
               "MESH_HTTP_JWKS_FILE": self.jwks, "MESH_HTTP_JWT_ISSUER": "https://id.example", "MESH_HTTP_JWT_AUDIENCE": "mesh",
               "MESH_AUDIT_DIR": self.audit, "MESH_AUDIT_KEY_FILE": self.audit_key}
        env.update(more)
        return env

    def curl(self, path, *args, scheme="https"):
        """(status, body); status 0: no answer."""
        result = subprocess.run(["curl", "-s", "--max-time", "5", "--cacert", self.cert, "-w", "\n%{http_code}", *args,
                                 "%s://127.0.0.1:%d%s" % (scheme, self.service.port, path)], stdout=subprocess.PIPE, check=False)
        body, _, status = result.stdout.decode(errors="replace").rpartition("\n")
        return int(status or 0), body

    def log(self):
        with open(self.service.log) as f:
            return f.read()


def refuses_to_start(world, checks):
    def attempt(what, want, **env):
        result = subprocess.run([world.service.binary], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                timeout=30, check=False,
                                env=dict(os.environ, MESH_KAFKA_BROKERS=world.mesh.brokers, MESH_STATE_DIR=world.path("none"),
                                         MESH_PSEUDONYM_KEY="x" * 32, **env))
        text = result.stdout.decode()
        checks.equal("%s: exit" % what, result.returncode, 2)
        checks.equal("%s: says how" % what, want in text, True)

    every = {"MESH_HTTP_LISTEN": "0.0.0.0:%d" % free_port()}
    tls = {"MESH_HTTP_CERT_FILE": world.cert, "MESH_HTTP_KEY_FILE": world.key}
    attempt("plain, to everybody", "here is neither", **every)
    attempt("plain, to everybody on v6", "MESH_HTTP_INSECURE=1", MESH_HTTP_LISTEN="[::]:%d" % free_port())
    attempt("TLS without credentials", "here are no credentials", **every, **tls)
    attempt("credentials without TLS", "here is no TLS", **every, MESH_HTTP_API_KEYS_FILE=world.keys)
    attempt("half of TLS", "belong together", MESH_HTTP_CERT_FILE=world.cert)
    attempt("a key of another", "not that of the certificate", MESH_HTTP_CERT_FILE=world.cert, MESH_HTTP_KEY_FILE=world.signer)
    attempt("no such file", "credentials: ", MESH_HTTP_API_KEYS_FILE=world.path("nothing"))
    attempt("an audit without a key", "set together", MESH_AUDIT_DIR=world.path("none"))
    attempt("tokens of nobody", "MESH_HTTP_JWT_ISSUER", MESH_HTTP_JWKS_FILE=world.jwks)
    os.chmod(world.key, 0o644)
    attempt("a key that everybody may read", "MESH_HTTP_KEY_FILE", **tls)
    os.chmod(world.key, 0o600)


def ways(world, checks):
    checks.equal("plain HTTP", world.curl("/livez", scheme="http")[0], 0)
    checks.equal("TLS 1.1", world.curl("/livez", "--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0")[0], 0)
    checks.equal("TLS 1.2", world.curl("/livez", "--tls-max", "1.2")[0], 200)
    checks.equal("TLS 1.3", world.curl("/livez", "--tlsv1.3")[0], 200)
    health = subprocess.run([world.service.binary, "--health"], check=False,
                            env=dict(os.environ, **world.settings(MESH_HTTP_LISTEN="127.0.0.1:%d" % world.service.port)))
    checks.equal("--health", health.returncode, 0)


def requests(world, checks):
    now = int(time.time())
    good = {"iss": "https://id.example", "aud": "mesh", "sub": "ana", "exp": now + 600}
    tokens = {
        "good": world.token(good), "role": world.token(dict(good, roles=["fraud-desk"])), "scope": world.token(dict(good, scope="openid fraud-desk")),
        "over": world.token(dict(good, exp=now - 600)), "early": world.token(dict(good, nbf=now + 600)),
        "for others": world.token(dict(good, aud="shop")), "of others": world.token(dict(good, iss="https://evil.example")),
        "none": "%s.%s." % (b64(b'{"alg":"none","kid":"k1"}'), b64(json.dumps(good).encode())),
        "other key": world.token(good, {"alg": "EdDSA", "kid": "k2"}),
    }

    def key(k):
        return ["-H", "X-API-Key: " + k]

    def bearer(t):
        return ["-H", "Authorization: Bearer " + t]

    table = [  # path, arguments, status
        ("/livez", [], 200), ("/startupz", [], 200), ("/readyz", [], 200), ("/readyz", key("x" * 40), 200),
        ("/", [], 401), ("/metrics", [], 401), ("/openapi.json", [], 401), ("/.well-known/data-product", [], 401),
        ("/products/sales_fraud/openapi.json", [], 401), ("/nothing", [], 401), (LIST, [], 401), (STREAM, [], 401), (LIST + "/probes", [], 401),
        ("/cards/lookup", ["-d", '{"key":"c1"}'], 401), (LIST, ["-X", "DELETE"], 401), (LIST, ["-I"], 401),
        ("/", key(GUEST), 200), ("/metrics", key(GUEST), 200), ("/openapi.json", key(GUEST), 200), ("/nothing", key(GUEST), 404),
        (LIST, key(GUEST), 200), (LIST, key(DESK), 200), (LIST, bearer(DESK), 200), (LIST, bearer(tokens["good"]), 200),
        (LIST, key("x" * 40), 401), (LIST, key(""), 401), (LIST, key(DESK) + bearer(DESK), 401), (LIST, ["-u", "desk:" + DESK], 401),
        (LIST, key(DESK[:-1]), 401), (LIST, key(DESK + "d"), 401), (LIST + "?api_key=" + DESK, [], 401), (LIST, ["-b", "X-API-Key=" + DESK], 401),
        (LIST, key(hashlib.sha256(DESK.encode()).hexdigest()), 401), (LIST, key(LATER), 401),
        (DAILY, key(GUEST), 403), (DAILY, key(ANALYST), 200), (DAILY + "?fields=n", key(ANALYST), 200),
        (STREAM, key(GUEST), 403), (STREAM, bearer(tokens["good"]), 403), (STREAM, key(GUEST) + ["-I"], 403),
        (STREAM, key(DESK) + ["-I"], 200), (STREAM, bearer(tokens["role"]) + ["-I"], 200), (STREAM, bearer(tokens["scope"]) + ["-I"], 200),
        ("//alerts//stream", key(GUEST), 403), ("/alerts/%73tream", key(GUEST), 403), ("/alerts/stream/x", key(GUEST), 403),
        ("/alerts/stream?x", key(GUEST), 403), ("/x/../alerts/stream", key(GUEST) + ["--path-as-is"], 404),
        (LIST, bearer("a" * 9000), 401), (LIST, bearer("a." + "b" * 9000 + ".c"), 401),
    ]
    table += [(LIST, bearer(tokens[name]), 401) for name in ("over", "early", "for others", "of others", "none", "other key")]
    for path, args, want in table:
        checks.equal("%s %s" % (path, [a[:40] for a in args]), world.curl(path, *args)[0], want)
    status, body = world.curl("/readyz")
    checks.equal("health without details", (status, json.loads(body)), (200, {"ok": True}))
    checks.equal("health with details", "products" in json.loads(world.curl("/readyz", *key(GUEST))[1]), True)
    head = world.curl(LIST, "-I")[1]
    checks.equal("a challenge", "www-authenticate: bearer" in head.lower(), True)
    checks.equal("a problem", json.loads(world.curl(LIST)[1])["status"], 401)
    checks.equal("private", "cache-control: private" in world.curl(LIST, "-I", *key(GUEST))[1].lower(), True)
    status, body = world.curl(STREAM + "?replay=1", "-N", "--max-time", "2", *key(DESK))
    checks.equal("events over TLS", "id: " in body, True)
    return tokens


def reload(world, checks):
    world.write_keys([("later", LATER, ["fraud-desk"])])
    checks.equal("not before it is told", world.curl(LIST, "-H", "X-API-Key: " + DESK)[0], 200)
    world.service.process.send_signal(signal.SIGHUP)
    wait_until("the new key is taken", lambda: world.curl(LIST, "-H", "X-API-Key: " + LATER)[0] == 200)
    checks.equal("the old one is not", world.curl(LIST, "-H", "X-API-Key: " + DESK)[0], 401)
    with open(world.keys, "w") as f:
        f.write("{")
    world.service.process.send_signal(signal.SIGHUP)
    wait_until("it says that it cannot", lambda: "cannot be loaded" in world.log())
    checks.equal("it keeps what it had", world.curl(LIST, "-H", "X-API-Key: " + LATER)[0], 200)


def audit(world, checks, tokens):
    lines = [dict(part.split("=", 1) for part in shlex.split(line) if "=" in part) for line in world.log().splitlines() if "request refused" in line]
    reasons = {(line["status"], line["why"]) for line in lines}
    for want in (("401", "missing"), ("401", "key.unknown"), ("403", "role")):
        checks.equal("audited: %s" % (want,), want in reasons, True)
    by_guest = [line for line in lines if line["status"] == "403"]
    checks.equal("who and where", {(line["who"], line["route"]) for line in by_guest} >= {("guest", STREAM), ("guest", DAILY)}, True)
    text = world.log()
    for secret in [DESK, GUEST, LATER] + list(tokens.values()):
        checks.equal("no secret in the log", secret in text, False)


def trail(world, checks):
    """What the requests above left in the audit; and that nobody can change it unseen."""
    def verify(*args):
        return subprocess.run([world.mesh.bin("meshctl"), "audit", "verify", world.audit, "--key-file", world.audit_key, *args],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    path = os.path.join(world.audit, "audit.000001.ndjson")
    with open(path) as f:
        entries = [json.loads(line) for line in f]
    shown = [e for e in entries if e.get("decision") == "allowed"]
    checks.equal("one answer showed personal fields", [(e["who"], e["purpose"], e["port"], e["fields"]) for e in shown],
                 [("analyst", PURPOSE, "sales_fraud/daily_by_country", "cards")])
    denied = {(e.get("who", ""), e["reason"], e.get("port", "")) for e in entries if e.get("decision") == "denied"}
    for want in (("guest", "purpose", "sales_fraud/daily_by_country"), ("guest", "role", "sales_fraud/live_alerts"), ("", "missing", "")):
        checks.equal("denied: %s" % (want,), want in denied, True)
    checks.equal("sound", (verify().returncode, verify("--at-least", str(len(entries))).returncode), (0, 0))
    checks.equal("fewer than were noted", verify("--at-least", str(len(entries) + 1)).returncode, 1)
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace('"who":"analyst"', '"who":"nobody2"'))
    found = verify()
    checks.equal("changed", (found.returncode, "was changed" in found.stdout.decode()), (1, True))


def main():
    checks = Checks()
    with Mesh(sys.argv[1], "embedded", services=[DOMAIN]) as mesh:
        mesh.start_broker()
        world = World(mesh)
        refuses_to_start(world, checks)
        world.service.env = world.settings()
        world.service.start(wait=False)
        wait_until("the service is ready", lambda: world.service.alive() and world.curl("/readyz")[0] == 200)
        ways(world, checks)
        tokens = requests(world, checks)
        reload(world, checks)
        audit(world, checks, tokens)
        world.service.kill(signal.SIGTERM)
        trail(world, checks)
    checks.end(80)


if __name__ == "__main__":
    main()
