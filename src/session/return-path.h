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

/*
 * Waits for SHUT 0, which says that the destination has all RAM, or for a RESULT that says that it
 * is wrong there.  Returns when it came, in ns; 0: see cause.
 */
int64_t zc_return_path_wait_answer(struct zc_return_path *path, zc_deadline deadline);

/* Waits for the verdict of the destination.  False: see cause. */
bool zc_return_path_wait_result(struct zc_return_path *path, zc_deadline deadline,
                                struct zc_extension *result_out);

/* Waits for the destination's own word on why it ended: NULL when none came until @deadline. */
GError *zc_return_path_linger(struct zc_return_path *path, zc_deadline deadline);

/* Joins the thread; returns its CPU time in ns.  Accepts NULL. */
int64_t zc_return_path_stop(struct zc_return_path *path);

#endif
