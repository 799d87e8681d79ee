/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/size.h"
#include "tools/bench-report.h"
#include "tools/report.h"

#define NS_PER_S 1e9

double zc_bench_per_gib(const struct zcmig_bench_row *row, int64_t ns)
{
    return row->bytes ? (double)ns / NS_PER_S / ((double)row->bytes / (double)ZC_GIB) : 0;
}

/* ------------------------------------------------------------------- table */

static char *format_lost(uint64_t bytes)
{
    g_autofree char *size = zc_size_format(bytes);

    return g_strdup_printf("%s were lost on the way (datagrams have no flow control)", size);
}

static void print_why_not(const zcmig_bench *bench, FILE *file)
{
    unsigned int n;
    const struct zcmig_bench_row *rows = zcmig_bench_get_medians(bench, &n);

    for (unsigned int i = 0; i < n; i++) {
        const struct zcmig_bench_row *row = &rows[i];
        if (*row->why_not) {
            fprintf(file, "  %s by %s instead of %s: %s\n", row->way, row->used, row->engine,
                    row->why_not);
        }
        if (*row->unregistered) {
            fprintf(file, "  %s by %s: %s\n", row->way, row->used, row->unregistered);
        }
        if (row->lost_bytes != 0) {
            g_autofree char *chunk = zc_size_format(row->chunk_bytes);
            g_autofree char *lost =
                row->lost_bytes < 0 ? NULL : format_lost((uint64_t)row->lost_bytes);
            fprintf(file, "  %s by %s, calls of %s: %s\n", row->way, row->used, chunk,
                    lost ? lost : "the sink does not answer: what was lost is unknown");
        }
    }
    for (const char *const *skipped = zcmig_bench_get_skipped(bench); *skipped; skipped++) {
        fprintf(file, "  skipped %s\n", *skipped);
    }
}

void zc_bench_print_table(const zcmig_bench *bench, FILE *file)
{
    unsigned int n;
    const struct zcmig_bench_row *rows = zcmig_bench_get_medians(bench, &n);
    uint64_t huge_bytes;
    g_autofree char *memory = zc_size_format(zcmig_bench_get_memory(bench, &huge_bytes));
    g_autofree char *huge = zc_size_format(huge_bytes);

    fprintf(file,
            "zcmig: bench: medians of %u runs, seconds a GiB of the sending thread\n"
            "  memory: %s, with huge pages %s of it\n\n",
            n > 0 ? rows[0].run : 0, memory, huge);
    fprintf(file, "  %-8s %-9s %9s %6s %8s %8s %8s %15s %7s %7s %7s %7s\n", "way", "engine",
            "chunk", "MB", "calls", "notes", "zc", "copied", "real", "user", "sys", "CPU");
    for (unsigned int i = 0; i < n; i++) {
        const struct zcmig_bench_row *row = &rows[i];
        g_autofree char *chunk = zc_size_format(row->chunk_bytes);
        g_autofree char *copied = zc_report_format_range(row->copied_min, row->copied_max);
        fprintf(file,
                "  %-8s %-9s %9s %6" G_GUINT64_FORMAT " %8" G_GUINT64_FORMAT " %8" G_GUINT64_FORMAT
                " %8s %15s %7.3f %7.3f %7.3f %7.3f\n",
                row->way, row->used, chunk, row->bytes / ZC_MIB, row->calls, row->completions,
                row->verdict, copied, zc_bench_per_gib(row, row->real_ns),
                zc_bench_per_gib(row, row->user_ns), zc_bench_per_gib(row, row->sys_ns),
                zc_bench_per_gib(row, row->user_ns + row->sys_ns));
    }
    fputc('\n', file);
    print_why_not(bench, file);
}

/* ---------------------------------------------------------------- programs */

/* Destinations and reasons hold no line ends, but may hold commas and quotes. */
static char *csv_text(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "\"", -1);
    g_autofree char *doubled = g_strjoinv("\"\"", parts);

    return strpbrk(text, ",\"") ? g_strdup_printf("\"%s\"", doubled) : g_strdup(text);
}

