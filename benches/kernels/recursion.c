/* Calls and nothing else: Fibonacci numbers and the Ackermann function. */
#include "kernel.h"

static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static uint32_t ackermann(uint32_t m, uint32_t n) {
    if (m == 0) return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    for (uint32_t i = repeat_count(argc, argv, 12); i > 0; i--) {
        sum = fold(sum, fib(26 + i % 3));
        sum = fold(sum, ackermann(2 + i % 2, 6 + i % 3));
    }
    return report("recursion", sum);
}
