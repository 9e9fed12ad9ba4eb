"""Confluent's own Python clients beside ours, in an environment of their own (scripts/setup/registry.sh); one JSON line in, one out.

    {"do": "produce", "registry": URL, "brokers": B, "topic": T, "schema": TEXT, "key": FIELD, "records": [...], "conf": {...}, "guid": bool}
    {"do": "consume", "registry": URL, "brokers": B, "topic": T, "n": N different ones, "timeout_s": S}
"""
import datetime
import json
import sys
import time
import warnings
from decimal import Decimal

warnings.filterwarnings("ignore")
from confluent_kafka import Consumer, Producer  # noqa: E402
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer  # noqa: E402
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer  # noqa: E402
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402


def typed(record):
    """Of JSON: decimals are strings "d:1.20", times "t:<ms>", bytes "b:<text>"."""
    result = {}
    for name, value in record.items():
        if isinstance(value, str) and value[:2] == "d:":
            value = Decimal(value[2:])
        elif isinstance(value, str) and value[:2] == "t:":
            value = datetime.datetime.fromtimestamp(int(value[2:]) / 1000, datetime.timezone.utc)
        elif isinstance(value, str) and value[:2] == "b:":
            value = value[2:].encode()
        result[name] = value
    return result


def plain(record):
    return {n: int(v.timestamp() * 1000) if isinstance(v, datetime.datetime) else str(v) if isinstance(v, Decimal) else v for n, v in record.items()}


def produce(ask, client):
    conf = dict(ask.get("conf", {}))
    if ask.get("guid"):
        conf["schema.id.serializer"] = header_schema_id_serializer
    serialize = AvroSerializer(client, ask["schema"], conf=conf)
    producer = Producer({"bootstrap.servers": ask["brokers"], "partitioner": "murmur2_random", "linger.ms": 1})
    sent = []
    for record in ask["records"]:
        headers = []
        context = SerializationContext(ask["topic"], MessageField.VALUE, headers)
        value = serialize(typed(record), context)
        sent.append(value.hex())
        producer.produce(ask["topic"], key=record[ask["key"]], value=value, headers=context.headers or [])
    left = producer.flush(30)
    return {"sent": sent, "left": left, "subjects": client.get_subjects()}


def consume(ask, client):
    deserialize = AvroDeserializer(client)
    consumer = Consumer({"bootstrap.servers": ask["brokers"], "group.id": "peer", "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([ask["topic"]])
    found, ids, end = [], set(), time.monotonic() + ask["timeout_s"]
    while len({json.dumps(r) for r in found}) < ask["n"] and time.monotonic() < end:
        message = consumer.poll(0.2)
        if message is None or message.error():
            continue
        ids.add(int.from_bytes(message.value()[1:5], "big"))
        found.append(plain(deserialize(message.value(), SerializationContext(ask["topic"], MessageField.VALUE, message.headers()))))
    consumer.close()
    return {"records": found, "ids": sorted(ids)}


def main():
    for line in sys.stdin:
        ask = json.loads(line)
        client = SchemaRegistryClient({"url": ask["registry"]})
        print(json.dumps((produce if ask["do"] == "produce" else consume)(ask, client)), flush=True)


main()
