/* The formats for machines: JSON of our own, JUnit for CI systems, GitHub's workflow commands,
 * SARIF 2.1.0 for code scanning. All say the same; each escapes in its own way. */
#include "base/check.h"
#include "base/diag_internal.h"
#include "base/json.h"
#include "base/text.h"
#include "mesh/version.h"

#include <string.h>

static void add_json_text(struct mesh_buf *out, const char *key, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    mesh_buf_printf(out, ",\"%s\":", key);
    mesh_json_string(out, mesh_str_of(text));
}

struct place {
    int line, column, end_line, end_column;
};

static struct place place_of(struct mesh_srcref at)
{
    struct place place;
    mesh_source_position(at.source, at.begin, &place.line, &place.column);
    mesh_source_position(at.source, at.end < at.begin ? at.begin : at.end, &place.end_line, &place.end_column);
    return place;
}

/* The text and all that goes with it, for formats that have one field for it. */
static void add_message(struct mesh_buf *out, const struct mesh_diag *diag)
{
    mesh_buf_puts(out, diag->text);
    if (diag->hint != NULL)
        mesh_buf_printf(out, "; %s", diag->hint);
    if (diag->why != NULL)
        mesh_buf_printf(out, "\nwhy: %s", diag->why);
    if (diag->fix != NULL)
        mesh_buf_printf(out, "\nfix: %s", diag->fix);
}

static void add_json_place(struct mesh_buf *out, struct mesh_srcref at)
{
    if (at.source == NULL)
        return;
    struct place place = place_of(at);
    add_json_text(out, "path", at.source->path);
    mesh_buf_printf(out, ",\"line\":%d,\"column\":%d,\"endLine\":%d,\"endColumn\":%d", place.line, place.column, place.end_line,
                    place.end_column);
}

static void add_json_diag(struct mesh_buf *out, const struct mesh_diag *diag)
{
    mesh_buf_printf(out, "{\"severity\":\"%s\"", mesh_diag_severity_name(diag->severity));
    add_json_text(out, "code", diag->code);
    add_json_place(out, diag->at);
    add_json_text(out, "message", diag->text);
    add_json_text(out, "hint", diag->hint);
    add_json_text(out, "why", diag->why);
    add_json_text(out, "fix", diag->fix);
    mesh_buf_puts(out, ",\"notes\":[");
    for (size_t i = 0; i < diag->n_notes; i++) {
        mesh_buf_puts(out, i == 0 ? "{\"message\":" : ",{\"message\":");
        mesh_json_string(out, mesh_str_of(diag->notes[i].text));
        add_json_place(out, diag->notes[i].at);
        mesh_buf_putc(out, '}');
    }
    mesh_buf_puts(out, "]}");
}

void mesh_diag_write_json(struct mesh_buf *out, const struct mesh_diags *all, const struct mesh_diag *const *sorted)
{
    mesh_buf_puts(out, "{\"diagnostics\":[");
    for (size_t i = 0; i < all->list.n; i++) {
        mesh_buf_puts(out, i == 0 ? "\n" : ",\n");
        add_json_diag(out, sorted[i]);
    }
    mesh_buf_printf(out, "\n],\"errors\":%zu,\"warnings\":%zu,\"notShown\":%zu}\n", all->n_errors, all->n_warnings, all->n_dropped);
}

/* XML 1.0 has no way to write most control characters; they become U+FFFD. */
static void add_xml_valid(struct mesh_buf *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (p[i]) {
        case '&':
            mesh_buf_puts(out, "&amp;");
            break;
        case '<':
            mesh_buf_puts(out, "&lt;");
            break;
        case '>':
            mesh_buf_puts(out, "&gt;");
            break;
        case '"':
            mesh_buf_puts(out, "&quot;");
            break;
        case '\n':
            mesh_buf_puts(out, "&#10;");
            break;
        case '\t':
            mesh_buf_puts(out, "&#9;");
            break;
        default:
            if ((unsigned char)p[i] < 0x20)
                mesh_buf_puts(out, "\xef\xbf\xbd");
            else
                mesh_buf_putc(out, p[i]);
            break;
        }
    }
}

