/* Numbers as text, and UTF-8. printf and strtod follow the locale of the process; a library of ours
 * or the program we are linked into may have set one, so doubles are read and written under the "C"
 * locale. Decimals are worked digit by digit in 128 bits. */
#include "base/text.h"

#include "base/check.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOUBLE_TEXT_MAX  40  /* longer than any %.17g */
#define DOUBLE_PARSE_MAX 400 /* bytes of a number that a person or a machine means */

__extension__ typedef unsigned __int128 u128;

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    mesh_assert(c_locale != NULL);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int mesh_text_parse_dec(struct mesh_str text, int scale, mesh_dec *ret)
{
    mesh_assert(scale >= 0 && scale <= MESH_DEC_DIGITS_MAX);
    const char *p = text.p;
    const char *end = text.n == 0 ? p : p + text.n;
    bool negative = p != end && *p == '-';
    if (negative)
        p++;
    u128 v = 0;
    int digits = 0; /* that count: from the first that is not zero */
    int fraction = -1;
    bool digit_before = false;
    for (; p != end; p++) {
        if (*p == '.' && fraction < 0 && digit_before) {
            fraction = 0;
            continue;
        }
        if (!is_digit(*p) || (fraction >= 0 && ++fraction > scale))
            return 1;
        digit_before = true;
        if (v != 0 || *p != '0')
            digits++;
        if (digits > MESH_DEC_DIGITS_MAX)
            return 1;
        v = v * 10 + (unsigned)(*p - '0');
    }
    if (!digit_before || fraction == 0)
        return 1;
    for (int i = fraction < 0 ? 0 : fraction; i < scale && v != 0; i++) {
        if (++digits > MESH_DEC_DIGITS_MAX)
            return 1;
        v *= 10;
    }
    *ret = negative ? -(mesh_dec)v : (mesh_dec)v;
    return 0;
}

void mesh_text_dec(struct mesh_buf *out, mesh_dec v, int scale)
{
    mesh_assert(scale >= 0 && scale <= MESH_DEC_DIGITS_MAX);
    char digits[48];
    char *end = digits + sizeof digits;
    char *p = end;
    u128 rest = v < 0 ? 0 - (u128)v : (u128)v;
    for (int i = 0; rest != 0 || i <= scale; i++) {
        if (i == scale && scale != 0)
            *--p = '.';
        *--p = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (v < 0)
        *--p = '-';
    mesh_buf_add(out, p, (size_t)(end - p));
}

int mesh_text_parse_long(struct mesh_str text, int64_t *ret)
{
    uint32_t i = text.n != 0 && text.p[0] == '-' ? 1 : 0;
    bool negative = i == 1;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t v = 0;
    if (i == text.n)
        return 1;
    for (; i < text.n; i++) {
        if (!is_digit(text.p[i]))
            return 1;
        unsigned digit = (unsigned)(text.p[i] - '0');
        if (v > (limit - digit) / 10)
            return 1;
        v = v * 10 + digit;
    }
    *ret = (int64_t)(negative ? 0 - v : v);
    return 0;
}

static uint32_t skip_digits(struct mesh_str text, uint32_t i)
{
    while (i < text.n && is_digit(text.p[i]))
        i++;
    return i;
}

/* -?digits[.digits][e[+-]digits]: what strtod takes beyond that (hex, inf, nan, blanks) is not
 * data. */
static bool is_double_syntax(struct mesh_str text)
{
    uint32_t i = text.n != 0 && text.p[0] == '-' ? 1 : 0;
    uint32_t from = i;
    i = skip_digits(text, i);
    if (i == from)
        return false;
    if (i < text.n && text.p[i] == '.') {
        from = ++i;
        i = skip_digits(text, i);
        if (i == from)
            return false;
    }
    if (i < text.n && (text.p[i] == 'e' || text.p[i] == 'E')) {
        i++;
        if (i < text.n && (text.p[i] == '+' || text.p[i] == '-'))
            i++;
        from = i;
        i = skip_digits(text, i);
        if (i == from)
            return false;
    }
    return i == text.n;
}

int mesh_text_parse_double(struct mesh_str text, double *ret)
{
    char copy[DOUBLE_PARSE_MAX + 1];
    if (text.n > DOUBLE_PARSE_MAX || !is_double_syntax(text))
        return 1;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    pthread_once(&c_locale_once, make_c_locale);
    double v = strtod_l(copy, NULL, c_locale);
    if (isinf(v))
        return 1;
    *ret = v;
    return 0;
}

void mesh_text_double(struct mesh_buf *out, double v)
{
    if (isnan(v)) {
        mesh_buf_puts(out, "NaN");
        return;
    }
    if (isinf(v)) {
        mesh_buf_puts(out, v < 0 ? "-Infinity" : "Infinity");
        return;
    }
    pthread_once(&c_locale_once, make_c_locale);
    char text[DOUBLE_TEXT_MAX];
    locale_t before = uselocale(c_locale);
    /* 15 digits are exact for every normal double that has a text that short; the tiny ones below
     * have fewer digits to give. */
    for (int digits = fpclassify(v) == FP_SUBNORMAL ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (memcmp(&back, &v, sizeof v) == 0)
            break;
    }
    uselocale(before);
    mesh_buf_puts(out, text);
}

/* Bytes of the valid sequence at p, or 0. RFC 3629: no overlong forms, no surrogates, up to
 * U+10FFFF. */
static size_t sequence(const unsigned char *p, size_t n)
{
    unsigned char lead = p[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length == 0 || length > n)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] > 0x9f) || (lead == 0xf0 && p[1] < 0x90) ||
        (lead == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

size_t mesh_utf8_valid(const char *p, size_t n)
{
    size_t at = 0;
    while (at < n) {
        uint64_t eight;
        if (n - at >= sizeof eight) {
            memcpy(&eight, p + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t length = sequence((const unsigned char *)p + at, n - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}
