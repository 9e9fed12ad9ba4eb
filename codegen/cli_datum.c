/* schema decode and encode: what is in a topic or a file, as JSON lines, and back.
 *
 * One payload is one line. What cannot be read is told with its number on standard error, and the next one is read. */
#include "codegen/cli.h"

#include "base/fs.h"
#include "contract/datum.h"
#include "contract/framing.h"
#include "contract/resolve.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX ((size_t)1 << 30)
#define LENGTH_BYTES    4 /* of --payload length */

enum framing { FRAMING_CONFLUENT, FRAMING_SINGLE, FRAMING_NONE };
enum payload { PAYLOAD_RAW, PAYLOAD_HEX, PAYLOAD_BASE64, PAYLOAD_LENGTH };

struct writer {
    const char *path;
    struct mesh_schema *schema;
    uint32_t id;
    uint64_t fingerprint;
    struct mesh_resolve *resolve; /* with --reader */
};

struct codec {
    struct mesh_cli *cli;
    enum framing framing;
    enum payload payload;
    struct writer writers[MESH_CLI_ARGS_MAX];
    size_t n_writers;
    struct mesh_schema *reader; /* or NULL */
    struct mesh_buf in;
    size_t n_bad;
};

static void codec_deinit(struct codec *c)
{
    for (size_t i = 0; i < c->n_writers; i++)
        mesh_resolve_free(c->writers[i].resolve);
    mesh_buf_deinit(&c->in);
}

/* ---- options ---- */

static bool choose(const char *option, const char *text, const char *const *names, size_t n, int *ret)
{
    *ret = 0;
    for (size_t i = 0; text != NULL && i < n; i++) {
        if (strcmp(names[i], text) == 0) {
            *ret = (int)i;
            return true;
        }
    }
    if (text == NULL)
        return true;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    for (size_t i = 0; i < n; i++)
        mesh_buf_printf(&list, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", names[i]);
    mesh_cli_fail("%s is %s, not '%s'", option, list.p, text);
    return false;
}

static bool parse_id(const char *text, uint32_t *ret)
{
    char *end = NULL;
    errno = 0;
    unsigned long id = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || id > UINT32_MAX) {
        mesh_cli_fail("--id is a number from 0 to %u, not '%s'", UINT32_MAX, text);
        return false;
    }
    *ret = (uint32_t)id;
    return true;
}

static int open_reader(struct codec *c)
{
    struct mesh_cli *cli = c->cli;
    if (cli->reader == NULL)
        return MESH_CLI_OK;
    int code = mesh_cli_read_schema(cli, cli->reader, &c->reader);
    for (size_t i = 0; code == MESH_CLI_OK && i < c->n_writers; i++) {
        struct mesh_err err = {0};
        if (mesh_resolve_new(c->writers[i].schema, c->reader, &c->writers[i].resolve, &err) != 0) {
            mesh_cli_fail("%s cannot read what %s wrote: %s", cli->reader, c->writers[i].path, err.text);
            return MESH_CLI_FINDINGS;
        }
    }
    return code;
}

static int open_codec(struct codec *c)
{
    static const char *const framings[] = {"confluent", "single", "none"};
    static const char *const payloads[] = {"raw", "hex", "base64", "length"};
    struct mesh_cli *cli = c->cli;
    int framing = 0;
    int payload = 0;
    if (!choose("--framing", cli->framing, framings, MESH_LEN(framings), &framing) ||
        !choose("--payload", cli->payload, payloads, MESH_LEN(payloads), &payload))
        return MESH_CLI_USAGE;
    c->framing = (enum framing)framing;
    c->payload = (enum payload)payload;
    for (size_t i = 1; i < cli->n_args; i++) {
        struct writer *writer = &c->writers[c->n_writers];
        writer->path = cli->args[i];
        int code = mesh_cli_read_schema(cli, writer->path, &writer->schema);
        if (code != MESH_CLI_OK)
            return code;
        writer->id = mesh_schema_local_id(writer->schema);
        writer->fingerprint = mesh_schema_fingerprint(writer->schema);
        c->n_writers++;
    }
    if (cli->id != NULL && !parse_id(cli->id, &c->writers[0].id))
        return MESH_CLI_USAGE;
    int code = open_reader(c);
    struct mesh_err err = {0};
    if (code == MESH_CLI_OK && mesh_fs_read("/dev/stdin", INPUT_BYTES_MAX, &c->in, &err) != 0)
        code = mesh_cli_fail("%s", err.text);
    return code;
}

