"""Live runs: the clocks, signals, a broker that is away.  usage: test_live.py PATH/mesh-sim"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import simlog

SIM = os.path.abspath(sys.argv[1])
CONTRACTS = ["--contracts", os.path.join(simlog.ROOT, "contracts")]
DEADLINE_S = 30


def lines_in(path):
    with open(path, "rb") as f:
        return f.read().count(b"\n")


def wait_for(condition, process):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the deadline has passed"
        assert process.poll() is None, "mesh-sim has ended"
        time.sleep(0.01)


def stop(process, number):
    process.send_signal(number)
    _, text = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, (process.returncode, text)
    return text


def test_signals(folder):
    out, truth = os.path.join(folder, "out"), os.path.join(folder, "truth")
    for number in (signal.SIGINT, signal.SIGTERM):
        for old in (out, truth):
            if os.path.exists(old):
                os.remove(old)
        before_ms = time.time() * 1000
        process = subprocess.Popen(
            [SIM, "--out", out, "--truth", truth, "--rate", "2000", "--late", "0.1", *CONTRACTS], stderr=subprocess.PIPE, text=True
        )
        wait_for(lambda: os.path.exists(out) and lines_in(out) > 5000, process)
        wait_for(lambda: lines_in(truth) > 20, process)  # seen while it runs
        stop(process, number)
        with open(truth, encoding="utf-8") as f:
            totals = [json.loads(line) for line in f][-1]
        records = list(simlog.read_ndjson(out))
        assert totals["kind"] == "totals" and totals["records"] == len(records)
        assert before_ms - 5 <= records[0][2], "live begins now"
        assert records[-1][2] <= time.time() * 1000 + 5, "live does not run ahead of the wall clock"
        seconds = (records[-1][2] - records[0][2]) / 1000
        assert 0.8 * 2000 * seconds - 100 < len(records) - 2621 < 1.2 * 2000 * seconds + 300, (len(records), seconds)
        print(f"ok: {number.name} after {len(records)} records of {seconds:.1f} s")


def test_speed():
    """20 000 events at 200 in an event second are about 100 event seconds; 50 of them in a second take 2."""
    began = time.monotonic()
    subprocess.run([SIM, "--out", "/dev/null", "--start", "2026-11-21T09:30:00Z", "--events", "20000", "--speed", "50", *CONTRACTS],
                   check=True)
    assert time.monotonic() - began > 0.5, "held back"
    began = time.monotonic()
    subprocess.run([SIM, "--out", "/dev/null", "--start", "2026-11-21T09:30:00Z", "--events", "2000", "--rate", "2000", *CONTRACTS],
                   check=True)
    assert time.monotonic() - began > 0.9, "held back"
    print("ok: rate and speed hold events back")


def test_broker_away():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{s.getsockname()[1]}"
    process = subprocess.Popen([SIM, "--brokers", address, *CONTRACTS], stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()
    assert "broker is away; waiting" in first, first
    time.sleep(1.5)  # for a second message that must not come: nothing to poll for
    assert process.poll() is None
    rest = stop(process, signal.SIGTERM)
    assert "away" not in rest, rest
    print("ok: waits for a broker, says so once, ends on SIGTERM")


with tempfile.TemporaryDirectory() as folder:
    test_signals(folder)
    test_speed()
    test_broker_away()
