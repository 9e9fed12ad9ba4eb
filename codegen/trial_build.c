/* The program of a domain: its generated code, a main() of its own, libmesh. It is compiled by the C compiler directly and without
 * optimisation, because that is what somebody waits for who changes a line and asks again: objects are kept, each beside the hash
 * of all that it was made of, and so is the program. */
#include "codegen/emit.h"
#include "codegen/template.h"
#include "codegen/trial.h"

#include "base/fs.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOURCE_BYTES_MAX (16u << 20)
#define JOBS_MAX         4
#define OUTPUT_SHOWN_MAX 2000 /* bytes of a compiler's messages */
#define COMPILE          "exec ${CC:-cc} -std=gnu17 -O0 -w $(pkg-config --cflags mesh) -c \"$1\" -o \"$2\""
#define LINK             "out=$1; shift; exec ${CC:-cc} -o \"$out\" \"$@\" -Wl,--as-needed $(pkg-config --libs mesh)"

extern char **environ;

struct build {
    struct mesh_arena *arena;
    const char *dir;                /* of the domain, generated */
    struct mesh_buf common;         /* what every object depends on */
    MESH_VEC(const char *) sources; /* names */
};

/* ---- commands ---- */
int mesh_trial_start(struct mesh_arena *arena, const char *script, const char *const *args, size_t n, const char *output,
                     pid_t *ret, struct mesh_err *err)
{
    const char **argv = mesh_arena_alloc(arena, (n + 5) * sizeof *argv);
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    argv[3] = "meshgen";
    if (n > 0)
        memcpy(argv + 4, args, n * sizeof *args);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    int r = posix_spawn(ret, "/bin/sh", &actions, NULL, (char **)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r == 0 ? 0 : mesh_err_set(err, MESH_ERR_FATAL, "test.sh", "cannot start /bin/sh: %s", strerror(r));
}

int mesh_trial_wait(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        mesh_assert(errno == EINTR);
    return status;
}

static int said(const char *what, const char *output, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    (void)mesh_fs_read(output, SOURCE_BYTES_MAX, &text, NULL);
    return mesh_err_set(err, MESH_ERR_FATAL, "test.compile", "%s:\n%.*s", what,
                        text.n > OUTPUT_SHOWN_MAX ? OUTPUT_SHOWN_MAX : (int)text.n, text.p == NULL ? "" : text.p);
}

/* ---- what it depends on ---- */
static void add_files(struct build *b, const char *folder, const char *begin, const char *end)
{
    char **names = NULL;
    size_t n = 0;
    if (!mesh_fs_is_dir(folder) || mesh_fs_list(b->arena, folder, &names, &n, NULL) != 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        size_t length = strlen(names[i]);
        if (strncmp(names[i], begin, strlen(begin)) != 0 || length < strlen(end) ||
            strcmp(names[i] + length - strlen(end), end) != 0 ||
            stat(mesh_arena_printf(b->arena, "%s/%s", folder, names[i]), &st) != 0)
            continue;
        mesh_buf_printf(&b->common, "%s %lld %lld.%09ld\n", names[i], (long long)st.st_size, (long long)st.st_mtim.tv_sec,
                        st.st_mtim.tv_nsec);
    }
}

/* Flags of pkg-config, the headers and the libraries that they name. */
static int add_platform(struct build *b, struct mesh_err *err)
{
    pid_t pid = 0;
    const char *output = mesh_arena_printf(b->arena, "%s/pkg-config.out", b->dir);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf flags = MESH_BUF_NULL;
    if (mesh_trial_start(b->arena, "exec pkg-config --cflags --libs mesh", NULL, 0, output, &pid, err) < 0)
        return -1;
    if (mesh_trial_wait(pid) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "test.libmesh",
                            "pkg-config knows no library 'mesh': install it, or let PKG_CONFIG_PATH name the folder of mesh.pc");
    if (mesh_fs_read(output, SOURCE_BYTES_MAX, &flags, err) != 0)
        return -1;
    const char *cc = getenv("CC");
    mesh_buf_printf(&b->common, "%s\n%s\n%s%s", cc == NULL ? "cc" : cc, COMPILE, LINK, flags.p);
    char *save = NULL;
    for (char *word = strtok_r(flags.p, " \n", &save); word != NULL; word = strtok_r(NULL, " \n", &save)) {
        if (strncmp(word, "-I", 2) == 0)
            add_files(b, mesh_arena_printf(b->arena, "%s/mesh", word + 2), "", ".h");
        else if (strncmp(word, "-L", 2) == 0)
            add_files(b, word + 2, "libmesh.", "");
    }
    return 0;
}

static int add_text(struct build *b, const char *name, struct mesh_buf *to, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(mesh_arena_printf(b->arena, "%s/%s", b->dir, name), SOURCE_BYTES_MAX, &text, err) != 0)
        return -1;
    mesh_buf_printf(to, "%s %zu\n", name, text.n);
    mesh_buf_add(to, text.p == NULL ? "" : text.p, text.n);
    return 0;
}

static bool is_current(struct build *b, const char *file, const struct mesh_buf *made_of, char hex[65])
{
    uint8_t digest[32];
    mesh_sha256(made_of->p == NULL ? "" : made_of->p, made_of->n, digest);
    mesh_hex(digest, sizeof digest, hex);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf old = MESH_BUF_NULL;
    return mesh_fs_exists(file) && mesh_fs_read(mesh_arena_printf(b->arena, "%s.hash", file), SOURCE_BYTES_MAX, &old, NULL) == 0 &&
           strcmp(old.p, hex) == 0;
}

