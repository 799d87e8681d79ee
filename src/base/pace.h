/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A rate limit shared by threads without a lock.  Each packet reserves its
 * stretch of time on one line; who reserved a stretch in the future waits
 * until then.  Time that nobody used is lost, save for a short credit, so a
 * pause is not followed by a burst.
 */
#ifndef ZC_BASE_PACE_H
#define ZC_BASE_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct zc_pace {
    uint64_t bytes_per_s;     /* set before start; 0: no limit */
    _Atomic int64_t free_ns;  /* from when on the line is free */
};

void zc_pace_init(struct zc_pace *pace, uint64_t bytes_per_s);

/* Reserves @bytes at @now_ns.  Returns how many ns to wait before sending them; 0: none. */
int64_t zc_pace_reserve(struct zc_pace *pace, uint64_t bytes, int64_t now_ns);

/*
 * Reserves @bytes and waits for their time, unless that is less than 5 ms ahead: then what comes
 * later waits for it too.  False when @wake_fd turned readable first.
 */
bool zc_pace_wait(struct zc_pace *pace, uint64_t bytes, int wake_fd);

#endif
