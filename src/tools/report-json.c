/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "tools/cli.h"
#include "tools/report-live.h"
#include "tools/report-source.h"
#include "tools/report.h"

#define NS_PER_S 1e9
#define NS_PER_MS 1000000

void zc_report_add_count(JsonBuilder *builder, const char *name, uint64_t value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, (gint64)value);
}

void zc_report_add_text(JsonBuilder *builder, const char *name, const char *value)
{
    g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : g_strdup("");

    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, valid);
}

void zc_report_add_number(JsonBuilder *builder, const char *name, double value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_double_value(builder, value);
}

void zc_report_add_ms(JsonBuilder *builder, const char *name, int64_t ns)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, ns / NS_PER_MS);
}

static void begin(JsonBuilder *builder, const char *name)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_object(builder);
}

static double per_second(double amount, int64_t ns)
{
    return ns > 0 ? amount * NS_PER_S / (double)ns : 0;
}

void zc_report_add_ram(JsonBuilder *builder, const struct zcmig_stats *stats, int64_t elapsed_ns)
{
    uint64_t pages = stats->normal_pages + stats->zero_pages;
    uint64_t done_bytes = MIN(pages * ZC_REPORT_PAGE_BYTES, stats->total_bytes);
    bool is_live = zc_report_live_is(stats);
    uint64_t remaining = is_live ? stats->live.remaining_bytes : stats->total_bytes - done_bytes;

    begin(builder, "ram");
    zc_report_add_count(builder, "total", stats->total_bytes);
    zc_report_add_count(builder, "transferred", stats->wire_bytes);
    zc_report_add_count(builder, "remaining", remaining);
    zc_report_add_count(builder, "normal", stats->normal_pages);
    zc_report_add_count(builder, "normal-bytes", stats->normal_pages * ZC_REPORT_PAGE_BYTES);
    zc_report_add_count(builder, "duplicate", stats->zero_pages);
    zc_report_add_count(builder, "page-size", ZC_REPORT_PAGE_BYTES);
    zc_report_add_number(builder, "mbps",
                         per_second((double)stats->wire_bytes * 8 / 1e6, elapsed_ns));
    zc_report_add_count(builder, "pages-per-second",
                        (uint64_t)per_second((double)pages, elapsed_ns));
    if (is_live) {
        zc_report_live_add_ram(builder, &stats->live);
    }
    json_builder_end_object(builder);
}

static void add_copied(JsonBuilder *builder, uint64_t min, uint64_t max)
{
    begin(builder, "copied");
    zc_report_add_count(builder, "min", min);
    zc_report_add_count(builder, "max", max);
    json_builder_end_object(builder);
}

static void add_channel(JsonBuilder *builder, const struct zcmig_channel_stats *channel,
                        bool sending)
{
    json_builder_begin_object(builder);
    zc_report_add_count(builder, "id", channel->id);
    zc_report_add_count(builder, "packets", channel->packets);
    zc_report_add_count(builder, "transferred", channel->wire_bytes);
    if (sending) {
        zc_report_add_count(builder, "calls", channel->zerocopy_calls);
        zc_report_add_count(builder, "bytes", channel->zerocopy_bytes);
        zc_report_add_count(builder, "completed", channel->completed);
        zc_report_add_count(builder, "notes", channel->notes);
        add_copied(builder, channel->copied_min, channel->copied_max);
        zc_report_add_count(builder, "copy-calls", channel->copy_calls);
        zc_report_add_count(builder, "copy-bytes", channel->copy_bytes);
        zc_report_add_count(builder, "enobufs-optmem", channel->enobufs_optmem);
        zc_report_add_count(builder, "enobufs-memlock", channel->enobufs_memlock);
        zc_report_add_count(builder, "packets-split", channel->packets_split);
        zc_report_add_count(builder, "packets-by-copy", channel->packets_by_copy);
        zc_report_add_count(builder, "drains", channel->drains);
        zc_report_add_ms(builder, "drain-time", channel->drain_ns);
        zc_report_add_ms(builder, "wait-time", channel->wait_ns);
        zc_report_add_count(builder, "in-flight-bytes-max", channel->in_flight_bytes_max);
        zc_report_add_count(builder, "splice-calls", channel->splice_calls);
        zc_report_add_count(builder, "splice-bytes", channel->splice_bytes);
        zc_report_add_count(builder, "registered-bytes", channel->registered_bytes);
        zc_report_add_text(builder, "engine", channel->engine);
        zc_report_add_text(builder, "engine-reason", channel->engine_reason);
        zc_report_add_text(builder, "state", channel->zerocopy_state);
        zc_report_add_text(builder, "reason", channel->zerocopy_reason);
    }
    json_builder_end_object(builder);
}

