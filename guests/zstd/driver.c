/* Exercises zstd: compresses generated data at several levels, whole and as a stream into a file, and back again.
 *
 *     zstd FILE
 *
 * Prints sizes and checksums of the compressed bytes. The row-based match finder is turned off, because zstd would
 * otherwise choose it by whether the processor has SIMD, and the bytes would differ between native and WebAssembly. */
#define ZSTD_STATIC_LINKING_ONLY
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zstd.h"
#include "zstd_errors.h"

enum { SIZE = 1 << 20 };

/* FNV-1a. */
static uint64_t hash(const void *data, size_t length) {
    uint64_t h = 14695981039346656037u;
    for (const unsigned char *p = data; length > 0; length--) h = (h ^ *p++) * 1099511628211u;
    return h;
}

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

static size_t check(size_t code, const char *what) {
    if (!ZSTD_isError(code)) return code;
    printf("%s failed: %s\n", what, ZSTD_getErrorName(code));
    exit(1);
}

static void *allocate(size_t size) {
    void *p = calloc(1, size);
    if (!p) {
        printf("out of memory\n");
        exit(1);
    }
    return p;
}

/* A log file: lines with repeated words, numbers, and a binary stretch that does not compress. */
static void generate(uint8_t *data) {
    static const char *const words[] = {"connect", "accept",  "timeout ", "retry",  "user=",   "path=/var/",
                                        "status:", "INFO",    "WARN",     "closed", "0x",      "request ",
                                        "bytes",   "session", "queue",    "worker", "started", "finished"};
    uint32_t seed = 8878;
    size_t n = 0;
    while (n < SIZE - 128) {
        uint32_t kind = next_random(&seed) % 64;
        if (kind == 0) {
            for (int i = 0; i < 100; i++) data[n++] = (uint8_t)next_random(&seed);
        } else if (kind < 40) {
            const char *word = words[next_random(&seed) % 18];
            size_t length = strlen(word);
            memcpy(data + n, word, length);
            n += length;
            data[n++] = kind < 6 ? '\n' : ' ';
        } else {
            n += (size_t)snprintf((char *)data + n, 16, "%u ", (unsigned)(next_random(&seed) % 3000));
        }
    }
}

static ZSTD_CCtx *compressor(int level) {
    ZSTD_CCtx *c = ZSTD_createCCtx();
    if (!c) exit(1);
    check(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level), "setting the level");
    check(ZSTD_CCtx_setParameter(c, ZSTD_c_useRowMatchFinder, ZSTD_ps_disable), "setting the match finder");
    check(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1), "asking for a checksum");
    return c;
}

static void whole(const uint8_t *data, size_t size, int level) {
    size_t bound = ZSTD_compressBound(size);
    uint8_t *packed = allocate(bound), *back = allocate(size);
    ZSTD_CCtx *c = compressor(level);
    size_t n = check(ZSTD_compress2(c, packed, bound, data, size), "compression");
    size_t m = check(ZSTD_decompress(back, size, packed, n), "decompression");
    printf("level %d: %zu -> %zu bytes, checksum %016llx, %s\n", level, size, n, (unsigned long long)hash(packed, n),
           m == size && memcmp(back, data, size) == 0 ? "round trip ok" : "ROUND TRIP DIFFERS");
    packed[n / 2] ^= 0x10;
    size_t code = ZSTD_decompress(back, size, packed, n);
    printf("  damaged: %s\n", ZSTD_isError(code) ? "refused" : "ACCEPTED");
    ZSTD_freeCCtx(c);
    free(packed);
    free(back);
}

static void stream_to_file(const char *path, const uint8_t *data, size_t size) {
    static uint8_t buffer[10000];
    FILE *file = fopen(path, "wb");
    if (!file) {
        printf("cannot create the output file\n");
        exit(1);
    }
    ZSTD_CCtx *c = compressor(3);
    ZSTD_inBuffer in = {data, 0, 0};
    size_t left;
    do {
        in.size = in.pos + 7000 < size ? in.pos + 7000 : size;
        ZSTD_EndDirective mode = in.size == size ? ZSTD_e_end : ZSTD_e_continue;
        ZSTD_outBuffer out = {buffer, sizeof buffer, 0};
        left = check(ZSTD_compressStream2(c, &out, &in, mode), "streaming");
        fwrite(buffer, 1, out.pos, file);
        left = mode == ZSTD_e_end ? left : 1;
    } while (left != 0);
    ZSTD_freeCCtx(c);
    printf("streamed: %ld bytes\n", ftell(file));
    if (fclose(file) != 0) exit(1);
}

static void read_back(const char *path, const uint8_t *data, size_t size) {
    static uint8_t input[3000], output[5000];
    FILE *file = fopen(path, "rb");
    ZSTD_DCtx *d = ZSTD_createDCtx();
    if (!file || !d) exit(1);
    size_t total = 0, same = 1;
    for (size_t n; (n = fread(input, 1, sizeof input, file)) > 0;) {
        ZSTD_inBuffer in = {input, n, 0};
        while (in.pos < in.size) {
            ZSTD_outBuffer out = {output, sizeof output, 0};
            check(ZSTD_decompressStream(d, &out, &in), "reading the stream back");
            same = same && total + out.pos <= size && memcmp(output, data + total, out.pos) == 0;
            total += out.pos;
        }
    }
    for (size_t made = 1; made > 0; total += made) {
        ZSTD_inBuffer in = {input, 0, 0};
        ZSTD_outBuffer out = {output, sizeof output, 0};
        check(ZSTD_decompressStream(d, &out, &in), "ending the stream");
        made = out.pos;
        same = same && total + made <= size && memcmp(output, data + total, made) == 0;
    }
    ZSTD_freeDCtx(d);
    fclose(file);
    printf("read back: %zu bytes, %s\n", total, same && total == size ? "same" : "DIFFERENT");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: zstd FILE\n", stderr);
        return 2;
    }
    uint8_t *data = allocate(SIZE);
    generate(data);
    printf("zstd %s, data checksum %016llx\n", ZSTD_versionString(), (unsigned long long)hash(data, SIZE));
    whole(data, SIZE, -5);
    whole(data, SIZE, 1);
    whole(data, SIZE, 5);
    whole(data, SIZE / 4, 12);
    whole(data, SIZE / 16, 19);
    stream_to_file(argv[1], data, SIZE);
    read_back(argv[1], data, SIZE);
    free(data);
    return 0;
}
