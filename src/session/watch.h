/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMU at the other end, watched through its monitor: how far it is while
 * it migrates to here, and, once its guest stands still, what its RAM is.
 *
 *     new --start--> watches --stop--> digest ... --> free
 */
#ifndef ZC_SESSION_WATCH_H
#define ZC_SESSION_WATCH_H

#include "base/cause.h"
#include "guest/qemu.h"
#include "mem/manifest.h"

struct zc_watch;

/* @text: SOCKET[,way=WAY][,pid=PID].  Connects to nothing yet.  ZCMIG_ERROR_USAGE, _FAILED. */
struct zc_watch *zc_watch_new(const char *text, GError **error);
void zc_watch_free(struct zc_watch *watch); /* accepts NULL; stops it */

/*
 * Begins, in a thread of its own.  That it cannot connect, or that QEMU goes away, it reports to
 * @cause, which also ends its waits; borrowed until free.
 */
void zc_watch_start(struct zc_watch *watch, struct zc_cause *cause);

/* Joins the thread.  Idempotent. */
void zc_watch_stop(struct zc_watch *watch);

/* What QEMU said last; status "" before that.  Any thread. */
void zc_watch_get_progress(struct zc_watch *watch, struct zc_qemu_progress *progress_out);

/*
 * After stop: the manifest of the guest's RAM.  *@way_out says how it was read; the caller frees.
 * NULL: as zc_qemu_source_new, or the cause is set.
 */
struct zc_manifest *zc_watch_digest(struct zc_watch *watch, char **way_out, GError **error);

#endif
