/* The texts, with NAME and MESH to be replaced, and writing them with O_EXCL: what exists cannot be overwritten, whatever the
 * caller does. */
#include "codegen/scaffold.h"

#include "base/check.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char mesh_text[] = "# The mesh: what all products of this folder share. 'meshgen docs' explains every key.\n"
                                "apiVersion: mesh/v1\n"
                                "kind: Mesh\n"
                                "name: NAME\n"
                                "description: The data products of NAME.\n"
                                "\n"
                                "# The pseudonym of a person is HMAC-SHA256 under a key that never stands in a file: the "
                                "environment variable named here holds it.\n"
                                "pseudonym:\n"
                                "  keyRef: env:MESH_PSEUDONYM_KEY\n"
                                "\n"
                                "topics:\n"
                                "  partitions: 4\n"
                                "\n"
                                "# Rules for every product, to begin from; they are expressions over what a product declares.\n"
                                "policies:\n"
                                "  - code: BASE001\n"
                                "    over: outputPort\n"
                                "    where: has(outputPort.topic)\n"
                                "    require: outputPort.topic.startsWith(mesh.name)\n"
                                "    text: A topic begins with the name of the mesh.\n"
                                "    why: On a broker that others use too, names say whose a topic is.\n"
                                "  - code: BASE002\n"
                                "    over: field\n"
                                "    require: has(field.label)\n"
                                "    text: Every field of a contract has a label, its own or its record's.\n"
                                "    why: What nobody has called public, internal or personal, nobody has looked at.\n"
                                "    fix: 'add \"label\": \"internal\" to the record'\n"
                                "  - code: BASE003\n"
                                "    over: product\n"
                                "    where: product.status == \"active\"\n"
                                "    require: has(product.owner) && product.support > 0\n"
                                "    text: An active product has an owner and a place to ask.\n"
                                "    fix: add 'support'\n"
                                "  - code: BASE004\n"
                                "    over: product\n"
                                "    where: product.status == \"active\"\n"
                                "    require: product.availability >= 99.0\n"
                                "    text: An active product is there 99% of the time.\n"
                                "    severity: warning\n"
                                "  - code: BASE005\n"
                                "    over: view\n"
                                "    require: has(view.keep) && view.keep <= duration(\"3650d\")\n"
                                "    text: Rows end within ten years.\n"
                                "    fix: set 'keep' of the view\n";

static const char product_text[] =
    "apiVersion: mesh/v1\n"
    "kind: DataProduct\n"
    "name: NAME\n"
    "domain: NAME\n"
    "version: 0.1.0\n"
    "status: draft\n"
    "type: TYPE\n"
    "description:\n"
    "  purpose: Say here what the product is for; personal data may be used for this alone.\n"
    "  limitations: Say here what it must not be used for.\n"
    "team:\n"
    "  name: NAME\n"
    "  members:\n"
    "    - { username: owner@example.org, role: owner }\n"
    "slaProperties: { latency: 10s, availability: 99.5%, retention: 90d }\n"
    "protect: { personal: pseudonym, special: drop }\n"
    "\n"
    "# What comes in. Nothing else does.\n"
    "inputPorts:\n"
    "  events: { topic: MESH.NAME.events, contract: NAME/event@1, key: person_id, eventTime: at, delay: 2s, idle: 2s }\n"
    "\n"
    "# Records on their way: an ordered list of steps.\n"
    "streams:\n"
    "  clean:\n"
    "    from: events\n"
    "    steps:\n"
    "      - where: value >= 0\n"
    "      - dedupe: { by: [person_id, event_id], within: 1h }\n"
    "\n"
    "# What is kept and served: keyed folds.\n"
    "views:\n"
    "  by_kind:\n"
    "    from: clean\n"
    "    by: kind\n"
    "    window: { tumbling: 1m, grace: 1m }\n"
    "    keep: 30d\n"
    "    let:\n"
    "      n: count()\n"
    "      total: sum(value)\n"
    "      mean: ratio(total, n)\n"
    "  people:\n"
    "    from: clean\n"
    "    by: person_id\n"
    "    keep: 90d\n"
    "    let:\n"
    "      n: count()\n"
    "      last_seen: max(at)\n"
    "\n"
    "# What leaves. Nothing else does. The person's id leaves as a pseudonym.\n"
    "outputPorts:\n"
    "  by_kind: { kind: http, from: by_kind, path: /NAME/by-kind }\n"
    "  people: { kind: http, from: people, path: /NAME/people }\n";

static const char contract_text[] = "{\n"
                                    "  \"type\": \"record\", \"name\": \"Event\", \"namespace\": \"MESH.NAME\",\n"
                                    "  \"doc\": \"Say here what happened when there is one of these.\",\n"
                                    "  \"label\": \"internal\",\n"
                                    "  \"fields\": [\n"
                                    "    {\"name\": \"event_id\", \"type\": \"string\", \"doc\": \"Unique.\"},\n"
                                    "    {\"name\": \"person_id\", \"type\": \"string\", \"label\": \"personal\", \"subject\": "
                                    "\"person\", \"doc\": \"Whom it is about.\"},\n"
                                    "    {\"name\": \"kind\", \"type\": \"string\", \"doc\": \"What kind of event.\"},\n"
                                    "    {\"name\": \"value\", \"type\": \"long\", \"doc\": \"How much.\"},\n"
                                    "    {\"name\": \"at\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}, "
                                    "\"doc\": \"When it happened.\"}\n"
                                    "  ]\n"
                                    "}\n";

