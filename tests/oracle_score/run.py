#!/usr/bin/env python3
"""LightGBM trains models on random data and says what each record scores; the service that meshgen makes of the model files must say the
same, to 1e-12. Skipped by name where LightGBM is not there (scripts/setup/oracles.sh).

    run.py MESHGEN [SEED]            PKG_CONFIG_PATH names the folder of mesh.pc
    run.py MESHGEN --with-lightgbm SEED     inside the Python that has it
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = os.path.join(ROOT, ".cache", "oracles", "lightgbm", "bin", "python")
T0 = 1_780_000_000_000
RECORDS = 400

NUMBERS = ["a", "b", "c"]  # c may be null; a is often exactly zero
CATEGORY = "k"

CONTRACT = {
    "type": "record", "name": "Case", "namespace": "score", "doc": "A case.", "label": "internal",
    "fields": [
        {"name": "id", "type": "string", "doc": "Which."},
        {"name": "a", "type": "double", "doc": "A number."},
        {"name": "b", "type": "long", "doc": "A number."},
        {"name": "c", "type": ["null", "double"], "default": None, "doc": "A number."},
        {"name": "k", "type": ["null", "long"], "default": None, "doc": "A category."},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "doc": "When."},
    ],
}

KINDS = [
    {"objective": "binary"},
    {"objective": "binary", "sigmoid": 0.7, "zero_as_missing": True},
    {"objective": "cross_entropy"},
    {"objective": "regression"},
    {"objective": "regression", "use_missing": False},
    {"objective": "regression_l1"},
    {"objective": "huber"},
    {"objective": "poisson"},
    {"objective": "tweedie"},
    {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
    {"objective": "binary", "boosting": "dart"},
]


def records_of(rng):
    out = []
    for i in range(RECORDS):
        out.append({
            "id": "r%d" % i,
            "a": rng.choice([0.0, 0.0, round(rng.gauss(0, 3), 3), 1e-36, -1e-36]),
            "b": rng.randrange(-50, 50),
            "c": rng.choice([None, round(rng.gauss(0, 1), 4)]),
            "k": rng.choice([None, -1, 0, 1, 2, 3, 5, 31, 32, 33, 64, 200]),
            "at": T0 + 1000 * i,
        })
    return out


def domain(root, name, models, expected, records):
    folder = os.path.join(root, "domains", name)
    os.makedirs(os.path.join(folder, "models"))
    os.makedirs(os.path.join(folder, "tests"))
    listed = []
    for i, (booster, start) in enumerate(models):
        booster.save_model(os.path.join(folder, "models", "m%d.txt" % i))
        listed.append("            - { version: v%d, file: models/m%d.txt%s }" % (i, i, ", from: %s" % start if start else ""))
    with open(os.path.join(folder, "product.yaml"), "w", encoding="utf-8") as f:
        f.write("""apiVersion: mesh/v1
kind: DataProduct
name: %s
domain: %s
version: 1.0.0
description: { purpose: Nothing but tests. }
team: { name: t, members: [{ username: a@b.example, role: owner }] }
slaProperties: { latency: 5s, availability: 99.9%%, retention: 30d }
inputPorts:
  cases: { topic: %s.cases, contract: %s/case@1, key: id, eventTime: at }
streams:
  scored:
    from: cases
    steps:
      - score:
          as: risk
          features: { k: k, c: c, b: b, a: a }
          models:
%s
views:
  risks:
    from: scored
    by: id
    keep: 30d
    let:
      risk: last(risk)
      model: last(risk_model)
outputPorts:
  risks: { kind: http, from: risks, path: /risks }
""" % (name, name, name, name, "\n".join(listed)))
    os.makedirs(os.path.join(root, "contracts", name))
    with open(os.path.join(root, "contracts", name, "case.v1.avsc"), "w", encoding="utf-8") as f:
        json.dump(CONTRACT, f, indent=1)
    lines = ["apiVersion: mesh/v1", "kind: Test", "describe: as LightGBM says", "given:", "  - input: cases", "    records:"]
    for r in records:
        at = "%d" % r["at"]
        shown = ", ".join("%s: %s" % (k, json.dumps(v)) for k, v in r.items() if k != "at")
        lines.append("      - { %s, at: %s }" % (shown, time_text(int(at))))
    lines += ["expect:", "  - view: risks", "    tolerance: 0.000000000001", "    rows:"]
    lines += ["      - { id: %s, risk: %r }" % (r["id"], e) for r, e in zip(records, expected)]
    with open(os.path.join(folder, "tests", "scores.yaml"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


def time_text(ms):
    from datetime import datetime, timedelta, timezone

    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%SZ")


def train(rng, kind, seed):
    import lightgbm
    import numpy

    rows = records_of(rng)
    x = matrix(rows)
    raw = numpy.nan_to_num(x[:, 0]) + 0.1 * x[:, 1] - numpy.nan_to_num(x[:, 2], nan=0.5) + (numpy.nan_to_num(x[:, 3]) % 3)
    raw = raw + numpy.array([rng.gauss(0, 1) for _ in rows])
    y = (raw > numpy.median(raw)).astype(float) if kind["objective"] in ("binary", "cross_entropy") else raw
    if kind["objective"] in ("poisson", "tweedie"):
        y = numpy.abs(raw)
    params = dict(kind, num_leaves=15, min_data_in_leaf=5, min_data_per_group=5, cat_smooth=1.0, max_cat_to_onehot=rng.choice([1, 4]),
                  verbosity=-1, seed=seed, deterministic=True, num_threads=1)
    data = lightgbm.Dataset(x, y, feature_name=NUMBERS + [CATEGORY], categorical_feature=[CATEGORY], free_raw_data=False)
    return lightgbm.train(params, data, num_boost_round=rng.choice([1, 10, 40]))


def matrix(rows):
    import numpy

    return numpy.array([[float("nan") if r[n] is None else float(r[n]) for n in NUMBERS + [CATEGORY]] for r in rows])


def inside(meshgen, seed):
    rng = random.Random(seed)
    root = tempfile.mkdtemp(prefix="oracle-score-")
    with open(os.path.join(root, "mesh.yaml"), "w", encoding="utf-8") as f:
        f.write("apiVersion: mesh/v1\nkind: Mesh\nname: score\ntopics: { partitions: 2 }\n")
    values = set()
    for i, kind in enumerate(KINDS):
        rows = records_of(rng)
        first, second = train(rng, kind, seed + i), train(rng, kind, seed + 100 + i)
        change = RECORDS // 2
        models = [(first, None), (second, time_text(rows[change]["at"]))]
        x = matrix(rows)
        expected = [float(v) for v in list(first.predict(x[:change])) + list(second.predict(x[change:]))]
        values.update(expected)
        domain(root, "d%d" % i, models, expected, rows)
    assert len(values) > 200, "the models say the same of everything"
    run = subprocess.run([meshgen, "test", "--mesh", root, "--out", root + "/build"], capture_output=True, text=True, check=False)
    print((run.stdout + run.stderr)[-3000:])
    if run.returncode == 0:
        shutil.rmtree(root)
    else:
        print("seed %d failed; the mesh is in %s" % (seed, root))
    return run.returncode


def main():
    meshgen = os.path.abspath(sys.argv[1])
    if "--with-lightgbm" in sys.argv:
        return inside(meshgen, int(sys.argv[-1]))
    if not os.path.exists(PYTHON):
        print("SKIP: LightGBM is not here; run 'make setup'")
        return 77
    seed = sys.argv[2] if len(sys.argv) > 2 else "1"
    return subprocess.run([PYTHON, os.path.abspath(__file__), meshgen, "--with-lightgbm", seed], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
