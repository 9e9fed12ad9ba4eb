/* The values that records, rows and expressions are made of.
 *
 *   bool                bool
 *   int, long           int64_t (an Avro int is range-checked where it enters and leaves)
 *   float, double       double
 *   decimal(p, s)       mesh_dec, the unscaled number; the scale is a fact of the type, known when the code was generated
 *   string, bytes, fixed struct mesh_str, borrowed unless a field's owner says otherwise
 *   enum                int32_t index into the symbols of the contract
 *   timestamp, duration int64_t microseconds (since 1970-01-01T00:00:00Z); Avro's millis, micros, date and local forms convert
 *
 * A nullable value is a pair: the value and a bool that says whether it is there.
 */
#ifndef MESH_VALUE_H
#define MESH_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef __int128 mesh_dec;

#define MESH_DEC_DIGITS_MAX 38 /* what fits a signed 128-bit number */

/* Bytes that somebody else owns. Not NUL-terminated. An empty one may have p == NULL. */
struct mesh_str {
    const char *p;
    uint32_t n;
};

#define MESH_STR(literal) ((struct mesh_str){(literal), (uint32_t)(sizeof(literal) - 1)})

static inline struct mesh_str mesh_str_of(const char *text)
{
    return (struct mesh_str){text, (uint32_t)strlen(text)};
}

/* Decimal digits of v, in `scratch` (24 bytes are enough). */
static inline struct mesh_str mesh_text_long(char *scratch, int64_t v)
{
    char *end = scratch + 24;
    char *p = end;
    uint64_t u = v < 0 ? UINT64_C(0) - (uint64_t)v : (uint64_t)v;
    do {
        *--p = (char)('0' + (int)(u % 10));
        u /= 10;
    } while (u != 0);
    if (v < 0)
        *--p = '-';
    return (struct mesh_str){p, (uint32_t)(end - p)};
}

static inline bool mesh_str_eq(struct mesh_str a, struct mesh_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Byte order, which for UTF-8 is code point order. */
static inline int mesh_str_cmp(struct mesh_str a, struct mesh_str b)
{
    uint32_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

/* What a field holds. Every table-driven part (JSON, BSON, checkpoint, OpenAPI) switches over this. */
enum mesh_type {
    MESH_BOOL,
    MESH_INT, /* 32-bit range, held in int64_t */
    MESH_LONG,
    MESH_DOUBLE,
    MESH_DECIMAL,
    MESH_STRING,
    MESH_BYTES,
    MESH_ENUM,
    MESH_TIMESTAMP,
    MESH_DURATION,
    MESH_DATE, /* int64_t microseconds of that day's midnight UTC */
    MESH_TYPE_COUNT
};

/* How a field must be treated at a border (docs/DECLARATION.md, "Privacy"). */
enum mesh_label { MESH_PUBLIC, MESH_INTERNAL, MESH_PERSONAL, MESH_SPECIAL, MESH_PSEUDONYMOUS, MESH_LABEL_COUNT };

/* ON_CONSENT: as it is, when the subject has given consent to what the port releases it for (struct mesh_port_consent); else null. */
enum mesh_protect { MESH_AS_IS, MESH_PSEUDONYM, MESH_DROP, MESH_ON_CONSENT, MESH_PROTECT_COUNT };

/* One member of a C struct, described. Strings of stored rows are owned by the row (mesh/task.h). */
struct mesh_field {
    const char *name;
    const char *doc;
    enum mesh_type type;
    uint8_t scale;     /* MESH_DECIMAL */
    uint8_t precision; /* MESH_DECIMAL */
    bool nullable;
    uint16_t offset;            /* of the value in the struct */
    uint16_t present;           /* of the bool that says "there", when nullable */
    const char *const *symbols; /* MESH_ENUM, ends with NULL */
    enum mesh_label label;
    enum mesh_protect protect; /* what a border does with it */
    const char *subject;       /* whose it is, for personal fields; or NULL */
};

#endif
