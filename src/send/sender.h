/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The channel threads of a source: page ranges in, packets out.
 *
 * One queue feeds all channels.  Whoever is idle takes the next range, cuts it
 * into packets, and sends them; so a page is on one channel only within an
 * iteration.  zc_sender_sync ends the iteration: every channel sends SYNC
 * behind its last page and drains, and only when all have done so does the
 * caller go on.  That is the second of the four orders.  What drains a channel
 * depends on the route (send/route.h).
 *
 *     caller            queue             channel threads
 *     put(range) ----> [ r r r ] --take-> fill batch -> send -> (give range back)
 *     sync()     ----> [ s s s ] --take-> SYNC, drain, wait for the others
 *
 * Without sockets (destination null:) the threads do all but send.
 */
#ifndef ZC_SEND_SENDER_H
#define ZC_SEND_SENDER_H

#include "base/cause.h"
#include "base/pace.h"
#include "guest/guest.h"
#include "mem/bitmap.h"
#include "mem/manifest.h"
#include "send/channel.h"
#include "send/route.h"

struct zc_sender_options {
    const int *fds;              /* of the channels, connected, init packet sent; -1: null */
    unsigned int n_channels;     /* at least 1 */
    unsigned int packet_pages;   /* 1 to ZC_MULTIFD_PAGES */
    bool merge;                  /* neighbouring pages in one iovec */
    const struct zc_route *route;
    enum zc_zerocopy_mode mode;  /* where the route can */
    enum zc_engine_kind engine;  /* likewise */
    struct zc_budget *budget;
    struct zc_pace *pace;        /* shared with nobody else but the main stream */
    struct zc_source *source;
    struct zc_manifest *manifest; /* filled on the way; NULL: no digests */
    struct zc_bitmap *zeros; /* one a block: zero pages are set there and not put in packets; or NULL */
    struct zc_cause *cause;      /* where failures go, and what ends all waits */
    int64_t stall_timeout_ms;    /* the peer takes nothing for so long */
};

/* What a channel has done; a copy of one moment. */
struct zc_sender_counters {
    struct zc_channel_counters channel;
    uint64_t normal_pages;
    uint64_t zero_pages;
    const char *reason; /* why not zero-copy; static text */
    const char *engine; /* what is used; static text, as is why not the one asked for */
    const char *engine_reason;
};

struct zc_sender;

/* Makes the channels and starts their threads.  Options are copied; what they point to is not. */
struct zc_sender *zc_sender_start(const struct zc_sender_options *options, GError **error);

/*
 * Says that about @n_pages are to be put, all counted, so that the last of them are shared out evenly
 * among the channels.  Optional; holds for what is put after it.
 */
void zc_sender_expect(struct zc_sender *sender, uint64_t n_pages);

/*
 * Hands over any number of pages of one block; they may wait for company until zc_sender_sync.
 * Waits for room in the queue.  False: see cause.
 */
bool zc_sender_put(struct zc_sender *sender, const struct zc_range *range);

/* Ends the iteration: true when every page put before is sent and every call completed. */
bool zc_sender_sync(struct zc_sender *sender);

/* Joins the threads (at once when the cause is set), returns their CPU time in ns. */
int64_t zc_sender_stop(struct zc_sender *sender);
void zc_sender_free(struct zc_sender *sender); /* stopped, or NULL */

/* Any thread, until free. */
void zc_sender_get_counters(struct zc_sender *sender, unsigned int index,
                            struct zc_sender_counters *out);

#endif
