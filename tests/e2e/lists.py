"""Sorted and filtered lists of a running service, held against the same done here with all of its rows.

    lists.py BUILD
"""
import os
import subprocess
import sys
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from meshtest import Checks, Mesh  # noqa: E402

DOMAIN = "sales_fraud"
LIST = "/sales/by-country"  # by minute: many windows of few keys
TERMINALS = "/terminals"  # many keys, no windows


def value(row, name):
    v = row[name]
    return Decimal(v) if name.endswith("_eur") or "_eur_" in name else v


def pages(service, path, query, limit):
    items, after, counts = [], None, set()
    while True:
        page = service.get("%s?%s&limit=%d%s" % (path, query, limit, "&after=" + after if after else ""))
        items += page["items"]
        counts.add(page["count"])
        after = page.get("next")
        if not after:
            return items, counts


def check_lists(service, checks):
    minutes = service.rows(LIST)
    assert len(minutes) > 40, "only %d rows" % len(minutes)
    place = lambda r: (r["window_start"], r["country"])  # noqa: E731
    sorts = {
        "-total_eur": lambda r: (-value(r, "total_eur"),) + place(r),
        "n": lambda r: (r["n"],) + place(r),
        "-n,country": lambda r: (-r["n"], r["country"]) + place(r),
        "country": lambda r: (r["country"],) + place(r),
    }
    for sort, key in sorts.items():
        for limit in (7, 1000):
            have, counts = pages(service, LIST, "window=all&sort=" + sort, limit)
            checks.equal("%s by %d" % (sort, limit), have, sorted(minutes, key=key))
            checks.equal("its count", counts, {len(minutes)})
    checks.equal("the top", service.get(LIST + "?window=all&sort=-total_eur&limit=3")["items"], sorted(minutes, key=sorts["-total_eur"])[:3])
    country, middle = minutes[0]["country"], sorted(r["n"] for r in minutes)[len(minutes) // 2]
    late = sorted(r["window_start"] for r in minutes)[len(minutes) // 2]
    conditions = {
        "country=" + country: lambda r: r["country"] == country,
        "country.ne=" + country: lambda r: r["country"] != country,
        "n.gte=%d" % middle: lambda r: r["n"] >= middle,
        "n.gt=%d&country.lt=F" % middle: lambda r: r["n"] > middle and r["country"] < "F",
        "total_eur.lt=100.00": lambda r: value(r, "total_eur") < 100,
        "final=true": lambda r: r["final"],
        "window_start.gte=" + late: lambda r: r["window_start"] >= late,
        "country=nowhere": lambda r: False,
    }
    for query, holds in conditions.items():
        want = [r for r in minutes if holds(r)]
        for limit in (5, 1000):
            have, counts = pages(service, LIST, "window=all&" + query, limit)
            checks.equal("%s by %d" % (query, limit), (have, counts), (want, {len(want)}))
        checks.equal("count of " + query, service.get("%s?window=all&count=1&%s" % (LIST, query))["count"], len(want))
    csv = service.request(LIST + "?window=all&sort=-n&fields=n,country", headers={"Accept": "text/csv"})[1].decode().splitlines()
    checks.equal("CSV", csv[1:4], ["%d,%s" % (r["n"], r["country"]) for r in sorted(minutes, key=lambda r: (-r["n"],) + place(r))[:3]])


def check_refusals(service, checks):
    for query, status in (("sort=card_id", 400), ("card_id=x", 400), ("card_id.gte=8", 400), ("sort=nothing", 400), ("n_1d.gte=x", 400)):
        checks.equal(query, service.status("/cards?" + query), status)
    page = service.get(LIST + "?window=all&sort=n&limit=2")
    for query in ("window=all&sort=-n", "window=all&sort=n&n.gte=0", "window=all", "sort=n&window=closed"):
        checks.equal("a token under " + query, service.status("%s?%s&limit=2&after=%s" % (LIST, query, page["next"])), 400)
    token = service.get(LIST + "?window=all&limit=2")["next"]
    checks.equal("a token of a list as it is", service.status("%s?window=all&sort=n&after=%s" % (LIST, token)), 400)


def main():
    checks = Checks()
    with Mesh(sys.argv[1], "embedded", services=[DOMAIN]) as mesh:
        mesh.start()
        sim = mesh.simulate("--start", "2026-11-02T10:00:00Z", "--events", "20000", "--density", "20", "--domain", DOMAIN,
                            stdout=subprocess.DEVNULL)
        assert sim.wait(timeout=120) == 0, "mesh-sim failed"
        mesh.wait_caught_up()
        service = mesh.services[DOMAIN]
        check_lists(service, checks)
        check_refusals(service, checks)
        terminals = service.rows(TERMINALS, windowed=False)
        have, _ = pages(service, TERMINALS, "sort=-total_eur_1d,-n_1d", 50)
        checks.equal("terminals", have, sorted(terminals, key=lambda r: (-value(r, "total_eur_1d"), -r["n_1d"], r["terminal_id"])))
        print("    %d terminals" % len(terminals))
    checks.end(50)


if __name__ == "__main__":
    main()
