/* Reads the topic file line by line. Everything is checked here, because a wrong partition count
 * that reaches a broker cannot be taken back. */
#include "topics/topic_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 1024
#define FIELDS_MAX     5

#define reject(err, path, line, ...) reject_at((err), (path), (line), __VA_ARGS__)

static int __attribute__((format(printf, 4, 5)))
reject_at(struct mesh_err *err, const char *path, int line, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return mesh_err_set(err, MESH_ERR_REJECT, "topics.file", "%s:%d: %s", path, line, text);
}

/* Kafka's rule: letters, digits, dot, underscore, hyphen; neither "." nor "..". */
static bool name_is_legal(const char *name)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(name);
    return length > 0 && length <= MESH_TOPIC_NAME_MAX && strspn(name, legal) == length && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static bool parse_number(const char *text, long long min, long long max, long long *ret)
{
    char *end;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *ret >= min && *ret <= max;
}

/* Split in place at blanks; returns the number of fields, at most FIELDS_MAX. */
static int split_fields(char *line, char *fields[FIELDS_MAX])
{
    int n = 0;
    char *rest;
    line[strcspn(line, "#\r\n")] = '\0';
    for (char *field = strtok_r(line, " \t", &rest); field != NULL && n < FIELDS_MAX; field = strtok_r(NULL, " \t", &rest))
        fields[n++] = field;
    return n;
}

static int parse_topic(const char *path, int line, char *fields[], int n, struct mesh_topic_decl *topic, struct mesh_err *err)
{
    long long number = 0;
    if (n < 3 || n > 4)
        return reject(err, path, line, "%d fields; write: <topic> <partitions> <delete|compact> [retention_ms]", n);
    if (!name_is_legal(fields[0]))
        return reject(err, path, line, "topic name \"%.60s\" is not legal; use up to %d of a-z A-Z 0-9 . _ -", fields[0],
                      MESH_TOPIC_NAME_MAX);
    if (!parse_number(fields[1], 1, MESH_TOPIC_PARTITIONS_MAX, &number))
        return reject(err, path, line, "partitions \"%.40s\" is not a number from 1 to %d", fields[1], MESH_TOPIC_PARTITIONS_MAX);
    *topic = (struct mesh_topic_decl){.partitions = (int)number, .line = line};
    memcpy(topic->name, fields[0], strlen(fields[0]) + 1);
    if (strcmp(fields[2], "compact") == 0)
        topic->compact = true;
    else if (strcmp(fields[2], "delete") != 0)
        return reject(err, path, line, "cleanup \"%.40s\" is neither delete nor compact", fields[2]);
    topic->retention_ms = MESH_TOPIC_RETENTION_BROKER;
    if (n == 4) {
        if (!parse_number(fields[3], -1, INT64_MAX, &number) || number == 0)
            return reject(err, path, line, "retention \"%.40s\" is neither -1 (for ever) nor milliseconds above 0", fields[3]);
        topic->retention_ms = number;
    }
    return 0;
}

static const struct mesh_topic_decl *find(const struct mesh_topic_file *file, const char *name)
{
    for (size_t i = 0; i < file->n; i++)
        if (strcmp(file->topics[i].name, name) == 0)
            return &file->topics[i];
    return NULL;
}

static int add_topic(const char *path, struct mesh_topic_file *file, const struct mesh_topic_decl *topic, struct mesh_err *err)
{
    const struct mesh_topic_decl *same = find(file, topic->name);
    if (same != NULL)
        return reject(err, path, topic->line, "topic \"%s\" stands already on line %d; remove one", topic->name, same->line);
    if (file->n == MESH_TOPIC_FILE_MAX)
        return reject(err, path, topic->line, "more than %d topics; split the file", MESH_TOPIC_FILE_MAX);
    /* Room is made in powers of two. */
    if ((file->n & (file->n - 1)) == 0) {
        size_t room = file->n == 0 ? 1 : file->n * 2;
        struct mesh_topic_decl *grown = realloc(file->topics, room * sizeof *grown);
        if (grown == NULL)
            abort();
        file->topics = grown;
    }
    file->topics[file->n++] = *topic;
    return 0;
}

int mesh_topic_file_read(const char *path, struct mesh_topic_file *ret, struct mesh_err *err)
{
    struct mesh_topic_file file = {0};
    char line[LINE_MAX_BYTES];
    int number = 0, rc = 0;

    *ret = file;
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return mesh_err_set(err, MESH_ERR_REJECT, "topics.file", "%s: cannot read it: %s", path, strerror(errno));
    while (rc == 0 && fgets(line, sizeof line, in) != NULL) {
        struct mesh_topic_decl topic = {0};
        char *fields[FIELDS_MAX] = {0};
        number++;
        if (strchr(line, '\n') == NULL && !feof(in)) {
            rc = reject(err, path, number, "the line is longer than %d bytes", LINE_MAX_BYTES - 2);
            break;
        }
        int n = split_fields(line, fields);
        if (n == 0)
            continue;
        rc = parse_topic(path, number, fields, n, &topic, err);
        if (rc == 0)
            rc = add_topic(path, &file, &topic, err);
    }
    if (rc == 0 && ferror(in))
        rc = mesh_err_set(err, MESH_ERR_REJECT, "topics.file", "%s: reading failed: %s", path, strerror(errno));
    fclose(in);
    if (rc != 0) {
        mesh_topic_file_deinit(&file);
        return rc;
    }
    *ret = file;
    return 0;
}

void mesh_topic_file_deinit(struct mesh_topic_file *file)
{
    free(file->topics);
    *file = (struct mesh_topic_file){0};
}
