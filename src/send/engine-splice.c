/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the header goes by a plain call with MSG_MORE, the pages by reference
 * into a pipe (vmsplice, no gift) and from there into the socket (splice).
 *
 * Who owns the pages: nobody tells when the kernel has done with them, so they
 * are lent until the bytes are seen to have left:
 *
 *     UNIX  SIOCOUTQ counts what the peer has not READ.  At 0 every page is free.
 *     TCP   SIOCOUTQ counts what the peer has not ACKNOWLEDGED.  A peer on another host has copied
 *           it by then.  But where the path hands the page itself over (loopback, veth), it waits
 *           in the peer's receive queue after the ACK, and who overwrites it changes what the
 *           peer reads; a sender cannot see that.  So over TCP the engine opens only for memory
 *           that the caller promises not to change (zc_channel_options.memory_is_stable).
 *
 * A pipe that is not empty holds the next bytes of the packet: nothing but
 * splice may send until it is empty.
 */
#include "config.h"

#include <errno.h>

#include "send/channel-internal.h"

#define PIPE_BYTES (1 << 20) /* 256 pages; what an unprivileged user may ask for */
#define DRAIN_NAP_MS_MAX 16

struct splice_state {
    int pipe[2];
    size_t piped_bytes;
    bool lent; /* spliced since SIOCOUTQ was last seen to be 0 */
};

static enum zc_channel_reason splice_open(struct zc_channel *channel,
                                          const struct zc_channel_options *options)
{
    int domain = zc_channel_domain(channel);
    int fds[2];

    if (!zc_channel_is_stream(channel) ||
        (domain != AF_UNIX && domain != AF_INET && domain != AF_INET6)) {
        return ZC_REASON_SPLICE_SOCKET;
    }
    if (domain != AF_UNIX && !options->memory_is_stable) {
        return ZC_REASON_SPLICE_TCP;
    }
    if (channel->net->ops->pipe(channel->net->ctx, fds, PIPE_BYTES) < 0) {
        return ZC_REASON_SPLICE_PIPE;
    }
    struct splice_state *state = g_new0(struct splice_state, 1);
    state->pipe[0] = fds[0];
    state->pipe[1] = fds[1];
    channel->engine_state = state;
    return ZC_REASON_NONE;
}

static void splice_close(struct zc_channel *channel)
{
    struct splice_state *state = channel->engine_state;

    channel->net->ops->close(channel->net->ctx, state->pipe[0]);
    channel->net->ops->close(channel->net->ctx, state->pipe[1]);
    g_free(state);
}

/* Puts pages of the packet into the empty pipe: 0 or -errno. */
static int fill_pipe(struct zc_channel *channel)
{
    struct splice_state *state = channel->engine_state;
    const struct zc_channel_packet *packet = &channel->packet;
    ssize_t taken =
        channel->net->ops->vmsplice(channel->net->ctx, state->pipe[1], &packet->iovs[packet->first],
                                    packet->n_iovs - packet->first);

    if (taken <= 0) {
        return taken == 0 ? -EIO : (int)taken;
    }
    state->piped_bytes = (size_t)taken;
    return 0;
}

static ssize_t splice_send(struct zc_channel *channel)
{
    struct splice_state *state = channel->engine_state;
    struct zc_channel_packet *packet = &channel->packet;
    struct zc_channel_counters *counters = &channel->own.counters;

    if (packet->header_bytes > 0) {
        return zc_channel_copy(channel, packet->header_bytes, MSG_MORE);
    }
    if (state->piped_bytes == 0) {
        int ret = fill_pipe(channel);
        if (ret == -ENOMEM || ret == -EAGAIN) { /* nothing is piped: this packet goes by copy */
            packet->zerocopy = false;
            packet->limited = true;
            return 0;
        }
        if (ret < 0) {
            return ret;
        }
    }
    ssize_t sent =
        channel->net->ops->splice(channel->net->ctx, state->pipe[0], channel->fd,
                                  state->piped_bytes, state->piped_bytes < packet->remaining_bytes);
    if (sent <= 0) {
        return sent == 0 ? -EIO : sent;
    }
    state->piped_bytes -= (size_t)sent;
    state->lent = true;
    counters->splice_calls++;
    counters->splice_bytes += (uint64_t)sent;
    zc_channel_advance(channel, (size_t)sent);
    return sent;
}

static int splice_reap(struct zc_channel *channel)
{
    (void)channel;
    return 0;
}

/* Nothing wakes us when SIOCOUTQ falls, so it is looked at less and less often. */
static int splice_drain(struct zc_channel *channel, zc_deadline deadline)
{
    struct splice_state *state = channel->engine_state;
    int ret = 0;

    for (int ms = 1; ret == 0 && state->lent; ms = MIN(ms * 2, DRAIN_NAP_MS_MAX)) {
        int unsent = 0;
        ret = channel->net->ops->unsent(channel->net->ctx, channel->fd, &unsent);
        if (ret == 0 && unsent == 0) {
            state->lent = false;
            break;
        }
        ret = ret < 0 ? zc_channel_fail(channel, ret) : zc_channel_socket_error(channel);
        ret = ret == 0 ? zc_channel_nap(channel, ms, deadline) : ret;
    }
    return ret;
}

const struct zc_engine zc_engine_splice = {
    .name = "splice",
    .open = splice_open,
    .close = splice_close,
    .send = splice_send,
    .reap = splice_reap,
    .drain = splice_drain,
};
