/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that keeps writing is moved: it goes on at the destination with the
 * write that is next, finds its RAM as it left it, and stood still for as long
 * as the report says.
 */
#include "config.h"

#include <stdio.h>

#include "guest/track.h"
#include "lib/pair.h"
#include "lib/unit.h"

#define PAGES 4096u /* 16 MiB */

static const struct {
    const char *source;
    enum zcmig_tracker tracker;
    enum zcmig_verify verify;
    unsigned int channels;
} moves[] = {
    { "guest:16M,dirty=20M,pattern=seq", ZCMIG_TRACKER_AUTO, ZCMIG_VERIFY_AFTER, 1 },
    { "guest:16M,dirty=20M,pattern=random,writers=2", ZCMIG_TRACKER_SCAN, ZCMIG_VERIFY_AFTER, 4 },
    { "guest:16M,dirty=20M,pattern=random,writers=2", ZCMIG_TRACKER_FAULT, ZCMIG_VERIFY_AFTER, 4 },
    { "guest:16M,dirty=20M,pattern=zipf,writers=4", ZCMIG_TRACKER_AUTO, ZCMIG_VERIFY_BEFORE, 4 },
    { "guest:16M,dirty=20M,pattern=hot:0.1,writers=3", ZCMIG_TRACKER_AUTO, ZCMIG_VERIFY_OFF, 1 },
    { "guest:16M,dirty=max,pattern=hot:0.05", ZCMIG_TRACKER_AUTO, ZCMIG_VERIFY_AFTER, 4 },
    { "guest:16M,dirty=20M,memory=memfd", ZCMIG_TRACKER_SCAN, ZCMIG_VERIFY_AFTER, 4 },
    { "guest:16M,dirty=20M,memory=memfd,pattern=random", ZCMIG_TRACKER_FAULT, ZCMIG_VERIFY_BEFORE,
      1 },
    { "guest:16M,dirty=20M,fill=zero:0.7,pattern=zipf", ZCMIG_TRACKER_SCAN, ZCMIG_VERIFY_AFTER, 4 },
    { "guest:16M,dirty=20M,fill=zero:0.7,pattern=zipf", ZCMIG_TRACKER_FAULT, ZCMIG_VERIFY_AFTER,
      4 },
    { "guest:16M,dirty=20M,hugepages", ZCMIG_TRACKER_AUTO, ZCMIG_VERIFY_AFTER, 4 },
    { "guest:16M,dirty=0", ZCMIG_TRACKER_AUTO, ZCMIG_VERIFY_AFTER, 4 },
};

/* Whether this kernel has the tracker at all: what it can is the tracker's own tests' affair. */
static bool has_tracker(enum zcmig_tracker tracker)
{
    GError *error = NULL;
    struct zc_tracker *probe = zc_tracker_new((enum zc_tracker_kind)tracker, NULL, &error);

    if (!probe) {
        printf("not tried: %s\n", error->message);
        g_error_free(error);
    }
    zc_tracker_free(probe);
    return probe != NULL;
}

static void expect_moved(const struct zc_pair *pair)
{
    const struct zcmig_live_stats *from = &pair->send_stats.live;
    const struct zcmig_live_stats *to = &pair->recv_stats.live;

    ck_assert_msg(pair->send_ok, "sender: %s", pair->send_error ? pair->send_error->message : "");
    ck_assert_msg(pair->recv_ok, "receiver: %s", pair->recv_error ? pair->recv_error->message : "");
    ck_assert_int_eq(from->guest, ZCMIG_GUEST_GONE);
    ck_assert_int_eq(to->guest, ZCMIG_GUEST_RUNS);
    ck_assert(to->checked);
    ck_assert_uint_eq(to->guest_wrong_pages, 0);
}

static void expect_downtime_adds_up(const struct zcmig_downtime *downtime)
{
    const int64_t parts[] = { downtime->stop_ns,      downtime->last_harvest_ns,
                              downtime->last_send_ns, downtime->drain_ns,
                              downtime->barrier_ns,   downtime->device_state_ns,
                              downtime->verify_ns,    downtime->resume_ns };
    int64_t sum = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        ck_assert_msg(parts[i] >= 0, "part %zu: %lld ns", i, (long long)parts[i]);
        sum += parts[i];
    }
    ck_assert_int_gt(downtime->actual_ns, 0);
    ck_assert_int_eq(sum, downtime->actual_ns);
    ck_assert_int_gt(downtime->estimate_ns, 0);
}

static uint64_t sum_of(const struct zcmig_latency *latency)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < ZCMIG_LATENCY_BUCKETS; i++) {
        sum += latency->histogram[i];
    }
    return sum;
}

/* Every write here is in one of the two histograms. */
static void expect_latency(const struct zcmig_live_stats *live)
{
    ck_assert_uint_eq(sum_of(&live->untracked), live->untracked.writes);
    ck_assert_uint_eq(sum_of(&live->tracked), live->tracked.writes);
    ck_assert_int_le(live->tracked.p50_ns, live->tracked.p99_ns);
    ck_assert_int_le(live->tracked.p999_ns, live->tracked.max_ns);
    ck_assert((live->tracked.writes > 0) == (live->tracked.max_ns > 0));
}

