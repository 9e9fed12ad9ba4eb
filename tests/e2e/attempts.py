"""A table of attempts: each is one way to see or do more than one may, sent to a running service under load, with the refusal that it must
meet. No answer and no line of the log may hold what was not to be told.

    attempts.py BUILD

The service is `customer`, with its protected keys, its masks and its rows of few people. Requests are bytes on a TLS connection, so that also
those can be sent that no client would make.
"""
import base64
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import Checks, Mesh, free_port, load, pseudonym, wait_until  # noqa: E402

DOMAIN = "customer"
DAY = (datetime.now(timezone.utc) - timedelta(days=10)).replace(hour=12, minute=0, second=0, microsecond=0)
CARE, DESK, GUEST, NOPURPOSE = "c" * 40, "d" * 40, "g" * 40, "n" * 40
MAIL, WHO, SUM = "zora.vault@secret.example", "cus-raw-4711", "777.77"
OTHER_MAIL = "mila.other@secret.example"
CONTACTS, DAYS, CUSTOMERS, VISITS = "/reach", "/orders/days", "/customers", "/visits"
OURS = CONTACTS + "?country=QX"  # the simulated customers live elsewhere
SPAN = "window=all&from=%s&to=%s" % ((DAY - timedelta(days=1)).strftime("%Y-%m-%d"), (DAY + timedelta(days=2)).strftime("%Y-%m-%d"))
PROBLEM = {400, 401, 403, 404, 405, 406, 409, 413, 414, 429, 503}  # answers of ours that say what is wrong


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class World:
    def __init__(self, mesh):
        self.mesh, self.dir, self.service = mesh, mesh.dir, mesh.services[DOMAIN]
        self.cert, self.key, self.ca = self.path("cert.pem"), self.path("key.pem"), self.path("ca.pem")
        self.keys, self.jwks = self.path("keys.json"), self.path("jwks.json")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                     "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.cert)
        os.chmod(self.key, 0o600)
        self.make_ca("ca")
        self.make_ca("other-ca")
        self.client("desk", "URI:spiffe://mesh/desk")
        self.client("named", "DNS:named.example", subject="/O=shop/CN=care desk")
        self.client("stranger", "URI:spiffe://mesh/stranger")
        self.client("forged", "URI:spiffe://mesh/desk", ca="other-ca")
        self.client("over", "URI:spiffe://mesh/desk", days="-1")
        self.client("server", "URI:spiffe://mesh/desk", usage="serverAuth")
        self.openssl("genpkey", "-algorithm", "ed25519", "-out", self.path("signer.pem"))
        self.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.path("rsa.pem"))
        public = self.openssl("pkey", "-in", self.path("signer.pem"), "-pubout", "-outform", "DER")[-32:]
        modulus = bytes.fromhex(self.openssl("rsa", "-in", self.path("rsa.pem"), "-noout", "-modulus").decode().strip().split("=")[1])
        self.rsa_public = self.openssl("pkey", "-in", self.path("rsa.pem"), "-pubout")
        self.write(self.jwks, {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(public)},
                                        {"kty": "RSA", "kid": "rsa", "alg": "RS256", "n": b64(modulus), "e": "AQAB"}]})
        keys = [{"name": n, "sha256": hashlib.sha256(k.encode()).hexdigest(), "roles": r, "purposes": p}
                for n, k, r, p in (("care", CARE, ["care"], ["service"]), ("desk", DESK, ["helpdesk"], ["service"]), ("guest", GUEST, [], []),
                                   ("nopurpose", NOPURPOSE, ["care"], ["marketing"]))]
        keys += [{"name": "desk-machine", "certificate": "URI:spiffe://mesh/desk", "roles": ["helpdesk"], "purposes": ["service"]},
                 {"name": "care-machine", "certificate": "SUBJECT:CN=care desk,O=shop", "roles": ["care"], "purposes": ["service"]}]
        self.write(self.keys, {"keys": keys})

    def path(self, name):
        return os.path.join(self.dir, name)

    @staticmethod
    def write(path, value):
        with open(path, "w") as f:
            json.dump(value, f)

    @staticmethod
    def openssl(*args, **kwargs):
        result = subprocess.run(["openssl", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **kwargs)
        assert result.returncode == 0, (args, result.stderr)
        return result.stdout

    def make_ca(self, name):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                     "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem"))

    def client(self, name, san, ca="ca", days="2", usage="clientAuth", subject=None):
        key, request, ext = self.path(name + ".key"), self.path(name + ".csr"), self.path(name + ".ext")
        with open(ext, "w") as f:
            f.write("subjectAltName=%s\nextendedKeyUsage=%s\nbasicConstraints=CA:FALSE\n" % (san, usage))
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject or "/CN=" + name,
                     "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.path(ca + ".pem"), "-CAkey", self.path(ca + ".key"), "-CAcreateserial",
                     "-days", days, "-extfile", ext, "-out", self.path(name + ".pem"))

    def token(self, claims, header=None, signer="signer.pem", tail=None):
        text = "%s.%s" % (b64(json.dumps(header or {"alg": "EdDSA", "kid": "ed"}).encode()), b64(json.dumps(claims).encode()))
        if tail is not None:
            return text + "." + tail
        with open(self.path("text"), "w") as f:
            f.write(text)
        how = ["-rawin"] if signer == "signer.pem" else ["-rawin", "-digest", "sha256"]
        return text + "." + b64(self.openssl("pkeyutl", "-sign", *how, "-inkey", self.path(signer), "-in", self.path("text")))

    def settings(self, **more):
        env = {"MESH_HTTP_CERT_FILE": self.cert, "MESH_HTTP_KEY_FILE": self.key, "MESH_HTTP_API_KEYS_FILE": self.keys,
               "MESH_HTTP_JWKS_FILE": self.jwks, "MESH_HTTP_JWT_ISSUER": "https://id.example", "MESH_HTTP_JWT_AUDIENCE": "mesh",
               "MESH_HTTP_CLIENT_CA_FILE": self.ca}
        env.update(more)
        return env

    def connect(self, client=None, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.cert)
        if client:
            context.load_cert_chain(self.path(client + ".pem"), self.path(client + ".key"))
        if version:
            context.maximum_version = version
        plain = socket.create_connection(("127.0.0.1", self.service.port), timeout=15)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def send(self, raw, client=None, quick=True):
        """All that comes back for these bytes: (status, everything). Status 0: nothing came, the connection was closed."""
        got = b""
        try:
            with self.connect(client) as s:
                s.sendall(raw)
                while True:
                    part = s.recv(65536)
                    got += part
                    if not part or (quick and whole(got, raw)):
                        break
        except (OSError, ssl.SSLError):
            pass
        found = re.match(rb"HTTP/1\.[01] (\d{3})", got)
        return (int(found.group(1)) if found else 0), got.decode(errors="replace")


