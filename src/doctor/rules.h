/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From facts to findings.  Rules are pure: they make no system call, so that
 * every row of what is known about zero-copy has a test on made-up facts.
 */
#ifndef ZC_DOCTOR_RULES_H
#define ZC_DOCTOR_RULES_H

#include "doctor/facts.h"
#include "doctor/findings.h"

/* Everything about a path that leaves by @ifindex; @route is NULL when nobody asked for one. */
void zc_rules_path(struct zc_findings *report, const struct zc_facts *facts,
                   const struct zc_route *route, int ifindex, enum zc_family family);

/* A destination without a device: AF_VSOCK, AF_UNIX. */
void zc_rules_family(struct zc_findings *report, const struct zc_facts *facts,
                     enum zc_family family);

/* The device, what lies below it, and the taps that are bound to any of them. */
void zc_rules_device(struct zc_findings *report, const struct zc_facts *facts,
                     const struct zc_link *link);

/* Taps bound to @link of the namespace @netns (0: our own) that see what it sends. */
void zc_rules_taps_on(struct zc_findings *report, const struct zc_facts *facts, uint64_t netns,
                      const struct zc_link *link);

/* The same for what it receives: for a device that a path enters a namespace by. */
void zc_rules_taps_receiving(struct zc_findings *report, const struct zc_facts *facts,
                             uint64_t netns, const struct zc_link *link);

/* Taps bound to no device in another namespace that the path goes through. */
void zc_rules_taps_unbound_in(struct zc_findings *report, const struct zc_facts *facts,
                              uint64_t netns);

/* Taps that are bound to no device, in this network namespace and in others. */
void zc_rules_taps_unbound(struct zc_findings *report, const struct zc_facts *facts);

/* optmem_max, RLIMIT_MEMLOCK, fragments, io_uring: how much can be in flight. */
void zc_rules_limits(struct zc_findings *report, const struct zc_facts *facts, uint64_t bandwidth);

/* What the kernel said of real calls; the last of the rules, since it corrects the others. */
void zc_rules_burst(struct zc_findings *report, const struct zc_burst *burst);

/*
 * Bytes that one socket can have in flight before net.core.optmem_max refuses more, when calls
 * are of 512 KiB or pair up to it; @note_bytes: what one outstanding call holds, 0 for the default.
 */
uint64_t zc_rules_optmem_in_flight(uint64_t optmem_max, unsigned int note_bytes);

/*
 * Bytes that all sockets of a user together can have in flight under RLIMIT_MEMLOCK in calls of
 * 512 KiB; when not even one fits, what the largest single call can carry.
 */
uint64_t zc_rules_memlock_in_flight(uint64_t memlock_bytes);

#endif
