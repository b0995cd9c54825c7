/* Byte stores with a stride and byte loads in sequence: the sieve of Eratosthenes. */
#include "kernel.h"

enum { SIZE = 1 << 18 };
static uint8_t composite[SIZE];

int main(int argc, char **argv) {
    uint64_t sum = 0;
    for (uint32_t i = repeat_count(argc, argv, 60); i > 0; i--) {
        memset(composite, 0, sizeof composite);
        composite[i % SIZE] = 1;
        for (uint32_t p = 2; p * p < SIZE; p++) {
            if (composite[p]) continue;
            for (uint32_t q = p * p; q < SIZE; q += p) composite[q] = 1;
        }
        uint32_t count = 0, last = 0;
        for (uint32_t p = 2; p < SIZE; p++) {
            if (composite[p]) continue;
            count++;
            last = p;
        }
        sum = fold(sum, (uint64_t)count << 32 | last);
    }
    return report("sieve", sum);
}
