/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: two budgets bound what zero-copy can have in flight, and both say
 * ENOBUFS.  Per socket, each outstanding call holds a notification of 768 to
 * 896 bytes (it differs by kernel, so it is measured) against optmem_max; the
 * kernel pairs calls up to 512 KiB into one.  Per user, each call holds its
 * pages and two more against RLIMIT_MEMLOCK, unless the sender has
 * CAP_IPC_LOCK.  A link of bandwidth B and round trip R needs B * R in flight.
 */
#include "config.h"

#include <errno.h>

#include "base/size.h"
#include "doctor/rules.h"

#define PAGE_BYTES 4096u
#define CALL_BYTES (512 * ZC_KIB) /* what the kernel pairs calls up to */
#define NOTE_BYTES_DEFAULT 832u   /* measured on Linux 6.18 */
#define SKB_TRUESIZE_0 576u       /* sock_omalloc() checks this much, then charges the note */
#define CHARGE_EXTRA_PAGES 2u
#define MEMLOCK_USEFUL_BYTES (16 * ZC_KIB) /* below about 10 KiB a copy is cheaper than a call */

uint64_t zc_rules_optmem_in_flight(uint64_t optmem_max, unsigned int note_bytes)
{
    unsigned int note = note_bytes ? note_bytes : NOTE_BYTES_DEFAULT;

    if (optmem_max < SKB_TRUESIZE_0) {
        return 0;
    }
    return ((optmem_max - SKB_TRUESIZE_0) / note + 1) * CALL_BYTES;
}

uint64_t zc_rules_memlock_in_flight(uint64_t memlock_bytes)
{
    uint64_t pages = memlock_bytes / PAGE_BYTES;
    uint64_t n_calls = pages / (CALL_BYTES / PAGE_BYTES + CHARGE_EXTRA_PAGES);

    if (memlock_bytes == UINT64_MAX) {
        return UINT64_MAX;
    }
    if (n_calls > 0) {
        return n_calls * CALL_BYTES;
    }
    return pages > CHARGE_EXTRA_PAGES ? (pages - CHARGE_EXTRA_PAGES) * PAGE_BYTES : 0;
}

/* As the user said, or as a probe measured. */
static int64_t rtt_ns_of(const struct zc_facts *facts)
{
    return facts->rtt_ns ? facts->rtt_ns : facts->burst.rtt_ns;
}

/* Bytes in flight that the link needs, 0 when not known. */
static uint64_t needed_bytes(const struct zc_facts *facts, uint64_t bandwidth)
{
    return (uint64_t)((double)bandwidth * ((double)rtt_ns_of(facts) / 1e9));
}

static const char *need_text(struct zc_findings *report, const struct zc_facts *facts,
                             uint64_t bandwidth)
{
    uint64_t need = needed_bytes(facts, bandwidth);

    if (need == 0) {
        return "";
    }
    g_autofree char *rate = zc_size_format(bandwidth);
    g_autofree char *total = zc_size_format(need);
    return zc_findings_text(report, "; %s/s with a round trip of %.3g ms%s needs %s in flight",
                            rate, (double)rtt_ns_of(facts) / 1e6,
                            facts->rtt_ns ? "" : " (the probe's)", total);
}

static void judge_optmem(struct zc_findings *report, const struct zc_facts *facts,
                         uint64_t bandwidth)
{
    const struct zc_limits *limits = &facts->limits;
    struct zcmig_finding *finding;

    if (limits->optmem_max == 0) {
        finding = zc_findings_add(report, ZCMIG_EFFECT_NOTE, "optmem", "");
        finding->summary = "net.core.optmem_max cannot be read in this network namespace";
        finding->evidence = "/proc/sys/net/core/optmem_max is missing: before about Linux 6.8 it "
                            "exists in the initial namespace only, and is 20480 by default";
        return;
    }
    uint64_t bytes = zc_rules_optmem_in_flight(limits->optmem_max, facts->elsewhere.note_bytes);
    bool too_small = needed_bytes(facts, bandwidth) > bytes;
    g_autofree char *in_flight = zc_size_format(bytes);
    finding =
        zc_findings_add(report, too_small ? ZCMIG_EFFECT_LIMITS : ZCMIG_EFFECT_NOTE, "optmem", "");
    finding->summary =
        zc_findings_text(report, "net.core.optmem_max lets each socket have %s in flight%s",
                         in_flight, too_small ? ", which is less than the link holds" : "");
    finding->evidence = zc_findings_text(
        report,
        "optmem_max is %" G_GUINT64_FORMAT ", one outstanding call of up to 512 KiB holds "
        "%u bytes of it%s%s",
        limits->optmem_max,
        facts->elsewhere.note_bytes ? facts->elsewhere.note_bytes : NOTE_BYTES_DEFAULT,
        facts->elsewhere.note_bytes ? " (measured)" : " (assumed)",
        need_text(report, facts, bandwidth));
    if (too_small) {
        finding->remedy = "sysctl net.core.optmem_max=1048576, or more channels";
    }
}

