/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/size.h"
#include "tools/demo-ends.h"
#include "tools/demo-report.h"
#include "tools/report.h"

/* ----------------------------------------------------------------- table */

static void print_pages(JsonObject *send, FILE *file)
{
    const uint64_t normal = zc_demo_ends_count(send, "ram", "normal");
    const uint64_t zero = zc_demo_ends_count(send, "ram", "duplicate");
    g_autofree char *total = zc_size_format(zc_demo_ends_count(send, "ram", "total"));
    g_autofree char *normal_size = zc_size_format(normal * ZC_REPORT_PAGE_BYTES);
    g_autofree char *zero_size = zc_size_format(zero * ZC_REPORT_PAGE_BYTES);

    fprintf(file, "  %-16s %s\n", "RAM", total);
    fprintf(file, "  %-16s %" G_GUINT64_FORMAT " (%s)\n", "normal pages", normal, normal_size);
    fprintf(file, "  %-16s %" G_GUINT64_FORMAT " (%s), none of which crossed\n", "zero pages", zero,
            zero_size);
}

void zc_demo_report_print_table(const struct zc_demo_report *report, FILE *file)
{
    JsonObject *recv = report->pair.recv;
    const uint64_t verified = zc_demo_ends_count(recv, "verify", "verified-pages");
    g_autofree char *name = g_path_get_basename(report->kernel);

    fprintf(file, "zcmig: demo: the RAM of a live guest, from one process to another\n");
    fprintf(file,
            "  %-16s %s, paused %.3f s for the dump, alive in the end (tick %" G_GUINT64_FORMAT
            ")\n",
            "guest", name, (double)report->dump.paused_us / G_USEC_PER_SEC, report->tick);
    print_pages(report->pair.send, file);
    zc_demo_ends_print(&report->pair, file);
    zc_demo_ends_print_zero_copy(report->pair.send, file);
    if (zc_demo_ends_count(recv, "verify", "mismatched-pages")) {
        fprintf(file, "\n  %-16s MISMATCH: %" G_GUINT64_FORMAT " pages are not what was sent\n",
                "verification", zc_demo_ends_count(recv, "verify", "mismatched-pages"));
    } else {
        fprintf(file, "\n  %-16s %" G_GUINT64_FORMAT " pages arrived as they were sent\n",
                "verification", verified);
    }
    if (report->same) {
        fprintf(file, "  %-16s the two images are the same\n", "byte by byte");
    } else {
        fprintf(file, "  %-16s DIFFERENT from offset %" G_GUINT64_FORMAT " on\n", "byte by byte",
                report->offset);
    }
    if (report->image) {
        fprintf(file, "  %-16s %s\n  %-16s %s\n", "sent", report->image, "received",
                report->output);
    }
}

/* ------------------------------------------------------------------ JSON */

void zc_demo_report_print_json(const struct zc_demo_report *report, FILE *file)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    zc_report_add_text(builder, "command", "demo");
    zc_report_add_text(builder, "status", report->same ? "completed" : "failed");
    json_builder_set_member_name(builder, "guest");
    json_builder_begin_object(builder);
    zc_report_add_text(builder, "kernel", report->kernel);
    zc_report_add_count(builder, "ram", report->dump.ram_bytes);
    zc_report_add_count(builder, "data-bytes", report->dump.data_bytes);
    zc_report_add_number(builder, "paused-seconds",
                         (double)report->dump.paused_us / G_USEC_PER_SEC);
    zc_report_add_count(builder, "ticks", report->tick);
    json_builder_end_object(builder);
    zc_demo_ends_add(builder, "send", report->pair.send);
    zc_demo_ends_add(builder, "recv", report->pair.recv);
    json_builder_set_member_name(builder, "same-bytes");
    json_builder_add_boolean_value(builder, report->same);
    if (!report->same) {
        zc_report_add_count(builder, "first-difference", report->offset);
    }
    if (report->image) {
        zc_report_add_text(builder, "image", report->image);
        zc_report_add_text(builder, "output", report->output);
    }
    json_builder_end_object(builder);
    g_autofree char *line = zc_report_json_line(builder);
    fputs(line, file);
}
