/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals while a session runs.  SIGINT and SIGTERM cancel it, and a second
 * one kills; SIGUSR1 asks for a status line; SIGPIPE is an error of the write
 * that caused it.  One session at a time in a process.
 */
#ifndef ZC_TOOLS_SIGNALS_H
#define ZC_TOOLS_SIGNALS_H

#include <stdbool.h>

/*
 * From now on the signals mean @session, which @cancel cancels, async-signal-safe.  It must outlive
 * zc_signals_release().
 */
void zc_signals_watch(void (*cancel)(void *session), void *session);

/* The signals mean no session any more; a signal that comes later kills. */
void zc_signals_release(void);

/* Whether SIGUSR1 came since the last call. */
bool zc_signals_take_status_request(void);

#endif
