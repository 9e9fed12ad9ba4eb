/* meshgen test: load, compile, run, compare, and say so. */
#include "codegen/cli.h"
#include "codegen/trial.h"

#include "base/fs.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct totals {
    size_t tests, failed;
    double ms;
};

/* The diagnostics of a test as one text. */
static const char *findings(struct mesh_cli *cli, const struct mesh_test *test, bool colour)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (out == NULL)
        return "";
    mesh_diag_print(&test->diags, out, MESH_DIAG_TEXT, colour);
    fclose(out);
    /* the last line counts errors, which the summary of the tests does better */
    for (n -= n > 0; n > 0 && text[n - 1] != '\n'; n--)
        ;
    const char *copy = mesh_arena_str(&cli->arena, (struct mesh_str){text, (uint32_t)n});
    free(text);
    return copy;
}

static int is_domain(struct mesh_cli *cli, const struct mesh_model *model, const char *name)
{
    const char *names[256];
    size_t n = 0;
    for (size_t i = 0; i < model->products.n && n < MESH_LEN(names); i++) {
        names[n++] = model->products.v[i]->domain.text;
        if (strcmp(names[n - 1], name) == 0)
            return MESH_CLI_OK;
    }
    (void)cli;
    const char *near = mesh_did_you_mean(name, names, n);
    return near != NULL ? mesh_cli_fail("there is no domain '%s' in this mesh; did you mean '%s'?", name, near)
                        : mesh_cli_fail("there is no domain '%s' in this mesh", name);
}

/* One at a time in a folder: two that compile and run there would take each other's files. Waits for the other one. */
static int lock_folder(struct mesh_cli *cli, const char *out, struct mesh_err *err)
{
    if (mesh_fs_mkdirs(out, err) != 0)
        return -1;
    const char *path = mesh_arena_printf(&cli->arena, "%s/LOCK", out);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "fs.create", "cannot create '%s': %s", path, strerror(errno));
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return mesh_err_set(err, MESH_ERR_FATAL, "fs.lock", "cannot lock '%s': %s", path, strerror(errno));
    return fd;
}

/* The tests of one domain, from `first`; the place behind them. */
static int run_domain(struct mesh_cli *cli, struct mesh_model *model, const char *out, struct mesh_tests *tests, size_t first,
                      size_t *ret_end)
{
    const char *domain = tests->list.v[first]->domain;
    MESH_VEC(struct mesh_test *) able = {0};
    size_t end = first;
    for (; end < tests->list.n && strcmp(tests->list.v[end]->domain, domain) == 0; end++)
        if (tests->list.v[end]->diags.n_errors == 0)
            *mesh_vec_push_in(&cli->arena, &able) = tests->list.v[end];
    *ret_end = end;
    if (able.n == 0)
        return MESH_CLI_OK;
    const char *program = NULL;
    struct mesh_err err = {0};
    int r = mesh_trial_build(model, out, domain, &program, &err);
    if (r > 0) {
        mesh_cli_report(cli);
        return MESH_CLI_USAGE;
    }
    if (r < 0 || mesh_trial_run_all(program, out, able.v, able.n, &err) < 0)
        return mesh_cli_fail("%s", err.text);
    for (size_t i = 0; i < able.n; i++)
        if (able.v[i]->diags.n_errors == 0)
            mesh_test_judge(able.v[i]);
    return MESH_CLI_OK;
}

/* ---- output ---- */
static void print_text(struct mesh_cli *cli, const struct mesh_tests *tests, const struct totals *totals)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool colour = isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
    for (size_t i = 0; i < tests->list.n; i++) {
        const struct mesh_test *test = tests->list.v[i];
        bool passed = test->diags.n_errors == 0;
        printf("%s%s%s %s/%s: %s\n",
               !colour  ? ""
               : passed ? "\033[32m"
                        : "\033[31m",
               passed ? "ok  " : "FAIL", colour ? "\033[0m" : "", test->domain, test->name, test->describe);
        if (test->diags.list.n > 0)
            fputs(findings(cli, test, colour), stdout);
    }
    printf("%zu test%s, %zu failed; %.1f ms in the engine\n", totals->tests, totals->tests == 1 ? "" : "s", totals->failed,
           totals->ms);
}

