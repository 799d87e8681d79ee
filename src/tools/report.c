/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: the table has three parts: what moved and how fast, what each
 * channel's zero-copy came to, and what the verification said.  A line is left
 * out only when it has nothing to say at either end.
 */
#include "config.h"

#include <string.h>

#include "base/size.h"
#include "tools/cli.h"
#include "tools/report-live.h"
#include "tools/report-source.h"
#include "tools/report.h"

#define NS_PER_S 1e9
#define NS_PER_MS 1e6

struct zc_report_totals zc_report_add_up(const struct zcmig_stats *stats)
{
    struct zc_report_totals totals = { 0 };

    for (unsigned int i = 0; i < stats->n_channels; i++) {
        const struct zcmig_channel_stats *channel = &stats->channels[i];
        totals.calls += channel->zerocopy_calls;
        totals.call_bytes += channel->zerocopy_bytes;
        totals.completed += channel->completed;
        totals.notes += channel->notes;
        totals.copied_min += channel->copied_min;
        totals.copied_max += channel->copied_max;
        totals.enobufs += channel->enobufs_optmem + channel->enobufs_memlock;
        totals.drains += channel->drains;
        totals.drain_ns += channel->drain_ns;
    }
    return totals;
}

char *zc_report_format_range(uint64_t min, uint64_t max)
{
    if (min == max) {
        return g_strdup_printf("%" G_GUINT64_FORMAT, min);
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, min, max);
}

static uint64_t ram_bytes_done(const struct zcmig_stats *stats)
{
    return (stats->normal_pages + stats->zero_pages) * ZC_REPORT_PAGE_BYTES;
}

double zc_report_cpu_per_gib(const struct zcmig_stats *stats)
{
    uint64_t bytes = ram_bytes_done(stats);

    return bytes ? (double)stats->cpu_ns / NS_PER_S / ((double)bytes / (double)ZC_GIB) : 0;
}

const char *zc_report_peer(const struct zcmig_stats *stats)
{
    return stats->peer_is_zcmig ? "zcmig" : stats->wire_bytes ? "qemu" : "none";
}

/* "836 MiB/s"; "-" when it took no time, or nothing moved. */
static char *format_rate(uint64_t bytes, int64_t ns)
{
    if (ns <= 0 || bytes == 0) {
        return g_strdup("-");
    }
    g_autofree char *size = zc_size_format((uint64_t)((double)bytes * NS_PER_S / (double)ns));
    return g_strconcat(size, "/s", NULL);
}

static void print_pages(FILE *file, const char *label, uint64_t pages)
{
    g_autofree char *size = zc_size_format(pages * ZC_REPORT_PAGE_BYTES);

    fprintf(file, "  %-14s %" G_GUINT64_FORMAT " (%s)\n", label, pages, size);
}

static void print_figures(const struct zcmig_stats *stats, FILE *file)
{
    g_autofree char *ram = zc_size_format(stats->total_bytes);
    g_autofree char *wire = zc_size_format(stats->wire_bytes);
    g_autofree char *ram_rate = format_rate(ram_bytes_done(stats), stats->transfer_ns);
    g_autofree char *wire_rate = format_rate(stats->wire_bytes, stats->transfer_ns);

    fprintf(file, "  %-14s %s\n", "RAM", ram);
    print_pages(file, "normal pages", stats->normal_pages);
    print_pages(file, "zero pages", stats->zero_pages);
    fprintf(file, "  %-14s %s over %u channels and the main stream, peer: %s\n", "on the wire",
            wire, stats->n_channels, zc_report_peer(stats));
    fprintf(file, "  %-14s %s\n", "route", zcmig_route_name(stats->route));
    fprintf(file, "  %-14s %.1f ms\n", "set-up", (double)stats->setup_ns / NS_PER_MS);
    fprintf(file, "  %-14s %.3f s, RAM %s, wire %s\n", "transfer",
            (double)stats->transfer_ns / NS_PER_S, ram_rate, wire_rate);
    fprintf(file, "  %-14s %.3f s, %.3f s/GiB\n", "CPU", (double)stats->cpu_ns / NS_PER_S,
            zc_report_cpu_per_gib(stats));
}

/* ---------------------------------------------------------------- channels */

static const char *text_or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static void print_sending_channel(const struct zcmig_channel_stats *channel, FILE *file)
{
    g_autofree char *bytes = zc_size_format(channel->zerocopy_bytes);
    g_autofree char *copied = zc_report_format_range(channel->copied_min, channel->copied_max);
    g_autofree char *enobufs = g_strdup_printf("%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
                                               channel->enobufs_optmem, channel->enobufs_memlock);
    g_autofree char *drains = g_strdup_printf("%" G_GUINT64_FORMAT " (%.1f ms)", channel->drains,
                                              (double)channel->drain_ns / NS_PER_MS);

    fprintf(file,
            "  %7u %9" G_GUINT64_FORMAT " %9" G_GUINT64_FORMAT " %11s %8" G_GUINT64_FORMAT
            " %13s %9" G_GUINT64_FORMAT " %8s %14s  %s\n",
            channel->id, channel->packets, channel->zerocopy_calls, bytes, channel->notes, copied,
            channel->copy_calls, enobufs, drains, text_or_dash(channel->zerocopy_state));
}