def whole(got, raw):
    head, gap, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(gap) and (raw.startswith(b"HEAD") or (length is not None and len(body) >= int(length.group(1))))


def request(path, *headers, method="GET", body=None, host="127.0.0.1"):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host] + list(headers)
    if body is not None:
        lines.append("Content-Length: %d" % len(body.encode()))
    return ("\r\n".join(lines) + "\r\n\r\n" + (body or "")).encode()


def key(k):
    return "X-API-Key: " + k


def bearer(t):
    return "Authorization: Bearer " + t


def unknown_callers(world):
    """Rows of the table: what, bytes, statuses that are right, certificate."""
    now = int(time.time())
    good = {"iss": "https://id.example", "aud": "mesh", "sub": "eve", "exp": now + 600, "roles": ["care"], "purposes": ["service"]}
    sign, hs = world.token, lambda secret, header: world.token(good, header, tail="") + b64(
        hmac.new(secret, world.token(good, header, tail="")[:-1].encode(), "sha256").digest())
    whole_token = sign(good)
    head, claims, signature = whole_token.split(".")
    tokens = {
        "expired": sign(dict(good, exp=now - 600)), "without exp": sign({k: v for k, v in good.items() if k != "exp"}),
        "exp as text": sign(dict(good, exp=str(now + 600))), "exp beyond numbers": sign(dict(good, exp=1e300)),
        "not yet": sign(dict(good, nbf=now + 600)), "nbf as text": sign(dict(good, nbf="soon")),
        "for others": sign(dict(good, aud="shop")), "for nobody": sign({k: v for k, v in good.items() if k != "aud"}),
        "for a prefix": sign(dict(good, aud="mes")), "for a list without us": sign(dict(good, aud=["a", "b"])),
        "of others": sign(dict(good, iss="https://evil.example")), "of nobody": sign({k: v for k, v in good.items() if k != "iss"}),
        "of a prefix": sign(dict(good, iss="https://id.example.evil")), "without a name": sign({k: v for k, v in good.items() if k != "sub"}),
        "name as a number": sign(dict(good, sub=7)), "roles as a number": sign(dict(good, roles=7)), "roles of numbers": sign(dict(good, roles=[7])),
        "alg none": sign(good, {"alg": "none", "kid": "ed"}, tail=""), "alg NONE": sign(good, {"alg": "NONE", "kid": "ed"}, tail=""),
        "alg none, signed": sign(good, {"alg": "none", "kid": "ed"}), "without alg": sign(good, {"kid": "ed"}),
        "alg of another key": sign(good, {"alg": "RS256", "kid": "ed"}), "another key's kid": sign(good, {"alg": "EdDSA", "kid": "rsa"}),
        "alg as a list": sign(good, {"alg": ["EdDSA"], "kid": "ed"}), "unknown kid": sign(good, {"alg": "EdDSA", "kid": "nobody"}),
        "without kid": sign(good, {"alg": "EdDSA"}), "kid as a path": sign(good, {"alg": "EdDSA", "kid": "../../dev/null"}),
        "a key inside": sign(good, {"alg": "EdDSA", "kid": "mine", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}}),
        "a key by URL": sign(good, {"alg": "EdDSA", "kid": "mine", "jku": "https://evil.example/keys"}),
        "critical extension": sign(good, {"alg": "EdDSA", "kid": "ed", "crit": ["x"], "x": 1}),
        "another typ": sign(good, {"alg": "EdDSA", "kid": "ed", "typ": "dpop+jwt"}),
        "HS256 with the public RSA key": hs(world.rsa_public, {"alg": "HS256", "kid": "rsa"}),
        "HS256 with its DER": hs(world.openssl("pkey", "-pubin", "-outform", "DER", input=world.rsa_public), {"alg": "HS256", "kid": "rsa"}),
        "HS256 with nothing": hs(b"", {"alg": "HS256", "kid": "ed"}),
        "RS256 of another key": sign(good, {"alg": "RS256", "kid": "rsa"}),
        "PS256": sign(good, {"alg": "PS256", "kid": "rsa"}, "rsa.pem"), "RS384": sign(good, {"alg": "RS384", "kid": "rsa"}, "rsa.pem"),
        "no signature": head + "." + claims + ".", "no claims": head + ".." + signature, "two parts": head + "." + claims,
        "four parts": whole_token + ".x", "five parts": "a.b.c.d.e", "changed claims": head + "." + b64(json.dumps(dict(good, roles=["x"])).encode()) + "." + signature,
        "padding": head + "=." + claims + "." + signature, "a cut signature": whole_token[:-4], "a longer one": whole_token + "AAAA",
        "claims that are no JSON": head + "." + b64(b"{") + "." + signature, "claims twice": sign(good)[:-1] + "!",
        "a long one": "a." + "b" * 9000 + ".c", "only dots": "..", "a space": whole_token.replace(".", " .", 1),
    }
    table = [("token: " + what, request(CONTACTS, bearer(t)), {401}, None) for what, t in tokens.items()]
    hashed = hashlib.sha256(CARE.encode()).hexdigest()
    keys = {"none": [], "empty": [key("")], "short": [key(CARE[:-1])], "long": [key(CARE + "c")], "another": [key("x" * 40)], "its hash": [key(hashed)],
            "upper case": [key(CARE.upper())], "as basic": ["Authorization: Basic " + base64.b64encode(b"care:" + CARE.encode()).decode()],
            "both ways": [key(CARE), bearer(CARE)], "as a cookie": ["Cookie: X-API-Key=" + CARE], "without a scheme": ["Authorization: " + CARE],
            "as proxy credentials": ["Proxy-Authorization: Bearer " + CARE], "of a kilobyte": [key("c" * 1024)],
            "with a tab behind": [key(CARE + "\t.")], "as a forwarded user": ["X-Forwarded-User: care", "X-Remote-User: care"],
            "as a forwarded certificate": ["X-Client-Cert: URI:spiffe://mesh/desk", "X-SSL-Client-Verify: SUCCESS"]}
    table += [("key: " + what, request(CONTACTS, *headers), {401}, None) for what, headers in keys.items()]
    table += [("key in the query: " + q, request(CONTACTS + "?" + q + "=" + CARE), {401}, None) for q in ("api_key", "access_token", "X-API-Key")]
    table += [("nobody asks for " + p, request(p), {401}, None)
              for p in ("/", "/metrics", "/openapi.json", "/.well-known/data-product", "/products/customer/openapi.json", "/contracts",
                        "/contracts/customer/profile@1", DAYS, CUSTOMERS, VISITS, "/nothing")]
    table += [("nobody posts a lookup", request(CONTACTS + "/lookup", method="POST", body='{"key":"%s"}' % WHO), {401}, None)]
    for name, want in (("stranger", 401), ("forged", 401), ("over", 401), ("server", 401)):
        table.append(("certificate: " + name, request(CONTACTS), {want}, name))
    for name in ("forged", "over", "server"):
        table.append(("a good key under a bad certificate: " + name, request(CONTACTS, key(CARE)), {401}, name))
    return table, tokens


