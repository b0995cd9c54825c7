// Four threads over one shared memory, without a C library: a mutex and condition variables made of
// compare-and-exchange, wait and notify; atomic counters of every width; a barrier; a bounded queue. Prints one line
// and exits with 0 when every number is right. Threads come from `wasi.thread-spawn`.
#include <stdatomic.h>
#include <stdint.h>

enum { WORKERS = 4, COUNTS = 1500, ITEMS = 400, SLOTS = 8, ROUNDS = 60, STACK = 16384 };

__attribute__((import_module("wasi"), import_name("thread-spawn"))) int spawn(void *argument);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) int fd_write(
    int fd, const void *iovecs, int count, int *written);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) _Noreturn void proc_exit(int status);

static void wait_while(atomic_int *at, int value) {
    __builtin_wasm_memory_atomic_wait32((int *)at, value, -1);
}

static void wake(atomic_int *at, unsigned count) {
    __builtin_wasm_memory_atomic_notify((int *)at, count);
}

// 0 free, 1 held, 2 held and somebody may wait.
typedef struct { atomic_int state; } Mutex;

static void lock(Mutex *mutex) {
    int seen = 0;
    if (atomic_compare_exchange_strong(&mutex->state, &seen, 1)) return;
    if (seen != 2) seen = atomic_exchange(&mutex->state, 2);
    while (seen != 0) {
        wait_while(&mutex->state, 2);
        seen = atomic_exchange(&mutex->state, 2);
    }
}

static void unlock(Mutex *mutex) {
    if (atomic_exchange(&mutex->state, 0) == 2) wake(&mutex->state, 1);
}

typedef struct { atomic_int changes; } Condition;

static void await(Condition *condition, Mutex *mutex) {
    int seen = atomic_load(&condition->changes);
    unlock(mutex);
    wait_while(&condition->changes, seen);
    lock(mutex);
}

static void signal(Condition *condition) {
    atomic_fetch_add(&condition->changes, 1);
    wake(&condition->changes, -1);
}

typedef struct { atomic_int arrived, generation; } Barrier;

static void meet(Barrier *barrier) {
    int generation = atomic_load(&barrier->generation);
    if (atomic_fetch_add(&barrier->arrived, 1) == WORKERS - 1) {
        atomic_store(&barrier->arrived, 0);
        atomic_fetch_add(&barrier->generation, 1);
        wake(&barrier->generation, -1);
    } else {
        while (atomic_load(&barrier->generation) == generation) wait_while(&barrier->generation, generation);
    }
}

// The top of the stack comes first: `wasi_thread_start` below reads it before it has one.
typedef struct { char *stack_top; int index; } Worker;

static _Alignas(16) char stacks[WORKERS][STACK];
static Worker workers[WORKERS];
static Barrier barrier;
static atomic_int done;

static _Atomic uint8_t count8;
static _Atomic uint16_t count16;
static _Atomic uint32_t count32;
static _Atomic uint64_t count64;
static Mutex counting;
static uint64_t counted;

static Mutex queueing;
static Condition filled, emptied;
static int queue[SLOTS], first, length, produced;
static uint64_t consumed[WORKERS];

static uint32_t ring[WORKERS];

static void count(int index) {
    for (int i = 0; i < COUNTS; i++) {
        atomic_fetch_add(&count8, 3);
        atomic_fetch_add(&count16, 5);
        atomic_fetch_sub(&count32, 7);
        uint64_t old = atomic_load(&count64);
        while (!atomic_compare_exchange_weak(&count64, &old, old + 0x100000001ull * (index + 1))) {}
        lock(&counting);
        counted += i ^ index;
        unlock(&counting);
    }
}

static void produce(int index) {
    for (int i = 0; i < ITEMS; i++) {
        lock(&queueing);
        while (length == SLOTS) await(&emptied, &queueing);
        queue[(first + length++) % SLOTS] = i * 2 + index;
        if (++produced == 2 * ITEMS) signal(&filled);
        unlock(&queueing);
        signal(&filled);
    }
}

