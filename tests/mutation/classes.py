"""The classes of mistakes. Each says its verdict before it is tried:

refused(codes)  `meshgen check` has an error (or, with warns, a warning) of one of the codes, at the line of the change or one beside it;
                `at` names other lines where it may stand, because the mistake shows where the thing is used
shown(codes)    the change is legal, and `meshgen breaking` tells readers with one of the codes
planned()       the change is legal and breaks nobody, and `meshgen plan` tells what becomes of it
"""
import re

from mesh_text import EXPRESSION_KEYS, identifiers, is_expression, is_vocabulary, misspelt


class Mutant:
    def __init__(self, kind, file, line, new, verdict, codes, at=None, warns=False, extra=None):
        self.kind, self.file, self.line, self.new, self.verdict, self.codes = kind, file, line, new, verdict, set(codes)
        self.at, self.warns, self.extra = at, warns, extra  # at: {(path, line)}; extra: (path, text) of a file that comes with it


def replaced(key, begin, end, text):
    line = key.file.lines[key.line]
    return line[:begin] + text + line[end:]


def with_value(key, text):
    return replaced(key, key.value_begin, key.value_end, text)


def refused(kind, key, new, codes, **more):
    return Mutant(kind, key.file, key.line, new, "refused", codes, **more)


def product_keys(files):
    for file in files:
        if file.path.endswith("product.yaml"):
            yield from file.keys


# ---- names ----

def misspelt_keys(files):
    for key in product_keys(files):
        for how in range(3 if is_vocabulary(key) else 0):
            codes = ["MG005", "MG003"] if key.path[-2:] == ("pattern", "steps") else ["MG003"] if key.name == "changes" else ["MG001"]
            yield refused("misspelt key", key, replaced(key, key.begin, key.begin + len(key.name), misspelt(key.name, how)), codes)


def misspelt_references(files):
    places = {"from": ["MG010"], "table": ["MG010"], "contract": ["MG011"], "by": ["MG017", "MG010", "MG016", "ME002"], "eventTime": ["MG016", "MG017"],
              "key": ["MG017", "MG016"], "product": ["MG014", "MG010"], "versioned": ["MG016", "MG017"]}
    for key in product_keys(files):
        if key.name not in places or not is_vocabulary(key) or key.value.startswith("{") or is_expression(key):
            continue
        for match in re.finditer(r"[A-Za-z_]\w+", key.value):
            for how in range(3):
                new = key.value[: match.start()] + misspelt(match[0], how) + key.value[match.end() :]
                yield refused("unknown name", key, with_value(key, new), places[key.name] + ["MG011"])
        if key.name == "contract":
            yield refused("unknown version", key, with_value(key, key.value.split("@")[0] + "@7"), ["MG011"])
            yield refused("no version", key, with_value(key, key.value.split("@")[0]), ["MG004"])


def misspelt_in_expressions(files):
    for key in product_keys(files):
        for begin, end, word, function in identifiers(key.value) if is_expression(key) else []:
            for how in range(2):
                new = key.value[:begin] + misspelt(word, how) + key.value[end:]
                yield refused("misspelt function" if function else "misspelt field", key, with_value(key, new), ["ME004"] if function else ["ME002", "ME005"])


def reserved_names(files):
    for key in product_keys(files):
        if len(key.path) == 1 and key.path[0] in ("inputPorts", "streams", "views", "outputPorts"):
            for word in ("int", "while", "true", "2nd", "a-b"):
                yield refused("reserved name", key, replaced(key, key.begin, key.begin + len(key.name), word), ["MG008", "MG004"])
            for other in key.file.keys:
                if other.path == key.path and other.line < key.line:
                    yield refused("name twice", key, replaced(key, key.begin, key.begin + len(key.name), other.name), ["MY003"])
                    break


# ---- keys ----

REQUIRED = {"apiVersion", "kind", "name", "domain", "version", "purpose", "username", "role", "latency", "availability", "retention", "eventTime",
            "topic", "contract", "by", "within", "table", "from", "path", "collection", "when", "sliding", "key"}


def missing_keys(files):
    for key in product_keys(files):
        if key.name not in REQUIRED or not is_vocabulary(key) or key.value.startswith(("{",)) and not key.inline:
            continue
        line = key.file.lines[key.line]
        if key.inline:
            end = key.value_end + (2 if line[key.value_end : key.value_end + 2] == ", " else 0)
            new = line[: key.begin] + line[end:]
        else:
            new = None  # the line goes
        at = {(key.file.path, key.parent_line), (key.file.path, key.line)}
        yield Mutant("missing key", key.file, key.line, new, "refused", ["MG002", "MG003", "MG005", "MG022"], at=at)


