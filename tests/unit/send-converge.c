/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scripted histories: what the guest wrote and what was sent, and what is then decided. */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "lib/unit.h"
#include "send/converge.h"

#define MS ZC_NS_PER_MS
#define S ZC_NS_PER_S
#define MIB (UINT64_C(1) << 20)

struct history {
    struct zc_converge converge;
    int64_t now_ns;
};

static void sent(struct zc_converge *converge, uint64_t bytes, uint64_t runs, int64_t took_ns,
                 double guest_share)
{
    const struct zc_converge_work work = { .bytes = bytes, .runs = runs, .tables = 1 };

    zc_converge_sent(converge, &work, took_ns, guest_share);
}

static void harvested(struct zc_converge *converge, uint64_t bytes, uint64_t runs, int64_t since_ns,
                      int64_t took_ns)
{
    const struct zc_converge_work dirty = { .bytes = bytes, .runs = runs, .tables = 1 };

    zc_converge_harvested(converge, &dirty, since_ns, took_ns);
}

static void begin_at_costs(struct history *history, struct zc_converge_options options,
                           struct zc_converge_costs costs)
{
    history->now_ns = 1000 * S;
    zc_converge_init(&history->converge, &options, &costs, history->now_ns);
}

/* An iteration costs nothing but its bytes. */
static void begin(struct history *history, struct zc_converge_options options, int64_t fixed_ns)
{
    begin_at_costs(history, options, (struct zc_converge_costs){ .switch_ns = fixed_ns });
}

/* An iteration at @rate bytes/s of what was dirty (@bytes), then a harvest of @dirty. */
static enum zc_converge_decision iterate(struct history *history, uint64_t bytes, uint64_t rate,
                                         uint64_t dirty)
{
    int64_t took_ns = (int64_t)((double)bytes / (double)rate * (double)S);

    history->now_ns += took_ns;
    sent(&history->converge, bytes, 1, took_ns, 0);
    harvested(&history->converge, dirty, 1, took_ns, MS);
    return zc_converge_decide(&history->converge, history->now_ns);
}

/*
 * A link of @rate carries a guest of @bytes that writes @dirty_rate in all its RAM, until
 * something else than sending is decided.  How much slower it writes is up to the throttle.
 */
static enum zc_converge_decision run(struct history *history, uint64_t bytes, uint64_t rate,
                                     uint64_t dirty_rate)
{
    enum zc_converge_decision decision;
    uint64_t send = bytes;
    unsigned int n = 0;

    do {
        double speed = (100 - history->converge.throttle_percent) / 100.0;
        uint64_t dirty = (uint64_t)((double)send / (double)rate * (double)dirty_rate * speed);
        dirty = MIN(dirty, bytes) / 4096 * 4096;
        decision = iterate(history, send, rate, dirty);
        send = dirty;
        ck_assert_uint_lt(n++, 1000);
    } while (decision == ZC_CONVERGE_ITERATE);
    return decision;
}

/* To the microsecond: bytes are whole. */
static void expect_estimate(const struct history *history, int64_t ns)
{
    ck_assert_int_eq((history->converge.estimate_ns + 500) / 1000, (ns + 500) / 1000);
}

/* The guest writes on while a harvest of 1 ms goes over its RAM, half of the time behind it. */
START_TEST(estimate_is_dirt_over_bandwidth_and_what_is_fixed)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 300 * MS }, 10 * MS);
    ck_assert_int_eq(history.converge.estimate_ns, INT64_MAX);
    ck_assert_int_eq(iterate(&history, 1000 * MIB, 1000 * MIB, 500 * MIB), ZC_CONVERGE_ITERATE);
    ck_assert_uint_eq(zc_converge_bandwidth(&history.converge), 1000 * MIB);
    ck_assert_uint_eq(history.converge.dirty_bytes_per_s, 500 * MIB);
    expect_estimate(&history, 500 * MS + 500 * MS / 1000 / 2 + 10 * MS + MS);
    ck_assert_int_eq(iterate(&history, 500 * MIB, 1000 * MIB, 250 * MIB), ZC_CONVERGE_ITERATE);
    expect_estimate(&history, 250 * MS + 250 * MS / 500 / 2 + 10 * MS + MS);
}
END_TEST

