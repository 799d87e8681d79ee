/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>

#include "base/clock.h"
#include "recv/stall.h"

void zc_stall_init(struct zc_stall *stall, const struct zc_net *net, int wake_fd, int64_t limit_ms)
{
    stall->net = net;
    stall->wake_fd = wake_fd;
    stall->limit_ms = limit_ms;
    atomic_init(&stall->last_ns, net->ops->now_ns(net->ctx));
}

void zc_stall_note(struct zc_stall *stall)
{
    atomic_store_explicit(&stall->last_ns, stall->net->ops->now_ns(stall->net->ctx),
                          memory_order_relaxed);
}

int zc_stall_wait(struct zc_stall *stall, int fd, short events)
{
    const struct zc_net *net = stall->net;
    struct pollfd fds[] = { { .fd = fd, .events = events },
                            { .fd = stall->wake_fd, .events = POLLIN } };
    /* The wait itself gets the whole limit: what stalled may have been this end. */
    int64_t began_ns = net->ops->now_ns(net->ctx);

    for (;;) {
        int64_t last_ns = atomic_load_explicit(&stall->last_ns, memory_order_relaxed);
        zc_deadline deadline =
            zc_deadline_after(last_ns > began_ns ? last_ns : began_ns, stall->limit_ms);
        int timeout_ms = zc_deadline_poll_ms(deadline, net->ops->now_ns(net->ctx));
        int n = net->ops->poll(net->ctx, fds, 2, timeout_ms);
        if (n < 0) {
            return n;
        }
        if (fds[1].revents) {
            return -ECANCELED;
        }
        if (n > 0) {
            return 0;
        }
        if (timeout_ms == 0) {
            return -ETIMEDOUT;
        }
    }
}

ssize_t zc_stall_recvmsg(struct zc_stall *stall, int fd, struct msghdr *message, int flags)
{
    const struct zc_net *net = stall->net;

    for (;;) {
        ssize_t n = net->ops->recvmsg(net->ctx, fd, message, MSG_DONTWAIT | flags);
        if (n > 0) {
            zc_stall_note(stall);
            return n;
        }
        if (n == -EAGAIN) {
            n = zc_stall_wait(stall, fd, POLLIN);
            if (n == 0) {
                continue;
            }
        }
        return n;
    }
}

ssize_t zc_stall_recv(struct zc_stall *stall, int fd, struct iovec *iov, size_t n_iov)
{
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = n_iov };

    return zc_stall_recvmsg(stall, fd, &message, 0);
}
