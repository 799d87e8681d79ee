/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What both ends of a migration share over its life: state, why it ended, and
 * the figures.  outgoing.c and incoming.c each embed this as their first
 * member and fill in the ops; the public functions are in session.c.
 *
 *     SETUP --> ACTIVE --> VERIFYING --> COMPLETED
 *       |         |            |
 *       +---------+------------+-------> FAILED | CANCELLED
 *                 |            |
 *                 +------------+--> RECONNECTING --> ACTIVE, VERIFYING, any end
 *
 * Only zc_session_set_state moves it; it asserts the arrows and logs each.
 */
#ifndef ZC_SESSION_SESSION_H
#define ZC_SESSION_SESSION_H

#include <stdatomic.h>

#include <zcmig/zcmig.h>

#include "base/cause.h"
#include "mem/manifest.h"

#define ZC_SESSION_KEEP_MAX_MS 86400000 /* a day without connections */

struct zc_session_ops {
    bool (*run)(zcmig_session *session, GError **error);
    /* Adds what only this end knows to @stats; called from any thread while it runs. */
    void (*get_stats)(zcmig_session *session, struct zcmig_stats *stats);
    void (*free)(zcmig_session *session);
};

struct zcmig_session {
    /* set before start */
    const struct zc_session_ops *ops;
    char *address;
    struct zc_cause cause;
    /* atomic; each written by the session's own thread only */
    _Atomic int state;
    _Atomic int route;               /* enum zcmig_route */
    _Atomic uint64_t total_bytes;
    _Atomic int64_t started_ns;      /* run was called; 0: not yet */
    _Atomic int64_t active_ns;       /* RAM began to cross */
    _Atomic int64_t transferred_ns;  /* the destination has all of it */
    _Atomic int64_t ended_ns;
    _Atomic int64_t cpu_ns;          /* of threads that were joined, and of the run's own */
    _Atomic uint64_t verified_pages;
    _Atomic uint64_t mismatched_pages;
    _Atomic bool peer_is_zcmig;
    _Atomic bool same_memory;        /* of the route memfd: found to be */
    /* this thread only, until run has returned */
    GArray *mismatches; /* struct zc_mismatch */
    struct zcmig_mismatch *public_mismatches; /* views into it, made when asked for */
};

bool zc_session_init(zcmig_session *session, const struct zc_session_ops *ops, GError **error);
void zc_session_clear(zcmig_session *session);

void zc_session_set_state(zcmig_session *session, enum zcmig_state state);

/* @text as 16 bytes; NULL draws a random UUID.  Error: ZCMIG_ERROR_USAGE. */
bool zc_session_parse_uuid(const char *text, uint8_t uuid_out[16], GError **error);

/* Ends run(): with no cause COMPLETED and true; else FAILED or CANCELLED, false and the error. */
bool zc_session_finish(zcmig_session *session, GError **error);

#endif
