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

/* Asks the socket for zero-copy, unless it is of a kind that is known not to have it. */
static enum zc_channel_reason zerocopy_open(struct zc_channel *channel,
                                            const struct zc_channel_options *options)
{
    const struct zc_net *net = channel->net;
    int one = 1;

    (void)options;
    switch (zc_channel_domain(channel)) {
    case AF_UNIX:
        return ZC_REASON_UNIX;
    case AF_VSOCK:
        return ZC_REASON_VSOCK;
    default:
        break;
    }
    return net->ops->setsockopt(net->ctx, channel->fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) <
                   0
               ? ZC_REASON_NOT_SUPPORTED
               : ZC_REASON_NONE;
}

static ssize_t zerocopy_call(struct zc_channel *channel, size_t bytes)
{
    return zc_channel_sendmsg(channel, bytes, MSG_ZEROCOPY);
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
