/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two processes of this very program, `zcmig recv` and `zcmig send`, which
 * move one image over TCP on this host, and what each of them reported.
 */
#ifndef ZC_TOOLS_DEMO_PAIR_H
#define ZC_TOOLS_DEMO_PAIR_H

#include <glib.h>
#include <json-glib/json-glib.h>

struct zc_demo_pair_options {
    const char *image;  /* what is sent */
    const char *output; /* what recv writes; must not exist */
    unsigned int channels;
    int wake_fd; /* readable ends it with ZCMIG_ERROR_CANCELLED */
    unsigned int timeout_s;
};

struct zc_demo_pair {
    JsonObject *send; /* their reports, as docs describe them for --json */
    JsonObject *recv;
};

/* Both have ended when this returns.  Errors: their own codes and words, and those of waiting. */
gboolean zc_demo_pair_run(const struct zc_demo_pair_options *options, struct zc_demo_pair *pair_out,
                          GError **error);
void zc_demo_pair_clear(struct zc_demo_pair *pair);

#endif
