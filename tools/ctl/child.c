#include "ctl/child.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_POLL_MS 10

static void nap(void)
{
    struct timespec t = {0, CHILD_POLL_MS * 1000000L};
    nanosleep(&t, NULL);
}

static int spawn(struct mesh_child *child, const char *const *argv, const char *const *env, const char *out_path,
                 struct mesh_err *err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "child.fork", "cannot start %s: %s", child->name, strerror(errno));
    if (pid > 0) {
        child->pid = pid;
        return 0;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    setpgid(0, 0); /* Ctrl-C goes to meshctl alone, which stops its children in order */
    int log = open(child->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int out = out_path == NULL ? log : open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || out < 0 || in < 0)
        _exit(127);
    dup2(in, 0);
    dup2(out, 1);
    dup2(log, 2);
    for (; env != NULL && *env != NULL; env++)
        putenv(mesh_xstrdup(*env));
    execv(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int mesh_child_start(struct mesh_child *child, const char *const *argv, const char *const *env, struct mesh_err *err)
{
    return spawn(child, argv, env, NULL, err);
}

bool mesh_child_ended(struct mesh_child *child)
{
    if (child->pid == 0)
        return true;
    if (waitpid(child->pid, &child->status, WNOHANG) != child->pid)
        return false;
    child->pid = 0;
    return true;
}

void mesh_child_stop(struct mesh_child *child, int timeout_ms)
{
    if (mesh_child_ended(child))
        return;
    kill(child->pid, SIGTERM);
    int64_t end_us = mesh_clock_mono_us() + (int64_t)timeout_ms * 1000;
    while (!mesh_child_ended(child)) {
        if (mesh_clock_mono_us() > end_us) {
            kill(child->pid, SIGKILL);
            waitpid(child->pid, &child->status, 0);
            child->pid = 0;
            return;
        }
        nap();
    }
}

int mesh_child_run(struct mesh_child *child, const char *const *argv, const char *out_path, struct mesh_err *err)
{
    if (spawn(child, argv, NULL, out_path, err) < 0)
        return -1;
    while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR) {
    }
    child->pid = 0;
    return WIFEXITED(child->status) ? WEXITSTATUS(child->status) : -1;
}