def misplaced_keys(files):
    wrong = {"inputPorts": ["keep: 1d", "path: /a", "let: {}"], "streams": ["window: { tumbling: 1m }", "topic: a.b", "keep: 1d"],
             "views": ["topic: a.b", "steps: []", "eventTime: at"], "outputPorts": ["keep: 1d", "eventTime: at", "where: n > 1", "delay: 1s"]}
    for key in product_keys(files):
        if len(key.path) != 1 or key.path[0] not in wrong:
            continue
        line = key.file.lines[key.line]
        for text in wrong[key.path[0]]:
            new = line.replace("{ ", "{ " + text + ", ", 1) if "{" in line else line + "\n    " + text
            yield refused("key in the wrong place", key, new, ["MG001", "MG005"])


def kinds_of_values(files):
    for key in product_keys(files):
        if not is_vocabulary(key) or not key.value or key.value.startswith(("{", "[")) or is_expression(key):
            continue
        yield refused("a map for a text", key, with_value(key, "{ a: b }"), ["MG003", "MG001", "MG002"])
        if key.name not in ("from", "by"):
            yield refused("a list for a text", key, with_value(key, "[a, b]"), ["MG003"])
        yield refused("an empty value", key, with_value(key, '""'), ["MG004", "MG003", "MG010", "MG002", "MG016", "MG017", "ME001"])


# ---- values ----

DURATIONS = ("delay", "idle", "within", "keep", "tumbling", "grace", "sliding", "ahead", "latency", "retention")
WORDS = ("kind", "status", "type", "role", "tool", "missing", "delivery", "emit", "cleanup", "copy", "personal", "special")


def units(files):
    for key in product_keys(files):
        if key.name in DURATIONS and is_vocabulary(key):
            number = re.match(r"\d+", key.value)[0]
            for text in (number, number + "x", number + " s", "-" + key.value, "soon", number + ".5", number + "D"):
                yield refused("unit of time", key, with_value(key, text), ["MG004"])
        if key.name == "availability":
            for text in ("99.9", "199%", "-1%", "high"):
                yield refused("percentage", key, with_value(key, text), ["MG004"])
        if key.name == "version" and not key.path:
            for text in ("1.0", "v1.0.0", "1.0.0.0", "one"):
                yield refused("version", key, with_value(key, text), ["MG004"])


def words(files):
    for key in product_keys(files):
        if key.name in WORDS and is_vocabulary(key) and re.fullmatch(r"[\w-]+", key.value):
            for how in range(3):
                yield refused("unknown word", key, with_value(key, misspelt(key.value, how)), ["MG004"])
        if key.name in ("topic", "path") and is_vocabulary(key):
            for text in ("a b", "a/b") if key.name == "topic" else ("sales", "/a b", "/a?b"):
                yield refused("bad " + key.name, key, with_value(key, text), ["MG004", "MG033"])
        if key.name == "keep":
            yield refused("kept too long", key, with_value(key, "9000d"), ["MG042"])
        if key.name == "domain" and not key.path:
            yield refused("another domain", key, with_value(key, "elsewhere"), ["MG007"])


# ---- expressions ----

def broken_expressions(files):
    cut = ["ME001", "ME011", "MY001", "MY011", "MY005"]
    for key in product_keys(files):
        if not is_expression(key) or key.inline:
            continue
        text = key.value
        if text.startswith(("'", '"')):
            continue
        yield refused("ends early", key, with_value(key, text + " +"), ["ME001"])
        yield refused("parenthesis", key, with_value(key, "(" + text), ["ME001"])
        yield refused("YAML cuts", key, with_value(key, "!" + text), cut)
        yield refused("YAML cuts", key, with_value(key, text + " > 1 ? 1 : 2"), cut)
        yield refused("YAML cuts", key, with_value(key, '"a" == "b" && ' + text), cut)
        yield refused("left out", key, with_value(key, "now()"), ["ME010"])
        yield refused("a text for it", key, with_value(key, "(" + text + ') - "x"'), ["ME003", "ME006"])
        yield refused("assignment", key, with_value(key, text + " = 1"), ["ME001"])
        yield refused("no bool", key, with_value(key, "(" + text + ") && 1"), ["ME003"])
        for begin, end, word, function in identifiers(text):
            if word in ("sum", "avg"):
                yield refused("sum of a text", key, with_value(key, re.sub(r"\(.*?\)", '("a")', text)), ["ME005", "ME003", "ME009"])
            if word in ("sum", "avg", "max", "min", "last", "count") and function:
                yield refused("nested aggregate", key, with_value(key, text[:begin] + "sum(" + text[begin:] + ")"), ["ME009"])
        if key.name in EXPRESSION_KEYS:
            yield refused("aggregate in a step", key, with_value(key, "count() > 1"), ["ME009"])


