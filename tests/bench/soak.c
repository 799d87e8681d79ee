/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many short live migrations with everything about them drawn at random, in one
 * process that lives long.
 *
 *     soak [--count=N] [--seed=S] [--only=SEED] [--zcmig=PATH] [--quiet]
 *
 * Each has a seed of its own, which is printed and repeats it alone (--only).
 * After each: no page is wrong, the guest ran at one end, nothing is left over.
 * One that does not end is found by a watchdog.  Exit code 1 when anything was
 * wrong, and 77 where the kernel cannot track what a guest writes.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gio/gio.h>

#include "bench/soak-case.h"
#include "bench/soak-leaks.h"
#include "guest/track.h"
#include "lib/random.h"

#define WATCHDOG_S 120
#define WARM_UP 3u /* migrations, after which the process has what it keeps */

static struct {
    int count;
    char *seed;
    char *only;
    char *zcmig;
    gboolean quiet;
} option = { .count = 3000 };

/* atomic: read by the watchdog */
static _Atomic uint64_t current_seed;

/* Names the migration that hangs, or that an assertion ended. */
static void on_end(int number)
{
    static const char text[] = "soak: HANG or ABORT: the migration that was begun last: --only=";
    uint64_t seed = atomic_load(&current_seed);
    char digits[24];
    size_t at = sizeof(digits);

    digits[--at] = '\n';
    do {
        digits[--at] = (char)('0' + seed % 10);
        seed /= 10;
    } while (seed);
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ||
        write(STDERR_FILENO, digits + at, sizeof(digits) - at) < 0) {
        /* There is nobody to tell. */
    }
    signal(SIGABRT, SIG_DFL);
    if (number == SIGALRM) {
        abort();
    }
}

struct soak {
    char *dir;
    struct soak_resources before;
    struct soak_trend trend;
    GHashTable *outcomes; /* text -> count */
    unsigned int n_done;
    unsigned int n_wrong;
};

static void complain(struct soak *soak, uint64_t seed, const char *what)
{
    soak->n_wrong++;
    fprintf(stderr, "soak: WRONG: %s\nsoak: to repeat: --only=%" G_GUINT64_FORMAT "\n", what, seed);
}

static void note_outcome(struct soak *soak, const char *outcome)
{
    gpointer count = g_hash_table_lookup(soak->outcomes, outcome);

    g_hash_table_replace(soak->outcomes, (gpointer)outcome,
                         GUINT_TO_POINTER(GPOINTER_TO_UINT(count) + 1));
}

static void check_left_over(struct soak *soak, uint64_t seed)
{
    struct soak_resources now;
    g_autoptr(GDir) dir = g_dir_open(soak->dir, 0, NULL);
    const char *file = g_dir_read_name(dir);

    if (file) {
        g_autofree char *text = g_strdup_printf("left over: %s/%s", soak->dir, file);
        complain(soak, seed, text);
        remove(text + strlen("left over: "));
    }
    g_clear_pointer(&dir, g_dir_close);
    if (soak->n_done < WARM_UP) {
        soak_resources_take(&soak->before);
        return;
    }
    g_autofree char *text = soak_resources_compare(&soak->before, &now);
    if (text) {
        complain(soak, seed, text);
        soak->before = now;
    }
    soak_trend_add(&soak->trend, &now);
}

static void run_one(struct soak *soak, uint64_t seed)
{
    struct soak_case one;
    int64_t begin_us = g_get_monotonic_time();

    atomic_store(&current_seed, seed);
    soak_case_draw(&one, seed);
    one.by_command = one.by_command && option.zcmig;
    g_autofree char *text = soak_case_format(&one);
    if (!option.quiet) {
        printf("%u seed=%" G_GUINT64_FORMAT " %s:", soak->n_done, seed, text);
        fflush(stdout);
    }
    alarm(WATCHDOG_S);
    struct soak_result result = one.by_command
                                    ? soak_case_run_commands(&one, soak->dir, option.zcmig)
                                    : soak_case_run(&one, soak->dir);
    alarm(0);
    if (!option.quiet) {
        printf(" %s, %.0f ms\n", result.outcome,
               (double)(g_get_monotonic_time() - begin_us) / 1000);
        fflush(stdout);
    }
    if (result.wrong) {
        complain(soak, seed, result.wrong);
        fprintf(stderr, "soak: it was %s\n", text);
    }
    note_outcome(soak, result.outcome);
    g_free(result.wrong);
    soak_case_clear(&one);
    check_left_over(soak, seed);
    soak->n_done++;
}

