/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a bench gets to a sink: to one of its own by a way, or to the destination. */
#ifndef ZC_BENCH_WAY_H
#define ZC_BENCH_WAY_H

#include <zcmig/bench.h>

#include "bench/sink.h"
#include "net/addr.h"

/* "ipv4" ... */
const char *zc_bench_way_name(unsigned int way);

/*
 * A connected non-blocking socket, or -1.  @destination (parsed to @addr unless it is udp:) or, when
 * it is NULL, @way; then *@sink_out is to be stopped after the socket was closed.
 */
int zc_bench_connect(const struct zcmig_bench_options *options, const struct zc_addr *addr,
                     unsigned int way, struct zc_sink_thread **sink_out, GError **error);

/* Whether what @options and @way come to are datagrams. */
bool zc_bench_is_datagrams(const struct zcmig_bench_options *options, unsigned int way);

#endif
