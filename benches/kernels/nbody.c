/* Floating point with divisions and square roots: gravity among eight bodies, leapfrog steps. */
#include "kernel.h"

enum { BODIES = 8 };

struct body {
    double x, y, z, vx, vy, vz, mass;
};

static struct body bodies[BODIES];

static void step(double dt) {
    for (int i = 0; i < BODIES; i++) {
        struct body *p = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *q = &bodies[j];
            double dx = p->x - q->x, dy = p->y - q->y, dz = p->z - q->z;
            double square = dx * dx + dy * dy + dz * dz + 0.01;
            double pull = dt / (square * __builtin_sqrt(square));
            p->vx -= dx * q->mass * pull;
            p->vy -= dy * q->mass * pull;
            p->vz -= dz * q->mass * pull;
            q->vx += dx * p->mass * pull;
            q->vy += dy * p->mass * pull;
            q->vz += dz * p->mass * pull;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        bodies[i].x += dt * bodies[i].vx;
        bodies[i].y += dt * bodies[i].vy;
        bodies[i].z += dt * bodies[i].vz;
    }
}

static double kinetic_energy(void) {
    double energy = 0;
    for (int i = 0; i < BODIES; i++) {
        struct body *p = &bodies[i];
        energy += 0.5 * p->mass * (p->vx * p->vx + p->vy * p->vy + p->vz * p->vz);
    }
    return energy;
}

int main(int argc, char **argv) {
    uint32_t seed = 1687;
    uint64_t sum = 0;
    for (int i = 0; i < BODIES; i++) {
        double *values = &bodies[i].x;
        for (int k = 0; k < 6; k++) values[k] = (double)(next_random(&seed) % 4096) / 1024.0 - 2.0;
        bodies[i].mass = 0.1 + (double)(next_random(&seed) % 1000) / 1000.0;
    }
    for (uint32_t i = repeat_count(argc, argv, 130); i > 0; i--) {
        for (int k = 0; k < 1000; k++) step(0.001);
        sum = fold_f64(sum, kinetic_energy());
    }
    return report("nbody", sum);
}
