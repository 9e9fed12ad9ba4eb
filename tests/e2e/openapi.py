"""schemathesis, which makes requests of its own from an OpenAPI document, against a service that has data: all of its checks hold.

    openapi.py BUILD

The document is the one that the service itself serves. Its requests are seeded and bounded in number; those to streams of events, which
have no end, are left out, as no request to them is ever answered in full (tests/e2e/events.py has them). Exit 77: no schemathesis here.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from meshtest import Mesh  # noqa: E402
from validators import home, inside  # noqa: E402

inside(__file__)
DOMAIN = "sales_fraud"
EXAMPLES = 6  # of each operation


def run(service, left_out):
    tool = os.path.join(home, "py", "bin", "python")  # not its script, which knows the folder it was installed in
    args = [tool, "-m", "schemathesis.cli", "run", "http://127.0.0.1:%d/openapi.json" % service.port, "--checks", "all", "--seed", "20261121",
            "--workers", "1",
            "--max-examples", str(EXAMPLES), "--request-timeout", "10", "--no-color", "--phases", "examples,coverage,fuzzing,stateful",
            "--suppress-health-check", "all"]
    env = dict(os.environ, SCHEMATHESIS_HOOKS=os.path.join(HERE, "openapi_hooks.py"))
    for path in left_out:
        args += ["--exclude-path", path]
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=service.mesh.dir, env=env, check=False)
    print(done.stdout)
    return done.returncode


def main():
    with Mesh(sys.argv[1], services=[DOMAIN]) as mesh:
        mesh.start()
        sim = mesh.simulate("--start", "2026-11-02T10:00:00Z", "--events", "8000", "--density", "20", "--domain", DOMAIN,
                            stdout=subprocess.DEVNULL)
        assert sim.wait(timeout=120) == 0, "mesh-sim failed"
        mesh.wait_caught_up()
        service = mesh.services[DOMAIN]
        paths = service.get("/openapi.json")["paths"]
        # ports of the shape of /sales/by-country would be asked the same again
        alike = ("/sales/by-category", "/sales/by-method", "/sales/daily/")
        left_out = [p for p, item in paths.items() if "text/event-stream" in str(item) or p.startswith(alike)]
        status = run(service, left_out)
        service.alive()
    sys.exit(1 if status else 0)


main()
