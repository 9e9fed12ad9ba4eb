"""Reads what mesh-sim wrote, without any code of mesh: file formats, Confluent framing, Avro binary and murmur2 anew, from their
specifications and from the .avsc files. Standard library only."""

import base64
import json
import os
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CONTRACTS = {
    "omnishop.sales.card-payments": "sales_fraud/payment.v1.avsc",
    "omnishop.sales.shop-payments": "sales_fraud/payment.v1.avsc",
    "omnishop.finance.rates": "finance/rate.v1.avsc",
    "omnishop.crm.customers": "customer/customer_record.v1.avsc",
    "omnishop.crm.consents": "customer/consent.v1.avsc",
    "omnishop.sales.orders": "customer/order.v2.avsc",
    "omnishop.stock.movements": "product_stock/movement.v1.avsc",
    "omnishop.stock.counts": "product_stock/stock_count.v1.avsc",
    "omnishop.stock.products": "product_stock/product.v1.avsc",
    "omnishop.marketing.ad-events": "marketing/ad_event.v1.avsc",
}


class Malformed(Exception):
    pass


def read_long(b, i):
    z = shift = 0
    while True:
        if i >= len(b):
            raise Malformed("truncated")
        byte = b[i]
        i += 1
        z |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (z >> 1) ^ -(z & 1), i
        shift += 7
        if shift > 63:
            raise Malformed("varint")


def read_bytes(b, i):
    n, i = read_long(b, i)
    if n < 0 or n > len(b) - i:
        raise Malformed("length" if n > 1 << 30 else "truncated")
    return b[i : i + n], i + n


def read_string(b, i):
    raw, i = read_bytes(b, i)
    try:
        return raw.decode("utf-8"), i
    except UnicodeDecodeError:
        raise Malformed("utf8") from None


def read_boolean(b, i):
    if i >= len(b):
        raise Malformed("truncated")
    if b[i] > 1:
        raise Malformed("boolean")
    return b[i] == 1, i + 1


def reader(schema):
    """schema (parsed JSON) -> function(bytes, offset) -> (value, offset). A decimal is its unscaled integer."""
    if isinstance(schema, list):
        branches = [reader(s) for s in schema]

        def read_union(b, i):
            n, i = read_long(b, i)
            if not 0 <= n < len(branches):
                raise Malformed("union")
            return branches[n](b, i)

        return read_union
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "null":
        return lambda b, i: (None, i)
    if kind == "string":
        return read_string
    if kind == "boolean":
        return read_boolean
    if kind in ("int", "long"):
        return read_long
    if kind == "bytes" and schema["logicalType"] == "decimal":

        def read_decimal(b, i):
            raw, i = read_bytes(b, i)
            return int.from_bytes(raw, "big", signed=True), i

        return read_decimal
    if kind == "array":
        read_item = reader(schema["items"])

        def read_array(b, i):
            items = []
            n, i = read_long(b, i)
            while n != 0:
                if n < 0:
                    raise Malformed("array")
                for _ in range(n):
                    item, i = read_item(b, i)
                    items.append(item)
                n, i = read_long(b, i)
            return items, i

        return read_array
    if kind == "enum":
        symbols = schema["symbols"]

        def read_enum(b, i):
            n, i = read_long(b, i)
            if not 0 <= n < len(symbols):
                raise Malformed("enum")
            return symbols[n], i

        return read_enum
    assert kind == "record", kind
    fields = [(f["name"], reader(f["type"])) for f in schema["fields"]]

    def read_record(b, i):
        record = {}
        for name, read in fields:
            record[name], i = read(b, i)
        return record, i

    return read_record


def readers():
    out = {}
    for topic, path in CONTRACTS.items():
        with open(os.path.join(ROOT, "contracts", path), encoding="utf-8") as f:
            out[topic] = reader(json.load(f))
    return out


def decode(read, value, schema_id):
    """The record in a framed value, or Malformed with one word that says why."""
    if len(value) < 5:
        raise Malformed("frame")
    if value[0] != 0:
        raise Malformed("magic")
    if struct.unpack(">I", value[1:5])[0] != schema_id:
        raise Malformed("schema")
    record, end = read(value, 5)
    if end != len(value):
        raise Malformed("trailing")
    return record


def read_ndjson(path):
    """(topic, partition, timestamp_ms, key, value) in order."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            r = json.loads(line)
            assert list(r) == ["topic", "partition", "timestamp_ms", "key", "value"]
            yield r["topic"], r["partition"], r["timestamp_ms"], r["key"], base64.b64decode(r["value"], validate=True)


def read_varint(b, i):
    v = shift = 0
    while True:
        v |= (b[i] & 0x7F) << shift
        shift += 7
        i += 1
        if b[i - 1] < 0x80:
            return v, i


def read_slice(b, i):
    n, i = read_varint(b, i)
    return b[i : i + n], i + n


def read_binary(path):
    with open(path, "rb") as f:
        b = f.read()
    assert b[:8] == b"MESHSIM1"
    topics = []
    i = 9
    for _ in range(b[8]):
        name, i = read_slice(b, i)
        _, i = read_varint(b, i)
        topics.append(name.decode())
    while i < len(b):
        topic = topics[b[i]]
        partition, i = read_varint(b, i + 1)
        z, i = read_varint(b, i)
        key, i = read_slice(b, i)
        value, i = read_slice(b, i)
        yield topic, partition, (z >> 1) ^ -(z & 1), key.decode(), value


def murmur2(data):
    """Kafka's Utils.murmur2, as an unsigned number."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, n):
    return (murmur2(key.encode()) & 0x7FFFFFFF) % n
