"""What it costs fastavro to decode one record: the same bytes and measure as decode.c, whose head says how.

    decode_fastavro.py DATUMS CONTRACT [RUNS]
"""
import io
import json
import struct
import sys
import time

import fastavro

RECORDS_MAX = 100000  # it is slow, and every record costs the same


def main():
    with open(sys.argv[2]) as f:
        schema = fastavro.parse_schema(json.load(f))
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    records, at = [], 0
    while at < len(data) and len(records) < RECORDS_MAX:
        n, = struct.unpack_from("=I", data, at)
        records.append(data[at + 4:at + 4 + n])
        at += 4 + n
    ns = []
    for run in range(-1, int(sys.argv[3]) if len(sys.argv) > 3 else 9):
        begin = time.thread_time()
        for record in records:
            fastavro.schemaless_reader(io.BytesIO(record), schema)
        if run >= 0:
            ns.append((time.thread_time() - begin) * 1e9 / len(records))
    ns.sort()
    print(json.dumps({"records": len(records), "version": fastavro.__version__, "min_ns": ns[0], "median_ns": ns[len(ns) // 2]}))


main()
