/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why it ended.  The threads of one session share one cause: the first error
 * that any of them reports is the one the session ends with, later ones are
 * dropped, and everybody who waits is woken by a descriptor that turns
 * readable and stays so.  Cancelling is reporting ZCMIG_ERROR_CANCELLED.
 *
 *     unset --report--> set --reset--> unset      (reset: by who has joined all the others)
 */
#ifndef ZC_BASE_CAUSE_H
#define ZC_BASE_CAUSE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <glib.h>

struct zc_cause {
    /* set before start */
    int wake_fd; /* eventfd, readable from the first report on */
    /* under lock */
    GMutex lock;
    GError *first;
    /* atomic; set with release after @first, pairs with zc_cause_is_set */
    _Atomic bool set;
    /* atomic: zc_cause_cancel was called; turned into @first by zc_cause_is_set */
    _Atomic bool cancelled;
};

/* Returns false with @error when no descriptor is left. */
bool zc_cause_init(struct zc_cause *cause, GError **error);
void zc_cause_clear(struct zc_cause *cause);

/* Takes @error.  Returns true when it was the first.  Any thread. */
bool zc_cause_report(struct zc_cause *cause, GError *error);

/*
 * Takes @error in the place of the first one: only for a better word on the same event, such as
 * the peer's own reason for a connection that broke.
 */
void zc_cause_replace(struct zc_cause *cause, GError *error);

/* Async-signal-safe and idempotent: ends the session as cancelled. */
void zc_cause_cancel(struct zc_cause *cause);

/* Cheap: for every pass of a loop. */
bool zc_cause_is_set(struct zc_cause *cause);

/*
 * Forgets the error, where the session survives it: no other thread uses the cause.  False, and
 * nothing is forgotten: it was cancelled, and stays so.
 */
bool zc_cause_reset(struct zc_cause *cause);

/* A copy of the first error, or NULL when none was reported. */
GError *zc_cause_copy(struct zc_cause *cause);

#endif
