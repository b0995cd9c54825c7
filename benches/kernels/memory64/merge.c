/* Pointers that walk: merge sort of 64-bit keys, from runs of one upwards. */
#include "pair.h"

enum { COUNT = 1 << 16 };
static uint64_t keys[COUNT], spare[COUNT];

static void merge(const uint64_t *left, const uint64_t *middle, const uint64_t *end, uint64_t *to) {
    const uint64_t *right = middle;
    while (left < middle && right < end) *to++ = *right < *left ? *right++ : *left++;
    while (left < middle) *to++ = *left++;
    while (right < end) *to++ = *right++;
}

static void sort(uint64_t *from, uint64_t *to, size_t count) {
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t i = 0; i < count; i += 2 * width) {
            size_t middle = i + width < count ? i + width : count;
            size_t end = i + 2 * width < count ? i + 2 * width : count;
            merge(from + i, from + middle, from + end, to + i);
        }
        uint64_t *sorted = to;
        to = from;
        from = sorted;
    }
}

int64_t run(int32_t repeats) {
    uint32_t seed = 4711;
    uint64_t sum = 0;
    for (; repeats > 0; repeats--) {
        for (size_t i = 0; i < COUNT; i++) keys[i] = (uint64_t)next_random(&seed) << 32 | next_random(&seed);
        sort(keys, spare, COUNT);
        for (size_t i = 0; i < COUNT; i += 97) sum = fold(sum, keys[i]);
    }
    return (int64_t)sum;
}
