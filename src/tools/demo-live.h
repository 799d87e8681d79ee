/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The demo of a live migration: a guest that keeps writing moves from one process to another. */
#ifndef ZC_TOOLS_DEMO_LIVE_H
#define ZC_TOOLS_DEMO_LIVE_H

#include <stdbool.h>
#include <stdint.h>

enum zc_demo_route {
    ZC_DEMO_TCP,
    ZC_DEMO_PULL,
    ZC_DEMO_MEMFD,
};

struct zc_demo_live_options {
    enum zc_demo_route route;
    uint64_t memory_bytes;
    const char *dirty; /* as guest: takes them; they are checked there */
    const char *pattern;
    const char *writers;
    const char *downtime_limit; /* as zcmig send takes these */
    const char *max_bandwidth;  /* NULL: no limit */
    const char *channels;       /* NULL: its default */
    const char *verify;
    bool json;
    bool quiet;
};

/* What it takes when nobody says: 1 GiB, or less where two of it would not fit. */
uint64_t zc_demo_live_default_memory(void);

/* All of it, printed; the exit code. */
int zc_demo_live_run(const struct zc_demo_live_options *options);

#endif
