/* Secrets come by reference: a setting names a file, the file holds the secret.
 *
 * So they stand in no process list, no environment and no log. A file that every user of the machine may read keeps no secret and
 * is refused; its group may read it, which is how containers get theirs. Errors are FATAL "config.secret": they name the setting
 * and the file and say what to do, and never show what the file holds.
 */
#ifndef MESH_BASE_SECRET_H
#define MESH_BASE_SECRET_H

#include "mesh/err.h"

/* A password, a key, a URI: not a place for more. */
#define MESH_SECRET_BYTES_MAX (16u << 10)

/* The file is there, can be read by this process and not by everybody. */
int mesh_secret_check(const char *setting, const char *path, struct mesh_err *err);
/* Its text without the line end that editors add, for mesh_secret_free(). Refuses an empty file, and bytes 0. */
int mesh_secret_read(const char *setting, const char *path, char **ret, struct mesh_err *err);
/* Overwrites, then frees. Takes NULL. */
void mesh_secret_free(char *secret);

#endif
