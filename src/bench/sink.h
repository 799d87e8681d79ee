/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a connection to its end, or datagrams, and throws them away; in a thread where the sender is
 * in this process. */
#ifndef ZC_BENCH_SINK_H
#define ZC_BENCH_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/*
 * Returns 0 at the end of the stream, or -errno; waits for the peer until @wake_fd (or -1).  Counts
 * into *@reads and *@bytes.
 */
int zc_sink_drain(int fd, int wake_fd, uint64_t *reads, uint64_t *bytes);

/* The calling thread runs on @cpu from now on; -1: anywhere, as before.  0 or -errno. */
int zc_bench_pin(int cpu);

struct zc_sink_thread;

/* Takes over @fd, and closes it when the peer has ended or the thread is stopped. */
struct zc_sink_thread *zc_sink_thread_start(int fd, bool datagrams, int cpu);
/* Ends it, also in the middle. */
void zc_sink_thread_stop(struct zc_sink_thread *thread);

#endif
