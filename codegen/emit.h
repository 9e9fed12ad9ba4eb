/* From a checked model to files.
 *
 * For every domain a folder <out>/<domain>/ that builds on its own: main.c, one set of files per product (<product>.h, _records.c,
 * _streams.c, _views.c, _ports.c, _tables.c, _documents.c), meson.build, Dockerfile, documents. Bytes depend on the declaration alone: no dates, no paths of a
 * machine, no tool version. A file is written only when it changes. `manifest` lists every file with its SHA-256; a listed file that
 * is no longer made is removed; a listed file that was edited by hand is an error, and nothing is written.
 */
#ifndef MESH_CODEGEN_EMIT_H
#define MESH_CODEGEN_EMIT_H

#include "codegen/model.h"
#include "codegen/plan.h"

struct mesh_generate_options {
    const char *out;    /* folder; one sub-folder per domain */
    const char *domain; /* NULL: all */
    bool check;         /* write nothing; stale says what would be written or removed */
};

struct mesh_generate_result {
    size_t written, unchanged, removed;
    MESH_VEC(const char *) stale; /* with check: files that would change */
    const char *diff; /* with check: how they would; on error emit.edited: what was edited, against what is generated; else NULL */
};

/* The model has no errors. 0; 1 = diagnostics were added (plan), nothing written; negative = err. */
int mesh_generate(struct mesh_model *model, const struct mesh_generate_options *options, struct mesh_generate_result *ret,
                  struct mesh_err *err);

/* What the state of a checked product looks like, a line for each state, input and topology: what `state_hash` is made of. In the arena of its
 * mesh; NULL when it cannot be planned. */
const char *mesh_emit_shape_text(struct mesh_model_product *product);

/* A topic of a product, as a broker has to make it. */
enum mesh_emit_topic_use { MESH_TOPIC_INPUT, MESH_TOPIC_UPSTREAM, MESH_TOPIC_PORT, MESH_TOPIC_INTERNAL, MESH_TOPIC_LETTERS };
struct mesh_emit_topic {
    const char *name;
    int32_t partitions;
    bool compact;
    enum mesh_emit_topic_use use; /* UPSTREAM: another product's port, which says what it is like */
};
struct mesh_emit_topics {
    MESH_VEC(struct mesh_emit_topic) list; /* inputs, ports, internal ones, then dead letters, late records and what comes back */
};
void mesh_emit_topics_of(const struct mesh_plan *plan, struct mesh_emit_topics *ret);

/* Lines "<topic> <partitions> <delete|compact>" of every topic that the mesh's products read or write, internal ones included, sorted,
 * each once. */
int mesh_emit_topics(struct mesh_model *model, struct mesh_buf *out);

#endif
