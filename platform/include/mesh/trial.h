/* A trial: a product's generated code run by the real engine, without a broker, under a virtual clock. `meshgen test` compiles the
 * program, whose main() is generated and calls mesh_trial_main(), and talks to it over standard input and output.
 *
 *     trial PRODUCT PARTITIONS           forget the trial before; every topic has so many partitions
 *     record INPUT TIME KEY VALUE        a record of an input port: Kafka time in microseconds; key and value as = and hex, - is null
 *     pass MICROSECONDS                  the wall clock goes on, once everything before was read and processed
 *     run                                run it MESH_TRIAL_RUNS times, answer a line for each
 *
 * Records between two `pass` lie in their topics together, placed by the key's murmur2 as Kafka's clients do. At the end time passes
 * until no source can still become idle. The first run reads what is there; the others take batches and interleavings of a seed, are
 * torn down in the middle at least once, and go on from their commit log. Each answers one line of JSON:
 *
 *     {"views":{NAME:[ROW...]},        every row, fields as the product knows them
 *      "ports":{NAME:[...]},           kafka: {"key":TEXT,"value":HEX or null}; http: rows; mongo: documents; as consumers see them
 *      "deadLetters":[...],"late":[...],  {"code","input","stage","site","key","value"}
 *      "idleLate":N,                   records that came behind what an idle source let close: the runs may differ then
 *      "restarts":N,"us":N,            microseconds that it took
 *      "error":TEXT or null}           with an error, there is nothing else
 *
 * Messages are those that a receiver takes: repetitions of a restart are dropped by their sequence. Of a port that sends changes the
 * newest message of each key counts, because how many come before depends on the commits. Lists are in an order that does not depend
 * on the run: messages by event time, then sender and sequence; letters by topic, partition, offset.
 *
 * Exit: 0 whenever every line was answered; 2 for a line that makes no sense, with a sentence on standard error.
 */
#ifndef MESH_TRIAL_H
#define MESH_TRIAL_H

#include "mesh/product.h"

/* Pseudonyms of a trial are made with this key, so that a test can name them by what they stand for. No service uses it. */
#define MESH_TRIAL_PSEUDONYM_KEY  "trial of a mesh: never a key of a service"
#define MESH_TRIAL_PARTITIONS_MAX 64
#define MESH_TRIAL_RUNS           4

int mesh_trial_main(int argc, char **argv, const struct mesh_service *service);

#endif
