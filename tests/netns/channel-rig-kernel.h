/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A channel on a real socket, for the tests in this directory. */
#ifndef ZC_TESTS_NETNS_CHANNEL_H
#define ZC_TESTS_NETNS_CHANNEL_H

#include <string.h>

#include "lib/netns.h"
#include "send/channel.h"

#define PACKET_BYTES (512u * 1024)
#define HEADER_BYTES 1344u

static inline struct zc_channel *open_engine(int fd, enum zc_engine_kind engine, bool stable,
                                             enum zc_zerocopy_mode mode, struct zc_budget *budget)
{
    struct zc_channel_options options = { .mode = mode,
                                          .engine = engine,
                                          .memory_is_stable = stable,
                                          .budget = budget,
                                          .wake_fd = -1 };
    struct zc_channel *channel = zc_channel_new(fd, &zc_net_kernel, &options);

    netns_check(channel, "zc_channel_new");
    return channel;
}

static inline struct zc_channel *open_channel(int fd, enum zc_zerocopy_mode mode,
                                              struct zc_budget *budget)
{
    return open_engine(fd, ZC_ENGINE_AUTO, false, mode, budget);
}

/* One packet: a header of zeros and @bytes of @memory. */
static inline int send_packet(struct zc_channel *channel, uint8_t *memory, size_t bytes,
                              int64_t ms)
{
    struct iovec pages = { memory, bytes };
    uint8_t *header;
    int ret = zc_channel_header(channel, &header, zc_deadline_in(ms));

    if (ret < 0) {
        return ret;
    }
    memset(header, 0, HEADER_BYTES);
    return zc_channel_send(channel, HEADER_BYTES, &pages, 1, zc_deadline_in(ms));
}

#endif
