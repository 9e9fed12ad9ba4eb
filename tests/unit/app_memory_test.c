/* What MESH_STATE_MB and the container's limit mean. What is then done about it: tests/flow/memory_test.c, tests/e2e/truth.py --state-mb. */
#include "app/memory.h"

#include "../check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t budget_of(const char *limit, int64_t state_mb, uint32_t n_products)
{
    char path[] = "/tmp/mesh-limit-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, limit, strlen(limit)) == (ssize_t)strlen(limit));
    uint64_t budget = mesh_memory_budget(state_mb, n_products, path);
    close(fd);
    unlink(path);
    return budget;
}

CASE(half_of_the_container_is_for_all_products)
{
    CHECK_EQ_U64(budget_of("1073741824\n", 0, 1), 512 << 20);
    CHECK_EQ_U64(budget_of("1073741824\n", 0, 2), 256 << 20);
    CHECK_EQ_U64(budget_of("max\n", 0, 2), 0);
    CHECK_EQ_U64(budget_of("", 0, 1), 0);
    CHECK_EQ_U64(mesh_memory_budget(0, 1, "/nowhere/memory.max"), 0);
}

CASE(a_setting_is_for_each_product)
{
    CHECK_EQ_U64(budget_of("1073741824\n", 64, 3), 64 << 20);
    CHECK_EQ_U64(mesh_memory_budget(64, 3, "/nowhere/memory.max"), 64 << 20);
}

CASE(a_folder_that_takes_no_file_is_said)
{
    struct mesh_memory memory;
    struct mesh_err err = {0};
    CHECK(mesh_memory_init(&memory, 0, "/nowhere", &err) == 0); /* no budget, no file */
    mesh_memory_deinit(&memory);
    CHECK(mesh_memory_init(&memory, 1 << 20, "/nowhere", &err) < 0);
    CHECK_STR(err.code, "state.spill");
    CHECK_CONTAINS(err.text, "/nowhere");
}
