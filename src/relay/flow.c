/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the pipe is filled, then written out until it is empty, in turn.  It
 * costs nothing: while it is written out the sockets' own buffers fill and drain.
 *
 * What splicing into TCP costs is not the bytes but waking the receiver, which
 * over the same host is done in our time.  It sleeps as soon as it has caught up,
 * and a UNIX socket hands over 200 KiB at most at a time: a receiver would be
 * woken thousands of times a GiB.  So a fill in bulk, of BULK_BYTES and
 * more, waits up to a millisecond until it is a burst.  Less than that is nobody's
 * bulk and never waits: calls, replies, the way back.
 *
 * EAGAIN means that the socket has nothing only where the pipe has a free slot.
 * Before a fill waits the pipe is asked; any other EAGAIN is believed of an empty
 * pipe alone.
 *
 * A pipe has 256 slots, and a slot holds one fragment of a socket buffer, of
 * any size up to 32 KiB.  So a fill is bounded in bytes, not only in slots.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "relay/flow.h"

#define BULK_BYTES (128u << 10)
#define BURST_BYTES (768u << 10)
#define GATHER_NS ZC_NS_PER_MS

void zc_flow_init(struct zc_flow *flow, const struct zc_net *net, int from, int to,
                  const char *why_copied)
{
    *flow = (struct zc_flow){
        .net = net,
        .from = from,
        .to = to,
        .pipe = { -1, -1 },
        .copies = *why_copied != '\0',
        .why_copied = why_copied,
    };
}

void zc_flow_clear(struct zc_flow *flow)
{
    zc_fd_clear(&flow->pipe[0]);
    zc_fd_clear(&flow->pipe[1]);
    g_clear_pointer(&flow->buffer, g_free);
}

size_t zc_flow_held(const struct zc_flow *flow)
{
    return flow->in_pipe + flow->in_buffer;
}

static void copy_from_now_on(struct zc_flow *flow, const char *why)
{
    flow->copies = true;
    flow->why_copied = why;
}

/* ------------------------------------------------------------------- taking */

static uint8_t *ensure_buffer(struct zc_flow *flow)
{
    if (!flow->buffer) {
        flow->buffer = g_malloc(ZC_FLOW_BYTES);
    }
    return flow->buffer;
}

/* Into the pipe: bytes, 0 at the end, -errno; -EINVAL: the kernel cannot. */
static ssize_t take_by_splice(struct zc_flow *flow)
{
    if (flow->pipe[0] < 0 &&
        flow->net->ops->pipe(flow->net->ctx, flow->pipe, (int)ZC_FLOW_BYTES) < 0) {
        flow->pipe[0] = flow->pipe[1] = -1;
        copy_from_now_on(flow, "no pipe could be had");
        return -EINVAL;
    }
    ssize_t n = flow->net->ops->splice_in(flow->net->ctx, flow->from, flow->pipe[1],
                                          ZC_FLOW_BYTES - flow->in_pipe);
    if (n > 0) {
        flow->in_pipe += (size_t)n;
    } else if (n == -EINVAL && flow->in_pipe == 0) {
        copy_from_now_on(flow, "the kernel does not splice from this kind of socket");
    }
    return n;
}

static ssize_t take_by_copy(struct zc_flow *flow)
{
    struct iovec iov = { ensure_buffer(flow), ZC_FLOW_BYTES };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n = flow->net->ops->recvmsg(flow->net->ctx, flow->from, &message, MSG_DONTWAIT);

    if (n > 0) {
        flow->in_buffer = (size_t)n;
        flow->buffer_start = 0;
        if (flow->tap) {
            flow->tap(flow->tap_data, flow->buffer, (size_t)n);
        }
    }
    return n;
}

static ssize_t take(struct zc_flow *flow)
{
    ssize_t n = flow->copies ? -EINVAL : take_by_splice(flow);

    return n == -EINVAL && flow->copies ? take_by_copy(flow) : n;
}

/* -------------------------------------------------------------- passing on */

static ssize_t pass_by_copy(struct zc_flow *flow)
{
    if (flow->in_buffer == 0) { /* what the kernel took and does not give */
        ssize_t n = read(flow->pipe[0], ensure_buffer(flow), ZC_FLOW_BYTES);
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        flow->in_pipe -= (size_t)n;
        flow->in_buffer = (size_t)n;
        flow->buffer_start = 0;
    }
    struct iovec iov = { flow->buffer + flow->buffer_start, flow->in_buffer };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n = flow->net->ops->sendmsg(flow->net->ctx, flow->to, &message,
                                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
        flow->buffer_start += (size_t)n;
        flow->in_buffer -= (size_t)n;
        flow->copied_bytes += (uint64_t)n;
    }
    return n;
}

