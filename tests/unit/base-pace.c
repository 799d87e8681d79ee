/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pace.h"
#include "lib/unit.h"

START_TEST(stretches_lie_behind_each_other)
{
    struct zc_pace pace;
    int64_t now = 100 * ZC_NS_PER_S;

    zc_pace_init(&pace, 1000);
    /* After a pause there is a credit of 10 ms, not of the whole pause. */
    ck_assert_int_eq(zc_pace_reserve(&pace, 500, now), 0);
    ck_assert_int_eq(zc_pace_reserve(&pace, 500, now), 490 * ZC_NS_PER_MS);
    ck_assert_int_eq(zc_pace_reserve(&pace, 1, now), 990 * ZC_NS_PER_MS);
    ck_assert_int_eq(zc_pace_reserve(&pace, 1, now + 10 * ZC_NS_PER_S), 0);
}
END_TEST

START_TEST(no_limit_never_waits)
{
    struct zc_pace pace;

    zc_pace_init(&pace, 0);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(zc_pace_reserve(&pace, UINT64_C(1) << 40, 5), 0);
    }
    ck_assert(zc_pace_wait(&pace, UINT64_C(1) << 40, -1));
}
END_TEST

/* 1 ms each: the fifth sleeps, and for all. */
START_TEST(short_stretches_are_waited_for_together)
{
    struct zc_pace pace;
    int wake_fd = eventfd(1, EFD_CLOEXEC); /* who would sleep is woken, and says so */

    zc_pace_init(&pace, 1000 * 1000);
    ck_assert(zc_pace_wait(&pace, 10000, wake_fd)); /* the credit */
    int64_t begin_ns = zc_clock_now_ns();
    unsigned int slept_at = 0;
    while (slept_at < 1000 && zc_pace_wait(&pace, 1000, wake_fd)) {
        slept_at++;
    }
    /* At least those of the 5 ms, and those of the time that passed meanwhile and before. */
    int64_t passed_ms = (zc_clock_now_ns() - begin_ns) / ZC_NS_PER_MS;
    ck_assert_uint_ge(slept_at, 5);
    ck_assert_int_le(slept_at, 16 + 2 * passed_ms);
    close(wake_fd);
}
END_TEST

START_TEST(waking_ends_the_wait)
{
    struct zc_pace pace;
    int wake_fd = eventfd(1, EFD_CLOEXEC);

    zc_pace_init(&pace, 1);
    ck_assert(zc_pace_wait(&pace, 1000000, wake_fd)); /* the line was free */
    ck_assert(!zc_pace_wait(&pace, 1, wake_fd));
    close(wake_fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base-pace");
    TCase *tcase = tcase_create("pace");

    tcase_add_test(tcase, stretches_lie_behind_each_other);
    tcase_add_test(tcase, no_limit_never_waits);
    tcase_add_test(tcase, short_stretches_are_waited_for_together);
    tcase_add_test(tcase, waking_ends_the_wait);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
