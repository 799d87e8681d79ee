/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages on the main stream, for a peer with one connection only: each page
 * behind a record header of its own, so nothing merges and nothing is worth
 * sending by zero-copy.  The channel underneath copies.
 *
 * One thread: the session's own, between a section's header and its EOS.
 */
#ifndef ZC_SEND_PLAIN_H
#define ZC_SEND_PLAIN_H

#include "guest/guest.h"
#include "mem/manifest.h"
#include "send/channel.h"

#define ZC_PLAIN_PAGES_MAX 64 /* in one call: two iovecs each */

struct zc_plain;

/* All pointers are borrowed.  @manifest as in zc_batch_fill. */
struct zc_plain *zc_plain_new(struct zc_channel *channel, struct zc_source *source,
                              struct zc_manifest *manifest);
void zc_plain_free(struct zc_plain *plain); /* accepts NULL */

/*
 * Sends the pages of @range, at most ZC_PLAIN_PAGES_MAX.  Counts into *@n_normal and *@n_zero.
 * Returns 0 or what zc_channel_send returned.
 */
int zc_plain_send(struct zc_plain *plain, const struct zc_range *range, zc_deadline deadline,
                  uint32_t *n_normal, uint32_t *n_zero);

#endif
