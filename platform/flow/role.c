/* Lines of words. What a later version may add is passed by. */
#include "flow/role.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "mesh-role 1";
static const char *const words[MESH_ROLE_WORDS] = {"active", "muted",  "held",    "retired", "hold",
                                                   "resume", "retire", "promote", "follow"};

void mesh_role_init(struct mesh_role *role, enum mesh_role_word word)
{
    *role = (struct mesh_role){.word = word, .from_us = INT64_MIN};
}

void mesh_role_deinit(struct mesh_role *role)
{
    mesh_vec_deinit(&role->at);
    mesh_vec_deinit(&role->marks);
    mesh_role_init(role, MESH_ROLE_ACTIVE);
}

const char *mesh_role_word_text(enum mesh_role_word word)
{
    return words[word];
}

static void write_time(struct mesh_buf *out, int64_t us)
{
    if (us == INT64_MIN)
        mesh_buf_puts(out, " -");
    else
        mesh_buf_printf(out, " %" PRId64, us);
}

void mesh_role_write(const struct mesh_role *role, struct mesh_buf *out)
{
    mesh_buf_printf(out, "%s\nword %s\norder %" PRIu64 "\nvoice %" PRIu64 "\n", head, words[role->word], role->order, role->voice);
    for (uint32_t i = 0; i < role->n_succeeds; i++)
        mesh_buf_printf(out, "%s%" PRIu64 "%s", i == 0 ? "succeeds " : " ", role->succeeds[i],
                        i + 1 == role->n_succeeds ? "\n" : "");
    if (role->from_us != INT64_MIN)
        mesh_buf_printf(out, "from %" PRId64 "\n", role->from_us);
    for (size_t i = 0; i < role->at.n; i++)
        mesh_buf_printf(out, "at %s %" PRId32 " %" PRId64 "\n", role->at.v[i].topic, role->at.v[i].partition, role->at.v[i].offset);
    for (size_t i = 0; i < role->marks.n; i++) {
        const struct mesh_role_mark *m = &role->marks.v[i];
        mesh_buf_printf(out, "mark %s %" PRId32, m->name, m->mark.partition);
        write_time(out, m->mark.wm_us);
        write_time(out, m->mark.released_us);
        mesh_buf_printf(out, " %d\n", m->mark.idle ? 1 : 0);
    }
}

/* ---- reading ---- */
static bool number(const char *word, int64_t *ret)
{
    return word != NULL && mesh_text_parse_long(mesh_str_of(word), ret) == 0;
}

static bool time_of(const char *word, int64_t *ret)
{
    *ret = INT64_MIN;
    return word != NULL && (strcmp(word, "-") == 0 || number(word, ret));
}

static bool small(const char *word, int32_t *ret)
{
    int64_t v = -1;
    bool ok = number(word, &v) && v >= 0 && v <= INT32_MAX;
    *ret = (int32_t)v;
    return ok;
}

static bool name(const char *word, char ret[MESH_ROLE_NAME_MAX])
{
    if (word == NULL || strlen(word) >= MESH_ROLE_NAME_MAX)
        return false;
    snprintf(ret, MESH_ROLE_NAME_MAX, "%s", word);
    return true;
}

static bool read_word(struct mesh_role *role, const char *word)
{
    for (int i = 0; word != NULL && i < MESH_ROLE_WORDS; i++) {
        if (strcmp(words[i], word) != 0)
            continue;
        role->word = (enum mesh_role_word)i;
        return true;
    }
    return false;
}

