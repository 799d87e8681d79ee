/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What drains a channel of the route pull: the peer's answer, when pages were
 * listed, and nothing less.
 */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/unit.h"
#include "send/route.h"
#include "wire/multifd.h"

static int fds[2];
static struct zc_budget budget;
static struct zc_channel *channel;

static void setup(void)
{
    const struct zc_channel_options options = { .mode = ZC_ZEROCOPY_OFF,
                                                .budget = &budget,
                                                .wake_fd = -1 };

    zc_budget_init_from(&budget, ZC_BUDGET_UNLIMITED, 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    channel = zc_channel_new(fds[0], &zc_net_kernel, &options);
    ck_assert_ptr_nonnull(channel);
}

static void teardown(void)
{
    zc_channel_free(channel);
    close(fds[0]);
    close(fds[1]);
}

static int drain(bool has_pages, int64_t patience_ms)
{
    return zc_route_pull.drain(channel, fds[0], has_pages, -1, zc_deadline_in(patience_ms));
}

static void answer(uint8_t byte)
{
    ck_assert_int_eq(write(fds[1], &byte, 1), 1);
}

START_TEST(listed_pages_are_the_sources_own_after_the_answer)
{
    ck_assert_int_eq(drain(true, 20), -ETIMEDOUT);
    answer(ZC_MULTIFD_PULL_ACK);
    ck_assert_int_eq(drain(true, 20000), 0);
    ck_assert_int_eq(drain(true, 20), -ETIMEDOUT); /* an answer is good for one SYNC */
}
END_TEST

START_TEST(nothing_listed_nothing_to_wait_for)
{
    ck_assert_int_eq(drain(false, 0), 0);
}
END_TEST

START_TEST(another_byte_is_no_answer)
{
    answer(ZC_MULTIFD_PULL_ACK + 1);
    ck_assert_int_eq(drain(true, 20000), -EBADMSG);
}
END_TEST

START_TEST(a_peer_that_has_gone_does_not_answer)
{
    shutdown(fds[1], SHUT_RDWR);
    ck_assert_int_eq(drain(true, 20000), -EPIPE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-route");
    TCase *tcase = tcase_create("pull");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, listed_pages_are_the_sources_own_after_the_answer);
    tcase_add_test(tcase, nothing_listed_nothing_to_wait_for);
    tcase_add_test(tcase, another_byte_is_no_answer);
    tcase_add_test(tcase, a_peer_that_has_gone_does_not_answer);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
