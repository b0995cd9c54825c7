/* zstd: a log file compressed at five levels and decompressed again, in memory.
 * The row-based match finder is turned off, because zstd would otherwise choose it by whether the processor has SIMD,
 * and the bytes would differ between native code and WebAssembly. */
#define ZSTD_STATIC_LINKING_ONLY
#include "zstd.h"
#include "program.h"

enum { SIZE = 2 << 20 };

static size_t check(size_t code) {
    if (ZSTD_isError(code)) fail(ZSTD_getErrorName(code));
    return code;
}

int main(int argc, char **argv) {
    static const struct {
        int level, decompressions;
        size_t size;
    } steps[] = {{-3, 4, SIZE}, {1, 8, SIZE}, {3, 8, SIZE}, {7, 8, SIZE}, {13, 8, SIZE / 4}, {19, 8, SIZE / 16}};
    uint64_t digest = HASH_START;
    int repeats = repeat_count(argc, argv, 2);
    if (repeats > 0) {
        size_t bound = ZSTD_compressBound(SIZE);
        uint8_t *data = generate_log(SIZE), *packed = allocate(bound), *back = allocate(SIZE);
        ZSTD_CCtx *c = ZSTD_createCCtx();
        ZSTD_DCtx *d = ZSTD_createDCtx();
        if (!c || !d) fail("out of memory");
        check(ZSTD_CCtx_setParameter(c, ZSTD_c_useRowMatchFinder, ZSTD_ps_disable));
        check(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1));
        for (int i = 0; i < repeats; i++)
            for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
                size_t size = steps[s].size;
                check(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, steps[s].level));
                size_t n = check(ZSTD_compress2(c, packed, bound, data, size));
                digest = hash(digest, packed, n);
                for (int k = 0; k < steps[s].decompressions; k++)
                    if (check(ZSTD_decompressDCtx(d, back, size, packed, n)) != size) fail("short");
                if (memcmp(back, data, size) != 0) fail("the round trip differs");
                data[(size_t)i * 4099 % size] ^= 1;
            }
    }
    return report("zstd", ZSTD_versionString(), digest);
}
