/* One line a message, logfmt, to standard error.
 *
 *     2026-11-21T02:59:29.123Z warn  broker is away; waiting  product=sales_fraud brokers=127.0.0.1:9092
 *
 * Only programs and the app layer log; libraries return errors. Values are quoted when they hold spaces, quotes or controls. The
 * level comes from MESH_LOG_LEVEL (debug info warn error; default info). Never log a payload, a key or a field's value.
 */
#ifndef MESH_BASE_LOG_H
#define MESH_BASE_LOG_H

#include "mesh/err.h"

enum mesh_log_level { MESH_LOG_DEBUG, MESH_LOG_INFO, MESH_LOG_WARN, MESH_LOG_ERROR };

void mesh_log_set_level(enum mesh_log_level level);
int mesh_log_parse_level(const char *text, enum mesh_log_level *ret); /* 0 or 1 */
/* Put on every line of this process, e.g. "product", "sales_fraud". Copied. */
void mesh_log_set_context(const char *key, const char *value);

/* `message` is a plain sentence; then key, value pairs of strings, ended by NULL. */
void mesh_log(enum mesh_log_level level, const char *message, ... /* const char *key, const char *value, ..., NULL */)
    __attribute__((sentinel));
/* The message of an error with its code. */
void mesh_log_err(enum mesh_log_level level, const char *message, const struct mesh_err *err);

#endif
