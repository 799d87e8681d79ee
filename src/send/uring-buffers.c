/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the kernel's table of buffers has one entry a slice, all empty at
 * first.  The index of a slice is that of its buffer.  A region that the kernel
 * refuses once (a file mapped read-only, say) is not tried again; when memory
 * runs out, nothing is.
 */
#include "config.h"

#ifdef HAVE_LIBURING

#include <errno.h>

#include <glib.h>
#include <liburing.h>

#include "send/uring-buffers.h"

#define SLICES_MAX 8192u /* the kernel's table has room for 16384 */
#define SLICE_BYTES_MIN (UINT64_C(2) << 20)
#define PAGE_BYTES 4096u

struct region {
    const uint8_t *memory;
    uint64_t bytes;
    uint32_t first_slice;
    bool refused;
};

struct slice {
    uint32_t region;
    bool registered;
    uint64_t sent_bytes; /* since it is not */
};

struct zc_uring_buffers {
    struct io_uring *ring;
    struct zc_budget *budget;
    uint64_t slice_bytes;
    struct region *regions;
    uint32_t n_regions;
    struct slice *slices;
    uint32_t n_slices;
    uint64_t charged_pages;
    int error;
    bool full; /* of what may be locked */
};

static uint64_t slices_of(uint64_t bytes, uint64_t slice_bytes)
{
    return (bytes + slice_bytes - 1) / slice_bytes;
}

/* The smallest size for which the regions have no more slices than the table. */
static uint64_t choose_slice_bytes(const struct iovec *regions, unsigned int n_regions)
{
    uint64_t slice_bytes = SLICE_BYTES_MIN;
    uint64_t n_slices;

    for (;; slice_bytes *= 2) {
        n_slices = 0;
        for (unsigned int i = 0; i < n_regions; i++) {
            n_slices += slices_of(regions[i].iov_len, slice_bytes);
        }
        if (n_slices <= SLICES_MAX) {
            return slice_bytes;
        }
    }
}

struct zc_uring_buffers *zc_uring_buffers_new(struct io_uring *ring, const struct iovec *regions,
                                              unsigned int n_regions, struct zc_budget *budget)
{
    if (n_regions == 0 || n_regions > SLICES_MAX) {
        return NULL;
    }
    struct zc_uring_buffers *buffers = g_new0(struct zc_uring_buffers, 1);
    buffers->ring = ring;
    buffers->budget = budget;
    buffers->slice_bytes = choose_slice_bytes(regions, n_regions);
    buffers->regions = g_new0(struct region, n_regions);
    buffers->n_regions = n_regions;
    for (uint32_t i = 0; i < n_regions; i++) {
        buffers->regions[i] = (struct region){ .memory = regions[i].iov_base,
                                               .bytes = regions[i].iov_len,
                                               .first_slice = buffers->n_slices };
        buffers->n_slices += (uint32_t)slices_of(regions[i].iov_len, buffers->slice_bytes);
    }
    buffers->slices = g_new0(struct slice, MAX(buffers->n_slices, 1));
    for (uint32_t i = 0; i < n_regions; i++) {
        uint32_t end = i + 1 < n_regions ? buffers->regions[i + 1].first_slice : buffers->n_slices;
        for (uint32_t slice = buffers->regions[i].first_slice; slice < end; slice++) {
            buffers->slices[slice].region = i;
        }
    }
    if (buffers->n_slices == 0 || io_uring_register_buffers_sparse(ring, buffers->n_slices) < 0) {
        zc_uring_buffers_free(buffers);
        return NULL;
    }
    return buffers;
}

void zc_uring_buffers_free(struct zc_uring_buffers *buffers)
{
    if (buffers) {
        zc_budget_give(buffers->budget, (uint32_t)buffers->charged_pages);
        g_free(buffers->regions);
        g_free(buffers->slices);
        g_free(buffers);
    }
}

size_t zc_uring_buffers_part(const struct zc_uring_buffers *buffers, const void *memory,
                             size_t bytes, uint32_t *slice_out)
{
    for (uint32_t i = 0; buffers && i < buffers->n_regions; i++) {
        const struct region *region = &buffers->regions[i];
        uint64_t offset = (uint64_t)((uintptr_t)memory - (uintptr_t)region->memory);
        if ((uintptr_t)memory >= (uintptr_t)region->memory && offset < region->bytes) {
            uint64_t in_slice = buffers->slice_bytes - offset % buffers->slice_bytes;
            *slice_out = region->first_slice + (uint32_t)(offset / buffers->slice_bytes);
            return MIN(MIN(bytes, in_slice), region->bytes - offset);
        }
    }
    return 0;
}

/* What a limit that binds allows: half of it for what stays, the rest for what comes and goes. */
static bool take_charge(struct zc_uring_buffers *buffers, uint64_t pages)
{
    uint64_t limit_bytes = buffers->budget->memlock_bytes;

    if (limit_bytes == ZC_BUDGET_UNLIMITED) {
        return true;
    }
    if ((buffers->charged_pages + pages) * PAGE_BYTES > limit_bytes / 2 ||
        !zc_budget_take(buffers->budget, (uint32_t)pages)) {
        return false;
    }
    buffers->charged_pages += pages;
    return true;
}

static void refuse(struct zc_uring_buffers *buffers, struct region *region, int error)
{
    buffers->error = buffers->error ? buffers->error : error;
    region->refused = true;
    buffers->full = buffers->full || error == -ENOMEM;
}

bool zc_uring_buffers_use(struct zc_uring_buffers *buffers, uint32_t slice)
{
    struct slice *wanted = &buffers->slices[slice];
    struct region *region = &buffers->regions[wanted->region];
    uint64_t offset = (uint64_t)(slice - region->first_slice) * buffers->slice_bytes;
    uint64_t bytes = MIN(buffers->slice_bytes, region->bytes - offset);

    if (wanted->registered || buffers->full || region->refused || wanted->sent_bytes < bytes) {
        return wanted->registered;
    }
    uint64_t pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    if (!take_charge(buffers, pages)) {
        refuse(buffers, region, -ENOMEM);
        return false;
    }
    struct iovec iov = { (void *)(region->memory + offset), bytes };
    __u64 tag = 0;
    int ret = io_uring_register_buffers_update_tag(buffers->ring, slice, &iov, &tag, 1);
    if (ret != 1) {
        refuse(buffers, region, ret < 0 ? ret : -EIO);
        return false;
    }
    wanted->registered = true;
    return true;
}

void zc_uring_buffers_sent(struct zc_uring_buffers *buffers, uint32_t slice, size_t bytes)
{
    buffers->slices[slice].sent_bytes += bytes;
}

int zc_uring_buffers_error(const struct zc_uring_buffers *buffers)
{
    return buffers ? buffers->error : 0;
}

#endif
