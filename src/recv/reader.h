/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One thread per multifd channel: packet -> memory.
 *
 *     header -> check against the RAM's blocks -> populate -> receive straight into place
 *     -> digest -> (SYNC) barrier                  (an image file: receive -> digest -> write)
 *
 * Nothing is allocated per packet.  What goes wrong ends the session with the
 * channel's number and what it was doing.
 */
#ifndef ZC_RECV_READER_H
#define ZC_RECV_READER_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/cause.h"
#include "recv/barrier.h"
#include "recv/place.h"
#include "recv/pull.h"
#include "recv/stall.h"

/* Writer: the channel's thread. */
struct zc_reader_counters {
    _Atomic uint64_t packets;
    _Atomic uint64_t normal_pages;
    _Atomic uint64_t zero_pages;
    _Atomic uint64_t wire_bytes; /* after the init packet */
};

/* What the readers of a session share; outlives them. */
struct zc_reader_shared {
    struct zc_stall *stall;
    struct zc_barrier *barrier;
    struct zc_place *place;
    struct zc_cause *cause;
    const struct zc_pull *pull; /* of the route pull; NULL: pages come behind their header */
};

struct zc_reader;

/* @fd (non-blocking, behind its init packet) and @counters stay the caller's.  NULL: no thread. */
struct zc_reader *zc_reader_start(const struct zc_reader_shared *shared, int fd,
                                  unsigned int channel, struct zc_reader_counters *counters,
                                  GError **error);

/*
 * Ends the channel's input and joins the thread, which first takes what is there already; returns
 * its CPU time in ns.  Call it after zc_barrier_end, or when the cause is set.  Accepts NULL.
 */
int64_t zc_reader_stop(struct zc_reader *reader);

#endif
