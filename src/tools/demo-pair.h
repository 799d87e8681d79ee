/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two processes of this very program, `zcmig recv` and `zcmig send`, which
 * move something on this host, and what each of them reported.
 */
#ifndef ZC_TOOLS_DEMO_PAIR_H
#define ZC_TOOLS_DEMO_PAIR_H

#include <glib.h>
#include <json-glib/json-glib.h>

struct zc_demo_pair_options {
    const char *listen;              /* URI */
    const char *const *recv_options; /* NULL-terminated */
    const char *source;              /* URI */
    const char *const *send_options;
    /* each line of the sender's progress; NULL: none is asked for */
    void (*progress)(JsonObject *progress, void *data);
    void *data;
    int wake_fd; /* an eventfd; readable cancels, and readable again does not wait for that */
    unsigned int timeout_s;
};

struct zc_demo_pair {
    JsonObject *send; /* their reports, as docs describe them for --json; NULL: none came */
    JsonObject *recv;
};

/*
 * Both have ended when this returns.  What they reported is in *@pair_out also when it failed:
 * clear it in any case.  Errors: their own codes and words, and those of waiting; of both ends'
 * errors the one that says more.
 */
gboolean zc_demo_pair_run(const struct zc_demo_pair_options *options, struct zc_demo_pair *pair_out,
                          GError **error);
void zc_demo_pair_clear(struct zc_demo_pair *pair);

#endif
