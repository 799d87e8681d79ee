/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
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

int main(void)
{
    Suite *suite = suite_create("net-ops");
    TCase *tcase = tcase_create("ops");

    tcase_add_test(tcase, failures_are_minus_errno);
    tcase_add_test(tcase, poll_waits_on_after_a_signal);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
