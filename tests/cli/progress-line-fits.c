/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The progress line never passes the terminal's width, and gives up the least important first. */
#include "config.h"

#include <string.h>

#include "lib/unit.h"
#include "tools/progress.h"

static struct zcmig_stats halfway(void)
{
    struct zcmig_stats stats = {
        .state = ZCMIG_STATE_ACTIVE,
        .sending = true,
        .total_bytes = UINT64_C(4) << 30,
        .normal_pages = 400000,
        .zero_pages = 124288,
        .n_channels = 1,
    };

    stats.channels[0].completed = 200;
    stats.channels[0].copied_min = 10;
    stats.channels[0].copied_max = 40;
    return stats;
}

static void expect_line(const struct zcmig_stats *stats, double rate, unsigned int width,
                        const char *expected)
{
    g_autofree char *line = zc_progress_format(stats, rate, width);

    ck_assert_str_eq(line, expected);
}

START_TEST(every_width_is_kept)
{
    struct zcmig_stats stats = halfway();

    for (unsigned int width = 0; width < 250; width++) {
        g_autofree char *line = zc_progress_format(&stats, 1e9, width);
        ck_assert_msg(strlen(line) <= width, "%zu columns of %u: '%s'", strlen(line), width, line);
    }
}
END_TEST

START_TEST(a_narrow_line_keeps_what_matters)
{
    struct zcmig_stats stats = halfway();

    expect_line(&stats, 512 << 20, 10, "active  50");
    expect_line(&stats, 512 << 20, 26, "active  50% 512 MiB/s");
    expect_line(&stats, 512 << 20, 34, "active  50% 512 MiB/s, 0:04 left");
    expect_line(&stats, 512 << 20, 79,
                "active  50% [#############..............] 512 MiB/s, 0:04 left, 5 to 20% copied");
    expect_line(&stats, 512 << 20, 110,
                "active  50% [###########............] 512 MiB/s, 0:04 left, 5 to 20% copied, "
                "400000 normal + 124288 zero pages");
}
END_TEST

START_TEST(what_is_not_known_is_not_said)
{
    struct zcmig_stats stats = { .state = ZCMIG_STATE_SETUP };

    expect_line(&stats, 0, 45, "setup   0%, 0 normal + 0 zero pages");
    stats = halfway();
    stats.sending = false;
    expect_line(&stats, 0, 24, "active  50% [#####.....]");
}
END_TEST

START_TEST(more_than_all_is_all)
{
    struct zcmig_stats stats = halfway();

    stats.normal_pages *= 10;
    expect_line(&stats, 1, 40, "active 100% 1 bytes/s, 0:00 left");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress-line-fits");
    TCase *tcase = tcase_create("line");

    tcase_add_test(tcase, every_width_is_kept);
    tcase_add_test(tcase, a_narrow_line_keeps_what_matters);
    tcase_add_test(tcase, what_is_not_known_is_not_said);
    tcase_add_test(tcase, more_than_all_is_all);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
