/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: the thread wakes each TICK, less often when all it may do is to answer
 * a status request, and does of the three outputs what is due.  Figures are
 * fetched only then.  The rate shown is a moving average of about a second, so
 * that it follows the link without flickering.
 */
#include "config.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/size.h"
#include "tools/progress.h"
#include "tools/report-live.h"
#include "tools/report-source.h"
#include "tools/report.h"
#include "tools/signals.h"

#define US_PER_S 1000000
#define TICK_US (50 * 1000)
#define TICK_IDLE_US (200 * 1000)
#define BAR_US (200 * 1000) /* at most 5 redraws a second */
#define PLAIN_US US_PER_S   /* stderr is a file: a line a second */
#define JSON_US (250 * 1000)
#define LAST_LINE_MS 1000 /* how long the last line of JSON waits for its reader */
#define RATE_WINDOW_US US_PER_S
#define WIDTH_DEFAULT 80
#define BAR_CELLS_MIN 10
#define BAR_CELLS_MAX 40

struct zc_progress {
    /* set before start */
    const struct zc_progress_view *view;
    void *data;
    const struct zc_output *output;
    bool terminal;
    bool shown; /* a bar or plain lines on stderr */
    int64_t start_us;
    GThread *thread;
    /* the thread only */
    int64_t fetched_us;
    uint64_t fetched_bytes;
    double rate;
    int64_t next_shown_us;
    int64_t next_json_us;
    bool fd_broken;
    /* under lock */
    GMutex lock;
    GCond wake;
    bool stop;
};

/* ------------------------------------------------------------------ one line */

static uint64_t done_bytes(const struct zcmig_stats *stats)
{
    return (stats->normal_pages + stats->zero_pages) * ZC_REPORT_PAGE_BYTES;
}

static double done_share(const struct zcmig_stats *stats)
{
    double share = stats->total_bytes ? (double)done_bytes(stats) / (double)stats->total_bytes : 0;

    if (zc_report_live_is(stats) && stats->normal_pages) {
        share = 1 - (double)stats->live.remaining_bytes / (double)stats->total_bytes;
    }
    return stats->same_memory ? 1.0 : MIN(share, 1.0);
}

static char *format_left(const struct zcmig_stats *stats, double rate)
{
    double seconds = (1 - done_share(stats)) * (double)stats->total_bytes / rate;

    return seconds < 360000 ? g_strdup_printf(", %u:%02u left", (unsigned int)seconds / 60,
                                              (unsigned int)seconds % 60)
                            : g_strdup("");
}

/* What share of the completed zero-copy calls the kernel copied. */
static char *format_copied(const struct zcmig_stats *stats)
{
    struct zc_report_totals totals = zc_report_add_up(stats);

    if (!stats->sending || totals.completed == 0) {
        return g_strdup("");
    }
    double min = 100 * (double)totals.copied_min / (double)totals.completed;
    double max = 100 * (double)totals.copied_max / (double)totals.completed;
    return max - min < 1 ? g_strdup_printf(", %.0f%% copied", max)
                         : g_strdup_printf(", %.0f to %.0f%% copied", min, max);
}

static void append_bar(GString *line, double share, unsigned int cells)
{
    unsigned int full = (unsigned int)(share * cells);

    g_string_append(line, " [");
    for (unsigned int i = 0; i < cells; i++) {
        g_string_append_c(line, i < full ? '#' : '.');
    }
    g_string_append_c(line, ']');
}

