/* Logical types, bytes and places as text. Everything that is printed here reads back as the same
 * value; what has no such text (a time in the year 20000) is left to the caller as a number. */
#include "base/check.h"
#include "base/text.h"
#include "contract/datum_internal.h"

#define YEAR_0001_US   INT64_C(-62135596800000000)
#define YEAR_10000_US  INT64_C(253402300800000000)
#define NANOS_TEXT_MAX 64

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const char *const fault_texts[MESH_AVRO_FAULT_COUNT] = {
    [MESH_AVRO_TRUNCATED] = "the datum ends inside a value",
    [MESH_AVRO_TRAILING] = "bytes are left behind the last value",
    [MESH_AVRO_VARINT] = "a whole number is too long or outside its range",
    [MESH_AVRO_LENGTH] = "a length is negative or not what is there",
    [MESH_AVRO_UTF8] = "a string is not UTF-8",
    [MESH_AVRO_ENUM_RANGE] = "the enum has no symbol of that number",
    [MESH_AVRO_UNION_RANGE] = "the union has no branch of that number",
    [MESH_AVRO_NOT_BOOLEAN] = "a boolean is neither 0 nor 1",
    [MESH_AVRO_DECIMAL] = "a decimal has no bytes or more digits than its precision",
    [MESH_AVRO_NUMBER] = "a number is NaN or infinite",
    [MESH_AVRO_TIME] = "a time is out of range",
    [MESH_AVRO_DEPTH] = "it is nested too deep or has too many values",
};

/* Controls would move the cursor of whoever reads the message. */
static char harmless(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F ? '?' : c;
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80; /* inside a UTF-8 sequence */
}

const char *mesh_datum_shown(const char *text, char ret[MESH_DATUM_SHOWN_MAX])
{
    size_t n = 0;
    for (; text[n] != '\0' && n + 1 < MESH_DATUM_SHOWN_MAX; n++)
        ret[n] = harmless(text[n]);
    if (text[n] != '\0')
        while (n > 0 && continues(text[n]))
            n--;
    ret[n] = '\0';
    return ret;
}

static char *put_front(char *to, const char *begin, const char *text, size_t n)
{
    while (n > 0 && to > begin)
        *--to = harmless(text[--n]);
    return to;
}

const char *mesh_datum_path(const struct mesh_datum_step *step, char text[MESH_DATUM_PATH_MAX])
{
    char *to = text + MESH_DATUM_PATH_MAX - 1;
    *to = '\0';
    for (; step != NULL && step->up != NULL; step = step->up) {
        char index[24];
        const char *part = step->name;
        size_t n;
        if (part != NULL) {
            n = strlen(part);
        } else if (step->key.p != NULL) {
            part = step->key.p;
            n = step->key.n;
        } else {
            size_t rest = step->index;
            char *digit = index + sizeof index;
            do
                *--digit = (char)('0' + rest % 10);
            while ((rest /= 10) > 0);
            part = digit;
            n = (size_t)(index + sizeof index - digit);
        }
        to = put_front(to, text, part, n);
        to = put_front(to, text, "/", 1);
    }
    while (continues(*to))
        to++; /* cut inside a character */
    return *to == '\0' ? "the datum" : to;
}

int mesh_datum_fault(enum mesh_avro_fault fault, const struct mesh_datum_step *step, struct mesh_err *err)
{
    char path[MESH_DATUM_PATH_MAX];
    mesh_assert(fault > MESH_AVRO_OK && fault < MESH_AVRO_FAULT_COUNT);
    return mesh_err_set(err, MESH_ERR_REJECT, mesh_avro_fault_code(fault), "at %s: %s", mesh_datum_path(step, path),
                        fault_texts[fault]);
}

int64_t mesh_datum_block(struct mesh_in *in, const uint8_t **ret_end)
{
    int64_t n = mesh_in_long(in);
    *ret_end = NULL;
    if (n >= 0)
        return n;
    int64_t size = mesh_in_long(in);
    if (n == INT64_MIN || size < 0)
        mesh_in_fail(in, MESH_AVRO_LENGTH);
    else if (size > in->end - in->p)
        mesh_in_fail(in, MESH_AVRO_TRUNCATED);
    if (in->fault != MESH_AVRO_OK)
        return 0;
    *ret_end = in->p + size;
    return -n;
}

