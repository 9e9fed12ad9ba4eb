"""A MongoDB that demands TLS and SCRAM: a service writes to it by a URI from a file, and says why when it is not accepted.

    secure_mongo.py BUILD
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import Checks, Mesh, skip, wait_until  # noqa: E402

DOMAIN = "product_stock"


def mongo_of(service):
    """None until the writer is there."""
    service.alive()
    mongo = service.get("/readyz")["products"][0]["mongo"]
    return None if mongo == "off" else mongo


def write_uri(mesh, secure, name, password, ca):
    """A file with the URI; the address is that of the server, its own URI has no user."""
    path = os.path.join(mesh.dir, name)
    with open(os.path.join(secure, "user")) as f:
        user = f.read().strip()
    address = mesh.script("mongo.sh", "uri", os.path.join(mesh.dir, "mongo")).stdout.strip().removeprefix("mongodb://")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write("mongodb://%s:%s@%s?tls=true&tlsCAFile=%s&authMechanism=SCRAM-SHA-256\n" % (user, password, address, os.path.join(secure, ca)))
    return path


def run_until(service, path, condition, what):
    service.env = {"MESH_MONGO_URI_FILE": path}
    service.start()
    wait_until(what, lambda: (m := mongo_of(service)) and condition(m), 60)
    return mongo_of(service)


def check(mesh, checks, secure):
    service = mesh.services[DOMAIN]
    with open(os.path.join(secure, "password")) as f:
        password = f.read().strip()
    mesh.start_broker()
    assert mesh.simulate("--start", "2026-11-02T10:00:00Z", "--events", "5000", "--domain", DOMAIN).wait(timeout=60) == 0
    for what, given, ca, text in (("wrong password", "not-" + password, "ca.pem", "Authentication failed"),
                                  ("unknown CA", password, "other-ca.pem", "certificate verify failed")):
        path = write_uri(mesh, secure, what.replace(" ", "-"), given, ca)
        mongo = run_until(service, path, lambda m: m["status"] == "away", what + " is noticed")
        print("    %s: %s" % (what, mongo["error"]))
        checks.equal("%s: /readyz says '%s'" % (what, text), text in mongo["error"] or mongo["error"], True)
        checks.equal(what + ": nothing was written", mongo["written"], 0)
        checks.equal(what + ": stops when asked", service.kill(15), 0)
    path = write_uri(mesh, secure, "right", password, "ca.pem")
    run_until(service, path, lambda m: m["status"] == "ok" and m["written"] > 0 and m["queued"] == 0, "rows are written")
    mesh.wait_caught_up()
    wait_until("nothing waits for MongoDB", lambda: mongo_of(service)["queued"] == 0, 30)
    with open(path) as f:
        dump = subprocess.run([os.path.join(mesh.build, "tests", "mongo-dump"), f.read().strip(), "mesh", "stock"], stdout=subprocess.PIPE,
                              check=True, text=True)
    rows = service.rows("/stock", windowed=False)
    checks.equal("documents", len(dump.stdout.splitlines()), len(rows))
    checks.equal("there are rows", len(rows) > 100, True)
    printed = subprocess.run([service.binary, "--print-config"], env=dict(os.environ, MESH_MONGO_URI_FILE=path, MESH_PSEUDONYM_KEY="x" * 16),
                             stdout=subprocess.PIPE, check=True, text=True).stdout
    checks.equal("--print-config masks", ("MESH_MONGO_URI=mongodb://****@127.0.0.1:" in printed, password in printed), (True, False))
    with open(service.log) as f:
        checks.equal("no secret in the log", password in f.read(), False)


def main():
    os.environ["MONGO_SECURE"] = "1"
    with Mesh(sys.argv[1], "embedded", services=[DOMAIN]) as mesh:
        mongo = os.path.join(mesh.dir, "mongo")
        started = mesh.script("mongo.sh", "start", mongo, check=False)
        if started.returncode == 3:
            skip("no MongoDB that can demand proof")
        try:
            assert started.returncode == 0, "the MongoDB-compatible server did not start"
            checks = Checks()
            check(mesh, checks, os.path.join(mongo, "secure"))
            checks.end(at_least=10)
        finally:
            mesh.stop()
            mesh.script("mongo.sh", "stop", mongo, check=False)


main()
