/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/size.h"
#include "tools/report-live.h"
#include "tools/report.h"

#define NS_PER_MS 1e6
#define NS_PER_US 1e3
#define NS_PER_S 1e9

struct part {
    const char *name;
    int64_t ns;
};

#define PARTS 8

static void list_parts(const struct zcmig_downtime *downtime, struct part parts[static PARTS])
{
    const struct part list[PARTS] = {
        { "stop", downtime->stop_ns },           { "last-harvest", downtime->last_harvest_ns },
        { "last-send", downtime->last_send_ns }, { "drain", downtime->drain_ns },
        { "barrier", downtime->barrier_ns },     { "device-state", downtime->device_state_ns },
        { "verify", downtime->verify_ns },       { "resume", downtime->resume_ns },
    };

    for (unsigned int i = 0; i < PARTS; i++) {
        parts[i] = list[i];
    }
}

bool zc_report_live_is(const struct zcmig_stats *stats)
{
    return stats->sending && stats->live.guest != ZCMIG_GUEST_NONE;
}

/* The iteration that ended last; all zeros before the first. */
static struct zcmig_iteration last_iteration(const struct zcmig_live_stats *live)
{
    const struct zcmig_iteration none = { .estimate_ns = INT64_MAX };

    return live->n_kept ? live->kept[live->n_kept - 1] : none;
}

/* ---------------------------------------------------------------- for people */

static void print_downtime(const struct zcmig_downtime *downtime, FILE *file)
{
    struct part parts[PARTS];

    if (downtime->actual_ns == 0) {
        return;
    }
    list_parts(downtime, parts);
    fprintf(file, "  %-14s %.2f ms, estimated %.2f ms", "downtime",
            (double)downtime->actual_ns / NS_PER_MS, (double)downtime->estimate_ns / NS_PER_MS);
    if (downtime->observed_ns) {
        fprintf(file, ", observed by the guest %.2f ms", (double)downtime->observed_ns / NS_PER_MS);
    }
    fprintf(file, "\n  %-14s ", "");
    for (unsigned int i = 0; i < PARTS; i++) {
        fprintf(file, "%s%s %.2f", i ? ", " : "", parts[i].name, (double)parts[i].ns / NS_PER_MS);
    }
    fputc('\n', file);
}

static const char *place_text(const struct zcmig_stats *stats)
{
    switch (stats->live.guest) {
    case ZCMIG_GUEST_RUNS:
        return stats->sending ? "runs on here" : "came and runs here";
    case ZCMIG_GUEST_PAUSED:
        return stats->sending ? "is paused here" : "came and was not started here";
    case ZCMIG_GUEST_GONE:
        return "runs at the destination";
    case ZCMIG_GUEST_IN_DOUBT:
        return "is paused here, and may run at the destination";
    case ZCMIG_GUEST_NONE:
        break;
    }
    return "is not there";
}

static void print_guest(const struct zcmig_stats *stats, FILE *file)
{
    const struct zcmig_live_stats *live = &stats->live;

    fprintf(file, "  %-14s %s", "guest", place_text(stats));
    if (live->checked && live->guest_wrong_pages) {
        fprintf(file, "; after %" G_GUINT64_FORMAT " writes %" G_GUINT64_FORMAT " pages are WRONG",
                live->guest_writes, live->guest_wrong_pages);
    } else if (live->checked) {
        fprintf(file, "; after %" G_GUINT64_FORMAT " writes no page is wrong", live->guest_writes);
    }
    fputc('\n', file);
}

/* What tracking its writes cost the guest: the same write, with and without. */
static void print_latency(const struct zcmig_live_stats *live, FILE *file)
{
    const struct {
        const char *name;
        const struct zcmig_latency *latency;
    } rows[] = { { "untracked", &live->untracked }, { "tracked", &live->tracked } };
    const char *label = "guest's writes";

    for (unsigned int i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct zcmig_latency *latency = rows[i].latency;
        if (latency->writes == 0) {
            continue;
        }
        fprintf(file,
                "  %-14s %-9s half within %.1f us, 99%% %.1f us, 99.9%% %.1f us, all %.1f us "
                "(%" G_GUINT64_FORMAT ")\n",
                label, rows[i].name, (double)latency->p50_ns / NS_PER_US,
                (double)latency->p99_ns / NS_PER_US, (double)latency->p999_ns / NS_PER_US,
                (double)latency->max_ns / NS_PER_US, latency->writes);
        label = "";
    }
}

