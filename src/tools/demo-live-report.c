/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include <zcmig/zcmig.h>

#include "base/size.h"
#include "tools/cli.h"
#include "tools/demo-ends.h"
#include "tools/demo-live-report.h"
#include "tools/report.h"

#define LABEL "  %-16s "

static const char *const route_names[] = { "tcp", "pull", "memfd" };

/* A size, or a rate of @pages a second; the caller frees. */
static char *pages_size(JsonObject *object, const char *name)
{
    return zc_size_format(zc_demo_ends_count(object, NULL, name) * ZC_REPORT_PAGE_BYTES);
}

/* ------------------------------------------------------------------- tables */

static void print_head(const struct zc_demo_live_report *report, FILE *file)
{
    const struct zc_demo_live_options *options = report->options;
    JsonObject *send = report->pair->send;
    g_autofree char *size = zc_size_format(options->memory_bytes);
    const char *tracker = json_object_get_string_member_with_default(send, "tracker", "");

    fprintf(file, "zcmig: demo: a live guest, from one process to another by %s\n",
            route_names[options->route]);
    fprintf(file, LABEL "%s of RAM, told to write %s%s, pattern %s, writers: %s\n", "guest", size,
            options->dirty, g_str_equal(options->dirty, "max") ? "" : "/s", options->pattern,
            options->writers);
    if (*tracker) {
        fprintf(file, LABEL "%s\n", "dirty tracking", tracker);
    }
}

static void print_iteration(guint64 n, JsonObject *iteration, FILE *file)
{
    g_autofree char *pages = pages_size(iteration, "pages");
    g_autofree char *sent = zc_size_format(zc_demo_ends_count(iteration, NULL, "transferred"));
    g_autofree char *dirty = pages_size(iteration, "dirty-pages");
    g_autofree char *rate = pages_size(iteration, "dirty-pages-rate");
    bool known = json_object_has_member(iteration, "expected-downtime");
    g_autofree char *estimate =
        known
            ? g_strdup_printf("%.2f ms", zc_demo_ends_number(iteration, NULL, "expected-downtime"))
            : g_strdup("-");

    fprintf(file, "  %9" G_GUINT64_FORMAT " %12s %12s %10.1f ms %12s %14s/s %13s\n", n, pages, sent,
            zc_demo_ends_number(iteration, NULL, "time"), dirty, rate, estimate);
}

static void print_iterations(JsonObject *send, FILE *file)
{
    JsonArray *iterations = json_object_has_member(send, "iterations")
                                ? json_object_get_array_member(send, "iterations")
                                : NULL;
    guint kept = iterations ? json_array_get_length(iterations) : 0;
    guint64 n = zc_demo_ends_count(send, "ram", "dirty-sync-count");

    if (!kept) {
        return;
    }
    fprintf(file, "\n  %9s %12s %12s %13s %12s %16s %13s\n", "iteration", "to send", "on the wire",
            "time", "dirty after", "guest writes", "downtime est.");
    for (guint i = 0; i < kept; i++) {
        print_iteration(n - kept + i, json_array_get_object_element(iterations, i), file);
    }
}

static void print_downtime(const struct zc_demo_live_report *report, FILE *file)
{
    JsonObject *send = report->pair->send;
    double downtime = zc_demo_ends_number(send, NULL, "downtime");

    if (downtime <= 0) {
        return;
    }
    fprintf(file, "\n" LABEL "%.2f ms; estimated %.2f ms, allowed %s ms", "downtime", downtime,
            zc_demo_ends_number(send, NULL, "expected-downtime"), report->options->downtime_limit);
    if (json_object_has_member(send, "observed-downtime")) {
        fprintf(file, "; the guest itself noticed %.2f ms",
                zc_demo_ends_number(send, NULL, "observed-downtime"));
    }
    JsonObject *parts = json_object_get_object_member(send, "downtime-parts");
    g_autoptr(GList) names = json_object_get_members(parts);
    fprintf(file, "\n" LABEL, "  in parts, ms");
    for (GList *name = names; name; name = name->next) {
        fprintf(file, "%s%s %.2f", name == names ? "" : ", ", (const char *)name->data,
                zc_demo_ends_number(parts, NULL, name->data));
    }
    fputc('\n', file);
}

