/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The source's ear: a thread that reads what the destination says on the main
 * connection, so that a failure there is heard while the channels still send.
 *
 * It goes on reading after the session's cause is set: the reason why the
 * connections broke is often one message behind (zc_return_path_linger).
 */
#ifndef ZC_SESSION_RETURN_PATH_H
#define ZC_SESSION_RETURN_PATH_H

#include "base/cause.h"
#include "base/clock.h"
#include "wire/extension.h"

struct zc_return_path;

/* @fd is borrowed and non-blocking.  NULL: no thread, no descriptor. */
struct zc_return_path *zc_return_path_start(int fd, struct zc_cause *cause, GError **error);

/* Waits for PONG 1.  False: see cause.  *@is_zcmig_out: whether the peer answered as one. */
bool zc_return_path_wait_hello(struct zc_return_path *path, zc_deadline deadline,
                               bool *is_zcmig_out);

/* Waits for SHUT, which says that the destination has all RAM, and returns when it came in ns;
 * 0: see cause. */
int64_t zc_return_path_wait_shut(struct zc_return_path *path, zc_deadline deadline);

/*
 * Round trips: expect before the PING is written, wait for its PONG after.  @value is none of the
 * hello's.  Returns when it came in ns; 0: see cause.
 */
void zc_return_path_expect_pong(struct zc_return_path *path, uint32_t value);
int64_t zc_return_path_wait_pong(struct zc_return_path *path, zc_deadline deadline);

/*
 * Waits for the message of @type: RESULT, READY, MAPPED, KEEP or RESUMED.  When it came in ns; 0:
 * see cause.
 */
int64_t zc_return_path_wait_extension(struct zc_return_path *path, enum zc_extension_type type,
                                      zc_deadline deadline, struct zc_extension *message_out);

/* How a hand-over ended that cannot be taken back. */
enum zc_handed {
    ZC_HANDED_OVER,    /* SHUT 0: the guest runs there */
    ZC_HANDED_REFUSED, /* the destination failed before: it does not, and never will */
    ZC_HANDED_UNKNOWN, /* no word: it may */
};

/*
 * Waits for the destination's answer to RUN, whatever else happens to the session: cancelling
 * does not end it.  *@shut_ns_out: when SHUT came.
 */
enum zc_handed zc_return_path_wait_handed(struct zc_return_path *path, zc_deadline deadline,
                                          int64_t *shut_ns_out);

/* Waits for OBSERVED.  False: it did not come, or see cause; that by itself is no failure. */
bool zc_return_path_wait_observed(struct zc_return_path *path, zc_deadline deadline,
                                  struct zc_extension *observed_out);

/* Waits for the destination's own word on why it ended: NULL when none came until @deadline. */
GError *zc_return_path_linger(struct zc_return_path *path, zc_deadline deadline);

/* Joins the thread; returns its CPU time in ns.  Accepts NULL. */
int64_t zc_return_path_stop(struct zc_return_path *path);

#endif
