/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a path is a tree.  vlan, macvlan and ipvlan hand every packet to one
 * lower device; bridge, bond and team hand it to one of several.  Each node is
 * judged by its own features and taps, and a node with several ports is worth
 * what its ports agree on; where they differ, the answer is "unknown", with
 * the ports named, since which one a packet takes is decided per packet.
 *
 * The sources of the rows: the kernel's transmit paths, and measurements on
 * 6.1, 6.12 and 6.18 (docs/zero-copy.md).
 */
#include "config.h"

#include <string.h>

#include "doctor/rules.h"

#define DEPTH_MAX 8 /* the kernel's own limit on stacked devices (MAX_NEST_DEV) */

enum nature {
    NATURE_SENDS, /* hardware, or a sink: the features decide */
    NATURE_COPIES,
    NATURE_LOWER, /* hands over to IFLA_LINK */
    NATURE_PORTS, /* hands over to one of those that have it as master */
    NATURE_UNKNOWN,
};

static const struct {
    const char *kind;
    enum nature nature;
    const char *why;
} kinds[] = {
    { "", NATURE_SENDS, "" },
    { "dummy", NATURE_SENDS, "" },
    { "ifb", NATURE_SENDS, "" },
    { "nlmon", NATURE_SENDS, "" },
    { "netdevsim", NATURE_SENDS, "" },
    { "veth", NATURE_COPIES,
      "its peer receives each packet at once, and the receive path copies user pages (only with a "
      "macvtap on the peer it does not)" },
    { "netkit", NATURE_COPIES,
      "its peer receives each packet at once, and the receive path copies user pages" },
    { "tun", NATURE_COPIES,
      "a process reads the frames, and the tun driver copies user pages before it queues them" },
    { "vlan", NATURE_LOWER, "" },
    { "macvlan", NATURE_LOWER, "" },
    { "macvtap", NATURE_LOWER, "" },
    { "ipvlan", NATURE_LOWER, "" },
    { "ipvtap", NATURE_LOWER, "" },
    { "bridge", NATURE_PORTS, "" },
    { "bond", NATURE_PORTS, "" },
    { "team", NATURE_PORTS, "" },
};

static enum nature nature_of(const struct zc_link *link, const char **why_out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(link->kind, kinds[i].kind) == 0) {
            *why_out = kinds[i].why;
            return kinds[i].nature;
        }
    }
    *why_out = "";
    return NATURE_UNKNOWN;
}

static void judge(struct zc_findings *report, const struct zc_facts *facts,
                  const struct zc_link *link, unsigned int depth);

static void say_feature(struct zc_findings *report, const struct zc_link *link,
                        enum zc_answer feature, const char *cause, const char *name,
                        const char *switch_name, const char *why)
{
    if (feature == ZC_YES) {
        return;
    }
    struct zcmig_finding *finding = zc_findings_add(
        report, feature == ZC_NO ? ZCMIG_EFFECT_COPIES : ZCMIG_EFFECT_UNKNOWN, cause, link->name);
    if (feature == ZC_UNKNOWN) {
        finding->summary = zc_findings_text(report, "%s of %s cannot be read", name, link->name);
        finding->evidence = "SIOCETHTOOL gave no answer";
        return;
    }
    finding->summary = zc_findings_text(report, "%s is off on %s", name, link->name);
    finding->evidence =
        zc_findings_text(report, "ethtool -k %s: %s: off; %s", link->name, switch_name, why);
    finding->remedy = zc_findings_text(report, "ethtool -K %s %s on", link->name,
                                       strcmp(switch_name, "scatter-gather") == 0 ? "sg" : "tx");
}

static void say_features(struct zc_findings *report, const struct zc_link *link)
{
    say_feature(report, link, link->sg, "scatter-gather-off", "scatter-gather", "scatter-gather",
                "packets are made linear, that is copied, before the device gets them; the "
                "kernel's own notifications may deny it");
    say_feature(report, link, link->tx_csum, "tx-checksum-off", "transmit checksum offload",
                "tx-checksumming",
                "the kernel reads every byte to compute the checksum, and copies it on the way");
    if (link->tso == ZC_NO && link->sg == ZC_YES && link->tx_csum == ZC_YES) {
        struct zcmig_finding *finding =
            zc_findings_add(report, ZCMIG_EFFECT_NOTE, "tso-off", link->name);
        finding->summary =
            zc_findings_text(report, "segmentation offload is off on %s", link->name);
        finding->evidence = zc_findings_text(
            report,
            "ethtool -k %s: tcp-segmentation-offload: off; nothing is copied, but every "
            "segment costs a pass through the stack",
            link->name);
        finding->remedy = zc_findings_text(report, "ethtool -K %s tso on", link->name);
    }
}

static void judge_copies(struct zc_findings *report, const struct zc_link *link, const char *why)
{
    struct zcmig_finding *finding =
        zc_findings_add(report, ZCMIG_EFFECT_COPIES, "device-kind", link->name);

    finding->summary = zc_findings_text(report, "%s is a %s device, which copies by nature",
                                        link->name, link->kind);
    finding->evidence = zc_findings_text(report, "link kind %s: %s", link->kind, why);
    finding->remedy = strcmp(link->kind, "veth") == 0
                          ? "give the sender a macvlan or ipvlan on the real device instead; plain "
                            "copy is cheaper than zero-copy here"
                          : "send by the real device; plain copy is cheaper than zero-copy here";
}