static void print_reconnects(const struct zcmig_live_stats *live, FILE *file)
{
    if (live->reconnecting_ns == 0) {
        return;
    }
    fprintf(file, "  %-14s %" G_GUINT64_FORMAT " time%s; %.3f s without connections", "reconnected",
            live->reconnects, live->reconnects == 1 ? "" : "s",
            (double)live->reconnecting_ns / NS_PER_S);
    if (live->resent_pages) {
        fprintf(file, ", %" G_GUINT64_FORMAT " pages sent again", live->resent_pages);
    }
    fputc('\n', file);
}

void zc_report_live_print(const struct zcmig_stats *stats, FILE *file)
{
    const struct zcmig_live_stats *live = &stats->live;
    struct zcmig_iteration last = last_iteration(live);

    if (live->guest == ZCMIG_GUEST_NONE) {
        return;
    }
    if (stats->sending) {
        fprintf(file, "  %-14s %" G_GUINT64_FORMAT ", tracker %s", "iterations", live->n_iterations,
                *live->tracker ? live->tracker : "none");
        if (live->n_kept) {
            g_autofree char *dirty = zc_size_format(last.dirty_pages_per_s * ZC_REPORT_PAGE_BYTES);
            g_autofree char *bandwidth = zc_size_format(last.bandwidth);
            fprintf(file, "; in the last one the guest dirtied %s/s, the channels carried %s/s",
                    dirty, bandwidth);
        }
        fputc('\n', file);
        print_downtime(&live->downtime, file);
        print_latency(live, file);
    }
    print_reconnects(live, file);
    print_guest(stats, file);
}

char *zc_report_live_progress(const struct zcmig_live_stats *live)
{
    struct zcmig_iteration last = last_iteration(live);
    g_autofree char *left = zc_size_format(live->remaining_bytes);
    g_autofree char *dirty = zc_size_format(last.dirty_pages_per_s * ZC_REPORT_PAGE_BYTES);
    g_autofree char *downtime = last.estimate_ns < INT64_MAX
                                    ? g_strdup_printf(", dirty %s/s, downtime %.0f ms", dirty,
                                                      (double)last.estimate_ns / NS_PER_MS)
                                    : g_strdup("");

    return g_strdup_printf(", iteration %" G_GUINT64_FORMAT ", %s left%s", live->n_iterations, left,
                           downtime);
}

/* -------------------------------------------------------------- for programs */

static void add_ms(JsonBuilder *builder, const char *name, int64_t ns)
{
    zc_report_add_number(builder, name, (double)ns / NS_PER_MS);
}

static void begin(JsonBuilder *builder, const char *name)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_object(builder);
}

void zc_report_live_add_ram(JsonBuilder *builder, const struct zcmig_live_stats *live)
{
    zc_report_add_count(builder, "dirty-sync-count", live->n_iterations);
    zc_report_add_count(builder, "dirty-pages-rate", last_iteration(live).dirty_pages_per_s);
}

void zc_report_live_add_estimate(JsonBuilder *builder, const struct zcmig_live_stats *live)
{
    int64_t estimate_ns = live->n_kept == 0 && live->downtime.actual_ns
                              ? live->downtime.estimate_ns /* without any, by the route memfd */
                              : last_iteration(live).estimate_ns;

    if (estimate_ns < INT64_MAX) {
        add_ms(builder, "expected-downtime", estimate_ns);
    }
}

