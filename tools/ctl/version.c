#include "ctl/version.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "ctl/get.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK_MS       5000
#define ADDRESS_MAX  128
#define TIMEOUT_MS   60000
#define EXAMPLES     5
#define EXAMPLES_MAX 100000

void mesh_version_nap(int ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- folders ---- */
int mesh_version_open(struct mesh_version *version, const struct mesh_version_options *options, const char *name,
                      struct mesh_err *err)
{
    *version = (struct mesh_version){.name = name};
    bool base = strcmp(name, MESH_VARIANT_BASE) == 0;
    snprintf(version->dir, sizeof version->dir, "%s/%s%s%s", options->state, options->product, base ? "" : ".", base ? "" : name);
    mesh_role_init(&version->role, MESH_ROLE_ACTIVE);
    return mesh_version_look(version, err);
}

void mesh_version_close(struct mesh_version *version)
{
    mesh_role_deinit(&version->role);
    mesh_arena_deinit(&version->arena);
}

int mesh_version_look(struct mesh_version *version, struct mesh_err *err)
{
    mesh_role_deinit(&version->role);
    version->exists = mesh_fs_is_dir(version->dir);
    if (strcmp(version->name, MESH_VARIANT_BASE) != 0)
        version->role.word = MESH_ROLE_MUTED;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/%s", version->dir, MESH_ROLE_FILE);
    if (!mesh_fs_exists(path.p))
        return 0;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(path.p, MESH_ROLE_BYTES_MAX, &text, err) < 0)
        return -1;
    if (mesh_role_read((struct mesh_str){text.p, (uint32_t)text.n}, &version->role, err) == 0)
        return 0;
    mesh_err_prefix(err, "%s", path.p);
    return -1;
}

int mesh_version_active(struct mesh_arena *arena, const struct mesh_version_options *options, const char **ret,
                        struct mesh_err *err)
{
    char **names = NULL;
    size_t n = 0;
    *ret = NULL;
    if (mesh_fs_list(arena, options->state, &names, &n, err) < 0)
        return -1;
    size_t prefix = strlen(options->product);
    for (size_t i = 0; i < n; i++) {
        const char *rest = names[i] + prefix;
        if (strncmp(names[i], options->product, prefix) != 0 || (rest[0] != '\0' && rest[0] != '.'))
            continue;
        const char *name = rest[0] == '\0' ? MESH_VARIANT_BASE : rest + 1;
        if ((rest[0] == '.' && !mesh_variant_is_name(name)) || strcmp(name, options->variant) == 0)
            continue; /* "p.before-reset-1732" is no version: nothing was muted in it */
        struct mesh_version version;
        int result = mesh_version_open(&version, options, name, err);
        bool active = result == 0 && version.role.word == MESH_ROLE_ACTIVE;
        mesh_version_close(&version);
        if (result < 0)
            return -1;
        if (active)
            *ret = name;
    }
    return 0;
}

int mesh_version_order(struct mesh_version *version, struct mesh_role *order, struct mesh_err *err)
{
    order->order = (uint64_t)(mesh_clock_wall_us() / 1000);
    if (order->order <= version->role.order)
        order->order = version->role.order + 1;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/%s", version->dir, MESH_ORDER_FILE);
    mesh_role_write(order, &text);
    return mesh_fs_write_atomic(path.p, text.p, text.n, err);
}

/* ---- questions ---- */
static int find_port(struct mesh_version *version, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/%s", version->dir, MESH_ADDRESS_FILE);
    if (mesh_fs_read(path.p, ADDRESS_MAX, &text, err) < 0)
        return -1;
    const char *colon = strrchr(text.p, ':');
    if (colon == NULL || (strncmp(text.p, "127.0.0.1:", 10) != 0 && strncmp(text.p, "0.0.0.0:", 8) != 0))
        return mesh_err_set(err, MESH_ERR_REJECT, "version.address",
                            "%s is served at %.*s: meshctl asks 127.0.0.1 alone, without TLS and keys; run it there", version->dir,
                            (int)strcspn(text.p, "\n"), text.p);
    version->port = atoi(colon + 1);
    return 0;
}

int mesh_version_get(struct mesh_version *version, const char *path, struct mesh_arena *arena, const struct mesh_json **ret,
                     struct mesh_err *err)
{
    *ret = NULL;
    if (find_port(version, err) < 0)
        return -1;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    int status = mesh_get(version->port, path, ASK_MS, &body, err);
    if (status < 0)
        return -1;
    struct mesh_diags diags = {.arena = arena};
    const char *text = mesh_arena_str(arena, (struct mesh_str){body.p, (uint32_t)body.n});
    *ret = mesh_json_parse(arena, mesh_source_new(arena, path, text, body.n), &diags, "version.json");
    if (*ret == NULL)
        return mesh_err_set(err, MESH_ERR_RETRY, "version.json", "127.0.0.1:%d%s gave no JSON (status %d)", version->port, path,
                            status);
    return status;
}

