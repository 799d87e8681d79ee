/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* libcheck's 4 s are a guess at an idle machine; it reads this when a tcase is created. */
__attribute__((constructor)) static void set_default_timeout(void)
{
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
}

/* ------------------------------------------------------------------ scratch */

/* Of the whole run: made before the first fork, so that who outlives a failed test removes it. */
static char scratch[64];

char *zc_unit_make_dir(void)
{
    char *dir = g_build_filename(scratch, "XXXXXX", NULL);

    ck_assert_ptr_nonnull(g_mkdtemp(dir));
    return dir;
}

static bool make_scratch(void)
{
    bool has_tmpfs = g_file_test("/dev/shm", G_FILE_TEST_IS_DIR);

    g_strlcpy(scratch, has_tmpfs ? "/dev/shm/zcmig-XXXXXX" : "/tmp/zcmig-XXXXXX", sizeof(scratch));
    return g_mkdtemp(scratch) != NULL;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    remove(path);
    return 0;
}

static void remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void zc_unit_remove_dir(char *dir)
{
    remove_tree(dir);
    g_free(dir);
}

int zc_unit_main(Suite *suite)
{
    if (!make_scratch()) {
        perror(scratch);
        return EXIT_FAILURE;
    }
    /* Computed before any fork, so that every test of the run sees the same one. */
    printf("seed: ZC_SEED=%llu\n", (unsigned long long)zc_unit_seed());
    fflush(stdout);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove_tree(scratch);
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
