"""A browser's own EventSource over restarts of the service: every alert once, none left out, in the order of each partition.

    events.py BUILD

Nothing of ours is in the page but `new EventSource(path)`: that it comes back by itself, and with which id, is the browser's doing. The
service is killed in the middle, and once stopped as an operator would. Exit 77: no Chromium, or no puppeteer, here.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from meshtest import ROOT, Checks, Mesh, skip, wait_until  # noqa: E402
from validators import home, inside  # noqa: E402

inside(__file__)
DOMAIN = "sales_fraud"
PATH = "/alerts/stream"
EVENTS = 60000
RATE = 1500


class Browser(threading.Thread):
    def __init__(self, chromium, url):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(["node", os.path.join(HERE, "follow.mjs"), os.path.join(home, "node"), chromium, url], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.following, self.seen, self.told = False, 0, None

    def run(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.told = json.loads(line)
            elif line.startswith("following"):
                self.following = True
            else:
                self.seen = int(line)

    def end(self):
        self.process.stdin.close()
        self.join(timeout=30)
        if self.process.wait(timeout=30) != 0 or self.told is None:
            raise AssertionError("the browser ended with %r and told nothing" % self.process.returncode)
        return self.told


def main():
    subprocess.run([os.path.join(ROOT, "scripts", "setup.sh"), "browser"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    chromium = shutil.which("chromium")
    if chromium is None:
        skip("no Chromium here (scripts/setup.sh browser says why)")
    checks = Checks()
    with Mesh(sys.argv[1], "embedded", services=[DOMAIN]) as mesh:
        mesh.start()
        service = mesh.services[DOMAIN]
        browser = Browser(chromium, "http://127.0.0.1:%d%s" % (service.port, PATH))
        browser.start()
        wait_until("the browser follows", lambda: browser.following, 60)
        sim = mesh.simulate("--start", "2026-11-02T10:00:00Z", "--events", str(EVENTS), "--rate", str(RATE), "--density", "20", "--domain",
                            DOMAIN, stdout=subprocess.DEVNULL)
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            at = browser.seen
            wait_until("the browser is told more", lambda: browser.seen > at, 60)
            service.kill(number)
            service.start()
        assert sim.wait(timeout=120) == 0, "mesh-sim failed"
        mesh.wait_caught_up()
        total = sum(r["n"] for r in service.rows("/alerts/by-rule", windowed=False))
        wait_until("the browser has %d alerts" % total, lambda: browser.seen >= total, 60)
        told = browser.end()
    events = told["events"]
    data = [e["data"] for e in events]
    checks.equal("alerts, each once", (len(data), len(set(data))), (total, total))
    checks.equal("nothing was missed", [e["type"] for e in events if e["type"] != "message"], [])
    checks.equal("ids are those of the events", len({e["id"] for e in events}), total)
    checks.equal("it came back by itself", told["opened"] >= 4, True)
    checks.equal("it still follows", told["state"], 1)
    print("    %d alerts, the stream was opened %d times" % (total, told["opened"]))
    checks.end(5)


main()
