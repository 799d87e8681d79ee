/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a path is a tree.  vlan, macvlan and ipvlan hand every packet to one
 * lower device; bridge, bond and team hand it to one of several; veth hands it to
 * its peer (rule-peer.c).  Each node is judged by its own features and taps, and a
 * node with several ports is worth what its ports agree on; where they differ,
 * the answer is "unknown", with the ports named, since which one a packet takes
 * is decided per packet.  The tree may grow into another network namespace.
 *
 * The sources of the rows: the kernel's transmit paths, and measurements on
 * 6.1, 6.12 and 6.18 (docs/doctor.md).
 */
#include "config.h"

#include <string.h>

#include "doctor/rule-device.h"

enum nature {
    NATURE_SENDS, /* hardware, or a sink: the features decide */
    NATURE_COPIES,
    NATURE_LOWER, /* hands over to IFLA_LINK */
    NATURE_PORTS, /* hands over to one of those that have it as master */
    NATURE_PEER,  /* hands over to the other end of the pair */
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
    { "veth", NATURE_PEER, "" },
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
    finding->remedy = "send by the real device; plain copy is cheaper than zero-copy here";
}

struct zcmig_finding *zc_rules_device_unknown(struct zc_findings *report, const char *cause,
                                              const char *device, const char *summary,
                                              const char *evidence)
{
    struct zcmig_finding *finding = zc_findings_add(report, ZCMIG_EFFECT_UNKNOWN, cause, device);

    finding->summary = summary;
    finding->evidence = evidence;
    return finding;
}

void zc_rules_device_elsewhere(struct zc_findings *report, const struct zc_facts *facts,
                               const struct zc_space *space, const struct zc_link *link,
                               unsigned int depth)
{
    guint first = report->findings->len;

    zc_rules_device_judge(report, facts, space, link, depth);
    zc_rules_taps_unbound_in(report, facts, space->netns);
    for (guint i = first; i < report->findings->len; i++) {
        struct zcmig_finding *finding = &g_array_index(report->findings, struct zcmig_finding, i);
        if (!finding->tap) { /* whose evidence names the namespace */
            finding->evidence =
                zc_findings_text(report, "%s; in network namespace %" G_GUINT64_FORMAT,
                                 finding->evidence, space->netns);
        }
    }
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

const struct zc_link *zc_rules_device_lower(const struct zc_facts *facts,
                                            const struct zc_space *space,
                                            const struct zc_link *link,
                                            const struct zc_space **lower_space_out)
{
    const struct zc_space *there = space;

    /* Other namespaces number the namespaces that they lead into on their own. */
    if (link->lower_elsewhere) {
        there = space->nsid < 0 ? zc_facts_find_space(facts, link->lower_nsid) : NULL;
    }
    *lower_space_out = there;
    return there ? zc_links_find(there->links, link->lower_ifindex) : NULL;
}

static void judge_lower(struct zc_findings *report, const struct zc_facts *facts,
                        const struct zc_space *space, const struct zc_link *link,
                        unsigned int depth)
{
    const struct zc_space *there;
    const struct zc_link *lower = zc_rules_device_lower(facts, space, link, &there);

    if (lower && depth < ZC_DEVICE_DEPTH_MAX) {
        say_siblings(report, link);
        if (there == space) {
            zc_rules_device_judge(report, facts, space, lower, depth + 1);
        } else {
            zc_rules_device_elsewhere(report, facts, there, lower, depth + 1);
        }
        return;
    }
    struct zcmig_finding *finding = zc_rules_device_unknown(
        report, "lower-device-hidden", link->name,
        zc_findings_text(report,
                         "the device below %s is in a network namespace that cannot be seen",
                         link->name),
        zc_findings_text(report, "link kind %s, lower device has index %d there", link->kind,
                         link->lower_ifindex));
    finding->remedy = "run zcmig doctor there too: its features and packet taps decide; or --probe";
    finding->missing_right = ZC_RIGHT_OTHER_NETNS;
}

enum zcmig_verdict zc_rules_device_ports(struct zc_findings *report, const struct zc_facts *facts,
                                         const struct zc_space *space, const struct zc_link *link,
                                         const struct zc_link *except, unsigned int depth)
{
    g_autoptr(GString) tally = g_string_new(NULL);
    unsigned int n_verdicts[3] = { 0 };
    struct zc_findings ports;

    zc_findings_init(&ports, report->strings, report->taps);
    for (guint i = 0; i < space->links->len && depth < ZC_DEVICE_DEPTH_MAX; i++) {
        const struct zc_link *port = &g_array_index(space->links, struct zc_link, i);
        struct zc_findings one;
        if (port->master_ifindex != link->ifindex || !port->up || port == except) {
            continue;
        }
        zc_findings_init(&one, report->strings, report->taps);
        zc_rules_device_judge(&one, facts, space, port, depth + 1);
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
        zc_rules_device_unknown(report, "no-port", link->name,
                                zc_findings_text(report, "%s has no%s port that is up", link->name,
                                                 except ? " other" : ""),
                                zc_findings_text(report,
                                                 "link kind %s, no%s device has it as master",
                                                 link->kind, except ? " other" : ""));
        return ZCMIG_VERDICT_UNKNOWN;
    }
    if (!agree) {
        zc_rules_device_unknown(
            report, "ports-differ", link->name,
            zc_findings_text(report, "the ports of %s differ: %s", link->name, tally->str),
            "which port a packet leaves by is decided packet by packet")
            ->remedy = "look at the port that leads to the destination only, or --probe";
        return ZCMIG_VERDICT_UNKNOWN;
    }
    return n_verdicts[ZCMIG_VERDICT_COPIES]    ? ZCMIG_VERDICT_COPIES
           : n_verdicts[ZCMIG_VERDICT_UNKNOWN] ? ZCMIG_VERDICT_UNKNOWN
                                               : ZCMIG_VERDICT_WORKS;
}

void zc_rules_device_judge(struct zc_findings *report, const struct zc_facts *facts,
                           const struct zc_space *space, const struct zc_link *link,
                           unsigned int depth)
{
    const char *why;
    enum nature nature = nature_of(link, &why);

    if (nature == NATURE_COPIES) {
        judge_copies(report, link, why);
    } else {
        say_features(report, link);
    }
    zc_rules_taps_on(report, facts, space->nsid < 0 ? 0 : space->netns, link);
    switch (nature) {
    case NATURE_LOWER:
        judge_lower(report, facts, space, link, depth);
        break;
    case NATURE_PORTS:
        zc_rules_device_ports(report, facts, space, link, NULL, depth);
        break;
    case NATURE_PEER:
        zc_rules_peer(report, facts, space, link, depth);
        break;
    case NATURE_UNKNOWN:
        zc_rules_device_unknown(report, "device-kind", link->name,
                                zc_findings_text(report,
                                                 "nothing is known about %s devices such as %s",
                                                 link->kind, link->name),
                                zc_findings_text(report, "link kind %s", link->kind))
            ->remedy = "--probe finds out";
        break;
    case NATURE_SENDS:
    case NATURE_COPIES:
        break;
    }
}

void zc_rules_device(struct zc_findings *report, const struct zc_facts *facts,
                     const struct zc_link *link)
{
    const struct zc_space own = { .nsid = -1, .links = facts->links };

    zc_rules_device_judge(report, facts, &own, link, 0);
}