void mesh_datum_block_done(struct mesh_in *in, const uint8_t *end)
{
    if (end != NULL && in->fault == MESH_AVRO_OK && in->p != end)
        mesh_in_fail(in, MESH_AVRO_LENGTH);
}

struct unit {
    int64_t per_us, us_per; /* one of them is 1 */
    bool local;
};

static bool unit_of(enum mesh_avro_logical logical, struct unit *ret)
{
    switch (logical) {
    case MESH_LOGICAL_DATE:
        *ret = (struct unit){1, MESH_DAY_US, false};
        return true;
    case MESH_LOGICAL_TIMESTAMP_MILLIS:
        *ret = (struct unit){1, 1000, false};
        return true;
    case MESH_LOGICAL_TIMESTAMP_MICROS:
        *ret = (struct unit){1, 1, false};
        return true;
    case MESH_LOGICAL_TIMESTAMP_NANOS:
        *ret = (struct unit){1000, 1, false};
        return true;
    case MESH_LOGICAL_LOCAL_TIMESTAMP_MILLIS:
        *ret = (struct unit){1, 1000, true};
        return true;
    case MESH_LOGICAL_LOCAL_TIMESTAMP_MICROS:
        *ret = (struct unit){1, 1, true};
        return true;
    case MESH_LOGICAL_LOCAL_TIMESTAMP_NANOS:
        *ret = (struct unit){1000, 1, true};
        return true;
    case MESH_LOGICAL_NONE:
    case MESH_LOGICAL_DECIMAL:
    case MESH_LOGICAL_UUID:
    case MESH_LOGICAL_TIME_MILLIS:
    case MESH_LOGICAL_TIME_MICROS:
    case MESH_LOGICAL_DURATION:
    case MESH_LOGICAL_COUNT:
        break;
    }
    return false;
}

bool mesh_datum_print_time(struct mesh_buf *out, enum mesh_avro_logical logical, int64_t v)
{
    struct unit unit;
    int64_t us;
    if (!unit_of(logical, &unit))
        return false;
    int64_t below = v % unit.per_us; /* nanoseconds below the microsecond */
    v = v / unit.per_us - (below < 0);
    below += below < 0 ? unit.per_us : 0;
    if (__builtin_mul_overflow(v, unit.us_per, &us) || us < YEAR_0001_US || us >= YEAR_10000_US)
        return false;
    if (logical == MESH_LOGICAL_DATE) {
        mesh_text_date(out, us);
        return true;
    }
    if (below == 0) {
        mesh_text_time(out, us);
    } else {
        int64_t second_us = us % MESH_SECOND_US;
        second_us += second_us < 0 ? MESH_SECOND_US : 0;
        mesh_text_time(out, us - second_us);
        out->n--; /* the Z */
        mesh_buf_printf(out, ".%09dZ", (int)(second_us * 1000 + below));
    }
    if (unit.local)
        out->p[--out->n] = '\0';
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Cuts the digits behind the microseconds out of "...29.123456789Z". -1: more than nine. */
static int cut_nanos(char *text)
{
    char *point = strchr(text, '.');
    size_t n = 0;
    while (point != NULL && is_digit(point[1 + n]))
        n++;
    if (n > 9)
        return -1;
    if (n <= 6)
        return 0;
    int nanos = 0;
    for (size_t i = 6; i < 9; i++)
        nanos = nanos * 10 + (i < n ? point[1 + i] - '0' : 0);
    memmove(point + 7, point + 1 + n, strlen(point + 1 + n) + 1);
    return nanos;
}

bool mesh_datum_scan_time(struct mesh_str text, enum mesh_avro_logical logical, int64_t *ret)
{
    struct unit unit;
    char copy[NANOS_TEXT_MAX];
    int64_t us;
    if (!unit_of(logical, &unit) || text.n < 10 || text.n > sizeof copy - 2 || memchr(text.p, '\0', text.n) != NULL ||
        text.p[4] != '-')
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (unit.local) { /* no zone: read it as if in UTC */
        if (strpbrk(copy, "Zz+") != NULL || !is_digit(copy[text.n - 1]))
            return false;
        if (strpbrk(copy, "Tt ") != NULL)
            memcpy(copy + text.n, "Z", 2);
    }
    int below = cut_nanos(copy);
    if (below < 0 || mesh_text_parse_time(mesh_str_of(copy), &us) != 0)
        return false;
    if (us % unit.us_per != 0 || (below != 0 && unit.per_us == 1))
        return false; /* finer than the type can say */
    mesh_dec v = (mesh_dec)(us / unit.us_per) * unit.per_us + below;
    *ret = (int64_t)v;
    return v == *ret;
}

void mesh_datum_print_uuid(struct mesh_buf *out, const uint8_t bytes[16])
{
    for (int i = 0; i < 16; i++)
        mesh_buf_printf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
}

bool mesh_datum_scan_uuid(struct mesh_str text, uint8_t ret[16])
{
    if (text.n != 36)
        return false;
    memset(ret, 0, 16);
    for (uint32_t i = 0, digits = 0; i < text.n; i++) {
        char c = text.p[i];
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-')
                return false;
            continue;
        }
        int v = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (v < 0)
            return false;
        ret[digits / 2] = (uint8_t)(ret[digits / 2] << 4 | v);
        digits++;
    }
    return true;
}

