/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One session of a relay: its connections, from the main stream's first byte to
 * the last end of stream.  Private to relay/.
 */
#ifndef ZC_RELAY_SESSION_H
#define ZC_RELAY_SESSION_H

#include <zcmig/relay.h>

#include "net/addr.h"
#include "relay/link.h"
#include "relay/lobby.h"
#include "relay/tap.h"

struct zc_relay_session {
    /* set before start */
    const struct zcmig_relay_options *options;
    const struct zc_addr *destination;
    int epoll_fd;
    int wake_fd;
    struct zc_lobby *lobby; /* borrowed; NULL: there is only the main stream */
    /* */
    struct zc_lobby_taken main;
    GPtrArray *links; /* struct zc_link; the main stream first */
    bool ids[256];    /* of the channels that are here */
    bool has_uuid;
    uint8_t uuid[16];
    struct zc_tap *tap; /* NULL: no manifest */
    int64_t moved_ns;   /* when something moved last */
};

/* @main is the session's from now on. */
void zc_relay_session_init(struct zc_relay_session *session, const struct zc_lobby_taken *main);
void zc_relay_session_clear(struct zc_relay_session *session);

/* Whether all who may belong to it have said who they are, so that it can start. */
bool zc_relay_session_is_gathered(const struct zc_relay_session *session);

/* Connects to the destination: main stream first, channels in the order of their numbers.  Blocks,
 * until the connect timeout at most. */
bool zc_relay_session_start(struct zc_relay_session *session, GError **error);

/* After a round of events: takes who came late, moves what can be moved. */
bool zc_relay_session_turn(struct zc_relay_session *session, GError **error);

bool zc_relay_session_is_over(const struct zc_relay_session *session);
bool zc_relay_session_is_ready(const struct zc_relay_session *session); /* another turn, at once */
/* The next turn at the latest. */
zc_deadline zc_relay_session_deadline(const struct zc_relay_session *session);

/* Resets all that is left. */
void zc_relay_session_break_off(struct zc_relay_session *session);

void zc_relay_session_fill_stats(const struct zc_relay_session *session,
                                 struct zcmig_relay_stats *stats);

#endif