/* However small they are: the last pages are like those of the last iteration. */
START_TEST(recent_iterations_weigh_more)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 0 }, 0);
    iterate(&history, 500 * MIB, 100 * MIB, 1000 * MIB);  /* the first, which is forgotten */
    iterate(&history, 1000 * MIB, 1000 * MIB, 100 * MIB); /* 1 ns a byte, say */
    iterate(&history, 10 * MIB, 100 * MIB, 100 * MIB);    /* 10 */
    uint64_t bandwidth = zc_converge_bandwidth(&history.converge);
    ck_assert_uint_eq(bandwidth / MIB, 181); /* 5.5 */
    for (unsigned int i = 0; i < 6; i++) {
        iterate(&history, 10 * MIB, 100 * MIB, 10 * MIB);
    }
    bandwidth = zc_converge_bandwidth(&history.converge);
    ck_assert_uint_ge(bandwidth, 100 * MIB);
    ck_assert_uint_lt(bandwidth, 102 * MIB);
}
END_TEST

/* Each iteration has a trip in it, and so has the switchover. */
START_TEST(a_trip_is_not_bandwidth)
{
    struct history history;

    begin_at_costs(&history, (struct zc_converge_options){ .limit_ns = 0 },
                   (struct zc_converge_costs){ .trip_ns = 5 * MS, .switch_ns = 20 * MS });
    for (uint64_t mib = 1000; mib >= 10; mib /= 10) {
        int64_t took_ns = (int64_t)mib * MS + 5 * MS; /* at 1000 MiB/s */
        sent(&history.converge, mib * MIB, 1, took_ns, 0);
        ck_assert_uint_eq(zc_converge_bandwidth(&history.converge) / MIB, 1000);
        harvested(&history.converge, mib * MIB / 10, 1, 0, 3 * MS);
        expect_estimate(&history, (int64_t)mib * MS / 10 + 28 * MS);
    }
}
END_TEST

/* One that was measured too long does not make the link fast. */
START_TEST(a_trip_is_half_of_any_iteration_at_most)
{
    struct history history;

    begin_at_costs(&history, (struct zc_converge_options){ .limit_ns = 0 },
                   (struct zc_converge_costs){ .trip_ns = 50 * MS });
    sent(&history.converge, 10 * MIB, 1, 20 * MS, 0);
    ck_assert_uint_eq(zc_converge_bandwidth(&history.converge) / MIB, 1000);
    harvested(&history.converge, 0, 1, S, 0);
    ck_assert_int_eq(history.converge.estimate_ns, 10 * MS);
}
END_TEST

/* Both ends and the guest fill the host: when it stops, its share of the CPUs is ours. */
START_TEST(a_stopped_guest_gives_its_cpu_back)
{
    struct history history;

    begin_at_costs(&history, (struct zc_converge_options){ .limit_ns = 0 },
                   (struct zc_converge_costs){ .trip_ns = 4 * MS });
    sent(&history.converge, 100 * MIB, 1, 200 * MS, 0.25); /* 150 ms without it */
    harvested(&history.converge, 50 * MIB, 1, 200 * MS, 0);
    ck_assert_int_eq(history.converge.estimate_ns / MS, (150 - 4) / 2 + 4);
    ck_assert_uint_eq(zc_converge_bandwidth(&history.converge) / MIB, 100 * 1000 / 196);
}
END_TEST

/* It is counted by 10 ms: what an iteration of 1 ms says of it is noise. */
START_TEST(a_short_iteration_says_little_of_the_guests_share)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 0 }, 0);
    sent(&history.converge, 1000 * MIB, 1, S, 0.4);
    sent(&history.converge, 2 * MIB, 1, MS, 0);
    ck_assert_double_gt(history.converge.guest_share, 0.37);
    sent(&history.converge, 200 * MIB, 1, 200 * MS, 0.1);
    ck_assert_double_lt(history.converge.guest_share, 0.13);
}
END_TEST