static void print_json(const struct mesh_tests *tests, const struct totals *totals)
{
    printf("{\"tests\":[");
    for (size_t i = 0; i < tests->list.n; i++) {
        const struct mesh_test *test = tests->list.v[i];
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
        mesh_buf_puts(&out, i == 0 ? "\n{\"path\":" : ",\n{\"path\":");
        mesh_json_string(&out, mesh_str_of(test->path));
        mesh_buf_puts(&out, ",\"describe\":");
        mesh_json_string(&out, mesh_str_of(test->describe));
        mesh_buf_printf(&out, ",\"passed\":%s,\"ms\":%.3f,\"findings\":", test->diags.n_errors == 0 ? "true" : "false", test->ms);
        fwrite(out.p, 1, out.n, stdout);
        fflush(stdout);
        mesh_diag_print(&test->diags, stdout, MESH_DIAG_JSON, false);
        printf("}");
    }
    printf("\n],\"run\":%zu,\"failed\":%zu}\n", totals->tests, totals->failed);
}

static void put_xml(struct mesh_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("&<>\"'", *text) != NULL || ((unsigned char)*text < 0x20 && *text != '\n'))
            mesh_buf_printf(out, "&#%d;", (unsigned char)*text < 0x20 ? '?' : *text);
        else
            mesh_buf_putc(out, *text);
    }
}

static void print_junit(struct mesh_cli *cli, const struct mesh_tests *tests, const struct totals *totals)
{
    printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n <testsuite name=\"mesh\" tests=\"%zu\" failures=\"%zu\" "
           "errors=\"0\">\n",
           totals->tests, totals->failed);
    for (size_t i = 0; i < tests->list.n; i++) {
        const struct mesh_test *test = tests->list.v[i];
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
        mesh_buf_puts(&out, "  <testcase classname=\"");
        put_xml(&out, test->path);
        mesh_buf_puts(&out, "\" name=\"");
        put_xml(&out, test->describe);
        mesh_buf_printf(&out, "\" time=\"%.6f\">", test->ms / 1000);
        const char *tag = test->diags.n_errors > 0 ? "failure" : "system-out";
        if (test->diags.list.n > 0) {
            mesh_buf_printf(&out, "<%s>", tag);
            put_xml(&out, findings(cli, test, false));
            mesh_buf_printf(&out, "</%s>", tag);
        }
        mesh_buf_puts(&out, "</testcase>\n");
        fwrite(out.p, 1, out.n, stdout);
    }
    printf(" </testsuite>\n</testsuites>\n");
}

int mesh_cli_test(struct mesh_cli *cli)
{
    const char *domain = cli->n_args > 0 ? cli->args[0] : cli->domain;
    if (cli->format != MESH_DIAG_TEXT && cli->format != MESH_DIAG_JSON && cli->format != MESH_DIAG_JUNIT)
        return mesh_cli_fail("the results of tests are written as text, json or junit");
    struct mesh_model *model = mesh_cli_model(cli, NULL);
    if (model == NULL)
        return MESH_CLI_USAGE;
    if (domain != NULL && is_domain(cli, model, domain) != MESH_CLI_OK)
        return MESH_CLI_USAGE;
    if (cli->diags.n_errors > 0) {
        mesh_cli_report(cli);
        return MESH_CLI_USAGE;
    }
    struct mesh_tests tests = {0};
    struct mesh_err err = {0};
    if (mesh_tests_load(model, domain, cli->n_args > 1 ? cli->args[1] : NULL, &tests, &err) < 0)
        return mesh_cli_fail("%s", err.text);
    if (tests.list.n == 0)
        return mesh_cli_fail("there is no test%s%s%s; tests are domains/DOMAIN/tests/NAME.yaml", cli->n_args > 1 ? " '" : "",
                             cli->n_args > 1 ? cli->args[1] : "", cli->n_args > 1 ? "'" : "");
    const char *out = cli->out != NULL ? cli->out : mesh_arena_printf(&cli->arena, "%s/build/test", model->root);
    mesh_cleanup(mesh_closep) int lock = lock_folder(cli, out, &err);
    if (lock < 0)
        return mesh_cli_fail("%s", err.text);
    for (size_t i = 0; i < tests.list.n;) {
        int code = run_domain(cli, model, out, &tests, i, &i);
        if (code != MESH_CLI_OK)
            return code;
    }
    struct totals totals = {.tests = tests.list.n};
    for (size_t i = 0; i < tests.list.n; i++) {
        totals.failed += tests.list.v[i]->diags.n_errors > 0;
        totals.ms += tests.list.v[i]->ms;
    }
    if (cli->format == MESH_DIAG_TEXT)
        print_text(cli, &tests, &totals);
    else if (cli->format == MESH_DIAG_JSON)
        print_json(&tests, &totals);
    else
        print_junit(cli, &tests, &totals);
    return totals.failed > 0 ? MESH_CLI_FINDINGS : MESH_CLI_OK;
}
