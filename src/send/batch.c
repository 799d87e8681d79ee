/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: with zero-copy the only bytes of most pages that the sender touches
 * are the word that shows that the page is not zero.  It is cold, and no CPU
 * fetches ahead beyond the end of a page by itself; so we do, many pages
 * ahead: the loads of a part of a packet are under way before the first of
 * them is looked at.
 */
#include "config.h"

#include <string.h>

#include "send/batch.h"

#define PAGES_AHEAD 32u /* twice what CPUs keep in flight: none of them ever waits for us */

static void add_iov(struct zc_batch *batch, uint8_t *page, bool merge)
{
    if (merge && batch->n_iovs) {
        struct iovec *last = &batch->pages[batch->n_iovs - 1];
        if ((uint8_t *)last->iov_base + last->iov_len == page) {
            last->iov_len += ZC_PAGE_BYTES;
            return;
        }
    }
    batch->pages[batch->n_iovs++] = (struct iovec){ page, ZC_PAGE_BYTES };
}

void zc_batch_begin(struct zc_batch *batch, const struct zc_block *block)
{
    batch->packet.flags = 0;
    batch->packet.n_normal = 0;
    batch->packet.n_zero = 0;
    memcpy(batch->packet.block, block->name, sizeof(batch->packet.block));
    batch->n_iovs = 0;
}

void zc_batch_add(struct zc_batch *batch, const struct zc_ram *ram, const struct zc_range *range,
                  bool merge, struct zc_manifest *manifest)
{
    const struct zc_block *block = &ram->blocks[range->block];
    uint8_t *page = block->host + range->first_page * ZC_PAGE_BYTES;
    uint64_t offset = range->first_page * ZC_PAGE_BYTES;
    uint64_t *digests = manifest ? manifest->blocks[range->block].digests + range->first_page : NULL;
    struct zc_multifd_packet *packet = &batch->packet;

    g_assert(zc_batch_pages(batch) + range->n_pages <= ZC_MULTIFD_PAGES);
    for (uint32_t i = 1; i < MIN(PAGES_AHEAD, range->n_pages) && !range->known_zero; i++) {
        __builtin_prefetch(zc_page_probe(page + (size_t)i * ZC_PAGE_BYTES));
    }
    for (uint32_t i = 0; i < range->n_pages; i++, page += ZC_PAGE_BYTES, offset += ZC_PAGE_BYTES) {
        if (i + PAGES_AHEAD < range->n_pages && !range->known_zero) {
            __builtin_prefetch(zc_page_probe(page + (size_t)PAGES_AHEAD * ZC_PAGE_BYTES));
        }
        bool is_zero = range->known_zero || zc_page_is_zero(page);
        if (is_zero) {
            batch->zero_offsets[packet->n_zero++] = offset;
        } else {
            packet->offsets[packet->n_normal++] = offset;
            add_iov(batch, page, merge);
        }
        if (digests) {
            digests[i] = is_zero ? ZC_DIGEST_ZERO_PAGE : zc_digest_page(page);
        }
    }
}

void zc_batch_end(struct zc_batch *batch)
{
    memcpy(batch->packet.offsets + batch->packet.n_normal, batch->zero_offsets,
           batch->packet.n_zero * sizeof(batch->zero_offsets[0]));
}

void zc_batch_fill(struct zc_batch *batch, const struct zc_ram *ram, const struct zc_range *range,
                   bool merge, struct zc_manifest *manifest)
{
    zc_batch_begin(batch, &ram->blocks[range->block]);
    zc_batch_add(batch, ram, range, merge, manifest);
    zc_batch_end(batch);
}

void zc_batch_fill_sync(struct zc_batch *batch)
{
    batch->packet.flags = ZC_MULTIFD_SYNC;
    batch->packet.n_normal = 0;
    batch->packet.n_zero = 0;
    batch->packet.block[0] = '\0';
    batch->n_iovs = 0;
}
