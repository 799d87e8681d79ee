/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where pages land: makes memory resident just ahead of the data, keeps what
 * each page is known to be, and digests what arrived.
 *
 *     untouched --prepare--> resident --zero--> untouched
 *
 * An untouched page is zero by nature and costs no memory.  One byte a page
 * says which it is, so that later iterations do not pay for populating again;
 * channels write bytes of different pages, so they need no lock.
 *
 * Threads: any number, each with pages of its own.  Who looks at the digests
 * of others must have joined them or met them at the barrier.
 */
#ifndef ZC_RECV_PLACE_H
#define ZC_RECV_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "guest/guest.h"
#include "mem/block.h"
#include "mem/manifest.h"

struct zc_place {
    /* set before start */
    const struct zc_ram *ram; /* its blocks have their memory */
    struct zc_store *store;
    bool populate;
    /* owned */
    struct zc_manifest *arrival; /* NULL: digests are not wanted */
    uint8_t **resident;          /* a byte a page, for each block */
};

/* @record: keep digests of what arrives.  Errors: ZCMIG_ERROR_LIMIT. */
bool zc_place_init(struct zc_place *place, const struct zc_ram *ram, struct zc_store *store,
                   bool record, bool populate, GError **error);
void zc_place_clear(struct zc_place *place); /* accepts one that is all zeros */

/*
 * Ahead of the data: 0, or -errno of the store (-ENOSPC, -ENOMEM, ...).  @by_hand: the pages will be
 * written by us and not by the kernel, which knows an error where we get a signal: they are
 * populated whatever the option says.
 */
int zc_place_prepare(struct zc_place *place, uint32_t block, uint64_t first_page, uint64_t n_pages,
                     bool by_hand);

/* The page's content is in memory. */
void zc_place_arrived(struct zc_place *place, uint32_t block, uint64_t page);

/* Whether content goes to the store by zc_place_write: at less cost than in place, or only so. */
bool zc_place_wants_whole_pages(const struct zc_place *place);

/* Where a page is in its block, and what it is to hold. */
struct zc_place_page {
    uint64_t page;
    const uint8_t *content;
};

#define ZC_PLACE_WRITE_MAX 128u

/* Stores and digests @n pages, at most ZC_PLACE_WRITE_MAX.  0 or -errno of the store. */
int zc_place_write(struct zc_place *place, uint32_t block, const struct zc_place_page *pages,
                   uint32_t n);

/* The source says that these pages are zero.  0 or -errno of the store. */
int zc_place_zero(struct zc_place *place, uint32_t block, uint64_t first_page, uint64_t n_pages);

#endif
