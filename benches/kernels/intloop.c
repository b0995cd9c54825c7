/* Short integer loops with few live values: Collatz lengths (32 and 64 bits) and a xorshift generator. */
#include "kernel.h"

static uint32_t collatz32(uint32_t n) {
    uint32_t steps = 0;
    while (n != 1) {
        n = n & 1 ? 3 * n + 1 : n >> 1;
        steps++;
    }
    return steps;
}

static uint32_t collatz64(uint64_t n) {
    uint32_t steps = 0;
    for (; n != 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2;
    return steps;
}

int main(int argc, char **argv) {
    uint64_t sum = 0, x = 88172645463325252u;
    for (uint32_t i = repeat_count(argc, argv, 10); i > 0; i--) {
        uint32_t longest = 0;
        for (uint32_t n = 1; n < 20000; n++) {
            uint32_t steps = collatz32(n + i);
            if (steps > longest) longest = steps;
        }
        for (uint64_t n = 1u << 30; n < (1u << 30) + 5000; n++) sum += collatz64(n + x % 64);
        for (uint32_t n = 0; n < 1000000; n++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        sum = fold(sum, longest + x);
    }
    return report("intloop", sum);
}
