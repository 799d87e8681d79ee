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
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct zc_net_ops {
    ssize_t (*sendmsg)(void *ctx, int fd, const struct msghdr *msg, int flags);
    ssize_t (*recvmsg)(void *ctx, int fd, struct msghdr *msg, int flags);
    int (*poll)(void *ctx, struct pollfd *fds, nfds_t n_fds, int timeout_ms);
    int (*getsockopt)(void *ctx, int fd, int level, int name, void *value, socklen_t *length);
    int (*setsockopt)(void *ctx, int fd, int level, int name, const void *value, socklen_t length);
    /* A non-blocking pipe with room for @bytes, or less where the kernel allows no more. */
    int (*pipe)(void *ctx, int fds_out[2], int bytes);
    void (*close)(void *ctx, int fd);
    /* All with SPLICE_F_NONBLOCK.  splice never raises SIGPIPE; splice_in is from a socket. */
    ssize_t (*vmsplice)(void *ctx, int pipe_fd, const struct iovec *iovs, unsigned int n_iovs);
    ssize_t (*splice)(void *ctx, int pipe_fd, int fd, size_t bytes, bool more);
    ssize_t (*splice_in)(void *ctx, int fd, int pipe_fd, size_t bytes);
    /* SIOCOUTQ: bytes that the peer has not acknowledged (TCP) or not read (UNIX). */
    int (*unsent)(void *ctx, int fd, int *bytes_out);
    int64_t (*now_ns)(void *ctx); /* CLOCK_MONOTONIC, or the fake kernel's own time */
};

struct zc_net {
    const struct zc_net_ops *ops;
    void *ctx;
};

/* The real kernel. */
extern const struct zc_net zc_net_kernel;

#endif
