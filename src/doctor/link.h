/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Probes of devices and routes, by rtnetlink (libnl-route) and the ethtool
 * ioctl.  Of the calling thread's network namespace.  No rights are needed.
 */
#ifndef ZC_DOCTOR_LINK_H
#define ZC_DOCTOR_LINK_H

#include <sys/socket.h>

#include "doctor/facts.h"

/* Appends every device to @links.  Errors: UNSUPPORTED (built without libnl), FAILED. */
bool zc_links_read(GArray *links, GError **error);

/*
 * The number by which links of the calling thread's namespace name the one that @netns_fd is; -1
 * when none of them leads there, or on failure.
 */
int zc_link_nsid(int netns_fd);

/* Where packets to @destination go.  Errors: UNSUPPORTED, CONNECT (no route). */
bool zc_route_read(const struct sockaddr *destination, struct zc_route *route_out, GError **error);

#endif
