/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: userfaultfd in async mode lets the kernel take the protection off by
 * itself when a protected page is written; PAGEMAP_SCAN lists pages without
 * protection and, with PM_SCAN_WP_MATCHING, protects them in the same walk,
 * under the page table's lock.  So there is no moment at which a page is
 * neither told nor protected.  The list is fixed in size: when it is full the
 * call says how far it came (what is beyond is neither told nor protected).  It
 * may say less than that: Linux 6.18 tells how far it was when its own buffer of
 * 512 regions was full, also when it got to the end then.  Going on there finds
 * nothing where pages were protected, and the same again where they were not.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>

#include "base/error.h"
#include "guest/track-uffd.h"
#include "guest/track.h"

#ifndef PAGEMAP_SCAN /* include/uapi/linux/fs.h of 6.7 */
struct page_region {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};

struct pm_scan_arg {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t vec;
    uint64_t vec_len;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
};

#define PAGE_IS_WRITTEN (1 << 1)
#define PM_SCAN_WP_MATCHING (1 << 0)   /* protect what is listed */
#define PM_SCAN_CHECK_WPASYNC (1 << 1) /* EPERM where the range is not registered */
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif

#define REGIONS 4096u /* 96 KiB; a walk goes on where the list was full */

static const struct zc_tracker_ops scan_ops;

struct track_scan {
    struct zc_tracker base;
    struct zc_uffd uffd;
    int pagemap_fd;
    struct page_region regions[REGIONS];
};

static void scan_free(struct zc_tracker *tracker)
{
    struct track_scan *scan = (struct track_scan *)tracker;

    zc_uffd_close(&scan->uffd);
    if (scan->pagemap_fd >= 0) {
        close(scan->pagemap_fd);
    }
    g_free(scan);
}

static bool open_pagemap(struct track_scan *scan, GError **error)
{
    struct pm_scan_arg nothing = { .size = sizeof(nothing) };

    scan->pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (scan->pagemap_fd < 0) {
        return zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, errno,
                              "tracker scan: /proc/self/pagemap cannot be opened");
    }
    if (ioctl(scan->pagemap_fd, PAGEMAP_SCAN, &nothing) < 0 && errno == ENOTTY) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "tracker scan: this kernel has no PAGEMAP_SCAN");
    }
    return true;
}

struct zc_tracker *zc_track_scan_new(GError **error)
{
    struct track_scan *scan = g_new0(struct track_scan, 1);

    scan->base.ops = &scan_ops;
    scan->pagemap_fd = -1;
    if (!zc_uffd_open(&scan->uffd,
                      UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_ASYNC |
                          UFFD_FEATURE_WP_UNPOPULATED,
                      UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "tracker scan", error) ||
        !open_pagemap(scan, error)) {
        scan_free(&scan->base);
        return NULL;
    }
    return &scan->base;
}

static uint64_t take_regions(const struct track_scan *scan, int n_regions,
                             const struct zc_block *block, struct zc_bitmap *dirty)
{
    uint64_t n_pages = 0;

    for (int i = 0; i < n_regions; i++) {
        const struct page_region *region = &scan->regions[i];
        uint64_t first = (region->start - (uintptr_t)block->host) / ZC_PAGE_BYTES;
        uint64_t n = (region->end - region->start) / ZC_PAGE_BYTES;
        zc_bitmap_set_range(dirty, first, n);
        n_pages += n;
    }
    return n_pages;
}

/* For the pages of @asked that were written. */
static struct pm_scan_arg scan_of(const struct track_scan *scan, const struct zc_range *asked)
{
    const struct zc_ram *ram = scan->base.ram;
    struct zc_range range = zc_uffd_widen(&scan->uffd, ram, asked);
    uint64_t start = (uintptr_t)ram->blocks[range.block].host + range.first_page * ZC_PAGE_BYTES;

