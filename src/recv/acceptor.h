/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sorts the connections that come to one listening socket, in whatever order:
 * which is the main stream, which is which channel.  A connection that is
 * silent, slow or talks nonsense never holds up another one, and never ends
 * the session: it is closed, with a line in the log.
 *
 *     accepted --4 bytes--> "QEVM": the main stream, the first one only
 *         |     `---------> multifd --64 bytes--> channel, held until asked for
 *         `-- anything else, deadline, end of stream --> closed
 *
 * One thread.  At most ZC_ACCEPTOR_PENDING_MAX are unknown and
 * ZC_ACCEPTOR_HELD_MAX held at a time; the oldest unknown makes room.
 */
#ifndef ZC_RECV_ACCEPTOR_H
#define ZC_RECV_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "base/clock.h"
#include "recv/barrier.h"
#include "recv/stall.h"

#define ZC_ACCEPTOR_PENDING_MAX 80
#define ZC_ACCEPTOR_HELD_MAX (2 * ZC_RECV_CHANNELS_MAX)
#define ZC_ACCEPTOR_MAIN_BYTES 4 /* of the main stream are read to know it */

struct zc_acceptor;

/* @listen_fd (non-blocking) is borrowed.  @patience_ms: for a connection to say what it is. */
struct zc_acceptor *zc_acceptor_new(int listen_fd, struct zc_stall *stall, int64_t patience_ms);

/* Closes what was not handed out.  Accepts NULL. */
void zc_acceptor_free(struct zc_acceptor *acceptor);

/* The session goes on over new connections: a main stream and channels are wanted once more. */
void zc_acceptor_again(struct zc_acceptor *acceptor);

/*
 * Waits for the main stream; its first ZC_ACCEPTOR_MAIN_BYTES bytes go to @main_out.  Returns its
 * descriptor, the caller's to close, or -1.  Errors: ZCMIG_ERROR_TIMEOUT at @deadline,
 * ZCMIG_ERROR_CANCELLED, ZCMIG_ERROR_CONNECT.
 */
int zc_acceptor_wait_main(struct zc_acceptor *acceptor, zc_deadline deadline,
                          uint8_t main_out[static ZC_ACCEPTOR_MAIN_BYTES], GError **error);

struct zc_acceptor_wanted {
    int n_channels;      /* exactly so many; -1: as many as are in the queue already */
    const uint8_t *uuid; /* of 16 bytes: others are closed; NULL: that of the first one */
    int main_fd;         /* its end ends the wait */
};

/*
 * Hands out the channels: fds_out[id], the caller's to close; *@n_out of them.  Channels whose uuid
 * is not the session's, whose id is out of range or taken are closed.  Errors: as above,
 * ZCMIG_ERROR_DISCONNECTED when the main stream ended.
 */
bool zc_acceptor_wait_channels(struct zc_acceptor *acceptor,
                               const struct zc_acceptor_wanted *wanted, zc_deadline deadline,
                               int fds_out[static ZC_RECV_CHANNELS_MAX], unsigned int *n_out,
                               GError **error);

/*
 * How many channels of the session, beyond the @n_counted that were handed out, have come until now:
 * who asked for "as many as are in the queue" asked too early.  A number that is taken is another
 * session's.
 */
unsigned int zc_acceptor_count_late(struct zc_acceptor *acceptor, unsigned int n_counted);

/* UUID of the channels that were handed out; false when there were none. */
bool zc_acceptor_get_uuid(const struct zc_acceptor *acceptor, uint8_t uuid_out[static 16]);

#endif
