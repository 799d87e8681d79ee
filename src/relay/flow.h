/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One direction of one connection: bytes from one socket to another, through a
 * pipe that only carries references to them (splice), or through a buffer where
 * the kernel cannot splice, or somebody wants to see the bytes.
 *
 *     flowing --end of stream--> ended --held bytes written--> shut (passed on, SHUT_WR)
 *
 * Holds at most ZC_FLOW_BYTES.  Of a stream in bulk it gathers a burst, up to a
 * millisecond, before it passes anything on.  One thread.  Never blocks.
 */
#ifndef ZC_RELAY_FLOW_H
#define ZC_RELAY_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <glib.h>

#include "net/ops.h"

#define ZC_FLOW_BYTES (1u << 20)

/* Sees what came, in order, before it is passed on. */
typedef void (*zc_flow_tap)(void *data, const uint8_t *bytes, size_t length);

struct zc_flow {
    /* set before the first move */
    const struct zc_net *net;
    int from; /* borrowed, non-blocking */
    int to;
    zc_flow_tap tap; /* NULL: nobody looks */
    void *tap_data;
    /* what is on the way */
    int pipe[2];
    size_t in_pipe;
    uint8_t *buffer;
    size_t in_buffer;
    size_t buffer_start;
    int64_t due_ns; /* what is gathered is passed on then; 0: nothing waits */
    bool passes;    /* what is held goes out before anything is taken */
    bool copies;
    bool ended;
    bool shut;
    bool paused;   /* takes nothing: set by the owner */
    bool discards; /* passes nothing on */
    /* counts */
    uint64_t bytes; /* passed on */
    uint64_t spliced_bytes;
    uint64_t copied_bytes;
    uint64_t calls; /* that passed something on */
    uint64_t lost_bytes; /* taken, and refused by a receiver that needed no more */
    const char *why_copied; /* "" */
};

/* @why_copied: "" to splice; otherwise the reason for not even trying. */
void zc_flow_init(struct zc_flow *flow, const struct zc_net *net, int from, int to,
                  const char *why_copied);
void zc_flow_clear(struct zc_flow *flow);

enum zc_flow_side {
    ZC_FLOW_FROM,
    ZC_FLOW_TO,
};

/*
 * Moves about @budget bytes at most, until one socket would block: *@readable or *@writable turns
 * false then.  Returns the bytes that were taken or passed on, or -errno of the socket that
 * *@side_out names.
 */
ssize_t zc_flow_move(struct zc_flow *flow, bool *readable, bool *writable, size_t budget,
                     enum zc_flow_side *side_out);

/* Taken and not yet passed on. */
size_t zc_flow_held(const struct zc_flow *flow);

/* When to call zc_flow_move() again, although no socket has an event; 0: no need. */
int64_t zc_flow_due_ns(const struct zc_flow *flow);

/*
 * The receiver takes no more: what is held and what still comes is thrown away, to the end of the
 * stream, and counted as lost.
 */
void zc_flow_abandon(struct zc_flow *flow);

#endif
