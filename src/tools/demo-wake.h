/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The demo's signals: SIGINT, SIGTERM and SIGHUP make a descriptor readable, which every wait of
 * the demo looks at, so that what was made is cleaned up.
 */
#ifndef ZC_TOOLS_DEMO_WAKE_H
#define ZC_TOOLS_DEMO_WAKE_H

#include <glib.h>

/* From now on they end nothing by themselves.  Call once. */
gboolean zc_demo_wake_watch(GError **error);

/* Readable from the next signal on. */
int zc_demo_wake_fd(void);

#endif
