/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notes of a socket on which one call may get several serial numbers, so that a number does not
 * tell the call.  AF_VSOCK: each time that the kernel finds credit of the peer, within one call,
 * it sends what the credit allows and takes the next number; how often is never told.
 *
 * So numbers are only counted.  All calls in flight are done when the socket is QUIET: at least
 * one number a call is noted, no number among those noted is missing, and the kernel holds no
 * option memory for the socket any more.  The last is the proof: every number holds some from its
 * call until its note has been read.  The first two only say when it makes sense to ask.
 *
 * Pure bookkeeping, one thread.
 */
#ifndef ZC_SEND_TALLY_H
#define ZC_SEND_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "send/completion.h"

/* Numbers since the socket was last quiet. */
struct zc_tally {
    uint32_t base;       /* the first of them */
    uint64_t span;       /* from it to the highest that was noted */
    uint64_t noted;      /* how many */
    uint64_t copied_min; /* of the noted */
    uint64_t copied_max;
};

void zc_tally_init(struct zc_tally *tally, uint32_t first_serial);

/* A note: 0, or -EPROTO when it names a number twice or one from before (nothing is recorded). */
int zc_tally_note(struct zc_tally *tally, uint32_t lo, uint32_t hi, enum zc_copied copied);

/* Whether @calls in flight may all be done: the time to ask for the option memory. */
bool zc_tally_may_be_quiet(const struct zc_tally *tally, uint32_t calls);

/*
 * The option memory said that @calls are done: between *@copied_min_out and *@copied_max_out of
 * them were copied, wholly or in part.  The tally starts anew.
 */
void zc_tally_take(struct zc_tally *tally, uint32_t calls, uint32_t *copied_min_out,
                   uint32_t *copied_max_out);

#endif
