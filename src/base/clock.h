/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Time and deadlines.  Every wait in zcmig ends at a deadline: a point on
 * CLOCK_MONOTONIC in nanoseconds, so that a wait that is resumed after a
 * signal or a spurious wake-up does not start over.
 */
#ifndef ZC_BASE_CLOCK_H
#define ZC_BASE_CLOCK_H

#include <stdint.h>

#define ZC_NS_PER_MS 1000000LL
#define ZC_NS_PER_S 1000000000LL

/* Nanoseconds on CLOCK_MONOTONIC; ZC_DEADLINE_NEVER waits for ever. */
typedef int64_t zc_deadline;
#define ZC_DEADLINE_NEVER INT64_MAX

int64_t zc_clock_now_ns(void);

/* CPU time in ns that the calling thread has used, user and system together. */
int64_t zc_clock_thread_cpu_ns(void);

/* @ms from @now_ns; a negative @ms means never. */
zc_deadline zc_deadline_after(int64_t now_ns, int64_t ms);

/* The same from the present moment. */
zc_deadline zc_deadline_in(int64_t ms);

/* Milliseconds left, rounded up, for poll(2): 0 when passed, -1 when never, at most INT_MAX. */
int zc_deadline_poll_ms(zc_deadline deadline, int64_t now_ns);

#endif
