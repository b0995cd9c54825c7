/* Indirect calls: records sorted through pointers by a comparison function chosen at run time. */
#include "kernel.h"

enum { COUNT = 20000 };

struct record {
    uint32_t key;
    int32_t weight;
    char name[8];
};

typedef int (*compare_fn)(const struct record *, const struct record *);

static int by_key(const struct record *a, const struct record *b) { return (a->key > b->key) - (a->key < b->key); }

static int by_weight(const struct record *a, const struct record *b) {
    if (a->weight != b->weight) return a->weight < b->weight ? -1 : 1;
    return by_key(a, b);
}

static int by_name(const struct record *a, const struct record *b) {
    for (int i = 0; i < 8; i++)
        if (a->name[i] != b->name[i]) return a->name[i] < b->name[i] ? -1 : 1;
    return by_weight(a, b);
}

static compare_fn const comparisons[] = {by_key, by_weight, by_name};
static struct record records[COUNT];
static const struct record *order[COUNT];

/* Quicksort around the median of three, insertion sort for short ranges; recurses into the shorter side only. */
static void sort(const struct record **v, int32_t n, compare_fn compare) {
    while (n > 12) {
        const struct record *x = v[0], *y = v[n / 2], *z = v[n - 1], *t;
        if (compare(x, y) > 0) t = x, x = y, y = t;
        if (compare(y, z) > 0) y = compare(x, z) > 0 ? x : z;
        int32_t i = 0, j = n - 1;
        while (i <= j) {
            while (compare(v[i], y) < 0) i++;
            while (compare(v[j], y) > 0) j--;
            if (i <= j) t = v[i], v[i++] = v[j], v[j--] = t;
        }
        if (j + 1 < n - i) {
            sort(v, j + 1, compare);
            v += i;
            n -= i;
        } else {
            sort(v + i, n - i, compare);
            n = j + 1;
        }
    }
    for (int32_t i = 1; i < n; i++) {
        const struct record *x = v[i];
        int32_t j = i;
        for (; j > 0 && compare(v[j - 1], x) > 0; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

int main(int argc, char **argv) {
    uint32_t seed = 4711;
    uint64_t sum = 0;
    for (uint32_t i = repeat_count(argc, argv, 18); i > 0; i--) {
        for (int32_t k = 0; k < COUNT; k++) {
            records[k].key = next_random(&seed);
            records[k].weight = (int32_t)(next_random(&seed) % 1000);
            for (int c = 0; c < 8; c++) records[k].name[c] = (char)('a' + next_random(&seed) % 3);
            order[k] = &records[k];
        }
        sort(order, COUNT, comparisons[i % 3]);
        for (int32_t k = 0; k < COUNT; k += 7) sum = fold(sum, order[k]->key);
    }
    return report("sort", sum);
}
