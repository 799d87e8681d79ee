/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the reports and the progress line say of the QEMU at the other end, as
 * far as its monitor is watched (recv --source-qmp).
 */
#ifndef ZC_TOOLS_REPORT_SOURCE_H
#define ZC_TOOLS_REPORT_SOURCE_H

#include <stdio.h>

#include <json-glib/json-glib.h>

#include <zcmig/zcmig.h>

/* Whether there is something to say. */
bool zc_report_source_is(const struct zcmig_stats *stats);

/* ", QEMU: active, iteration 3, 12 MiB left, dirty 20 MiB/s".  The caller frees. */
char *zc_report_source_progress(const struct zcmig_stats *stats);

/* Nothing, when its RAM was not read. */
void zc_report_source_print(const struct zcmig_stats *stats, FILE *file);

/* The member "source", named as in query-migrate. */
void zc_report_source_add(JsonBuilder *builder, const struct zcmig_stats *stats);

#endif