void zc_bench_print_csv(const zcmig_bench *bench, FILE *file)
{
    unsigned int n;
    const struct zcmig_bench_row *rows = zcmig_bench_get_runs(bench, &n);

    fputs("run,way,engine,used,chunk_bytes,bytes,calls,completions,zc,copied_min,copied_max,"
          "real_s,user_s,sys_s,why_not,registered_bytes,lost_bytes\n",
          file);
    for (unsigned int i = 0; i < n; i++) {
        const struct zcmig_bench_row *row = &rows[i];
        g_autofree char *way = csv_text(row->way);
        g_autofree char *why_not = csv_text(row->why_not);
        g_autofree char *lost = row->lost_bytes < 0
                                    ? g_strdup("")
                                    : g_strdup_printf("%" G_GINT64_FORMAT, row->lost_bytes);
        fprintf(file,
                "%u,%s,%s,%s,%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
                ",%" G_GUINT64_FORMAT ",%s,%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
                ",%.6f,%.6f,%.6f,%s,%" G_GUINT64_FORMAT ",%s\n",
                row->run, way, row->engine, row->used, row->chunk_bytes, row->bytes, row->calls,
                row->completions, row->verdict, row->copied_min, row->copied_max,
                (double)row->real_ns / NS_PER_S, (double)row->user_ns / NS_PER_S,
                (double)row->sys_ns / NS_PER_S, why_not, row->registered_bytes, lost);
    }
}

static void add_rows(JsonBuilder *builder, const char *name, const struct zcmig_bench_row *rows,
                     unsigned int n)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
    for (unsigned int i = 0; i < n; i++) {
        const struct zcmig_bench_row *row = &rows[i];
        json_builder_begin_object(builder);
        zc_report_add_count(builder, "run", row->run);
        zc_report_add_text(builder, "way", row->way);
        zc_report_add_text(builder, "engine", row->engine);
        zc_report_add_text(builder, "used", row->used);
        zc_report_add_text(builder, "why-not", row->why_not);
        zc_report_add_text(builder, "zc", row->verdict);
        zc_report_add_count(builder, "chunk-bytes", row->chunk_bytes);
        zc_report_add_count(builder, "bytes", row->bytes);
        zc_report_add_count(builder, "calls", row->calls);
        zc_report_add_count(builder, "completions", row->completions);
        zc_report_add_count(builder, "copied-min", row->copied_min);
        zc_report_add_count(builder, "copied-max", row->copied_max);
        zc_report_add_count(builder, "registered-bytes", row->registered_bytes);
        zc_report_add_text(builder, "unregistered", row->unregistered);
        if (row->lost_bytes >= 0) {
            zc_report_add_count(builder, "lost-bytes", (uint64_t)row->lost_bytes);
        }
        zc_report_add_number(builder, "real-seconds", (double)row->real_ns / NS_PER_S);
        zc_report_add_number(builder, "user-seconds", (double)row->user_ns / NS_PER_S);
        zc_report_add_number(builder, "sys-seconds", (double)row->sys_ns / NS_PER_S);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

void zc_bench_print_json(const zcmig_bench *bench, FILE *file)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    unsigned int n;
    uint64_t huge_bytes;

    json_builder_begin_object(builder);
    zc_report_add_text(builder, "command", "bench");
    zc_report_add_count(builder, "memory-bytes", zcmig_bench_get_memory(bench, &huge_bytes));
    zc_report_add_count(builder, "huge-bytes", huge_bytes);
    const struct zcmig_bench_row *rows = zcmig_bench_get_runs(bench, &n);
    add_rows(builder, "runs", rows, n);
    rows = zcmig_bench_get_medians(bench, &n);
    add_rows(builder, "medians", rows, n);
    json_builder_set_member_name(builder, "skipped");
    json_builder_begin_array(builder);
    for (const char *const *skipped = zcmig_bench_get_skipped(bench); *skipped; skipped++) {
        json_builder_add_string_value(builder, *skipped);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    g_autofree char *line = zc_report_json_line(builder);
    fputs(line, file);
}

void zc_bench_print_selftest(const zcmig_bench *bench, FILE *file)
{
    unsigned int n;
    const struct zcmig_bench_row *rows = zcmig_bench_get_runs(bench, &n);

    for (unsigned int i = 0; i < n; i++) {
        const struct zcmig_bench_row *row = &rows[i];
        char zc = row->verdict[0] == 'y' ? 'y' : strchr("n-", row->verdict[0]) ? 'n' : '?';
        fprintf(file,
                "# %s %s %" G_GUINT64_FORMAT " real %.3f user %.3f sys %.3f\n"
                "tx=%" G_GUINT64_FORMAT " (%" G_GUINT64_FORMAT " MB) txc=%" G_GUINT64_FORMAT
                " zc=%c\n",
                row->way, row->used, row->chunk_bytes, (double)row->real_ns / NS_PER_S,
                (double)row->user_ns / NS_PER_S, (double)row->sys_ns / NS_PER_S, row->calls,
                row->bytes / ZC_MIB, row->completions, zc);
    }
}
