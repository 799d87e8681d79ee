/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the source's end: what outgoing.c (its life), outgoing-stream.c
 * (what it says on the main stream) and precopy.c (the same of a live guest)
 * share.
 */
#ifndef ZC_SESSION_OUTGOING_H
#define ZC_SESSION_OUTGOING_H

#include "base/clock.h"
#include "guest/snapshot.h"
#include "net/addr.h"
#include "send/plain.h"
#include "send/sender.h"
#include "session/return-path.h"
#include "session/session.h"

#define ZC_OUTGOING_LAST_WORDS_MS                                                                  \
    1000 /* how long a broken session listens for the peer's reason                                \
          */

struct zc_outgoing {
    zcmig_session session;
    /* set before start */
    struct zcmig_send_options options; /* its strings are not kept */
    struct zc_addr destination;
    struct zc_source *source;
    uint8_t uuid[16];
    struct zc_budget budget;
    struct zc_pace pace;
    /* the caller's thread only */
    int main_fd;
    int fds[ZCMIG_CHANNELS_MAX];
    struct zc_manifest *manifest;
    struct zc_return_path *return_path;
    struct zc_plain *plain;
    GByteArray *out; /* what the main stream says next */
    struct zc_bitmap
        *zeros; /* one a block: of channels to a QEMU; NULL: zero pages go in packets */
    bool peer_is_zcmig;
    bool has_ptracer;    /* of the route pull: the destination was named to Yama */
    bool keeps;          /* so does the destination: the session outlives its connections */
    uint8_t secret[16];  /* by which the destination knows us again */
    uint64_t n_barriers; /* that the destination is known to have passed */
    int64_t past_cpu_ns; /* of threads that were joined before the end */
    /* atomic; writer: the caller's thread */
    _Atomic uint64_t main_bytes;
    _Atomic uint64_t plain_normal;
    _Atomic uint64_t plain_zero;
    /* under lock: threads that ask for figures look at these while run() makes and frees them */
    GMutex lock;
    struct zc_sender *sender;
    struct zc_channel *plain_channel;
    struct zcmig_live_stats live; /* writer: the caller's thread */
    /* of channels that were cut: added to those that are there */
    struct zcmig_channel_stats past[ZCMIG_CHANNELS_MAX];
    uint64_t past_normal;
    uint64_t past_zero;
    uint64_t iteration_pages; /* of the iteration that runs, to be sent */
    uint64_t pages_before;    /* sent when it began */
};

/* Makes @error the session's, unless it has one. */
void zc_outgoing_fail(struct zc_outgoing *out, GError *error);

static inline zc_deadline zc_outgoing_stall_deadline(const struct zc_outgoing *out)
{
    return zc_deadline_in(out->options.stall_timeout_ms);
}

/* ---- outgoing.c: connections and threads.  False: reported */

bool zc_outgoing_connect_main(struct zc_outgoing *out, zc_deadline deadline);
bool zc_outgoing_connect_channels(struct zc_outgoing *out, const uint8_t uuid[static 16],
                                  zc_deadline deadline);
bool zc_outgoing_start_listening(struct zc_outgoing *out); /* to what main says back */
bool zc_outgoing_start_sending(struct zc_outgoing *out);
/*
 * The cause is set: joins all threads and closes all connections, so that they can be made anew.
 * Returns the destination's own reason, if it said one, or NULL.
 */
GError *zc_outgoing_close_links(struct zc_outgoing *out);
/* Pages that were put on channels which are no more. */
static inline uint64_t zc_outgoing_past_pages(const struct zc_outgoing *out)
{
    return out->past_normal + out->past_zero;
}

/* ---- outgoing-stream.c */

/* The parts of the stream, in their order.  False: reported. */
bool zc_outgoing_greet(struct zc_outgoing *out);     /* header to SESSION: who is it there? */
bool zc_outgoing_hello(struct zc_outgoing *out);     /* the same without SESSION */
bool zc_outgoing_start_ram(struct zc_outgoing *out); /* the list of blocks */
bool zc_outgoing_send_pages(struct zc_outgoing *out);
bool zc_outgoing_check_pages(struct zc_outgoing *out); /* read as they were stored? */
bool zc_outgoing_end_ram(struct zc_outgoing *out);  /* last barrier, and what closes the stream */
bool zc_outgoing_conclude(struct zc_outgoing *out); /* manifest, SHUT, verdict */

/* Pieces of these. */
bool zc_outgoing_flush(struct zc_outgoing *out); /* sends what is in out->out */
void zc_outgoing_put_extension(struct zc_outgoing *out, const struct zc_extension *message);
void zc_outgoing_put_ping(struct zc_outgoing *out, uint32_t value);
/* Ends the iteration on all channels, and puts FLUSH where it is known. */
bool zc_outgoing_sync_channels(struct zc_outgoing *out);
bool zc_outgoing_send_manifest(struct zc_outgoing *out);
bool zc_outgoing_hear_result(struct zc_outgoing *out);

/* ---- outgoing-snapshot.c: what is said for a guest that was stored */

/* The configuration: the stored one, or that of an image. */
void zc_outgoing_put_configuration(struct zc_outgoing *out);

uint32_t zc_outgoing_ram_section_id(const struct zc_outgoing *out);

/* Whether the flush record is known: not by QEMU before 8.1, nor with machine types before it. */
bool zc_outgoing_says_flush(const struct zc_outgoing *out);

/* The device sections that come before RAM is whole, if this is their place. */
void zc_outgoing_put_early(struct zc_outgoing *out, bool before_ram);

/* Whether these pages never came to the snapshot either (memory that is not plugged in): a QEMU is
 * not sent them. */
bool zc_outgoing_was_never_sent(const struct zc_outgoing *out, const struct zc_range *range);

/* The device sections, EOF and the description. */
void zc_outgoing_put_tail(struct zc_outgoing *out);

/* Bitmaps for zero pages that go on the main stream, or NULL where packets may carry them. */
struct zc_bitmap *zc_outgoing_new_zeros(const struct zc_outgoing *out);
void zc_outgoing_free_zeros(struct zc_outgoing *out);

/* The next zero pages as records: at most @max_bytes or so; false when there are none left. */
bool zc_outgoing_put_zeros(struct zc_outgoing *out, uint32_t *block, uint64_t *page,
                           size_t max_bytes);

/* ---- outgoing-route.c */

/* Whether the destination can be reached by the route that was asked for.  ZCMIG_ERROR_USAGE. */
bool zc_outgoing_check_route(const struct zc_outgoing *out, GError **error);
const struct zc_route *zc_outgoing_route(const struct zc_outgoing *out);
/* Sends SESSION, what is coming and by which route; the destination may then read what it must. */
bool zc_outgoing_put_session(struct zc_outgoing *out);
/*
 * Of the route memfd, for RAM START was written: that the destination mapped what the guest runs
 * in.  False: reported.
 */
bool zc_outgoing_check_mapped(struct zc_outgoing *out);
static inline bool zc_outgoing_shares_memory(const struct zc_outgoing *out)
{
    return out->options.route == ZCMIG_ROUTE_MEMFD;
}
/* What the source must be for the route.  ZCMIG_ERROR_USAGE, ZCMIG_ERROR_UNSUPPORTED. */
bool zc_outgoing_check_source(const struct zc_outgoing *out, GError **error);
/* Nobody reads any more.  Before the connections are closed. */
void zc_outgoing_end_route(struct zc_outgoing *out);

/* Tells the destination why it ends; returns the destination's own reason, or NULL. */
GError *zc_outgoing_last_words(struct zc_outgoing *out, const GError *cause);

#endif
