/* A disk that fails on purpose. Linked with -Wl,--wrap for the calls that change files (tests/meson.build, `disk_wraps`), so the real
 * store writes to a real folder, and every change below that folder passes here first.
 *
 * Two things are kept apart, as a kernel does: what a reader sees (the folder), and what would still be there after a loss of power
 * (the model). A write, a truncation, a name that comes or goes is only seen at first; fdatasync() and fsync() of the file, or of the
 * folder for names, make it last. What was not made to last may be there after a power cut or not, each piece for itself, in any
 * order: a write whole, not at all, or in part, the part that is missing as zeros.
 *
 *     kill         the call is not made, made in part (a write), or made; from then on no call does anything. A process that is gone
 *                  does not return, so the caller gets EIO and the test drops it. What is seen stays.
 *     power cut    the same, and then disk_power_cut() leaves of the folder what the disk may have kept.
 *     error        the call fails with this number, a write perhaps after a part of it; later calls work. A sync that fails has lost
 *                  what it was to write: it is still seen, and never lasts, whatever is synced later.
 *
 * One folder, one thread.
 */
#ifndef TESTS_CHAOS_DISK_H
#define TESTS_CHAOS_DISK_H

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum disk_fault { DISK_FINE, DISK_KILL_BEFORE, DISK_KILL_AMID, DISK_KILL_AFTER, DISK_ERROR, DISK_SHORT };

/* Begin anew: an empty folder of this path, which must not exist. */
void disk_init(const char *root);
/* Removes the folder. */
void disk_deinit(void);

/* The fault comes at the `at`-th changing call from now on (from 1); 0: none. `error`: for DISK_ERROR. `part`: of a write, in 1/256. */
void disk_plan(enum disk_fault fault, uint64_t at, int error, uint8_t part);
uint64_t disk_calls(void);    /* changing calls since disk_plan() */
bool disk_landed(void);       /* the fault of the plan has come */
const char *disk_where(void); /* the call that it came at, for messages */

bool disk_dead(void);
/* Another process may begin: what is seen is as it was left. */
void disk_revive(void);
/* Before disk_revive(): what may be left when the power goes now. All descriptors must be closed. */
void disk_power_cut(struct mesh_rng *rng);

#endif
