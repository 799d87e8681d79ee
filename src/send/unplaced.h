/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was sent and is not known to be placed: what a cut connection takes
 * with it.
 *
 *     put ----> current --mark--> marked --placed--> (forgotten)
 *                  |                 |
 *                  +----- lost ------+--> back into the harvest, to be sent again
 *
 * A mark is a barrier behind which a PING went: when its PONG comes, all that
 * was put before it is in the destination's memory.  One mark is on its way at
 * a time.
 *
 * One thread.
 */
#ifndef ZC_SEND_UNPLACED_H
#define ZC_SEND_UNPLACED_H

#include "send/harvest.h"

struct zc_unplaced {
    const struct zc_ram *ram;
    struct zc_bitmap *sets[2]; /* a bitmap a block */
    unsigned int current;
    uint64_t n_current; /* pages that were put since the last mark, some perhaps twice */
    bool is_marked;     /* the other set waits for its PONG */
};

/* @ram outlives it.  Cost: two bits a page. */
void zc_unplaced_init(struct zc_unplaced *unplaced, const struct zc_ram *ram);
void zc_unplaced_clear(struct zc_unplaced *unplaced); /* accepts one that is all zeros */

/* The pages of @range are sent from now on. */
void zc_unplaced_put(struct zc_unplaced *unplaced, const struct zc_range *range);

/* A mark was set behind all that was put; there was none on its way. */
void zc_unplaced_mark(struct zc_unplaced *unplaced);

/* What was put before the mark is placed. */
void zc_unplaced_placed(struct zc_unplaced *unplaced);

/* Gives all that is not known to be placed back into @harvest; how many pages these are. */
uint64_t zc_unplaced_lose(struct zc_unplaced *unplaced, struct zc_harvest *harvest);

#endif
