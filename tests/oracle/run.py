#!/usr/bin/env python3
"""Random products with random inputs through the real compiler and engine, against the evaluator of naive.py.

    tests/oracle/run.py --meshgen build/bin/meshgen [--seed N] [--products N] [--tests N] [--keep DIR]

Every product has several views, every test is one input for all of them, and `meshgen test` runs each four times, torn down and restored
on the way. PKG_CONFIG_PATH names the folder of mesh.pc. The folder with what failed is kept and named.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate  # noqa: E402
import naive  # noqa: E402
import zones  # noqa: E402

FEATURES = ["distinct", "quantile", "day", "flatten"]
ZONES = zones.Zones()
LINES_MAX = 60
VALUES_MAX = 17000  # of expected rows, in one file: a test has at most 20,000 values


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def expect(product, test):
    return {name: naive.evaluate(product, view, test, ZONES)[0] for name, view in product["views"].items()}


def make_mesh(root, seed, products, tests):
    """Returns how many (view, input) pairs there are."""
    pairs = 0
    write(root + "/mesh.yaml", generate.MESH)
    write(root + "/contracts/oracle/event.v1.avsc", json.dumps(generate.CONTRACT, indent=2))
    write(root + "/contracts/oracle/flat.v1.avsc", json.dumps(generate.FLAT, indent=2))
    for p in range(products):
        rng = random.Random("%d/%d" % (seed, p))
        product = generate.random_product(rng, "p%d" % p, FEATURES)
        folder = root + "/domains/oracle" + ("/p%d" % p if p > 0 else "")
        for view in product["views"].values():
            contract = generate.closed_contract(view)
            write(root + "/contracts/oracle/%s.v1.avsc" % contract["name"].lower(), json.dumps(contract, indent=2))
        write(folder + "/product.yaml", generate.declaration(product))
        for t in range(tests):
            test = generate.random_test(rng)
            expected = expect(product, test)
            while 6 * sum(len(row) + 1 for rows in expected.values() for row in rows) > VALUES_MAX:
                test["records"] = test["records"][: len(test["records"]) // 2]
                expected = expect(product, test)
            pairs += len(expected)
            write(root + "/domains/oracle/tests/p%d_t%d.yaml" % (p, t), generate.test_text(product, test, expected))
    return pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meshgen", default="build/bin/meshgen")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--products", type=int, default=8)
    parser.add_argument("--tests", type=int, default=25, help="inputs of each product")
    parser.add_argument("--keep", help="make the mesh here and leave it")
    args = parser.parse_args()
    root = args.keep or tempfile.mkdtemp(prefix="oracle-")
    pairs = make_mesh(root, args.seed, args.products, args.tests)
    run = subprocess.run(
        [os.path.abspath(args.meshgen), "test", "--mesh", root, "--out", root + "/build"], capture_output=True, text=True, check=False
    )
    lines = [line for line in (run.stdout + run.stderr).splitlines() if not line.startswith("ok ")]
    if run.returncode != 0:
        print("\n".join(lines[:LINES_MAX]))
        print("seed %d failed; the mesh is in %s" % (args.seed, root))
        return 1
    print("seed %d: %d views and inputs; %s" % (args.seed, pairs, " ".join(lines)))
    if not args.keep:
        shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
