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
 * precopy-costs.c measures what a switchover takes beside the pages; precopy.c iterates;
 * precopy-pages.c puts pages on the channels; precopy-switch.c stops the guest and hands it over;
 * precopy-reconnect.c goes on after a cut. Private to session/.
 */
#ifndef ZC_SESSION_PRECOPY_H
#define ZC_SESSION_PRECOPY_H

#include "send/converge.h"
#include "send/harvest.h"
#include "send/unplaced.h"
#include "session/outgoing.h"

struct zc_precopy {
    /* the caller's thread only */
    struct zc_outgoing *out;
    struct zc_source *source;
    struct zc_tracker *tracker;
    struct zc_harvest harvest;
    struct zc_converge converge;
    int64_t harvested_ns; /* when the last harvest began, or the tracker was started */
    uint32_t ping;
    struct zcmig_iteration iteration; /* the last one */
    struct zcmig_downtime downtime;   /* of the last switchover, as far as it came */
    int64_t paused_ns;                /* when it began, and when the destination was ready */
    int64_t ready_ns;
    /* of a session that is kept */
    bool started;  /* the destination has had RAM START: there is something to go on with */
    bool gave_up;  /* by its own decision */
    bool verified; /* nothing is missing but what the guest noticed */
    struct zc_unplaced unplaced;
    uint64_t chunk_pages; /* are sent between two marks */
    uint64_t n_syncs;     /* barriers of this connection that are known to be behind */
};

/*
 * The whole of it, after the greeting: RAM START to what the guest noticed of its move.  False:
 * reported; the guest then runs on here, unset for the cases of live.guest.
 */
bool zc_precopy_run(struct zc_outgoing *out);

/* After the session: a guest that stayed runs on for a moment, and is checked. */
void zc_precopy_settle(struct zc_outgoing *out);

/* ---- between the files */

/* Records @place for those who ask. */
void zc_precopy_set_guest(struct zc_precopy *precopy, enum zcmig_guest_place place);

/* Makes precopy->converge.  The tracker runs, and no iteration was sent.  False: reported. */
bool zc_precopy_init_converge(struct zc_precopy *precopy);

/* Harvests into precopy->harvest, of a paused guest by a peek.  False: reported. */
bool zc_precopy_harvest(struct zc_precopy *precopy);

/* Puts what was harvested, or @all pages, on the channels.  False: reported. */
bool zc_precopy_put_pages(struct zc_precopy *precopy, bool all);

/* Ends the RAM section that out->out has at hand. */
void zc_precopy_end_section(struct zc_outgoing *out);

/* A PING, and what is before it in out->out; its PONG.  When it came; 0: reported. */
int64_t zc_precopy_round_trip(struct zc_precopy *precopy);

/* It is not moved, because of @what: false, reported with the numbers. */
bool zc_precopy_give_up(struct zc_precopy *precopy, const char *what);

/* RAM START, until the destination is ready for what follows it.  False: reported. */
bool zc_precopy_start_ram(struct zc_precopy *precopy);

/* The guest is ours and runs on, unless it is in doubt or gone. */
void zc_precopy_take_back(struct zc_precopy *precopy);

/* The destination runs it since @shut_ns: what the downtime was. */
void zc_precopy_finish_downtime(struct zc_precopy *precopy, int64_t shut_ns);

/*
 * The cause is set.  True: it was a cut, and the session goes on over new connections; the guest
 * runs here, and all that is not known to be placed is dirty; or it is GONE.  False: it ends, and
 * the cause says why.
 */
bool zc_precopy_reconnect(struct zc_precopy *precopy);

/*
 * Stops the guest and hands it over: true when it runs at the destination.  Else reported, and
 * live.guest says whether it may be resumed (PAUSED, RUNS).
 */
bool zc_precopy_switch_over(struct zc_precopy *precopy);

#endif
