/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first arrow of a live source: dirty bits -> page ranges.
 *
 *     tracker --take--> bitmap of each block --give--> runs of pages, bits cleared
 *
 * Take clears what the tracker knows before any of these pages is read, so a
 * page that is written later is told again (the first of the four orders).
 * What was taken and not given yet stays, so that several takes add up.  Of a
 * guest that is stopped a peek tells the same, for less.
 *
 * One thread.
 */
#ifndef ZC_SEND_HARVEST_H
#define ZC_SEND_HARVEST_H

#include "guest/track.h"
#include "mem/bitmap.h"
#include "send/iterate.h"

struct zc_harvest {
    const struct zc_ram *ram;
    struct zc_bitmap *blocks;
    uint64_t n_pages; /* that are set */
};

/* @ram outlives it. */
void zc_harvest_init(struct zc_harvest *harvest, const struct zc_ram *ram);
void zc_harvest_clear(struct zc_harvest *harvest);

/* Adds what @tracker tells.  Returns 0, or -errno of zc_tracker_harvest. */
int zc_harvest_take(struct zc_harvest *harvest, struct zc_tracker *tracker);

/* Likewise, of a guest that is stopped: @tracker keeps it (guest/track.h). */
int zc_harvest_peek(struct zc_harvest *harvest, struct zc_tracker *tracker);

/* A peek that tells nothing: for how long one takes. */
int zc_harvest_walk(struct zc_harvest *harvest, struct zc_tracker *tracker);

/* All pages, as if they had been told: where what was given must be known by the bitmap. */
void zc_harvest_fill(struct zc_harvest *harvest);

/* Runs of neighbours among the pages, and page tables that they are in (mem/bitmap.h). */
void zc_harvest_count(const struct zc_harvest *harvest, uint64_t *runs_out, uint64_t *tables_out);

/* Gives every run to @fn, its bits cleared before.  False when @fn stopped it. */
bool zc_harvest_give(struct zc_harvest *harvest, zc_iterate_fn fn, void *data);

/* What @fn was given and did not use.  It may be called from there. */
void zc_harvest_give_back(struct zc_harvest *harvest, const struct zc_range *range);

#endif
