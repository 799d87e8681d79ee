/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "doctor/diagnose.h"
#include "doctor/limit.h"
#include "doctor/link.h"
#include "doctor/oracle.h"
#include "doctor/rules.h"
#include "doctor/tap.h"

struct zcmig_diagnosis {
    GStringChunk *strings;
    GPtrArray *taps;
    GPtrArray *findings; /* of each path: a GArray */
    GArray *paths;       /* struct zcmig_path */
};

const char *zcmig_verdict_name(enum zcmig_verdict verdict)
{
    static const char *const names[] = { "works", "unknown", "copies" };

    return names[verdict];
}

const char *zcmig_effect_name(enum zcmig_effect effect)
{
    static const char *const names[] = { "note", "limits", "unknown", "copies" };

    return names[effect];
}

bool zc_facts_read(struct zc_facts *facts, GError **error)
{
    if (!zc_links_read(facts->links, error)) {
        return false;
    }
    /* The taps first: what the oracle child does is none of them. */
    zc_taps_read(facts);
    facts->elsewhere = zc_oracle_elsewhere();
    zc_limits_read(&facts->limits);
    for (int family = 0; family < ZC_FAMILIES; family++) {
        facts->zerocopy_errno[family] = zc_family_try((enum zc_family)family);
    }
    return true;
}

zcmig_diagnosis *zc_diagnosis_new(void)
{
    zcmig_diagnosis *diagnosis = g_new0(zcmig_diagnosis, 1);

    diagnosis->strings = g_string_chunk_new(4096);
    diagnosis->taps = g_ptr_array_new_with_free_func(g_free);
    diagnosis->findings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    diagnosis->paths = g_array_new(FALSE, TRUE, sizeof(struct zcmig_path));
    return diagnosis;
}

void zcmig_diagnosis_free(zcmig_diagnosis *diagnosis)
{
    if (!diagnosis) {
        return;
    }
    g_array_unref(diagnosis->paths);
    g_ptr_array_unref(diagnosis->findings);
    g_ptr_array_unref(diagnosis->taps);
    g_string_chunk_free(diagnosis->strings);
    g_free(diagnosis);
}

static gint gravest_first(gconstpointer a, gconstpointer b)
{
    const struct zcmig_finding *first = a;
    const struct zcmig_finding *second = b;

    return (gint)second->effect - (gint)first->effect;
}

/* Takes the findings over from @report and judges them. */
static void add_path(zcmig_diagnosis *diagnosis, struct zc_findings *report, struct zcmig_path path)
{
    path.verdict = zc_findings_verdict(report);
    g_array_sort(report->findings, gravest_first);
    path.findings = (const struct zcmig_finding *)(const void *)report->findings->data;
    path.n_findings = report->findings->len;
    g_ptr_array_add(diagnosis->findings, g_array_ref(report->findings));
    g_array_append_val(diagnosis->paths, path);
    zc_findings_clear(report);
}

bool zc_diagnose_address(zcmig_diagnosis *diagnosis, const struct zc_facts *facts, const char *name,
                         const struct sockaddr *destination, GError **error)
{
    struct zc_route route;
    struct zc_findings report;

    if (!zc_route_read(destination, &route, error)) {
        return false;
    }
    const struct zc_link *link = zc_facts_find_link(facts, route.ifindex);
    zc_findings_init(&report, diagnosis->strings, diagnosis->taps);
    zc_rules_path(&report, facts, &route, route.ifindex,
                  destination->sa_family == AF_INET6 ? ZC_FAMILY_TCP6 : ZC_FAMILY_TCP4);
    add_path(diagnosis, &report,
             (struct zcmig_path){
                 .destination = zc_findings_text(&report, "%s", name),
                 .address = zc_findings_text(&report, "%s", route.address),
                 .device = zc_findings_text(&report, "%s", link ? link->name : ""),
                 .loopback = route.local || (link && link->loopback),
             });
    return true;
}

void zc_diagnose_family(zcmig_diagnosis *diagnosis, const struct zc_facts *facts, const char *name,
                        enum zc_family family)
{
    struct zc_findings report;

    zc_findings_init(&report, diagnosis->strings, diagnosis->taps);
    zc_rules_family(&report, facts, family);
    zc_rules_limits(&report, facts, facts->bandwidth);
    add_path(diagnosis, &report,
             (struct zcmig_path){
                 .destination = zc_findings_text(&report, "%s", name),
                 .address = "",
                 .device = "",
             });
}

void zc_diagnose_devices(zcmig_diagnosis *diagnosis, const struct zc_facts *facts)
{
    for (guint i = 0; i < facts->links->len; i++) {
        const struct zc_link *link = &g_array_index(facts->links, struct zc_link, i);
        struct zc_findings report;
        if (!link->up) {
            continue;
        }
        zc_findings_init(&report, diagnosis->strings, diagnosis->taps);
        zc_rules_path(&report, facts, NULL, link->ifindex, ZC_FAMILY_TCP4);
        add_path(diagnosis, &report,
                 (struct zcmig_path){
                     .destination = "",
                     .address = "",
                     .device = zc_findings_text(&report, "%s", link->name),
                     .loopback = link->loopback,
                 });
    }
}

enum zcmig_verdict zcmig_diagnosis_get_verdict(const zcmig_diagnosis *diagnosis)
{
    enum zcmig_verdict best = ZCMIG_VERDICT_COPIES;

    for (guint i = 0; i < diagnosis->paths->len; i++) {
        const struct zcmig_path *path = &g_array_index(diagnosis->paths, struct zcmig_path, i);
        if (*path->destination || !path->loopback) {
            best = MIN(best, path->verdict);
        }
    }
    return best;
}

const struct zcmig_path *zcmig_diagnosis_get_paths(const zcmig_diagnosis *diagnosis,
                                                   unsigned int *n_out)
{
    *n_out = diagnosis->paths->len;
    return (const struct zcmig_path *)(const void *)diagnosis->paths->data;
}
