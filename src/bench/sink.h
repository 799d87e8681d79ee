/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a connection to its end and throws it away; in a thread where the sender is in this
 * process. */
#ifndef ZC_BENCH_SINK_H
#define ZC_BENCH_SINK_H

#include "base/clock.h"

/* Returns 0 at the end of the stream, or -errno; waits for the peer until @wake_fd (or -1). */
int zc_sink_drain(int fd, int wake_fd);

struct zc_sink_thread;

/* Takes over @fd, and closes it when the peer has ended. */
struct zc_sink_thread *zc_sink_thread_start(int fd);
/* Ends it, also in the middle. */
void zc_sink_thread_stop(struct zc_sink_thread *thread);

#endif
