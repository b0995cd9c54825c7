/* A mixture as in small embedded programs: a linked list (find, reverse, merge sort), an integer matrix, and a state
 * machine that scans numbers; every part feeds the next through a CRC. */
#include "kernel.h"

static uint16_t crc16(uint16_t crc, uint16_t value) {
    for (int bit = 0; bit < 16; bit++) {
        uint16_t carry = (crc ^ value) & 1;
        value >>= 1;
        crc >>= 1;
        if (carry) crc ^= 0xa001;
    }
    return crc;
}

/* --- list --- */

enum { NODES = 200 };

struct node {
    struct node *next;
    int16_t key, data;
};

static struct node nodes[NODES];

static struct node *build(uint32_t *seed) {
    for (int i = 0; i < NODES; i++) {
        nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : NULL;
        nodes[i].key = (int16_t)(next_random(seed) & 0x7fff);
        nodes[i].data = (int16_t)i;
    }
    return nodes;
}

static struct node *reverse(struct node *list) {
    struct node *done = NULL;
    while (list) {
        struct node *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static struct node *find(struct node *list, int16_t data) {
    while (list && list->data != data) list = list->next;
    return list;
}

static struct node *merge(struct node *a, struct node *b) {
    struct node head, *tail = &head;
    while (a && b) {
        struct node **smaller = b->key < a->key ? &b : &a;
        tail = tail->next = *smaller;
        *smaller = (*smaller)->next;
    }
    tail->next = a ? a : b;
    return head.next;
}

static struct node *merge_sort(struct node *list) {
    if (!list || !list->next) return list;
    struct node *middle = list;
    for (struct node *end = list->next; end && end->next; end = end->next->next) middle = middle->next;
    struct node *rest = middle->next;
    middle->next = NULL;
    return merge(merge_sort(list), merge_sort(rest));
}

static uint16_t list_part(uint16_t crc, uint32_t *seed) {
    struct node *list = build(seed);
    for (int16_t i = 0; i < 40; i++) {
        struct node *found = find(list, (int16_t)(i * 5 + crc % 5));
        if (found) crc = crc16(crc, (uint16_t)found->key);
        list = reverse(list);
    }
    list = merge_sort(list);
    for (struct node *p = list; p; p = p->next) crc = crc16(crc, (uint16_t)p->data);
    return crc;
}

/* --- matrix --- */

enum { N = 12 };

static uint16_t matrix_part(uint16_t crc, uint32_t *seed) {
    static int16_t a[N][N], b[N][N];
    static int32_t c[N][N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (int16_t)next_random(seed);
            b[i][j] = (int16_t)(next_random(seed) & 0xff);
        }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            uint32_t dot = 0;
            for (int k = 0; k < N; k++) dot += (uint32_t)a[i][k] * (uint32_t)b[k][j];
            c[i][j] = (int32_t)dot;
        }
    int32_t clipped = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int32_t bits = (c[i][j] >> 2 & 15) * (c[i][j] >> 5 & 127);
            clipped += bits > 900 ? 10 : bits > c[i][j] % 1000;
        }
    return crc16(crc, (uint16_t)clipped);
}

/* --- state machine --- */

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, SCIENTIFIC, INVALID, STATES };

static enum state scan(const char **text, uint16_t *moves) {
    enum state s = START;
    const char *p = *text;
    for (; *p && *p != ','; p++) {
        enum state from = s;
        int digit = *p >= '0' && *p <= '9';
        switch (s) {
        case START: s = digit ? INTEGER : *p == '+' || *p == '-' ? SIGN : *p == '.' ? POINT : INVALID; break;
        case SIGN: s = digit ? INTEGER : *p == '.' ? POINT : INVALID; break;
        case INTEGER: s = digit ? INTEGER : *p == '.' ? FRACTION : *p == 'e' ? EXPONENT : INVALID; break;
        case POINT: s = digit ? FRACTION : INVALID; break;
        case FRACTION: s = digit ? FRACTION : *p == 'e' ? EXPONENT : INVALID; break;
        case EXPONENT: s = digit ? SCIENTIFIC : *p == '+' || *p == '-' ? EXPONENT_SIGN : INVALID; break;
        case EXPONENT_SIGN: s = digit ? SCIENTIFIC : INVALID; break;
        case SCIENTIFIC: s = digit ? SCIENTIFIC : INVALID; break;
        default: break;
        }
        if (s != from) moves[from]++;
    }
    *text = *p ? p + 1 : p;
    return s;
}

static uint16_t state_part(uint16_t crc, uint32_t *seed) {
    static const char *const samples[] = {"512",  "-874", "+12.5", ".25", "-1.e9", "3.14e-7",
                                          "7e+2", "T0.3", "1e",    "5.-", "99x",   "-0.0010e+12"};
    static char text[600];
    uint32_t used = 0;
    while (used < sizeof text - 16) {
        const char *sample = samples[next_random(seed) % 12];
        while (*sample) text[used++] = *sample++;
        text[used++] = ',';
    }
    text[used] = 0;
    text[next_random(seed) % used] ^= (char)(crc & 7);
    uint16_t ends[STATES] = {0}, moves[STATES] = {0};
    for (const char *p = text; *p;) ends[scan(&p, moves)]++;
    for (int i = 0; i < STATES; i++) crc = crc16(crc16(crc, ends[i]), moves[i]);
    return crc;
}

int main(int argc, char **argv) {
    uint32_t seed = 3415;
    uint64_t sum = 0;
    uint16_t crc = 0;
    for (uint32_t i = repeat_count(argc, argv, 1600); i > 0; i--) {
        crc = list_part(crc, &seed);
        crc = matrix_part(crc, &seed);
        crc = state_part(crc, &seed);
        sum = fold(sum, crc);
    }
    return report("mix", sum);
}
