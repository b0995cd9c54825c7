/* Calls: the two classic recursions, one with one parameter and one with three. */
#include "kernel.h"

static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static int32_t tak(int32_t x, int32_t y, int32_t z) {
    return y >= x ? z : tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    for (uint32_t i = repeat_count(argc, argv, 24); i > 0; i--) {
        sum = fold(sum, fib(27 + i % 3));
        sum = fold(sum, (uint64_t)tak(18, 12, 6 + (int32_t)(i & 1)));
    }
    return report("fib", sum);
}
