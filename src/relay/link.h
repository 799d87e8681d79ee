/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One connection of a session: a socket to the source, one to the destination,
 * and a flow in each direction between them.
 *
 *     open --both flows passed on their end of stream--> done
 *       `--reset, or refused what it should take--> the session is broken off
 */
#ifndef ZC_RELAY_LINK_H
#define ZC_RELAY_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "relay/flow.h"
#include "relay/watch.h"

#define ZC_LINK_MAIN (-1)

enum zc_link_end {
    ZC_LINK_SOURCE,
    ZC_LINK_DESTINATION,
    ZC_LINK_N_ENDS,
};

struct zc_link;

struct zc_link_socket {
    struct zc_watch watch;
    struct zc_link *link;
    int fd; /* owned */
    bool readable;
    bool writable;
};

struct zc_link {
    int channel; /* ZC_LINK_MAIN, or its number */
    bool ready;  /* something can be done since the last move */
    bool done;
    struct zc_link_socket ends[ZC_LINK_N_ENDS];
    struct zc_flow flows[ZC_LINK_N_ENDS]; /* by the end that they come from */
};

/*
 * Takes both descriptors.  @why_copied: see zc_flow_init, for what the source sends.  @buffer_bytes:
 * of the socket that sends on to the destination; 0: what the kernel thinks right.  Returns NULL,
 * with both closed, when the kernel does not let them be watched.
 */
struct zc_link *zc_link_new(int epoll_fd, int channel, int source_fd, int destination_fd,
                            const char *why_copied, uint64_t buffer_bytes, GError **error);
void zc_link_free(struct zc_link *link); /* closes, in an orderly way; accepts NULL */

/* Moves what can be moved; returns the bytes, or -1: broken off, by whom is in @error. */
ssize_t zc_link_move(struct zc_link *link, GError **error);

/* When to move it although it is not ready; 0: no need. */
int64_t zc_link_due_ns(const struct zc_link *link);

/* Closes both ends by a reset, where the family has one: neither may take this for the end. */
void zc_link_reset(struct zc_link *link);

/* "the main stream", "channel 3". The caller frees. */
char *zc_link_name(const struct zc_link *link);

#endif
