/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <poll.h>

#include <glib.h>

#include "base/clock.h"
#include "base/pace.h"

#define CREDIT_NS (10 * ZC_NS_PER_MS)
/* Who is ahead by less does not sleep yet: one sleep for several packets, not one for each. */
#define AHEAD_NS (5 * ZC_NS_PER_MS)

void zc_pace_init(struct zc_pace *pace, uint64_t bytes_per_s)
{
    pace->bytes_per_s = bytes_per_s;
    atomic_init(&pace->free_ns, 0);
}

int64_t zc_pace_reserve(struct zc_pace *pace, uint64_t bytes, int64_t now_ns)
{
    int64_t start, end;

    if (!pace->bytes_per_s) {
        return 0;
    }
    int64_t length = (int64_t)((double)bytes * (double)ZC_NS_PER_S / (double)pace->bytes_per_s);
    int64_t free_ns = atomic_load_explicit(&pace->free_ns, memory_order_relaxed);
    do {
        start = MAX(free_ns, now_ns - CREDIT_NS);
        end = start + length;
    } while (!atomic_compare_exchange_weak_explicit(&pace->free_ns, &free_ns, end,
                                                    memory_order_relaxed, memory_order_relaxed));
    return MAX(start - now_ns, 0);
}

bool zc_pace_wait(struct zc_pace *pace, uint64_t bytes, int wake_fd)
{
    int64_t now_ns = zc_clock_now_ns();
    int64_t ahead_ns = zc_pace_reserve(pace, bytes, now_ns);
    zc_deadline until = ahead_ns < AHEAD_NS ? now_ns : now_ns + ahead_ns;
    struct pollfd wake = { .fd = wake_fd, .events = POLLIN };

    while (until > now_ns) {
        if (poll(&wake, 1, zc_deadline_poll_ms(until, now_ns)) > 0) {
            return false;
        }
        now_ns = zc_clock_now_ns();
    }
    return true;
}
