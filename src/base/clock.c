/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <limits.h>
#include <time.h>

#include "base/clock.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return ts.tv_sec * ZC_NS_PER_S + ts.tv_nsec;
}

int64_t zc_clock_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t zc_clock_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

zc_deadline zc_deadline_after(int64_t now_ns, int64_t ms)
{
    int64_t at;

    if (ms < 0 || __builtin_mul_overflow(ms, ZC_NS_PER_MS, &at) ||
        __builtin_add_overflow(at, now_ns, &at)) {
        return ZC_DEADLINE_NEVER;
    }
    return at;
}

zc_deadline zc_deadline_in(int64_t ms)
{
    return zc_deadline_after(zc_clock_now_ns(), ms);
}

int zc_deadline_poll_ms(zc_deadline deadline, int64_t now_ns)
{
    if (deadline == ZC_DEADLINE_NEVER) {
        return -1;
    }
    if (deadline <= now_ns) {
        return 0;
    }
    /* Rounded up, so that a wait never ends a moment early and spins. */
    int64_t ms = (deadline - now_ns - 1) / ZC_NS_PER_MS + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}
