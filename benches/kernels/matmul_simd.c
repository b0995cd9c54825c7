/* 128-bit vectors: products of dense f32 matrices, four columns by four rows at a time. The vector types are the
 * compiler's own, so that the same source is v128 operations in WebAssembly (-msimd128) and SSE or NEON natively. */
#include "kernel.h"

enum { N = 128 };
typedef float f32x4 __attribute__((vector_size(16)));

static float a[N][N];
static f32x4 b[N][N / 4], c[N][N / 4];

static f32x4 splat(float x) { return (f32x4){x, x, x, x}; }

static void multiply(void) {
    for (int i = 0; i < N; i += 4)
        for (int j = 0; j < N / 4; j++) {
            f32x4 s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0);
            for (int k = 0; k < N; k++) {
                f32x4 column = b[k][j];
                s0 += splat(a[i][k]) * column;
                s1 += splat(a[i + 1][k]) * column;
                s2 += splat(a[i + 2][k]) * column;
                s3 += splat(a[i + 3][k]) * column;
            }
            c[i][j] = s0;
            c[i + 1][j] = s1;
            c[i + 2][j] = s2;
            c[i + 3][j] = s3;
        }
}

int main(int argc, char **argv) {
    uint64_t sum = 0;
    uint32_t seed = 20261122;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (float)(next_random(&seed) % 2001) / 1000.0f - 1.0f;
            b[i][j / 4][j % 4] = (float)(next_random(&seed) % 2001) / 1000.0f - 1.0f;
        }
    for (uint32_t i = repeat_count(argc, argv, 20); i > 0; i--) {
        multiply();
        float trace = 0;
        for (int k = 0; k < N; k++) trace += c[k][k / 4][k % 4];
        sum = fold_f64(sum, trace);
        b[i % N][i / N % (N / 4)] += splat(0.25f);
    }
    return report("matmul_simd", sum);
}