char *zc_progress_format(const struct zcmig_stats *stats, double rate, unsigned int width)
{
    g_autofree char *size = zc_size_format((uint64_t)rate);
    bool is_live = zc_report_live_is(stats);
    char *parts[] = {
        rate > 0 ? g_strdup_printf(" %s/s", size) : g_strdup(""),
        is_live                      ? zc_report_live_progress(&stats->live)
        : zc_report_source_is(stats) ? zc_report_source_progress(stats)
        : rate > 0                   ? format_left(stats, rate)
                                     : g_strdup(""),
        format_copied(stats),
        g_strdup_printf(", %" G_GUINT64_FORMAT " normal + %" G_GUINT64_FORMAT " zero pages",
                        stats->normal_pages, stats->zero_pages),
    };
    g_autofree char *head =
        g_strdup_printf("%s %3.0f%%", zcmig_state_name(stats->state), 100 * done_share(stats));
    GString *line = g_string_new(head);
    size_t used = line->len;
    unsigned int n_fit = 0;

    while (n_fit < G_N_ELEMENTS(parts) && used + strlen(parts[n_fit]) <= width) {
        used += strlen(parts[n_fit++]);
    }
    if (used + BAR_CELLS_MIN + 3 <= width) {
        append_bar(line, done_share(stats), MIN(BAR_CELLS_MAX, (unsigned int)(width - used - 3)));
    }
    for (unsigned int i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_string_append(line, i < n_fit ? parts[i] : "");
        g_free(parts[i]);
    }
    g_string_truncate(line, MIN(line->len, width));
    return g_string_free(line, FALSE);
}

static uint64_t fetch_session(void *data)
{
    struct zc_progress_session *of = data;

    zcmig_session_get_stats(of->session, &of->stats);
    return done_bytes(&of->stats);
}

static char *format_session(void *data, double rate, unsigned int width)
{
    const struct zc_progress_session *of = data;

    return zc_progress_format(&of->stats, rate, width);
}

static void add_session_json(void *data, JsonBuilder *builder, int64_t elapsed_us, double rate)
{
    const struct zcmig_stats *stats = &((struct zc_progress_session *)data)->stats;
    struct zc_report_totals totals = zc_report_add_up(stats);

    zc_report_add_text(builder, "status", zcmig_state_name(stats->state));
    zc_report_add_count(builder, "total-time", (uint64_t)elapsed_us / 1000);
    zc_report_add_number(builder, "percent", round(1000 * done_share(stats)) / 10);
    zc_report_add_ram(builder, stats, elapsed_us * 1000);
    zc_report_add_number(builder, "ram-bytes-per-second", rate);
    if (zc_report_live_is(stats)) {
        zc_report_live_add_estimate(builder, &stats->live);
    }
    if (zc_report_source_is(stats)) {
        zc_report_source_add(builder, stats);
    }
    if (stats->sending) {
        zc_report_add_count(builder, "completed", totals.completed);
        zc_report_add_count(builder, "copied-min", totals.copied_min);
        zc_report_add_count(builder, "copied-max", totals.copied_max);
    }
}

const struct zc_progress_view zc_progress_session_view = {
    .fetch = fetch_session,
    .format = format_session,
    .add_json = add_session_json,
};

/* ---------------------------------------------------------------- outputs */

static void fetch(struct zc_progress *progress, int64_t now_us)
{
    int64_t past_us = now_us - progress->fetched_us;
    uint64_t bytes = progress->view->fetch(progress->data);

    if (past_us > 0 && bytes >= progress->fetched_bytes) {
        double rate = (double)(bytes - progress->fetched_bytes) * US_PER_S / (double)past_us;
        double weight = MIN(1.0, (double)past_us / RATE_WINDOW_US);
        progress->rate =
            progress->rate > 0 ? progress->rate + weight * (rate - progress->rate) : rate;
    }
    progress->fetched_us = now_us;
    progress->fetched_bytes = bytes;
}

unsigned int zc_progress_terminal_width(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u
                                                                           : WIDTH_DEFAULT;
}

static void show(struct zc_progress *progress)
{
    unsigned int width = progress->terminal ? zc_progress_terminal_width() : 2 * WIDTH_DEFAULT;
    g_autofree char *line = progress->view->format(progress->data, progress->rate, width);

    fprintf(stderr, progress->terminal ? "\r%s\033[K" : "zcmig: %s\n", line);
    fflush(stderr);
}

