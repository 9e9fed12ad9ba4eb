#include "../check.h"

#include "base/check.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

static char line[8192];

/* Standard error into a file, and what was written back. */
static int begin(FILE **ret_file)
{
    *ret_file = tmpfile();
    int saved = dup(STDERR_FILENO);
    dup2(fileno(*ret_file), STDERR_FILENO);
    return saved;
}

static void end(FILE *file, int saved)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    line[fread(line, 1, sizeof line - 1, file)] = '\0';
    fclose(file);
}

/* The first: reads the environment, which nobody has read yet. */
CASE(the_level_comes_from_the_environment)
{
    FILE *file;
    setenv("MESH_LOG_LEVEL", "warn", 1);
    int saved = begin(&file);
    mesh_log(MESH_LOG_INFO, "hidden", NULL);
    mesh_log(MESH_LOG_WARN, "shown", NULL);
    end(file, saved);
    CHECK(strstr(line, "hidden") == NULL);
    CHECK_CONTAINS(line, " warn  shown\n");
}

CASE(the_line)
{
    FILE *file;
    mesh_log_set_level(MESH_LOG_DEBUG);
    int saved = begin(&file);
    mesh_log(MESH_LOG_WARN, "broker is away; waiting", "brokers", "127.0.0.1:9092", "why", "no route", NULL);
    end(file, saved);
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; i < sizeof shape - 1; i++)
        CHECK(shape[i] == 'd' ? line[i] >= '0' && line[i] <= '9' : line[i] == shape[i]);
    CHECK_STR(line + sizeof shape - 1, "warn  broker is away; waiting  brokers=127.0.0.1:9092 why=\"no route\"\n");
}

CASE(values_are_quoted_when_they_must)
{
    FILE *file;
    int saved = begin(&file);
    mesh_log(MESH_LOG_ERROR, "two\nlines", "a", "", "b", "x=y", "c", "q\"\n\x1b", "d", "gr\xc3\xbcn", "e", "\xff", "f", NULL);
    end(file, saved);
    CHECK_CONTAINS(line, "error two lines  a=\"\" b=\"x=y\" c=\"q\\\"\\n\\u001b\" d=gr\xc3\xbcn "
                         "e=\"\xef\xbf\xbd\" f=\"\"\n");
}

CASE(levels)
{
    enum mesh_log_level level = MESH_LOG_ERROR;
    CHECK(mesh_log_parse_level("debug", &level) == 0 && level == MESH_LOG_DEBUG);
    CHECK(mesh_log_parse_level("error", &level) == 0 && level == MESH_LOG_ERROR);
    CHECK(mesh_log_parse_level("ERROR", &level) == 1);
    CHECK(mesh_log_parse_level("", &level) == 1);
}

CASE(context_and_errors)
{
    FILE *file;
    struct mesh_err err = {0};
    mesh_err_set(&err, MESH_ERR_RETRY, "broker.unreachable", "no answer; is it up?");
    mesh_log_set_context("product", "sales_fraud");
    mesh_log_set_context("instance", "two words");
    int saved = begin(&file);
    mesh_log_err(MESH_LOG_ERROR, "cannot commit", &err);
    end(file, saved);
    CHECK_CONTAINS(line, "error cannot commit  product=sales_fraud instance=\"two words\" "
                         "code=broker.unreachable error=\"no answer; is it up?\"\n");
}

CASE(a_context_too_large_is_left_out)
{
    FILE *file;
    mesh_cleanup(mesh_freep) char *large = mesh_xcalloc(1, 5000);
    memset(large, 'x', 4999);
    mesh_log_set_context("large", large);
    int saved = begin(&file);
    mesh_log(MESH_LOG_INFO, "m", NULL);
    end(file, saved);
    CHECK_CONTAINS(line, "info  m  product=sales_fraud instance=\"two words\"\n");
}
