/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Probe: a short burst on a connection to the destination, and what the kernel
 * says became of it.  It goes through the channel core, so what is found out
 * holds for a migration: the same calls, the same limits.
 */
#ifndef ZC_DOCTOR_BURST_H
#define ZC_DOCTOR_BURST_H

#include "doctor/facts.h"
#include "net/addr.h"

#define ZC_BURST_DISCARD_PORT 9

/*
 * Connects to @addr, writes there who was at the other end to *@peer_out, and sends the burst.
 * The peer must read and throw away; nothing is read from it.  Whatever goes wrong is part of
 * @burst.  Blocks: for @stall_ms without progress at most, or until @wake_fd (or -1) turns
 * readable. Returns false with CANCELLED only then.
 */
bool zc_burst_send(const struct zc_addr *addr, int64_t stall_ms, int wake_fd,
                   struct zc_burst *burst, struct sockaddr_storage *peer_out, GError **error);

#endif
