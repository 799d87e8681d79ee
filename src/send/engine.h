/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a channel's bytes get into the socket without a copy.  The channel core
 * keeps packets, header slots, budget, completion and pauses; an engine makes
 * the calls and knows how it learns that memory is free again:
 *
 *     zerocopy   sendmsg(MSG_ZEROCOPY)   notes on the socket's error queue
 *     io_uring   SENDMSG_ZC              notes on the ring's completion queue
 *     splice     vmsplice, splice        none: SIOCOUTQ must reach 0
 *
 * Copying needs no engine: each falls back to the channel's plain sendmsg.
 */
#ifndef ZC_SEND_ENGINE_H
#define ZC_SEND_ENGINE_H

#include "send/channel.h"

enum zc_channel_reason;

struct zc_engine {
    const char *name;
    bool uses_optmem; /* calls in flight hold option memory of the socket */
    /* Makes the engine's own state; or why it cannot be used here (nothing is left then). */
    enum zc_channel_reason (*open)(struct zc_channel *channel,
                                   const struct zc_channel_options *options);
    void (*close)(struct zc_channel *channel); /* NULL: nothing to do */
    /* Moves the packet on by a call: bytes sent (0: go on), or -errno. */
    ssize_t (*send)(struct zc_channel *channel);
    /* The call of zc_channel_call_zerocopy: bytes sent, or -errno (-ENOBUFS: a limit). */
    ssize_t (*call)(struct zc_channel *channel, size_t bytes);
    /* Hands the notes that are there to zc_channel_note: how many messages it read, or -errno. */
    int (*reap)(struct zc_channel *channel);
    /* Turns readable when notes come; NULL: the socket says POLLERR. */
    int (*notes_fd)(struct zc_channel *channel);
    /* Waits until what has no notes is done, and fails as zc_channel_drain does; NULL: all has. */
    int (*drain)(struct zc_channel *channel, zc_deadline deadline);
};

extern const struct zc_engine zc_engine_zerocopy;
extern const struct zc_engine zc_engine_io_uring;
extern const struct zc_engine zc_engine_splice;

#endif
