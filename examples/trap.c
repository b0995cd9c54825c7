/* A program with a bug, to show what a trap looks like: the last order has an impossible shelf number, so that
 * `put_on_shelf`, three calls deep, writes outside of memory. */
#include <stdint.h>
#include <unistd.h>

struct order {
    uint32_t shelf, pieces;
};

static const struct order orders[] = {{3, 10}, {7, 2}, {0x20000000, 1}};
static uint32_t shelves[16];

__attribute__((noinline)) static void put_on_shelf(uint32_t *all, uint32_t shelf, uint32_t pieces) {
    all[shelf] += pieces;
}

__attribute__((noinline)) static void deliver(const struct order *order) {
    put_on_shelf(shelves, order->shelf, order->pieces);
    write(1, "delivered\n", 10);
}

__attribute__((noinline)) static void deliver_all(const struct order *list, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) deliver(&list[i]);
}

int main(void) {
    deliver_all(orders, sizeof orders / sizeof orders[0]);
    return shelves[3] == 10 ? 0 : 1;
}