# ---- YAML ----

def yaml_mistakes(files):
    for key in product_keys(files):
        line = key.file.lines[key.line]
        if key.inline or line.lstrip().startswith("-"):
            continue
        if key.value and not key.value.startswith("{"):
            yield refused("line twice", key, line + "\n" + line, ["MY003"])
        yield refused("tab", key, "\t" + line.lstrip(), ["MY007", "MY001"])
        if key.value:
            yield refused("anchor", key, with_value(key, "&a " + key.value), ["MY004"])
            yield refused("alias", key, with_value(key, "*a"), ["MY004", "MY001"])
            yield refused("tag", key, with_value(key, "!!str " + key.value), ["MY005", "MY011", "ME011"])
        if key.value.endswith("}"):
            yield refused("open brace", key, line[:-1], ["MY001", "MY011"])


# ---- contracts ----

def field_of(line):
    match = re.match(r'\s*\{"name": "(\w+)", "type": (.*?)(?:, "(?:doc|label|default|subject|aliases)".*)?\},?$', line)
    return (match[1], match[2]) if match else None


def used_at(files, name):
    """Where a name stands, in declarations and contracts; and the head of each part that it stands in."""
    return {(file.path, i) for file in files for i, line in enumerate(file.lines) if re.search(r"\b%s\b" % name, line)}


def contract_texts(files):
    for file in files:
        if not file.path.endswith(".avsc"):
            continue
        for number, line in enumerate(file.lines):
            if field_of(line) is None:
                continue

            def mutant(kind, new, codes, **more):
                return Mutant(kind, file, number, new, "refused", codes, **more)

            name, kind = field_of(line)
            yield mutant("unknown type", line.replace('"type": ' + kind, '"type": "strin"', 1), ["MC003"])
            yield mutant("type left out", line.replace('"type": ' + kind + ",", "", 1).replace('"type": ' + kind, "", 1), ["MC002", "MC001"])
            yield mutant("no JSON", line.replace(": ", " ", 1), ["MC001"])
            yield mutant("open quote", line.replace('"type"', '"type', 1), ["MC001"])
            yield mutant("field twice", line.rstrip(",") + ",\n" + line, ["MC004"])
            yield mutant("bad name", line.replace('"name": "%s"' % name, '"name": "%s-x"' % name, 1), ["MC004"])
            if kind == '"string"':
                yield mutant("bad default", line.replace(kind, kind + ', "default": 5', 1), ["MC005"])
            if '"label": "' in line:
                yield mutant("unknown label", line.replace('"label": "', '"label": "x', 1), ["MC008"])
            if "logicalType" in line:
                yield mutant("unknown logical type", line.replace('"logicalType": "', '"logicalType": "x', 1), ["MC006"], warns=True)
            if '"symbols"' in line:
                yield mutant("bad symbol", line.replace('"symbols": ["', '"symbols": ["A B", "', 1), ["MC004"])


def renamed_fields(files):
    """A field of a contract has another name: where the old one is used, or where nothing fills the new one."""
    codes = ["ME002", "MG016", "MG017", "MG018", "MG023", "MG010", "MG015"]
    declared = "\n".join(file.text for file in files if file.path.endswith("product.yaml"))
    for file in files:
        subject = re.match(r"contracts/(\w+/\w+)\.v", file.path)
        if subject is None or subject[1] + "@1" not in declared:
            continue
        written = re.search(r"kind: kafka.*" + subject[1], declared) is not None
        for number, line in enumerate(file.lines):
            field = field_of(line)
            readers = [f.text for f in files if f.path.endswith("product.yaml") and subject[1] + "@1" in f.text]
            if field is None or (not written and not any(re.search(r"\b%s\b" % field[0], text.split("\ninputPorts:")[1]) for text in readers)):
                continue
            at = used_at(files, field[0]) | {(file.path, number)} | used_at(files, subject[1] + "@1")
            new = line.replace('"name": "%s"' % field[0], '"name": "%s_new"' % field[0], 1)
            yield Mutant("field renamed", file, number, new, "refused", codes, at=at, warns=not written)


