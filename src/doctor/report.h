/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The findings of one path while the rules write them.  Texts live in one
 * string store that the diagnosis owns.
 */
#ifndef ZC_DOCTOR_REPORT_H
#define ZC_DOCTOR_REPORT_H

#include <zcmig/doctor.h>

struct zc_report {
    GStringChunk *strings; /* borrowed */
    GPtrArray *taps;       /* borrowed; struct zcmig_tap, freed with g_free */
    GArray *findings;      /* struct zcmig_finding */
};

void zc_report_init(struct zc_report *report, GStringChunk *strings, GPtrArray *taps);
void zc_report_clear(struct zc_report *report);

/* Appends a finding with empty texts.  The pointer holds until the next one is added. */
struct zcmig_finding *zc_report_add(struct zc_report *report, enum zcmig_effect effect,
                                    const char *cause, const char *device);

/* A text in the store. */
const char *zc_report_text(struct zc_report *report, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* What the findings come to. */
enum zcmig_verdict zc_report_verdict(const struct zc_report *report);

/* Copies all of @part's findings to @report's; effects above @ceiling are lowered to it. */
void zc_report_merge(struct zc_report *report, const struct zc_report *part,
                     enum zcmig_effect ceiling);

#endif
