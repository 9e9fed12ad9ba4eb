/* A line is made in memory and written with one call, so that lines of threads and processes that
 * share a standard error stay whole. The level and the context are the process's own, which is why
 * this is one of the few modules with state of its own. */
#include "base/log.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTEXT_BYTES_MAX 4096 /* further pairs are left out */
#define LEVEL_UNSET       (-1)

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static atomic_int current_level = LEVEL_UNSET;
static pthread_mutex_t context_lock = PTHREAD_MUTEX_INITIALIZER;
static char context[CONTEXT_BYTES_MAX]; /* " key=value key=value" */

void mesh_log_set_level(enum mesh_log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

int mesh_log_parse_level(const char *text, enum mesh_log_level *ret)
{
    for (size_t i = 0; i < MESH_LEN(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret = (enum mesh_log_level)i;
            return 0;
        }
    }
    return 1;
}

static bool is_shown(enum mesh_log_level level)
{
    int shown = atomic_load_explicit(&current_level, memory_order_relaxed);
    if (shown == LEVEL_UNSET) {
        const char *text = getenv("MESH_LOG_LEVEL");
        enum mesh_log_level parsed = MESH_LOG_INFO;
        if (text != NULL)
            (void)mesh_log_parse_level(text, &parsed);
        int unset = LEVEL_UNSET;
        atomic_compare_exchange_strong(&current_level, &unset, (int)parsed);
        shown = atomic_load_explicit(&current_level, memory_order_relaxed);
    }
    return (int)level >= shown;
}

static bool is_bare(const char *value)
{
    size_t n = strlen(value);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return false;
    }
    return n != 0 && mesh_utf8_valid(value, n) == n;
}

static void add_pair(struct mesh_buf *out, const char *key, const char *value)
{
    mesh_buf_printf(out, " %s=", key);
    if (is_bare(value))
        mesh_buf_puts(out, value);
    else
        mesh_json_string(out, mesh_str_of(value));
}

void mesh_log_set_context(const char *key, const char *value)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf pair = MESH_BUF_NULL;
    add_pair(&pair, key, value);
    pthread_mutex_lock(&context_lock);
    size_t used = strlen(context);
    if (pair.n < sizeof context - used)
        memcpy(context + used, pair.p, pair.n + 1);
    pthread_mutex_unlock(&context_lock);
}

static void add_head(struct mesh_buf *line, enum mesh_log_level level, const char *message)
{
    int64_t now_us = mesh_clock_wall_us();
    mesh_text_time(line, now_us - now_us % MESH_SECOND_US);
    line->n--; /* the Z */
    mesh_buf_printf(line, ".%03dZ %-5s ", (int)(now_us % MESH_SECOND_US / 1000), level_names[level]);
    for (const char *p = message; *p != '\0'; p++)
        mesh_buf_putc(line, (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p);
    mesh_buf_putc(line, ' ');
    pthread_mutex_lock(&context_lock);
    mesh_buf_puts(line, context);
    pthread_mutex_unlock(&context_lock);
}

/* Errors of writing are not reported: there is nowhere left to say it. */
static void put(struct mesh_buf *line)
{
    while (line->n > 0 && line->p[line->n - 1] == ' ')
        line->n--;
    mesh_buf_putc(line, '\n');
    for (size_t at = 0; at < line->n;) {
        ssize_t n = write(STDERR_FILENO, line->p + at, line->n - at);
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

void mesh_log(enum mesh_log_level level, const char *message, ...)
{
    if (!is_shown(level))
        return;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf line = MESH_BUF_NULL;
    add_head(&line, level, message);
    va_list args;
    va_start(args, message);
    for (const char *key; (key = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        add_pair(&line, key, value == NULL ? "" : value);
        if (value == NULL)
            break; /* perhaps the end of the list, one too early */
    }
    va_end(args);
    put(&line);
}

void mesh_log_err(enum mesh_log_level level, const char *message, const struct mesh_err *err)
{
    mesh_log(level, message, "code", err->code == NULL ? "unknown" : err->code, "error", err->text, NULL);
}
