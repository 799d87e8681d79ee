/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The channel core: packets out of one connected socket, by copy or by
 * MSG_ZEROCOPY, with every call tracked to its completion.
 *
 * No threads, no globals, no main loop: one thread at a time calls it, with a
 * non-blocking stream socket that is already connected.  Our channel threads
 * and QEMU's multifd threads call the same functions.  It allocates in init
 * only.
 *
 * A packet is a header (ours, from zc_channel_header) and page runs (the
 * caller's memory).  Both leave in one call.  After zc_channel_send the
 * caller's memory is BORROWED: a page may be read by the kernel until the call
 * is completed.  A page may be overwritten meanwhile (the peer may then get
 * either content, so it must be sent again), but must not be unmapped, reused
 * for something else, or relied upon to have been sent as it was, before
 * zc_channel_drain returned 0.  Completion is not delivery.
 *
 * What the channel does when the kernel will not:
 *
 *     ENOBUFS, optmem    wait for own notes, shortly; then copy this packet
 *     ENOBUFS, memlock   wait for own notes, shortly; smaller calls; then copy this packet
 *     COPIED persists    stop asking for zero-copy; probe again after a while (send/pause.h)
 *     no SO_ZEROCOPY     copy from the start, with the reason
 *     peer stalls        -ETIMEDOUT at the caller's deadline
 */
#ifndef ZC_SEND_CHANNEL_H
#define ZC_SEND_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "net/ops.h"
#include "send/budget.h"
#include "send/completion.h"
#include "send/pause.h"

/* Iovecs of a packet: 128 page runs at most, and the header. */
#define ZC_CHANNEL_IOVS_MAX 129
#define ZC_CHANNEL_HEADER_BYTES_MAX 4096

enum zc_engine_kind {
    ZC_ENGINE_AUTO,     /* zero-copy where it works, else copy */
    ZC_ENGINE_COPY,     /* as mode OFF */
    ZC_ENGINE_ZEROCOPY, /* sendmsg with MSG_ZEROCOPY */
    ZC_ENGINE_IO_URING, /* SENDMSG_ZC */
    ZC_ENGINE_SPLICE,   /* vmsplice and splice; send/engine-splice.c says who owns the pages */
};

struct zc_channel_options {
    enum zc_engine_kind engine;
    bool memory_is_stable; /* until the peer said that it has all: what splice over TCP needs */
    enum zc_zerocopy_mode mode;
    /*
     * Memory that io_uring may register: stays mapped to the same pages while the channel lives.
     * The array is read in zc_channel_new only.
     */
    const struct iovec *regions;
    unsigned int n_regions;
    struct zc_budget *budget; /* shared; must outlive the channel */
    int wake_fd;              /* waits end with -ECANCELED when it turns readable; -1: none */
    uint32_t copied_limit;    /* AUTO pauses after this many copied calls in a row; 0: default 8 */
    uint32_t probe_packets;   /* and asks again after this many packets; 0: default 1024 */
    uint32_t first_serial;    /* 0: nobody sent on this socket with MSG_ZEROCOPY before */
};

/* One writer (the channel's thread).  Readers take zc_channel_counters(). */
struct zc_channel_counters {
    struct zc_completion_counts zerocopy;
    uint64_t packets;
    uint64_t wire_bytes;      /* header and payload, as the socket took them */
    uint64_t copy_calls;      /* successful sendmsg without MSG_ZEROCOPY */
    uint64_t copy_bytes;
    uint64_t splice_calls;
    uint64_t splice_bytes;
    uint64_t registered_bytes; /* of zerocopy.bytes, from memory that was pinned beforehand */
    uint64_t enobufs_optmem;  /* times the kernel refused, by cause */
    uint64_t enobufs_memlock;
    uint64_t budget_waits;    /* times the budget was used up by this or another channel */
    uint64_t packets_split;   /* sent in smaller calls because of a limit */
    uint64_t packets_by_copy; /* that zero-copy was wanted for and a limit forbade */
    uint64_t pauses;          /* times zero-copy was given up */
    uint64_t probes;          /* times it was tried again */
    uint64_t drains;
    int64_t drain_ns;         /* time in zc_channel_drain */
    int64_t wait_ns;          /* time waiting for room in the socket or for notes while sending */
    uint64_t in_flight_bytes_max;
    enum zc_zerocopy_state state;
};

struct zc_channel;

/*
 * @fd stays the caller's and must be non-blocking.  Sets SO_ZEROCOPY unless the mode is OFF; where
 * the socket has none, the state says so and everything is copied.  Returns NULL only when
 * @options are out of range.  UNIX sockets have no zero-copy and are never asked.  On vsock
 * sockets (Linux 6.7) one call may get several serial numbers: calls stay small enough to be noted
 * whole, and all memory is free together, when the socket is quiet (send/tally.h); nobody else may
 * make it hold option memory meanwhile.
 */
struct zc_channel *zc_channel_new(int fd, const struct zc_net *net,
                                  const struct zc_channel_options *options);
/* Does not wait: drain first where the memory matters.  Before @fd is closed.  Accepts NULL. */
void zc_channel_free(struct zc_channel *channel);

/*
 * ZC_CHANNEL_HEADER_BYTES_MAX bytes for the next packet's header, page-aligned; they are the
 * caller's until zc_channel_send.  Waits for a note when all are in flight: *@header_out and 0,
 * or -ETIMEDOUT, -ECANCELED, or the socket's error.
 */
int zc_channel_header(struct zc_channel *channel, uint8_t **header_out, zc_deadline deadline);

/*
 * Sends the header (its first @header_bytes) and @pages (up to 128 runs; may be none), all of it.
 * Short sends are continued; notes are collected without waiting.  Returns 0; -ETIMEDOUT at the
 * deadline; -ECANCELED; or the socket's error (-EPIPE, -ECONNRESET, -EFAULT when a page vanished).
 * After a failure the stream is cut in the middle of a packet: the channel is only good to free.
 */
int zc_channel_send(struct zc_channel *channel, size_t header_bytes, const struct iovec *pages,
                    unsigned int n_pages, zc_deadline deadline);

/* Collects the notes that are there.  Never waits.  0 or the socket's error. */
int zc_channel_reap(struct zc_channel *channel);

/*
 * Waits until every call is completed: 0; -ETIMEDOUT, -ECANCELED, or the socket's error, also when
 * the notes came: a peer that has gone is not found out later.
 */
int zc_channel_drain(struct zc_channel *channel, zc_deadline deadline);

/* A copy of the counters.  Any thread may call it; fields are each whole, not all of one moment. */
void zc_channel_counters(struct zc_channel *channel, struct zc_channel_counters *out);

/*
 * "copy", "zerocopy", "io_uring", "splice": what is really used; *@why_not_out says why it is not
 * the one that was asked for, else "".  Static texts.  Any thread.
 */
const char *zc_channel_engine(struct zc_channel *channel, const char **why_not_out);

/*
 * Why memory that was sent again and again could not be registered with io_uring, or "".  Static
 * text.  Any thread.
 */
const char *zc_channel_unregistered(struct zc_channel *channel);

/*
 * "RLIMIT_MEMLOCK, which ...": why packets were copied, the latest reason; "" when they were
 * not.  Static text.  Any thread.
 */
const char *zc_channel_reason(struct zc_channel *channel);

#endif
