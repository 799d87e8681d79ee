/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/unit.h"
#include "net/ops.h"

START_TEST(failures_are_minus_errno)
{
    const struct zc_net_ops *ops = zc_net_kernel.ops;
    struct msghdr msg = { 0 };
    int value = 0;
    socklen_t length = sizeof(value);

    ck_assert_int_eq(ops->sendmsg(NULL, -1, &msg, MSG_NOSIGNAL), -EBADF);
    ck_assert_int_eq(ops->recvmsg(NULL, -1, &msg, 0), -EBADF);
    ck_assert_int_eq(ops->getsockopt(NULL, -1, SOL_SOCKET, SO_ERROR, &value, &length), -EBADF);
    ck_assert_int_eq(ops->setsockopt(NULL, -1, SOL_SOCKET, SO_SNDBUF, &value, length), -EBADF);
    ck_assert_int_eq(ops->poll(NULL, NULL, 1, 0), -EFAULT);
}
END_TEST

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

START_TEST(poll_waits_on_after_a_signal)
{
    struct sigaction action = { .sa_handler = count_signal };
    struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
    int pipe_fds[2];

    ck_assert_int_eq(pipe(pipe_fds), 0);
    struct pollfd fd = { .fd = pipe_fds[0], .events = POLLIN };
    sigaction(SIGALRM, &action, NULL);
    int64_t begin = zc_net_kernel.ops->now_ns(NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    int ret = zc_net_kernel.ops->poll(NULL, &fd, 1, 60);
    setitimer(ITIMER_REAL, &never, NULL);
    int64_t took_ns = zc_net_kernel.ops->now_ns(NULL) - begin;
    ck_assert_int_eq(ret, 0);
    ck_assert_int_gt(signals, 0);
    ck_assert_int_ge(took_ns, 60 * ZC_NS_PER_MS);
    ck_assert_int_lt(took_ns, 5 * ZC_NS_PER_S);
}
END_TEST

/* Ends its direction once something has arrived, and goes with it unread: then comes a reset. */
static gpointer leave_when_readable(gpointer data)
{
    struct pollfd fd = { .fd = GPOINTER_TO_INT(data), .events = POLLIN };

    zc_net_kernel.ops->poll(NULL, &fd, 1, -1);
    shutdown(fd.fd, SHUT_WR);
    close(fd.fd);
    return NULL;
}

static void make_tcp_pair(int *sender_out, int *receiver_out)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    *sender_out = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(*sender_out, (struct sockaddr *)&address, sizeof(address)), 0);
    *receiver_out = accept(listener, NULL, NULL);
    ck_assert_int_ge(*receiver_out, 0);
    close(listener);
}

/*
 * The kernel sends what is spliced 16 pages at a time: when the peer goes in between, the count is
 * short and the signal is raised all the same.
 */
START_TEST(a_splice_raises_no_signal_whatever_it_returns)
{
    const struct zc_net_ops *ops = zc_net_kernel.ops;
    const size_t bytes = 256 * 4096;
    g_autofree void *memory = g_malloc0(bytes);
    struct iovec iov = { memory, bytes };
    const int buffer_bytes = 32768;
    int sender, receiver, pipe_fds[2];

    make_tcp_pair(&sender, &receiver);
    setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(int));
    setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(int));
    ck_assert_int_eq(ops->pipe(NULL, pipe_fds, (int)bytes), 0);
    ssize_t piped = ops->vmsplice(NULL, pipe_fds[1], &iov, 1);
    ck_assert_int_ge(piped, 64 * 4096);
    GThread *peer = g_thread_new("peer", leave_when_readable, GINT_TO_POINTER(receiver));
    ssize_t sent = ops->splice(NULL, pipe_fds[0], sender, (size_t)piped, false); /* blocks */
    g_thread_join(peer);
    ck_assert_int_gt(sent, 0);
    ck_assert_int_lt(sent, piped);
    close(sender);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net-ops");
    TCase *tcase = tcase_create("ops");

    tcase_add_test(tcase, failures_are_minus_errno);
    tcase_add_test(tcase, a_splice_raises_no_signal_whatever_it_returns);
    tcase_add_test(tcase, poll_waits_on_after_a_signal);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
