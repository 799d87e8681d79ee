/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the rules on devices and on pairs of them share.  A space is a network
 * namespace; that of the doctor itself has nsid -1.
 */
#ifndef ZC_DOCTOR_RULE_DEVICE_H
#define ZC_DOCTOR_RULE_DEVICE_H

#include "doctor/rules.h"

#define ZC_DEVICE_DEPTH_MAX 8 /* the kernel's own limit on stacked devices (MAX_NEST_DEV) */

#define ZC_RIGHT_OTHER_NETNS                                                                       \
    "CAP_SYS_PTRACE and CAP_SYS_ADMIN, where the host's processes are visible: run as root on "    \
    "the "                                                                                         \
    "host"

/* Appends what @link of @space and everything below it do to a packet. */
void zc_rules_device_judge(struct zc_findings *report, const struct zc_facts *facts,
                           const struct zc_space *space, const struct zc_link *link,
                           unsigned int depth);

/* The same for a link that a path enters another namespace by, with the unbound taps there. */
void zc_rules_device_elsewhere(struct zc_findings *report, const struct zc_facts *facts,
                               const struct zc_space *space, const struct zc_link *link,
                               unsigned int depth);

/* The device that @link names as the one below it, or as its peer, and its space; NULL when it
 * cannot be seen. */
const struct zc_link *zc_rules_device_lower(const struct zc_facts *facts,
                                            const struct zc_space *space,
                                            const struct zc_link *link,
                                            const struct zc_space **lower_space_out);

/* The devices that have @link as master, but for @except (or NULL); what they come to. */
enum zcmig_verdict zc_rules_device_ports(struct zc_findings *report, const struct zc_facts *facts,
                                         const struct zc_space *space, const struct zc_link *link,
                                         const struct zc_link *except, unsigned int depth);

/* The other end of @link, a veth. */
void zc_rules_peer(struct zc_findings *report, const struct zc_facts *facts,
                   const struct zc_space *space, const struct zc_link *link, unsigned int depth);

/* Appends a finding of that effect.  The pointer holds until the next is added. */
struct zcmig_finding *zc_rules_device_unknown(struct zc_findings *report, const char *cause,
                                              const char *device, const char *summary,
                                              const char *evidence);

#endif
