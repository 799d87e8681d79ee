/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "doctor/findings.h"

void zc_findings_init(struct zc_findings *report, GStringChunk *strings, GPtrArray *taps)
{
    report->strings = strings;
    report->taps = taps;
    report->findings = g_array_new(FALSE, TRUE, sizeof(struct zcmig_finding));
}

void zc_findings_clear(struct zc_findings *report)
{
    g_clear_pointer(&report->findings, g_array_unref);
}

struct zcmig_finding *zc_findings_add(struct zc_findings *report, enum zcmig_effect effect,
                                      const char *cause, const char *device)
{
    const struct zcmig_finding finding = {
        .effect = effect,
        .cause = cause,
        .device = zc_findings_text(report, "%s", device),
        .summary = "",
        .evidence = "",
        .remedy = "",
        .missing_right = "",
    };

    g_array_append_val(report->findings, finding);
    return &g_array_index(report->findings, struct zcmig_finding, report->findings->len - 1);
}

const char *zc_findings_text(struct zc_findings *report, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return g_string_chunk_insert_const(report->strings, text);
}

enum zcmig_verdict zc_findings_verdict(const struct zc_findings *report)
{
    enum zcmig_verdict verdict = ZCMIG_VERDICT_WORKS;

    for (guint i = 0; i < report->findings->len; i++) {
        switch (g_array_index(report->findings, struct zcmig_finding, i).effect) {
        case ZCMIG_EFFECT_COPIES:
            return ZCMIG_VERDICT_COPIES;
        case ZCMIG_EFFECT_UNKNOWN:
            verdict = ZCMIG_VERDICT_UNKNOWN;
            break;
        case ZCMIG_EFFECT_NOTE:
        case ZCMIG_EFFECT_LIMITS:
            break;
        }
    }
    return verdict;
}

void zc_findings_merge(struct zc_findings *report, const struct zc_findings *part,
                       enum zcmig_effect ceiling)
{
    for (guint i = 0; i < part->findings->len; i++) {
        struct zcmig_finding finding = g_array_index(part->findings, struct zcmig_finding, i);
        finding.effect = MIN(finding.effect, ceiling);
        g_array_append_val(report->findings, finding);
    }
}
