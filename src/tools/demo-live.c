/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: the two processes are `zcmig send guest:...` and `zcmig recv`, so
 * that what is shown here is what they do anywhere.  The display is made of the
 * lines that the sender's --progress writes for programs, the report of both
 * ends' --json.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "base/size.h"
#include "tools/cli.h"
#include "tools/demo-ends.h"
#include "tools/demo-files.h"
#include "tools/demo-live-report.h"
#include "tools/demo-live.h"
#include "tools/demo-pair.h"
#include "tools/demo-wake.h"
#include "tools/progress.h"

#define TIMEOUT_S 600u /* of all of it: bounds what nobody interrupts */
#define MEMORY_MAX (UINT64_C(1) << 30)
#define MEMORY_MIN (UINT64_C(64) << 20)
#define LINE_US G_USEC_PER_SEC /* between lines when stderr is no terminal */

struct live {
    const struct zc_demo_live_options *options;
    bool terminal;
    bool on_a_line; /* the terminal's cursor is behind the display */
    bool said_check;
    int64_t begun_us;
    int64_t next_line_us;
    char *directory; /* of the socket; NULL: there is none */
    struct zc_demo_pair pair;
};

uint64_t zc_demo_live_default_memory(void)
{
    uint64_t memory = MEMORY_MAX;
    uint64_t available = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    g_autofree char *text = NULL;

    if (g_file_get_contents("/proc/meminfo", &text, NULL, NULL)) {
        const char *line = strstr(text, "MemAvailable:");
        available =
            line ? g_ascii_strtoull(line + strlen("MemAvailable:"), NULL, 10) * ZC_KIB : available;
    }
    while (memory > MEMORY_MIN && available / 3 < memory) {
        memory /= 2;
    }
    return memory;
}

/* ------------------------------------------------------------------ display */

/* A line that stays, with the time. */
static void stage(struct live *live, const char *text)
{
    if (!live->options->quiet) {
        fprintf(stderr, "%s[%5.1f s] %s\n", live->on_a_line ? "\r\033[K" : "",
                (double)(g_get_monotonic_time() - live->begun_us) / G_USEC_PER_SEC, text);
        fflush(stderr);
        live->on_a_line = false;
    }
}

/* "iteration 2, 12 MiB left, 1.20 GiB/s, guest writes 100 MiB/s, downtime now 11.0 ms" */
static char *format_progress(JsonObject *progress)
{
    g_autofree char *left = zc_size_format(zc_demo_ends_count(progress, "ram", "remaining"));
    g_autofree char *dirty =
        zc_size_format(zc_demo_ends_count(progress, "ram", "dirty-pages-rate") *
                       zc_demo_ends_count(progress, "ram", "page-size"));
    g_autofree char *rate =
        zc_size_format(zc_demo_ends_count(progress, NULL, "ram-bytes-per-second"));
    bool known = json_object_has_member(progress, "expected-downtime");
    g_autofree char *downtime =
        known ? g_strdup_printf(", guest writes %s/s, downtime now %.1f ms", dirty,
                                zc_demo_ends_number(progress, NULL, "expected-downtime"))
              : g_strdup("");

    return g_strdup_printf("iteration %" G_GUINT64_FORMAT ", %s left, %s/s%s",
                           zc_demo_ends_count(progress, "ram", "dirty-sync-count"), left, rate,
                           downtime);
}

