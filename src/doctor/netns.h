/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Probe: the network namespaces of this machine, as far as the caller may see
 * them, and the devices of those that devices of ours lead into.
 */
#ifndef ZC_DOCTOR_NETNS_H
#define ZC_DOCTOR_NETNS_H

#include "doctor/facts.h"

struct zc_netns {
    uint64_t inode;
    bool own;           /* the calling thread's */
    char *path;         /* to open it by */
    char *packet_table; /* of /proc; NULL for a namespace that has no process */
};

/*
 * All that processes are in and that have a name, our own first: struct zc_netns, freed with the
 * array.  *@hidden_out: processes whose namespace the caller may not see.
 */
GArray *zc_netns_list(unsigned int *hidden_out);

/*
 * Calls @function in a thread that has entered @netns and ends there.  0 or -errno (then it was
 * not called).  Needs CAP_SYS_ADMIN there.
 */
int zc_netns_run(const struct zc_netns *netns, void (*function)(void *data), void *data);

/* Fills @facts->spaces from @namespaces; after the links of our own. */
void zc_netns_read_spaces(struct zc_facts *facts, const GArray *namespaces);

#endif