static bool read_line(struct mesh_role *role, char *line, bool *has_word)
{
    char *rest = NULL;
    const char *key = strtok_r(line, " ", &rest);
    int64_t v = 0;
    if (key == NULL)
        return true;
    if (strcmp(key, "word") == 0)
        return *has_word = read_word(role, strtok_r(NULL, " ", &rest));
    if (strcmp(key, "order") == 0 || strcmp(key, "voice") == 0) {
        if (!number(strtok_r(NULL, " ", &rest), &v) || v < 0)
            return false;
        *(key[0] == 'o' ? &role->order : &role->voice) = (uint64_t)v;
        return true;
    }
    if (strcmp(key, "succeeds") == 0) {
        for (const char *word = strtok_r(NULL, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
            if (!number(word, &v) || v < 0)
                return false;
            mesh_role_add_succeeded(role, (uint64_t)v);
        }
        return true;
    }
    if (strcmp(key, "from") == 0)
        return number(strtok_r(NULL, " ", &rest), &role->from_us);
    if (strcmp(key, "at") == 0) {
        struct mesh_role_place *place = mesh_vec_push(&role->at);
        return name(strtok_r(NULL, " ", &rest), place->topic) && small(strtok_r(NULL, " ", &rest), &place->partition) &&
               number(strtok_r(NULL, " ", &rest), &place->offset);
    }
    if (strcmp(key, "mark") == 0) {
        struct mesh_role_mark *m = mesh_vec_push(&role->marks);
        *m = (struct mesh_role_mark){0};
        bool ok = name(strtok_r(NULL, " ", &rest), m->name) && small(strtok_r(NULL, " ", &rest), &m->mark.partition) &&
                  time_of(strtok_r(NULL, " ", &rest), &m->mark.wm_us) &&
                  time_of(strtok_r(NULL, " ", &rest), &m->mark.released_us) && number(strtok_r(NULL, " ", &rest), &v);
        m->mark.idle = v != 0;
        return ok;
    }
    return true;
}

int mesh_role_read(struct mesh_str text, struct mesh_role *ret, struct mesh_err *err)
{
    mesh_role_init(ret, MESH_ROLE_ACTIVE);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf copy = MESH_BUF_NULL;
    mesh_buf_add(&copy, text.p, text.n);
    mesh_buf_putc(&copy, '\0');
    char *rest = NULL;
    char *line = strtok_r(copy.p, "\n", &rest);
    bool begins = line != NULL && strcmp(line, head) == 0;
    bool has_word = false;
    bool ok = begins;
    while (ok && (line = strtok_r(NULL, "\n", &rest)) != NULL) {
        char shown[80];
        snprintf(shown, sizeof shown, "%s", line);
        ok = read_line(ret, line, &has_word);
        if (!ok)
            mesh_err_set(err, MESH_ERR_FATAL, "role.line", "it has a line that means nothing: '%s'", shown);
    }
    if (ok && has_word)
        return 0;
    if (ok || !begins)
        mesh_err_set(err, MESH_ERR_FATAL, "role.file", "it does not begin with '%s' and name its word", head);
    mesh_role_deinit(ret);
    return 1;
}

void mesh_role_add_succeeded(struct mesh_role *role, uint64_t generation)
{
    for (uint32_t i = 0; i < role->n_succeeds; i++)
        if (role->succeeds[i] == generation)
            return;
    if (role->n_succeeds == MESH_FLOW_SUCCEEDS_MAX) {
        role->n_succeeds--;
        memmove(role->succeeds, role->succeeds + 1, role->n_succeeds * sizeof *role->succeeds);
    }
    role->succeeds[role->n_succeeds++] = generation;
}

void mesh_role_add_at(struct mesh_role *role, const char *topic, int32_t partition, int64_t offset)
{
    struct mesh_role_place *place = mesh_vec_push(&role->at);
    snprintf(place->topic, sizeof place->topic, "%s", topic);
    place->partition = partition;
    place->offset = offset;
}

int64_t mesh_role_at(const struct mesh_role *role, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < role->at.n; i++)
        if (role->at.v[i].partition == partition && strcmp(role->at.v[i].topic, topic) == 0)
            return role->at.v[i].offset;
    return -1;
}

bool mesh_variant_is_name(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && n <= MESH_VARIANT_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == n &&
           strcmp(text, MESH_VARIANT_BASE) != 0;
}
