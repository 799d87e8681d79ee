/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <glib.h>

#include "net/io.h"
#include "net/ops.h"

/* Waits for @events on @fd: 0, -ETIMEDOUT or -ECANCELED. */
static int wait_for(int fd, short events, zc_deadline deadline, int wake_fd)
{
    const struct zc_net *net = &zc_net_kernel;
    struct pollfd fds[] = { { .fd = fd, .events = events }, { .fd = wake_fd, .events = POLLIN } };

    int n = net->ops->poll(net->ctx, fds, 2, zc_deadline_poll_ms(deadline, zc_clock_now_ns()));
    if (n < 0) {
        return n;
    }
    if (fds[1].revents) {
        return -ECANCELED;
    }
    return n == 0 ? -ETIMEDOUT : 0;
}

/* @control goes with the first bytes that are taken. */
static int write_message(int fd, struct iovec iov, void *control, size_t control_bytes,
                         zc_deadline deadline, int wake_fd)
{
    const struct zc_net *net = &zc_net_kernel;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = control_bytes
    };

    while (iov.iov_len) {
        ssize_t n = net->ops->sendmsg(net->ctx, fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n == -EAGAIN) {
            n = wait_for(fd, POLLOUT, deadline, wake_fd);
        } else if (n > 0) {
            iov.iov_base = (char *)iov.iov_base + n;
            iov.iov_len -= (size_t)n;
            message.msg_control = NULL;
            message.msg_controllen = 0;
        }
        if (n < 0 && n != -EINTR) {
            return (int)n;
        }
    }
    return 0;
}

int zc_io_write_all(int fd, const void *bytes, size_t length, zc_deadline deadline, int wake_fd)
{
    return write_message(fd, (struct iovec){ (void *)bytes, length }, NULL, 0, deadline, wake_fd);
}

int zc_io_write_fds(int fd, const void *bytes, size_t length, const int *fds, unsigned int n_fds,
                    zc_deadline deadline, int wake_fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * ZC_IO_FDS_MAX)];
    } control = { .header = { .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS,
                              .cmsg_len = CMSG_LEN(sizeof(int) * n_fds) } };

    g_return_val_if_fail(length > 0 && n_fds > 0 && n_fds <= ZC_IO_FDS_MAX, -EINVAL);
    memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
    return write_message(fd, (struct iovec){ (void *)bytes, length }, &control,
                         CMSG_SPACE(sizeof(int) * n_fds), deadline, wake_fd);
}

ssize_t zc_io_read_some(int fd, void *bytes, size_t length, zc_deadline deadline, int wake_fd)
{
    const struct zc_net *net = &zc_net_kernel;
    struct iovec iov = { bytes, length };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    for (;;) {
        ssize_t n = net->ops->recvmsg(net->ctx, fd, &message, MSG_DONTWAIT);
        if (n == -EAGAIN) {
            n = wait_for(fd, POLLIN, deadline, wake_fd);
            if (n == 0) {
                continue;
            }
        }
        if (n != -EINTR) {
            return n;
        }
    }
}
