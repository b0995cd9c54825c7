/* Floating point with address arithmetic: products of dense f64 matrices, plain and with one side transposed. */
#include "kernel.h"

enum { N = 96 };
static double a[N][N], b[N][N], c[N][N];

static void multiply(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double dot = 0;
            for (int k = 0; k < N; k++) dot += a[i][k] * b[k][j];
            c[i][j] = dot;
        }
}

static void multiply_transposed(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double dot = 0;
            for (int k = 0; k < N; k++) dot += a[i][k] * c[j][k];
            b[i][j] = dot;
        }
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    uint32_t seed = 20261121;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (double)(next_random(&seed) % 2001) / 1000.0 - 1.0;
            b[i][j] = (double)(next_random(&seed) % 2001) / 1000.0 - 1.0;
        }
    for (uint32_t i = repeat_count(argc, argv, 12); i > 0; i--) {
        multiply();
        multiply_transposed();
        double trace = 0;
        for (int k = 0; k < N; k++) trace += b[k][k];
        sum = fold_f64(sum, trace);
        for (int k = 0; k < N * N; k++) b[k / N][k % N] /= 256.0;
    }
    return report("matmul", sum);
}
