/* The time zones of a product's days, as tables. */
#include "codegen/emit_int.h"

#include <string.h>

#define STEPS_A_LINE 5

const char *mesh_emit_zone_name(struct mesh_emitter *e, const struct mesh_zone_table *zone)
{
    char *name = mesh_arena_printf(e->arena, "zone_%s", zone->name);
    for (char *c = name; *c != '\0'; c++)
        if (strchr("/+-", *c) != NULL)
            *c = *c == '+' ? 'p' : *c == '-' ? 'm' : '_';
    return name;
}

static void emit_zone(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_zone_table *zone)
{
    const char *name = mesh_emit_zone_name(e, zone);
    mesh_emit_line(out, 0, "/* %s, as the compiler's machine knew it: seconds since 1970, and ahead of UTC from then on */",
                   zone->name);
    mesh_emit_line(out, 0, "static const struct mesh_zone_shift steps_of_%s[] = {", name);
    for (size_t i = 0; i < zone->steps.n; i += STEPS_A_LINE) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf line = MESH_BUF_NULL;
        for (size_t k = i; k < zone->steps.n && k < i + STEPS_A_LINE; k++) {
            const struct mesh_zone_step *step = &zone->steps.v[k];
            if (k == 0)
                mesh_buf_printf(&line, "{INT64_MIN, %d},", (int)step->offset_s);
            else
                mesh_buf_printf(&line, "%s{%lld, %d},", k > i ? " " : "", (long long)step->at_s, (int)step->offset_s);
        }
        mesh_emit_line(out, 1, "%s", line.p);
    }
    mesh_emit_line(out, 0, "};");
    mesh_emit_line(out, 0, "static const struct mesh_zone %s = {\"%s\", steps_of_%s, %zu};", name, zone->name, name, zone->steps.n);
    mesh_emit_blank(out);
}

void mesh_emit_zones(struct mesh_emitter *e, struct mesh_buf *out)
{
    const struct mesh_plan *plan = e->plan;
    for (size_t i = 0; i < plan->views.n; i++) {
        const struct mesh_zone_table *zone = plan->views.v[i]->model->zone;
        bool known = zone == NULL;
        for (size_t k = 0; k < i && !known; k++)
            known = plan->views.v[k]->model->zone != NULL && strcmp(plan->views.v[k]->model->zone->name, zone->name) == 0;
        if (!known)
            emit_zone(e, out, zone);
    }
}
