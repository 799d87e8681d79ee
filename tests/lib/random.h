/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers that a seed repeats: splitmix64. */
#ifndef ZC_TESTS_RANDOM_H
#define ZC_TESTS_RANDOM_H

#include <stdint.h>

struct zc_random {
    uint64_t state;
};

static inline void zc_random_init(struct zc_random *random, uint64_t seed)
{
    random->state = seed;
}

static inline uint64_t zc_random_next(struct zc_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 to @limit - 1. */
static inline uint64_t zc_random_below(struct zc_random *random, uint64_t limit)
{
    return zc_random_next(random) % limit;
}

#endif
