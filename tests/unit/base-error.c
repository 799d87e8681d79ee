/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>

#include "base/error.h"
#include "lib/unit.h"

START_TEST(errno_is_kept_and_survives_a_copy)
{
    GError *error = NULL;

    ck_assert(!zc_error_errno(&error, ZCMIG_ERROR_LIMIT, -ENOBUFS, "cannot send %d", 7));
    ck_assert_str_eq(error->message, "cannot send 7: No buffer space available");
    ck_assert_int_eq(zcmig_error_get_errno(error), ENOBUFS);
    g_autoptr(GError) copy = g_error_copy(error);
    ck_assert_int_eq(zcmig_error_get_errno(copy), ENOBUFS);
    g_clear_error(&error);
    ck_assert_int_eq(zcmig_error_get_errno(NULL), 0);
}
END_TEST

START_TEST(exit_codes_are_the_documented_ones)
{
    static const struct {
        enum zcmig_error_code code;
        int exit_code;
    } rows[] = {
        { ZCMIG_ERROR_FAILED, 1 },       { ZCMIG_ERROR_USAGE, 2 },
        { ZCMIG_ERROR_UNSUPPORTED, 1 },  { ZCMIG_ERROR_CONNECT, 1 },
        { ZCMIG_ERROR_PROTOCOL, 1 },     { ZCMIG_ERROR_DISCONNECTED, 1 },
        { ZCMIG_ERROR_PEER, 1 },         { ZCMIG_ERROR_SOURCE, 1 },
        { ZCMIG_ERROR_OUTPUT, 1 },       { ZCMIG_ERROR_LIMIT, 1 },
        { ZCMIG_ERROR_MISMATCH, 3 },     { ZCMIG_ERROR_CANCELLED, 4 },
        { ZCMIG_ERROR_TIMEOUT, 4 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = g_error_new(ZCMIG_ERROR, (gint)rows[i].code, "x");
        ck_assert_int_eq(zcmig_error_exit_code(error), rows[i].exit_code);
    }
    g_autoptr(GError) foreign = g_error_new(G_FILE_ERROR, 0, "x");
    ck_assert_int_eq(zcmig_error_exit_code(foreign), 1);
    ck_assert_int_eq(zcmig_error_exit_code(NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base-error");
    TCase *tcase = tcase_create("error");

    tcase_add_test(tcase, errno_is_kept_and_survives_a_copy);
    tcase_add_test(tcase, exit_codes_are_the_documented_ones);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
