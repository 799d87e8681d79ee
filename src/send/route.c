/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>

#include "net/io.h"
#include "send/route.h"
#include "wire/multifd.h"

static int socket_drain(struct zc_channel *channel, int fd, bool has_pages, int wake_fd,
                        zc_deadline deadline)
{
    (void)fd;
    (void)has_pages;
    (void)wake_fd;
    return zc_channel_drain(channel, deadline);
}

const struct zc_route zc_route_socket = {
    .drains = "draining completions",
    .has_payload = true,
    .may_zerocopy = true,
    .drain = socket_drain,
};

static int pull_drain(struct zc_channel *channel, int fd, bool has_pages, int wake_fd,
                      zc_deadline deadline)
{
    uint8_t answer = ZC_MULTIFD_PULL_ACK;
    ssize_t n = has_pages ? zc_io_read_some(fd, &answer, 1, deadline, wake_fd) : 1;

    if (n <= 0) {
        return n < 0 ? (int)n : -EPIPE;
    }
    return answer == ZC_MULTIFD_PULL_ACK ? zc_channel_drain(channel, deadline) : -EBADMSG;
}

#define LISTS_AHEAD 4 /* that a destination has at hand while the sender wakes up for the next */

const struct zc_route zc_route_pull = {
    .drains = "waiting until the destination has fetched what was listed",
    .normal_flags = ZC_MULTIFD_PULL,
    .queue_bytes = LISTS_AHEAD * ZC_MULTIFD_HEADER_BYTES,
    .drain = pull_drain,
};
