/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Patience.  The threads of a receiver give up when nothing came for a while,
 * on any connection: one channel may well be silent while another one, or the
 * main stream, is busy.  So they share the time of the last bytes.
 */
#ifndef ZC_RECV_STALL_H
#define ZC_RECV_STALL_H

#include <stdatomic.h>
#include <stdint.h>

#include "net/ops.h"

struct zc_stall {
    /* set before start */
    const struct zc_net *net;
    int wake_fd;      /* ends every wait */
    int64_t limit_ms; /* without a byte from anywhere; negative: wait for ever */
    /* atomic, any thread */
    _Atomic int64_t last_ns;
};

void zc_stall_init(struct zc_stall *stall, const struct zc_net *net, int wake_fd, int64_t limit_ms);

/* Bytes came. */
void zc_stall_note(struct zc_stall *stall);

/*
 * Waits for @events of @fd.  0 (also for POLLHUP and POLLERR: the next call on the descriptor tells
 * more), -ETIMEDOUT when no thread noted anything for limit_ms, -ECANCELED, or -errno of poll.
 */
int zc_stall_wait(struct zc_stall *stall, int fd, short events);

/*
 * Receives what is there into @iov, at least one byte: their number, 0 at the end of the stream,
 * or what zc_stall_wait or the socket says.  Tries before it waits.
 */
ssize_t zc_stall_recv(struct zc_stall *stall, int fd, struct iovec *iov, size_t n_iov);

/* The same for a whole message header: what comes beside the bytes, too.  @flags as recvmsg. */
ssize_t zc_stall_recvmsg(struct zc_stall *stall, int fd, struct msghdr *message, int flags);

#endif
