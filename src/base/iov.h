/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of pieces of memory that a call takes a part of. */
#ifndef ZC_BASE_IOV_H
#define ZC_BASE_IOV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Takes @n bytes off the front of the *@n_iov pieces at *@iov, and those that are then empty. */
static inline void zc_iov_advance(struct iovec **iov, unsigned int *n_iov, size_t n)
{
    while (n > 0 && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        (*n_iov)--;
    }
    if (n > 0) {
        (*iov)->iov_base = (uint8_t *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
}

#endif
