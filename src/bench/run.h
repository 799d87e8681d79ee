/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One run: so many bytes in chunks through a channel on a connected socket, and what it cost. */
#ifndef ZC_BENCH_RUN_H
#define ZC_BENCH_RUN_H

#include <zcmig/bench.h>

#include "send/channel.h"

struct zc_bench_load {
    const uint8_t *memory;
    uint64_t memory_bytes; /* at least a chunk */
    bool datagrams;
    struct zc_budget *budget;
    const struct zcmig_bench_options *options;
};

/*
 * Fills in the figures of @row, whose chunk_bytes say how large a call is.  @fd is connected,
 * non-blocking, and closed by the peer when it has read all.
 */
bool zc_bench_run_once(int fd, enum zc_engine_kind engine, const struct zc_bench_load *load,
                       struct zcmig_bench_row *row, GError **error);

#endif