static void consume(int index) {
    for (;;) {
        lock(&queueing);
        while (length == 0 && produced < 2 * ITEMS) await(&filled, &queueing);
        if (length == 0) {
            unlock(&queueing);
            return;
        }
        uint64_t item = queue[first];
        first = (first + 1) % SLOTS;
        length--;
        unlock(&queueing);
        signal(&emptied);
        consumed[index] += item * item;
    }
}

// Plain accesses, ordered by the barrier alone.
static void pass(int index) {
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t next = ring[(index + 1) % WORKERS];
        meet(&barrier);
        ring[index] = next * 31 + index + round;
        meet(&barrier);
    }
}

__attribute__((used)) void work(int tid, Worker *worker) {
    int index = worker->index;
    meet(&barrier);
    count(index);
    meet(&barrier);
    if (index < 2) produce(index);
    else consume(index);
    meet(&barrier);
    pass(index);
    if (tid <= 0) proc_exit(3);
    atomic_fetch_add(&done, 1);
    wake(&done, 1);
}

__asm__(".globaltype __stack_pointer, i32\n"
        ".functype work (i32, i32) -> ()\n"
        ".globl wasi_thread_start\n"
        ".export_name wasi_thread_start, wasi_thread_start\n"
        ".type wasi_thread_start, @function\n"
        "wasi_thread_start:\n"
        ".functype wasi_thread_start (i32, i32) -> ()\n"
        "local.get 1\n"
        "i32.load 0\n"
        "global.set __stack_pointer\n"
        "local.get 0\n"
        "local.get 1\n"
        "call work\n"
        "end_function\n");

static char line[160];
static int used;

static void text(const char *from) {
    while (*from) line[used++] = *from++;
}

static void number(const char *name, uint64_t value) {
    char digits[20];
    int count = 0;
    text(name);
    do digits[count++] = '0' + value % 10; while (value /= 10);
    while (count) line[used++] = digits[--count];
}

// What the threads shall find, worked out by one.
static int right(void) {
    uint64_t sum = 0, squares = 0, wide = 0;
    uint32_t turn[WORKERS] = {0}, next[WORKERS];
    for (int index = 0; index < WORKERS; index++) {
        wide += 0x100000001ull * (index + 1) * COUNTS;
        for (int i = 0; i < COUNTS; i++) sum += i ^ index;
    }
    for (uint64_t item = 0; item < 2 * ITEMS; item++) squares += item * item;
    for (int round = 0; round < ROUNDS; round++) {
        for (int index = 0; index < WORKERS; index++) next[index] = turn[(index + 1) % WORKERS];
        for (int index = 0; index < WORKERS; index++) turn[index] = next[index] * 31 + index + round;
    }
    for (int index = 0; index < WORKERS; index++) {
        if (turn[index] != ring[index]) return 0;
    }
    return count8 == (uint8_t)(3 * WORKERS * COUNTS) && count16 == (uint16_t)(5 * WORKERS * COUNTS)
        && count32 == (uint32_t)(-7 * WORKERS * COUNTS) && count64 == wide && counted == sum
        && consumed[2] + consumed[3] == squares;
}

__attribute__((export_name("_start"))) void start(void) {
    for (int index = 0; index < WORKERS; index++) {
        workers[index] = (Worker){stacks[index] + STACK, index};
        if (spawn(&workers[index]) <= 0) proc_exit(2);
    }
    for (int seen; (seen = atomic_load(&done)) < WORKERS;) wait_while(&done, seen);
    number("counts ", count64);
    number(" locked ", counted);
    number(" queue ", consumed[2] + consumed[3]);
    number(" ring ", ring[0]);
    text(right() ? " right\n" : " WRONG\n");
    struct { const char *at; int length; } iovec = {line, used};
    int written;
    fd_write(1, &iovec, 1, &written);
    if (!right()) proc_exit(1);
}