def known_callers():
    """What those who are known may not."""
    table = [("guest", request(CONTACTS, key(GUEST)), {403}, None), ("the role without the purpose", request(CONTACTS, key(NOPURPOSE)), {403}, None),
             ("guest, by a twisted path", request("//reach", key(GUEST)), {403}, None),
             ("guest, by an escaped path", request("/%72each", key(GUEST)), {403}, None),
             ("guest, with a parameter", request(CONTACTS + "?limit=1", key(GUEST)), {403}, None),
             ("guest, by a path without its slash", request("reach", key(GUEST)), {400, 403, 404}, None),
             ("guest, HEAD", request(CONTACTS, key(GUEST), method="HEAD"), {403}, None),
             ("guest, below", request(CONTACTS + "/x", key(GUEST)), {403}, None),
             ("a certificate of a machine without the purpose of another port", request(CONTACTS + "/lookup", method="POST", body='{"key":"%s"}' % WHO), {403}, "desk")]
    for verb in ("GET", "HEAD", "PUT", "DELETE"):
        table.append(("the raw key in a path, " + verb, request(CONTACTS + "/" + WHO, key(CARE), method=verb), {403, 405}, None))
    table += [("lookup without its role", request(CONTACTS + "/lookup", key(DESK), method="POST", body='{"key":"%s"}' % WHO), {403}, None),
              ("lookup by GET", request(CONTACTS + "/lookup?key=" + WHO, key(CARE)), {405}, None),
              ("lookup of something else", request(CONTACTS + "/lookup", key(CARE), method="POST", body='{"kee":"%s"}' % WHO), {400}, None),
              ("lookup of a list", request(CONTACTS + "/lookup", key(CARE), method="POST", body='["%s"]' % WHO), {400}, None),
              ("lookup of a number", request(CONTACTS + "/lookup", key(CARE), method="POST", body='{"key":4711}'), {400, 404}, None),
              ("lookup of no JSON", request(CONTACTS + "/lookup", key(CARE), method="POST", body="key=" + WHO), {400}, None),
              ("lookup by pseudonym", request(CONTACTS + "/lookup", key(CARE), method="POST", body='{"key":"%s"}' % pseudonym("customer", WHO)), {404}, None),
              ("lookup of nobody", request(CONTACTS + "/lookup", key(CARE), method="POST", body='{"key":"cus-nobody"}'), {404}, None),
              ("lookup of a deep text", request(CONTACTS + "/lookup", key(CARE), method="POST", body="[" * 5000), {400}, None),
              ("lookup of a megabyte", request(CONTACTS + "/lookup", key(CARE), method="POST", body='{"key":"%s"}' % ("x" * (1 << 20))), {413, 0}, None)]
    # what is masked decides nothing, is sorted by nothing, and comes back by nothing
    for q in ("sort=email", "sort=-email", "sort=country,email", "email=" + MAIL, "email.eq=" + MAIL, "email.ne=x", "email.lt=zz", "email.gte=a", "email.gt=",
              "count=1&email=" + MAIL, "sort=changed_at", "changed_at.gte=2026-01-01T00:00:00Z", "fields=email&email=" + MAIL, "customer_id=" + WHO,
              "sort=customer_id", "customer_id.gte=a", "customer_id=" + pseudonym("customer", WHO), "fields=nothing", "fields=email,email", "explain=1",
              "unmask=1", "role=care", "roles=care", "mask=none", "as=care", "limit=0", "limit=1001", "limit=-1", "limit=1e3", "limit=1;limit=2",
              "limit=1&limit=2", "after=AAAA", "after=" + "A" * 300, "fields=" + "a," * 2000, "sort=" + "country," * 400, "min-position=-1",
              "min-position=99999999999999999999", "committed=maybe", "window=all", "%00=1", "country=%00%ff", "country=%zz", "country.like=A"):
        table.append(("masked: ?" + q[:50], request(CONTACTS + "?" + q, key(DESK)), {400, 414}, None))
    for verb in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "GETT", "X" * 300):
        table.append(("method " + verb[:20], request(CONTACTS, key(CARE), method=verb), {405, 400, 0, 501}, None))
    for p in ("/reach/../customers", "/reach/%2e%2e/metrics", "/reach/..%2f..%2fetc%2fpasswd", "/reach/%c0%ae%c0%ae/", "/reach;x=1", "/reach%00",
              "/reach/%s%s%s%n", "/reach/$(id)", "/reach/{{7*7}}", "/reach/'--", "/reach/%0d%0aSet-Cookie:%20a=b", "/Reach", "/reach%20",
              "http://evil.example/reach", "*", "/" + "a" * 9000, "/reach?" + "a=b&" * 3000):
        table.append(("path " + p[:40], request(p, key(CARE)), {400, 403, 404, 414, 431, 0}, None))
    for h in ("X-Original-URL: /reach", "X-Rewrite-URL: /reach", "X-HTTP-Method-Override: POST", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https",
              "Forwarded: for=127.0.0.1", "X-Mesh-Role: care", "Mesh-Role: care", "X-Roles: care", "Origin: https://evil.example", "Referer: https://127.0.0.1/"):
        table.append(("header " + h.split(":")[0], request(CONTACTS, key(GUEST), h), {403}, None))
    table += [("accept " + a, request(CONTACTS, key(DESK), "Accept: " + a), {406}, None) for a in ("text/html", "application/xml", "x/y;q=1", "image/*")]
    table += [("a header of 40 KB", request(CONTACTS, key(CARE), "X-Long: " + "x" * 40000), {413, 414, 431, 400, 0}, None),
              ("a thousand headers", request(CONTACTS, key(CARE), *["X-%d: y" % i for i in range(4000)]), {413, 431, 400, 0}, None)]
    return table


