/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a session is, while it runs: a bar on a terminal, lines of JSON for a
 * program, one line for whoever sends SIGUSR1.  One thread polls the session's
 * figures; it never holds the session up, and a reader that does not read only
 * misses lines.
 */
#ifndef ZC_TOOLS_PROGRESS_H
#define ZC_TOOLS_PROGRESS_H

#include <json-glib/json-glib.h>

#include <zcmig/zcmig.h>

#include "tools/options.h"

struct zc_progress;

/* What is shown.  All three are called by the thread of the progress. */
struct zc_progress_view {
    uint64_t (*fetch)(void *data); /* new figures; returns the bytes that the rate is of */
    char *(*format)(void *data, double rate, unsigned int width); /* a line; freed with g_free */
    void (*add_json)(void *data, JsonBuilder *builder, int64_t elapsed_us, double rate);
};

struct zc_progress_session {
    zcmig_session *session;
    struct zcmig_stats stats;
};
extern const struct zc_progress_view zc_progress_session_view; /* of that */

/* @data and @output must outlive zc_progress_stop(). */
struct zc_progress *zc_progress_start(const struct zc_progress_view *view, void *data,
                                      const struct zc_output *output);

/* Writes the last line of JSON, takes the bar off the terminal, joins the thread. */
void zc_progress_stop(struct zc_progress *progress);

/*
 * One line of at most @width columns, without a newline; the parts that do not fit are left out,
 * the least important first.  @rate is in bytes of RAM a second, 0 when not yet known.
 * The caller frees.
 */
char *zc_progress_format(const struct zcmig_stats *stats, double rate, unsigned int width);

/* Columns of the terminal that stderr is, less the one that the cursor needs. */
unsigned int zc_progress_terminal_width(void);

#endif