def next_versions(files):
    """A version 2 beside version 1, that cannot read what version 1 wrote."""
    for file in files:
        if not file.path.endswith(".v1.avsc"):
            continue
        path = file.path.replace(".v1.", ".v2.")
        if any(f.path == path for f in files):
            continue

        def version(kind, number, line, codes=("MG060",)):
            text = "\n".join(file.lines[:number] + [line] + file.lines[number + 1 :])
            return Mutant(kind, file, None, None, "refused", codes, at={(path, number)}, extra=(path, text))

        for number, line in enumerate(file.lines):
            field = field_of(line)
            if field is None:
                continue
            name, kind = field
            if '"default"' not in line:
                yield version("v2 renames", number, line.replace('"name": "%s"' % name, '"name": "%s_new"' % name, 1))
            yield version("v2 changes the type", number, line.replace('"type": ' + kind, '"type": {"type": "map", "values": "int"}', 1)
                          .replace('"default": null, ', "").replace('"default": false, ', ""))
            yield version("v2 adds without default", number, '    {"name": "added", "type": "string", "label": "internal"},\n' + line)
            if '"scale": 2' in line:
                yield version("v2 has another scale", number, line.replace('"scale": 2', '"scale": 3'))
            if '"symbols": ["' in line:
                yield version("v2 drops a symbol", number, re.sub(r'"symbols": \["\w+", ', '"symbols": [', line))
            if '["null", ' in line:
                yield version("v2 drops null", number, re.sub(r'\["null", (.*?)\], "default": null', r"\1", line))


# ---- personal data ----

def unprotected(files):
    for key in product_keys(files):
        if key.path == ("protect",) and key.name == "personal":
            heads = {(key.file.path, k.line) for k in key.file.keys if k.path == ("outputPorts",)}
            personal = {"sales_fraud", "customer"}
            if any("/%s/" % name in key.file.path for name in personal):
                yield refused("personal fields unprotected", key, with_value(key, "error"), ["MG050"], at=heads)
    for file in files:
        if not file.path.endswith(".avsc"):
            continue
        for number, line in enumerate(file.lines):
            if '"label": "pseudonymous"' in line:
                for label in ("internal", "public", "personal"):
                    new = line.replace("pseudonymous", label)
                    yield Mutant("contract hides what it holds", file, number, new, "refused", ["MG051", "MG053", "MG050"],
                                 at={(file.path, number)} | used_at(files, re.sub(r"contracts/(.*)\.v1.avsc", r"\1@1", file.path)))
            if '"label": "personal", "subject": "customer"' in line and field_of(line):
                subject_gone = line.replace(', "subject": "customer"', "")
                yield Mutant("personal field of nobody", file, number, subject_gone, "refused", ["MG043"], warns=True)
                label_gone = line.replace('"label": "personal", "subject": "customer", ', "")
                yield Mutant("label taken away", file, number, label_gone, "refused", ["MG053", "MG051"], warns=True,
                             at={(file.path, number)} | used_at(files, field_of(line)[0]))
            if re.match(r'  "label": "internal",$', line):
                fields = {(file.path, i) for i, l in enumerate(file.lines) if '"type": "record"' in l}
                yield Mutant("no label", file, number, None, "refused", ["MG041"], warns=True, at=fields)


# ---- legal changes ----

def shown(kind, key, new, codes, **more):
    return Mutant(kind, key.file, key.line, new, "shown", codes, **more)


