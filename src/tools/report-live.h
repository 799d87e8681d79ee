/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the reports and the progress line say of a live guest: iterations, the
 * downtime in its parts, and whether the guest is whole.
 */
#ifndef ZC_TOOLS_REPORT_LIVE_H
#define ZC_TOOLS_REPORT_LIVE_H

#include <stdio.h>

#include <json-glib/json-glib.h>

#include <zcmig/zcmig.h>

/* Whether this is the source of a live guest, which has iterations to tell of. */
bool zc_report_live_is(const struct zcmig_stats *stats);

/* Nothing, when there is no live guest. */
void zc_report_live_print(const struct zcmig_stats *stats, FILE *file);

/* ", iteration 3, 12 MiB left, dirty 20 MiB/s, downtime 12 ms".  The caller frees. */
char *zc_report_live_progress(const struct zcmig_live_stats *live);

/* Members of the report: downtime, expected-downtime, downtime-parts, iterations, guest. */
void zc_report_live_add(JsonBuilder *builder, const struct zcmig_stats *stats);
/* Members of its "ram": those that query-migrate has for live guests. */
void zc_report_live_add_ram(JsonBuilder *builder, const struct zcmig_live_stats *live);
/* The member expected-downtime, once there is one. */
void zc_report_live_add_estimate(JsonBuilder *builder, const struct zcmig_live_stats *live);

#endif
