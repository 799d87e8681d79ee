/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>

#include "base/clock.h"
#include "net/ops.h"

static ssize_t kernel_sendmsg(void *ctx, int fd, const struct msghdr *msg, int flags)
{
    ssize_t sent;

    (void)ctx;
    do {
        sent = sendmsg(fd, msg, flags);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static ssize_t kernel_recvmsg(void *ctx, int fd, struct msghdr *msg, int flags)
{
    ssize_t received;

    (void)ctx;
    do {
        received = recvmsg(fd, msg, flags);
    } while (received < 0 && errno == EINTR);
    return received < 0 ? -errno : received;
}

static int kernel_poll(void *ctx, struct pollfd *fds, nfds_t n_fds, int timeout_ms)
{
    zc_deadline deadline = zc_deadline_in(timeout_ms);

    (void)ctx;
    for (;;) {
        int ready = poll(fds, n_fds, timeout_ms);
        if (ready >= 0) {
            return ready;
        }
        if (errno != EINTR) {
            return -errno;
        }
        timeout_ms = zc_deadline_poll_ms(deadline, zc_clock_now_ns());
    }
}

static int kernel_getsockopt(void *ctx, int fd, int level, int name, void *value,
                             socklen_t *length)
{
    (void)ctx;
    return getsockopt(fd, level, name, value, length) < 0 ? -errno : 0;
}

static int kernel_setsockopt(void *ctx, int fd, int level, int name, const void *value,
                             socklen_t length)
{
    (void)ctx;
    return setsockopt(fd, level, name, value, length) < 0 ? -errno : 0;
}

static int64_t kernel_now_ns(void *ctx)
{
    (void)ctx;
    return zc_clock_now_ns();
}

static const struct zc_net_ops kernel_ops = {
    .sendmsg = kernel_sendmsg,
    .recvmsg = kernel_recvmsg,
    .poll = kernel_poll,
    .getsockopt = kernel_getsockopt,
    .setsockopt = kernel_setsockopt,
    .now_ns = kernel_now_ns,
};

const struct zc_net zc_net_kernel = { .ops = &kernel_ops };
