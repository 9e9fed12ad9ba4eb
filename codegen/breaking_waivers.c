/* waivers.yaml: breaking changes that somebody has looked at, each with a reason and a last day, so that they end by themselves. */
#include "codegen/breaking_int.h"

#include "base/fs.h"
#include "base/text.h"
#include "codegen/bind.h"
#include "codegen/yaml.h"

#include <string.h>

static void load_waiver(struct mesh_breaking *b, const struct mesh_yaml *map)
{
    struct mesh_waiver waiver = {.code = mesh_bind_text(map, "code"),
                                 .part = mesh_bind_text(map, "part"),
                                 .reason = mesh_bind_text(map, "reason"),
                                 .until = mesh_bind_text(map, "until"),
                                 .at = map->at};
    if (waiver.code == NULL || waiver.part == NULL || waiver.reason == NULL || waiver.until == NULL)
        return;
    if (strlen(waiver.until) != strlen("2026-12-31") || mesh_text_parse_time(mesh_str_of(waiver.until), &waiver.end_us) != 0) {
        struct mesh_diag *diag =
            mesh_diag_add(b->diags, MESH_ERROR, "MG004", mesh_yaml_get(map, "until")->at, "'%s' is not a day", waiver.until);
        mesh_diag_why(b->diags, diag, "a waiver ends by itself, so that the next change is looked at again");
        mesh_diag_fix(b->diags, diag, "for example: until: 2026-12-31");
        return;
    }
    waiver.end_us += MESH_DAY_US;
    *mesh_vec_push_in(b->arena, &b->waivers) = waiver;
}

void mesh_breaking_load_waivers(struct mesh_breaking *b)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    const char *path = mesh_arena_printf(b->arena, "%s/waivers.yaml", b->now->root);
    if (!mesh_fs_exists(path))
        return;
    if (mesh_fs_read(path, MESH_YAML_BYTES_MAX, &text, &err) != 0) {
        mesh_diag_add(b->diags, MESH_ERROR, "MG006", (struct mesh_srcref){0}, "%s", err.text);
        return;
    }
    const char *copy = mesh_arena_str(b->arena, (struct mesh_str){text.p, (uint32_t)text.n});
    const struct mesh_source *source = mesh_source_new(b->arena, "waivers.yaml", copy, text.n);
    const struct mesh_yaml *root = mesh_yaml_parse(b->arena, source, b->diags);
    if (root == NULL || !mesh_bind_check(&mesh_bind_waivers, root, "waivers.yaml", b->arena, b->diags))
        return;
    const struct mesh_yaml *list = mesh_yaml_get(root, "waivers");
    for (size_t i = 0; list != NULL && !list->bad && i < list->items.n; i++) {
        if (!list->items.v[i]->bad && list->items.v[i]->kind == MESH_YAML_MAP)
            load_waiver(b, list->items.v[i]);
    }
}

bool mesh_breaking_waived(struct mesh_breaking *b, const char *code, const char *part, const struct mesh_waiver **ret)
{
    for (size_t i = 0; i < b->waivers.n; i++) {
        struct mesh_waiver *waiver = &b->waivers.v[i];
        if (strcmp(waiver->code, code) != 0 || strcmp(waiver->part, part) != 0)
            continue;
        waiver->used = true;
        *ret = waiver;
        if (b->today_us < waiver->end_us)
            return true;
    }
    return false;
}

void mesh_breaking_note_waiver(struct mesh_breaking *b, struct mesh_diag *diag, const struct mesh_waiver *waiver)
{
    if (waiver == NULL)
        return;
    if (b->today_us < waiver->end_us)
        mesh_diag_note(b->diags, diag, waiver->at, "waived until %s: %s", waiver->until, waiver->reason);
    else
        mesh_diag_note(b->diags, diag, waiver->at, "it was waived, but only until %s", waiver->until);
}

void mesh_breaking_unused_waivers(struct mesh_breaking *b)
{
    for (size_t i = 0; i < b->waivers.n; i++) {
        const struct mesh_waiver *waiver = &b->waivers.v[i];
        if (waiver->used)
            continue;
        struct mesh_diag *diag = mesh_diag_add(b->diags, MESH_WARNING, "MB015", waiver->at, "there is no %s at '%s' to waive",
                                               waiver->code, waiver->part);
        mesh_diag_why(b->diags, diag, "the change has reached the readers, or was taken back, or the part is spelt otherwise");
        mesh_diag_fix(b->diags, diag, "remove it, or write the part as the finding's fix does");
    }
}