static void show(JsonObject *progress, void *data)
{
    struct live *live = data;
    const char *status = json_object_get_string_member_with_default(progress, "status", "");
    int64_t now_us = g_get_monotonic_time();

    if (live->options->quiet) {
        return;
    }
    if (g_str_equal(status, "verifying") && !live->said_check) {
        live->said_check = true;
        stage(live, "the guest runs in the other process, and writes there until it is checked");
    }
    /* Before it begins nothing is left. */
    bool moves = g_str_equal(status, "active") && zc_demo_ends_count(progress, "ram", "remaining");
    if (!moves || (!live->terminal && now_us < live->next_line_us)) {
        return;
    }
    g_autofree char *line = format_progress(progress);
    if (live->terminal) {
        g_autofree char *shown = g_strdup_printf(
            "[%5.1f s] %s", (double)(now_us - live->begun_us) / G_USEC_PER_SEC, line);
        fprintf(stderr, "\r%.*s\033[K", (int)zc_progress_terminal_width(), shown);
        fflush(stderr);
        live->on_a_line = true;
    } else {
        stage(live, line);
        live->next_line_us = now_us + LINE_US;
    }
}

/* ---------------------------------------------------------------------- run */

static void add_option(GPtrArray *options, const char *name, const char *value)
{
    if (value) {
        g_ptr_array_add(options, g_strdup_printf("--%s=%s", name, value));
    }
}

static GPtrArray *send_options(const struct zc_demo_live_options *options)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

    add_option(words, "route",
               options->route == ZC_DEMO_PULL    ? "pull"
               : options->route == ZC_DEMO_MEMFD ? "memfd"
                                                 : NULL);
    add_option(words, "downtime-limit", options->downtime_limit);
    add_option(words, "max-bandwidth", options->max_bandwidth);
    add_option(words, "channels", options->channels);
    add_option(words, "verify", options->verify);
    g_ptr_array_add(words, NULL);
    return words;
}

static gboolean move(struct live *live, GError **error)
{
    const struct zc_demo_live_options *options = live->options;
    static const char *const recv_options[] = { NULL };
    g_autofree char *socket = NULL;
    g_autofree char *source =
        g_strdup_printf("guest:%" G_GUINT64_FORMAT ",dirty=%s,pattern=%s,writers=%s%s",
                        options->memory_bytes, options->dirty, options->pattern, options->writers,
                        options->route == ZC_DEMO_MEMFD ? ",memory=memfd" : "");
    g_autoptr(GPtrArray) words = send_options(options);

    if (options->route != ZC_DEMO_TCP) {
        live->directory = zc_demo_files_make_directory(0, error);
        if (!live->directory) {
            return FALSE;
        }
        socket = g_strdup_printf("unix:%s/socket", live->directory);
    }
    const struct zc_demo_pair_options pair_options = {
        .listen = socket ? socket : "tcp:127.0.0.1:0",
        .recv_options = recv_options,
        .source = source,
        .send_options = (const char *const *)words->pdata,
        .progress = show,
        .data = live,
        .wake_fd = zc_demo_wake_fd(),
        .timeout_s = TIMEOUT_S,
    };
    g_autofree char *size = zc_size_format(options->memory_bytes);
    g_autofree char *text =
        g_strdup_printf("making a guest of %s, and moving it while it writes", size);
    stage(live, text);
    return zc_demo_pair_run(&pair_options, &live->pair, error);
}

int zc_demo_live_run(const struct zc_demo_live_options *options)
{
    g_autoptr(GError) error = NULL;
    struct live live = {
        .options = options,
        .terminal = isatty(STDERR_FILENO),
        .begun_us = g_get_monotonic_time(),
    };
    int code = ZC_EXIT_DONE;

    bool moved = zc_demo_wake_watch(&error) && move(&live, &error);
    stage(&live, moved ? "done" : "not moved");
    const struct zc_demo_live_report report = {
        .options = options,
        .pair = &live.pair,
        .error = error,
    };
    if (options->json) {
        zc_demo_live_report_print_json(&report, stdout);
    } else if (live.pair.send) {
        zc_demo_live_report_print_table(&report, stdout);
    }
    fflush(stdout);
    if (!moved) {
        code = zc_cli_fail("demo", error);
    }
    zc_demo_pair_clear(&live.pair);
    if (live.directory) {
        zc_demo_files_remove_directory(live.directory);
        g_free(live.directory);
    }
    return code;
}
