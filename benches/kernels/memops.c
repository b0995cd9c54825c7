/* The C library's memory and string functions on short and long runs: copy, move, fill, scan, compare, search. */
#include "kernel.h"

enum { SIZE = 65536 };
static char a[SIZE + 64], b[SIZE + 64];

/* Hides a pointer from the optimizer, so that calls with known contents are not folded away. */
static char *opaque(char *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

int main(int argc, char **argv) {
    uint32_t seed = 7;
    uint64_t sum = 0;
    for (uint32_t i = repeat_count(argc, argv, 140); i > 0; i--) {
        char *x = opaque(a), *y = opaque(b);
        uint32_t length = SIZE - i % 61;
        memset(x, 'a' + (int)(i % 16), length);
        for (uint32_t k = 0; k < SIZE; k += 97) x[k] = (char)('a' + next_random(&seed) % 26);
        x[length] = 0;
        memcpy(y, x, length + 1);
        memmove(y + 3, y, length - 3);
        memmove(y, y + 5, length - 5);
        sum = fold(sum, strlen(x) + (uint32_t)(memcmp(x, y, length) > 0));
        char *z = memchr(x, '!', length);
        sum = fold(sum, z == NULL);
        z = strchr(y, 'z');
        sum = fold(sum, z ? (uint32_t)(z - y) : 0);
        /* Short runs: fields of 1 to 31 bytes, copied, measured and compared. */
        uint32_t equal = 0, total = 0;
        for (uint32_t k = 0; k + 64 < SIZE; k += 64) {
            uint32_t n = 1 + next_random(&seed) % 31;
            memcpy(y + k, x + k, n);
            y[k + n] = 0;
            total += (uint32_t)strlen(y + k);
            equal += strncmp(y + k, x + k, 40) == 0;
            equal += strcmp(y + k, opaque(y) + k) == 0;
        }
        char needle[4] = {x[97], x[98], x[99], 0};
        z = strstr(x + 1, needle);
        sum = fold(sum, (uint64_t)equal << 32 | (total + (z ? (uint32_t)(z - x) : 0)));
    }
    return report("memops", sum);
}
