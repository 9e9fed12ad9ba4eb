"""The text of a mesh, as mistakes are made in it: every key with its place, and the parts of expressions."""
import os
import re


class Key:
    """One `key: value` of a YAML file."""

    def __init__(self, file, line, begin, name, path, inline):
        self.file, self.line, self.begin, self.name, self.path, self.inline = file, line, begin, name, path, inline
        self.value_begin = self.value_end = 0
        self.parent_line = 0

    @property
    def value(self):
        return self.file.lines[self.line][self.value_begin : self.value_end]


class File:
    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8") as f:
            self.text = f.read()
        self.lines = self.text.split("\n")
        self.keys = find_keys(self) if path.endswith(".yaml") else []


def skip_quoted(line, at):
    quote = line[at]
    at += 1
    while at < len(line) and line[at] != quote:
        at += 2 if line[at] == "\\" and quote == '"' else 1
    return at + 1


def scan(file, number, line, start, stack, found):
    """Keys within the braces of one line; `stack` holds (path, line) of what is open."""
    at, open_key, pending = start, None, []
    while at < len(line):
        c = line[at]
        if c in "\"'" and line[at - 1] in " [{(,":
            at = skip_quoted(line, at)
            continue
        match = re.match(r"([A-Za-z_]\w*):(?= |$)", line[at:])
        if match and (at == start or line[at - 1] in " {"):
            path = stack[-1][0]
            open_key = Key(file, number, at, match[1], path, bool(pending))
            open_key.parent_line = stack[-1][1]
            begin = at + match.end()
            while begin < len(line) and line[begin] == " ":
                begin += 1
            open_key.value_begin = begin
            open_key.value_end = value_end(line, begin, bool(pending))
            found.append(open_key)
            at = begin
            continue
        if c == "{":
            pending.append(open_key)
            stack.append((open_key.path + (open_key.name,) if open_key else stack[-1][0], number))
        elif c == "}" and pending:
            open_key = pending.pop()
            stack.pop()
        at += 1


def value_end(line, at, inline):
    depth = 0
    if not inline:
        return len(line.rstrip())
    while at < len(line):
        c = line[at]
        if c in "\"'" and depth >= 0 and line[at - 1] in " [{(,":
            at = skip_quoted(line, at)
            continue
        if c in "[{(":
            depth += 1
        elif c in "]})":
            if depth == 0:
                break
            depth -= 1
        elif c == "," and depth == 0:
            break
        at += 1
    return len(line[:at].rstrip())


def find_keys(file):
    found, indents = [], [(-1, (), 0)]
    for number, line in enumerate(file.lines):
        body = line.lstrip(" ")
        if not body or body.startswith("#"):
            continue
        indent = len(line) - len(body)
        while body.startswith("- "):
            stripped = body[2:].lstrip(" ")
            indent, body = indent + len(body) - len(stripped), stripped
            if body.startswith("{"):
                break
        while indents[-1][0] >= indent:
            indents.pop()
        before = len(found)
        scan(file, number, line, indent, [(indents[-1][1], indents[-1][2])], found)
        if len(found) > before and not found[before].inline:
            first = found[before]
            indents.append((indent, first.path + (first.name,), number))
    return found


SECTIONS = ("inputPorts", "streams", "views", "outputPorts")
OWN_NAMES = ("set", "select", "let", "emit", "windows", "state", "update")


def is_vocabulary(key):
    path = key.path
    if path and (path[-1] in OWN_NAMES or (len(path) == 1 and path[0] in SECTIONS + ("services",))):
        return False
    if len(path) > 1 and path[-2] == "update":
        return False
    return not (len(path) >= 2 and path[-2:] == ("pattern", "steps") and key.name != "where")


EXPRESSION_KEYS = ("where", "when", "rearm", "asOf", "remove")


def is_expression(key):
    if key.value.startswith("{") or not key.value:
        return False
    path = key.path
    if key.name in EXPRESSION_KEYS or (key.name == "key" and path and path[-1] == "join"):
        return True
    return bool(path) and (path[-1] in ("set", "select", "let", "emit") or (len(path) > 1 and path[-2] == "update"))


def identifiers(text):
    """(begin, end, word, is_function) of what stands outside of quotes."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", lambda m: " " * len(m[0]), text)
    for match in re.finditer(r"[A-Za-z_]\w*", bare):
        if match[0] in ("true", "false", "null", "in") or re.match(r"\d", bare[match.start() - 1 : match.start()] or " "):
            continue
        yield match.start(), match.end(), match[0], bare[match.end() : match.end() + 1] == "("


def misspelt(word, how):
    """Spelling mistakes: letters swapped, one left out, one twice."""
    if how == 0 and len(word) > 2:
        for i in range(1, len(word) - 1):
            if word[i] != word[i + 1]:
                return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if how == 1 and len(word) > 3:
        return word[:2] + word[3:]
    return word[0] + word
