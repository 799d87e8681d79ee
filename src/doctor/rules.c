/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>

#include "doctor/rules.h"

static const char *const family_names[ZC_FAMILIES] = {
    [ZC_FAMILY_TCP4] = "TCP over IPv4", [ZC_FAMILY_TCP6] = "TCP over IPv6", [ZC_FAMILY_UDP] = "UDP",
    [ZC_FAMILY_VSOCK] = "AF_VSOCK",     [ZC_FAMILY_UNIX] = "AF_UNIX",
};

void zc_rules_family(struct zc_findings *report, const struct zc_facts *facts,
                     enum zc_family family)
{
    int saved_errno = facts->zerocopy_errno[family];

    if (saved_errno == 0) {
        return;
    }
    bool refused = saved_errno == EOPNOTSUPP || saved_errno == ENOPROTOOPT;
    struct zcmig_finding *finding = zc_findings_add(
        report, refused ? ZCMIG_EFFECT_COPIES : ZCMIG_EFFECT_UNKNOWN, "socket-family", "");
    finding->summary =
        zc_findings_text(report, refused ? "%s has no zero-copy here" : "%s cannot be tried here",
                         family_names[family]);
    finding->evidence = zc_findings_text(report, "SO_ZEROCOPY on a socket of the family: %s (%s)",
                                         g_strerror(saved_errno), facts->limits.release);
    if (family == ZC_FAMILY_VSOCK && refused) {
        finding->remedy = "AF_VSOCK has zero-copy since Linux 6.7";
    } else if (family == ZC_FAMILY_UNIX) {
        finding->remedy = "plain copy is the fastest that a UNIX socket can do";
    }
}

/* What this kernel has, as it was tried. */
static void say_features(struct zc_findings *report, const struct zc_facts *facts)
{
    const struct zc_uring *uring = &facts->uring;
    g_autoptr(GString) has = g_string_new(NULL);
    g_autoptr(GString) lacks = g_string_new(NULL);

    for (int family = 0; family < ZC_FAMILIES; family++) {
        int saved_errno = facts->zerocopy_errno[family];
        GString *list = saved_errno == 0 ? has : lacks;
        g_string_append_printf(list, "%s%s", list->len ? ", " : "", family_names[family]);
        if (saved_errno != 0) {
            g_string_append_printf(list, " (%s)", g_strerror(saved_errno));
        }
    }
    struct zcmig_finding *finding =
        zc_findings_add(report, ZCMIG_EFFECT_NOTE, "kernel-features", "");
    finding->summary = zc_findings_text(report, "this kernel has zero-copy for %s",
                                        has->len ? has->str : "nothing");
    finding->evidence = zc_findings_text(
        report, "SO_ZEROCOPY was tried (%s)%s%s; io_uring: %s", facts->limits.release,
        lacks->len ? "; not for " : "", lacks->str,
        uring->saved_errno == ENOTSUP ? "not tried, this zcmig was built without liburing"
        : uring->saved_errno != 0     ? g_strerror(uring->saved_errno)
        : !uring->sendmsg_zc          ? "no SENDMSG_ZC"
        : uring->tells_usage          ? "SENDMSG_ZC, which tells whether it copied"
                                      : "SENDMSG_ZC, which does not tell whether it copied");
}

static void say_loopback(struct zc_findings *report, const char *device, const char *evidence)
{
    struct zcmig_finding *finding =
        zc_findings_add(report, ZCMIG_EFFECT_COPIES, "loopback", device);

    finding->summary = "packets stay on this host, and the receive path copies user pages";
    finding->evidence = evidence;
    finding->remedy = "send by copy: over loopback that is cheaper than zero-copy";
}

void zc_rules_path(struct zc_findings *report, const struct zc_facts *facts,
                   const struct zc_route *route, int ifindex, enum zc_family family)
{
    const struct zc_link *link = zc_facts_find_link(facts, ifindex);
    uint64_t bandwidth = facts->bandwidth;

    if (route && route->local) {
        say_loopback(report, link ? link->name : "",
                     zc_findings_text(report, "the route to %s is of type local", route->address));
    } else if (!link) {
        struct zcmig_finding *finding =
            zc_findings_add(report, ZCMIG_EFFECT_UNKNOWN, "device-gone", "");
        finding->summary = zc_findings_text(report, "there is no device of index %d", ifindex);
    } else if (link->loopback) {
        say_loopback(report, link->name, "the device has the flag LOOPBACK");
    } else {
        zc_rules_device(report, facts, link);
        zc_rules_taps_unbound(report, facts);
        bandwidth = bandwidth ? bandwidth : link->speed_bytes_s;
    }
    zc_rules_family(report, facts, family);
    zc_rules_limits(report, facts, bandwidth);
    say_features(report, facts);
    zc_rules_burst(report, &facts->burst);
}
