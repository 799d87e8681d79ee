/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the kernel's word about real calls against what the rules concluded
 * from the system's state.
 *
 *     rules     kernel copied     verdict
 *     works     none              works, agreed
 *     works     some or all       copies: nothing that was seen explains it
 *     copies    some or all       copies, agreed
 *     copies    none              works: the findings are false alarms here and lose their effect,
 *                                 but for causes with which the kernel's flag lies
 *     unknown   either            the kernel decides
 *
 * The flag lies with scatter-gather off: TCP builds its packets of user pages
 * all the same, software segmentation copies them, and the original is freed as
 * if it had been sent.  It lies where packets stay on this host, too: whatever
 * makes the receive path say "not copied" there (generic XDP does) has made a
 * copy of its own.
 */
#include "config.h"

#include <string.h>

#include "base/size.h"
#include "doctor/rules.h"

static bool flag_lies_about(const struct zcmig_finding *finding)
{
    return finding->effect == ZCMIG_EFFECT_COPIES &&
           (strcmp(finding->cause, "scatter-gather-off") == 0 ||
            strcmp(finding->cause, "loopback") == 0);
}

static const struct zcmig_finding *find_liar(const struct zc_findings *report)
{
    for (guint i = 0; i < report->findings->len; i++) {
        const struct zcmig_finding *finding =
            &g_array_index(report->findings, struct zcmig_finding, i);
        if (flag_lies_about(finding)) {
            return finding;
        }
    }
    return NULL;
}

/* Nothing that was said to copy does so on this path. */
static void take_effects_back(struct zc_findings *report)
{
    for (guint i = 0; i < report->findings->len; i++) {
        struct zcmig_finding *finding = &g_array_index(report->findings, struct zcmig_finding, i);
        if (finding->effect >= ZCMIG_EFFECT_UNKNOWN) {
            finding->effect = ZCMIG_EFFECT_NOTE;
            finding->evidence =
                zc_findings_text(report, "%s; the probe shows that it does not copy on this path",
                                 finding->evidence);
        }
    }
}

/* "all 64 calls", "none of 64 calls", "12 to 20 of 64 calls" */
static const char *copied_text(struct zc_findings *report, const struct zc_burst *burst)
{
    unsigned long min = burst->copied_min, max = burst->copied_max, all = burst->completed;

    if (max == 0) {
        return zc_findings_text(report, "none of %lu calls", all);
    }
    if (min == all) {
        return zc_findings_text(report, "all %lu calls", all);
    }
    return min == max ? zc_findings_text(report, "%lu of %lu calls", min, all)
                      : zc_findings_text(report, "%lu to %lu of %lu calls", min, max, all);
}

static const char *evidence(struct zc_findings *report, const struct zc_burst *burst)
{
    g_autofree char *sent = zc_size_format(burst->sent_bytes);

    return zc_findings_text(report,
                            "%s sent in %" G_GUINT64_FORMAT " zero-copy and %" G_GUINT64_FORMAT
                            " plain calls%s%s",
                            sent, burst->calls, burst->plain_calls, burst->trouble ? "; " : "",
                            burst->trouble ? burst->trouble : "");
}

/* There is not a single note to go by. */
static void say_no_answer(struct zc_findings *report, const struct zc_burst *burst)
{
    bool refused = burst->plain_calls > 0 && burst->calls == 0;
    struct zcmig_finding *finding =
        zc_findings_add(report, refused ? ZCMIG_EFFECT_COPIES : ZCMIG_EFFECT_UNKNOWN, "probe", "");

    if (refused) {
        finding->summary =
            zc_findings_text(report, "the probe sent by copy: %s",
                             *burst->reason ? burst->reason : "the kernel took no zero-copy call");
        finding->evidence = evidence(report, burst);
        return;
    }
    finding->summary = zc_findings_text(report, "the probe got no answer: %s",
                                        burst->trouble ? burst->trouble : "no call was noted");
    finding->evidence = burst->sent_bytes > 0 ? evidence(report, burst) : "";
    finding->remedy = "DEST must read and throw away: a discard service (TCP port 9), or there "
                      "'zcmig bench --sink=tcp:HOST:PORT'";
}

static void say_copied(struct zc_findings *report, const struct zc_burst *burst,
                       enum zcmig_verdict rules)
{
    struct zcmig_finding *finding = zc_findings_add(report, ZCMIG_EFFECT_COPIES, "probe", "");

    finding->evidence = evidence(report, burst);
    if (rules == ZCMIG_VERDICT_COPIES) {
        finding->summary = zc_findings_text(report, "the probe agrees: the kernel copied %s",
                                            copied_text(report, burst));
        return;
    }
    finding->summary = zc_findings_text(
        report, "the probe %s: the kernel copied %s%s",
        rules == ZCMIG_VERDICT_WORKS ? "contradicts" : "decides", copied_text(report, burst),
        rules == ZCMIG_VERDICT_WORKS ? ", and nothing that was seen explains it" : "");
    finding->remedy = "zcmig doctor --trace shows, as root, which kernel path copies";
}

static void say_not_copied(struct zc_findings *report, const struct zc_burst *burst,
                           enum zcmig_verdict rules)
{
    const struct zcmig_finding *liar = find_liar(report);
    const char *cause = liar ? liar->cause : "";
    const char *copied = copied_text(report, burst);

    if (!liar) {
        take_effects_back(report);
    }
    struct zcmig_finding *finding = zc_findings_add(report, ZCMIG_EFFECT_NOTE, "probe", "");
    finding->evidence = evidence(report, burst);
    if (liar) {
        finding->summary = zc_findings_text(
            report, "the kernel's notes say that it copied %s; of the others that is not believed",
            copied);
        finding->evidence = zc_findings_text(
            report, "%s; %s", finding->evidence,
            strcmp(cause, "loopback") == 0
                ? "packets to this host are copied on the receive path even where the flag is clear"
                : "with scatter-gather off, segments are copied and the original is freed as if it "
                  "had been sent, so the flag is clear");
        return;
    }
    finding->summary = zc_findings_text(report, "the probe %s: the kernel copied %s",
                                        rules == ZCMIG_VERDICT_WORKS    ? "agrees"
                                        : rules == ZCMIG_VERDICT_COPIES ? "contradicts"
                                                                        : "decides",
                                        copied);
}

void zc_rules_burst(struct zc_findings *report, const struct zc_burst *burst)
{
    enum zcmig_verdict rules = zc_findings_verdict(report);

    if (!burst->tried) {
        return;
    }
    bool all_open = burst->copied_min == 0 && burst->copied_max == burst->completed;
    if (all_open) { /* also when no call was noted */
        say_no_answer(report, burst);
    } else if (burst->copied_min == burst->completed ||
               (burst->copied_min > 0 && !find_liar(report))) {
        say_copied(report, burst, rules);
    } else {
        say_not_copied(report, burst, rules);
    }
}
