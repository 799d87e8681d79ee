/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dirty pages of one block, a bit a page: bit p % 64 of word p / 64.
 *
 * A bitmap has one owner at a time and no lock.  Only the two _atomic calls
 * may run beside each other (vCPUs set, a tracker takes), and only on @from of
 * the second: no bit that is set while another thread takes is lost.
 */
#ifndef ZC_MEM_BITMAP_H
#define ZC_MEM_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

struct zc_bitmap {
    uint64_t *words; /* bits from n_pages on are 0 */
    uint64_t n_pages;
};

static inline uint64_t zc_bitmap_words(uint64_t n_pages)
{
    return n_pages / 64 + (n_pages % 64 != 0);
}

/* All bits 0.  An embedder that has words of its own fills in the struct and never clears it. */
void zc_bitmap_init(struct zc_bitmap *bitmap, uint64_t n_pages);
void zc_bitmap_clear(struct zc_bitmap *bitmap); /* frees the words; not: clears bits */

/* Ranges of the calls below lie inside the bitmap; an empty range is allowed. */

static inline bool zc_bitmap_test(const struct zc_bitmap *bitmap, uint64_t page)
{
    return bitmap->words[page / 64] >> (page % 64) & 1;
}

/* Returns how many of the pages were not set before. */
uint64_t zc_bitmap_set_range(struct zc_bitmap *bitmap, uint64_t first, uint64_t n_pages);

/* Returns how many of the pages were set. */
uint64_t zc_bitmap_clear_range(struct zc_bitmap *bitmap, uint64_t first, uint64_t n_pages);

uint64_t zc_bitmap_count_range(const struct zc_bitmap *bitmap, uint64_t first, uint64_t n_pages);

static inline uint64_t zc_bitmap_count(const struct zc_bitmap *bitmap)
{
    return zc_bitmap_count_range(bitmap, 0, bitmap->n_pages);
}

/* How many runs of set pages there are. */
uint64_t zc_bitmap_count_runs(const struct zc_bitmap *bitmap);

#define ZC_BITMAP_TABLE_PAGES 512u /* that one page table of x86 or arm64 spans */

/* How many stretches of as many pages as a page table spans have any set. */
uint64_t zc_bitmap_count_tables(const struct zc_bitmap *bitmap);

/*
 * The next run of set pages at or after @from: its length in pages and *@first_out, or 0 when
 * there is none.  Cost: a word of zeros or ones at a time.
 */
uint64_t zc_bitmap_next_run(const struct zc_bitmap *bitmap, uint64_t from, uint64_t *first_out);

/* Sets one bit beside other threads that set or take.  The write it tells of comes before. */
void zc_bitmap_set_page_atomic(struct zc_bitmap *bitmap, uint64_t page);

/*
 * Moves the set bits of a range from @from, where other threads set bits meanwhile, to @into,
 * which is the caller's.  Each bit is cleared in the step that reads it.  Returns how many.
 */
uint64_t zc_bitmap_take_range_atomic(struct zc_bitmap *from, uint64_t first, uint64_t n_pages,
                                     struct zc_bitmap *into);

/* Likewise, but the bits stay set, and are not counted. */
void zc_bitmap_copy_range_atomic(const struct zc_bitmap *from, uint64_t first, uint64_t n_pages,
                                 struct zc_bitmap *into);

#endif
