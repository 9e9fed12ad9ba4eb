/* Waivers are few: they are looked through one by one. */
#include "codegen/waivers.h"

#include "base/fs.h"
#include "base/text.h"
#include "codegen/bind.h"
#include "codegen/yaml.h"

#include <string.h>

static void load_waiver(struct mesh_waivers *waivers, const struct mesh_yaml *map)
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
            mesh_diag_add(waivers->diags, MESH_ERROR, "MG004", mesh_yaml_get(map, "until")->at, "'%s' is not a day", waiver.until);
        mesh_diag_why(waivers->diags, diag, "a waiver ends by itself, so that the next change is looked at again");
        mesh_diag_fix(waivers->diags, diag, "for example: until: 2026-12-31");
        return;
    }
    waiver.end_us += MESH_DAY_US;
    *mesh_vec_push_in(waivers->arena, &waivers->list) = waiver;
}

void mesh_waivers_load(struct mesh_waivers *waivers, const char *root)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    const char *path = mesh_arena_printf(waivers->arena, "%s/waivers.yaml", root);
    if (!mesh_fs_exists(path))
        return;
    if (mesh_fs_read(path, MESH_YAML_BYTES_MAX, &text, &err) != 0) {
        mesh_diag_add(waivers->diags, MESH_ERROR, "MG006", (struct mesh_srcref){0}, "%s", err.text);
        return;
    }
    const char *copy = mesh_arena_str(waivers->arena, (struct mesh_str){text.p, (uint32_t)text.n});
    const struct mesh_source *source = mesh_source_new(waivers->arena, "waivers.yaml", copy, text.n);
    const struct mesh_yaml *yaml = mesh_yaml_parse(waivers->arena, source, waivers->diags);
    if (yaml == NULL || !mesh_bind_check(&mesh_bind_waivers, yaml, "waivers.yaml", waivers->arena, waivers->diags))
        return;
    const struct mesh_yaml *list = mesh_yaml_get(yaml, "waivers");
    for (size_t i = 0; list != NULL && !list->bad && i < list->items.n; i++) {
        if (!list->items.v[i]->bad && list->items.v[i]->kind == MESH_YAML_MAP)
            load_waiver(waivers, list->items.v[i]);
    }
}

bool mesh_waivers_cover(struct mesh_waivers *waivers, const char *code, const char *part, const struct mesh_waiver **ret)
{
    for (size_t i = 0; i < waivers->list.n; i++) {
        struct mesh_waiver *waiver = &waivers->list.v[i];
        if (strcmp(waiver->code, code) != 0 || strcmp(waiver->part, part) != 0)
            continue;
        waiver->used = true;
        *ret = waiver;
        if (waivers->today_us < waiver->end_us)
            return true;
    }
    return false;
}

void mesh_waivers_note(struct mesh_waivers *waivers, struct mesh_diag *diag, const struct mesh_waiver *waiver)
{
    if (waiver == NULL)
        return;
    if (waivers->today_us < waiver->end_us)
        mesh_diag_note(waivers->diags, diag, waiver->at, "waived until %s: %s", waiver->until, waiver->reason);
    else
        mesh_diag_note(waivers->diags, diag, waiver->at, "it was waived, but only until %s", waiver->until);
}

void mesh_waivers_unused(struct mesh_waivers *waivers, bool breaking, const char *as)
{
    for (size_t i = 0; i < waivers->list.n; i++) {
        const struct mesh_waiver *waiver = &waivers->list.v[i];
        if (waiver->used || (strncmp(waiver->code, "MB", 2) == 0) != breaking)
            continue;
        struct mesh_diag *diag = mesh_diag_add(waivers->diags, MESH_WARNING, as, waiver->at, "there is no %s at '%s' to waive",
                                               waiver->code, waiver->part);
        mesh_diag_why(waivers->diags, diag, "%s, or the part is spelt otherwise",
                      breaking ? "the change has reached the readers, or was taken back" : "the policy is kept, or is gone");
        mesh_diag_fix(waivers->diags, diag, "remove it, or write the part as the finding's fix does");
    }
}
