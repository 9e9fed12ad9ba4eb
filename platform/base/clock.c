/* Three clocks of Linux; none of them can fail. */
#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t mesh_clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t mesh_clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t mesh_clock_cpu_us(void)
{
    return read_us(CLOCK_PROCESS_CPUTIME_ID);
}
