/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sockios.h>

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

static int kernel_pipe(void *ctx, int fds_out[2], int bytes)
{
    (void)ctx;
    if (pipe2(fds_out, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -errno;
    }
    fcntl(fds_out[1], F_SETPIPE_SZ, bytes); /* a user may hold so much only; less works too */
    return 0;
}

static void kernel_close(void *ctx, int fd)
{
    (void)ctx;
    close(fd);
}

static ssize_t kernel_vmsplice(void *ctx, int pipe_fd, const struct iovec *iovs,
                               unsigned int n_iovs)
{
    ssize_t taken;

    (void)ctx;
    do {
        taken = vmsplice(pipe_fd, iovs, n_iovs, SPLICE_F_NONBLOCK);
    } while (taken < 0 && errno == EINTR);
    return taken < 0 ? -errno : taken;
}

/*
 * There is no MSG_NOSIGNAL for splice: the signal, which is this thread's, is taken back.  A short
 * count may hide it: the kernel sends 16 pages at a time, and says what went before the one that failed.
 */
static ssize_t kernel_splice(void *ctx, int pipe_fd, int fd, size_t bytes, bool more)
{
    const struct timespec at_once = { 0 };
    sigset_t sigpipe, before, pending;
    ssize_t sent;

    (void)ctx;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    do {
        sent = splice(pipe_fd, NULL, fd, NULL, bytes,
                      SPLICE_F_NONBLOCK | SPLICE_F_MOVE | (more ? SPLICE_F_MORE : 0));
    } while (sent < 0 && errno == EINTR);
    sent = sent < 0 ? -errno : sent;
    if (sent != (ssize_t)bytes && !sigismember(&pending, SIGPIPE)) {
        sigtimedwait(&sigpipe, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return sent;
}

static ssize_t kernel_splice_in(void *ctx, int fd, int pipe_fd, size_t bytes)
{
    ssize_t taken;

    (void)ctx;
    do {
        taken = splice(fd, NULL, pipe_fd, NULL, bytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    } while (taken < 0 && errno == EINTR);
    return taken < 0 ? -errno : taken;
}

static int kernel_unsent(void *ctx, int fd, int *bytes_out)
{
    (void)ctx;
    return ioctl(fd, SIOCOUTQ, bytes_out) < 0 ? -errno : 0;
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
    .pipe = kernel_pipe,
    .close = kernel_close,
    .vmsplice = kernel_vmsplice,
    .splice = kernel_splice,
    .splice_in = kernel_splice_in,
    .unsent = kernel_unsent,
    .now_ns = kernel_now_ns,
};

const struct zc_net zc_net_kernel = { .ops = &kernel_ops };
