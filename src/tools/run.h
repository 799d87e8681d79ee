/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What send and recv do alike once they have a session: run it, show how far
 * it is, take signals, report, and turn the outcome into an exit code.
 */
#ifndef ZC_TOOLS_RUN_H
#define ZC_TOOLS_RUN_H

#include <zcmig/zcmig.h>

#include "tools/options.h"

/* Tells both the tool's and the library's log what -v and -q asked for.  Before the session is
 * made. */
void zc_run_set_verbosity(const struct zc_output *output);

/* Says on stdout where we listen: whoever started us may connect once this line is there. */
void zc_run_announce(const char *address, const struct zc_output *output);

/* Blocks until the session ends.  Returns the exit code; all has been printed. */
int zc_run_session(const char *command, zcmig_session *session, const struct zc_output *output);

/* There is no session because of @error (taken): reports that in the same forms. */
int zc_run_failed(const char *command, const struct zc_output *output, GError *error);

#endif
