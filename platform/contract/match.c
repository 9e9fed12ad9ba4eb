/* Kept apart so that the verdict of compat.c and the work of resolve.c cannot disagree. */
#include "contract/match.h"

bool mesh_match_names(const struct mesh_schema *reader, const struct mesh_schema *writer)
{
    if (strcmp(reader->short_name, writer->short_name) == 0)
        return true;
    for (size_t i = 0; i < reader->n_aliases; i++)
        if (strcmp(reader->aliases[i], writer->name) == 0)
            return true;
    return false;
}

bool mesh_match_promotes(const struct mesh_schema *reader, const struct mesh_schema *writer)
{
    enum mesh_avro_kind to = reader->kind, from = writer->kind;
    if (to >= MESH_AVRO_LONG && to <= MESH_AVRO_DOUBLE)
        return from >= MESH_AVRO_INT && from < to; /* the enum has them in order of width */
    return (to == MESH_AVRO_STRING && from == MESH_AVRO_BYTES) || (to == MESH_AVRO_BYTES && from == MESH_AVRO_STRING);
}

static bool means_nothing(const struct mesh_schema *schema)
{
    return schema->logical == MESH_LOGICAL_NONE || schema->logical == MESH_LOGICAL_UUID;
}

bool mesh_match_logical(const struct mesh_schema *reader, const struct mesh_schema *writer)
{
    if (means_nothing(reader) && means_nothing(writer))
        return true;
    return reader->logical == writer->logical && reader->precision == writer->precision && reader->scale == writer->scale;
}

static bool has_alias(const struct mesh_schema_field *field, const char *name)
{
    for (size_t i = 0; i < field->n_aliases; i++)
        if (strcmp(field->aliases[i], name) == 0)
            return true;
    return false;
}

const struct mesh_schema_field *mesh_match_field(const struct mesh_schema_field *field, const struct mesh_schema *writer,
                                                 const struct mesh_schema_field **ret_second)
{
    const struct mesh_schema_field *found = mesh_schema_field(writer, field->name);
    *ret_second = NULL;
    for (size_t i = 0; field->n_aliases > 0 && i < writer->n_fields; i++) {
        const struct mesh_schema_field *other = &writer->fields[i];
        if (other == found || !has_alias(field, other->name))
            continue;
        if (found != NULL)
            *ret_second = other;
        else
            found = other;
    }
    return found;
}

int mesh_match_symbol(const struct mesh_schema *enum_, const char *symbol)
{
    for (size_t i = 0; i < enum_->n_symbols; i++)
        if (strcmp(enum_->symbols[i], symbol) == 0)
            return (int)i;
    return -1;
}
