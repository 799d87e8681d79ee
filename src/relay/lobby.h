/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where connections of sources wait until it is known what they are and whose:
 * classified by peeking at their first bytes, so that not a byte is taken out of
 * the kernel.  A silent one never holds up another.
 *
 *     accepted --"QEVM"--> a main stream --.
 *         |    --init packet--> a channel --+--> taken by a session
 *         `-- anything else, too late, hung up --> closed, with a line in the log
 *
 * In the order of arrival (ZC_LOBBY_ARRIVAL) nobody is looked at: whoever comes is
 * taken as it comes.
 */
#ifndef ZC_RELAY_LOBBY_H
#define ZC_RELAY_LOBBY_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "base/clock.h"
#include "relay/hello.h"

#define ZC_LOBBY_GUESTS_MAX 160 /* the oldest that is unknown makes room */

/* Who is at the other end, as far as the kernel knows: an address, or a process. */
struct zc_lobby_peer {
    uint8_t bytes[20];
};

struct zc_lobby_taken {
    int fd; /* the taker's, and watched by nobody */
    uint64_t number; /* in the order of arrival, from 1 */
    struct zc_lobby_peer peer;
    struct zc_multifd_init init; /* channels */
};

struct zc_lobby;

/* Listens to @listen_fd (borrowed, non-blocking) with @epoll_fd. */
struct zc_lobby *zc_lobby_new(int epoll_fd, int listen_fd, bool by_arrival, int64_t patience_ms,
                              GError **error);
void zc_lobby_free(struct zc_lobby *lobby); /* closes who is there; accepts NULL */

/* After each round of events: closes who waited too long, frees who left.  The error of accept, if
 * there was one. */
bool zc_lobby_settle(struct zc_lobby *lobby, GError **error);
zc_deadline zc_lobby_deadline(const struct zc_lobby *lobby); /* when to settle at the latest */

/* The main stream that came first; by arrival, whoever did.  False when there is none. */
bool zc_lobby_take_main(struct zc_lobby *lobby, struct zc_lobby_taken *taken_out);

/* Whether somebody of @peer is still unknown, who may be a channel of a session about to start. */
bool zc_lobby_is_waiting_for(const struct zc_lobby *lobby, const struct zc_lobby_peer *peer);

/*
 * A channel for the session whose main stream was @main: of the same peer, with @uuid (NULL: any)
 * and an id that is not in @taken_ids (256 of them).  Of several the first that came after the main
 * stream, before those that came earlier.  @late: the session has started, and takes nobody who came
 * after what may be the next session's main stream.
 */
bool zc_lobby_take_channel(struct zc_lobby *lobby, const struct zc_lobby_taken *main,
                           const uint8_t *uuid, const bool *taken_ids, bool late,
                           struct zc_lobby_taken *taken_out);

#endif
