/* Computed addresses: the product of two dense f64 matrices whose size is known only at run time. */
#include "pair.h"

enum { LARGEST = 160 };
static double a[LARGEST * LARGEST], b[LARGEST * LARGEST], c[LARGEST * LARGEST];

static void multiply(const double *x, const double *y, double *to, size_t n) {
    for (size_t i = 0; i < n * n; i++) to[i] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            double factor = x[i * n + k];
            for (size_t j = 0; j < n; j++) to[i * n + j] += factor * y[k * n + j];
        }
}

int64_t run(int32_t repeats) {
    uint32_t seed = 20261123;
    uint64_t sum = 0;
    for (size_t i = 0; i < LARGEST * LARGEST; i++) {
        a[i] = (double)(next_random(&seed) % 2001) / 1000.0 - 1.0;
        b[i] = (double)(next_random(&seed) % 2001) / 1000.0 - 1.0;
    }
    for (; repeats > 0; repeats--) {
        size_t n = LARGEST - (size_t)(repeats % 8);
        multiply(a, b, c, n);
        double trace = 0;
        for (size_t i = 0; i < n; i++) trace += c[i * n + i];
        union {
            double value;
            uint64_t bits;
        } word = {trace};
        sum = fold(sum, word.bits);
        b[(size_t)repeats % (LARGEST * LARGEST)] += 0.125;
    }
    return (int64_t)sum;
}