def smuggled():
    """Two requests where one is said to be, by somebody who may not ask the second."""
    inner = "GET /reach HTTP/1.1\r\nHost: x\r\n\r\n"
    heads = {"both lengths": ["Content-Length: 6", "Transfer-Encoding: chunked"], "two lengths": ["Content-Length: 0", "Content-Length: %d" % len(inner)],
             "length with a sign": ["Content-Length: +5"], "negative length": ["Content-Length: -1"], "huge length": ["Content-Length: 99999999999999999999"],
             "hexadecimal length": ["Content-Length: 0x5"], "unknown coding": ["Transfer-Encoding: xchunked"], "coding twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
             "space before the colon": ["Content-Length : %d" % len(inner)], "folded": ["X: y", " Content-Length: %d" % len(inner)],
             "line ends of one byte": ["X: y\nContent-Length: %d" % len(inner)], "no host": []}
    table = []
    for what, lines in heads.items():
        for path in (CONTACTS, CONTACTS + "/lookup"):
            host = [] if what == "no host" else ["Host: x"]
            raw = "\r\n".join(["POST %s HTTP/1.1" % path] + host + [key(GUEST)] + lines) + "\r\n\r\n0\r\n\r\n" + inner
            table.append(("smuggling: %s, %s" % (what, path), raw.encode()))
    return table


