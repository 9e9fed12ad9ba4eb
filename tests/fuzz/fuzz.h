/* A target takes any bytes and must come back: no crash, no leak of what it made, nothing that takes for ever. Beyond that each checks
 * what must hold for every input it accepts (FUZZ_HOLDS). Built with libFuzzer by `make fuzz`, and with replay.c, which feeds it files,
 * for `make test`.
 */
#ifndef MESH_TESTS_FUZZ_H
#define MESH_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define FUZZ_HOLDS(condition)                                                                                                      \
    do {                                                                                                                           \
        if (!(condition)) {                                                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                                         \
            abort();                                                                                                               \
        }                                                                                                                          \
    } while (0)

#endif