static const char *memlock_need_remedy(struct zc_findings *report, uint64_t need)
{
    g_autofree char *text =
        zc_size_format(need / CALL_BYTES * (CALL_BYTES + CHARGE_EXTRA_PAGES * PAGE_BYTES) +
                       CALL_BYTES + CHARGE_EXTRA_PAGES * PAGE_BYTES);

    return zc_findings_text(report,
                            "raise RLIMIT_MEMLOCK (LimitMEMLOCK= of the service, ulimit -l) "
                            "to %s or more, or grant CAP_IPC_LOCK",
                            text);
}

static void judge_memlock(struct zc_findings *report, const struct zc_facts *facts,
                          uint64_t bandwidth)
{
    const struct zc_limits *limits = &facts->limits;
    struct zcmig_finding *finding = zc_findings_add(report, ZCMIG_EFFECT_NOTE, "memlock", "");

    if (limits->ipc_lock || limits->memlock_bytes == UINT64_MAX) {
        finding->summary = "RLIMIT_MEMLOCK does not bind";
        finding->evidence = limits->ipc_lock ? "this process has CAP_IPC_LOCK; a sender without it "
                                               "is bound by its own limit"
                                             : "the limit is infinite";
        return;
    }
    uint64_t need = needed_bytes(facts, bandwidth);
    uint64_t bytes = zc_rules_memlock_in_flight(limits->memlock_bytes);
    g_autofree char *in_flight = zc_size_format(bytes);
    g_autofree char *limit = zc_size_format(limits->memlock_bytes);
    finding->evidence = zc_findings_text(
        report,
        "RLIMIT_MEMLOCK is %s for uid %u without CAP_IPC_LOCK; a call holds its pages and 2 "
        "more until it is noted; other processes of the user share the limit, and what "
        "they hold is not visible anywhere%s",
        limit, limits->uid, need_text(report, facts, bandwidth));
    finding->remedy = memlock_need_remedy(report, MAX(need, 64 * ZC_MIB));
    if (bytes < MEMLOCK_USEFUL_BYTES) {
        finding->effect = ZCMIG_EFFECT_COPIES;
        finding->summary = zc_findings_text(
            report, "RLIMIT_MEMLOCK of %s is too small for a single zero-copy call", limit);
    } else {
        finding->effect = bytes < MAX(need, CALL_BYTES) ? ZCMIG_EFFECT_LIMITS : ZCMIG_EFFECT_NOTE;
        finding->summary = zc_findings_text(
            report, "RLIMIT_MEMLOCK lets all sockets of the user together have %s in flight%s",
            in_flight, finding->effect == ZCMIG_EFFECT_LIMITS ? ", which is too little" : "");
    }
    if (finding->effect == ZCMIG_EFFECT_NOTE) {
        finding->remedy = "";
    }
}

static void judge_fragments(struct zc_findings *report, const struct zc_limits *limits)
{
    if (limits->max_skb_frags == 0) {
        return;
    }
    struct zcmig_finding *finding = zc_findings_add(report, ZCMIG_EFFECT_NOTE, "fragments", "");
    g_autofree char *small = zc_size_format((uint64_t)limits->max_skb_frags * PAGE_BYTES);
    finding->summary =
        zc_findings_text(report, "a packet holds %u fragments: %s of scattered 4 KiB pages",
                         limits->max_skb_frags, small);
    finding->evidence =
        zc_findings_text(report, "net.core.max_skb_frags; adjacent pages share a fragment, and %s",
                         limits->huge_page_bytes ? "huge pages are available for RAM"
                                                 : "no huge pages are configured");
}

static void judge_io_uring(struct zc_findings *report, const struct zc_facts *facts)
{
    const struct zc_limits *limits = &facts->limits;
    int saved_errno = facts->uring.saved_errno;

    if (saved_errno == 0 || saved_errno == ENOTSUP) {
        return; /* it was tried and works; or it was not tried */
    }
    struct zcmig_finding *finding = zc_findings_add(report, ZCMIG_EFFECT_NOTE, "io-uring", "");
    finding->summary = "io_uring cannot be used; MSG_ZEROCOPY can";
    finding->evidence = zc_findings_text(
        report, "io_uring_setup: %s; kernel.io_uring_disabled is %s, uid is %u",
        g_strerror(saved_errno),
        limits->io_uring_disabled < 0 ? "missing"
                                      : zc_findings_text(report, "%d", limits->io_uring_disabled),
        limits->uid);
    if (limits->io_uring_disabled > 0) {
        finding->remedy = limits->io_uring_disabled == 1
                              ? "sysctl kernel.io_uring_disabled=0, or join kernel.io_uring_group"
                              : "sysctl kernel.io_uring_disabled=0";
    } else if (saved_errno == EPERM) {
        finding->remedy = "allow io_uring_setup in the seccomp filter of the container or service";
    }
}

void zc_rules_limits(struct zc_findings *report, const struct zc_facts *facts, uint64_t bandwidth)
{
    judge_optmem(report, facts, bandwidth);
    judge_memlock(report, facts, bandwidth);
    judge_fragments(report, &facts->limits);
    judge_io_uring(report, facts);
}
