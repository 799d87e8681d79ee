/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session says in the end: a table for people, one JSON object for
 * programs.  The object uses the names of QEMU's query-migrate where that has
 * one (status, total-time, ram.normal-bytes, ...), in its units: milliseconds
 * and bytes.  What is zcmig's own is in zero-copy, verify and error.
 */
#ifndef ZC_TOOLS_REPORT_H
#define ZC_TOOLS_REPORT_H

#include <stdio.h>

#include <json-glib/json-glib.h>

#include <zcmig/zcmig.h>

/* QEMU's target page on x86-64, the unit of its protocol there and of ours. */
#define ZC_REPORT_PAGE_BYTES 4096

struct zc_report {
    const char *command;
    const struct zcmig_stats *stats; /* NULL: there was no session */
    const struct zcmig_mismatch *mismatches;
    unsigned int n_mismatches;
    const GError *error; /* NULL: it succeeded */
};

/* The sums over the channels of a session that sends. */
struct zc_report_totals {
    uint64_t calls;
    uint64_t call_bytes;
    uint64_t completed;
    uint64_t notes;
    uint64_t copied_min;
    uint64_t copied_max;
    uint64_t enobufs;
    uint64_t drains;
    int64_t drain_ns;
};

struct zc_report_totals zc_report_add_up(const struct zcmig_stats *stats);

/* "n", or "n to m" where the kernel does not let it be exact.  The caller frees. */
char *zc_report_format_range(uint64_t min, uint64_t max);

/* Who was at the other end, as far as is known: "zcmig", "qemu", "none" when nothing was sent. */
const char *zc_report_peer(const struct zcmig_stats *stats);

/* CPU seconds for each GiB of RAM that crossed (zero pages count); 0 when none did. */
double zc_report_cpu_per_gib(const struct zcmig_stats *stats);

void zc_report_print_table(const struct zc_report *report, FILE *file);
void zc_report_print_mismatches(const struct zcmig_mismatch *mismatches, unsigned int n,
                                FILE *file);

void zc_report_print_json(const struct zc_report *report, FILE *file);

/* --- pieces, for other objects with the same names */

/* Adds the member "ram".  @elapsed_ns is the time its rates are taken over. */
void zc_report_add_ram(JsonBuilder *builder, const struct zcmig_stats *stats, int64_t elapsed_ns);
/* Adds the member "mismatches". */
void zc_report_add_mismatches(JsonBuilder *builder, const struct zcmig_mismatch *mismatches,
                              unsigned int n);
void zc_report_add_count(JsonBuilder *builder, const char *name, uint64_t value);
void zc_report_add_text(JsonBuilder *builder, const char *name, const char *value);
void zc_report_add_number(JsonBuilder *builder, const char *name, double value);
void zc_report_add_ms(JsonBuilder *builder, const char *name, int64_t ns);
/* Adds the members "error-desc", as query-migrate has it, and "error". */
void zc_report_add_error(JsonBuilder *builder, const GError *error);

/* The finished object on one line, with its newline.  The caller frees. */
char *zc_report_json_line(JsonBuilder *builder);

#endif
