/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: overlaps are found by counting: the noted numbers can never be more
 * than those between the first and the highest.  What numbers say of calls is
 * the worst case of how they may be spread over them: all that are more than
 * one a call may belong to one call.
 */
#include "config.h"

#include <errno.h>

#include <glib.h>

#include "send/tally.h"

void zc_tally_init(struct zc_tally *tally, uint32_t first_serial)
{
    *tally = (struct zc_tally){ .base = first_serial };
}

int zc_tally_note(struct zc_tally *tally, uint32_t lo, uint32_t hi, enum zc_copied copied)
{
    uint64_t numbers = (uint64_t)(hi - lo) + 1;
    uint64_t span = MAX(tally->span, (uint64_t)(lo - tally->base) + numbers);

    if (span > INT32_MAX || tally->noted + numbers > span) {
        return -EPROTO;
    }
    tally->span = span;
    tally->noted += numbers;
    tally->copied_min += copied == ZC_COPIED_YES;
    tally->copied_max += numbers - (copied == ZC_COPIED_NO);
    return 0;
}

bool zc_tally_may_be_quiet(const struct zc_tally *tally, uint32_t calls)
{
    return calls > 0 && tally->noted >= calls && tally->noted == tally->span;
}

void zc_tally_take(struct zc_tally *tally, uint32_t calls, uint32_t *copied_min_out,
                   uint32_t *copied_max_out)
{
    uint64_t beyond = tally->noted - calls; /* numbers that are more than one a call */
    uint64_t min = tally->copied_min > beyond ? tally->copied_min - beyond : tally->copied_min > 0;

    *copied_min_out = (uint32_t)min;
    *copied_max_out = (uint32_t)MIN(tally->copied_max, calls);
    zc_tally_init(tally, tally->base + (uint32_t)tally->span);
}
