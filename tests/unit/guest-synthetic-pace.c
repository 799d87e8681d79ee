/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pace of a writer on a simulated clock: counts, not times.
 */
#include "config.h"

#include "guest/synthetic-writer.h"
#include "lib/unit.h"

#define SECOND INT64_C(1000000000)

struct simulation {
    struct zc_pacer pacer;
    int64_t now_ns;
    uint64_t writes;
};

/* Runs for @span_ns with writes of @took_ns; every @stall_every-th one is late by @stall_ns. */
static void simulate(struct simulation *sim, int64_t span_ns, int64_t took_ns,
                     unsigned int stall_every, int64_t stall_ns)
{
    int64_t end_ns = sim->now_ns + span_ns;

    while (sim->now_ns < end_ns) {
        int64_t wait_ns = zc_pacer_wait_ns(&sim->pacer, sim->now_ns);
        if (wait_ns) {
            sim->now_ns += MIN(wait_ns, end_ns - sim->now_ns);
            continue;
        }
        sim->now_ns += took_ns;
        sim->writes++;
        zc_pacer_wrote(&sim->pacer, sim->now_ns, took_ns);
        if (stall_every && sim->writes % stall_every == 0) {
            sim->now_ns += stall_ns;
        }
    }
}

static const uint64_t rates[] = { 4096, 100000, 1 << 20, 100 << 20, UINT64_C(1600) << 20 };

START_TEST(the_rate_is_kept_on_the_long_run)
{
    struct simulation sim = { .now_ns = 77 };
    double expected = 20.0 * (double)rates[_i] / ZC_PAGE_BYTES;

    zc_pacer_init(&sim.pacer, rates[_i], sim.now_ns);
    simulate(&sim, 20 * SECOND, 700, 0, 0);
    ck_assert_double_ge((double)sim.writes, expected * 0.999 - 1);
    ck_assert_double_le((double)sim.writes, expected * 1.001 + 1);
}
END_TEST

START_TEST(short_stalls_are_made_up_for)
{
    struct simulation sim = { .now_ns = 0 };
    double expected = 20.0 * 100 * (1 << 20) / ZC_PAGE_BYTES;

    zc_pacer_init(&sim.pacer, 100 << 20, 0);
    simulate(&sim, 20 * SECOND, 700, 10000, ZC_PACER_BURST_NS / 2);
    ck_assert_double_ge((double)sim.writes, expected * 0.999 - 1);
    ck_assert_double_le((double)sim.writes, expected * 1.001 + 1);
}
END_TEST

START_TEST(long_stalls_and_pauses_are_not)
{
    struct simulation sim = { .now_ns = 0 };
    double per_ns = 100.0 * (1 << 20) / ZC_PAGE_BYTES / (double)SECOND;

    zc_pacer_init(&sim.pacer, 100 << 20, 0);
    simulate(&sim, SECOND, 700, 0, 0);
    uint64_t before = sim.writes;
    sim.now_ns += 10 * SECOND;
    simulate(&sim, SECOND / 100, 700, 0, 0);
    ck_assert_double_le((double)(sim.writes - before),
                        per_ns * (double)(SECOND / 100 + ZC_PACER_BURST_NS + ZC_PACER_NAP_NS) + 1);
    before = sim.writes;
    sim.now_ns += 10 * SECOND;
    zc_pacer_restart(&sim.pacer, sim.now_ns);
    simulate(&sim, SECOND / 100, 700, 0, 0);
    ck_assert_double_le((double)(sim.writes - before),
                        per_ns * (double)(SECOND / 100 + ZC_PACER_NAP_NS) + 1);
}
END_TEST

START_TEST(throttling_takes_its_share)
{
    const unsigned int percents[] = { 0, 20, 50, 99 };
    const uint64_t paced[] = { 20 << 20, ZC_SYNTHETIC_DIRTY_MAX };
    struct simulation sim = { .now_ns = 0 };
    uint64_t rate = paced[_i / 4];
    /* without limit: 2 us a write */
    double full = _i / 4 ? 20.0 * 500000 : 20.0 * (double)rate / ZC_PAGE_BYTES;
    double expected = full * (100 - percents[_i % 4]) / 100;

    zc_pacer_init(&sim.pacer, rate, 0);
    sim.pacer.throttle = percents[_i % 4];
    simulate(&sim, 20 * SECOND, 2000, 0, 0);
    ck_assert_double_ge((double)sim.writes, expected * 0.999 - 1);
    ck_assert_double_le((double)sim.writes, expected * 1.001 + 1000);
}
END_TEST

START_TEST(no_rate_means_never_and_no_limit_means_now)
{
    struct zc_pacer pacer;

    zc_pacer_init(&pacer, 0, 5);
    ck_assert_int_eq(zc_pacer_wait_ns(&pacer, 5 + 100 * SECOND), INT64_MAX);
    zc_pacer_init(&pacer, 1, 5);
    ck_assert_int_eq(zc_pacer_wait_ns(&pacer, 5), 0); /* one, and then long none */
    zc_pacer_wrote(&pacer, 5, 1);
    ck_assert_int_gt(zc_pacer_wait_ns(&pacer, 5), 900 * SECOND);
    zc_pacer_init(&pacer, ZC_SYNTHETIC_DIRTY_MAX, 5);
    for (int64_t now_ns = 5; now_ns < 1000000; now_ns += 100) {
        ck_assert_int_eq(zc_pacer_wait_ns(&pacer, now_ns), 0);
        zc_pacer_wrote(&pacer, now_ns + 100, 100);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-synthetic-pace");
    TCase *tcase = tcase_create("pace");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, the_rate_is_kept_on_the_long_run, 0, (int)G_N_ELEMENTS(rates));
    tcase_add_test(tcase, short_stalls_are_made_up_for);
    tcase_add_test(tcase, long_stalls_and_pauses_are_not);
    tcase_add_loop_test(tcase, throttling_takes_its_share, 0, 8);
    tcase_add_test(tcase, no_rate_means_never_and_no_limit_means_now);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
