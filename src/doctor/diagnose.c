/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

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
    GArray *stacks;      /* struct zcmig_stack */
    GPtrArray *ways;     /* the stacks' arrays of functions */
    bool releases_counted;
    uint64_t released_copied;
    uint64_t released_not_copied;
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
    GArray *namespaces = zc_netns_list(&facts->hidden_processes);
    zc_taps_read(facts, namespaces);
    zc_netns_read_spaces(facts, namespaces);
    g_array_unref(namespaces);
    facts->elsewhere = zc_oracle_elsewhere();
    zc_limits_read(&facts->limits);
    for (int family = 0; family < ZC_FAMILIES; family++) {
        facts->zerocopy_errno[family] = zc_family_try((enum zc_family)family);
    }
    zc_uring_read(&facts->uring);
    return true;
}

zcmig_diagnosis *zc_diagnosis_new(void)
{
    zcmig_diagnosis *diagnosis = g_new0(zcmig_diagnosis, 1);

    diagnosis->strings = g_string_chunk_new(4096);
    diagnosis->taps = g_ptr_array_new_with_free_func(g_free);
    diagnosis->findings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    diagnosis->paths = g_array_new(FALSE, TRUE, sizeof(struct zcmig_path));
    diagnosis->stacks = g_array_new(FALSE, TRUE, sizeof(struct zcmig_stack));
    diagnosis->ways = g_ptr_array_new_with_free_func(g_free);
    return diagnosis;
}

void zcmig_diagnosis_free(zcmig_diagnosis *diagnosis)
{
    if (!diagnosis) {
        return;
    }
    g_ptr_array_unref(diagnosis->ways);
    g_array_unref(diagnosis->stacks);
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

    if (first->effect == second->effect) { /* the kernel's own word before what is known of it */
        return (strcmp(second->cause, "probe") == 0) - (strcmp(first->cause, "probe") == 0);
    }
    return (gint)second->effect - (gint)first->effect;
}

/* Takes the findings over from @report and judges them. */
static void add_path(zcmig_diagnosis *diagnosis, const struct zc_facts *facts,
                     struct zc_findings *report, struct zcmig_path path)
{
    const struct zc_burst *burst = &facts->burst;

    path.probed = burst->tried;
    path.probe = (struct zcmig_probe){
        .bytes = burst->sent_bytes,
        .calls = burst->calls,
        .plain_calls = burst->plain_calls,
        .completed = burst->completed,
        .copied_min = burst->copied_min,
        .copied_max = burst->copied_max,
        .trouble = zc_findings_text(report, "%s", burst->trouble ? burst->trouble : ""),
    };
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
    add_path(diagnosis, facts, &report,
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
    zc_rules_burst(&report, &facts->burst);
    add_path(diagnosis, facts, &report,
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
        add_path(diagnosis, facts, &report,
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

void zc_diagnose_traced(zcmig_diagnosis *diagnosis, const struct zc_traced *traced)
{
    diagnosis->releases_counted = traced->counted;
    diagnosis->released_copied = traced->released_copied;
    diagnosis->released_not_copied = traced->released_not_copied;
    for (guint i = 0; i < traced->stacks->len; i++) {
        const struct zc_stack *seen = &g_array_index(traced->stacks, struct zc_stack, i);
        const char **functions = g_new0(const char *, seen->functions->len + 1);
        struct zcmig_stack stack = {
            .event = seen->event,
            .hits = seen->hits,
            .functions = functions,
        };
        for (guint k = 0; k < seen->functions->len; k++) {
            functions[k] = g_string_chunk_insert_const(diagnosis->strings,
                                                       g_ptr_array_index(seen->functions, k));
        }
        stack.cause = zc_stack_cause(functions, &stack.meaning);
        g_ptr_array_add(diagnosis->ways, functions);
        g_array_append_val(diagnosis->stacks, stack);
    }
}

bool zcmig_diagnosis_get_releases(const zcmig_diagnosis *diagnosis, uint64_t *copied_out,
                                  uint64_t *not_copied_out)
{
    *copied_out = diagnosis->released_copied;
    *not_copied_out = diagnosis->released_not_copied;
    return diagnosis->releases_counted;
}

const struct zcmig_stack *zcmig_diagnosis_get_stacks(const zcmig_diagnosis *diagnosis,
                                                     unsigned int *n_out)
{
    *n_out = diagnosis->stacks->len;
    return (const struct zcmig_stack *)(const void *)diagnosis->stacks->data;
}

const struct zcmig_path *zcmig_diagnosis_get_paths(const zcmig_diagnosis *diagnosis,
                                                   unsigned int *n_out)
{
    *n_out = diagnosis->paths->len;
    return (const struct zcmig_path *)(const void *)diagnosis->paths->data;
}