START_TEST(it_goes_on_where_it_stopped)
{
    struct zc_pair pair;

    if (!has_tracker(moves[_i].tracker)) {
        return;
    }
    zc_pair_init(&pair, moves[_i].source, NULL);
    pair.send.tracker = moves[_i].tracker;
    pair.send.verify = moves[_i].verify;
    pair.send.channels = moves[_i].channels;
    pair.recv.run_for_ms = 100;
    zc_pair_run(&pair);
    expect_moved(&pair);
    expect_downtime_adds_up(&pair.send_stats.live.downtime);
    ck_assert_uint_ge(pair.send_stats.live.n_iterations, 1);
    expect_latency(&pair.send_stats.live);
    ck_assert_uint_eq(pair.send_stats.verified_pages,
                      moves[_i].verify == ZCMIG_VERIFY_OFF ? 0 : PAGES);
    ck_assert_uint_eq(pair.recv_stats.verified_pages, pair.send_stats.verified_pages);
    bool before = moves[_i].verify == ZCMIG_VERIFY_BEFORE;
    ck_assert((pair.send_stats.live.downtime.verify_ns > 0) == before);
    zc_pair_clear(&pair);
}
END_TEST

/* A writer without a pace writes at once on both sides, so its gap is the downtime. */
START_TEST(the_guest_saw_the_downtime_that_is_reported)
{
    struct zc_pair pair;

    zc_pair_init(&pair, "guest:16M,dirty=max,pattern=hot:0.02", NULL);
    pair.send.verify = ZCMIG_VERIFY_BEFORE; /* a downtime that is not lost in the noise */
    pair.recv.run_for_ms = 100;
    zc_pair_run(&pair);
    expect_moved(&pair);
    const struct zcmig_downtime *downtime = &pair.send_stats.live.downtime;
    printf("downtime: estimate %.3f ms, actual %.3f ms, observed %.3f ms\n",
           (double)downtime->estimate_ns / 1e6, (double)downtime->actual_ns / 1e6,
           (double)downtime->observed_ns / 1e6);
    ck_assert_int_eq(downtime->observed_ns, pair.recv_stats.live.downtime.observed_ns);
    /* From the last write before the pause to the first after the resume; SHUT may come later. */
    ck_assert_int_gt(downtime->observed_ns,
                     downtime->actual_ns - downtime->resume_ns - downtime->stop_ns);
    ck_assert_int_lt(downtime->observed_ns, downtime->actual_ns + 1000 * 1000000LL);
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(it_moves_over_a_unix_socket)
{
    struct zc_pair pair;
    char *dir = zc_unit_make_dir();
    g_autofree char *address = g_strdup_printf("unix:%s/s", dir);

    zc_pair_init(&pair, "guest:16M,dirty=20M,pattern=random", NULL);
    pair.recv.listen = address;
    pair.recv.run_for_ms = 50;
    zc_pair_run(&pair);
    expect_moved(&pair);
    zc_pair_clear(&pair);
    zc_unit_remove_dir(dir);
}
END_TEST

/* The guest writes half of what the link carries: it takes iterations, and the limit is kept. */
START_TEST(the_limit_is_kept_at_half_the_rate)
{
    struct zc_pair pair;

    zc_pair_init(&pair, "guest:16M,dirty=8M,pattern=random,writers=2", NULL);
    pair.send.max_bandwidth = 16 << 20;
    pair.send.downtime_limit_ms = 200;
    pair.recv.run_for_ms = 50;
    zc_pair_run(&pair);
    expect_moved(&pair);
    const struct zcmig_live_stats *live = &pair.send_stats.live;
    ck_assert_uint_ge(live->n_iterations, 2);
    ck_assert_uint_eq(live->n_kept, live->n_iterations);
    ck_assert_uint_eq(live->kept[0].pages, PAGES);
    for (unsigned int i = 1; i < live->n_kept; i++) {
        ck_assert_uint_eq(live->kept[i].pages, live->kept[i - 1].dirty_pages);
    }
    ck_assert_int_le(live->downtime.estimate_ns, 200 * 1000000);
    ck_assert_msg(live->downtime.actual_ns < 600 * 1000000, "stood still for %.1f ms",
                  (double)live->downtime.actual_ns / 1e6);
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(a_live_guest_is_not_written_to_a_file)
{
    struct zc_pair pair;
    char *dir = zc_unit_make_dir();
    g_autofree char *output = g_build_filename(dir, "output.img", NULL);

    zc_pair_init(&pair, "guest:16M,dirty=20M", output);
    pair.send.run_for_ms = 20;
    zc_pair_run(&pair);
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_UNSUPPORTED, "receive it without an output");
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_PEER, "receive it without an output");
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert(pair.send_stats.live.checked);
    ck_assert(!g_file_test(output, G_FILE_TEST_EXISTS));
    zc_pair_clear(&pair);
    zc_unit_remove_dir(dir);
}
END_TEST

START_TEST(a_live_guest_needs_channels)
{
    static const struct {
        const char *destination;
        bool plain;
        const char *part;
    } rows[] = {
        { "fd:0", false, "and fd: is one connection" },
        { "unix:socket", true, "and a plain stream is one connection" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct zcmig_send_options options;
        GError *error = NULL;
        zcmig_send_options_init(&options);
        options.source = "guest:4M";
        options.destination = rows[i].destination;
        options.plain = rows[i].plain;
        ck_assert_ptr_null(zcmig_send_new(&options, &error));
        zc_unit_expect_error(&error, ZCMIG_ERROR_UNSUPPORTED, rows[i].part);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live-guest-moves");
    TCase *tcase = tcase_create("moves");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_loop_test(tcase, it_goes_on_where_it_stopped, 0, G_N_ELEMENTS(moves));
    tcase_add_test(tcase, the_guest_saw_the_downtime_that_is_reported);
    tcase_add_test(tcase, it_moves_over_a_unix_socket);
    tcase_add_test(tcase, the_limit_is_kept_at_half_the_rate);
    tcase_add_test(tcase, a_live_guest_is_not_written_to_a_file);
    tcase_add_test(tcase, a_live_guest_needs_channels);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
