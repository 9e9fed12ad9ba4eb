/* breaking: the mesh as it is against the mesh that its readers have, from a folder or out of git.
 *
 * Out of git: `git archive` of the mesh's files at that revision into a folder under TMPDIR, which is removed again. The working
 * tree, its index and its branches are not touched. */
#include "codegen/breaking.h"
#include "codegen/cli.h"

#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST_BYTES_MAX (1u << 20) /* names at the top of the mesh */

extern char **environ;

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Start a program that reads `in` and writes `out` (-1: /dev/null). 0 or errno. */
static int start(const char *const *argv, int in, int out, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int r = posix_spawnp(ret, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

static bool ended_well(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return false;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What the program prints. False when it failed: it has said why. */
static bool read_from(const char *const *argv, struct mesh_buf *out)
{
    mesh_cleanup(close_fd) int from = -1;
    mesh_cleanup(close_fd) int to = -1;
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    from = ends[0];
    to = ends[1];
    int r = start(argv, -1, to, &pid);
    if (r != 0) {
        mesh_cli_fail("cannot run '%s': %s", argv[0], strerror(r));
        return false;
    }
    close_fd(&to);
    char block[4096];
    for (ssize_t n; (n = read(from, block, sizeof block)) > 0;) {
        if (out->n < LIST_BYTES_MAX)
            mesh_buf_add(out, block, (size_t)n);
    }
    return ended_well(pid);
}

/* Two programs, the first one's output being the other one's input. */
static bool pipe_through(const char *const *first, const char *const *second)
{
    mesh_cleanup(close_fd) int from = -1;
    mesh_cleanup(close_fd) int to = -1;
    int ends[2];
    pid_t a;
    pid_t b;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    from = ends[0];
    to = ends[1];
    int r = start(first, -1, to, &a);
    if (r != 0) {
        mesh_cli_fail("cannot run '%s': %s", first[0], strerror(r));
        return false;
    }
    close_fd(&to);
    r = start(second, from, -1, &b);
    close_fd(&from);
    bool good = ended_well(a);
    if (r != 0) {
        mesh_cli_fail("cannot run '%s': %s", second[0], strerror(r));
        return false;
    }
    return ended_well(b) && good;
}

/* ---- the older state ---- */

struct older {
    char folder[4096]; /* to be removed; "" = none */
    const char *root;  /* of the mesh */
    const char *shown; /* in front of its paths */
};

static void older_deinit(struct older *older)
{
    struct mesh_err err = {0};
    if (older->folder[0] != '\0' && mesh_fs_remove_tree(older->folder, &err) != 0)
        mesh_cli_fail("%s", err.text);
}

static bool has_line(const struct mesh_buf *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *p = text->p; p != NULL && *p != '\0'; p = strchr(p, '\n'), p = p == NULL ? NULL : p + 1) {
        if (strncmp(p, line, n) == 0 && (p[n] == '\n' || p[n] == '\0'))
            return true;
    }
    return false;
}

static int from_git(struct mesh_cli *cli, const char *root, const char *revision, struct older *ret)
{
    static const char *const parts[] = {"mesh.yaml", "domains", "contracts"};
    if (revision[0] == '-' || revision[0] == '\0' || strchr(revision, ':') != NULL)
        return mesh_cli_fail("'%s' is not a revision: --against git:main, git:v1.2 or git:HEAD~1", revision);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf names = MESH_BUF_NULL;
    const char *const list[] = {"git", "-C", root, "ls-tree", "--name-only", revision, NULL};
    if (!read_from(list, &names))
        return mesh_cli_fail("git has no '%s' for the folder '%s'; a shallow clone needs 'git fetch' first", revision, root);
    if (!has_line(&names, "mesh.yaml"))
        return mesh_cli_fail("there was no mesh.yaml in '%s' at '%s'", root, revision);
    const char *tmp = getenv("TMPDIR");
    int n = snprintf(ret->folder, sizeof ret->folder, "%s/meshgen-XXXXXX", tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (n < 0 || (size_t)n >= sizeof ret->folder || mkdtemp(ret->folder) == NULL) {
        ret->folder[0] = '\0';
        return mesh_cli_fail("cannot make a folder for '%s' under TMPDIR: %s", revision, strerror(errno));
    }
    const char *archive[6 + MESH_LEN(parts) + 1] = {"git", "-C", root, "archive", "--format=tar", revision};
    for (size_t i = 0, to = 6; i < MESH_LEN(parts); i++) {
        if (has_line(&names, parts[i]))
            archive[to++] = parts[i];
    }
    const char *const untar[] = {"tar", "-x", "-f", "-", "-C", ret->folder, NULL};
    if (!pipe_through(archive, untar))
        return mesh_cli_fail("cannot take the mesh out of git at '%s'", revision);
    ret->root = ret->folder;
    ret->shown = mesh_arena_printf(&cli->arena, "git:%s:", revision);
    return MESH_CLI_OK;
}

static int find_older(struct mesh_cli *cli, const char *root, struct older *ret)
{
    if (cli->against == NULL)
        return mesh_cli_fail("say against what: --against git:main, --against FOLDER, or --against registry");
    if (strncmp(cli->against, "git:", 4) == 0)
        return from_git(cli, root, cli->against + 4, ret);
    if (!mesh_fs_exists(mesh_arena_printf(&cli->arena, "%s/mesh.yaml", cli->against)))
        return mesh_cli_fail("there is no mesh.yaml in '%s'; --against is git:REVISION, registry, or the folder of a mesh",
                             cli->against);
    ret->root = cli->against;
    ret->shown = mesh_arena_printf(&cli->arena, "%s/", cli->against);
    return MESH_CLI_OK;
}

static int load_older(struct mesh_cli *cli, const struct older *older, struct mesh_model **ret)
{
    struct mesh_diags *diags = mesh_arena_new(&cli->arena, struct mesh_diags);
    struct mesh_err err = {0};
    diags->arena = &cli->arena;
    if (mesh_model_load_shown(&cli->arena, diags, older->root, older->shown, ret, &err) != 0)
        return mesh_cli_fail("%s", err.text);
    mesh_check(*ret);
    if (diags->n_errors > 0 && !(*ret)->incomplete)
        fprintf(stderr, "meshgen: '%s' had %zu error%s itself: fields of these products are not compared\n", cli->against,
                diags->n_errors, diags->n_errors == 1 ? "" : "s");
    if (!(*ret)->incomplete)
        return MESH_CLI_OK;
    mesh_diag_print(diags, stderr, MESH_DIAG_TEXT, false);
    return mesh_cli_fail("a product of '%s' cannot be read, so nothing can be said about what changed in it", cli->against);
}

static void say_fine(const struct mesh_cli *cli, const struct mesh_model *before)
{
    size_t ports = 0;
    for (size_t i = 0; i < before->products.n; i++) {
        ports += before->products.v[i]->ports.n;
        if (mesh_breaking_may_change(before->products.v[i]))
            printf("'%s' was %s, and may change at will\n", before->products.v[i]->name.text, before->products.v[i]->status.text);
    }
    printf("nothing changed for readers since '%s': %zu product%s, %zu output port%s, %zu contract%s\n", cli->against,
           before->products.n, before->products.n == 1 ? "" : "s", ports, ports == 1 ? "" : "s", before->contracts.n,
           before->contracts.n == 1 ? "" : "s");
}

int mesh_cli_breaking(struct mesh_cli *cli)
{
    mesh_cleanup(older_deinit) struct older older = {0};
    struct mesh_model *before = NULL;
    const char *root = mesh_cli_root(cli, cli->args[0]);
    if (root == NULL)
        return MESH_CLI_USAGE;
    struct mesh_model *now = mesh_cli_model(cli, cli->args[0]);
    if (now == NULL)
        return MESH_CLI_USAGE;
    struct mesh_diags checked = cli->diags; /* what `check` tells is not told again */
    size_t mistakes = checked.n_errors;
    if (now->incomplete) {
        mesh_cli_report(cli);
        return MESH_CLI_FINDINGS;
    }
    if (cli->against != NULL && strcmp(cli->against, "registry") == 0) {
        if (mistakes > 0)
            return mesh_cli_report(cli);
        cli->diags = (struct mesh_diags){.arena = &cli->arena};
        return mesh_cli_breaking_registry(cli, now);
    }
    int code = find_older(cli, root, &older);
    if (code == MESH_CLI_OK)
        code = load_older(cli, &older, &before);
    if (code != MESH_CLI_OK)
        return code;
    now->diags = &checked;
    cli->diags = (struct mesh_diags){.arena = &cli->arena};
    mesh_breaking_find(&cli->arena, &cli->diags, before, now, mesh_clock_wall_us());
    code = mesh_cli_report(cli);
    if (mistakes > 0) {
        fprintf(stderr, "meshgen: 'meshgen check' has %zu error%s besides\n", mistakes, mistakes == 1 ? "" : "s");
        return MESH_CLI_FINDINGS;
    }
    if (cli->diags.list.n == 0 && cli->format == MESH_DIAG_TEXT)
        say_fine(cli, before);
    return code;
}
