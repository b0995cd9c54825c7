/* br_table: a byte-coded register machine runs three small programs (primes, gcd, bubble sort). */
#include "kernel.h"

enum op { HALT, SET, MOV, ADD, SUB, MUL, REM, AND, SHR, XOR, INC, DEC, LOAD, STORE, JMP, JZ, JNZ, JLT, JGE, OUT };

struct machine {
    uint32_t reg[8];
    uint32_t memory[256];
    uint64_t out;
};

/* Operands: registers are one byte; jump targets are absolute byte positions; SET has a 16-bit constant. */
static void run(struct machine *m, const uint8_t *code) {
    uint32_t *r = m->reg;
    const uint8_t *p = code;
    for (;;) {
        switch (*p) {
        case HALT: return;
        case SET: r[p[1]] = p[2] | (uint32_t)p[3] << 8; p += 4; break;
        case MOV: r[p[1]] = r[p[2]]; p += 3; break;
        case ADD: r[p[1]] += r[p[2]]; p += 3; break;
        case SUB: r[p[1]] -= r[p[2]]; p += 3; break;
        case MUL: r[p[1]] *= r[p[2]]; p += 3; break;
        case REM: r[p[1]] %= r[p[2]]; p += 3; break;
        case AND: r[p[1]] &= r[p[2]]; p += 3; break;
        case SHR: r[p[1]] >>= p[2]; p += 3; break;
        case XOR: r[p[1]] ^= r[p[2]]; p += 3; break;
        case INC: r[p[1]]++; p += 2; break;
        case DEC: r[p[1]]--; p += 2; break;
        case LOAD: r[p[1]] = m->memory[r[p[2]] & 255]; p += 3; break;
        case STORE: m->memory[r[p[2]] & 255] = r[p[1]]; p += 3; break;
        case JMP: p = code + p[1]; break;
        case JZ: p = r[p[1]] == 0 ? code + p[2] : p + 3; break;
        case JNZ: p = r[p[1]] != 0 ? code + p[2] : p + 3; break;
        case JLT: p = r[p[1]] < r[p[2]] ? code + p[3] : p + 4; break;
        case JGE: p = r[p[1]] >= r[p[2]] ? code + p[3] : p + 4; break;
        case OUT: m->out = fold(m->out, r[p[1]]); p += 2; break;
        default: return;
        }
    }
}

/* Counts the primes below r7 by trial division. */
static const uint8_t primes[] = {
    /*  0 */ SET, 0, 2, 0,  SET, 1, 0, 0,
    /*  8 */ JGE, 0, 7, 46, SET, 2, 2, 0,
    /* 16 */ MOV, 3, 2,     MUL, 3, 2,    JLT, 0, 3, 39,
    /* 26 */ MOV, 3, 0,     REM, 3, 2,    JZ, 3, 41,
    /* 35 */ INC, 2,        JMP, 16,
    /* 39 */ INC, 1,
    /* 41 */ INC, 0,        JMP, 8,       HALT,
    /* 46 */ OUT, 1,        HALT,
};

/* Sums gcd(a, b) over 1 <= a, b < r7. */
static const uint8_t gcds[] = {
    /*  0 */ SET, 0, 1, 0,  SET, 5, 0, 0,
    /*  8 */ SET, 1, 1, 0,
    /* 12 */ MOV, 2, 0,     MOV, 3, 1,
    /* 18 */ JZ, 3, 35,     MOV, 4, 2,    REM, 4, 3,  MOV, 2, 3,  MOV, 3, 4,  JMP, 18,
    /* 35 */ ADD, 5, 2,     INC, 1,       JLT, 1, 7, 12,
    /* 44 */ INC, 0,        JLT, 0, 7, 8, OUT, 5,     HALT,
};

/* Bubble-sorts memory[0..r7]. */
static const uint8_t bubble[] = {
    /*  0 */ MOV, 6, 7,     DEC, 6,
    /*  5 */ JZ, 6, 46,     SET, 0, 0, 0,
    /* 12 */ MOV, 1, 0,     INC, 1,       LOAD, 2, 0, LOAD, 3, 1,
    /* 23 */ JGE, 3, 2, 33, STORE, 3, 0,  STORE, 2, 1,
    /* 33 */ MOV, 0, 1,     JLT, 0, 6, 12,
    /* 40 */ DEC, 6,        JMP, 5,       HALT, HALT,
    /* 46 */ SET, 0, 0, 0,
    /* 50 */ LOAD, 2, 0,    OUT, 2,       INC, 0,     JLT, 0, 7, 50, HALT,
};

int main(int argc, char **argv) {
    static struct machine m;
    uint32_t seed = 99;
    for (uint32_t i = repeat_count(argc, argv, 25); i > 0; i--) {
        m.reg[7] = 2000 + i % 16;
        run(&m, primes);
        m.reg[7] = 100 + i % 8;
        run(&m, gcds);
        for (int k = 0; k < 256; k++) m.memory[k] = next_random(&seed);
        m.reg[7] = 160;
        run(&m, bubble);
    }
    return report("vm", m.out);
}