def legal_changes(files):
    for key in product_keys(files):
        part = key.path[0] if key.path else ""
        if part == "outputPorts" and key.name == "topic":
            yield shown("topic", key, with_value(key, key.value + ".new"), ["MB003"])
        if part == "outputPorts" and key.name == "path":
            yield shown("path", key, with_value(key, key.value + "-new"), ["MB008"])
        if part == "outputPorts" and key.name == "collection":
            yield shown("collection", key, with_value(key, key.value + "_new"), ["MB008"])
        if part == "outputPorts" and key.name == "cleanup":
            yield shown("cleanup", key, with_value(key, "delete"), ["MB014"])
        if part == "outputPorts" and len(key.path) == 1:
            product = key.file.path.split("/")[1] + "/" + key.name
            readers = {(f.path, i) for f in files for i, l in enumerate(f.lines) if "product: " + product in l}
            for kind, new in (("port gone", None), ("port renamed", replaced(key, key.begin, key.begin + len(key.name), key.name + "_new"))):
                yield refused(kind, key, new, ["MG014"], at=readers) if readers else shown(kind, key, new, ["MB002"])
        if part == "outputPorts" and key.name == "kind":
            line = key.file.lines[key.line].replace(" }", ", partitions: 12 }") if key.value == "kafka" else None
            if line:
                yield shown("partitions", key, line, ["MB005"])
        if part == "views" and key.name == "keep":
            for text in ("1d", "36h", "20d"):
                yield shown("kept for less long", key, with_value(key, text), ["MB010"])
        if part == "views" and key.name == "tumbling" and "zone:" not in key.file.lines[key.line]: # windows of a zone are days
            for text in ("2m", "1h", "10s"):
                yield shown("window", key, with_value(key, text), ["MB009"])
        if part == "views" and key.path[-1] == "let" and len(key.path) == 3:
            name = key.name + "_new"
            used = any(re.search(r"\b%s\b" % key.name, k.value) for k in key.file.keys if k.path == key.path)
            written = any(key.path[1] == k.value and "kafka" in key.file.lines[k.line] for k in key.file.keys if k.name == "from")
            released = any(re.search(r"release: .*\b%s\b" % key.name, line) for line in key.file.lines)
            if not used and not written and not released:
                yield shown("column renamed", key, replaced(key, key.begin, key.begin + len(key.name), name), ["MB009"])
                yield shown("column gone", key, None, ["MB009"])
                yield shown("column of another type", key, with_value(key, "count() > 1" if len(source(key)) == 1 else "count(%s) > 1" % source(key)[0]), ["MB009"])
        if key.path == ("slaProperties",):
            if key.value in ("5s", "99.9%"):
                yield shown("promise", key, with_value(key, {"5s": "9s", "99.9%": "99.6%"}[key.value]), ["MB011"])
            if key.name != "retention":
                name = {(key.file.path, k.line) for k in key.file.keys if k.name == "name" and not k.path}
                yield refused("against a policy", key, with_value(key, "1h" if key.name == "latency" else "90%"), ["SHOP004"], at=name)
        if key.path == ("description",) and key.name == "purpose" and re.search("sales_fraud|customer", key.file.path): # with personal data
            yield shown("purpose", key, with_value(key, "Whatever it may be good for."), ["MB012"])
        if part == "outputPorts" and key.name == "delivery" and is_vocabulary(key):
            yield shown("delivery", key, with_value(key, "at_least_once"), ["MB014", "MB011"])
        if key.name in ("delay", "within", "grace", "idle", "sliding") and key.value[-1] in "smhd":
            for text in ("7s", "11m"):
                yield Mutant("other times", key.file, key.line, with_value(key, text), "planned", [])


def source(key):
    for other in key.file.keys:
        if other.path == key.path[:2] and other.name == "from":
            return re.findall(r"\w+", other.value)
    return []


def legal_versions(files):
    for file in files:
        if not file.path.endswith(".v1.avsc"):
            continue
        path = file.path.replace(".v1.", ".v2.")
        for number, line in enumerate(file.lines):
            if field_of(line) is None:
                continue
            added = '    {"name": "added", "type": ["null", "string"], "default": null, "label": "internal", "doc": "New."},\n' + line
            text = "\n".join(file.lines[:number] + [added] + file.lines[number + 1 :])
            yield Mutant("v2 adds with default", file, None, None, "clean", [], extra=(path, text))
            if '"symbols": ["' in line and "sales_fraud" not in path: # there the symbols go through to a port's contract
                more = file.lines[number].replace('"symbols": ["', '"symbols": ["NEW", "')
                yield Mutant("v1 changed", file, number, more, "shown", ["MB006"], at={(file.path, 0)})


ALL = [misspelt_keys, misspelt_references, misspelt_in_expressions, reserved_names, missing_keys, misplaced_keys, kinds_of_values, units, words,
       broken_expressions, yaml_mistakes, contract_texts, renamed_fields, next_versions, unprotected, legal_changes, legal_versions]
