/* A file that cannot be read is as good as none: it only speeds the start up. */
#include "app/known.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "mesh-topology 1";

void mesh_known_deinit(struct mesh_known *known)
{
    mesh_map_deinit(&known->topics);
    *known = (struct mesh_known){0};
}

static char *path_of(const char *dir)
{
    struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/" MESH_KNOWN_FILE, dir);
    return mesh_buf_take(&path);
}

static bool read_line(struct mesh_known *known, char *line)
{
    if (strncmp(line, "cluster ", 8) == 0) {
        snprintf(known->cluster_id, sizeof known->cluster_id, "%s", line + 8);
        return true;
    }
    char *space = strrchr(line, ' ');
    int64_t n = 0;
    if (strncmp(line, "topic ", 6) != 0 || space == NULL || space <= line + 6 ||
        mesh_text_parse_long(mesh_str_of(space + 1), &n) != 0 || n < 1 || n > INT32_MAX)
        return false;
    *space = '\0';
    mesh_map_set(&known->topics, line + 6, (void *)(intptr_t)n);
    return true;
}

int mesh_known_read(const char *dir, struct mesh_known *ret)
{
    *ret = (struct mesh_known){0};
    mesh_cleanup(mesh_freep) char *path = path_of(dir);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(path, MESH_KNOWN_BYTES_MAX, &text, NULL) < 0)
        return 1;
    char *rest = NULL;
    char *line = text.p == NULL ? NULL : strtok_r(text.p, "\n", &rest);
    bool ok = line != NULL && strcmp(line, head) == 0;
    while (ok && (line = strtok_r(NULL, "\n", &rest)) != NULL)
        ok = read_line(ret, line);
    if (ok && ret->cluster_id[0] != '\0')
        return 0;
    mesh_known_deinit(ret);
    return 1;
}

int mesh_known_write(const char *dir, const struct mesh_known *known, struct mesh_err *err)
{
    mesh_cleanup(mesh_freep) char *path = path_of(dir);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&text, "%s\ncluster %s\n", head, known->cluster_id);
    for (size_t i = 0; i < known->topics.n; i++)
        mesh_buf_printf(&text, "topic %s %d\n", known->topics.entries[i].key, (int)(intptr_t)known->topics.entries[i].value);
    return mesh_fs_write_atomic(path, text.p, text.n, err);
}

void mesh_known_set(struct mesh_known *known, const char *cluster_id, const struct mesh_link_topic *topics, uint32_t n)
{
    mesh_known_deinit(known);
    snprintf(known->cluster_id, sizeof known->cluster_id, "%s", cluster_id);
    for (uint32_t i = 0; i < n; i++)
        mesh_map_set(&known->topics, topics[i].topic, (void *)(intptr_t)topics[i].found);
}

int32_t mesh_known_partitions(const struct mesh_known *known, const char *topic)
{
    return (int32_t)(intptr_t)mesh_map_get(&known->topics, topic);
}