static int remember(struct build *b, const char *file, const char *hex, struct mesh_err *err)
{
    return mesh_fs_write_atomic(mesh_arena_printf(b->arena, "%s.hash", file), hex, strlen(hex), err);
}

/* ---- the parts ---- */
static int write_main(struct mesh_model *model, struct build *b, const char *domain, struct mesh_err *err)
{
    struct mesh_data *data = mesh_data_map(b->arena);
    mesh_data_code(b->arena, data, "domain", "%s", domain);
    struct mesh_data *products = mesh_data_sub(b->arena, data, "products");
    static const char *const parts[] = {"records", "streams", "views", "ports", "tables", "documents"};
    for (size_t i = 0; i < model->products.n; i++) {
        const struct mesh_model_product *product = model->products.v[i];
        if (strcmp(product->domain.text, domain) != 0)
            continue;
        mesh_data_code(b->arena, mesh_data_add(b->arena, products), "name", "%s", product->name.text);
        for (size_t k = 0; k < MESH_LEN(parts); k++)
            *mesh_vec_push_in(b->arena, &b->sources) = mesh_arena_printf(b->arena, "%s_%s.c", product->name.text, parts[k]);
        if (add_text(b, mesh_arena_printf(b->arena, "%s.h", product->name.text), &b->common, err) < 0)
            return -1;
    }
    *mesh_vec_push_in(b->arena, &b->sources) = "trial.c";
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    bool written = false;
    if (mesh_template_fill("trial.c", data, &text, err) < 0)
        return -1;
    return mesh_fs_write_changed(mesh_arena_printf(b->arena, "%s/trial.c", b->dir), text.p, text.n, &written, err);
}

struct job {
    const char *object, *output;
    pid_t pid;
    char hex[65];
};

/* Wait for a compiler that was started; `r` is what was before. */
static int finish(struct build *b, struct job *job, int r, struct mesh_err *err)
{
    if (job->pid == 0)
        return r;
    bool fine = mesh_trial_wait(job->pid) == 0;
    job->pid = 0;
    if (r < 0)
        return r;
    return fine ? remember(b, job->object, job->hex, err)
                : said(mesh_arena_printf(b->arena, "%s: the compiler says", job->object), job->output, err);
}

/* All that is not current, a few at a time. */
static int compile_all(struct build *b, const char **objects, struct mesh_err *err)
{
    struct job *jobs = mesh_arena_alloc(b->arena, b->sources.n * sizeof *jobs);
    int r = 0;
    for (size_t i = 0; i < b->sources.n; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf made_of = MESH_BUF_NULL;
        const char *source = mesh_arena_printf(b->arena, "%s/%s", b->dir, b->sources.v[i]);
        if (i >= JOBS_MAX)
            r = finish(b, &jobs[i - JOBS_MAX], r, err);
        jobs[i].object = objects[i] = mesh_arena_printf(b->arena, "%s/%s.o", b->dir, b->sources.v[i]);
        jobs[i].output = mesh_arena_printf(b->arena, "%s.out", jobs[i].object);
        mesh_buf_add(&made_of, b->common.p, b->common.n);
        if (r < 0 || add_text(b, b->sources.v[i], &made_of, err) < 0) {
            r = -1;
            continue;
        }
        const char *args[] = {source, jobs[i].object};
        if (!is_current(b, jobs[i].object, &made_of, jobs[i].hex))
            r = mesh_trial_start(b->arena, COMPILE, args, MESH_LEN(args), jobs[i].output, &jobs[i].pid, err);
    }
    for (size_t i = 0; i < b->sources.n; i++)
        r = finish(b, &jobs[i], r, err);
    return r;
}

static int link_all(struct build *b, const char *program, const char *const *objects, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf made_of = MESH_BUF_NULL;
    char hex[65];
    mesh_buf_add(&made_of, b->common.p, b->common.n);
    for (size_t i = 0; i < b->sources.n; i++)
        if (add_text(b, mesh_arena_printf(b->arena, "%s.o.hash", b->sources.v[i]), &made_of, err) < 0)
            return -1;
    if (is_current(b, program, &made_of, hex))
        return 0;
    const char **args = mesh_arena_alloc(b->arena, (b->sources.n + 1) * sizeof *args);
    args[0] = program;
    memcpy(args + 1, objects, b->sources.n * sizeof *args);
    pid_t pid = 0;
    const char *output = mesh_arena_printf(b->arena, "%s.out", program);
    if (mesh_trial_start(b->arena, LINK, args, b->sources.n + 1, output, &pid, err) < 0)
        return -1;
    if (mesh_trial_wait(pid) != 0)
        return said(mesh_arena_printf(b->arena, "%s does not link", program), output, err);
    return remember(b, program, hex, err);
}

static void build_deinit(struct build *b)
{
    mesh_buf_deinit(&b->common);
}

int mesh_trial_build(struct mesh_model *model, const char *out, const char *domain, const char **ret_program, struct mesh_err *err)
{
    struct mesh_generate_options options = {.out = out, .domain = domain};
    struct mesh_generate_result result = {0};
    int r = mesh_generate(model, &options, &result, err);
    if (r != 0)
        return r;
    mesh_cleanup(build_deinit) struct build b = {.arena = model->arena,
                                                 .dir = mesh_arena_printf(model->arena, "%s/%s", out, domain)};
    if (add_platform(&b, err) < 0 || write_main(model, &b, domain, err) < 0)
        return -1;
    const char **objects = mesh_arena_alloc(b.arena, b.sources.n * sizeof *objects);
    *ret_program = mesh_arena_printf(b.arena, "%s/trial", b.dir);
    return compile_all(&b, objects, err) < 0 ? -1 : link_all(&b, *ret_program, objects, err);
}