static void bad(struct codec *c, const char *what, size_t number, const char *code, const char *text)
{
    c->n_bad++;
    fprintf(stderr, "meshgen: %s %zu: %s%s%s\n", what, number, code, code[0] == '\0' ? "" : ": ", text);
}

static bool scan_hex(struct mesh_str text, struct mesh_buf *out)
{
    if (text.n % 2 != 0)
        return false;
    for (uint32_t i = 0; i < text.n; i += 2) {
        if (!isxdigit((unsigned char)text.p[i]) || !isxdigit((unsigned char)text.p[i + 1]))
            return false;
        char digits[3] = {text.p[i], text.p[i + 1], '\0'};
        mesh_buf_u8(out, (uint8_t)strtoul(digits, NULL, 16));
    }
    return true;
}

/* ---- decode ---- */

/* Who wrote it; NULL after a message. */
static const struct writer *writer_of(struct codec *c, struct mesh_str payload, size_t number, struct mesh_str *ret_datum)
{
    *ret_datum = payload;
    if (c->framing == FRAMING_NONE)
        return &c->writers[0];
    struct mesh_frame frame;
    int r = mesh_frame_read(payload, (struct mesh_str){0}, &frame);
    if (r != MESH_FRAME_OK) {
        bad(c, "payload", number, r == MESH_FRAME_TRUNCATED ? "frame.truncated" : "frame.magic",
            r == MESH_FRAME_TRUNCATED
                ? "it ends before its schema id does"
                : "it begins neither with 00 (a schema id) nor with C3 01 (a fingerprint); --framing none reads bare data");
        return NULL;
    }
    *ret_datum = frame.datum;
    for (size_t i = 0; i < c->n_writers; i++) {
        if (frame.kind == MESH_FRAME_ID ? c->writers[i].id == frame.id : c->writers[i].fingerprint == frame.fingerprint)
            return &c->writers[i];
    }
    if (frame.kind == MESH_FRAME_ID)
        bad(c, "payload", number, "schema.unknown",
            mesh_arena_printf(
                &c->cli->arena,
                "it was written with schema id %u, which is none of the files'; '--id %u' says that it is the first one's",
                frame.id, frame.id));
    else
        bad(c, "payload", number, "schema.unknown",
            mesh_arena_printf(&c->cli->arena, "it was written with the schema of CRC-64-AVRO %016llx, which is none of the files'",
                              (unsigned long long)frame.fingerprint));
    return NULL;
}

static void decode_one(struct codec *c, struct mesh_str payload, size_t number)
{
    struct mesh_str datum;
    const struct writer *writer = writer_of(c, payload, number, &datum);
    if (writer == NULL)
        return;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf resolved = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_err err = {0};
    int r = 0;
    if (writer->resolve != NULL) {
        r = mesh_resolve_run(writer->resolve, datum.p, datum.n, &resolved, &err);
        datum = (struct mesh_str){resolved.p, (uint32_t)resolved.n};
    }
    if (r == 0)
        r = mesh_datum_to_json(c->reader == NULL ? writer->schema : c->reader, datum.p, datum.n, &out, &err);
    if (r != 0) {
        bad(c, "payload", number, err.code, err.text);
        return;
    }
    fwrite(out.p, 1, out.n, stdout);
    putchar('\n');
}