void mesh_datum_print_base64(struct mesh_buf *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? (uint32_t)p[i + 2] : 0);
        mesh_buf_putc(out, base64_digits[v >> 18]);
        mesh_buf_putc(out, base64_digits[v >> 12 & 63]);
        mesh_buf_putc(out, i + 1 < n ? base64_digits[v >> 6 & 63] : '=');
        mesh_buf_putc(out, i + 2 < n ? base64_digits[v & 63] : '=');
    }
}

bool mesh_datum_scan_base64(struct mesh_str text, struct mesh_buf *out)
{
    if (text.n % 4 != 0)
        return false;
    for (uint32_t i = 0; i < text.n; i += 4) {
        uint32_t v = 0, n = 0;
        for (; n < 4; n++) {
            char c = text.p[i + n];
            const char *digit = c == '\0' ? NULL : strchr(base64_digits, c);
            if (digit == NULL)
                break;
            v |= (uint32_t)(digit - base64_digits) << (18 - 6 * n);
        }
        for (uint32_t j = n; j < 4; j++) /* padding: one or two, at the end only */
            if (n < 2 || text.p[i + j] != '=' || i + 4 != text.n)
                return false;
        if ((n == 2 && (v & 0xFFFF) != 0) || (n == 3 && (v & 0xFF) != 0))
            return false;
        for (uint32_t j = 0; j + 1 < n; j++)
            mesh_buf_u8(out, (uint8_t)(v >> (16 - 8 * j)));
    }
    return true;
}

bool mesh_datum_digits_ok(mesh_dec v, int precision)
{
    mesh_dec limit = 1;
    for (int i = 0; i < precision; i++)
        limit *= 10;
    return v < limit && v > -limit;
}

bool mesh_datum_decimal_bytes(mesh_dec v, size_t size, struct mesh_buf *out)
{
    uint8_t bytes[16];
    uint8_t sign = v < 0 ? 0xFF : 0;
    for (int i = 15; i >= 0; i--, v >>= 8)
        bytes[i] = (uint8_t)v;
    size_t first = 0;
    while (first < 15 && bytes[first] == sign && (bytes[first + 1] ^ sign) < 0x80)
        first++;
    if (size == 0) {
        mesh_buf_zigzag(out, (int64_t)(16 - first));
    } else if (16 - first > size) {
        return false;
    } else {
        for (size_t i = 16 - first; i < size; i++)
            mesh_buf_u8(out, sign);
    }
    mesh_buf_add(out, bytes + first, 16 - first);
    return true;
}
