/* Counts the primes up to N (first argument, default 10000000) with a segmented sieve, and prints how many there are,
 * the largest, and the sum of them all. A real program: it parses arguments, allocates, and computes for a while. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT = 1 << 15 };

struct totals {
    uint64_t count, sum, largest;
};

/* The primes up to `limit`, for crossing out; returns how many. */
static uint32_t small_primes(uint32_t limit, uint32_t **primes) {
    uint8_t *crossed = calloc(limit + 1, 1);
    *primes = malloc((limit + 1) * sizeof **primes);
    if (!crossed || !*primes) {
        fputs("primes: out of memory\n", stderr);
        exit(1);
    }
    uint32_t count = 0;
    for (uint32_t n = 2; n <= limit; n++) {
        if (crossed[n]) continue;
        (*primes)[count++] = n;
        for (uint64_t m = (uint64_t)n * n; m <= limit; m += n) crossed[m] = 1;
    }
    free(crossed);
    return count;
}

/* Sieves the numbers low..=high, at most SEGMENT of them. */
static void sieve_segment(uint64_t low, uint64_t high, const uint32_t *primes, uint32_t count, struct totals *totals) {
    static uint8_t crossed[SEGMENT];
    memset(crossed, 0, sizeof crossed);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t p = primes[i], first = (low + p - 1) / p * p;
        if (p * p > high) break;
        if (first < p * p) first = p * p;
        for (uint64_t m = first; m <= high; m += p) crossed[m - low] = 1;
    }
    for (uint64_t n = low; n <= high; n++) {
        if (crossed[n - low]) continue;
        totals->count++;
        totals->sum += n;
        totals->largest = n;
    }
}

int main(int argc, char **argv) {
    char *end = "";
    uint64_t limit = argc > 1 ? strtoull(argv[1], &end, 10) : 10000000;
    if (argc > 2 || *end || limit > UINT32_MAX) {
        fputs("usage: primes [N]    (N is at most 4294967295)\n", stderr);
        return 2;
    }
    uint32_t root = 0;
    while ((uint64_t)(root + 1) * (root + 1) <= limit) root++;
    uint32_t *primes, count = small_primes(root, &primes);
    struct totals totals = {0};
    for (uint64_t low = 2; low <= limit; low += SEGMENT) {
        uint64_t high = low + SEGMENT - 1 < limit ? low + SEGMENT - 1 : limit;
        sieve_segment(low, high, primes, count, &totals);
    }
    free(primes);
    printf("primes up to %" PRIu64 ": %" PRIu64 "\nlargest: %" PRIu64 "\nsum: %" PRIu64 "\n", limit, totals.count,
           totals.largest, totals.sum);
    return 0;
}
