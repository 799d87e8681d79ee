/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>

#include "send/channel-internal.h"
#include "send/errqueue.h"

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60 /* Linux 4.14 */
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

/* Sets the limits of calls on a vsock socket, whose option memory has to tell when it is quiet. */
static enum zc_channel_reason prepare_vsock(struct zc_channel *channel)
{
    if (zc_channel_optmem(channel) != 0) { /* somebody else's, or it is not told */
        return ZC_REASON_VSOCK;
    }
    channel->call_bytes_max = ZC_CHANNEL_VSOCK_CALL_BYTES;
    channel->call_pages_max = ZC_CHANNEL_VSOCK_CALL_PAGES;
    return ZC_REASON_NONE;
}

enum zc_channel_reason zc_channel_ask_zerocopy(struct zc_channel *channel)
{
    const struct zc_net *net = channel->net;
    int domain = zc_channel_domain(channel);
    int one = 1;

    if (domain == AF_UNIX) {
        return ZC_REASON_UNIX;
    }
    if (net->ops->setsockopt(net->ctx, channel->fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) <
        0) {
        return ZC_REASON_NOT_SUPPORTED;
    }
    return domain == AF_VSOCK ? prepare_vsock(channel) : ZC_REASON_NONE;
}

static enum zc_channel_reason zerocopy_open(struct zc_channel *channel,
                                            const struct zc_channel_options *options)
{
    enum zc_channel_reason reason = zc_channel_ask_zerocopy(channel);

    channel->tallies = reason == ZC_REASON_NONE && zc_channel_domain(channel) == AF_VSOCK;
    zc_tally_init(&channel->tally, options->first_serial);
    return reason;
}

static ssize_t zerocopy_call(struct zc_channel *channel, size_t bytes)
{
    ssize_t sent = zc_channel_sendmsg(channel, bytes, MSG_ZEROCOPY);

    /* Where TCP says that a limit is reached, vsock says that there is no memory. */
    return sent == -ENOMEM && channel->tallies ? -ENOBUFS : sent;
}

static int zerocopy_reap(struct zc_channel *channel)
{
    struct zc_note note;
    int messages = 0;

    for (;;) {
        int ret = zc_errqueue_read(channel->net, channel->fd, &note);
        if (ret == -EAGAIN) {
            return messages;
        }
        if (ret > 0) {
            ret = zc_channel_note(channel, note.lo, note.hi,
                                  note.copied ? ZC_COPIED_YES : ZC_COPIED_NO);
        }
        if (ret < 0) {
            return ret;
        }
        messages++;
    }
}

const struct zc_engine zc_engine_zerocopy = {
    .name = "zerocopy",
    .uses_optmem = true,
    .open = zerocopy_open,
    .send = zc_channel_call_zerocopy,
    .call = zerocopy_call,
    .reap = zerocopy_reap,
};
