/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program of ours or of the system's that is run for what it prints.  Should
 * this process die, the kernel tells the child to terminate.
 */
#ifndef ZC_TOOLS_CHILD_H
#define ZC_TOOLS_CHILD_H

#include <gio/gio.h>

#include "tools/lines.h"

struct zc_child {
    GSubprocess *process;
    struct zc_lines out; /* its stdout */
};

/*
 * Starts @argv (a path and its arguments).  Its stderr is ours, or goes nowhere when @silent.
 * @wake_fd: see struct zc_lines.  On failure @child is to be stopped all the same.
 */
gboolean zc_child_start(struct zc_child *child, const char *const *argv, gboolean silent,
                        int wake_fd, GError **error);

/*
 * The child has ended when this returns.  @wanted: it ends by itself and is only waited for;
 * otherwise SIGTERM tells it to, and after five seconds SIGKILL ends it.
 */
void zc_child_stop(struct zc_child *child, gboolean wanted);

#endif
