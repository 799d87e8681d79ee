/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/size.h"
#include "tools/cli.h"
#include "tools/report-source.h"
#include "tools/report.h"

#define NS_PER_MS 1e6

bool zc_report_source_is(const struct zcmig_stats *stats)
{
    return *stats->source.status != '\0';
}

char *zc_report_source_progress(const struct zcmig_stats *stats)
{
    const struct zcmig_source_stats *source = &stats->source;
    g_autofree char *left = zc_size_format(source->remaining_bytes);
    g_autofree char *dirty = zc_size_format(source->dirty_pages_per_s * ZC_REPORT_PAGE_BYTES);
    g_autofree char *text =
        g_strdup_printf(", QEMU: %s, iteration %" G_GUINT64_FORMAT ", %s left, dirty %s/s",
                        source->status, source->iteration, left, dirty);

    return zc_cli_one_line(text);
}

void zc_report_source_print(const struct zcmig_stats *stats, FILE *file)
{
    if (*stats->source.way) {
        g_autofree char *way = zc_cli_one_line(stats->source.way);
        fprintf(file, "  %-14s compared with the source's RAM, by %s\n", "", way);
    }
}

void zc_report_source_add(JsonBuilder *builder, const struct zcmig_stats *stats)
{
    const struct zcmig_source_stats *source = &stats->source;

    json_builder_set_member_name(builder, "source");
    json_builder_begin_object(builder);
    zc_report_add_text(builder, "status", source->status);
    json_builder_set_member_name(builder, "ram");
    json_builder_begin_object(builder);
    zc_report_add_count(builder, "total", source->total_bytes);
    zc_report_add_count(builder, "remaining", source->remaining_bytes);
    zc_report_add_count(builder, "dirty-sync-count", source->iteration);
    zc_report_add_count(builder, "dirty-pages-rate", source->dirty_pages_per_s);
    json_builder_end_object(builder);
    zc_report_add_number(builder, "expected-downtime",
                         (double)source->expected_downtime_ns / NS_PER_MS);
    if (*source->way) {
        zc_report_add_text(builder, "way", source->way);
    }
    json_builder_end_object(builder);
}
