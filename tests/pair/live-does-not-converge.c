/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that writes faster than it can be sent: it stays, running at its own
 * speed, with the numbers that show why; or it is slowed down; or it is moved
 * all the same, when that is wanted.
 */
#include "config.h"

#include <string.h>

#include "lib/pair.h"
#include "lib/unit.h"

#define FAST "guest:8M,dirty=64M,pattern=random,writers=2"
#define LINK (16 << 20)

static void init(struct zc_pair *pair)
{
    zc_pair_init(pair, FAST, NULL);
    pair->send.channels = 2;
    pair->send.max_bandwidth = LINK;
    pair->send.downtime_limit_ms = 100;
    pair->send.run_for_ms = 50;
    pair->recv.run_for_ms = 20;
}

static void expect_stayed(struct zc_pair *pair, const char *why)
{
    zc_unit_expect_error(&pair->recv_error, ZCMIG_ERROR_PEER, "the guest stays at the source");
    ck_assert(strstr(pair->send_error->message, "the guest writes"));
    ck_assert(strstr(pair->send_error->message, "allowed are 100 ms"));
    zc_unit_expect_error(&pair->send_error, ZCMIG_ERROR_TIMEOUT, why);
    ck_assert_int_eq(pair->send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert_int_eq(pair->recv_stats.live.guest, ZCMIG_GUEST_NONE);
    ck_assert(pair->send_stats.live.checked);
    ck_assert_uint_eq(pair->send_stats.live.guest_wrong_pages, 0);
    ck_assert_int_eq(pair->send_stats.live.downtime.actual_ns, 0);
}

static void expect_moved(const struct zc_pair *pair)
{
    ck_assert_msg(pair->send_ok, "sender: %s", pair->send_error ? pair->send_error->message : "");
    ck_assert_msg(pair->recv_ok, "receiver: %s", pair->recv_error ? pair->recv_error->message : "");
    ck_assert_int_eq(pair->send_stats.live.guest, ZCMIG_GUEST_GONE);
    ck_assert_uint_eq(pair->recv_stats.live.guest_wrong_pages, 0);
}

START_TEST(it_stays_with_the_numbers)
{
    struct zc_pair pair;

    init(&pair);
    zc_pair_run(&pair);
    expect_stayed(&pair, "it does not converge");
    const struct zcmig_live_stats *live = &pair.send_stats.live;
    ck_assert_uint_ge(live->n_iterations, 10);
    const struct zcmig_iteration *last = &live->kept[live->n_kept - 1];
    ck_assert_int_gt(last->estimate_ns, 100 * 1000000);
    ck_assert_uint_gt(last->dirty_pages_per_s, 0);
    /* The limit of the bandwidth is what the estimate was made of. */
    ck_assert_uint_le(last->bandwidth, LINK + LINK / 4);
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(it_stays_when_the_time_is_over)
{
    struct zc_pair pair;

    init(&pair);
    pair.send.timeout_ms = 700;
    zc_pair_run(&pair);
    expect_stayed(&pair, "the time is over");
    zc_pair_clear(&pair);
}
END_TEST

/* The time is over in the middle of the first iteration. */
START_TEST(it_does_not_wait_for_the_end_of_an_iteration)
{
    struct zc_pair pair;
    gint64 begin_us = g_get_monotonic_time();

    init(&pair);
    pair.send.source = "guest:256M,dirty=64M,pattern=random,writers=2";
    pair.send.timeout_ms = 300;
    zc_pair_run(&pair);
    expect_stayed(&pair, "the time is over");
    ck_assert_int_lt(g_get_monotonic_time() - begin_us, 14 * G_USEC_PER_SEC); /* 16 s in all */
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(it_moves_when_the_time_is_over)
{
    struct zc_pair pair;

    init(&pair);
    pair.send.timeout_ms = 700;
    pair.send.timeout_policy = ZCMIG_TIMEOUT_SWITCHOVER;
    zc_pair_run(&pair);
    expect_moved(&pair);
    ck_assert_int_gt(pair.send_stats.live.downtime.estimate_ns, 100 * 1000000);
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(it_moves_when_it_is_slowed_down)
{
    struct zc_pair pair;

    init(&pair);
    pair.send.auto_converge = true;
    zc_pair_run(&pair);
    expect_moved(&pair);
    const struct zcmig_live_stats *live = &pair.send_stats.live;
    ck_assert_int_le(live->downtime.estimate_ns, 100 * 1000000);
    ck_assert_uint_ge(live->kept[live->n_kept - 1].throttle_percent, 20);
    zc_pair_clear(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live-does-not-converge");
    TCase *tcase = tcase_create("converge");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_test(tcase, it_stays_with_the_numbers);
    tcase_add_test(tcase, it_stays_when_the_time_is_over);
    tcase_add_test(tcase, it_does_not_wait_for_the_end_of_an_iteration);
    tcase_add_test(tcase, it_moves_when_the_time_is_over);
    tcase_add_test(tcase, it_moves_when_it_is_slowed_down);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
