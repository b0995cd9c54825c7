/* The allocator and pointer chasing: counts words of a generated text in a growing hash map, then frees it all. */
#include "kernel.h"
#include <stdlib.h>

struct entry {
    struct entry *next;
    uint32_t hash, count;
    char word[];
};

struct map {
    struct entry **buckets;
    uint32_t size, used;
};

static uint32_t hash_of(const char *word, uint32_t length) {
    uint32_t h = 2166136261u;
    for (uint32_t i = 0; i < length; i++) h = (h ^ (uint8_t)word[i]) * 16777619u;
    return h;
}

static void *allocate(size_t size) {
    void *p = calloc(1, size);
    if (!p) abort();
    return p;
}

static void grow(struct map *m) {
    uint32_t size = m->size * 2;
    struct entry **buckets = allocate(size * sizeof *buckets);
    for (uint32_t i = 0; i < m->size; i++)
        for (struct entry *e = m->buckets[i], *next; e; e = next) {
            next = e->next;
            e->next = buckets[e->hash & (size - 1)];
            buckets[e->hash & (size - 1)] = e;
        }
    free(m->buckets);
    m->buckets = buckets;
    m->size = size;
}

static void count_word(struct map *m, const char *word, uint32_t length) {
    uint32_t hash = hash_of(word, length);
    for (struct entry *e = m->buckets[hash & (m->size - 1)]; e; e = e->next)
        if (e->hash == hash && strncmp(e->word, word, length) == 0 && e->word[length] == 0) {
            e->count++;
            return;
        }
    if (m->used >= m->size) grow(m);
    struct entry *e = allocate(sizeof *e + length + 1);
    memcpy(e->word, word, length);
    e->hash = hash;
    e->count = 1;
    e->next = m->buckets[hash & (m->size - 1)];
    m->buckets[hash & (m->size - 1)] = e;
    m->used++;
}

/* Words of one to four syllables; small numbers are likelier, so that words repeat. */
static char *generate(uint32_t *seed, uint32_t words) {
    static const char syllables[] = "kaloresutimanogipadevuho";
    char *text = allocate(words * 9 + 1), *p = text;
    while (words-- > 0) {
        for (uint32_t n = 1 + next_random(seed) % 4; n > 0; n--) {
            uint32_t at = next_random(seed) % 12;
            at = at * (next_random(seed) % 12) / 11;
            *p++ = syllables[2 * at];
            *p++ = syllables[2 * at + 1];
        }
        *p++ = ' ';
    }
    return text;
}

int main(int argc, char **argv) {
    uint32_t seed = 1234567;
    uint64_t sum = 0;
    for (uint32_t i = repeat_count(argc, argv, 50); i > 0; i--) {
        char *text = generate(&seed, 10000);
        struct map m = {allocate(16 * sizeof(struct entry *)), 16, 0};
        for (char *p = text, *end; (end = strchr(p, ' ')); p = end + 1) count_word(&m, p, (uint32_t)(end - p));
        uint64_t counted = 0; /* a sum, since the order within a bucket does not matter */
        for (uint32_t b = 0; b < m.size; b++)
            for (struct entry *e = m.buckets[b], *next; e; e = next) {
                next = e->next;
                counted += (uint64_t)e->hash * e->count;
                free(e);
            }
        sum = fold(sum, counted + m.used);
        free(m.buckets);
        free(text);
    }
    return report("words", sum);
}
