/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <zcmig/error.h>

#include "base/size.h"
#include "lib/unit.h"

START_TEST(sizes_are_read)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {
        { "0", 0 },          { "17", 17 },           { "4K", 4096 },
        { "4kB", 4096 },     { "512MiB", 512 << 20 }, { "1.5G", 3 * (ZC_GIB / 2) },
        { "100M/s", 100 << 20 }, { "2T", 2048 * ZC_GIB },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t bytes = 0;
        GError *error = NULL;
        ck_assert_msg(zc_size_parse(rows[i].text, "size", &bytes, &error), "%s", rows[i].text);
        ck_assert_uint_eq(bytes, rows[i].bytes);
    }
}
END_TEST

START_TEST(bad_sizes_are_named)
{
    static const char *const rows[] = { "", "-1", "x", "4Q", "4GG", "nan", "inf", "9e30", " 4" };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t bytes = 99;
        GError *error = NULL;
        ck_assert_msg(!zc_size_parse(rows[i], "--ram", &bytes, &error), "'%s'", rows[i]);
        zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "--ram: got '");
        ck_assert_uint_eq(bytes, 99);
    }
}
END_TEST

START_TEST(sizes_are_written_for_people)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        { 17, "17 bytes" }, { 4096, "4 KiB" }, { 1536 << 20, "1.50 GiB" }, { 4 * ZC_GIB, "4 GiB" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = zc_size_format(rows[i].bytes);
        ck_assert_str_eq(text, rows[i].text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base-size");
    TCase *tcase = tcase_create("size");

    tcase_add_test(tcase, sizes_are_read);
    tcase_add_test(tcase, bad_sizes_are_named);
    tcase_add_test(tcase, sizes_are_written_for_people);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
