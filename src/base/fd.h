/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors as fields: -1 is none. */
#ifndef ZC_BASE_FD_H
#define ZC_BASE_FD_H

#include <unistd.h>

/* Closes *@fd unless it is none, and makes it none. */
static inline void zc_fd_clear(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

#endif