/* The same bytes in pieces take longer. */
START_TEST(a_run_costs_beside_its_bytes)
{
    struct history history;

    begin_at_costs(&history, (struct zc_converge_options){ .limit_ns = 0 },
                   (struct zc_converge_costs){ .run_bytes = 4096 });
    sent(&history.converge, 512 * MIB, 512 * 256 / 2, 768 * MS, 0); /* 2 pages a run */
    harvested(&history.converge, 100 * MIB, 100 * 256, 768 * MS, 0);
    ck_assert_int_eq((history.converge.estimate_ns + MS / 2) / MS, 200);
    harvested(&history.converge, 100 * MIB, 1, 768 * MS, 0);
    ck_assert_int_eq((history.converge.estimate_ns + MS / 2) / MS, 100);
}
END_TEST

/* And the same pages in more page tables. */
START_TEST(a_page_table_costs_beside_its_pages)
{
    const struct zc_converge_work dense = { .bytes = 64 * MIB, .tables = 32 };
    const struct zc_converge_work sparse = { .bytes = 32 * MIB, .tables = 32 };
    struct history history;

    begin_at_costs(&history, (struct zc_converge_options){ .limit_ns = 0 },
                   (struct zc_converge_costs){ .table_bytes = MIB });
    zc_converge_sent(&history.converge, &dense, 96 * MS, 0); /* 1 ms for each MiB and table */
    zc_converge_harvested(&history.converge, &sparse, 96 * MS, 0);
    ck_assert_int_eq((history.converge.estimate_ns + MS / 2) / MS, 64);
}
END_TEST

/* To make the destination's memory takes longer than to fill it again. */
START_TEST(the_first_iteration_is_not_believed_alone)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 300 * MS }, 0);
    ck_assert_int_eq(iterate(&history, 1000 * MIB, 500 * MIB, 100 * MIB), ZC_CONVERGE_ITERATE);
    expect_estimate(&history, 200 * MS + 200 * MS / 2000 / 2 + MS);
    ck_assert_int_eq(iterate(&history, 100 * MIB, 1000 * MIB, 95 * MIB), ZC_CONVERGE_SWITCHOVER);
    ck_assert_uint_eq(zc_converge_bandwidth(&history.converge), 1000 * MIB);
    expect_estimate(&history, 95 * MS + 95 * MS / 100 / 2 + MS);
    ck_assert(!history.converge.forced);
}
END_TEST

/* One that was interrupted for long says nothing of the last. */
START_TEST(the_shortest_harvest_is_expected_again)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 0 }, 0);
    iterate(&history, 1000 * MIB, 1000 * MIB, 100 * MIB);
    harvested(&history.converge, 0, 1, S, 20 * MS);
    ck_assert_int_eq(history.converge.estimate_ns, MS);
    harvested(&history.converge, 0, 1, S, MS / 2);
    ck_assert_int_eq(history.converge.estimate_ns, MS / 2);
}
END_TEST

START_TEST(a_walk_says_how_long_a_harvest_takes)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 2 * MS }, 2 * MS);
    ck_assert(!zc_converge_wants_walk(&history.converge));
    iterate(&history, 1000 * MIB, 1000 * MIB, 100 * MIB);
    ck_assert(!zc_converge_wants_walk(&history.converge)); /* the pages alone take too long */
    harvested(&history.converge, 0, 1, S, 20 * MS);
    ck_assert(zc_converge_wants_walk(&history.converge));
    zc_converge_walked(&history.converge, 2 * MS); /* interrupted: it once took 1 */
    ck_assert_int_eq(history.converge.estimate_ns, 3 * MS);
    zc_converge_walked(&history.converge, MS / 4);
    ck_assert_int_eq(history.converge.estimate_ns, 2 * MS + MS / 4);
    harvested(&history.converge, 0, 1, S, 20 * MS);
    ck_assert_int_eq(history.converge.estimate_ns, 2 * MS + MS / 4);
}
END_TEST

