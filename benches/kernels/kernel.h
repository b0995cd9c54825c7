/* What every kernel shares: its repeat count from argv[1], and its one line of output.
 * A kernel folds all of its results into one 64-bit checksum, so that an engine that computes anything wrongly
 * prints a different line. No printf: the modules stay a few kilobytes. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* The repeat count: argv[1] in decimal, else `usual`, which keeps wasmi 2.0 busy for 0.15 to 0.7 s. */
static inline uint32_t repeat_count(int argc, char **argv, uint32_t usual) {
    if (argc < 2) return usual;
    uint32_t n = 0;
    for (const char *p = argv[1]; *p >= '0' && *p <= '9'; p++) n = n * 10 + (uint32_t)(*p - '0');
    return n;
}

/* Folds one value into a checksum. */
static inline uint64_t fold(uint64_t sum, uint64_t value) {
    sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
    return sum ^ (sum >> 29);
}

/* Folds the bits of a double into a checksum. */
static inline uint64_t fold_f64(uint64_t sum, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return fold(sum, bits);
}

/* A small generator (xorshift32) for test data; its state must not be zero. */
static inline uint32_t next_random(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* Writes "NAME HEX" and returns main's result. */
static inline int report(const char *name, uint64_t sum) {
    char line[64];
    size_t n = strlen(name);
    memcpy(line, name, n);
    line[n++] = ' ';
    for (int shift = 60; shift >= 0; shift -= 4) line[n++] = "0123456789abcdef"[sum >> shift & 15];
    line[n++] = '\n';
    return write(1, line, n) == (ssize_t)n ? 0 : 1;
}

#endif
