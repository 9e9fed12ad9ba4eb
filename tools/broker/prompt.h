/* Making the mock cluster's thread take requests at once.
 *
 * That thread serves its requests first and empties its wake-up pipe afterwards. A request that
 * arrives in between loses its wake-up and waits until the thread's poll() times out, a second
 * later; with three topics a start took 1.1 or 2.1 s without this and takes 0.1 s with it. While
 * prompt is on, that thread polls for a few milliseconds at most. It is on while the cluster is set
 * up, and off while it serves.
 */
#ifndef MESH_BROKER_PROMPT_H
#define MESH_BROKER_PROMPT_H

#include <stdbool.h>

/* The name librdkafka gives to the mock's thread. */
#define MESH_BROKER_MOCK_THREAD "rdk:mock"

void mesh_broker_prompt_set(bool on);

#endif
