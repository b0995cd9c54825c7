/* One dependent chain per byte: CRC-32 by table and bit by bit, and CRC-16/CCITT bit by bit. */
#include "kernel.h"

static uint32_t table[256];
static uint8_t buffer[65536];

static void fill_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        table[i] = c;
    }
}

static uint32_t crc32_table(uint32_t c, const uint8_t *p, uint32_t n) {
    for (c = ~c; n > 0; n--) c = table[(c ^ *p++) & 255] ^ c >> 8;
    return ~c;
}

static uint32_t crc32_bitwise(uint32_t c, const uint8_t *p, uint32_t n) {
    for (c = ~c; n > 0; n--) {
        c ^= *p++;
        for (int bit = 0; bit < 8; bit++) c = c >> 1 ^ (0xedb88320u & -(c & 1));
    }
    return ~c;
}

static uint16_t crc16_bitwise(uint16_t c, const uint8_t *p, uint32_t n) {
    for (; n > 0; n--) {
        c ^= (uint16_t)(*p++ << 8);
        for (int bit = 0; bit < 8; bit++) c = (uint16_t)(c & 0x8000 ? c << 1 ^ 0x1021 : c << 1);
    }
    return c;
}

int main(int argc, char **argv) {
    uint32_t seed = 32;
    uint64_t sum = 0;
    fill_table();
    for (uint32_t i = 0; i < sizeof buffer; i++) buffer[i] = (uint8_t)next_random(&seed);
    for (uint32_t i = repeat_count(argc, argv, 60); i > 0; i--) {
        uint32_t c = (uint32_t)sum;
        for (int k = 0; k < 6; k++) c = crc32_table(c, buffer, sizeof buffer);
        uint32_t d = crc32_bitwise(c, buffer, sizeof buffer / 8);
        uint16_t e = crc16_bitwise((uint16_t)d, buffer, sizeof buffer / 8);
        sum = fold(sum, (uint64_t)c << 32 ^ d ^ (uint64_t)e << 24);
    }
    return report("crc", sum);
}
