/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <sched.h>

#include "base/clock.h"
#include "base/load.h"
#include "lib/unit.h"

#define S ZC_NS_PER_S

/* Two CPUs for a second. */
static double share(int64_t idle_ns, int64_t cpu_ns)
{
    const struct zc_load before = { .at_ns = 5 * S, .idle_ns = 3 * S, .n_cpus = 2 };
    const struct zc_load after = { .at_ns = 6 * S, .idle_ns = 3 * S + idle_ns, .n_cpus = 2 };

    return zc_load_share(&before, &after, cpu_ns);
}

START_TEST(what_was_idle_was_not_taken)
{
    ck_assert_double_eq_tol(share(0, S / 2), 0.25, 1e-9);
    ck_assert_double_eq_tol(share(S / 4, S / 2), 0.125, 1e-9);
    ck_assert_double_eq_tol(share(S, S / 2), 0, 1e-9);
    ck_assert_double_eq_tol(share(0, 0), 0, 1e-9);
    ck_assert_double_eq_tol(share(0, 3 * S), 0.9, 1e-9); /* clocks differ: never all of it */
    ck_assert_double_eq_tol(share(-S, S / 2), 0.25, 1e-9); /* idle times may go back, proc_stat(5) */
}
END_TEST

START_TEST(what_is_not_known_is_no_share)
{
    const struct zc_load known = { .at_ns = 6 * S, .n_cpus = 2 };
    const struct zc_load unknown = { .at_ns = 5 * S };

    ck_assert_double_eq_tol(zc_load_share(&unknown, &known, S), 0, 1e-9);
    ck_assert_double_eq_tol(zc_load_share(&known, &known, S), 0, 1e-9);
}
END_TEST

START_TEST(only_cpus_that_we_may_run_on_count)
{
    cpu_set_t all, one;
    struct zc_load load;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
    zc_load_read(&load);
    ck_assert_uint_eq(load.n_cpus, CPU_COUNT(&all));
    int64_t idle_ns = load.idle_ns;
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
        }
    }
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    zc_load_read(&load);
    ck_assert_uint_eq(load.n_cpus, 1);
    ck_assert(CPU_COUNT(&all) == 1 || load.idle_ns < idle_ns);
    ck_assert_int_gt(load.at_ns, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base-load");
    TCase *tcase = tcase_create("load");

    tcase_add_test(tcase, what_was_idle_was_not_taken);
    tcase_add_test(tcase, what_is_not_known_is_no_share);
    tcase_add_test(tcase, only_cpus_that_we_may_run_on_count);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