/* A link of 1000 MiB/s, a guest that writes 100: what it writes beside 10 ms takes 1 ms more. */
START_TEST(what_the_guest_writes_beside_a_walk_counts)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = S }, 0);
    iterate(&history, 1000 * MIB, 1000 * MIB, 100 * MIB);
    expect_estimate(&history, 100 * MS + 50 * MS / 1000 + MS);
    zc_converge_walked(&history.converge, 10 * MS);
    expect_estimate(&history, 100 * MS + 50 * MS / 1000 + MS + MS);
}
END_TEST

START_TEST(the_first_iteration_is_enough_when_little_is_left_or_time_is_over)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 300 * MS }, 0);
    ck_assert_int_eq(iterate(&history, 1000 * MIB, 500 * MIB, 8192), ZC_CONVERGE_SWITCHOVER);
    begin(&history, (struct zc_converge_options){ .limit_ns = 300 * MS, .timeout_ns = S }, 0);
    ck_assert_int_eq(iterate(&history, 1000 * MIB, 500 * MIB, 100 * MIB), ZC_CONVERGE_SWITCHOVER);
    ck_assert(!history.converge.forced);
}
END_TEST

/* A few pages take a round trip; that says nothing of what the link carries. */
START_TEST(small_iterations_do_not_spoil_the_bandwidth)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 0 }, 0);
    iterate(&history, 1000 * MIB, 1000 * MIB, 4096);
    iterate(&history, 4096, 4096, 4096);
    ck_assert_uint_eq(zc_converge_bandwidth(&history.converge), 1000 * MIB);
}
END_TEST

START_TEST(slower_writers_than_the_link_converge)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 100 * MS }, MS);
    ck_assert_int_eq(run(&history, 4096 * MIB, 1000 * MIB, 500 * MIB), ZC_CONVERGE_SWITCHOVER);
    ck_assert_uint_eq(history.converge.throttle_percent, 0);
    /* 4096 are halved until they are under 98, and on until what is fixed is most of it. */
    ck_assert_uint_eq(history.converge.iterations, 11);
    ck_assert_int_le(history.converge.estimate_ns, 6 * MS);
    ck_assert_int_le(history.now_ns - 1000 * S, 8192 * MS + 50 * MS);
}
END_TEST

/* All RAM was sent in 4.1 s; of the 300 ms allowed, what is dirty would take 400. */
static void begin_until_400_mib(struct history *history, int64_t timeout_ns)
{
    begin(history, (struct zc_converge_options){ .limit_ns = 300 * MS, .timeout_ns = timeout_ns },
          MS);
    iterate(history, 4096 * MIB, 1000 * MIB, 400 * MIB);
}

/* A guest that writes nearly as fast as the link carries: to go on would leave as much again. */
START_TEST(a_met_limit_is_enough_when_an_iteration_more_gains_little)
{
    struct history history;

    begin_until_400_mib(&history, 0);
    ck_assert_int_eq(iterate(&history, 400 * MIB, 1000 * MIB, 90 * MIB), ZC_CONVERGE_ITERATE);
    ck_assert_int_eq(iterate(&history, 90 * MIB, 1000 * MIB, 80 * MIB), ZC_CONVERGE_SWITCHOVER);
    ck_assert(!history.converge.forced);
}
END_TEST

/* An iteration more was promised to leave less, and did not. */
START_TEST(a_met_limit_is_enough_when_it_gets_no_better)
{
    struct history history;

    begin_until_400_mib(&history, 0);
    ck_assert_int_eq(iterate(&history, 400 * MIB, 1000 * MIB, 200 * MIB), ZC_CONVERGE_ITERATE);
    ck_assert_int_eq(iterate(&history, 200 * MIB, 100 * MIB, 195 * MIB), ZC_CONVERGE_ITERATE);
    ck_assert_int_gt(history.converge.estimate_ns, 300 * MS); /* the link has become slower */
    ck_assert_int_eq(iterate(&history, 195 * MIB, 300 * MIB, 60 * MIB), ZC_CONVERGE_SWITCHOVER);
}
END_TEST

