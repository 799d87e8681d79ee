/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: what a veth sends, its peer receives at once; whether that copies is
 * decided by who takes it there.  The network layer makes a copy of user pages
 * before it gets a packet, and so does a packet tap on the peer.  A receive
 * handler comes before that: a bridge forwards the very pages to its other
 * ports, and a macvtap queues them for the process that reads it.
 *
 *     peer is                 packets are
 *     a port of a bridge      copied for the bridge's host and what it routes, else what the other
 *                             ports do
 *     below a macvtap that    not copied
 *     takes everything
 *     anything else           copied
 */
#include "config.h"

#include <string.h>

#include "doctor/rule-device.h"

static void say_copies(struct zc_findings *report, const struct zc_link *link, const char *why)
{
    struct zcmig_finding *finding =
        zc_findings_add(report, ZCMIG_EFFECT_COPIES, "device-kind", link->name);

    finding->summary =
        zc_findings_text(report, "%s is a veth device, whose peer receives at once", link->name);
    finding->evidence =
        zc_findings_text(report, "link kind veth: %s, and the receive path copies user pages", why);
    finding->remedy = "give the sender a macvlan or ipvlan on the real device, or bridge the peer "
                      "with it; plain copy is cheaper than zero-copy here";
}

static void say_hidden(struct zc_findings *report, const struct zc_link *link)
{
    struct zcmig_finding *finding = zc_rules_device_unknown(
        report, "peer-hidden", link->name,
        zc_findings_text(report,
                         "%s is a veth device, whose peer is in a network namespace that cannot be "
                         "seen",
                         link->name),
        zc_findings_text(report,
                         "link kind veth, the peer has index %d there; packets are copied unless a "
                         "bridge or a macvtap takes them",
                         link->lower_ifindex));

    finding->remedy = "--probe finds out";
    finding->missing_right = ZC_RIGHT_OTHER_NETNS;
}

static const struct zc_link *find_macvtap(const struct zc_space *space, const struct zc_link *peer)
{
    for (guint i = 0; i < space->links->len; i++) {
        const struct zc_link *upper = &g_array_index(space->links, struct zc_link, i);
        if (strcmp(upper->kind, "macvtap") == 0 && !upper->lower_elsewhere &&
            upper->lower_ifindex == peer->ifindex) {
            return upper;
        }
    }
    return NULL;
}

static void judge_macvtap(struct zc_findings *report, const struct zc_link *link,
                          const struct zc_link *macvtap)
{
    struct zcmig_finding *finding =
        zc_findings_add(report, macvtap->passthru ? ZCMIG_EFFECT_NOTE : ZCMIG_EFFECT_UNKNOWN,
                        "macvtap-peer", link->name);

    finding->summary = zc_findings_text(report, "what %s sends is queued for the process behind %s",
                                        link->name, macvtap->name);
    finding->evidence =
        macvtap->passthru
            ? "macvtap in mode passthru on the veth's peer: it takes every packet before the "
              "receive path would copy it"
            : "macvtap on the veth's peer takes the packets that are for it; others are copied";
    finding->remedy = macvtap->passthru ? "" : "--probe finds out";
}

/* A packet goes by another port, or up to the bridge's own host. */
static void judge_bridge(struct zc_findings *report, const struct zc_facts *facts,
                         const struct zc_space *space, const struct zc_link *link,
                         const struct zc_link *peer, const struct zc_link *bridge,
                         unsigned int depth)
{
    struct zc_findings ports;

    zc_findings_init(&ports, report->strings, report->taps);
    enum zcmig_verdict verdict =
        zc_rules_device_ports(&ports, facts, space, bridge, peer, depth + 1);
    bool copies = verdict == ZCMIG_VERDICT_COPIES;
    zc_findings_merge(report, &ports, copies ? ZCMIG_EFFECT_COPIES : ZCMIG_EFFECT_UNKNOWN);
    zc_findings_clear(&ports);
    if (copies) {
        return; /* and so does the bridge's host */
    }
    zc_rules_device_unknown(
        report, "bridged-peer", link->name,
        zc_findings_text(report, "what %s sends goes into bridge %s", link->name, bridge->name),
        "packets for the bridge's own host, and those that it routes on, are copied; those that "
        "leave by another port are what that port makes of them")
        ->remedy = "--probe finds out";
}

static void judge_peer(struct zc_findings *report, const struct zc_facts *facts,
                       const struct zc_space *space, const struct zc_link *link,
                       const struct zc_link *peer, unsigned int depth)
{
    const struct zc_link *master = zc_links_find(space->links, peer->master_ifindex);
    const struct zc_link *macvtap = find_macvtap(space, peer);

    if (master && strcmp(master->kind, "bridge") == 0) {
        judge_bridge(report, facts, space, link, peer, master, depth);
    } else if (master) {
        zc_rules_device_unknown(
            report, "device-kind", link->name,
            zc_findings_text(report, "what %s sends goes into %s, a %s device", link->name,
                             master->name, master->kind),
            zc_findings_text(report, "the veth's peer %s has it as master", peer->name))
            ->remedy = "--probe finds out";
    } else if (macvtap) {
        judge_macvtap(report, link, macvtap);
    } else {
        say_copies(report, link,
                   zc_findings_text(report, "its peer %s is not a port of anything", peer->name));
    }
}

void zc_rules_peer(struct zc_findings *report, const struct zc_facts *facts,
                   const struct zc_space *space, const struct zc_link *link, unsigned int depth)
{
    const struct zc_space *there;
    const struct zc_link *peer = zc_rules_device_lower(facts, space, link, &there);

    if (!peer || depth >= ZC_DEVICE_DEPTH_MAX) {
        say_hidden(report, link);
        return;
    }
    judge_peer(report, facts, there, link, peer, depth);
    zc_rules_taps_receiving(report, facts, there->nsid < 0 ? 0 : there->netns, peer);
    if (there != space) {
        zc_rules_taps_unbound_in(report, facts, there->netns);
    }
}
