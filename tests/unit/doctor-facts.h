/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made-up facts for the doctor's rules: a healthy machine, to be spoiled one fact at a time. */
#ifndef ZC_TESTS_DOCTOR_FACTS_H
#define ZC_TESTS_DOCTOR_FACTS_H

#include "doctor/rules.h"
#include "lib/unit.h"

struct made_up {
    struct zc_facts facts;
    struct zc_findings report;
    GStringChunk *strings;
    GPtrArray *taps;
};

static inline void made_up_init(struct made_up *made)
{
    zc_facts_init(&made->facts);
    made->facts.packet_table = true;
    made->facts.elsewhere.copied = ZC_NO;
    made->facts.limits.optmem_max = 131072;
    made->facts.limits.memlock_bytes = UINT64_MAX;
    made->facts.limits.io_uring_disabled = -1;
    g_strlcpy(made->facts.limits.release, "6.18.0", sizeof(made->facts.limits.release));
    made->strings = g_string_chunk_new(256);
    made->taps = g_ptr_array_new_with_free_func(g_free);
    zc_findings_init(&made->report, made->strings, made->taps);
}

static inline void made_up_clear(struct made_up *made)
{
    zc_findings_clear(&made->report);
    g_ptr_array_unref(made->taps);
    g_string_chunk_free(made->strings);
    zc_facts_clear(&made->facts);
}

/* A device that is up, with every feature on.  The pointer holds until the next is added. */
static inline struct zc_link *made_up_link(struct made_up *made, int ifindex, const char *name,
                                           const char *kind)
{
    struct zc_link link = {
        .ifindex = ifindex, .up = true, .sg = ZC_YES, .tx_csum = ZC_YES, .tso = ZC_YES
    };

    g_strlcpy(link.name, name, sizeof(link.name));
    g_strlcpy(link.kind, kind, sizeof(link.kind));
    g_array_append_val(made->facts.links, link);
    return &g_array_index(made->facts.links, struct zc_link, made->facts.links->len - 1);
}

/* A running ETH_P_ALL tap of dhclient, PID 412, whose options could be read. */
static inline struct zc_tap *made_up_tap(struct made_up *made, int ifindex)
{
    struct zc_tap tap = { .inode = 4711,
                          .protocol = 3,
                          .ifindex = ifindex,
                          .running = true,
                          .own_netns = true,
                          .ignores_outgoing = ZC_NO };
    struct zc_owner owner = { .pid = 412, .process = "dhclient" };

    g_strlcpy(tap.interface, ifindex ? "eth0" : "any", sizeof(tap.interface));
    g_strlcpy(tap.user, "root", sizeof(tap.user));
    tap.owners = g_array_new(FALSE, TRUE, sizeof(struct zc_owner));
    g_array_append_val(tap.owners, owner);
    g_array_append_val(made->facts.taps, tap);
    return &g_array_index(made->facts.taps, struct zc_tap, made->facts.taps->len - 1);
}

/* Judges the path that leaves by @ifindex anew. */
static inline enum zcmig_verdict made_up_judge(struct made_up *made, int ifindex)
{
    g_array_set_size(made->report.findings, 0);
    zc_rules_path(&made->report, &made->facts, NULL, ifindex, ZC_FAMILY_TCP4);
    return zc_findings_verdict(&made->report);
}

/* The first finding of that cause, or NULL. */
static inline const struct zcmig_finding *made_up_finding(struct made_up *made, const char *cause)
{
    for (guint i = 0; i < made->report.findings->len; i++) {
        const struct zcmig_finding *finding =
            &g_array_index(made->report.findings, struct zcmig_finding, i);
        if (strcmp(finding->cause, cause) == 0) {
            return finding;
        }
    }
    return NULL;
}

/* Fails unless there is one of that cause and effect; returns it. */
static inline const struct zcmig_finding *made_up_expect(struct made_up *made, const char *cause,
                                                         enum zcmig_effect effect)
{
    const struct zcmig_finding *finding = made_up_finding(made, cause);

    ck_assert_msg(finding != NULL, "no finding '%s'", cause);
    ck_assert_msg(finding->effect == effect, "'%s' is '%s', expected '%s'", cause,
                  zcmig_effect_name(finding->effect), zcmig_effect_name(effect));
    return finding;
}

#endif
