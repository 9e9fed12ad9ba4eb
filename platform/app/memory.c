#include "app/memory.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "store/spill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_US    INT64_C(20000)
#define CHILL_US   INT64_C(1000000)
#define SAY_US     INT64_C(60000000)    /* near its budget a product may pause and go on many times a second */
#define STEP_BYTES (UINT64_C(16) << 20) /* that leave between two legs: some milliseconds */

uint64_t mesh_memory_budget(int64_t state_mb, uint32_t n_products, const char *limit_file)
{
    if (state_mb > 0)
        return (uint64_t)state_mb << 20;
    FILE *file = fopen(limit_file, "re");
    uint64_t limit = 0;
    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNu64, &limit) != 1) /* "max" */
        limit = 0;
    fclose(file);
    return limit / 2 / (n_products == 0 ? 1 : n_products);
}

/* Pages of files that this process has in memory: what came back of what is out, and the program. */
static uint64_t shared_bytes(void)
{
    unsigned long long size = 0, resident = 0, shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu %llu %llu", &size, &resident, &shared) != 3)
        shared = 0;
    fclose(file);
    return shared * (uint64_t)sysconf(_SC_PAGESIZE);
}

int mesh_memory_init(struct mesh_memory *memory, uint64_t budget, const char *dir, struct mesh_err *err)
{
    *memory = (struct mesh_memory){.budget = budget};
    if (budget == 0 || dir == NULL)
        return 0;
    memory->shared_before = shared_bytes();
    return mesh_store_spill_open(dir, &memory->spill, err);
}

void mesh_memory_deinit(struct mesh_memory *memory)
{
    memory->spill = mesh_store_spill_close(memory->spill);
}

static uint64_t in_memory(const struct mesh_memory *memory)
{
    return memory->seen.state_bytes - memory->seen.out_bytes + memory->seen.waiting_bytes;
}

/* What came back into memory counts like what never left. */
static void chill(struct mesh_memory *memory, struct mesh_engine *engine, int64_t now_us)
{
    if (memory->seen.out_bytes == 0 || now_us - memory->chilled_us < CHILL_US)
        return;
    memory->chilled_us = now_us;
    uint64_t shared = shared_bytes();
    uint64_t back = shared > memory->shared_before ? shared - memory->shared_before : 0;
    if (in_memory(memory) + back > memory->budget)
        mesh_engine_chill(engine);
}

/* Returns whether anything left. */
static bool spill(struct mesh_memory *memory, struct mesh_engine *engine, uint64_t bytes, const char *product)
{
    struct mesh_err err = {0};
    uint64_t moved = 0;
    bool full = mesh_engine_spill(engine, bytes < STEP_BYTES ? bytes : STEP_BYTES, &moved, &err) < 0;
    if (full && !memory->said_full)
        mesh_log_err(MESH_LOG_WARN, "state that is not used stays in memory", &err);
    if (!full && memory->said_full)
        mesh_log(MESH_LOG_INFO, "the disk takes state again", "product", product, NULL);
    memory->said_full = full;
    return moved > 0;
}

static void pause_inputs(struct mesh_memory *memory, struct mesh_engine *engine, bool pause, int64_t now_us, const char *product)
{
    if (pause == memory->paused)
        return;
    memory->paused = pause;
    mesh_engine_pause(engine, pause);
    if (!pause || (memory->said_us != 0 && now_us - memory->said_us < SAY_US))
        return;
    memory->said_us = now_us;
    char budget[32];
    snprintf(budget, sizeof budget, "%" PRIu64, memory->budget >> 20);
    mesh_log(
        MESH_LOG_ERROR,
        "state needs more memory than MESH_STATE_MB allows and nothing more can go to the disk: inputs pause until there is room; "
        "raise it, or keep less (`meshgen plan` says what a key takes)",
        "product", product, "largest", memory->seen.largest, "budget_mb", budget, NULL);
}

/* Returns whether anything left. */
static bool look(struct mesh_memory *memory, struct mesh_engine *engine, int64_t now_us, const char *product)
{
    memory->looked_us = now_us;
    mesh_engine_memory(engine, &memory->seen);
    uint64_t now = in_memory(memory);
    bool moved = now > memory->budget / 16 * 15 && spill(memory, engine, now - memory->budget / 16 * 14, product);
    chill(memory, engine, now_us);
    return moved;
}

void mesh_memory_loading(struct mesh_memory *memory, struct mesh_engine *engine, const char *product)
{
    if (memory->budget == 0)
        return;
    int64_t now_us = mesh_clock_mono_us();
    if (now_us - memory->looked_us >= LOOK_US)
        (void)look(memory, engine, now_us, product);
}

void mesh_memory_mind(struct mesh_memory *memory, struct mesh_engine *engine, const char *product)
{
    if (memory->budget == 0 || engine == NULL)
        return;
    int64_t now_us = mesh_clock_mono_us();
    if (now_us - memory->looked_us < LOOK_US || look(memory, engine, now_us, product))
        return;
    /* What waits has limits of its own, and goes when more is read. */
    pause_inputs(memory, engine, in_memory(memory) - memory->seen.waiting_bytes > memory->budget, now_us, product);
}

bool mesh_memory_show(const struct mesh_memory *memory, struct mesh_buf *out)
{
    if (memory->budget == 0)
        return false;
    mesh_buf_printf(out, ",\"memory\":{\"budget\":%" PRIu64 ",\"in_memory\":%" PRIu64 ",\"on_disk\":%" PRIu64 ",\"paused\":%s",
                    memory->budget, in_memory(memory), memory->seen.out_bytes, memory->paused ? "true" : "false");
    if (memory->seen.largest != NULL) {
        mesh_buf_puts(out, ",\"largest\":");
        mesh_json_string(out, mesh_str_of(memory->seen.largest));
    }
    mesh_buf_putc(out, '}');
    return memory->paused;
}
