/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/size.h"
#include "tools/relay-report.h"
#include "tools/report.h"

#define NS_PER_S 1e9

static double per_gib(const struct zcmig_relay_stats *stats)
{
    double gib = (double)(stats->bytes + stats->return_bytes) / (double)ZC_GIB;

    return gib > 0 ? (double)stats->cpu_ns / NS_PER_S / gib : 0;
}

/* ------------------------------------------------------------------ progress */

static uint64_t fetch(void *data)
{
    struct zc_progress_relay *of = data;

    zcmig_relay_get_stats(of->relay, &of->stats);
    return of->stats.bytes;
}

/* How much is to come only the ends know. */
static char *format(void *data, double rate, unsigned int width)
{
    const struct zcmig_relay_stats *stats = &((struct zc_progress_relay *)data)->stats;
    g_autofree char *bytes = zc_size_format(stats->bytes);
    g_autofree char *speed = zc_size_format((uint64_t)rate);
    g_autofree char *returned = zc_size_format(stats->return_bytes);
    char *line = stats->n_connections
                     ? g_strdup_printf("%s %s at %s/s, %u connections, %s back",
                                       zcmig_state_name(stats->state), bytes, speed,
                                       stats->n_connections, returned)
                     : g_strdup("waiting for a source");

    if (strlen(line) > width) {
        line[width] = '\0';
    }
    return line;
}

static void add_figures(JsonBuilder *builder, const struct zcmig_relay_stats *stats)
{
    zc_report_add_count(builder, "session", stats->session);
    zc_report_add_count(builder, "bytes", stats->bytes);
    zc_report_add_count(builder, "return-bytes", stats->return_bytes);
    zc_report_add_count(builder, "spliced-bytes", stats->spliced_bytes);
    zc_report_add_count(builder, "copied-bytes", stats->copied_bytes);
}

static void add_json(void *data, JsonBuilder *builder, int64_t elapsed_us, double rate)
{
    const struct zcmig_relay_stats *stats = &((struct zc_progress_relay *)data)->stats;

    zc_report_add_text(builder, "status", zcmig_state_name(stats->state));
    zc_report_add_count(builder, "total-time", (uint64_t)elapsed_us / 1000);
    add_figures(builder, stats);
    zc_report_add_number(builder, "bytes-per-second", rate);
    zc_report_add_count(builder, "connections", stats->n_connections);
}

const struct zc_progress_view zc_progress_relay_view = {
    .fetch = fetch,
    .format = format,
    .add_json = add_json,
};

/* -------------------------------------------------------------------- report */

static char *connection_name(const struct zcmig_relay_connection *connection)
{
    return connection->channel < 0 ? g_strdup("main")
                                   : g_strdup_printf("channel %d", connection->channel);
}

void zc_relay_report_print_table(const struct zcmig_relay_stats *stats, FILE *file)
{
    double seconds = (double)stats->transfer_ns / NS_PER_S;
    g_autofree char *bytes = zc_size_format(stats->bytes);
    g_autofree char *rate = zc_size_format(seconds > 0 ? (uint64_t)((double)stats->bytes / seconds) : 0);

    fprintf(file, "zcmig: relay: session %u, %s\n", stats->session, zcmig_state_name(stats->state));
    fprintf(file, "  passed on        %s in %.3f s, %s/s\n", bytes, seconds, rate);
    fprintf(file, "  CPU              %.3f s, %.3f s/GiB\n", (double)stats->cpu_ns / NS_PER_S,
            per_gib(stats));
    if (stats->manifest_pages) {
        fprintf(file, "  manifest         %" G_GUINT64_FORMAT " pages seen\n", stats->manifest_pages);
    }
    fprintf(file, "\n  %-12s %14s %14s %12s %12s %8s\n", "", "bytes", "spliced", "copied", "back",
            "calls");
    for (unsigned int i = 0; i < stats->n_connections; i++) {
        const struct zcmig_relay_connection *connection = &stats->connections[i];
        g_autofree char *name = connection_name(connection);
        fprintf(file,
                "  %-12s %14" G_GUINT64_FORMAT " %14" G_GUINT64_FORMAT " %12" G_GUINT64_FORMAT
                " %12" G_GUINT64_FORMAT " %8" G_GUINT64_FORMAT "%s%s\n",
                name, connection->bytes, connection->spliced_bytes, connection->copied_bytes,
                connection->return_bytes, connection->calls,
                *connection->why_copied ? "  copied: " : "", connection->why_copied);
    }
    fputc('\n', file);
}

static void add_connection(JsonBuilder *builder, const struct zcmig_relay_connection *connection)
{
    g_autofree char *name = connection_name(connection);

    json_builder_begin_object(builder);
    zc_report_add_text(builder, "name", name);
    json_builder_set_member_name(builder, "ended");
    json_builder_add_boolean_value(builder, connection->ended);
    zc_report_add_count(builder, "bytes", connection->bytes);
    zc_report_add_count(builder, "return-bytes", connection->return_bytes);
    zc_report_add_count(builder, "spliced-bytes", connection->spliced_bytes);
    zc_report_add_count(builder, "copied-bytes", connection->copied_bytes);
    zc_report_add_count(builder, "lost-bytes", connection->lost_bytes);
    zc_report_add_count(builder, "calls", connection->calls);
    zc_report_add_text(builder, "why-copied", connection->why_copied);
    json_builder_end_object(builder);
}

void zc_relay_report_print_json(const struct zcmig_relay_stats *stats, const GError *error,
                                FILE *file)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    zc_report_add_text(builder, "command", "relay");
    zc_report_add_text(builder, "status", zcmig_state_name(stats->state));
    zc_report_add_ms(builder, "wait-time", stats->wait_ns);
    zc_report_add_ms(builder, "transfer-time", stats->transfer_ns);
    zc_report_add_number(builder, "cpu-seconds", (double)stats->cpu_ns / NS_PER_S);
    zc_report_add_number(builder, "cpu-seconds-per-gib", per_gib(stats));
    add_figures(builder, stats);
    zc_report_add_count(builder, "manifest-pages", stats->manifest_pages);
    json_builder_set_member_name(builder, "connections");
    json_builder_begin_array(builder);
    for (unsigned int i = 0; i < stats->n_connections; i++) {
        add_connection(builder, &stats->connections[i]);
    }
    json_builder_end_array(builder);
    if (error) {
        zc_report_add_error(builder, error);
    }
    json_builder_end_object(builder);
    g_autofree char *line = zc_report_json_line(builder);
    fputs(line, file);
}