def check_leaks(checks, what, text, secrets):
    for name, secret in secrets.items():
        if secret in text:
            checks.equal("%s tells the %s" % (what, name), text[max(0, text.find(secret) - 40):][:120], "")


def run(world, checks, table, secrets, audited=True):
    for what, raw, wants, client in table:
        status, text = world.send(raw, client)
        checks.equal("%s: %d is refused" % (what, status), status in wants, True)
        head, _, body = text.partition("\r\n\r\n")
        if status in PROBLEM and not raw.startswith(b"HEAD") and "application/problem+json" in head:
            checks.equal(what + ": a problem says its status", json.loads(body)["status"], status)
        check_leaks(checks, what, text, secrets)


def good_ones(world, checks):
    """Without these the rest would prove nothing: who may, sees."""
    def get(path, who=None, client=None, **kwargs):
        status, text = world.send(request(path, *([key(who)] if who else []), **kwargs), client)
        return status, text, text.partition("\r\n\r\n")[2]

    status, head, body = get(OURS + "&fields=email,customer_id", CARE)
    checks.equal("care sees the mail", (status, MAIL in body, WHO in body, pseudonym("customer", WHO) in body), (200, True, False, True))
    status, desk_head, body = get(OURS, DESK)
    checks.equal("desk sees a part", (status, MAIL in body, "zora***" in body), (200, False, True))
    for accept, part in (("text/csv", ",zora***,"), ("application/x-ndjson", '"zora***"')):
        status, text = world.send(request(OURS, key(DESK), "Accept: " + accept))
        checks.equal("desk sees a part, " + accept, (status, MAIL in text, part in text), (200, False, True))
    checks.equal("desk by certificate", get(CONTACTS, client="desk")[0], 200)
    status, _, body = get(OURS, client="named")
    checks.equal("care by certificate", (status, MAIL in body), (200, True))
    checks.equal("a key beside a good certificate", get(CONTACTS, CARE, "stranger")[0], 200)
    checks.equal("sort by what is masked, for care", get(CONTACTS + "?sort=email&email=" + MAIL, CARE)[0], 200)
    tag = re.search(r"(?i)etag: (\S+)", get(CONTACTS + "?fields=email", CARE)[1]).group(1)
    status, _ = world.send(request(CONTACTS + "?fields=email", key(DESK), "If-None-Match: " + tag))
    checks.equal("a tag of another role is not ours", status, 200)
    token = json.loads(get(CONTACTS + "?limit=1", CARE)[2])["next"]
    for what, path, who in (("by another role", CONTACTS + "?limit=1&after=", DESK), ("at another port", CUSTOMERS + "?limit=1&after=", CARE),
                            ("under other parameters", CONTACTS + "?sort=country&limit=1&after=", CARE)):
        checks.equal("a page's token " + what, get(path + token, who)[0], 400)
    checks.equal("a page's token that was changed", get(CONTACTS + "?limit=1&after=" + token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), CARE)[0], 400)
    checks.equal("a page's token", get(CONTACTS + "?limit=1&after=" + token, CARE)[0], 200)
    status, _, body = get(CONTACTS + "/lookup", CARE, method="POST", body='{"key":"%s"}' % WHO)
    checks.equal("care looks up", (status, MAIL in body, WHO in body), (200, True, False))