START_TEST(a_met_limit_is_enough_when_time_is_over)
{
    struct history history;

    begin_until_400_mib(&history, 5 * S);
    ck_assert_int_eq(iterate(&history, 400 * MIB, 1000 * MIB, 200 * MIB), ZC_CONVERGE_ITERATE);
    history.now_ns += S;
    ck_assert_int_eq(iterate(&history, 200 * MIB, 1000 * MIB, 50 * MIB), ZC_CONVERGE_SWITCHOVER);
    ck_assert(!history.converge.forced);
}
END_TEST

START_TEST(faster_writers_are_given_up_with_the_numbers)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 100 * MS }, MS);
    ck_assert_int_eq(run(&history, 1024 * MIB, 1024 * MIB, 2048 * MIB), ZC_CONVERGE_GIVE_UP);
    ck_assert(!history.converge.timed_out);
    ck_assert_uint_ge(history.converge.iterations, ZC_CONVERGE_PATIENCE);
    ck_assert_uint_le(history.converge.iterations, ZC_CONVERGE_PATIENCE + 2);
    g_autofree char *text = zc_converge_explain(&history.converge, history.now_ns);
    ck_assert_msg(strstr(text, "writes 1 GiB/s") && strstr(text, "carry 1 GiB/s") &&
                      strstr(text, "1 GiB are dirty") && strstr(text, "1003 ms") &&
                      strstr(text, "allowed are 100 ms"),
                  "%s", text);
}
END_TEST

START_TEST(faster_writers_are_switched_over_when_that_is_the_policy)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 100 * MS, .force = true }, MS);
    ck_assert_int_eq(run(&history, 1024 * MIB, 1024 * MIB, 2048 * MIB), ZC_CONVERGE_SWITCHOVER);
    ck_assert(history.converge.forced);
}
END_TEST

START_TEST(the_timeout_ends_it)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 100 * MS, .timeout_ns = 5 * S / 2 },
          MS);
    ck_assert_int_eq(run(&history, 1024 * MIB, 1024 * MIB, 2048 * MIB), ZC_CONVERGE_GIVE_UP);
    ck_assert(history.converge.timed_out);
    ck_assert_uint_eq(history.converge.iterations, 3);
}
END_TEST

/* What meets the limit is not too late, however late it is. */
START_TEST(a_good_estimate_beats_the_timeout)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 100 * MS, .timeout_ns = S }, MS);
    ck_assert_int_eq(iterate(&history, 4096 * MIB, 1024 * MIB, MIB), ZC_CONVERGE_SWITCHOVER);
}
END_TEST

START_TEST(auto_converge_slows_down_until_it_fits)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = 100 * MS, .throttle = true }, MS);
    ck_assert_int_eq(run(&history, 1024 * MIB, 1024 * MIB, 4096 * MIB), ZC_CONVERGE_SWITCHOVER);
    ck_assert_uint_ge(history.converge.throttle_percent, 80);
    ck_assert_uint_le(history.converge.throttle_percent, ZC_CONVERGE_THROTTLE_MAX);
}
END_TEST

START_TEST(auto_converge_goes_in_steps_and_no_further)
{
    static const unsigned int steps[] = { 20, 30, 40, 50, 60, 70, 80, 90, 99 };
    struct history history;
    unsigned int percent = 0, n = 0;

    begin(&history, (struct zc_converge_options){ .limit_ns = MS, .throttle = true }, 0);
    enum zc_converge_decision decision;
    do {
        decision = iterate(&history, 1024 * MIB, 1024 * MIB, 1024 * MIB);
        if (history.converge.throttle_percent != percent) {
            percent = history.converge.throttle_percent;
            ck_assert_uint_lt(n, G_N_ELEMENTS(steps));
            ck_assert_uint_eq(percent, steps[n++]);
        }
    } while (decision == ZC_CONVERGE_ITERATE);
    ck_assert_int_eq(decision, ZC_CONVERGE_GIVE_UP);
    ck_assert_uint_eq(n, G_N_ELEMENTS(steps));
}
END_TEST

