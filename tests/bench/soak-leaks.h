/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process that lives long must not collect. */
#ifndef ZC_TESTS_SOAK_LEAKS_H
#define ZC_TESTS_SOAK_LEAKS_H

#include <stdint.h>

struct soak_resources {
    unsigned int fds;
    unsigned int threads;
    unsigned int children;
    unsigned int mappings;
    uint64_t heap_bytes; /* in use, of malloc */
    uint64_t anon_bytes; /* resident, after free memory was given back */
};

void soak_resources_take(struct soak_resources *resources);

/*
 * NULL, or what is left over of @before at @now (the caller frees): descriptors, threads and
 * children, which all have to be gone when a migration is over.  A thread that was joined may take
 * a moment to vanish, and is given it.
 */
char *soak_resources_compare(const struct soak_resources *before, struct soak_resources *now);

/* The course of mappings, heap and memory over the migrations: what only grows is a leak. */
struct soak_trend {
    unsigned int n;
    unsigned int n_expected;
    struct soak_resources early; /* the least of the second quarter */
    struct soak_resources late;  /* the least of the last quarter */
};

void soak_trend_add(struct soak_trend *trend, const struct soak_resources *now);
/* NULL, or which of them grew (the caller frees).  Of less than 40 migrations nothing is said. */
char *soak_trend_judge(const struct soak_trend *trend);

#endif
