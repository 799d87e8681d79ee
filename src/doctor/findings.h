/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The findings of one path while the rules write them.  Texts live in one
 * string store that the diagnosis owns.
 */
#ifndef ZC_DOCTOR_FINDINGS_H
#define ZC_DOCTOR_FINDINGS_H

#include <zcmig/doctor.h>

struct zc_findings {
    GStringChunk *strings; /* borrowed */
    GPtrArray *taps;       /* borrowed; struct zcmig_tap, freed with g_free */
    GArray *findings;      /* struct zcmig_finding */
};

void zc_findings_init(struct zc_findings *report, GStringChunk *strings, GPtrArray *taps);
void zc_findings_clear(struct zc_findings *report);

/* Appends a finding with empty texts.  The pointer holds until the next one is added. */
struct zcmig_finding *zc_findings_add(struct zc_findings *report, enum zcmig_effect effect,
                                      const char *cause, const char *device);

/* A text in the store. */
const char *zc_findings_text(struct zc_findings *report, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/* What the findings come to. */
enum zcmig_verdict zc_findings_verdict(const struct zc_findings *report);

/* Copies all of @part's findings to @report's; effects above @ceiling are lowered to it. */
void zc_findings_merge(struct zc_findings *report, const struct zc_findings *part,
                       enum zcmig_effect ceiling);

#endif