def few_people(world, checks):
    """Three people ordered in a shop that day, thirty over the web. Nothing says that there are shop rows."""
    def get(query, path=DAYS):
        status, text = world.send(request(path + "?" + SPAN + ("&" + query if query else ""), key(GUEST)))
        body = text.partition("\r\n\r\n")[2]
        return status, json.loads(body) if body else None, text

    for query in ("", "sort=spend_eur", "sort=-spend_eur", "sort=channel&limit=1", "limit=1", "channel.ne=nothing", "orders.gte=0", "spend_eur.gte=0.00",
                  "fields=channel,spend_eur", "committed=1", "sort=-orders&limit=1"):
        status, page, text = get(query) if "nothing" not in query else get("orders.ne=0")
        checks.equal("one row for ?" + query, (status, page["count"], [r["channel"] for r in page["items"]], "next" in page), (200, 1, ["WEB"], False))
        checks.equal("not the sum for ?" + query, SUM in text or "SHOP" in text, False)
    for query in ("channel=SHOP", "spend_eur=" + SUM, "orders.lt=10", "customers.lt=20", "spend_eur.lt=1000.00&orders.lt=20"):
        status, page, _ = get(query)
        checks.equal("nothing for ?" + query, (status, page["count"], page["items"]), (200, 0, []))
        checks.equal("nothing to count for ?" + query, get("count=1&" + query)[1], {"count": 0})
    checks.equal("the count", get("count=1")[1], {"count": 1})
    status, page, text = get("", DAYS + "/SHOP")
    checks.equal("the row by its key", (status, SUM in text), (404, False))
    checks.equal("as a row that never was", get("", DAYS + "/WEB")[0], 200)
    for accept in ("text/csv", "application/x-ndjson"):
        _, text = world.send(request(DAYS + "?" + SPAN, key(GUEST), "Accept: " + accept))
        checks.equal("neither as " + accept, ("SHOP" in text, SUM in text, "WEB" in text), (False, False, True))