static const char readme_text[] =
    "# NAME\n"
    "\n"
    "One domain: one folder, one service.\n"
    "\n"
    "| File | What |\n"
    "| --- | --- |\n"
    "| `product.yaml` | the declaration: what comes in, what is made of it, what leaves |\n"
    "| `../../contracts/NAME/event.v1.avsc` | the contract of the input; a change is a new version, `event.v2.avsc` |\n"
    "| `tests/first.yaml` | records, and what must come of them |\n"
    "\n"
    "1. Change the contract and the declaration to what your domain knows.\n"
    "2. `meshgen check` until it has nothing to say; `meshgen explain CODE` tells more about a message.\n"
    "3. `meshgen test` runs the tests, here and without a broker.\n"
    "4. `meshgen generate` writes the service.\n";

static const char test_text[] =
    "# Records that come in, and what there must be then. 'meshgen test' runs it on the generated code.\n"
    "apiVersion: mesh/v1\n"
    "kind: Test\n"
    "describe: an event that comes twice counts once\n"
    "\n"
    "given:\n"
    "  - input: events\n"
    "    records:\n"
    "      - { event_id: e1, person_id: p1, kind: visit, value: 3, at: 2026-01-01T10:00:00Z }\n"
    "      - { event_id: e2, person_id: p2, kind: visit, value: 5, at: 2026-01-01T10:00:20Z }\n"
    "      - { event_id: e2, person_id: p2, kind: visit, value: 5, at: 2026-01-01T10:00:20Z }\n"
    "\n"
    "expect:\n"
    "  - view: by_kind\n"
    "    rows:\n"
    "      - { kind: visit, window_start: 2026-01-01T10:00:00Z, n: 2, total: 8, mean: 4.0 }\n"
    "  # What leaves through a port is protected: people have pseudonyms.\n"
    "  - port: people\n"
    "    rows:\n"
    "      - { person_id: { pseudonym: p1 }, n: 1, last_seen: 2026-01-01T10:00:00Z }\n"
    "      - { person_id: { pseudonym: p2 }, n: 1, last_seen: 2026-01-01T10:00:20Z }\n";

static const char *replaced(struct mesh_arena *arena, const char *text, const char *name, const char *mesh, const char *type)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    while (*text != '\0') {
        if (strncmp(text, "NAME", 4) == 0 || strncmp(text, "MESH.", 5) == 0) {
            mesh_buf_puts(&out, text[0] == 'N' ? name : mesh);
            text += 4;
        } else if (strncmp(text, "TYPE", 4) == 0) {
            mesh_buf_puts(&out, type);
            text += 4;
        } else {
            mesh_buf_putc(&out, *text++);
        }
    }
    return mesh_arena_str(arena, (struct mesh_str){out.p, (uint32_t)out.n});
}

static void add(struct mesh_arena *arena, struct mesh_scaffold *scaffold, const char *path, const char *text, const char *name,
                const char *mesh, const char *type)
{
    *mesh_vec_push_in(arena, &scaffold->files) =
        (struct mesh_scaffold_file){replaced(arena, path, name, mesh, type), replaced(arena, text, name, mesh, type)};
}

void mesh_scaffold_mesh(struct mesh_arena *arena, const char *name, struct mesh_scaffold *ret)
{
    *ret = (struct mesh_scaffold){0};
    add(arena, ret, "mesh.yaml", mesh_text, name, name, "");
}

void mesh_scaffold_domain(struct mesh_arena *arena, const char *mesh, const char *name, const char *type, struct mesh_scaffold *ret)
{
    *ret = (struct mesh_scaffold){0};
    add(arena, ret, "domains/NAME/product.yaml", product_text, name, mesh, type);
    add(arena, ret, "domains/NAME/README.md", readme_text, name, mesh, type);
    add(arena, ret, "domains/NAME/tests/first.yaml", test_text, name, mesh, type);
    add(arena, ret, "contracts/NAME/event.v1.avsc", contract_text, name, mesh, type);
}

static int write_new(struct mesh_arena *arena, const char *root, const struct mesh_scaffold_file *file, struct mesh_err *err)
{
    const char *path = mesh_arena_printf(arena, "%s/%s", root, file->path);
    char *folder = mesh_arena_strdup(arena, path);
    *strrchr(folder, '/') = '\0';
    if (mesh_fs_mkdirs(folder, err) != 0)
        return -1;
    mesh_cleanup(mesh_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "fs.create", "cannot create '%s': %s", path, strerror(errno));
    return mesh_fs_write_all(fd, path, file->text, strlen(file->text), err);
}

int mesh_scaffold_write(struct mesh_arena *arena, const char *root, const struct mesh_scaffold *scaffold, const char **ret_path,
                        struct mesh_err *err)
{
    for (size_t i = 0; i < scaffold->files.n; i++) {
        if (mesh_fs_exists(mesh_arena_printf(arena, "%s/%s", root, scaffold->files.v[i].path))) {
            *ret_path = scaffold->files.v[i].path;
            return 1;
        }
    }
    for (size_t i = 0; i < scaffold->files.n; i++) {
        if (write_new(arena, root, &scaffold->files.v[i], err) != 0)
            return -1;
    }
    return 0;
}
