/* What the memory64 pair shares: the same source becomes a module with a 32-bit memory, one with a 64-bit memory (both
 * without any library: `run`, exported, takes the repeat count and returns a checksum), and a native program. */
#ifndef PAIR_H
#define PAIR_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t fold(uint64_t sum, uint64_t value) {
    sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
    return sum ^ (sum >> 29);
}

static inline uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

#ifdef __wasm__
__attribute__((export_name("run")))
#endif
int64_t run(int32_t repeats);

#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    printf("%lld\n", (long long)run(argc < 2 ? 1 : atoi(argv[1])));
    return 0;
}
#endif

#endif