static void judge_unknown(struct zc_findings *report, const char *cause, const char *device,
                          const char *summary, const char *evidence, const char *remedy)
{
    struct zcmig_finding *finding = zc_findings_add(report, ZCMIG_EFFECT_UNKNOWN, cause, device);

    finding->summary = summary;
    finding->evidence = evidence;
    finding->remedy = remedy;
}

/* The one way of a packet through these that does not reach the device below. */
static void say_siblings(struct zc_findings *report, const struct zc_link *link)
{
    if (!g_str_has_prefix(link->kind, "macv") && !g_str_has_prefix(link->kind, "ipv")) {
        return;
    }
    struct zcmig_finding *finding =
        zc_findings_add(report, ZCMIG_EFFECT_NOTE, "siblings-copy", link->name);
    finding->summary = zc_findings_text(
        report, "this does not hold for destinations that share the device below %s", link->name);
    finding->evidence = zc_findings_text(
        report,
        "link kind %s: packets to another %s of the same device stay on this host, and the "
        "receive path copies user pages",
        link->kind, link->kind);
}

static void judge_lower(struct zc_findings *report, const struct zc_facts *facts,
                        const struct zc_link *link, unsigned int depth)
{
    const struct zc_link *lower =
        link->lower_elsewhere ? NULL : zc_facts_find_link(facts, link->lower_ifindex);

    if (lower && depth < DEPTH_MAX) {
        say_siblings(report, link);
        judge(report, facts, lower, depth + 1);
        return;
    }
    judge_unknown(
        report, "lower-device-hidden", link->name,
        zc_findings_text(report, "the device below %s is in another network namespace", link->name),
        zc_findings_text(report, "link kind %s, lower device has index %d there", link->kind,
                         link->lower_ifindex),
        "run zcmig doctor there too: its features and packet taps decide");
}

static void judge_ports(struct zc_findings *report, const struct zc_facts *facts,
                        const struct zc_link *link, unsigned int depth)
{
    g_autoptr(GString) tally = g_string_new(NULL);
    unsigned int n_verdicts[3] = { 0 };
    struct zc_findings ports;

    zc_findings_init(&ports, report->strings, report->taps);
    for (guint i = 0; i < facts->links->len && depth < DEPTH_MAX; i++) {
        const struct zc_link *port = &g_array_index(facts->links, struct zc_link, i);
        struct zc_findings one;
        if (port->master_ifindex != link->ifindex || !port->up) {
            continue;
        }
        zc_findings_init(&one, report->strings, report->taps);
        judge(&one, facts, port, depth + 1);
        enum zcmig_verdict verdict = zc_findings_verdict(&one);
        n_verdicts[verdict]++;
        g_string_append_printf(tally, "%s%s %s", tally->len ? ", " : "", port->name,
                               zcmig_verdict_name(verdict));
        zc_findings_merge(&ports, &one, ZCMIG_EFFECT_COPIES);
        zc_findings_clear(&one);
    }
    unsigned int n_ports = n_verdicts[0] + n_verdicts[1] + n_verdicts[2];
    bool agree =
        n_verdicts[ZCMIG_VERDICT_COPIES] == 0 || n_verdicts[ZCMIG_VERDICT_COPIES] == n_ports;
    zc_findings_merge(report, &ports, agree ? ZCMIG_EFFECT_COPIES : ZCMIG_EFFECT_UNKNOWN);
    zc_findings_clear(&ports);
    if (n_ports == 0) {
        judge_unknown(
            report, "no-port", link->name,
            zc_findings_text(report, "%s has no port that is up", link->name),
            zc_findings_text(report, "link kind %s, no device has it as master", link->kind), "");
    } else if (!agree) {
        judge_unknown(
            report, "ports-differ", link->name,
            zc_findings_text(report, "the ports of %s differ: %s", link->name, tally->str),
            "which port a packet leaves by is decided packet by packet",
            "name the port that leads to the destination and look at that one only");
    }
}

/* Appends what @link and everything below it do to a packet. */
static void judge(struct zc_findings *report, const struct zc_facts *facts,
                  const struct zc_link *link, unsigned int depth)
{
    const char *why;
    enum nature nature = nature_of(link, &why);

    if (nature == NATURE_COPIES) {
        judge_copies(report, link, why);
    } else {
        say_features(report, link);
    }
    zc_rules_taps_on(report, facts, link);
    switch (nature) {
    case NATURE_LOWER:
        judge_lower(report, facts, link, depth);
        break;
    case NATURE_PORTS:
        judge_ports(report, facts, link, depth);
        break;
    case NATURE_UNKNOWN:
        judge_unknown(report, "device-kind", link->name,
                      zc_findings_text(report, "nothing is known about %s devices such as %s",
                                       link->kind, link->name),
                      zc_findings_text(report, "link kind %s", link->kind), "");
        break;
    case NATURE_SENDS:
    case NATURE_COPIES:
        break;
    }
}

void zc_rules_device(struct zc_findings *report, const struct zc_facts *facts,
                     const struct zc_link *link)
{
    judge(report, facts, link, 0);
}