START_TEST(one_larger_harvest_is_no_reason_to_slow_down)
{
    struct history history;

    begin(&history, (struct zc_converge_options){ .limit_ns = MS, .throttle = true }, 0);
    iterate(&history, 1024 * MIB, 1024 * MIB, 500 * MIB);
    iterate(&history, 500 * MIB, 1024 * MIB, 600 * MIB);
    iterate(&history, 600 * MIB, 1024 * MIB, 400 * MIB);
    iterate(&history, 400 * MIB, 1024 * MIB, 500 * MIB);
    ck_assert_uint_eq(history.converge.throttle_percent, 0);
}
END_TEST

/* The fixed parts alone are over the limit: there is nothing to send, and no loop of nothing. */
START_TEST(nothing_dirty_waits_and_then_gives_up)
{
    struct history history;
    unsigned int n_waits = 0;

    begin(&history, (struct zc_converge_options){ .limit_ns = MS }, 20 * MS);
    enum zc_converge_decision decision = iterate(&history, 1024 * MIB, 1024 * MIB, 0);
    while (decision == ZC_CONVERGE_WAIT) {
        history.now_ns += 100 * MS;
        harvested(&history.converge, 0, 1, 100 * MS, MS);
        decision = zc_converge_decide(&history.converge, history.now_ns);
        n_waits++;
    }
    ck_assert_int_eq(decision, ZC_CONVERGE_GIVE_UP);
    ck_assert_uint_ge(n_waits, 30); /* 3 s of patience */
    ck_assert_uint_eq(history.converge.iterations, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-converge");
    TCase *tcase = tcase_create("converge");

    tcase_add_test(tcase, estimate_is_dirt_over_bandwidth_and_what_is_fixed);
    tcase_add_test(tcase, recent_iterations_weigh_more);
    tcase_add_test(tcase, a_trip_is_not_bandwidth);
    tcase_add_test(tcase, a_trip_is_half_of_any_iteration_at_most);
    tcase_add_test(tcase, a_stopped_guest_gives_its_cpu_back);
    tcase_add_test(tcase, a_short_iteration_says_little_of_the_guests_share);
    tcase_add_test(tcase, a_run_costs_beside_its_bytes);
    tcase_add_test(tcase, a_page_table_costs_beside_its_pages);
    tcase_add_test(tcase, the_first_iteration_is_not_believed_alone);
    tcase_add_test(tcase, the_shortest_harvest_is_expected_again);
    tcase_add_test(tcase, a_walk_says_how_long_a_harvest_takes);
    tcase_add_test(tcase, what_the_guest_writes_beside_a_walk_counts);
    tcase_add_test(tcase, the_first_iteration_is_enough_when_little_is_left_or_time_is_over);
    tcase_add_test(tcase, small_iterations_do_not_spoil_the_bandwidth);
    tcase_add_test(tcase, slower_writers_than_the_link_converge);
    tcase_add_test(tcase, a_met_limit_is_enough_when_an_iteration_more_gains_little);
    tcase_add_test(tcase, a_met_limit_is_enough_when_it_gets_no_better);
    tcase_add_test(tcase, a_met_limit_is_enough_when_time_is_over);
    tcase_add_test(tcase, faster_writers_are_given_up_with_the_numbers);
    tcase_add_test(tcase, faster_writers_are_switched_over_when_that_is_the_policy);
    tcase_add_test(tcase, the_timeout_ends_it);
    tcase_add_test(tcase, a_good_estimate_beats_the_timeout);
    tcase_add_test(tcase, auto_converge_slows_down_until_it_fits);
    tcase_add_test(tcase, auto_converge_goes_in_steps_and_no_further);
    tcase_add_test(tcase, one_larger_harvest_is_no_reason_to_slow_down);
    tcase_add_test(tcase, nothing_dirty_waits_and_then_gives_up);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