static ssize_t pass(struct zc_flow *flow)
{
    ssize_t n = -EINVAL;

    if (!flow->copies) {
        n = flow->net->ops->splice(flow->net->ctx, flow->pipe[0], flow->to, flow->in_pipe, false);
        if (n > 0) {
            flow->in_pipe -= (size_t)n;
            flow->spliced_bytes += (uint64_t)n;
        } else if (n == -EINVAL) {
            copy_from_now_on(flow, "the kernel does not splice into this kind of socket");
        }
    }
    if (n == -EINVAL && flow->copies) {
        n = pass_by_copy(flow);
    }
    if (n > 0) {
        flow->bytes += (uint64_t)n;
        flow->calls++;
    }
    return n;
}

void zc_flow_abandon(struct zc_flow *flow)
{
    flow->lost_bytes += zc_flow_held(flow);
    flow->in_pipe = flow->in_buffer = 0;
    zc_fd_clear(&flow->pipe[0]);
    zc_fd_clear(&flow->pipe[1]);
    flow->copies = flow->discards = true;
}

/* The end of the stream, once nothing is before it.  A socket that is gone needs no telling. */
static void pass_end(struct zc_flow *flow)
{
    if (!flow->discards) {
        shutdown(flow->to, SHUT_WR);
    }
    flow->shut = true;
}

/* ------------------------------------------------------------------- moving */

static bool pipe_has_slot(const struct zc_flow *flow)
{
    struct pollfd pollfd = { .fd = flow->pipe[1], .events = POLLOUT };

    return flow->net->ops->poll(flow->net->ctx, &pollfd, 1, 0) == 1 && (pollfd.revents & POLLOUT);
}

/* Nothing more came, or nothing more fits: whether to wait for more before passing this on. */
static bool waits_for_burst(struct zc_flow *flow)
{
    if (flow->in_pipe < BULK_BYTES) {
        return false;
    }
    int64_t now_ns = flow->net->ops->now_ns(flow->net->ctx);
    if (flow->due_ns == 0) {
        flow->due_ns = now_ns + GATHER_NS;
    }
    return now_ns < flow->due_ns && pipe_has_slot(flow);
}

static bool takes_next(struct zc_flow *flow)
{
    if (zc_flow_held(flow) == 0) {
        flow->passes = false;
        flow->due_ns = 0;
    } else if (flow->copies || flow->ended || flow->paused || flow->in_pipe >= BURST_BYTES ||
               (flow->due_ns && flow->net->ops->now_ns(flow->net->ctx) >= flow->due_ns)) {
        flow->passes = true;
    }
    return !flow->passes;
}

int64_t zc_flow_due_ns(const struct zc_flow *flow)
{
    return flow->passes ? 0 : flow->due_ns;
}

/* What did not move bytes: false when the flow has to wait, or failed. */
static bool settle(struct zc_flow *flow, bool takes, ssize_t n, bool *can)
{
    if (n == 0 && takes) {
        flow->ended = true;
    } else if (takes && zc_flow_held(flow) > 0 && !waits_for_burst(flow)) {
        flow->passes = true;
    } else {
        *can = false;
    }
    return n == 0 || n == -EAGAIN;
}

ssize_t zc_flow_move(struct zc_flow *flow, bool *readable, bool *writable, size_t budget,
                     enum zc_flow_side *side_out)
{
    size_t moved = 0;

    while (moved < budget && !flow->shut) {
        bool takes = takes_next(flow);
        bool *can = takes ? readable : writable;
        if (takes && flow->ended) {
            pass_end(flow);
            break;
        }
        if (!*can || (takes && flow->paused)) {
            break;
        }
        ssize_t n = takes ? take(flow) : pass(flow);
        if (n > 0) {
            moved += (size_t)n;
            if (flow->discards) {
                zc_flow_abandon(flow);
            }
        } else if (!settle(flow, takes, n, can)) {
            *side_out = takes ? ZC_FLOW_FROM : ZC_FLOW_TO;
            return n;
        }
    }
    return (ssize_t)moved;
}