static void add_downtime(JsonBuilder *builder, const struct zcmig_downtime *downtime)
{
    struct part parts[PARTS];

    list_parts(downtime, parts);
    add_ms(builder, "downtime", downtime->actual_ns);
    if (downtime->observed_ns) {
        add_ms(builder, "observed-downtime", downtime->observed_ns);
    }
    begin(builder, "downtime-parts");
    for (unsigned int i = 0; i < PARTS; i++) {
        add_ms(builder, parts[i].name, parts[i].ns);
    }
    json_builder_end_object(builder);
}

static void add_iteration(JsonBuilder *builder, const struct zcmig_iteration *iteration)
{
    json_builder_begin_object(builder);
    zc_report_add_count(builder, "pages", iteration->pages);
    zc_report_add_count(builder, "transferred", iteration->sent_bytes);
    add_ms(builder, "time", iteration->took_ns);
    add_ms(builder, "harvest-time", iteration->harvest_ns);
    zc_report_add_count(builder, "bytes-per-second", iteration->bandwidth);
    zc_report_add_count(builder, "dirty-pages", iteration->dirty_pages);
    zc_report_add_count(builder, "dirty-pages-rate", iteration->dirty_pages_per_s);
    if (iteration->estimate_ns < INT64_MAX) {
        add_ms(builder, "expected-downtime", iteration->estimate_ns);
    }
    zc_report_add_count(builder, "cpu-throttle-percentage", iteration->throttle_percent);
    json_builder_end_object(builder);
}

static void add_guest(JsonBuilder *builder, const struct zcmig_live_stats *live)
{
    begin(builder, "guest");
    zc_report_add_text(builder, "place", zcmig_guest_place_name(live->guest));
    if (live->checked) {
        zc_report_add_count(builder, "writes", live->guest_writes);
        zc_report_add_count(builder, "wrong-pages", live->guest_wrong_pages);
    }
    json_builder_end_object(builder);
}

static void add_latency(JsonBuilder *builder, const char *name, const struct zcmig_latency *latency)
{
    unsigned int n = ZCMIG_LATENCY_BUCKETS;

    begin(builder, name);
    zc_report_add_count(builder, "writes", latency->writes);
    zc_report_add_count(builder, "median-ns", (uint64_t)latency->p50_ns);
    zc_report_add_count(builder, "p99-ns", (uint64_t)latency->p99_ns);
    zc_report_add_count(builder, "p999-ns", (uint64_t)latency->p999_ns);
    zc_report_add_count(builder, "max-ns", (uint64_t)latency->max_ns);
    json_builder_set_member_name(builder, "histogram");
    json_builder_begin_array(builder);
    while (n > 0 && latency->histogram[n - 1] == 0) {
        n--;
    }
    for (unsigned int i = 0; i < n; i++) {
        json_builder_add_int_value(builder, (gint64)latency->histogram[i]);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
}

void zc_report_live_add(JsonBuilder *builder, const struct zcmig_stats *stats)
{
    const struct zcmig_live_stats *live = &stats->live;

    if (stats->sending) {
        zc_report_add_text(builder, "tracker", live->tracker);
        if (live->downtime.actual_ns) {
            add_downtime(builder, &live->downtime);
        }
        zc_report_live_add_estimate(builder, live);
        begin(builder, "write-latency");
        add_latency(builder, "untracked", &live->untracked);
        add_latency(builder, "tracked", &live->tracked);
        json_builder_end_object(builder);
        json_builder_set_member_name(builder, "iterations");
        json_builder_begin_array(builder);
        for (unsigned int i = 0; i < live->n_kept; i++) {
            add_iteration(builder, &live->kept[i]);
        }
        json_builder_end_array(builder);
    } else if (live->downtime.observed_ns) {
        add_ms(builder, "observed-downtime", live->downtime.observed_ns);
    }
    if (live->reconnecting_ns) {
        begin(builder, "reconnect");
        zc_report_add_count(builder, "count", live->reconnects);
        add_ms(builder, "time", live->reconnecting_ns);
        if (stats->sending) {
            zc_report_add_count(builder, "resent-pages", live->resent_pages);
        }
        json_builder_end_object(builder);
    }
    add_guest(builder, live);
}
