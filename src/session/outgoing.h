/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the source's end: what outgoing.c (its life), outgoing-stream.c
 * (what it says on the main stream) and precopy.c (the same of a live guest)
 * share.
 */
#ifndef ZC_SESSION_OUTGOING_H
#define ZC_SESSION_OUTGOING_H

#include "base/clock.h"
#include "net/addr.h"
#include "send/plain.h"
#include "send/sender.h"
#include "session/return-path.h"
#include "session/session.h"

#define ZC_OUTGOING_LAST_WORDS_MS 1000 /* how long a broken session listens for the peer's reason  \
                                        */

#define ZC_OUTGOING_RAM_SECTION 2

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
    bool peer_is_zcmig;
    /* atomic; writer: the caller's thread */
    _Atomic uint64_t main_bytes;
    _Atomic uint64_t plain_normal;
    _Atomic uint64_t plain_zero;
    /* under lock: threads that ask for figures look at these while run() makes and frees them */
    GMutex lock;
    struct zc_sender *sender;
    struct zc_channel *plain_channel;
    struct zcmig_live_stats live; /* writer: the caller's thread */
    uint64_t iteration_pages;     /* of the iteration that runs, to be sent */
    uint64_t pages_before;        /* sent when it began */
};

/* Makes @error the session's, unless it has one. */
void zc_outgoing_fail(struct zc_outgoing *out, GError *error);

static inline zc_deadline zc_outgoing_stall_deadline(const struct zc_outgoing *out)
{
    return zc_deadline_in(out->options.stall_timeout_ms);
}

/* The parts of the stream, in their order.  False: reported. */
bool zc_outgoing_greet(struct zc_outgoing *out);     /* header to SESSION: who is it there? */
bool zc_outgoing_start_ram(struct zc_outgoing *out); /* the list of blocks */
bool zc_outgoing_send_pages(struct zc_outgoing *out);
bool zc_outgoing_end_ram(struct zc_outgoing *out);  /* last barrier, and what closes the stream */
bool zc_outgoing_conclude(struct zc_outgoing *out); /* manifest, SHUT, verdict */

/* Pieces of these. */
bool zc_outgoing_flush(struct zc_outgoing *out); /* sends what is in out->out */
void zc_outgoing_put_extension(struct zc_outgoing *out, const struct zc_extension *message);
void zc_outgoing_put_ping(struct zc_outgoing *out, uint32_t value);
/* Ends the iteration on all channels, and puts FLUSH. */
bool zc_outgoing_sync_channels(struct zc_outgoing *out);
bool zc_outgoing_send_manifest(struct zc_outgoing *out);
bool zc_outgoing_hear_result(struct zc_outgoing *out);

/* Tells the destination why it ends; returns the destination's own reason, or NULL. */
GError *zc_outgoing_last_words(struct zc_outgoing *out, const GError *cause);

#endif
