/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <zcmig/error.h>

#include "lib/unit.h"

uint64_t zc_unit_seed(void)
{
    static uint64_t seed;

    if (!seed) {
        const char *given = getenv("ZC_SEED");
        struct timespec ts;
        clock_gettime(CLOCK_REALTIME, &ts);
        seed = given ? strtoull(given, NULL, 0) : (uint64_t)ts.tv_nsec * 2654435761u + 1;
    }
    return seed;
}

int zc_unit_main(Suite *suite)
{
    /* Computed before any fork, so that every test of the run sees the same one. */
    printf("seed: ZC_SEED=%llu\n", (unsigned long long)zc_unit_seed());
    fflush(stdout);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void zc_unit_expect_error(GError **error, int expected, const char *part)
{
    ck_assert_msg(*error != NULL, "no error, expected one with '%s'", part);
    ck_assert_msg((*error)->domain == ZCMIG_ERROR && (*error)->code == expected,
                  "got error code %d '%s', expected code %d", (*error)->code, (*error)->message,
                  expected);
    ck_assert_msg(strstr((*error)->message, part) != NULL, "got '%s', expected it to contain '%s'",
                  (*error)->message, part);
    g_clear_error(error);
}