def slow(world, checks):
    """Connections that say little for long hold nobody up, and are closed."""
    idle = []
    for i in range(60):
        s = world.connect()
        s.sendall(b"GET /reach HTTP/1.1\r\nHost: x\r\nX-A: " + b"b" * i)
        idle.append(s)
    began = time.monotonic()
    checks.equal("others are answered meanwhile", world.send(request(CONTACTS, key(DESK)))[0], 200)
    checks.equal("soon", time.monotonic() - began < 10, True)
    closed = 0
    for s in idle:
        s.settimeout(max(0.1, 30 - (time.monotonic() - began)))
        try:
            closed += s.recv(1000)[:12] in (b"", b"HTTP/1.1 408", b"HTTP/1.1 400")
        except (ssl.SSLError, ConnectionError):
            closed += 1
        except OSError:
            pass
        s.close()
    checks.equal("all of them were closed", closed, 60)


def tls(world, checks):
    """What the handshake takes: by openssl, which can do what Python cannot."""
    def client(*args, port=world.service.port, text="GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
        out = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-CAfile", world.cert, *args], input=text.encode(),
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False).stdout.decode(errors="replace")
        return re.search(r"HTTP/1\.[01] 200", out) is not None, out

    weak = "DEFAULT:@SECLEVEL=0"
    refused = {"TLS 1.0": ["-tls1", "-cipher", weak], "TLS 1.1": ["-tls1_1", "-cipher", weak], "no encryption": ["-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"],
               "no authentication": ["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"], "CBC with SHA-1": ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
               "SHA-1 signatures": ["-tls1_2", "-cipher", weak, "-sigalgs", "ECDSA+SHA1"]}
    control = free_port()  # a server that takes everything: what it refuses, the client cannot do, and shows nothing
    lax = subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:%d" % control, "-cert", world.cert, "-key", world.key, "-www", "-no_tls1_3",
                            "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("a server that takes everything", lambda: client("-ign_eof", port=control)[0], 20)
        for what, args in refused.items():
            checks.equal("the client can: " + what, client(*args, "-ign_eof", port=control)[0], True)
            checks.equal("refused: " + what, client(*args, "-ign_eof")[0], False)
    finally:
        lax.terminate()
        lax.wait()
    taken = {"TLS 1.3": ["-tls1_3"], "TLS 1.2, GCM": ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"],
             "TLS 1.2, ChaCha": ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"]}
    for what, args in taken.items():
        ok, out = client(*args, "-ign_eof")
        checks.equal("taken: " + what, (ok, "Verify return code: 0" in out), (True, True))
    ok, out = client("-tls1_2", "-ign_eof")
    checks.equal("TLS 1.2: no compression, safe renegotiation", ("Compression: NONE" in out, "Secure Renegotiation IS supported" in out), (True, True))
    ok, out = client("-tls1_2", text="R\nGET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    checks.equal("who renegotiates is not answered", ok, False)
    plain = socket.create_connection(("127.0.0.1", world.service.port), timeout=15)
    plain.sendall(request("/livez"))
    try:
        checks.equal("plain HTTP", b"HTTP/1.1 200" in plain.recv(1000), False)
    except OSError:
        checks.equal("plain HTTP", False, False)
    plain.close()


def required(world, checks):
    """The same with MESH_HTTP_CLIENT_CERT_REQUIRED."""
    world.service.kill(signal.SIGTERM)
    world.service.env = world.settings(MESH_HTTP_CLIENT_CERT_REQUIRED="1")
    world.service.start(wait=False)
    wait_until("it is ready again", lambda: world.service.alive() and world.send(request("/readyz"))[0] == 200)
    for what, client, who, want in (("nothing", None, None, 401), ("a key alone", None, CARE, 401), ("a certificate", "desk", None, 200),
                                    ("one of a stranger", "stranger", None, 401), ("one of a stranger, and a key", "stranger", CARE, 200),
                                    ("a forged one, and a key", "forged", CARE, 401)):
        status, text = world.send(request(OURS, *([key(who)] if who else [])), client)
        checks.equal("required: " + what, status, want)
        checks.equal("required: %s sees mails" % what, MAIL in text, want == 200 and who == CARE)
    checks.equal("health is for all", world.send(request("/livez"))[0], 200)


def starts_without(world, checks):
    def attempt(what, want, **env):
        result = subprocess.run([world.service.binary], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=30, check=False,
                                env=dict(os.environ, MESH_KAFKA_BROKERS=world.mesh.brokers, MESH_STATE_DIR=world.path("none"), MESH_PSEUDONYM_KEY="x" * 32, **env))
        checks.equal("%s: does not start, and says %s" % (what, want), (result.returncode, want in result.stdout.decode()), (2, True))

    tls_files = {"MESH_HTTP_CERT_FILE": world.cert, "MESH_HTTP_KEY_FILE": world.key}
    attempt("authorities without TLS", "MESH_HTTP_CERT_FILE", MESH_HTTP_CLIENT_CA_FILE=world.ca)
    attempt("authorities that are none", "no certificate", **tls_files, MESH_HTTP_CLIENT_CA_FILE=world.keys)
    attempt("authorities and nobody", "MESH_HTTP_API_KEYS_FILE", **tls_files, MESH_HTTP_CLIENT_CA_FILE=world.ca)
    attempt("required of nobody", "MESH_HTTP_CLIENT_CA_FILE", **tls_files, MESH_HTTP_CLIENT_CERT_REQUIRED="1", MESH_HTTP_API_KEYS_FILE=world.keys)


def feed(mesh):
    record = {"country": "QX", "segment": "A"}
    rows = [dict(record, customer_id=WHO, email=MAIL, updated_at=DAY), dict(record, customer_id="cus-other", email=OTHER_MAIL, updated_at=DAY)]
    load(mesh, "omnishop.crm.customers", "customer/customer_record.v1.avsc", "customer_id", "updated_at", rows, mesh.partitions("omnishop.crm.customers"))
    orders = [{"order_id": "w%d" % i, "customer_id": "web-%d" % i, "channel": "WEB", "amount_eur": "10.00", "placed_at": DAY} for i in range(30)]
    orders += [{"order_id": "s%d" % i, "customer_id": "shop-%d" % (i % 3), "channel": "SHOP", "amount_eur": "77.77" if i == 0 else "70.00", "placed_at": DAY}
               for i in range(11)]
    load(mesh, "omnishop.sales.orders", "customer/order.v1.avsc", "customer_id", "placed_at", orders, mesh.partitions("omnishop.sales.orders"))


def main():
    checks = Checks()
    with Mesh(sys.argv[1], "embedded", services=[DOMAIN]) as mesh:
        mesh.start_broker()
        world = World(mesh)
        starts_without(world, checks)
        feed(mesh)
        world.service.env = world.settings()
        world.service.start(wait=False)
        wait_until("the service is ready", lambda: world.service.alive() and world.send(request("/readyz"))[0] == 200)
        wait_until("it has read", lambda: "zora***" in world.send(request(OURS, key(DESK)))[1])
        wait_until("orders, too", lambda: '"orders":30' in world.send(request(DAYS + "?" + SPAN, key(GUEST)))[1])
        load_process = mesh.simulate("--events", "400000", "--rate", "1000", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            attempts, tokens = unknown_callers(world)
            secrets = {"mail": MAIL, "other mail": OTHER_MAIL, "raw key": WHO + '"', "sum": SUM, "care's key": CARE, "desk's key": DESK}
            good_ones(world, checks)
            run(world, checks, attempts, secrets)
            others = known_callers()
            run(world, checks, [row for row in others if WHO not in row[1].decode(errors="replace") and MAIL not in row[1].decode(errors="replace")], secrets)
            echoed = {k: v for k, v in secrets.items() if k not in ("raw key", "mail")}  # a 400 may name what was sent, to who sent it
            run(world, checks, [row for row in others if WHO in row[1].decode(errors="replace") or MAIL in row[1].decode(errors="replace")], echoed)
            table = smuggled()
            for what, raw in table:
                status, text = world.send(raw, quick=False)
                checks.equal(what + ": never 200", "HTTP/1.1 200" in text or MAIL in text or "zora***" in text, False)
            few_people(world, checks)
            tls(world, checks)
            slow(world, checks)
            checks.equal("the load went on", load_process.poll(), None)
        finally:
            load_process.terminate()
            load_process.wait()
        required(world, checks)
        world.service.kill(signal.SIGTERM)
        with open(world.service.log, errors="replace") as f:
            log = f.read()
        for name, secret in dict(secrets, **{"raw key": WHO}, **{"token " + k: v for k, v in tokens.items() if len(v) > 40}).items():
            checks.equal("the log does not tell the " + name, secret in log, False)
        n = len(attempts) + len(others) + len(table)
        print("%d attempts" % n)
        assert n >= 150
    checks.end(300)


if __name__ == "__main__":
    main()