static void print_guest(JsonObject *report, const char *where, FILE *file)
{
    JsonObject *guest = report && json_object_has_member(report, "guest")
                            ? json_object_get_object_member(report, "guest")
                            : NULL;
    const char *place =
        guest ? json_object_get_string_member_with_default(guest, "place", "none") : "none";
    uint64_t wrong = guest ? zc_demo_ends_count(guest, NULL, "wrong-pages") : 0;

    if (!g_str_equal(place, "runs")) {
        return;
    }
    fprintf(file, LABEL "runs at the %s", "guest", where);
    if (wrong) {
        fprintf(file, "; it finds %" G_GUINT64_FORMAT " pages WRONG\n", wrong);
    } else if (json_object_has_member(guest, "writes")) {
        fprintf(file,
                "; it looked at all its pages after %" G_GUINT64_FORMAT
                " writes, and every one is right\n",
                zc_demo_ends_count(guest, NULL, "writes"));
    } else {
        fputc('\n', file);
    }
}

static void print_verification(JsonObject *recv, enum zc_demo_route route, FILE *file)
{
    uint64_t wrong = zc_demo_ends_count(recv, "verify", "mismatched-pages");
    uint64_t verified = zc_demo_ends_count(recv, "verify", "verified-pages");

    fprintf(file, "\n" LABEL, "verification");
    if (wrong) {
        fprintf(file, "MISMATCH: %" G_GUINT64_FORMAT " pages are not what was sent\n", wrong);
    } else if (verified) {
        fprintf(file, "%" G_GUINT64_FORMAT " pages arrived as they were sent\n", verified);
    } else {
        fprintf(file, "%s\n", route == ZC_DEMO_MEMFD ? "none: it runs in the same memory"
                                                    : "none was made");
    }
}

void zc_demo_live_report_print_table(const struct zc_demo_live_report *report, FILE *file)
{
    const struct zc_demo_pair *pair = report->pair;

    print_head(report, file);
    print_iterations(pair->send, file);
    print_downtime(report, file);
    if (pair->recv && json_object_has_member(pair->send, "ram") &&
        json_object_has_member(pair->recv, "ram")) {
        zc_demo_ends_print(pair, file);
        if (report->options->route == ZC_DEMO_TCP) {
            zc_demo_ends_print_zero_copy(pair->send, file);
        }
        print_verification(pair->recv, report->options->route, file);
    }
    print_guest(pair->send, "source", file);
    print_guest(pair->recv, "destination", file);
}

/* --------------------------------------------------------------------- JSON */

/* What query-migrate tells of a source is told of this one at the top. */
static void add_sender_figures(JsonBuilder *builder, JsonObject *send)
{
    static const char *const names[] = {
        "total-time",     "setup-time",        "downtime", "expected-downtime",
        "downtime-parts", "observed-downtime", "ram"
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (json_object_has_member(send, names[i])) {
            json_builder_set_member_name(builder, names[i]);
            json_builder_add_value(builder, json_object_dup_member(send, names[i]));
        }
    }
}

void zc_demo_live_report_print_json(const struct zc_demo_live_report *report, FILE *file)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    JsonObject *ends[] = { report->pair->send, report->pair->recv };
    const char *names[] = { "send", "recv" };
    int code = zcmig_error_exit_code(report->error);

    json_builder_begin_object(builder);
    zc_report_add_text(builder, "command", "demo");
    zc_report_add_text(builder, "status",
                       !report->error              ? "completed"
                       : code == ZC_EXIT_CANCELLED ? "cancelled"
                                                   : "failed");
    zc_report_add_text(builder, "route", route_names[report->options->route]);
    if (ends[0]) {
        add_sender_figures(builder, ends[0]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        if (ends[i]) {
            zc_demo_ends_add(builder, names[i], ends[i]);
        }
    }
    if (report->error) {
        zc_report_add_text(builder, "error-desc", report->error->message);
        json_builder_set_member_name(builder, "error");
        json_builder_begin_object(builder);
        zc_report_add_text(builder, "text", report->error->message);
        zc_report_add_count(builder, "exit-code", (uint64_t)code);
        json_builder_end_object(builder);
    }
    json_builder_end_object(builder);
    g_autofree char *line = zc_report_json_line(builder);
    fputs(line, file);
}
