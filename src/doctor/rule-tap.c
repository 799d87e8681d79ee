/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a socket of AF_PACKET with protocol ETH_P_ALL gets a clone of every
 * outgoing packet (dev_queue_xmit_nit), and to clone a zero-copy packet the
 * kernel copies its user pages first.  That happens before the socket's filter
 * runs.  A socket for one protocol sees incoming packets only; one with
 * PACKET_IGNORE_OUTGOING is passed over.
 *
 * A tap that is bound to no device hooks into a list that was one for the
 * whole machine until about Linux 6.18 and is one per network namespace since.
 * Which it is here is asked of the kernel itself (oracle.h), not of its version.
 */
#include "config.h"

#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "doctor/rules.h"

static const struct {
    const char *process;
    const char *what;
    const char *remedy;
} culprits[] = {
    { "dhclient", "a DHCP client that keeps its raw socket open for as long as it lives",
      "use systemd-networkd or NetworkManager's own client, which listen to one protocol, or a "
      "static address, on the interface that migration uses" },
    { "lldpd", "an LLDP daemon; before 1.0.20 its PACKET_IGNORE_OUTGOING was compiled out",
      "upgrade to lldpd 1.0.20 or later, or keep it off the interface (configure system interface "
      "pattern)" },
    { "tcpdump", "a packet capture", "stop it, or have it capture on another interface" },
    { "dumpcap", "a packet capture (Wireshark, tshark)",
      "stop it, or have it capture on another interface" },
    { "suricata", "an intrusion detector", "run it on a mirror port or on another interface" },
};

static const char tap_remedy[] =
    "stop it, bind it to another interface or to one protocol, or have it set "
    "PACKET_IGNORE_OUTGOING; a BPF filter does not help: the copy is made before it runs";

static bool sees_outgoing(const struct zc_tap *tap)
{
    return tap->protocol == ETH_P_ALL && tap->running;
}

/* What a tap does that sees what is sent, as far as its own options tell. */
static enum zcmig_effect effect_of(const struct zc_tap *tap)
{
    return tap->ignores_outgoing == ZC_UNKNOWN ? ZCMIG_EFFECT_UNKNOWN : ZCMIG_EFFECT_COPIES;
}

/* The same for one that is bound to no device: where the fresh namespace copied, it is real. */
static enum zcmig_effect effect_of_unbound(const struct zc_facts *facts, const struct zc_tap *tap)
{
    return facts->elsewhere.copied == ZC_YES ? ZCMIG_EFFECT_COPIES : effect_of(tap);
}

/* Registers the public view of @tap; it lives as long as the diagnosis. */
static struct zcmig_tap *public_tap(struct zc_findings *report, const struct zc_tap *tap)
{
    struct zcmig_tap *view = g_new0(struct zcmig_tap, 1);
    const struct zc_owner *owner =
        tap->owners && tap->owners->len ? &g_array_index(tap->owners, struct zc_owner, 0) : NULL;

    g_autofree char *process = g_utf8_make_valid(owner ? owner->process : "", -1);

    view->process = zc_findings_text(report, "%s", process);
    view->pid = owner ? owner->pid : 0;
    view->n_owners = tap->owners ? tap->owners->len : 0;
    view->uid = tap->uid;
    view->user = zc_findings_text(report, "%s", tap->user);
    view->inode = tap->inode;
    view->interface = zc_findings_text(report, "%s", tap->interface);
    view->protocol = tap->protocol;
    view->netns = tap->netns;
    view->own_netns = tap->own_netns;
    view->ignores_outgoing = tap->ignores_outgoing == ZC_UNKNOWN ? -1 : (int)tap->ignores_outgoing;
    g_ptr_array_add(report->taps, view);
    return view;
}

static const char *evidence(struct zc_findings *report, const struct zc_tap *tap,
                            const struct zcmig_tap *view)
{
    const char *owner =
        view->pid
            ? zc_findings_text(report, "process %s, PID %" G_GINT64_FORMAT "%s", view->process,
                               view->pid, view->n_owners > 1 ? " (and others)" : "")
            : "process not visible";
    const char *where =
        view->own_netns
            ? ""
            : zc_findings_text(report, ", network namespace %" G_GUINT64_FORMAT, view->netns);

    return zc_findings_text(
        report,
        "%s, user %s, socket inode %" G_GUINT64_FORMAT ", interface %s, protocol ETH_P_ALL%s%s",
        owner, view->user, view->inode, view->interface, where,
        tap->ignores_outgoing == ZC_YES ? ""
                                        : "; each packet is copied once more, for the tap alone");
}