static void add_channels(JsonBuilder *builder, const struct zcmig_stats *stats)
{
    if (stats->sending) {
        struct zc_report_totals totals = zc_report_add_up(stats);
        begin(builder, "zero-copy");
        zc_report_add_count(builder, "calls", totals.calls);
        zc_report_add_count(builder, "bytes", totals.call_bytes);
        zc_report_add_count(builder, "completed", totals.completed);
        zc_report_add_count(builder, "notes", totals.notes);
        add_copied(builder, totals.copied_min, totals.copied_max);
        zc_report_add_count(builder, "enobufs", totals.enobufs);
        zc_report_add_count(builder, "drains", totals.drains);
        zc_report_add_ms(builder, "drain-time", totals.drain_ns);
        json_builder_end_object(builder);
    }
    json_builder_set_member_name(builder, "channels");
    json_builder_begin_array(builder);
    for (unsigned int i = 0; i < stats->n_channels; i++) {
        add_channel(builder, &stats->channels[i], stats->sending);
    }
    json_builder_end_array(builder);
}

void zc_report_add_mismatches(JsonBuilder *builder, const struct zcmig_mismatch *mismatches,
                              unsigned int n)
{
    static const char *const kinds[] = { "differs", "missing", "shape" };

    json_builder_set_member_name(builder, "mismatches");
    json_builder_begin_array(builder);
    for (unsigned int i = 0; i < n; i++) {
        json_builder_begin_object(builder);
        zc_report_add_text(builder, "kind", kinds[mismatches[i].kind]);
        zc_report_add_text(builder, "block", mismatches[i].block);
        zc_report_add_count(builder, "offset", mismatches[i].offset);
        zc_report_add_count(builder, "pages", mismatches[i].n_pages);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

static void add_verify(JsonBuilder *builder, const struct zc_report *report)
{
    begin(builder, "verify");
    zc_report_add_count(builder, "verified-pages", report->stats->verified_pages);
    zc_report_add_count(builder, "mismatched-pages", report->stats->mismatched_pages);
    zc_report_add_ms(builder, "time", report->stats->verify_ns);
    if (report->stats->route == ZCMIG_ROUTE_MEMFD) {
        json_builder_set_member_name(builder, "same-memory");
        json_builder_add_boolean_value(builder, report->stats->same_memory);
    }
    zc_report_add_mismatches(builder, report->mismatches, report->n_mismatches);
    json_builder_end_object(builder);
}

/* error-desc is query-migrate's; the object says what a program can act on. */
void zc_report_add_error(JsonBuilder *builder, const GError *error)
{
    static const char *const names[] = {
        "failed", "usage",  "unsupported", "connect",  "protocol",  "disconnected", "peer",
        "source", "output", "limit",       "mismatch", "cancelled", "timeout",
    };
    bool known =
        error->domain == ZCMIG_ERROR && error->code >= 0 && error->code < (int)G_N_ELEMENTS(names);

    zc_report_add_text(builder, "error-desc", error->message);
    begin(builder, "error");
    zc_report_add_text(builder, "code", known ? names[error->code] : names[ZCMIG_ERROR_FAILED]);
    zc_report_add_text(builder, "text", error->message);
    zc_report_add_count(builder, "errno", (uint64_t)zcmig_error_get_errno(error));
    zc_report_add_count(builder, "exit-code", (uint64_t)zcmig_error_exit_code(error));
    json_builder_end_object(builder);
}

static void add_stats(JsonBuilder *builder, const struct zc_report *report)
{
    const struct zcmig_stats *stats = report->stats;

    zc_report_add_text(builder, "status", zcmig_state_name(stats->state));
    zc_report_add_ms(builder, "total-time", stats->setup_ns + stats->transfer_ns + stats->verify_ns);
    zc_report_add_ms(builder, "setup-time", stats->setup_ns);
    zc_report_add_ms(builder, "transfer-time", stats->transfer_ns);
    zc_report_add_text(builder, "peer", zc_report_peer(stats));
    zc_report_add_text(builder, "route", zcmig_route_name(stats->route));
    zc_report_add_ram(builder, stats, stats->transfer_ns);
    zc_report_add_number(builder, "cpu-seconds", (double)stats->cpu_ns / NS_PER_S);
    zc_report_add_number(builder, "cpu-seconds-per-gib", zc_report_cpu_per_gib(stats));
    if (stats->live.guest != ZCMIG_GUEST_NONE) {
        zc_report_live_add(builder, stats);
    }
    if (zc_report_source_is(stats)) {
        zc_report_source_add(builder, stats);
    }
    add_channels(builder, stats);
    add_verify(builder, report);
}

char *zc_report_json_line(JsonBuilder *builder)
{
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    g_autoptr(JsonGenerator) generator = json_generator_new();

    json_generator_set_root(generator, root);
    g_autofree char *text = json_generator_to_data(generator, NULL);
    return g_strconcat(text, "\n", NULL);
}

void zc_report_print_json(const struct zc_report *report, FILE *file)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    zc_report_add_text(builder, "command", report->command);
    if (report->stats) {
        add_stats(builder, report);
    } else {
        zc_report_add_text(builder, "status", zcmig_state_name(ZCMIG_STATE_FAILED));
    }
    if (report->error) {
        zc_report_add_error(builder, report->error);
    }
    json_builder_end_object(builder);

    g_autofree char *line = zc_report_json_line(builder);
    fputs(line, file);
}
