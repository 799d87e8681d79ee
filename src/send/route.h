/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the pages of a packet get to the destination, as far as a channel thread
 * is concerned.  All routes cut ranges into the same packets and end an
 * iteration with the same SYNC; they differ in what follows a header, and in
 * what tells that the memory of all packets before is the source's own again.
 *
 *              behind the header     drained when
 *     socket   the pages             the kernel noted every call (send/channel.h)
 *     pull     nothing               the destination answered SYNC: it fetched all before it; it
 *                                    answers none that no page came before
 *
 * No state of their own: a route is a constant.
 */
#ifndef ZC_SEND_ROUTE_H
#define ZC_SEND_ROUTE_H

#include "send/channel.h"

struct zc_route {
    const char *drains;    /* what its drain waits for, for messages */
    uint32_t normal_flags; /* of each packet with normal pages (wire/multifd.h) */
    bool has_payload;      /* the normal pages follow the header */
    bool may_zerocopy;
    /*
     * What the socket may hold, in bytes, while the peer is busy with what came before: the channel
     * that is ahead gets the next pages.  0: what the kernel likes.
     */
    int queue_bytes;
    /*
     * After SYNC was sent on @channel, whose socket is @fd: 0 when no page sent before is needed
     * any more; else as zc_channel_drain, and -EBADMSG: the peer answered something else.
     * @has_pages: some were sent behind the SYNC before this one.
     */
    int (*drain)(struct zc_channel *channel, int fd, bool has_pages, int wake_fd,
                 zc_deadline deadline);
};

extern const struct zc_route zc_route_socket;
extern const struct zc_route zc_route_pull; /* over UNIX sockets, to a zcmig that agreed to it */

#endif