static void show_status(struct zc_progress *progress)
{
    g_autofree char *line =
        progress->view->format(progress->data, progress->rate, 2 * WIDTH_DEFAULT);

    fprintf(stderr, "%szcmig: %s\n", progress->terminal && progress->shown ? "\r\033[K" : "", line);
    fflush(stderr);
}

static void write_json(struct zc_progress *progress, int64_t now_us, int wait_ms)
{
    struct pollfd pollfd = { .fd = progress->output->progress_fd, .events = POLLOUT };
    g_autoptr(JsonBuilder) builder = json_builder_new();

    if (progress->fd_broken || poll(&pollfd, 1, wait_ms) != 1) {
        return;
    }
    json_builder_begin_object(builder);
    progress->view->add_json(progress->data, builder, now_us - progress->start_us, progress->rate);
    json_builder_end_object(builder);
    g_autofree char *line = zc_report_json_line(builder);
    /* Shorter than PIPE_BUF: whole or not at all. */
    progress->fd_broken = write(pollfd.fd, line, strlen(line)) < 0;
}

static void do_what_is_due(struct zc_progress *progress, int64_t now_us)
{
    bool shown_due = progress->shown && now_us >= progress->next_shown_us;
    bool json_due = progress->output->progress_fd >= 0 && now_us >= progress->next_json_us;
    bool status_due = zc_signals_take_status_request();

    if (!shown_due && !json_due && !status_due) {
        return;
    }
    fetch(progress, now_us);
    if (status_due) {
        show_status(progress);
    }
    if (shown_due) {
        show(progress);
        progress->next_shown_us = now_us + (progress->terminal ? BAR_US : PLAIN_US);
    }
    if (json_due) {
        write_json(progress, now_us, 0);
        progress->next_json_us = now_us + JSON_US;
    }
}

static void *progress_main(void *data)
{
    struct zc_progress *progress = data;
    int64_t tick_us =
        progress->shown || progress->output->progress_fd >= 0 ? TICK_US : TICK_IDLE_US;
    int64_t next_us = g_get_monotonic_time() + tick_us;

    g_mutex_lock(&progress->lock);
    while (!progress->stop) {
        if (g_cond_wait_until(&progress->wake, &progress->lock, next_us)) {
            continue;
        }
        g_mutex_unlock(&progress->lock);
        next_us = g_get_monotonic_time();
        do_what_is_due(progress, next_us);
        next_us += tick_us;
        g_mutex_lock(&progress->lock);
    }
    g_mutex_unlock(&progress->lock);
    return NULL;
}

struct zc_progress *zc_progress_start(const struct zc_progress_view *view, void *data,
                                      const struct zc_output *output)
{
    struct zc_progress *progress = g_new0(struct zc_progress, 1);

    progress->view = view;
    progress->data = data;
    progress->output = output;
    progress->terminal = isatty(STDERR_FILENO);
    progress->shown = (progress->terminal || output->progress) && !output->quiet;
    progress->start_us = g_get_monotonic_time();
    progress->fetched_us = progress->start_us;
    progress->next_shown_us = progress->start_us + BAR_US;
    progress->next_json_us = progress->start_us;
    g_mutex_init(&progress->lock);
    g_cond_init(&progress->wake);
    progress->thread = g_thread_new("progress", progress_main, progress);
    return progress;
}

void zc_progress_stop(struct zc_progress *progress)
{
    g_mutex_lock(&progress->lock);
    progress->stop = true;
    g_cond_signal(&progress->wake);
    g_mutex_unlock(&progress->lock);
    g_thread_join(progress->thread);

    int64_t now_us = g_get_monotonic_time();
    if (progress->output->progress_fd >= 0) {
        fetch(progress, now_us);
        write_json(progress, now_us, LAST_LINE_MS);
    }
    if (progress->terminal && progress->shown) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
    }
    g_mutex_clear(&progress->lock);
    g_cond_clear(&progress->wake);
    g_free(progress);
}
