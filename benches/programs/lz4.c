/* LZ4: a log file compressed fast, faster and well, and decompressed many times, in memory.
 * The two fast ways choose another hash function where pointers have 64 bits, so that the bytes they make differ
 * between this machine and WebAssembly; of those only the round trip is in the digest. */
#include "lz4.h"
#include "lz4hc.h"
#include "program.h"

enum { SIZE = 2 << 20, DECOMPRESSIONS = 12 };

int main(int argc, char **argv) {
    uint64_t digest = HASH_START;
    int repeats = repeat_count(argc, argv, 3);
    if (repeats > 0) {
        int bound = LZ4_compressBound(SIZE);
        char *data = (char *)generate_log(SIZE), *packed = allocate((size_t)bound), *back = allocate(SIZE);
        for (int i = 0; i < repeats; i++)
            for (int step = 0; step < 5; step++) {
                int n = step == 0   ? LZ4_compress_default(data, packed, SIZE, bound)
                        : step == 1 ? LZ4_compress_fast(data, packed, SIZE, bound, 8)
                        : step == 2 ? LZ4_compress_HC(data, packed, SIZE, bound, 3)
                        : step == 3 ? LZ4_compress_HC(data, packed, SIZE, bound, 9)
                                    : LZ4_compress_HC(data, packed, SIZE / 8, bound, 12);
                int size = step == 4 ? SIZE / 8 : SIZE;
                if (n <= 0) fail("compression");
                for (int k = 0; k < DECOMPRESSIONS; k++)
                    if (LZ4_decompress_safe(packed, back, n, SIZE) != size) fail("decompression");
                if (memcmp(back, data, (size_t)size) != 0) fail("the round trip differs");
                digest = step < 2 ? hash(digest, back + i * 4096, 4096) : hash(digest, packed, (size_t)n);
                data[(size_t)i * 4099 % SIZE] ^= 1;
            }
    }
    return report("lz4", LZ4_versionString(), digest);
}
