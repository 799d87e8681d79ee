/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A live guest, from the first page to the other side:
 *
 *     track --> all pages --> harvest --> dirty pages --> harvest --> ... --> switch over
 *               iteration 0               iteration 1
 *
 *     RUNS --pause--> PAUSED --RUN sent--> IN_DOUBT --SHUT--> GONE
 *      ^                |                      |
 *      +----failure-----+-----it refuses-------+      (never back from IN_DOUBT otherwise)
 *
 * precopy.c iterates; precopy-switch.c stops the guest and hands it over.
 * Private to session/.
 */
#ifndef ZC_SESSION_PRECOPY_H
#define ZC_SESSION_PRECOPY_H

#include "send/converge.h"
#include "send/harvest.h"
#include "session/outgoing.h"

struct zc_precopy {
    /* the caller's thread only */
    struct zc_outgoing *out;
    struct zc_source *source;
    struct zc_tracker *tracker;
    struct zc_harvest harvest;
    struct zc_converge converge;
    int64_t harvested_ns; /* when the last harvest began, or the tracker was started */
    int64_t rtt_ns;       /* of the main stream, nothing on its way */
    uint32_t ping;
    struct zcmig_iteration iteration; /* the last one */
};

/*
 * The whole of it, after the greeting: RAM START to what the guest noticed of its move.  False:
 * reported; the guest then runs on here, unset for the cases of live.guest.
 */
bool zc_precopy_run(struct zc_outgoing *out);

/* After the session: a guest that stayed runs on for a moment, and is checked. */
void zc_precopy_settle(struct zc_outgoing *out);

/* ---- between the two files */

/* Records @place for those who ask. */
void zc_precopy_set_guest(struct zc_precopy *precopy, enum zcmig_guest_place place);

/* Harvests into precopy->harvest.  False: reported. */
bool zc_precopy_harvest(struct zc_precopy *precopy);

/* Puts what was harvested, or @all pages, on the channels.  False: reported. */
bool zc_precopy_put_pages(struct zc_precopy *precopy, bool all);

/*
 * Stops the guest and hands it over: true when it runs at the destination.  Else reported, and
 * live.guest says whether it may be resumed (PAUSED, RUNS).
 */
bool zc_precopy_switch_over(struct zc_precopy *precopy);

#endif
