"""A consumer's own driver, pymongo, reads the collections that a service keeps: types, keys, order and change of a row.

    pymongo_read.py BUILD

Exit 77: no pymongo, or no MongoDB, here.
"""
import datetime
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from meshtest import Checks, Mesh, skip, wait_until  # noqa: E402
from validators import inside  # noqa: E402

inside(__file__)
import bson  # noqa: E402
import pymongo  # noqa: E402

DOMAIN = "sales_fraud"


def check(checks, service, collection):
    rows = {(r["country"], r["window_start"]): r for r in service.rows("/sales/by-country")}
    documents = list(collection.find())
    checks.equal("documents", len(documents), len(rows))
    for d in documents:
        row = rows.get((d["country"], d["window_start"].strftime("%Y-%m-%dT%H:%M:%SZ")), {})
        checks.equal("total_eur is an exact decimal", (type(d["total_eur"]), str(d["total_eur"])), (bson.Decimal128, row.get("total_eur")))
        checks.equal("n is a whole number", (isinstance(d["n"], int), int(d["n"])), (True, row.get("n")))
        checks.equal("window_start is a date", type(d["window_start"]), datetime.datetime)
        checks.equal("final", d["final"], row.get("final"))
    # what a consumer does: the largest of one hour, one key's windows in order, a sum by country on the server
    begin = min(d["window_start"] for d in documents)
    hour = {"window_start": {"$gte": begin, "$lt": begin + datetime.timedelta(hours=1)}}
    top = collection.find(hour).sort("total_eur", pymongo.DESCENDING).limit(3)
    want = sorted((d["total_eur"].to_decimal() for d in documents if d["window_start"] < begin + datetime.timedelta(hours=1)), reverse=True)
    checks.equal("the top three", [d["total_eur"].to_decimal() for d in top], want[:3])
    country = documents[0]["country"]
    starts = [d["window_start"] for d in collection.find({"country": country}).sort("window_start", pymongo.ASCENDING)]
    checks.equal("one key's windows", starts, sorted(d["window_start"] for d in documents if d["country"] == country))
    sums = {g["_id"]: g["n"] for g in collection.aggregate([{"$group": {"_id": "$country", "n": {"$sum": "$n"}}}])}
    for name in sums:
        checks.equal("sum of " + name, sums[name], sum(r["n"] for (c, _), r in rows.items() if c == name))
    checks.equal("of a key there is one", collection.count_documents({"_id": documents[0]["_id"]}), 1)


def main():
    checks = Checks()
    with Mesh(sys.argv[1], "embedded", services=[DOMAIN]) as mesh:
        mongo = os.path.join(mesh.dir, "mongo")
        started = mesh.script("mongo.sh", "start", mongo, check=False)
        if started.returncode == 3:
            skip("no MongoDB: " + started.stdout.strip())
        try:
            mesh.env["MESH_MONGO_URI"] = mesh.script("mongo.sh", "uri", mongo).stdout.strip()
            mesh.start()
            sim = mesh.simulate("--start", "2026-11-02T10:00:00Z", "--events", "6000", "--density", "20", "--domain", DOMAIN,
                                stdout=subprocess.DEVNULL)
            assert sim.wait(timeout=120) == 0, "mesh-sim failed"
            mesh.wait_caught_up()
            service = mesh.services[DOMAIN]
            wait_until("nothing waits for MongoDB", lambda: all(p["mongo"]["status"] == "ok" and p["mongo"]["queued"] == 0
                                                                for p in service.get("/readyz")["products"]))
            with pymongo.MongoClient(mesh.env["MESH_MONGO_URI"]) as client:
                check(checks, service, client["mesh"]["sales_by_country"])
        finally:
            mesh.stop()
            mesh.script("mongo.sh", "stop", mongo, check=False)
    checks.end(200)


main()
