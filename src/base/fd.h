/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors as fields: -1 is none. */
#ifndef ZC_BASE_FD_H
#define ZC_BASE_FD_H

#include <sys/socket.h>
#include <unistd.h>

/* Closes *@fd unless it is none, and makes it none. */
static inline void zc_fd_clear(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* The same of a socket, whose peer gets none of what is still on its way. */
static inline void zc_fd_reset(int *fd)
{
    const struct linger hard = { .l_onoff = 1, .l_linger = 0 };

    if (*fd >= 0) {
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        zc_fd_clear(fd);
    }
}

#endif
