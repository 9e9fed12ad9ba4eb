"""Every document that meshgen emits, held against the validator that its standard publishes.

    validate.py MESHGEN

The four domains and a mesh whose texts are as hostile as YAML lets them be. A validator that accepted everything would prove nothing:
each is first shown to refuse a document of ours with one mistake in it. Exit 77: the validators cannot be had here.
"""
import copy
import glob
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from validators import home, inside  # noqa: E402

inside(__file__)
import jsonschema  # noqa: E402
import open_data_contract_standard  # noqa: E402
from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: E402

schemas = {
    "product": os.path.join(home, "schemas", "odps.json"),
    "odcs": os.path.join(os.path.dirname(open_data_contract_standard.__file__), "schema.json"),
}
wrong, seen = [], {}


def by_schema(kind):
    with open(schemas[kind]) as f:
        schema = json.load(f)
    validator = jsonschema.validators.validator_for(schema)(schema)
    return lambda document: ["%s: %s" % ("/".join(map(str, e.absolute_path)), e.message[:200]) for e in validator.iter_errors(document)]


def openapi(document):
    return ["%s: %s" % ("/".join(map(str, e.absolute_path)), e.message[:200]) for e in OpenAPIV31SpecValidator(document).iter_errors()]


def asyncapi(documents):
    with tempfile.TemporaryDirectory() as work:
        paths = []
        for i, document in enumerate(documents):
            paths.append(os.path.join(work, "%d.json" % i))
            with open(paths[-1], "w") as f:
                json.dump(document, f)
        done = subprocess.run(["node", os.path.join(HERE, "asyncapi.mjs"), os.path.join(home, "node")] + paths, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout.splitlines() or (["exit %d" % done.returncode] if done.returncode else [])


def examples(document):
    """Every example of an OpenAPI document fits the schema it stands beside."""
    bad = []

    def resolve(schema):
        while "$ref" in schema:
            node = document
            for part in schema["$ref"][2:].split("/"):
                node = node[part]
            schema = node
        return {"components": document["components"], **schema}

    def walk(node, path):
        if isinstance(node, dict):
            if "schema" in node and "example" in node:
                errors = list(jsonschema.Draft202012Validator(resolve(node["schema"])).iter_errors(node["example"]))
                seen["examples"] = seen.get("examples", 0) + 1
                bad.extend("%s: %s" % (path, e.message[:200]) for e in errors)
            for key, value in node.items():
                walk(value, path + "/" + key)
        elif isinstance(node, list):
            for i, value in enumerate(node):
                walk(value, "%s/%d" % (path, i))

    walk(document, "")
    return bad


def check(folder):
    async_documents = []
    judges = {"product": by_schema("product"), "odcs": by_schema("odcs"), "openapi": openapi}
    for path in sorted(glob.glob(os.path.join(folder, "*", "*.json"))):
        kind = path.split(".")[-2]
        with open(path) as f:
            document = json.load(f)
        seen[kind] = seen.get(kind, 0) + 1
        if kind == "asyncapi":
            async_documents.append(document)
        elif kind in judges:
            wrong.extend("%s: %s" % (os.path.basename(path), w) for w in judges[kind](document))
        if kind == "openapi":
            wrong.extend("%s: example: %s" % (os.path.basename(path), w) for w in examples(document))
    wrong.extend(asyncapi(async_documents))


def refuses(folder):
    """One mistake each, so that silence above means something."""
    def load(name):
        with open(os.path.join(folder, "sales_fraud", "sales_fraud." + name + ".json")) as f:
            return json.load(f)

    product, contract, api, channels = load("product"), load("alerts.odcs"), load("openapi"), load("asyncapi")
    product["inputPorts"][0]["topic"] = "x"  # not a word of the standard
    contract["schema"][0]["properties"][0]["logicalType"] = "decimal"
    api["paths"]["/terminals/{terminal_id}"]["get"]["parameters"][0]["in"] = "nowhere"
    example = copy.deepcopy(load("openapi"))
    example["paths"]["/terminals"]["get"]["responses"]["200"]["content"]["application/json"]["example"]["items"][0]["n_1h"] = "three"
    channels["operations"]["send.sales"]["channel"]["$ref"] = "#/channels/none"
    avro = load("asyncapi")
    avro["components"]["messages"]["sales"]["payload"]["schema"]["type"] = "rekord"
    for what, found in (("ODPS", by_schema("product")(product)), ("ODCS", by_schema("odcs")(contract)), ("OpenAPI", openapi(api)),
                        ("an example", examples(example)), ("AsyncAPI", asyncapi([channels])), ("Avro in AsyncAPI", asyncapi([avro]))):
        if not found:
            wrong.append("the judge of %s accepts a document with a mistake" % what)


def main():
    meshgen = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        for name, mesh in (("omnishop", ROOT), ("hostile", os.path.join(HERE, "hostile"))):
            subprocess.run([meshgen, "generate", "--mesh", mesh, "-o", os.path.join(work, name)], check=True, stdout=subprocess.DEVNULL)
            check(os.path.join(work, name))
        refuses(os.path.join(work, "omnishop"))
    for line in wrong[:40]:
        print("WRONG " + line)
    print("%d wrong; accepted: %s" % (len(wrong), ", ".join("%d %s" % (n, k) for k, n in sorted(seen.items()))))
    assert seen.get("odcs", 0) > 20 and seen.get("asyncapi") == 5 and seen.get("examples", 0) > 30
    sys.exit(1 if wrong else 0)


main()
