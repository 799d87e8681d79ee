/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notes off a socket's error queue.  The queue is shared: transmit timestamps
 * and network errors come there too and are skipped by their origin.
 *
 * The control message is SOL_IP/IP_RECVERR, SOL_IPV6/IPV6_RECVERR (by the
 * socket's family, so also for IPv4 peers of an IPv6 socket) or
 * SOL_VSOCK/VSOCK_RECVERR, and holds a sock_extended_err with the offender's
 * address behind it.  Whether the address was cut off (MSG_CTRUNC) does not
 * matter; a control buffer too small for the former loses the note for good,
 * and so does MSG_PEEK, which is why nobody else should read this queue.
 */
#ifndef ZC_SEND_ERRQUEUE_H
#define ZC_SEND_ERRQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/ops.h"

/* One notification: calls lo..hi modulo 2^32 are done; @copied speaks for the call lo alone. */
struct zc_note {
    uint32_t lo;
    uint32_t hi;
    bool copied;
};

/*
 * Looks for a note in what recvmsg(MSG_ERRQUEUE) returned: 1 with *@note_out, 0 when the message
 * is something else, -EPROTO when it was cut so short that a note may have been lost.  Pure.
 */
int zc_errqueue_parse(struct msghdr *msg, struct zc_note *note_out);

/* Reads one message: as above, -EAGAIN when there is none, or recvmsg's error.  Never waits. */
int zc_errqueue_read(const struct zc_net *net, int fd, struct zc_note *note_out);

#endif