/* Whether @version is of an lldpd whose PACKET_IGNORE_OUTGOING was compiled out. */
static bool lldpd_is_old(const char *version)
{
    unsigned int major = 0, minor = 0, patch = 0;

    return sscanf(version, "%u.%u.%u", &major, &minor, &patch) == 3 && major <= 1 &&
           (major < 1 || (minor == 0 && patch < 20));
}

static void explain_culprit(struct zc_findings *report, struct zcmig_finding *finding,
                            const struct zc_tap *tap)
{
    const char *version = "";

    if (tap->owners && tap->owners->len > 0) {
        version = g_array_index(tap->owners, struct zc_owner, 0).version;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(culprits); i++) {
        if (strcmp(finding->tap->process, culprits[i].process) == 0) {
            finding->summary =
                zc_findings_text(report, "%s (%s)", finding->summary, culprits[i].what);
            finding->remedy = culprits[i].remedy;
        }
    }
    if (*version) {
        finding->evidence = zc_findings_text(
            report, "%s; its package is of version %s, %s", finding->evidence, version,
            lldpd_is_old(version) ? "before 1.0.20"
                                  : "which should ignore outgoing packets, and does not");
    }
}

/* One finding about one tap. */
static struct zcmig_finding *say_tap(struct zc_findings *report, enum zcmig_effect effect,
                                     const char *device, const struct zc_tap *tap)
{
    struct zcmig_tap *view = public_tap(report, tap);
    struct zcmig_finding *finding = zc_findings_add(report, effect, "packet-tap", device);
    const char *name = view->pid ? view->process : "a process that cannot be seen";

    finding->tap = view;
    finding->evidence = evidence(report, tap, view);
    if (tap->ignores_outgoing == ZC_YES) {
        finding->effect = ZCMIG_EFFECT_NOTE;
        finding->summary =
            zc_findings_text(report, "%s listens to packets, but not to outgoing ones", name);
        return finding;
    }
    finding->summary = zc_findings_text(report, "%s listens to outgoing packets on %s%s", name,
                                        tap->ifindex ? tap->interface : "every interface",
                                        tap->own_netns ? "" : " in another network namespace");
    finding->remedy = tap_remedy;
    explain_culprit(report, finding, tap);
    if (tap->ignores_outgoing == ZC_UNKNOWN) {
        finding->evidence = zc_findings_text(
            report,
            "%s; it makes the kernel copy unless it has set PACKET_IGNORE_OUTGOING, which cannot "
            "be seen",
            finding->evidence);
        finding->missing_right = view->pid ? "CAP_SYS_PTRACE, and a kernel with pidfd_getfd"
                                           : "CAP_SYS_PTRACE: run as root";
    }
    return finding;
}

/* @netns: 0 for our own */
static bool is_of(const struct zc_tap *tap, uint64_t netns)
{
    return netns == 0 ? tap->own_netns : !tap->own_netns && tap->netns == netns;
}

void zc_rules_taps_on(struct zc_findings *report, const struct zc_facts *facts, uint64_t netns,
                      const struct zc_link *link)
{
    for (guint i = 0; i < facts->taps->len; i++) {
        const struct zc_tap *tap = &g_array_index(facts->taps, struct zc_tap, i);
        if (is_of(tap, netns) && tap->ifindex == link->ifindex && sees_outgoing(tap)) {
            say_tap(report, effect_of(tap), link->name, tap);
        }
    }
}

void zc_rules_taps_receiving(struct zc_findings *report, const struct zc_facts *facts,
                             uint64_t netns, const struct zc_link *link)
{
    for (guint i = 0; i < facts->taps->len; i++) {
        const struct zc_tap *tap = &g_array_index(facts->taps, struct zc_tap, i);
        if (is_of(tap, netns) && tap->ifindex == link->ifindex && sees_outgoing(tap)) {
            struct zcmig_finding *finding = say_tap(report, ZCMIG_EFFECT_COPIES, link->name, tap);
            finding->effect = ZCMIG_EFFECT_COPIES; /* these packets come in */
            finding->summary = zc_findings_text(report, "%s listens to packets that come in by %s",
                                                finding->tap->pid ? finding->tap->process
                                                                  : "a process that cannot be seen",
                                                link->name);
        }
    }
}

void zc_rules_taps_unbound_in(struct zc_findings *report, const struct zc_facts *facts,
                              uint64_t netns)
{
    for (guint i = 0; i < facts->taps->len; i++) {
        const struct zc_tap *tap = &g_array_index(facts->taps, struct zc_tap, i);
        /* Where the list of these is one for all namespaces, the rule on that one names them. */
        if (is_of(tap, netns) && tap->ifindex == 0 && sees_outgoing(tap) &&
            facts->elsewhere.copied != ZC_YES) {
            say_tap(report, effect_of(tap), "", tap);
        }
    }
}

