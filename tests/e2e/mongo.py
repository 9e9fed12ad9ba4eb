"""What MongoDB holds against what HTTP answers, with the service and the database killed on the way.

    mongo.py BUILD
"""
import json
import os
import subprocess
import sys
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import Checks, Mesh, skip, wait_until  # noqa: E402


def plain(value):
    """Extended JSON as the HTTP answer writes it: decimals as text, times RFC 3339."""
    if isinstance(value, dict):
        if "$numberDecimal" in value:
            return Decimal(value["$numberDecimal"])
        if "$date" in value:
            return value["$date"].replace(".000Z", "Z")
        if "$numberLong" in value:
            return int(value["$numberLong"])
    return value


def documents(mesh, collection):
    result = subprocess.run([os.path.join(mesh.build, "tests", "mongo-dump"), mesh.env["MESH_MONGO_URI"], "mesh", collection],
                            stdout=subprocess.PIPE, check=True, text=True)
    return [{k: plain(v) for k, v in json.loads(line).items()} for line in result.stdout.splitlines()]


def compare(checks, mesh, service, path, collection, key, windowed, decimals):
    rows = mesh.services[service].rows(path, windowed=windowed)
    have = {tuple(d[k] for k in key): d for d in documents(mesh, collection) if not d.get("deleted")}
    checks.equal(collection + " documents", len(have), len(rows))
    for row in rows:
        document = have.get(tuple(row[k] for k in key), {})
        for name, value in row.items():
            want = Decimal(value) if name in decimals and value is not None else value
            checks.equal("%s %s %s" % (collection, [row[k] for k in key], name), document.get(name), want)


def compare_all(checks, mesh):
    """Every collection against the rows of its view, once nothing waits any more."""

    def settled():
        states = [part["mongo"] for service in mesh.services.values() for p in service.get("/readyz")["products"] for part in p.get("held", [p])]
        return all(m["status"] == "ok" and m["queued"] == 0 for m in states)

    wait_until("MongoDB is there, and nothing waits for it", settled, 60)
    compare(checks, mesh, "sales_fraud", "/sales/by-country", "sales_by_country", ["country", "window_start"], True, {"total_eur"})
    compare(checks, mesh, "sales_fraud", "/sales/daily/by-country", "daily_by_country", ["country", "window_start"], True,
            {"total_eur", "largest_eur"})
    compare(checks, mesh, "customer", "/customers", "profiles", ["customer_id"], False, {"spend_eur"})
    compare(checks, mesh, "product_stock", "/stock", "stock", ["product_id", "store_id"], False, set())
    compare(checks, mesh, "marketing", "/campaigns", "campaigns", ["campaign_id"], False, {"spend_eur", "revenue_eur", "clicked_revenue_eur"})


def main():
    with Mesh(sys.argv[1], "embedded") as mesh:
        mongo = os.path.join(mesh.dir, "mongo")
        started = mesh.script("mongo.sh", "start", mongo, check=False)
        if started.returncode == 3:
            skip("no MongoDB: " + started.stdout.strip())
        try:
            mesh.env["MESH_MONGO_URI"] = mesh.script("mongo.sh", "uri", mongo).stdout.strip()
            mesh.start()
            sim = mesh.simulate("--start", "2026-11-02T10:00:00Z", "--events", "40000", "--rate", "4000", "--truth", os.path.join(mesh.dir, "truth"))
            sales = mesh.services["sales_fraud"]
            wait_until("half of the payments", lambda: sales.metric("mesh_records_total") > 10000, 60)
            mesh.script("mongo.sh", "kill", mongo)
            sales.kill()
            sales.start()
            before = sales.metric("mesh_records_total")
            wait_until("ingestion goes on without MongoDB", lambda: sales.metric("mesh_records_total") > before + 500, 30)
            uri = mesh.env["MESH_MONGO_URI"]
            mesh.script("mongo.sh", "start", mongo, uri.rsplit(":", 1)[1].split("/")[0])
            assert sim.wait(timeout=120) == 0
            mesh.wait_caught_up()
            checks = Checks()
            compare_all(checks, mesh)
            checks.end(at_least=2000)
        finally:
            mesh.stop()
            mesh.script("mongo.sh", "stop", mongo, check=False)


if __name__ == "__main__":
    main()