/* All channels of a session use the same engine, except where one got no resources for it. */
static void print_engines(const struct zcmig_stats *stats, FILE *file)
{
    for (unsigned int i = 0; i < stats->n_channels; i++) {
        const struct zcmig_channel_stats *channel = &stats->channels[i];
        if (i > 0 && g_strcmp0(channel->engine, stats->channels[i - 1].engine) == 0) {
            continue;
        }
        fprintf(file, "  engine         %s", text_or_dash(channel->engine));
        if (channel->splice_calls > 0) {
            g_autofree char *bytes = zc_size_format(channel->splice_bytes);
            fprintf(file, ", %s in %" G_GUINT64_FORMAT " calls of channel %u", bytes,
                    channel->splice_calls, channel->id);
        }
        fprintf(file, "%s%s\n", channel->engine_reason && *channel->engine_reason ? ": " : "",
                channel->engine_reason ? channel->engine_reason : "");
    }
}

/* Why zero-copy is off, once for all channels that give the same reason. */
static void print_reasons(const struct zcmig_stats *stats, FILE *file)
{
    for (unsigned int i = 0; i < stats->n_channels; i++) {
        const char *reason = stats->channels[i].zerocopy_reason;
        g_autoptr(GString) ids = g_string_new(NULL);
        unsigned int n = 0;
        bool said = !reason || !*reason;

        for (unsigned int k = 0; k < i && !said; k++) {
            said = g_strcmp0(stats->channels[k].zerocopy_reason, reason) == 0;
        }
        if (said) {
            continue;
        }
        for (unsigned int k = i; k < stats->n_channels; k++) {
            if (g_strcmp0(stats->channels[k].zerocopy_reason, reason) == 0) {
                g_string_append_printf(ids, " %u", stats->channels[k].id);
                n++;
            }
        }
        fprintf(file, "  zero-copy      %s (channel%s%s)\n", reason, n > 1 ? "s" : "", ids->str);
    }
}

static void print_channels(const struct zcmig_stats *stats, FILE *file)
{
    if (stats->n_channels == 0) {
        return;
    }
    if (!stats->sending) {
        fprintf(file, "\n  %7s %9s %13s\n", "channel", "packets", "bytes");
        for (unsigned int i = 0; i < stats->n_channels; i++) {
            g_autofree char *bytes = zc_size_format(stats->channels[i].wire_bytes);
            fprintf(file, "  %7u %9" G_GUINT64_FORMAT " %13s\n", stats->channels[i].id,
                    stats->channels[i].packets, bytes);
        }
        fputc('\n', file);
        return;
    }
    fprintf(file, "\n  %7s %9s %9s %11s %8s %13s %9s %8s %14s  %s\n", "channel", "packets", "calls",
            "by them", "notes", "copied", "by copy", "ENOBUFS", "drains", "zero-copy");
    for (unsigned int i = 0; i < stats->n_channels; i++) {
        print_sending_channel(&stats->channels[i], file);
    }
    fputc('\n', file);
    print_engines(stats, file);
    print_reasons(stats, file);
}

/* ------------------------------------------------------------ verification */

static const char *mismatch_text(enum zcmig_mismatch_kind kind)
{
    switch (kind) {
    case ZCMIG_MISMATCH_DIFFERS:
        return "differs";
    case ZCMIG_MISMATCH_MISSING:
        return "missing";
    case ZCMIG_MISMATCH_SHAPE:
        return "shape";
    }
    return "unknown";
}

void zc_report_print_mismatches(const struct zcmig_mismatch *mismatches, unsigned int n, FILE *file)
{
    if (n == 0) {
        return;
    }
    fprintf(file, "  %-10s %-16s %18s %10s\n", "wrong", "block", "offset", "pages");
    for (unsigned int i = 0; i < n; i++) {
        g_autofree char *block = zc_cli_one_line(mismatches[i].block);
        fprintf(file, "  %-10s %-16s %#18" G_GINT64_MODIFIER "x %10" G_GUINT64_FORMAT "\n",
                mismatch_text(mismatches[i].kind), block, mismatches[i].offset,
                mismatches[i].n_pages);
    }
}

static void print_verification(const struct zc_report *report, FILE *file)
{
    const struct zcmig_stats *stats = report->stats;

    if (stats->mismatched_pages) {
        fprintf(file, "  %-14s MISMATCH: %" G_GUINT64_FORMAT " pages are not what was sent\n",
                "verification", stats->mismatched_pages);
        zc_report_print_mismatches(report->mismatches, report->n_mismatches, file);
    } else if (stats->verified_pages) {
        fprintf(file, "  %-14s %" G_GUINT64_FORMAT " pages arrived as they were sent, %.1f ms\n",
                "verification", stats->verified_pages, (double)stats->verify_ns / NS_PER_MS);
    } else if (stats->same_memory) {
        fprintf(file, "  %-14s both ends map the same memory; no page was compared\n",
                "verification");
    } else {
        fprintf(file, "  %-14s none was made\n", "verification");
    }
}

void zc_report_print_table(const struct zc_report *report, FILE *file)
{
    const struct zcmig_stats *stats = report->stats;

    fprintf(file, "zcmig: %s: %s\n", report->command, zcmig_state_name(stats->state));
    print_figures(stats, file);
    zc_report_live_print(stats, file);
    print_channels(stats, file);
    print_verification(report, file);
    zc_report_source_print(stats, file);
}
