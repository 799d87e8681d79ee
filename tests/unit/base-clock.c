/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <limits.h>

#include "base/clock.h"
#include "lib/unit.h"

START_TEST(deadlines_round_up_and_saturate)
{
    ck_assert_int_eq(zc_deadline_poll_ms(ZC_DEADLINE_NEVER, 5), -1);
    ck_assert_int_eq(zc_deadline_poll_ms(5, 5), 0);
    ck_assert_int_eq(zc_deadline_poll_ms(4, 5), 0);
    ck_assert_int_eq(zc_deadline_poll_ms(6, 5), 1);
    ck_assert_int_eq(zc_deadline_poll_ms(ZC_NS_PER_MS, 0), 1);
    ck_assert_int_eq(zc_deadline_poll_ms(ZC_NS_PER_MS + 1, 0), 2);
    ck_assert_int_eq(zc_deadline_poll_ms(INT64_MAX - 1, 0), INT_MAX);
    ck_assert(zc_deadline_after(7, -1) == ZC_DEADLINE_NEVER);
    ck_assert(zc_deadline_after(7, INT64_MAX) == ZC_DEADLINE_NEVER);
    ck_assert(zc_deadline_after(7, 3) == 7 + 3 * ZC_NS_PER_MS);
}
END_TEST

START_TEST(clocks_run_forward)
{
    int64_t before = zc_clock_now_ns();
    int64_t cpu_before = zc_clock_thread_cpu_ns();
    volatile unsigned int sink = 0;

    for (unsigned int i = 0; i < 1000000; i++) {
        sink += i;
    }
    ck_assert_int_gt(zc_clock_now_ns(), before);
    ck_assert_int_gt(zc_clock_thread_cpu_ns(), cpu_before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base-clock");
    TCase *tcase = tcase_create("clock");

    tcase_add_test(tcase, deadlines_round_up_and_saturate);
    tcase_add_test(tcase, clocks_run_forward);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
