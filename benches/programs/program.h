/* What the five programs share: their repeat count, their random numbers and their one line of output.
 * argv[1] is the repeat count; 0 does nothing but start, which is what `native.py --start` measures. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int repeat_count(int argc, char **argv, int usual) { return argc < 2 ? usual : atoi(argv[1]); }

/* FNV-1a, continued from `h`. */
static inline uint64_t hash(uint64_t h, const void *data, size_t length) {
    for (const unsigned char *p = data; length > 0; length--) h = (h ^ *p++) * 1099511628211u;
    return h;
}

enum : uint64_t { HASH_START = 14695981039346656037u };

/* xorshift32; the state must not be zero. */
static inline uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

_Noreturn static inline void fail(const char *what) {
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static inline void *allocate(size_t size) {
    void *p = malloc(size);
    if (!p) fail("out of memory");
    return p;
}

/* Prints the line that every build and every engine must agree on. */
static inline int report(const char *name, const char *version, uint64_t digest) {
    printf("%s %s %016llx\n", name, version, (unsigned long long)digest);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* A text of `size` bytes that compresses like a log file: words out of a vocabulary of which few are frequent, numbers,
 * lines that repeat an earlier line in part, and now and then bytes that do not compress. */
static inline uint8_t *generate_log(size_t size) {
    enum { WORDS = 2048, LONGEST = 160 };
    static char vocabulary[WORDS][12];
    uint32_t seed = 8878;
    for (int i = 0; i < WORDS; i++) {
        int length = 2 + (int)(next_random(&seed) % 9);
        for (int k = 0; k < length; k++)
            vocabulary[i][k] = "etaoinshrdlucmfwygpbvkxj"[next_random(&seed) % (4 + (uint32_t)k * 3) % 24];
    }
    uint8_t *data = allocate(size + LONGEST);
    size_t n = 0;
    while (n < size) {
        uint32_t kind = next_random(&seed) % 256;
        if (kind == 0) {
            for (int i = 0; i < 120; i++) data[n++] = (uint8_t)next_random(&seed);
        } else if (kind < 10 && n > 65536) {
            size_t length = 20 + next_random(&seed) % 100;
            memmove(data + n, data + n - 200 - next_random(&seed) % 65000, length);
            n += length;
        } else if (kind < 180) {
            uint32_t rare = next_random(&seed) % WORDS, rarer = next_random(&seed) % WORDS;
            const char *word = vocabulary[rare * rarer / WORDS * (next_random(&seed) % 64) / 64];
            size_t length = strlen(word);
            memcpy(data + n, word, length);
            n += length;
            data[n++] = kind < 25 ? '\n' : ' ';
        } else {
            uint32_t value = next_random(&seed) % (kind < 220 ? 1000 : 1000000);
            uint8_t digits[8];
            int count = 0;
            do digits[count++] = (uint8_t)('0' + value % 10);
            while ((value /= 10) > 0);
            while (count > 0) data[n++] = digits[--count];
            data[n++] = ' ';
        }
    }
    return data;
}

#endif