int mesh_version_ask(struct mesh_version *version, const struct mesh_version_options *options, struct mesh_err *err)
{
    version->ready = NULL;
    mesh_arena_reset(&version->arena);
    const struct mesh_json *answer = NULL;
    if (mesh_version_get(version, "/readyz", &version->arena, &answer, err) < 0)
        return -1;
    const struct mesh_json *products = mesh_json_get(answer, "products");
    for (uint32_t i = 0; products != NULL && products->kind == MESH_JSON_ARRAY && i < products->n; i++) {
        const struct mesh_json *name = mesh_json_get(products->items[i], "product");
        const struct mesh_json *variant = mesh_json_get(products->items[i], "variant");
        const char *slash = name == NULL ? NULL : strrchr(name->text, '/');
        if (slash != NULL && strcmp(slash + 1, options->product) == 0 &&
            strcmp(variant == NULL ? MESH_VARIANT_BASE : variant->text, version->name) == 0)
            version->ready = products->items[i];
    }
    if (version->ready != NULL)
        return 0;
    return mesh_err_set(err, MESH_ERR_RETRY, "version.other", "127.0.0.1:%d does not serve %s of %s", version->port, version->name,
                        options->product);
}

/* ---- the command line ---- */
static const struct option longs[] = {
    {"as", 1, NULL, 'a'},      {"state", 1, NULL, 's'},    {"service", 1, NULL, 'v'}, {"listen", 1, NULL, 'l'},
    {"brokers", 1, NULL, 'b'}, {"from", 1, NULL, 'f'},     {"timeout", 1, NULL, 't'}, {"wait", 0, NULL, 'w'},
    {"format", 1, NULL, 'o'},  {"examples", 1, NULL, 'e'}, {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0},
};

static int complain(const char *what, const char *value, int *ret_exit)
{
    fprintf(stderr, "meshctl: %s '%s'; --help says more\n", what, value);
    *ret_exit = MESH_VERSION_EXIT_USAGE;
    return 1;
}

static bool parse_from(const char *arg, int64_t *ret)
{
    int64_t ago_us = 0;
    *ret = INT64_MIN;
    if (strcmp(arg, "earliest") == 0)
        return true;
    if (mesh_text_parse_duration(mesh_str_of(arg), &ago_us) == 0) {
        *ret = mesh_clock_wall_us() - ago_us;
        return true;
    }
    return mesh_text_parse_time(mesh_str_of(arg), ret) == 0;
}

static bool take(int c, struct mesh_version_options *o)
{
    switch (c) {
    case 'a':
        o->variant = optarg;
        return true;
    case 's':
        o->state = optarg;
        return true;
    case 'v':
        o->service = optarg;
        return true;
    case 'l':
        o->listen = optarg;
        return true;
    case 'b':
        o->brokers = optarg;
        return true;
    case 'f':
        return parse_from(optarg, &o->from_us);
    case 't':
        return mesh_text_parse_duration(mesh_str_of(optarg), &o->timeout_ms) == 0 && (o->timeout_ms /= 1000) > 0;
    case 'w':
        return o->wait = true;
    case 'o':
        o->json = strcmp(optarg, "json") == 0;
        return o->json || strcmp(optarg, "text") == 0;
    case 'e':
        o->examples = atoi(optarg);
        return o->examples >= 0 && o->examples <= EXAMPLES_MAX;
    default:
        return false;
    }
}

int mesh_version_options(int argc, char **argv, const char *takes, const char *usage, struct mesh_version_options *ret,
                         int *ret_exit)
{
    const char *brokers = getenv("MESH_KAFKA_BROKERS");
    const char *state = getenv("MESH_STATE_DIR");
    *ret = (struct mesh_version_options){.state = state,
                                         .listen = "127.0.0.1:0",
                                         .brokers = brokers == NULL || brokers[0] == '\0' ? "127.0.0.1:9092" : brokers,
                                         .from_us = INT64_MIN,
                                         .timeout_ms = TIMEOUT_MS,
                                         .examples = EXAMPLES};
    for (int c = getopt_long(argc, argv, "", longs, NULL); c != -1; c = getopt_long(argc, argv, "", longs, NULL)) {
        if (c == 'h') {
            *ret_exit = fputs(usage, stdout) < 0 ? MESH_VERSION_EXIT_DIFFERS : MESH_VERSION_EXIT_OK;
            return 1;
        }
        if (c == '?' || strchr(takes, c) == NULL || !take(c, ret))
            return complain("not an option of this command, or not a value of it:", argv[optind - 1], ret_exit);
    }
    if (optind < argc)
        ret->product = argv[optind++];
    if (optind < argc && ret->variant == NULL)
        ret->variant = argv[optind++];
    if (optind < argc)
        return complain("unexpected", argv[optind], ret_exit);
    if (ret->product == NULL || ret->variant == NULL) {
        fprintf(stderr, "%s", usage);
        *ret_exit = MESH_VERSION_EXIT_USAGE;
        return 1;
    }
    if (!mesh_variant_is_name(ret->variant) && strcmp(ret->variant, MESH_VARIANT_BASE) != 0)
        return complain("a version's name is lower case letters, digits and dashes, at most 20, not", ret->variant, ret_exit);
    if (ret->state == NULL || ret->state[0] == '\0')
        return complain("where are the states? Give MESH_STATE_DIR of the service with --state, not", "", ret_exit);
    return 0;
}

int mesh_version_fail(const struct mesh_err *err)
{
    fprintf(stderr, "meshctl: %s\n", err->text);
    return MESH_VERSION_EXIT_USAGE;
}
