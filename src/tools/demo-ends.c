/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/size.h"
#include "tools/cli.h"
#include "tools/demo-ends.h"
#include "tools/report.h"

#define MS_PER_S 1000.0

/* ------------------------------------------- reading the reports of the ends */

double zc_demo_ends_number(JsonObject *report, const char *of, const char *name)
{
    JsonNode *node = NULL;

    if (of) {
        node = json_object_get_member(report, of);
        report = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    }
    node = report ? json_object_get_member(report, name) : NULL;
    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_double(node) : 0;
}

uint64_t zc_demo_ends_count(JsonObject *report, const char *of, const char *name)
{
    return (uint64_t)zc_demo_ends_number(report, of, name);
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

/* ------------------------------------------------------------------- tables */

static void print_row(FILE *file, const char *label, JsonObject *ends[2],
                      char *(*format)(JsonObject *))
{
    g_autofree char *send = format(ends[0]);
    g_autofree char *recv = format(ends[1]);

    fprintf(file, "  %-16s %16s %16s\n", label, send, recv);
}

static char *format_time(JsonObject *report)
{
    return g_strdup_printf("%.3f s", zc_demo_ends_number(report, NULL, "transfer-time") / MS_PER_S);
}

static char *format_rate(JsonObject *report)
{
    double ms = zc_demo_ends_number(report, NULL, "transfer-time");

    if (ms <= 0 || (zc_demo_ends_count(report, "ram", "normal") == 0 &&
                    zc_demo_ends_count(report, "ram", "duplicate") == 0)) {
        return g_strdup("-");
    }
    g_autofree char *size =
        zc_size_format((uint64_t)(zc_demo_ends_number(report, "ram", "total") * MS_PER_S / ms));
    return g_strconcat(size, "/s", NULL);
}

static char *format_wire(JsonObject *report)
{
    return zc_size_format(zc_demo_ends_count(report, "ram", "transferred"));
}

static char *format_cpu(JsonObject *report)
{
    return g_strdup_printf("%.3f", zc_demo_ends_number(report, NULL, "cpu-seconds-per-gib"));
}

void zc_demo_ends_print(const struct zc_demo_pair *pair, FILE *file)
{
    JsonObject *ends[2] = { pair->send, pair->recv };

    fprintf(file, "\n  %-16s %16s %16s\n", "", "send", "recv");
    print_row(file, "transfer", ends, format_time);
    print_row(file, "RAM rate", ends, format_rate);
    print_row(file, "on the wire", ends, format_wire);
    print_row(file, "CPU s/GiB", ends, format_cpu);
}

void zc_demo_ends_print_zero_copy(JsonObject *send, FILE *file)
{
    JsonNode *node = json_object_get_member(send, "zero-copy");
    JsonObject *totals = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    g_autofree char *why = reasons(send);

    if (!totals) {
        return;
    }
    g_autofree char *bytes = zc_size_format(zc_demo_ends_count(totals, NULL, "bytes"));
    g_autofree char *copied = zc_report_format_range(zc_demo_ends_count(totals, "copied", "min"),
                                                     zc_demo_ends_count(totals, "copied", "max"));
    fprintf(file, "\n  %-16s %" G_GUINT64_FORMAT " (%s)\n", "zero-copy calls",
            zc_demo_ends_count(totals, NULL, "calls"), bytes);
    fprintf(file, "  %-16s %" G_GUINT64_FORMAT " for %" G_GUINT64_FORMAT " completed calls\n",
            "notes", zc_demo_ends_count(totals, NULL, "notes"),
            zc_demo_ends_count(totals, NULL, "completed"));
    fprintf(file, "  %-16s %s of them\n", "copied", copied);
    if (*why) {
        fprintf(file, "  %-16s %s\n", "why", why);
    }
}

void zc_demo_ends_add(JsonBuilder *builder, const char *name, JsonObject *object)
{
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_node_set_object(node, object);
    json_builder_set_member_name(builder, name);
    json_builder_add_value(builder, node);
}