    return (struct pm_scan_arg){
        .size = sizeof(struct pm_scan_arg),
        .flags = PM_SCAN_CHECK_WPASYNC,
        .start = start,
        .end = start + (uint64_t)range.n_pages * ZC_PAGE_BYTES,
        .category_mask = PAGE_IS_WRITTEN,
        .return_mask = PAGE_IS_WRITTEN,
    };
}

/* Goes on where @arg starts.  Regions that were listed, or -errno. */
static int scan_on(const struct track_scan *scan, struct pm_scan_arg *arg)
{
    int n_regions = ioctl(scan->pagemap_fd, PAGEMAP_SCAN, arg);

    if (n_regions < 0) {
        return -errno;
    }
    if (arg->walk_end <= arg->start) {
        return -EIO; /* no progress: the mapping changed its granule under us */
    }
    arg->start = arg->walk_end;
    return n_regions;
}

/* Without a list, for no @dirty, the kernel only counts. */
static int64_t scan_range(struct zc_tracker *tracker, const struct zc_range *asked,
                          struct zc_bitmap *dirty, uint64_t flags)
{
    struct track_scan *scan = (struct track_scan *)tracker;
    struct pm_scan_arg arg = scan_of(scan, asked);
    int64_t n_pages = 0;

    arg.flags |= flags;
    arg.vec = dirty ? (uintptr_t)scan->regions : 0;
    arg.vec_len = dirty ? REGIONS : 0;
    while (arg.start < arg.end) {
        int n_regions = scan_on(scan, &arg);
        if (n_regions < 0) {
            return n_regions;
        }
        if (dirty) {
            n_pages +=
                (int64_t)take_regions(scan, n_regions, &tracker->ram->blocks[asked->block], dirty);
        }
    }
    return n_pages;
}

/*
 * A walk that asks for no category and fills no list protects every page, also those that are not
 * there yet.  With pages of 4 KiB it takes half of the time of UFFDIO_WRITEPROTECT (6.18).
 */
static int protect_block(const struct track_scan *scan, uint32_t index)
{
    const struct zc_block *block = &scan->base.ram->blocks[index];
    struct pm_scan_arg arg = {
        .size = sizeof(arg),
        .flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
        .start = (uintptr_t)block->host,
        .end = (uintptr_t)block->host + block->used_bytes,
    };
    int rc = 0;

    while (rc >= 0 && arg.start < arg.end) {
        rc = scan_on(scan, &arg);
    }
    return MIN(rc, 0);
}

static bool scan_start(struct zc_tracker *tracker, GError **error)
{
    struct track_scan *scan = (struct track_scan *)tracker;

    if (!zc_uffd_register(&scan->uffd, tracker->ram, error)) {
        return false;
    }
    for (uint32_t i = 0; i < tracker->ram->n_blocks; i++) {
        int rc = protect_block(scan, i);
        if (rc < 0) {
            return zc_uffd_refuse(&scan->uffd, &tracker->ram->blocks[i], -rc, error);
        }
    }
    return true;
}

static void scan_stop(struct zc_tracker *tracker)
{
    struct track_scan *scan = (struct track_scan *)tracker;

    zc_uffd_stop(&scan->uffd, tracker->ram);
}

static void scan_forget(struct zc_tracker *tracker)
{
    struct track_scan *scan = (struct track_scan *)tracker;

    zc_uffd_forget(&scan->uffd);
}

static int64_t scan_harvest(struct zc_tracker *tracker, const struct zc_range *range,
                            struct zc_bitmap *dirty)
{
    return scan_range(tracker, range, dirty, PM_SCAN_WP_MATCHING);
}

static int scan_peek(struct zc_tracker *tracker, const struct zc_range *range,
                     struct zc_bitmap *dirty)
{
    return (int)MIN(scan_range(tracker, range, dirty, 0), 0);
}

static const struct zc_tracker_ops scan_ops = {
    .name = "scan",
    .start = scan_start,
    .harvest = scan_harvest,
    .peek = scan_peek,
    .stop = scan_stop,
    .forget = scan_forget,
    .free = scan_free,
};
