/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the stores share: giving up one, and making pages resident on kernels
 * with and without MADV_POPULATE_WRITE (Linux 5.14).
 */
#include "config.h"

#include <errno.h>
#include <sys/mman.h>

#include "guest/guest.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

void zc_store_free(struct zc_store *store)
{
    if (store) {
        store->ops->free(store);
    }
}

/* A write of what is there: faults the page in as a write would.  Nobody else writes it now. */
static void touch_pages(uint8_t *host, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += ZC_PAGE_BYTES) {
        volatile uint8_t *byte = host + at;
        *byte = *byte;
    }
}

int zc_store_populate_mapping(uint8_t *host, uint64_t bytes, bool can_touch)
{
    int rc;

    do {
        rc = madvise(host, bytes, MADV_POPULATE_WRITE);
    } while (rc < 0 && errno == EINTR);
    if (rc == 0) {
        return 0;
    }
    if (errno == EINVAL && can_touch) {
        touch_pages(host, bytes);
        return 0;
    }
    return -errno;
}
