/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <poll.h>

#include "base/cause.h"
#include "base/error.h"
#include "lib/unit.h"

static bool is_readable(int fd)
{
    struct pollfd entry = { .fd = fd, .events = POLLIN };

    return poll(&entry, 1, 0) == 1;
}

START_TEST(first_cause_wins_and_wakes)
{
    struct zc_cause cause;

    ck_assert(zc_cause_init(&cause, NULL));
    ck_assert(!zc_cause_is_set(&cause));
    ck_assert(!is_readable(cause.wake_fd));
    ck_assert(zc_cause_report(&cause, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_PEER, "one")));
    ck_assert(!zc_cause_report(&cause, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_FAILED, "two")));
    ck_assert(zc_cause_is_set(&cause));
    ck_assert(is_readable(cause.wake_fd));
    GError *error = zc_cause_copy(&cause);
    zc_unit_expect_error(&error, ZCMIG_ERROR_PEER, "one");
    zc_cause_clear(&cause);
}
END_TEST

START_TEST(cancel_becomes_the_cause)
{
    struct zc_cause cause;

    ck_assert(zc_cause_init(&cause, NULL));
    zc_cause_cancel(&cause);
    zc_cause_cancel(&cause);
    ck_assert(is_readable(cause.wake_fd));
    ck_assert(zc_cause_is_set(&cause));
    GError *error = zc_cause_copy(&cause);
    zc_unit_expect_error(&error, ZCMIG_ERROR_CANCELLED, "cancelled");
    zc_cause_clear(&cause);
}
END_TEST

START_TEST(cancel_after_an_error_changes_nothing)
{
    struct zc_cause cause;

    ck_assert(zc_cause_init(&cause, NULL));
    zc_cause_report(&cause, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_OUTPUT, "disk full"));
    zc_cause_cancel(&cause);
    GError *error = zc_cause_copy(&cause);
    zc_unit_expect_error(&error, ZCMIG_ERROR_OUTPUT, "disk full");
    zc_cause_clear(&cause);
}
END_TEST

START_TEST(a_reset_cause_is_as_new)
{
    struct zc_cause cause;

    ck_assert(zc_cause_init(&cause, NULL));
    zc_cause_report(&cause, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED, "cut"));
    ck_assert(zc_cause_reset(&cause));
    ck_assert(!is_readable(cause.wake_fd));
    ck_assert(!zc_cause_is_set(&cause));
    ck_assert(zc_cause_report(&cause, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_OUTPUT, "disk full")));
    ck_assert(is_readable(cause.wake_fd));
    zc_cause_clear(&cause);
}
END_TEST

START_TEST(a_cancelled_cause_is_not_reset)
{
    struct zc_cause cause;

    ck_assert(zc_cause_init(&cause, NULL));
    zc_cause_report(&cause, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED, "cut"));
    zc_cause_cancel(&cause);
    ck_assert(!zc_cause_reset(&cause));
    ck_assert(is_readable(cause.wake_fd));
    ck_assert(zc_cause_is_set(&cause));
    zc_cause_clear(&cause);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base-cause");
    TCase *tcase = tcase_create("cause");

    tcase_add_test(tcase, first_cause_wins_and_wakes);
    tcase_add_test(tcase, cancel_becomes_the_cause);
    tcase_add_test(tcase, cancel_after_an_error_changes_nothing);
    tcase_add_test(tcase, a_reset_cause_is_as_new);
    tcase_add_test(tcase, a_cancelled_cause_is_not_reset);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
