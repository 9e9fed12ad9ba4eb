/* Templates: files in the language they emit, with two constructs.
 *
 *   {{path}}, {{path|filter}}   a value. Code is printed as it is; prose needs a filter: cstr (inside a C string), comment (inside a
 *                               C comment), json (inside a JSON string), text (Markdown, one line, no markup).
 *                               A placeholder that stands alone on its line indents every line of its value, and an empty value
 *                               removes the line.
 *   % for x in path             repeat for every item of a list; inside, x is the item
 *   % if path / % if not path   when a flag is set, a text not empty, a list not empty
 *   % else
 *   % end
 *   %%                          a line that is a comment of the template
 *
 * Directives stand alone on their line and vanish with it; nothing else is special. There are no expressions: what a template needs is
 * computed before. An unknown path, a missing filter or an unclosed block is an error of ours, told with template file and line.
 */
#ifndef MESH_CODEGEN_TEMPLATE_H
#define MESH_CODEGEN_TEMPLATE_H

#include "codegen/data.h"
#include "mesh/err.h"

/* A template that is compiled into meshgen (codegen/embed). */
struct mesh_template {
    const char *name; /* "product.c" */
    const char *text;
};

/* Ends with a NULL name; made at build time from templates/. */
extern const struct mesh_template mesh_templates[];

/* Append the filled template to out. FATAL "template" naming template and line. */
int mesh_template_fill(const char *name, const struct mesh_data *data, struct mesh_buf *out, struct mesh_err *err);
/* The same for a text that is not compiled in (tests). */
int mesh_template_fill_text(const char *name, const char *text, const struct mesh_data *data, struct mesh_buf *out,
                            struct mesh_err *err);

/* Filters, for who prints by hand. */
void mesh_escape_cstr(struct mesh_buf *out, const char *text);
void mesh_escape_comment(struct mesh_buf *out, const char *text);
void mesh_escape_json(struct mesh_buf *out, const char *text);
void mesh_escape_plain(struct mesh_buf *out, const char *text);

#endif