static void conclude(struct soak *soak, uint64_t seed)
{
    g_autofree char *grown = soak_trend_judge(&soak->trend);
    GHashTableIter iter;
    gpointer outcome, count;

    if (grown) {
        complain(soak, seed, grown);
    }
    printf("soak: %u migrations from seed %" G_GUINT64_FORMAT ":", soak->n_done, seed);
    g_hash_table_iter_init(&iter, soak->outcomes);
    while (g_hash_table_iter_next(&iter, &outcome, &count)) {
        printf(" %u %s,", GPOINTER_TO_UINT(count), (const char *)outcome);
    }
    printf(" %u wrong\n", soak->n_wrong);
}

static bool read_number(const char *text, const char *name, uint64_t *number_out)
{
    if (text && !g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, number_out, NULL)) {
        fprintf(stderr, "soak: --%s: got '%s', allowed is a number\n", name, text);
        return false;
    }
    return true;
}

static bool parse(int argc, char **argv, uint64_t *seed_out, uint64_t *only_out)
{
    const GOptionEntry entries[] = {
        { "count", 0, 0, G_OPTION_ARG_INT, &option.count, "Migrations (default: 3000)", "N" },
        { "seed", 0, 0, G_OPTION_ARG_STRING, &option.seed, "Of all (default: random)", "S" },
        { "only", 0, 0, G_OPTION_ARG_STRING, &option.only, "Only the one with this seed", "SEED" },
        { "zcmig", 0, 0, G_OPTION_ARG_FILENAME, &option.zcmig,
          "Runs one in 40 by this command (default: none)", "PATH" },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &option.quiet, "Only what is wrong, and the sum",
          NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "soak: %s\n", error->message);
        return false;
    }
    *seed_out = ((uint64_t)g_random_int() << 32) | g_random_int();
    return read_number(option.seed, "seed", seed_out) && read_number(option.only, "only", only_out);
}

/* GLib keeps a thread to wait for children from the first one on: before anything is counted. */
static void begin_to_wait_for_children(void)
{
    g_autoptr(GSubprocess) child = g_subprocess_new(G_SUBPROCESS_FLAGS_NONE, NULL, "true", NULL);

    if (child) {
        g_subprocess_wait(child, NULL, NULL);
    }
}

int main(int argc, char **argv)
{
    struct soak soak = { .outcomes = g_hash_table_new(g_str_hash, g_str_equal) };
    struct zc_random random;
    uint64_t seed = 0, only = 0;
    g_autoptr(GError) error = NULL;

    if (!parse(argc, argv, &seed, &only)) {
        return 2;
    }
    struct zc_tracker *probe = zc_tracker_new(ZC_TRACKER_SCAN, NULL, &error);
    if (!probe) {
        printf("skip: %s\n", error->message);
        return 77;
    }
    zc_tracker_free(probe);
    begin_to_wait_for_children();
    signal(SIGALRM, on_end);
    signal(SIGABRT, on_end);
    signal(SIGPIPE, SIG_IGN);
    soak.dir = g_dir_make_tmp("zcmig-soak-XXXXXX", NULL);
    soak.trend.n_expected = (unsigned int)MAX(0, option.count - (int)WARM_UP);
    printf("soak: seed %" G_GUINT64_FORMAT "\n", option.only ? only : seed);
    zc_random_init(&random, seed);
    for (int i = 0; i < (option.only ? 1 : option.count); i++) {
        run_one(&soak, option.only ? only : zc_random_next(&random));
    }
    conclude(&soak, option.only ? only : seed);
    rmdir(soak.dir);
    g_free(soak.dir);
    g_hash_table_destroy(soak.outcomes);
    return soak.n_wrong ? 1 : 0;
}