static void decode_lengths(struct codec *c)
{
    size_t at = 0;
    for (size_t number = 1; at < c->in.n; number++) {
        const uint8_t *p = (const uint8_t *)c->in.p + at;
        size_t left = c->in.n - at;
        uint32_t n = left < LENGTH_BYTES ? 0 : (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        if (n == UINT32_MAX) { /* -1: a record without a value */
            puts("null");
            at += LENGTH_BYTES;
            continue;
        }
        if (left < LENGTH_BYTES || n > left - LENGTH_BYTES) {
            bad(c, "payload", number, "",
                "the input ends inside of it; every payload is preceded by its length, 4 bytes, the highest first");
            return;
        }
        decode_one(c, (struct mesh_str){c->in.p + at + LENGTH_BYTES, n}, number);
        at += LENGTH_BYTES + n;
    }
}

/* The next line without its end; false at the end of the input. */
static bool next_line(const struct mesh_buf *in, size_t *at, struct mesh_str *ret)
{
    if (*at >= in->n)
        return false;
    const char *begin = in->p + *at;
    const char *end = memchr(begin, '\n', in->n - *at);
    size_t n = end == NULL ? in->n - *at : (size_t)(end - begin);
    *at += n + 1;
    if (n > 0 && begin[n - 1] == '\r')
        n--;
    *ret = (struct mesh_str){begin, (uint32_t)n};
    return true;
}

static void decode_lines(struct codec *c)
{
    size_t at = 0;
    struct mesh_str line;
    for (size_t number = 1; next_line(&c->in, &at, &line); number++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf payload = MESH_BUF_NULL;
        if (line.n == 0)
            continue;
        if (!(c->payload == PAYLOAD_HEX ? scan_hex(line, &payload) : mesh_datum_scan_base64(line, &payload))) {
            bad(c, "line", number, "", c->payload == PAYLOAD_HEX ? "is not hexadecimal" : "is not Base64");
            continue;
        }
        decode_one(c, (struct mesh_str){payload.p, (uint32_t)payload.n}, number);
    }
}

int mesh_cli_decode(struct mesh_cli *cli)
{
    mesh_cleanup(codec_deinit) struct codec c = {.cli = cli};
    int code = open_codec(&c);
    if (code != MESH_CLI_OK) {
        mesh_cli_report(cli);
        return code;
    }
    if (c.framing == FRAMING_NONE && c.n_writers > 1)
        return mesh_cli_fail("with --framing none nothing says which of %zu schemas wrote the data; name one", c.n_writers);
    if (c.payload == PAYLOAD_RAW)
        decode_one(&c, (struct mesh_str){c.in.p, (uint32_t)c.in.n}, 1);
    else if (c.payload == PAYLOAD_LENGTH)
        decode_lengths(&c);
    else
        decode_lines(&c);
    return c.n_bad > 0 ? MESH_CLI_FINDINGS : MESH_CLI_OK;
}

/* ---- encode ---- */

static void write_payload(const struct codec *c, const struct mesh_buf *payload)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    if (c->payload == PAYLOAD_LENGTH) {
        for (int shift = 24; shift >= 0; shift -= 8)
            mesh_buf_u8(&out, (uint8_t)(payload->n >> shift));
    }
    if (c->payload == PAYLOAD_HEX) {
        for (size_t i = 0; i < payload->n; i++)
            mesh_buf_printf(&out, "%02x", (unsigned char)payload->p[i]);
    } else if (c->payload == PAYLOAD_BASE64) {
        mesh_datum_print_base64(&out, (const uint8_t *)payload->p, payload->n);
    } else {
        mesh_buf_add(&out, payload->p, payload->n);
    }
    if (c->payload == PAYLOAD_HEX || c->payload == PAYLOAD_BASE64)
        mesh_buf_putc(&out, '\n');
    fwrite(out.p, 1, out.n, stdout);
}

static size_t filled_lines(const struct mesh_buf *in)
{
    size_t at = 0;
    size_t n = 0;
    struct mesh_str line;
    while (next_line(in, &at, &line))
        n += line.n > 0;
    return n;
}

int mesh_cli_encode(struct mesh_cli *cli)
{
    mesh_cleanup(codec_deinit) struct codec c = {.cli = cli};
    int code = cli->reader != NULL ? mesh_cli_fail("--reader is for decode: data is written with the one schema that is named")
               : cli->n_args != 2  ? mesh_cli_fail("usage: meshgen schema encode FILE < JSON lines")
                                   : open_codec(&c);
    if (code != MESH_CLI_OK) {
        mesh_cli_report(cli);
        return code;
    }
    size_t at = 0;
    struct mesh_str line;
    if (c.payload == PAYLOAD_RAW && filled_lines(&c.in) > 1)
        return mesh_cli_fail("nothing would separate the payloads of several lines; say --payload hex, base64 or length");
    for (size_t number = 1; next_line(&c.in, &at, &line); number++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf payload = MESH_BUF_NULL;
        struct mesh_err err = {0};
        if (line.n == 0)
            continue;
        if (c.framing == FRAMING_CONFLUENT)
            mesh_frame_write_id(&payload, c.writers[0].id);
        else if (c.framing == FRAMING_SINGLE)
            mesh_frame_write_single(&payload, c.writers[0].fingerprint);
        if (mesh_datum_from_json(c.writers[0].schema, line, &payload, &err) != 0) {
            bad(&c, "line", number, err.code, err.text);
            continue;
        }
        write_payload(&c, &payload);
    }
    return c.n_bad > 0 ? MESH_CLI_FINDINGS : MESH_CLI_OK;
}