static void add_xml(struct mesh_buf *out, const char *text)
{
    size_t n = strlen(text);
    for (size_t at = 0; at < n; at++) {
        size_t valid = mesh_utf8_valid(text + at, n - at);
        add_xml_valid(out, text + at, valid);
        at += valid;
        if (at < n)
            mesh_buf_puts(out, "\xef\xbf\xbd");
    }
}

static void add_junit_case(struct mesh_buf *out, const struct mesh_diag *diag)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf message = MESH_BUF_NULL;
    mesh_buf_puts(out, "  <testcase classname=\"");
    add_xml(out, diag->at.source == NULL ? "mesh" : diag->at.source->path);
    mesh_buf_puts(out, "\" name=\"");
    if (diag->at.source != NULL) {
        struct place place = place_of(diag->at);
        mesh_buf_printf(&message, "%s:%d:%d: ", diag->at.source->path, place.line, place.column);
        mesh_buf_printf(out, "%d:%d ", place.line, place.column);
    }
    add_xml(out, diag->code);
    mesh_buf_puts(out, "\">");
    add_message(&message, diag);
    if (diag->severity == MESH_ERROR) {
        mesh_buf_puts(out, "<failure type=\"");
        add_xml(out, diag->code);
        mesh_buf_puts(out, "\" message=\"");
        add_xml(out, diag->text);
        mesh_buf_puts(out, "\">");
        add_xml(out, message.p);
        mesh_buf_puts(out, "</failure>");
    } else {
        mesh_buf_puts(out, "<system-out>");
        add_xml(out, message.p);
        mesh_buf_puts(out, "</system-out>");
    }
    mesh_buf_puts(out, "</testcase>\n");
}

/* Every diagnostic is a case, of which the errors fail; none at all is one case that passes. */
void mesh_diag_write_junit(struct mesh_buf *out, const struct mesh_diags *all, const struct mesh_diag *const *sorted)
{
    size_t n_failures = 0;
    for (size_t i = 0; i < all->list.n; i++)
        n_failures += sorted[i]->severity == MESH_ERROR;
    mesh_buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    mesh_buf_printf(out, " <testsuite name=\"mesh\" tests=\"%zu\" failures=\"%zu\" errors=\"0\">\n",
                    all->list.n == 0 ? (size_t)1 : all->list.n, n_failures);
    for (size_t i = 0; i < all->list.n; i++)
        add_junit_case(out, sorted[i]);
    if (all->list.n == 0)
        mesh_buf_puts(out, "  <testcase classname=\"mesh\" name=\"no findings\"></testcase>\n");
    mesh_buf_puts(out, " </testsuite>\n</testsuites>\n");
}

static void add_github(struct mesh_buf *out, const char *text, const char *also)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (strchr("%\r\n", *p) != NULL || strchr(also, *p) != NULL)
            mesh_buf_printf(out, "%%%02X", (unsigned char)*p);
        else
            mesh_buf_putc(out, *p);
    }
}

void mesh_diag_write_github(struct mesh_buf *out, const struct mesh_diags *all, const struct mesh_diag *const *sorted)
{
    static const char *const commands[] = {"error", "warning", "notice"};
    static const char in_property[] = ":,";
    for (size_t i = 0; i < all->list.n; i++) {
        const struct mesh_diag *diag = sorted[i];
        mesh_buf_printf(out, "::%s ", commands[diag->severity]);
        if (diag->at.source != NULL) {
            struct place place = place_of(diag->at);
            mesh_buf_puts(out, "file=");
            add_github(out, diag->at.source->path, in_property);
            mesh_buf_printf(out, ",line=%d,endLine=%d,col=%d", place.line, place.end_line, place.column);
            if (place.line == place.end_line) /* GitHub knows columns within one line only */
                mesh_buf_printf(out, ",endColumn=%d", place.end_column);
            mesh_buf_putc(out, ',');
        }
        mesh_buf_puts(out, "title=");
        add_github(out, diag->code, in_property);
        mesh_buf_puts(out, "::");
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf message = MESH_BUF_NULL;
        add_message(&message, diag);
        add_github(out, message.p, "");
        mesh_buf_putc(out, '\n');
    }
}

