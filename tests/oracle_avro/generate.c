/* Writes random pairs of schemas, and what this implementation says about them, for Java Avro to judge.
 *
 *   oracle-avro-generate SEED PAIRS FILE
 *
 * A line each: "<writer> <reader> <canonical form of the writer> <its fingerprint> <compatible|incompatible> <datum> <result>", separated
 * by tabs. The datum is what the writer wrote, the result the same as the reader would have written it, both in hexadecimal; or
 * "refused <code>". Exit 1: a schema was refused; it is printed.
 */
#include "contract/compat.h"
#include "contract/resolve.h"
#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct side {
    struct mesh_buf text;
    const struct mesh_schema *schema;
};

static struct mesh_arena arena;

static void parse(struct side *side)
{
    struct mesh_diags diags = {.arena = &arena};
    side->schema = mesh_schema_parse(&arena, mesh_source_new(&arena, "schema.avsc", side->text.p, side->text.n), &diags);
    if (side->schema != NULL)
        return;
    printf("refused: %s\n", side->text.p);
    mesh_diag_print(&diags, stdout, MESH_DIAG_TEXT, false);
    exit(1);
}

static void put_hex(FILE *out, const struct mesh_buf *bytes)
{
    fputc('x', out);
    for (size_t i = 0; i < bytes->n; i++)
        fprintf(out, "%02x", (unsigned char)bytes->p[i]);
}

static void put_result(FILE *out, const struct side *writer, const struct side *reader, const struct mesh_buf *datum)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf result = MESH_BUF_NULL;
    struct mesh_err err = {0};
    struct mesh_resolve *resolve = NULL;
    if (mesh_resolve_new(writer->schema, reader->schema, &resolve, &err) == 0 &&
        mesh_resolve_run(resolve, datum->p, datum->n, &result, &err) == 0)
        put_hex(out, &result);
    else
        fprintf(out, "refused %s", err.code);
    mesh_resolve_free(resolve);
}

static void pair(struct random_avro *random, FILE *out)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf canonical = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf datum = MESH_BUF_NULL;
    struct side writer = {0}, reader = {0};
    struct node *first = avro_random(random);
    avro_text(random, first, &writer.text);
    avro_datum(random, first, &datum, 6);
    struct node *second = mesh_rng_below(&random->rng, 8) == 0 ? avro_random(random) : avro_changed(random, first);
    avro_text(random, second, &reader.text);
    parse(&writer);
    parse(&reader);
    mesh_schema_canonical(writer.schema, &canonical);
    fprintf(out, "%s\t%s\t%s\t%016llx\t%s\t", writer.text.p, reader.text.p, canonical.p,
            (unsigned long long)mesh_schema_fingerprint(writer.schema),
            mesh_compat_ok(reader.schema, writer.schema) ? "compatible" : "incompatible");
    put_hex(out, &datum);
    fputc('\t', out);
    put_result(out, &writer, &reader, &datum);
    fputc('\n', out);
    mesh_buf_deinit(&writer.text);
    mesh_buf_deinit(&reader.text);
}

int main(int argc, char **argv)
{
    FILE *out = argc == 4 ? fopen(argv[3], "w") : NULL;
    if (out == NULL)
        return 2;
    struct random_avro random = {.arena = &arena};
    mesh_rng_seed(&random.rng, (uint64_t)atoll(argv[1]));
    for (int n = atoi(argv[2]); n > 0; n--) {
        pair(&random, out);
        mesh_arena_reset(&arena);
    }
    mesh_arena_deinit(&arena);
    return fclose(out) == 0 ? 0 : 2;
}
