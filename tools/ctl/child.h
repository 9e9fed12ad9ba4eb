/* Processes that meshctl starts and stops.
 *
 * A child writes its output to <run>/log/<name>.log and dies with meshctl, even with a killed one (PR_SET_PDEATHSIG). Stopping is
 * SIGTERM, and SIGKILL for what has not ended when the time is over.
 */
#ifndef MESH_CTL_CHILD_H
#define MESH_CTL_CHILD_H

#include "base/vec.h"
#include "mesh/err.h"

#include <sys/types.h>

struct mesh_child {
    const char *name;
    pid_t pid;  /* 0: not running */
    int status; /* of waitpid(), once it has ended */
    const char *log_path;
};

/* `argv` ends with NULL; `env` is a list of "NAME=value" added to the environment, ended by NULL. */
int mesh_child_start(struct mesh_child *child, const char *const *argv, const char *const *env, struct mesh_err *err);
/* Has it ended? Then pid is 0 and status is set. */
bool mesh_child_ended(struct mesh_child *child);
void mesh_child_stop(struct mesh_child *child, int timeout_ms);
/* Run to the end; output to the log (or to `out` when not NULL). The exit status, or -1. */
int mesh_child_run(struct mesh_child *child, const char *const *argv, const char *out_path, struct mesh_err *err);

#endif
