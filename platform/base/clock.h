/* Clocks. The engine never calls these; it is handed the time. */
#ifndef MESH_BASE_CLOCK_H
#define MESH_BASE_CLOCK_H

#include <stdint.h>

int64_t mesh_clock_wall_us(void); /* since 1970, may jump */
int64_t mesh_clock_mono_us(void); /* never goes back */
int64_t mesh_clock_cpu_us(void);  /* of this process, user and system */

#endif
