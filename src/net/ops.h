/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one door to the kernel's sockets.  Code that sends, receives, waits or
 * asks a socket goes through a table of calls, so that tests can put a fake
 * kernel behind it that does what a real one cannot be made to do.
 *
 * Every call returns what the system call returns, but -errno on failure.
 * The kernel table never returns -EINTR: calls are made again, poll() with what
 * is left of the time.
 */
#ifndef ZC_NET_OPS_H
#define ZC_NET_OPS_H

#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct zc_net_ops {
    ssize_t (*sendmsg)(void *ctx, int fd, const struct msghdr *msg, int flags);
    ssize_t (*recvmsg)(void *ctx, int fd, struct msghdr *msg, int flags);
    int (*poll)(void *ctx, struct pollfd *fds, nfds_t n_fds, int timeout_ms);
    int (*getsockopt)(void *ctx, int fd, int level, int name, void *value, socklen_t *length);
    int (*setsockopt)(void *ctx, int fd, int level, int name, const void *value, socklen_t length);
    int64_t (*now_ns)(void *ctx); /* CLOCK_MONOTONIC, or the fake kernel's own time */
};

struct zc_net {
    const struct zc_net_ops *ops;
    void *ctx;
};

/* The real kernel. */
extern const struct zc_net zc_net_kernel;

#endif
