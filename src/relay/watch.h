/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an epoll event calls: the first member of whatever waits. */
#ifndef ZC_RELAY_WATCH_H
#define ZC_RELAY_WATCH_H

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>

struct zc_watch {
    void (*on_event)(struct zc_watch *watch, uint32_t events);
};

/* From now on, edge-triggered in both directions: 0 or -errno.  Closing @fd ends it. */
static inline int zc_watch_stream(int epoll_fd, int fd, struct zc_watch *watch)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.ptr = watch,
    };

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

#endif
