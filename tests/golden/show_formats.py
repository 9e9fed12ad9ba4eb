#!/usr/bin/env python3
"""What `meshgen lineage` and `meshgen plan` print for programs, read as strictly as they would, and compared with each other.

    show_formats.py MESHGEN MESH

dot and mermaid: every line is one of those that the grammar allows, nothing escapes from a quoted text, every arrow joins nodes that
are there, and both draw the same graph. OpenLineage: what the specification requires of an event and a facet, and every input field
belongs to a dataset of the event. JSON: the hops lead from exactly the direct sources to the field. Plan: the rows are as large as
the C compiler makes the structs of the generated code, and the topics are those of `meshgen topics`.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

meshgen, mesh = sys.argv[1:]
bad = 0


def check(ok, what):
    global bad
    if not ok:
        print('FAIL', what)
        bad += 1


def run(*args):
    done = subprocess.run([meshgen, 'lineage', '--mesh', mesh, *args], capture_output=True, timeout=60)
    check(done.returncode == 0, f'{args}: exit {done.returncode}: {done.stderr.decode()}')
    return done.stdout.decode()


def drawing(text, name, patterns):
    """(nodes, arrows) of a text whose every line matches one pattern."""
    nodes, arrows, depth = {}, set(), 0
    for line in text.split('\n')[:-1]:
        for kind, pattern in patterns:
            found = re.fullmatch(pattern, line)
            if found:
                break
        else:
            check(False, f'{name}: not in the grammar: {line!r}')
            continue
        if kind == 'node':
            check(found[1] not in nodes and depth > 0, f'{name}: node {found[1]}')
            nodes[found[1]] = found[2]
        elif kind == 'box':
            depth += 1
        elif kind == 'end':
            depth -= 1
        elif kind != 'head':
            check(found[1] in nodes and found[2] in nodes, f'{name}: an arrow without an end: {line}')
            arrows.add((kind, found[1], found[2]))
    check(depth == 0, f'{name}: a box stays open')
    return nodes, arrows


QUOTED = r'"((?:[^"\\\x00-\x1f\x7f]|\\.)*)"'
DOT = [
    ('box', r'digraph lineage \{'), ('box', r'  subgraph cluster_\d+ \{'), ('end', r'(?:  )?\}'),
    ('head', r'  rankdir=LR;|  node \[shape=box, fontsize=10\];|    label=' + QUOTED + ';'),
    ('node', r'    (n\d+) \[label=' + QUOTED + r'\];'),
    ('direct', r'  (n\d+) -> (n\d+);'), ('decides', r'  (n\d+) -> (n\d+) \[style=dotted\];'),
    ('between', r'  (n\d+) -> (n\d+) \[style=bold\];'),
]
PLAIN = r'"((?:[0-9A-Za-z ._,\-/=+*:\x80-\U0010ffff]|#\d+;|<br/>)*)"'
MERMAID = [
    ('head', r'flowchart LR'), ('box', r'  subgraph p\d+\[' + PLAIN + r'\]'), ('end', r'  end'),
    ('node', r'    (n\d+)\[' + PLAIN + r'\]'),
    ('direct', r'  (n\d+) --> (n\d+)'), ('decides', r'  (n\d+) -\.-> (n\d+)'), ('between', r'  (n\d+) ==> (n\d+)'),
]


def dot_label(text):
    return re.sub(r'\\(.)', lambda m: '\n' if m[1] == 'n' else m[1], text)


def mermaid_label(text):
    return re.sub(r'#(\d+);', lambda m: chr(int(m[1])), text.replace('<br/>', '\n'))


dot = drawing(run('--format', 'dot'), 'dot', DOT)
mermaid = drawing(run('--format', 'mermaid'), 'mermaid', MERMAID)
check({k: dot_label(v) for k, v in dot[0].items()} == {k: mermaid_label(v) for k, v in mermaid[0].items()}, 'the same nodes')
check(dot[1] == mermaid[1], 'the same arrows')
check(any(kind == 'between' for kind, _, _ in dot[1]), 'an arrow between products')

if shutil.which('dot'):  # where graphviz is, it reads it too
    drawn = subprocess.run(['dot', '-Tplain'], input=run('--format', 'dot').encode(), capture_output=True, timeout=120)
    check(drawn.returncode == 0 and not drawn.stderr, f'dot: {drawn.stderr.decode()}')
    check(sum(line.startswith('node ') for line in drawn.stdout.decode().splitlines()) == len(dot[0]), 'dot: draws all nodes')

# ---- OpenLineage ----
events = [json.loads(line) for line in run('--format', 'openlineage').splitlines()]


def facets(facets, name):
    for facet in facets.values():
        check(facet['_producer'].startswith('urn:') and facet['_schemaURL'].startswith('https://openlineage.io/spec/'), name)
        check(re.fullmatch(r'\S+/\d-\d-\d/(\w+)\.json#/\$defs/\1', facet['_schemaURL']) is not None, facet['_schemaURL'])


written = set()
for event in events:
    name = event['job']['name']
    check(re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', event['eventTime']) is not None, f'{name}: eventTime {event["eventTime"]}')
    check(event['schemaURL'].endswith('/OpenLineage.json#/$defs/JobEvent') and event['job']['namespace'] and event['producer'], name)
    facets(event['job']['facets'], name)
    inputs = {(d['namespace'], d['name']) for d in event['inputs']}
    for output in event['outputs']:
        at = f'{name} {output["name"]}'
        facets(output['facets'], at)
        written.add((output['namespace'], output['name']))
        lineage = output['facets']['columnLineage']
        columns = [f['name'] for f in output['facets']['schema']['fields']]
        check(columns == list(lineage['fields']), f'{at}: {columns}')
        for field in [f for c in lineage['fields'].values() for f in c['inputFields']] + lineage['dataset']:
            check((field['namespace'], field['name']) in inputs, f'{at}: {field["name"]} is no input')
            check(len(field['transformations']) > 0, f'{at}: {field["field"]} is not transformed')
            for way in field['transformations']:
                kinds = {'DIRECT': ('IDENTITY', 'TRANSFORMATION', 'AGGREGATION'),
                         'INDIRECT': ('JOIN', 'GROUP_BY', 'FILTER', 'WINDOW', 'CONDITIONAL')}
                check(way['subtype'] in kinds[way['type']], f'{at}: {way}')
check(any((d['namespace'], d['name']) in written for e in events for d in e['inputs']), 'one product reads what another one writes')

# ---- our own ----
document = json.loads(run('--format', 'json'))
fields = 0
for product in document['products']:
    for port in product['ports']:
        for field in port['fields'] + [port['everyField']]:
            fields += 1
            at = f'{product["product"]} {port["port"]}.{field.get("field", "*")}'
            into = {}
            for hop in field['hops']:
                into.setdefault(hop['to'], []).append(hop)
            reached, stack = set(), [None]
            while stack:
                for hop in into.get(stack.pop(), []):
                    if hop['kind'] == 'direct' and hop['from'] not in reached:
                        reached.add(hop['from'])
                        stack.append(hop['from'])
            led = {field['places'][i]['name'] for i in reached if field['places'][i]['kind'] == 'input'}
            said = {f'inputPorts.{s["input"]}.{s["field"]}' for s in field['sources'] if s['kind'] == 'direct'}
            check(led == said, f'{at}: the hops lead from {sorted(led)}, the sources are {sorted(said)}')
            check(all(re.fullmatch(r'.+\.yaml:\d+', p['at']) for p in field['places']), f'{at}: a place without its line')
# ---- the plan ----
VIEW_HEAD, EVENT, RUN = 32, 8, 24  # in front of a row, a version and a run (codegen/plan_bytes.h)
include = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../../platform/include')
plan = json.loads(subprocess.run([meshgen, 'plan', '--mesh', mesh, '--format', 'json'], capture_output=True, check=True).stdout)
sizes = 0
with tempfile.TemporaryDirectory() as out:
    subprocess.run([meshgen, 'generate', '--mesh', mesh, '-o', out], capture_output=True, check=True)
    for product in plan['products']:
        domain, name = product['product'].split('/')
        text = open(f'{out}/{domain}/{name}_tables.c').read()
        rows = dict(re.findall(r'\[' + name + r'_STATE_(\w+)\] = \{(?:(?!\n    \},).)*?\.row_size = sizeof\(struct (\w+)\)', text, re.S))
        source = f'#include "{name}.h"\n'
        for state in product['states']:
            if state['state'] not in rows:
                check(state['kind'] in ('dedupe', 'fold', 'rises', 'pattern'), f'{name}: {state["state"]} has no row')
                continue
            sizes += 1
            size = {'view': state['payloadBytes'] - VIEW_HEAD, 'partial': state['payloadBytes'] - VIEW_HEAD, 'table': state['payloadBytes'],
                    'versions': state.get('itemBytes', 0) - EVENT, 'pattern': state.get('itemBytes', 0) - RUN,
                    'join': state.get('itemBytes', 0) - EVENT}[state['kind']]
            source += f'_Static_assert(sizeof(struct {rows[state["state"]]}) == {size}, "{state["state"]}");\n'
        done = subprocess.run(['cc', '-std=gnu17', '-fsyntax-only', '-I', include, '-I', f'{out}/{domain}', '-x', 'c', '-'],
                              input=source.encode(), capture_output=True)
        check(done.returncode == 0, f'{name}: sizes of rows: {done.stderr.decode()}')
said = {f'{t["topic"]} {t["partitions"]} {t["cleanup"]}' for p in plan['products'] for t in p['topics']}
listed = set(subprocess.run([meshgen, 'topics', '--mesh', mesh], capture_output=True, check=True).stdout.decode().splitlines())
check(said == listed, f'topics: {sorted(said ^ listed)}')
check(sizes > 0, 'no row was measured')

print(f'{mesh}: {sizes} sizes of rows, {len(dot[0])} nodes, {len(dot[1])} arrows, {len(events)} events, {fields} fields, {bad} complaints')
sys.exit(bad != 0)
