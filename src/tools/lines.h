/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of text from a pipe or socket, each awaited until a deadline, and no
 * longer than until somebody interrupts.  For talking to child processes.
 */
#ifndef ZC_TOOLS_LINES_H
#define ZC_TOOLS_LINES_H

#include <stdint.h>

#include <glib.h>

#define ZC_LINE_BYTES_MAX (1u << 20)

struct zc_lines {
    int fd;      /* owned */
    int wake_fd; /* borrowed, or -1: readable means interrupted */
    GString *pending;
};

/* Takes @fd, which is made non-blocking. */
void zc_lines_init(struct zc_lines *lines, int fd, int wake_fd);
void zc_lines_clear(struct zc_lines *lines); /* closes; idempotent after zc_lines_init */

/*
 * The next line without its end, to be freed with g_free.  @deadline_us is on
 * g_get_monotonic_time(). NULL: ZCMIG_ERROR_TIMEOUT, ZCMIG_ERROR_CANCELLED (interrupted),
 * ZCMIG_ERROR_DISCONNECTED (end of stream; what came after the last line end is lost),
 * ZCMIG_ERROR_LIMIT (a line over ZC_LINE_BYTES_MAX).  @what is named in them.
 */
char *zc_lines_next(struct zc_lines *lines, int64_t deadline_us, const char *what, GError **error);

#endif
