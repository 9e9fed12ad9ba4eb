/* One process for the tests of a domain. What it is told and what it says are files beside the program, which stay there for
 * whoever wants to look. A test at which the program dies gets the blame, and the others go on in a new one. */
#include "codegen/trial.h"

#include "base/fs.h"
#include "base/hash.h"

#include <string.h>
#include <sys/wait.h>

#define ANSWERS_BYTES_MAX (256u << 20)
#define SAID_SHOWN_MAX    1000
#define RUN               "ulimit -t 120; exec \"$1\" < \"$2\" 2> \"$3\"" /* seconds of CPU: a product that never ends is cut off */

static void put_bytes(struct mesh_buf *out, struct mesh_str bytes)
{
    if (bytes.p == NULL) {
        mesh_buf_puts(out, " -");
        return;
    }
    mesh_buf_puts(out, " =");
    char *to = mesh_buf_reserve(out, 2 * (size_t)bytes.n + 1);
    mesh_hex((const uint8_t *)bytes.p, bytes.n, to);
    out->n += 2 * (size_t)bytes.n;
}

static void put_test(struct mesh_buf *out, const struct mesh_test *test)
{
    mesh_buf_printf(out, "trial %s %d\n", test->product->name.text, (int)test->partitions);
    for (size_t i = 0; i < test->steps.n; i++) {
        const struct mesh_test_step *step = &test->steps.v[i];
        if (step->pass) {
            mesh_buf_printf(out, "pass %lld\n", (long long)step->time_us);
            continue;
        }
        mesh_buf_printf(out, "record %s %lld", step->input->name, (long long)step->time_us);
        put_bytes(out, step->key);
        put_bytes(out, step->value);
        mesh_buf_putc(out, '\n');
    }
    mesh_buf_puts(out, "run\n");
}

/* The tests that were answered whole. */
static size_t read_answers(struct mesh_arena *arena, const char *text, struct mesh_test *const *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t run = 0; run < MESH_LEN(tests[i]->answers); run++) {
            const char *end = strchr(text, '\n');
            if (end == NULL) {
                tests[i]->answers[0] = NULL;
                return i;
            }
            tests[i]->answers[run] = mesh_arena_str(arena, (struct mesh_str){text, (uint32_t)(end - text)});
            text = end + 1;
        }
    }
    return n;
}

static void blame(struct mesh_test *test, int status, const char *said)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    (void)mesh_fs_read(said, ANSWERS_BYTES_MAX, &text, NULL);
    struct mesh_diag *diag = WIFSIGNALED(status)
                                 ? mesh_diag_add(&test->diags, MESH_ERROR, "MT007", test->at, "the product died of signal %d (%s)",
                                                 WTERMSIG(status), strsignal(WTERMSIG(status)))
                                 : mesh_diag_add(&test->diags, MESH_ERROR, "MT007", test->at, "the product ended with exit code %d",
                                                 WEXITSTATUS(status));
    while (text.n > 0 && text.p[text.n - 1] == '\n')
        text.p[--text.n] = '\0';
    if (text.n > 0)
        mesh_diag_why(&test->diags, diag, "it said: %.*s", SAID_SHOWN_MAX, text.p);
}

int mesh_trial_run_all(const char *program, const char *out, struct mesh_test *const *tests, size_t n, struct mesh_err *err)
{
    if (n == 0)
        return 0;
    struct mesh_arena *arena = tests[0]->diags.arena;
    const char *in = mesh_arena_printf(arena, "%s/%s/trial.in", out, tests[0]->domain);
    const char *answers = mesh_arena_printf(arena, "%s/%s/trial.answers", out, tests[0]->domain);
    const char *said = mesh_arena_printf(arena, "%s/%s/trial.said", out, tests[0]->domain);
    for (size_t done = 0; done < n;) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf lines = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        const char *args[] = {program, in, said};
        pid_t pid = 0;
        for (size_t i = done; i < n; i++)
            put_test(&lines, tests[i]);
        bool written = false;
        if (mesh_fs_write_changed(in, lines.p, lines.n, &written, err) < 0 ||
            mesh_trial_start(arena, RUN, args, MESH_LEN(args), answers, &pid, err) < 0)
            return -1;
        int status = mesh_trial_wait(pid);
        if (mesh_fs_read(answers, ANSWERS_BYTES_MAX, &text, err) < 0)
            return -1;
        done += read_answers(arena, text.p == NULL ? "" : text.p, tests + done, n - done);
        if (done < n)
            blame(tests[done++], status, said);
    }
    return 0;
}
