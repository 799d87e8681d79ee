/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a range is cut into words; the first and the last of them get a mask.
 * A walk over a range is one loop, and what is done with (word, mask) differs.
 */
#include "config.h"

#include "mem/bitmap.h"

#define TABLE_WORDS (ZC_BITMAP_TABLE_PAGES / 64)

/* The bits of word @word that belong to pages [first, end). */
static uint64_t word_mask(uint64_t word, uint64_t first, uint64_t end)
{
    uint64_t mask = UINT64_MAX;

    if (word == first / 64) {
        mask &= UINT64_MAX << (first % 64);
    }
    if (word == end / 64) {
        mask &= (UINT64_C(1) << (end % 64)) - 1;
    }
    return mask;
}

static inline uint64_t popcount(uint64_t bits)
{
    return (uint64_t)__builtin_popcountll(bits);
}

void zc_bitmap_init(struct zc_bitmap *bitmap, uint64_t n_pages)
{
    bitmap->words = g_new0(uint64_t, zc_bitmap_words(n_pages) + 1);
    bitmap->n_pages = n_pages;
}

void zc_bitmap_clear(struct zc_bitmap *bitmap)
{
    g_clear_pointer(&bitmap->words, g_free);
    bitmap->n_pages = 0;
}

uint64_t zc_bitmap_set_range(struct zc_bitmap *bitmap, uint64_t first, uint64_t n_pages)
{
    uint64_t end = first + n_pages;
    uint64_t changed = 0;

    for (uint64_t word = first / 64; word * 64 < end; word++) {
        uint64_t mask = word_mask(word, first, end);
        changed += popcount(mask & ~bitmap->words[word]);
        bitmap->words[word] |= mask;
    }
    return changed;
}

uint64_t zc_bitmap_clear_range(struct zc_bitmap *bitmap, uint64_t first, uint64_t n_pages)
{
    uint64_t end = first + n_pages;
    uint64_t changed = 0;

    for (uint64_t word = first / 64; word * 64 < end; word++) {
        uint64_t mask = word_mask(word, first, end);
        changed += popcount(mask & bitmap->words[word]);
        bitmap->words[word] &= ~mask;
    }
    return changed;
}

uint64_t zc_bitmap_count_range(const struct zc_bitmap *bitmap, uint64_t first, uint64_t n_pages)
{
    uint64_t end = first + n_pages;
    uint64_t count = 0;

    for (uint64_t word = first / 64; word * 64 < end; word++) {
        count += popcount(bitmap->words[word] & word_mask(word, first, end));
    }
    return count;
}

uint64_t zc_bitmap_count_runs(const struct zc_bitmap *bitmap)
{
    uint64_t count = 0, before = 0; /* the last bit of the word before */

    for (uint64_t word = 0; word * 64 < bitmap->n_pages; word++) {
        uint64_t bits = bitmap->words[word];
        count += popcount(bits & ~(bits << 1 | before));
        before = bits >> 63;
    }
    return count;
}

uint64_t zc_bitmap_count_tables(const struct zc_bitmap *bitmap)
{
    const uint64_t n_words = zc_bitmap_words(bitmap->n_pages);
    uint64_t count = 0;

    for (uint64_t first = 0; first < n_words; first += TABLE_WORDS) {
        uint64_t any = 0;
        for (uint64_t word = first; word < MIN(first + TABLE_WORDS, n_words); word++) {
            any |= bitmap->words[word];
        }
        count += any != 0;
    }
    return count;
}

/* The first page at or after @from whose bit differs from the bits of @background; or the end. */
static uint64_t find_change(const struct zc_bitmap *bitmap, uint64_t from, uint64_t background)
{
    uint64_t skip = from % 64;

    for (uint64_t word = from / 64; word * 64 < bitmap->n_pages; word++) {
        uint64_t bits = (bitmap->words[word] ^ background) & (UINT64_MAX << skip);
        if (bits) {
            return MIN(word * 64 + (uint64_t)__builtin_ctzll(bits), bitmap->n_pages);
        }
        skip = 0;
    }
    return bitmap->n_pages;
}

uint64_t zc_bitmap_next_run(const struct zc_bitmap *bitmap, uint64_t from, uint64_t *first_out)
{
    uint64_t first = from < bitmap->n_pages ? find_change(bitmap, from, 0) : bitmap->n_pages;

    if (first == bitmap->n_pages) {
        return 0;
    }
    *first_out = first;
    return find_change(bitmap, first, UINT64_MAX) - first;
}

void zc_bitmap_set_page_atomic(struct zc_bitmap *bitmap, uint64_t page)
{
    /* release: pairs with the exchange below, so that who takes the bit sees the page written */
    __atomic_fetch_or(&bitmap->words[page / 64], UINT64_C(1) << (page % 64), __ATOMIC_RELEASE);
}

uint64_t zc_bitmap_take_range_atomic(struct zc_bitmap *from, uint64_t first, uint64_t n_pages,
                                     struct zc_bitmap *into)
{
    uint64_t end = first + n_pages;
    uint64_t count = 0;

    for (uint64_t word = first / 64; word * 64 < end; word++) {
        uint64_t mask = word_mask(word, first, end);
        if (!(__atomic_load_n(&from->words[word], __ATOMIC_RELAXED) & mask)) {
            continue;
        }
        /* acquire: pairs with the setter's release, before the caller reads the page */
        uint64_t taken = __atomic_fetch_and(&from->words[word], ~mask, __ATOMIC_ACQ_REL) & mask;
        into->words[word] |= taken;
        count += popcount(taken);
    }
    return count;
}

void zc_bitmap_copy_range_atomic(const struct zc_bitmap *from, uint64_t first, uint64_t n_pages,
                                 struct zc_bitmap *into)
{
    uint64_t end = first + n_pages;

    for (uint64_t word = first / 64; word * 64 < end; word++) {
        into->words[word] |=
            __atomic_load_n(&from->words[word], __ATOMIC_ACQUIRE) & word_mask(word, first, end);
    }
}
