/* Indirect calls: a register machine whose main loop calls each operation through a table of functions. */
#include "kernel.h"

struct machine {
    uint32_t reg[16];
    uint32_t memory[1024];
    uint32_t next;
    int running;
    uint64_t out;
};

/* One operation: its number and three bytes, which are registers or a jump target. */
struct instruction {
    uint8_t op, a, b, c;
};

typedef void operation(struct machine *m, struct instruction i);

static void op_halt(struct machine *m, struct instruction i) { (void)i, m->running = 0; }
static void op_set(struct machine *m, struct instruction i) { m->reg[i.a] = i.b | (uint32_t)i.c << 8; }
static void op_move(struct machine *m, struct instruction i) { m->reg[i.a] = m->reg[i.b]; }
static void op_add(struct machine *m, struct instruction i) { m->reg[i.a] = m->reg[i.b] + m->reg[i.c]; }
static void op_sub(struct machine *m, struct instruction i) { m->reg[i.a] = m->reg[i.b] - m->reg[i.c]; }
static void op_mul(struct machine *m, struct instruction i) { m->reg[i.a] = m->reg[i.b] * m->reg[i.c]; }
static void op_xor(struct machine *m, struct instruction i) { m->reg[i.a] = m->reg[i.b] ^ m->reg[i.c]; }
static void op_shr(struct machine *m, struct instruction i) { m->reg[i.a] = m->reg[i.b] >> (i.c & 31); }
static void op_inc(struct machine *m, struct instruction i) { m->reg[i.a] += i.b; }
static void op_load(struct machine *m, struct instruction i) { m->reg[i.a] = m->memory[(m->reg[i.b] + i.c) & 1023]; }
static void op_store(struct machine *m, struct instruction i) { m->memory[(m->reg[i.b] + i.c) & 1023] = m->reg[i.a]; }
static void op_jump(struct machine *m, struct instruction i) { m->next = i.a; }
static void op_below(struct machine *m, struct instruction i) { if (m->reg[i.a] < m->reg[i.b]) m->next = i.c; }
static void op_equal(struct machine *m, struct instruction i) { if (m->reg[i.a] == m->reg[i.b]) m->next = i.c; }
static void op_out(struct machine *m, struct instruction i) { m->out = fold(m->out, m->reg[i.a]); }

enum { HALT, SET, MOVE, ADD, SUB, MUL, XOR, SHR, INC, LOAD, STORE, JUMP, BELOW, EQUAL, OUT };

static operation *const operations[] = {
    op_halt, op_set,  op_move,  op_add,  op_sub,   op_mul,   op_xor, op_shr,
    op_inc,  op_load, op_store, op_jump, op_below, op_equal, op_out,
};

static void run(struct machine *m, const struct instruction *code) {
    m->next = 0;
    m->running = 1;
    while (m->running) {
        struct instruction i = code[m->next++];
        operations[i.op](m, i);
    }
}

/* Marks the composites below r15 in memory and counts the primes. */
static const struct instruction sieve[] = {
    /*  0 */ {SET, 0, 0, 0},     {SET, 1, 0, 0},
    /*  2 */ {STORE, 0, 1, 0},   {INC, 1, 1, 0},  {BELOW, 1, 15, 2},
    /*  5 */ {SET, 1, 2, 0},     {SET, 2, 0, 0},  {SET, 5, 1, 0},
    /*  8 */ {LOAD, 3, 1, 0},    {EQUAL, 3, 5, 16},
    /* 10 */ {INC, 2, 1, 0},     {MUL, 4, 1, 1},  {BELOW, 15, 4, 16},
    /* 13 */ {STORE, 5, 4, 0},   {ADD, 4, 4, 1},  {BELOW, 4, 15, 13},
    /* 16 */ {INC, 1, 1, 0},     {BELOW, 1, 15, 8},
    /* 18 */ {OUT, 2, 0, 0},     {HALT, 0, 0, 0},
};

/* Sums gcd(a, b) over 1 <= a, b < r15 by subtraction. */
static const struct instruction gcds[] = {
    /*  0 */ {SET, 0, 1, 0},     {SET, 5, 0, 0},
    /*  2 */ {SET, 1, 1, 0},
    /*  3 */ {MOVE, 2, 0, 0},    {MOVE, 3, 1, 0},
    /*  5 */ {EQUAL, 2, 3, 11},  {BELOW, 2, 3, 9},
    /*  7 */ {SUB, 2, 2, 3},     {JUMP, 5, 0, 0},
    /*  9 */ {SUB, 3, 3, 2},     {JUMP, 5, 0, 0},
    /* 11 */ {ADD, 5, 5, 2},     {INC, 1, 1, 0},  {BELOW, 1, 15, 3},
    /* 14 */ {INC, 0, 1, 0},     {BELOW, 0, 15, 2},
    /* 16 */ {OUT, 5, 0, 0},     {HALT, 0, 0, 0},
};

/* Sorts memory[0..r15] by insertion and folds it with shifts. */
static const struct instruction insertion[] = {
    /*  0 */ {SET, 0, 1, 0},     {SET, 6, 0, 0},
    /*  2 */ {LOAD, 1, 0, 0},    {MOVE, 2, 0, 0},
    /*  4 */ {SET, 7, 1, 0},     {SUB, 3, 2, 7},  {LOAD, 4, 3, 0},   {BELOW, 1, 4, 9},
    /*  8 */ {JUMP, 12, 0, 0},
    /*  9 */ {STORE, 4, 2, 0},   {MOVE, 2, 3, 0}, {BELOW, 6, 2, 5},
    /* 12 */ {STORE, 1, 2, 0},   {INC, 0, 1, 0},  {BELOW, 0, 15, 2},
    /* 15 */ {SET, 0, 0, 0},     {SET, 5, 0, 0},
    /* 17 */ {LOAD, 1, 0, 0},    {SHR, 2, 5, 3},  {XOR, 5, 1, 2},    {INC, 0, 1, 0},  {BELOW, 0, 15, 17},
    /* 22 */ {OUT, 5, 0, 0},     {HALT, 0, 0, 0},
};

int main(int argc, char **argv) {
    static struct machine m;
    uint32_t seed = 99;
    for (uint32_t i = repeat_count(argc, argv, 12); i > 0; i--) {
        m.reg[15] = 1000 + i % 24;
        run(&m, sieve);
        m.reg[15] = 40 + i % 8;
        run(&m, gcds);
        for (int k = 0; k < 256; k++) m.memory[k] = next_random(&seed);
        m.reg[15] = 200;
        run(&m, insertion);
    }
    return report("callvm", m.out);
}
