/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A batch: the pages of one packet between page range and channel.  Zero pages
 * are found here, so that none crosses the wire, and neighbours become one
 * iovec, so that the kernel walks fewer.
 *
 *     range   | 1 2 0 3 0 4 5 |          pages of one block, 0: all zero
 *     header  normal 1 2 3 4 5, zero 0 0 (their offsets)
 *     iovecs  |1 2| |3| |4 5|            borrowed from the guest, not copied
 *
 * One thread; no allocation.
 */
#ifndef ZC_SEND_BATCH_H
#define ZC_SEND_BATCH_H

#include <sys/uio.h>

#include "mem/block.h"
#include "mem/manifest.h"
#include "wire/multifd.h"

struct zc_batch {
    struct zc_multifd_packet packet;
    struct iovec pages[ZC_MULTIFD_PAGES];
    unsigned int n_iovs;
    uint64_t zero_offsets[ZC_MULTIFD_PAGES]; /* until zc_batch_end */
};

/* Empties @batch: pages of @block come next. */
void zc_batch_begin(struct zc_batch *batch, const struct zc_block *block);

/*
 * Adds the pages of @range, which is of that block and fits: at most ZC_MULTIFD_PAGES in all.
 * @merge: neighbours in one iovec.  @manifest: takes the digest of each page while it is in the
 * cache, which is right only for a source that stands still; NULL: none.
 */
void zc_batch_add(struct zc_batch *batch, const struct zc_ram *ram, const struct zc_range *range,
                  bool merge, struct zc_manifest *manifest);

/* The packet is whole: zero pages behind the normal ones. */
void zc_batch_end(struct zc_batch *batch);

static inline uint32_t zc_batch_pages(const struct zc_batch *batch)
{
    return batch->packet.n_normal + batch->packet.n_zero;
}

/* All three, for one range. */
void zc_batch_fill(struct zc_batch *batch, const struct zc_ram *ram, const struct zc_range *range,
                   bool merge, struct zc_manifest *manifest);

/* Makes @batch a SYNC packet: no pages, the receiver's barrier. */
void zc_batch_fill_sync(struct zc_batch *batch);

#endif