/* Whether @release names a kernel whose list of unbound taps is known to be per namespace. */
static bool release_is_per_namespace(const char *release)
{
    unsigned int major = 0;
    unsigned int minor = 0;

    return sscanf(release, "%u.%u", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 18));
}

static void say_hidden_tap(struct zc_findings *report, const struct zc_facts *facts)
{
    struct zcmig_finding *finding =
        zc_findings_add(report, ZCMIG_EFFECT_COPIES, "packet-tap-elsewhere", "");

    finding->summary = "a packet tap in a network namespace that cannot be seen makes everything "
                       "on this machine copy";
    finding->evidence = zc_findings_text(
        report,
        "zero-copy was tried in a fresh network namespace, and the kernel (%s) copied; "
        "%u processes could not be examined",
        facts->limits.release, facts->hidden_processes);
    finding->remedy = tap_remedy;
    finding->missing_right = facts->hidden_processes ? "CAP_SYS_PTRACE: run as root" : "";
}

static void say_cannot_tell(struct zc_findings *report, const struct zc_facts *facts)
{
    struct zcmig_finding *finding =
        zc_findings_add(report, ZCMIG_EFFECT_UNKNOWN, "packet-tap-elsewhere", "");
    const char *unseen = facts->own_pid_ns ? "the processes outside this container"
                                           : zc_findings_text(report, "%u processes of other users",
                                                              facts->hidden_processes);

    finding->summary = "packet taps in other network namespaces cannot be seen";
    finding->evidence = zc_findings_text(
        report,
        "%s could not be examined, and zero-copy could not be tried in a fresh network namespace "
        "(%s); before about Linux 6.18 (this is %s) a tap on every interface of any namespace "
        "makes all copy",
        unseen, g_strerror(facts->elsewhere.saved_errno), facts->limits.release);
    finding->missing_right = facts->own_pid_ns ? "run on the host, outside the container"
                                               : "CAP_SYS_PTRACE and CAP_SYS_ADMIN: run as root";
}

/* Taps without a device in other namespaces; @own: there is one in this namespace as well. */
static void judge_elsewhere(struct zc_findings *report, const struct zc_facts *facts, bool own)
{
    enum zc_answer global = facts->elsewhere.copied;
    unsigned int n_found = 0;

    if (global == ZC_UNKNOWN && release_is_per_namespace(facts->limits.release)) {
        global = ZC_NO;
    }
    if (global == ZC_NO) {
        return;
    }
    for (guint i = 0; i < facts->taps->len; i++) {
        const struct zc_tap *tap = &g_array_index(facts->taps, struct zc_tap, i);
        if (tap->own_netns || tap->ifindex != 0 || !sees_outgoing(tap) ||
            tap->ignores_outgoing == ZC_YES) {
            continue;
        }
        n_found++;
        struct zcmig_finding *finding =
            say_tap(report, global == ZC_YES ? ZCMIG_EFFECT_COPIES : ZCMIG_EFFECT_UNKNOWN, "", tap);
        finding->evidence = zc_findings_text(
            report, "%s; %s", finding->evidence,
            global == ZC_YES ? "this kernel keeps one list of such taps for all namespaces: "
                               "zero-copy was tried in a fresh one, and the kernel copied"
                             : "that matters on kernels before about 6.18, and could not be tried "
                               "here");
    }
    if (n_found > 0) {
        return;
    }
    if (global == ZC_YES && !own) {
        say_hidden_tap(report, facts);
    } else if (global == ZC_UNKNOWN && (facts->hidden_processes > 0 || facts->own_pid_ns)) {
        say_cannot_tell(report, facts);
    }
}

void zc_rules_taps_unbound(struct zc_findings *report, const struct zc_facts *facts)
{
    bool own = false;

    if (!facts->packet_table) {
        struct zcmig_finding *finding =
            zc_findings_add(report, ZCMIG_EFFECT_UNKNOWN, "packet-table", "");
        finding->summary = "packet taps cannot be listed";
        finding->evidence = "/proc/thread-self/net/packet cannot be read";
    }
    for (guint i = 0; i < facts->taps->len; i++) {
        const struct zc_tap *tap = &g_array_index(facts->taps, struct zc_tap, i);
        if (tap->own_netns && tap->ifindex == 0 && sees_outgoing(tap)) {
            say_tap(report, effect_of_unbound(facts, tap), "", tap);
            own = own || tap->ignores_outgoing != ZC_YES;
        }
    }
    judge_elsewhere(report, facts, own);
}
