/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Probe: the packet sockets of this network namespace and of all others that
 * the caller may look at, and whose they are.
 */
#ifndef ZC_DOCTOR_TAP_H
#define ZC_DOCTOR_TAP_H

#include "doctor/facts.h"
#include "doctor/netns.h"

/*
 * Fills @facts->taps and ->packet_table from @namespaces.  Needs no rights for this namespace;
 * CAP_SYS_PTRACE to see owners, namespaces of other users and PACKET_IGNORE_OUTGOING.
 * Blocks: reads /proc once, for owners.
 */
void zc_taps_read(struct zc_facts *facts, const GArray *namespaces);

/*
 * One namespace's table in the form of /proc/net/packet; sets what the table tells.  Returns the
 * number of sockets appended, or -EINVAL when @text is not such a table.
 */
int zc_taps_parse(const char *text, GArray *taps);

/*
 * The version of @package in the text of a dpkg status file to @version_out of @size; "" when it is
 * not installed.
 */
void zc_owner_version(const char *status, const char *package, char *version_out, size_t size);

/* Finds the processes that hold the sockets of @taps, and asks each socket what it ignores. */
void zc_owners_read(GArray *taps);

#endif
