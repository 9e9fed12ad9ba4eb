"""Server-sent events as a client meets them, while the service is killed and started again under it.

    events.py BUILD

A reader follows /alerts/stream as a browser's EventSource does: it comes back by itself, and names the last id it has read. In the
end it must have every alert once, in the order of each partition, however often the service was killed on the way.
"""
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import Checks, Mesh, wait_until  # noqa: E402

DOMAIN = "sales_fraud"
PATH = "/alerts/stream"
EVENTS = 40000
RATE = 4000
KILLS = 4
CROWD = 1000


def parse(text):
    """The events in a text of whole lines: [(id, kind, data)]; an id without data is an event without data."""
    events, last_id = [], None
    for block in text.split("\n\n")[:-1]:
        kind, data, has_id = "message", [], False
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            if name == "id":
                last_id, has_id = value, True
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
        if data or has_id:
            events.append((last_id, kind, "\n".join(data) if data else None))
    return events


class EventSource(threading.Thread):
    """What a browser does: follow, and on any end come back with the last id."""

    def __init__(self, port, path=PATH):
        super().__init__(daemon=True)
        self.port, self.path = port, path
        self.last_id, self.events, self.connects, self.ended = None, [], 0, False

    def run(self):
        while not self.ended:
            try:
                self.follow()
            except OSError:
                pass
            time.sleep(0.05)  # of a browser: the time that `retry` names

    def follow(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
            id_line = "Last-Event-ID: %s\r\n" % self.last_id if self.last_id else ""
            s.sendall(("GET %s HTTP/1.0\r\nAccept: text/event-stream\r\n%s\r\n" % (self.path, id_line)).encode())
            s.settimeout(0.5)
            self.connects += 1
            text, body = b"", None
            while not self.ended:
                try:
                    part = s.recv(65536)
                except socket.timeout:
                    continue
                if not part:
                    return
                text += part
                if body is None and b"\r\n\r\n" in text:
                    head, text = text.split(b"\r\n\r\n", 1)
                    assert b" 200 " in head.split(b"\r\n")[0], head
                    assert b"text/event-stream" in head, head
                    body = True
                end = text.rfind(b"\n\n")
                if body and end >= 0:
                    for event_id, kind, data in parse(text[:end + 2].decode()):
                        self.last_id = event_id or self.last_id
                        if data is not None:
                            self.events.append((event_id, kind, data))
                    text = text[end + 2:]

    def end(self):
        self.ended = True
        self.join(timeout=10)


def read(port, path=PATH, last_id=None, until=None, timeout_s=20):
    """One connection's events until there are `until` of them with data, or for a second of silence."""
    got, text, body = [], b"", False
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        id_line = "Last-Event-ID: %s\r\n" % last_id if last_id else ""
        s.sendall(("GET %s HTTP/1.0\r\n%s\r\n" % (path, id_line)).encode())
        s.settimeout(1.0)
        end_at = time.monotonic() + timeout_s
        while time.monotonic() < end_at:
            try:
                part = s.recv(65536)
            except socket.timeout:
                break
            if not part:
                break
            text += part
            if not body and b"\r\n\r\n" in text:
                body, text = True, text.split(b"\r\n\r\n", 1)[1]
            got = parse(text.decode(errors="replace")) if body else []
            if until is not None and sum(e[2] is not None for e in got) >= until:
                break
    return got


def verdict(events, want):
    """What is wrong with what a reader got: nothing, or a sentence. `want`: all the alerts there were."""
    names = [(json.loads(e[2])["rule"], json.loads(e[2])["payment_id"]) for e in events if e[1] == "message"]
    if len(names) != len(set(names)):
        return "%d events came twice" % (len(names) - len(set(names)))
    if len(names) != want:
        return "%d events, and there were %d alerts" % (len(names), want)
    if any(e[1] != "message" for e in events):
        return "there was a " + next(e[1] for e in events if e[1] != "message")
    return None


def crowd(port, want_bytes):
    """CROWD readers at once, each of whom gets everything; returns how many did."""
    selector = selectors.DefaultSelector()
    done = 0
    for _ in range(CROWD):
        s = socket.create_connection(("127.0.0.1", port), timeout=10)
        s.sendall(("GET %s?replay=1 HTTP/1.0\r\n\r\n" % PATH).encode())
        s.setblocking(False)
        selector.register(s, selectors.EVENT_READ, [0])
    end_at = time.monotonic() + 60
    while done < CROWD and time.monotonic() < end_at:
        for key, _ in selector.select(timeout=1):
            before = key.data[0]
            key.data[0] += len(key.fileobj.recv(65536))
            done += before < want_bytes <= key.data[0]
    sockets = [key.fileobj for key in list(selector.get_map().values())]
    selector.close()
    return done, sockets


def ingest(mesh, checks):
    service = mesh.services[DOMAIN]
    follower = EventSource(service.port)
    follower.start()
    wait_until("the reader is there", lambda: service.metric("mesh_sse_readers", route=PATH) == 1)
    sim = mesh.simulate("--start", "2026-11-02T10:00:00Z", "--events", str(EVENTS), "--rate", str(RATE), "--domain", DOMAIN, "--fraud", "0.01",
                        stdout=subprocess.DEVNULL)
    for kill in range(KILLS):
        wait_until("the reader is back", lambda: follower.connects > kill)
        seen = len(follower.events)
        wait_until("the reader gets news", lambda: len(follower.events) > seen + 3 or sim.poll() is not None, 60)
        service.kill(signal.SIGKILL)
        service.start()
    assert sim.wait(timeout=180) == 0, "mesh-sim failed"
    mesh.wait_caught_up()
    want = sum(row["n"] for row in service.rows("/alerts/by-rule", windowed=False))
    wait_until("the reader has all of them", lambda: len(follower.events) >= want, 30)
    wait_until("and is back", lambda: follower.connects > KILLS)
    follower.end()
    checks.equal("a follower through %d kills" % KILLS, verdict(follower.events, want), None)
    checks.equal("it came back after each", follower.connects > KILLS, True)
    print("    %d alerts, %d connections" % (want, follower.connects))
    return follower, want


def resume(mesh, checks, follower, want):
    service = mesh.services[DOMAIN]
    events = follower.events
    checks.equal("the oracle sees a gap", verdict(events[1:], want) is None, False)
    checks.equal("the oracle sees a repeat", verdict(events + events[:1], want) is None, False)
    again = [e for e in read(service.port, PATH + "?replay=1", until=want) if e[2] is not None]
    checks.equal("replay", verdict(again, want), None)
    checks.equal("the same text", sorted(e[2] for e in again), sorted(e[2] for e in events))
    for at in (0, want // 3, want - 2):
        rest = [e[2] for e in read(service.port, last_id=events[at][0], until=want - at - 1) if e[2] is not None]
        checks.equal("from event %d on" % at, sorted(rest), sorted(e[2] for e in events[at + 1:]))
        rest = [e[2] for e in read(service.port, PATH + "?last-event-id=" + events[at][0], until=want - at - 1) if e[2] is not None]
        checks.equal("from event %d on, by parameter" % at, len(rest), want - at - 1)
    checks.equal("nothing behind the last", [e for e in read(service.port, last_id=events[-1][0]) if e[2] is not None], [])
    generation = events[0][0].split(".")[0]
    for strange in ("1.0:1", "nonsense", generation + ".0:ffff", generation + ".fff:1", generation + "." * 40):
        got = [e for e in read(service.port, last_id=strange, until=want + 1) if e[2] is not None]
        checks.equal("id %s: a reset, then all" % strange[:20], (got[0][1], verdict(got[1:], want)), ("reset", None))
    before = events[0][0]
    service.kill(signal.SIGKILL)
    service.start()
    rest = [e[2] for e in read(service.port, last_id=before, until=want - 1) if e[2] is not None]
    checks.equal("an old id after one more restart", sorted(rest), sorted(e[2] for e in events[1:]))


def requests(mesh, checks):
    service = mesh.services[DOMAIN]
    status, body, _ = service.request(PATH + "?replai=1")
    checks.equal("unknown parameter", (status, "did you mean 'replay'" in body.decode()), (400, True))
    checks.equal("no key", service.status(PATH + "/x"), 404)
    checks.equal("POST", service.request(PATH, method="POST", body=b"{}")[0], 405)
    status, body, headers = service.request(PATH, method="HEAD")
    checks.equal("HEAD", (status, body, headers.get("Content-Type"), headers.get("Cache-Control")), (200, b"", "text/event-stream", "no-store"))
    curl = subprocess.run(["curl", "-sN", "--max-time", "2", "http://127.0.0.1:%d%s?replay=1" % (service.port, PATH)],
                          stdout=subprocess.PIPE, check=False).stdout.decode()
    checks.equal("curl -N", "data: {" in curl, True)
    document = service.get("/.well-known/data-product")
    said = [{c["property"]: c["value"] for c in p["customProperties"]} for p in document["outputPorts"] if p["type"] == "sse"]
    checks.equal("listed", [p["path"] for p in said], [PATH])
    checks.equal("described", "text/event-stream" in json.dumps(service.get("/openapi.json")["paths"][PATH]), True)


def many(mesh, checks, want):
    service = mesh.services[DOMAIN]
    whole = len("\n".join(e[2] for e in read(service.port, PATH + "?replay=1", until=want) if e[2]))
    with open("/proc/%d/statm" % service.process.pid) as f:
        before = int(f.read().split()[1]) * 4096
    done, sockets = crowd(service.port, whole)
    with open("/proc/%d/statm" % service.process.pid) as f:
        after = int(f.read().split()[1]) * 4096
    checks.equal("readers that got everything", done, CROWD)
    checks.equal("they are counted", service.metric("mesh_sse_readers", route=PATH) >= CROWD, True)  # and some who left: seen at the next beat
    checks.equal("a list is answered meanwhile", service.status("/alerts/by-rule"), 200)
    print("    %d readers of %d bytes each: %.0f KB of memory for one" % (CROWD, whole, (after - before) / CROWD / 1024))
    checks.equal("a reader is no copy of the events", (after - before) / CROWD < 64 << 10, True)
    begun = time.monotonic()
    checks.equal("SIGTERM ends with readers connected", service.kill(signal.SIGTERM), 0)
    checks.equal("at once", time.monotonic() - begun < 9, True)
    for s in sockets:
        s.close()


def main():
    checks = Checks()
    with Mesh(sys.argv[1], "embedded", services=[DOMAIN]) as mesh:
        mesh.start()
        follower, want = ingest(mesh, checks)
        resume(mesh, checks, follower, want)
        requests(mesh, checks)
        many(mesh, checks, want)
    checks.end(25)


if __name__ == "__main__":
    main()
