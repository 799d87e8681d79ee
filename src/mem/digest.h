/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One page, one 64-bit digest (XXH3-64 by libxxhash, which picks the widest
 * vectors of the CPU at run time).  Zero pages have a constant, so they are
 * never read for it.  A digest of 0 means "no page": the one value in 2^64
 * that XXH3 would give is moved to 1.
 *
 * XXH3 is not a cryptographic hash: it finds faults, not attackers.
 */
#ifndef ZC_MEM_DIGEST_H
#define ZC_MEM_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/block.h"

#define ZC_DIGEST_NONE UINT64_C(0)

/* XXH3-64, seed 0, of ZC_PAGE_BYTES zero bytes; tests/unit/mem-digest.c checks it. */
#define ZC_DIGEST_ZERO_PAGE UINT64_C(0x93d76fe148c689ba)

/* Digest of the ZC_PAGE_BYTES at @page.  Never ZC_DIGEST_NONE. */
uint64_t zc_digest_page(const void *page);

/* XXH3-64 of any bytes: for checking a manifest's own file. */
uint64_t zc_digest_bytes(const void *bytes, size_t length);

/* Whether the ZC_PAGE_BYTES at @page are all zero.  @page is 64-byte aligned. */
bool zc_page_is_zero_throughout(const void *page);

/*
 * The word of a page that is looked at first: most pages with data show it in any word, so this is
 * the one cache line of them that the zero test touches, and who knows the next pages can prefetch
 * it.  It is in another line for each of 64 neighbours: the first lines of all pages share one set
 * of the L1 cache and a few of the L2, where they would wait for, and evict, each other.
 */
static inline const uint64_t *zc_page_probe(const void *page)
{
    const size_t line_words = 64 / sizeof(uint64_t);

    return (const uint64_t *)page + (uintptr_t)page / ZC_PAGE_BYTES * 5 % 64 * line_words;
}

/* The same as zc_page_is_zero_throughout, for pages of which most have data. */
static inline bool zc_page_is_zero(const void *page)
{
    return *zc_page_probe(page) == 0 && zc_page_is_zero_throughout(page);
}

#endif