static void add_uri(struct mesh_buf *out, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    for (const char *p = path; *p != '\0'; p++) {
        if (strchr(plain, *p) != NULL)
            mesh_buf_putc(out, *p);
        else
            mesh_buf_printf(out, "%%%02X", (unsigned char)*p);
    }
}

/* "physicalLocation":{...}, without braces around it. */
static void add_sarif_place(struct mesh_buf *out, struct mesh_srcref at)
{
    struct place place = place_of(at);
    mesh_buf_puts(out, "\"physicalLocation\":{\"artifactLocation\":{\"uri\":\"");
    add_uri(out, at.source->path);
    mesh_buf_printf(out,
                    "\"},\"region\":{\"startLine\":%d,\"startColumn\":%d,\"endLine\":%d,"
                    "\"endColumn\":%d}}",
                    place.line, place.column, place.end_line, place.end_column);
}

static void add_sarif_result(struct mesh_buf *out, const struct mesh_diag *diag)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf message = MESH_BUF_NULL;
    add_message(&message, diag);
    mesh_buf_puts(out, "{\"ruleId\":");
    mesh_json_string(out, mesh_str_of(diag->code));
    mesh_buf_printf(out, ",\"level\":\"%s\",\"message\":{\"text\":", mesh_diag_severity_name(diag->severity));
    mesh_json_string(out, (struct mesh_str){message.p, (uint32_t)message.n});
    mesh_buf_putc(out, '}');
    if (diag->at.source != NULL) {
        mesh_buf_puts(out, ",\"locations\":[{");
        add_sarif_place(out, diag->at);
        mesh_buf_puts(out, "}]");
    }
    const char *before = ",\"relatedLocations\":[";
    for (size_t i = 0; i < diag->n_notes; i++) {
        mesh_buf_printf(out, "%s{", before);
        if (diag->notes[i].at.source != NULL) {
            add_sarif_place(out, diag->notes[i].at);
            mesh_buf_putc(out, ',');
        }
        mesh_buf_puts(out, "\"message\":{\"text\":");
        mesh_json_string(out, mesh_str_of(diag->notes[i].text));
        mesh_buf_puts(out, "}}");
        before = ",";
    }
    mesh_buf_puts(out, diag->n_notes > 0 ? "]}" : "}");
}

/* Each code once, in order of appearance. */
static void add_sarif_rules(struct mesh_buf *out, const struct mesh_diags *all, const struct mesh_diag *const *sorted)
{
    const char *before = "";
    for (size_t i = 0; i < all->list.n; i++) {
        size_t first = 0;
        while (strcmp(sorted[first]->code, sorted[i]->code) != 0)
            first++;
        if (first != i)
            continue;
        mesh_buf_printf(out, "%s{\"id\":", before);
        mesh_json_string(out, mesh_str_of(sorted[i]->code));
        mesh_buf_putc(out, '}');
        before = ",";
    }
}

void mesh_diag_write_sarif(struct mesh_buf *out, const struct mesh_diags *all, const struct mesh_diag *const *sorted)
{
    mesh_buf_puts(out, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
                       "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"mesh\","
                       "\"version\":\"" MESH_VERSION "\",\"rules\":[");
    add_sarif_rules(out, all, sorted);
    mesh_buf_puts(out, "]}},\"columnKind\":\"unicodeCodePoints\",\"results\":[");
    for (size_t i = 0; i < all->list.n; i++) {
        mesh_buf_puts(out, i == 0 ? "\n" : ",\n");
        add_sarif_result(out, sorted[i]);
    }
    mesh_buf_puts(out, "\n]}]}\n");
}
