/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What zcmig bench found: for people, for programs, and as a picture. */
#ifndef ZC_TOOLS_BENCH_REPORT_H
#define ZC_TOOLS_BENCH_REPORT_H

#include <stdio.h>

#include <zcmig/bench.h>

/* Seconds of @ns for each GiB of the row. */
double zc_bench_per_gib(const struct zcmig_bench_row *row, int64_t ns);

/* The medians. */
void zc_bench_print_table(const zcmig_bench *bench, FILE *file);
/* The runs, one line each, with a heading. */
void zc_bench_print_csv(const zcmig_bench *bench, FILE *file);
/* Runs and medians as one object. */
void zc_bench_print_json(const zcmig_bench *bench, FILE *file);
/* The runs as the kernel's self-test says it; the engine and its times are in a comment above. */
void zc_bench_print_selftest(const zcmig_bench *bench, FILE *file);

/* Whether @path can be plotted here: its name ends in .svg or .png, and there is a gnuplot. */
bool zc_bench_can_plot(const char *path, GError **error);
/* Draws the medians' CPU time into @path. */
bool zc_bench_plot(const zcmig_bench *bench, const char *path, GError **error);

#endif
