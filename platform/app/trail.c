#include "app/trail.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "govern/audit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MIN 32

struct mesh_trail {
    struct mesh_audit *audit;
    struct mesh_metric *m_entries;
    atomic_bool told; /* that it failed */
};

int mesh_trail_open(const char *dir, const char *key_file, struct mesh_metrics *metrics, struct mesh_trail **ret,
                    struct mesh_err *err)
{
    *ret = NULL;
    if (dir[0] == '\0' && key_file[0] == '\0')
        return 0;
    if (dir[0] == '\0' || key_file[0] == '\0')
        return mesh_err_set(err, MESH_ERR_FATAL, "audit.settings",
                            "MESH_AUDIT_DIR and MESH_AUDIT_KEY_FILE are set together or not");
    char *key = NULL;
    if (mesh_secret_read("MESH_AUDIT_KEY_FILE", key_file, &key, err) < 0)
        return -1;
    struct mesh_audit *audit = NULL;
    int result = strlen(key) < KEY_BYTES_MIN
                     ? mesh_err_set(err, MESH_ERR_FATAL, "config.secret",
                                    "MESH_AUDIT_KEY_FILE: %s: a key of less than %d bytes can be guessed; openssl rand -hex 32",
                                    key_file, KEY_BYTES_MIN)
                     : mesh_audit_open(dir, mesh_str_of(key), &audit, err);
    mesh_secret_free(key);
    if (result < 0)
        return -1;
    struct mesh_trail *trail = mesh_xcalloc(1, sizeof *trail);
    trail->audit = audit;
    trail->m_entries = mesh_metric_gauge(metrics, "mesh_audit_entries", "Number of the last entry of the audit on disk.", NULL);
    *ret = trail;
    return 0;
}

int mesh_trail_add(struct mesh_trail *trail, const struct mesh_http_disclosure *d)
{
    char port[256] = "";
    if (d->product != NULL)
        snprintf(port, sizeof port, "%s/%s", d->product, d->port);
    struct mesh_audit_entry entry = {
        .at_us = mesh_clock_wall_us(),
        .decision = d->denied == NULL ? "allowed" : "denied",
        .reason = d->denied,
        .who = mesh_str_of(d->who),
        .role = d->roles,
        .purpose = d->purposes,
        .method = d->method,
        .port = port,
        .fields = d->fields,
        .rows = d->rows,
    };
    int result = mesh_audit_add(trail->audit, &entry);
    struct mesh_err err = {0};
    if (result != 0 && mesh_audit_failed(trail->audit, &err) && !atomic_exchange(&trail->told, true))
        mesh_log_err(MESH_LOG_ERROR, "the audit cannot be written: answers with personal data are refused until a restart", &err);
    return result;
}

void mesh_trail_measure(struct mesh_trail *trail)
{
    if (trail != NULL)
        mesh_metric_set(trail->m_entries, (double)mesh_audit_written(trail->audit));
}

struct mesh_trail *mesh_trail_close(struct mesh_trail *trail)
{
    if (trail == NULL)
        return NULL;
    mesh_audit_close(trail->audit);
    free(trail);
    return NULL;
}
