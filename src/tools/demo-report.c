/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/size.h"
#include "tools/cli.h"
#include "tools/demo-report.h"
#include "tools/report.h"

#define MS_PER_S 1000.0

/* ------------------------------------------- reading the reports of the ends */

/* The member @name, a number, of the object @of of @report; of @report itself when @of is NULL. */
static double number(JsonObject *report, const char *of, const char *name)
{
    JsonNode *node = NULL;

    if (of) {
        node = json_object_get_member(report, of);
        report = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    }
    node = report ? json_object_get_member(report, name) : NULL;
    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_double(node) : 0;
}

static uint64_t count(JsonObject *report, const char *of, const char *name)
{
    return (uint64_t)number(report, of, name);
}

/* The channels' answer to "why": each reason once, with how many channels gave it. */
static char *reasons(JsonObject *report)
{
    JsonArray *channels = json_object_has_member(report, "channels")
                              ? json_object_get_array_member(report, "channels")
                              : NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; channels && i < json_array_get_length(channels); i++) {
        JsonObject *channel = json_array_get_object_element(channels, i);
        const char *reason = json_object_get_string_member_with_default(channel, "reason", "");
        if (*reason && g_hash_table_add(seen, g_strdup(reason))) {
            g_autofree char *line = zc_cli_one_line(reason);
            g_string_append_printf(text, "%s%s", text->len ? "; " : "", line);
        }
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ----------------------------------------------------------------- table */

static void print_row(FILE *file, const char *label, JsonObject *ends[2],
                      char *(*format)(JsonObject *))
{
    g_autofree char *send = format(ends[0]);
    g_autofree char *recv = format(ends[1]);

    fprintf(file, "  %-16s %16s %16s\n", label, send, recv);
}

static char *format_time(JsonObject *report)
{
    return g_strdup_printf("%.3f s", number(report, NULL, "transfer-time") / MS_PER_S);
}

static char *format_rate(JsonObject *report)
{
    double ms = number(report, NULL, "transfer-time");

    if (ms <= 0) {
        return g_strdup("-");
    }
    g_autofree char *size =
        zc_size_format((uint64_t)(number(report, "ram", "total") * MS_PER_S / ms));
    return g_strconcat(size, "/s", NULL);
}

static char *format_wire(JsonObject *report)
{
    return zc_size_format(count(report, "ram", "transferred"));
}

static char *format_cpu(JsonObject *report)
{
    return g_strdup_printf("%.3f", number(report, NULL, "cpu-seconds-per-gib"));
}

static void print_ends(const struct zc_demo_report *report, FILE *file)
{
    JsonObject *ends[2] = { report->pair.send, report->pair.recv };

    fprintf(file, "\n  %-16s %16s %16s\n", "", "send", "recv");
    print_row(file, "transfer", ends, format_time);
    print_row(file, "RAM rate", ends, format_rate);
    print_row(file, "on the wire", ends, format_wire);
    print_row(file, "CPU s/GiB", ends, format_cpu);
}

static void print_pages(JsonObject *send, FILE *file)
{
    const uint64_t normal = count(send, "ram", "normal");
    const uint64_t zero = count(send, "ram", "duplicate");
    g_autofree char *total = zc_size_format(count(send, "ram", "total"));
    g_autofree char *normal_size = zc_size_format(normal * ZC_REPORT_PAGE_BYTES);
    g_autofree char *zero_size = zc_size_format(zero * ZC_REPORT_PAGE_BYTES);

    fprintf(file, "  %-16s %s\n", "RAM", total);
    fprintf(file, "  %-16s %" G_GUINT64_FORMAT " (%s)\n", "normal pages", normal, normal_size);
    fprintf(file, "  %-16s %" G_GUINT64_FORMAT " (%s), none of which crossed\n", "zero pages", zero,
            zero_size);
}

static void print_zero_copy(JsonObject *send, FILE *file)
{
    JsonNode *node = json_object_get_member(send, "zero-copy");
    JsonObject *totals = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    g_autofree char *why = reasons(send);

    if (!totals) {
        return;
    }
    g_autofree char *bytes = zc_size_format(count(totals, NULL, "bytes"));
    g_autofree char *copied =
        zc_report_format_range(count(totals, "copied", "min"), count(totals, "copied", "max"));
    fprintf(file, "\n  %-16s %" G_GUINT64_FORMAT " (%s)\n", "zero-copy calls",
            count(totals, NULL, "calls"), bytes);
    fprintf(file, "  %-16s %" G_GUINT64_FORMAT " for %" G_GUINT64_FORMAT " completed calls\n",
            "notes", count(totals, NULL, "notes"), count(totals, NULL, "completed"));
    fprintf(file, "  %-16s %s of them\n", "copied", copied);
    if (*why) {
        fprintf(file, "  %-16s %s\n", "why", why);
    }
}

void zc_demo_report_print_table(const struct zc_demo_report *report, FILE *file)
{
    JsonObject *recv = report->pair.recv;
    const uint64_t verified = count(recv, "verify", "verified-pages");
    g_autofree char *name = g_path_get_basename(report->kernel);

    fprintf(file, "zcmig: demo: the RAM of a live guest, from one process to another\n");
    fprintf(file,
            "  %-16s %s, paused %.3f s for the dump, alive in the end (tick %" G_GUINT64_FORMAT
            ")\n",
            "guest", name, (double)report->dump.paused_us / G_USEC_PER_SEC, report->tick);
    print_pages(report->pair.send, file);
    print_ends(report, file);
    print_zero_copy(report->pair.send, file);
    if (count(recv, "verify", "mismatched-pages")) {
        fprintf(file, "\n  %-16s MISMATCH: %" G_GUINT64_FORMAT " pages are not what was sent\n",
                "verification", count(recv, "verify", "mismatched-pages"));
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

static void add_object(JsonBuilder *builder, const char *name, JsonObject *object)
{
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_node_set_object(node, object);
    json_builder_set_member_name(builder, name);
    json_builder_add_value(builder, node);
}

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
    add_object(builder, "send", report->pair.send);
    add_object(builder, "recv", report->pair.recv);
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
