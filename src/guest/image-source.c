/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file:IMAGE as a source of RAM: one block, mapped read-only.
 *
 * Design: whatever mmap(2) can map serves: a regular file, tmpfs, hugetlbfs, a
 * block device, a memfd through /proc/PID/fd/N.  Holes are found with
 * SEEK_DATA and SEEK_HOLE and never touched: a read fault on a hole of a tmpfs
 * file would allocate the page.  Pages are mapped a range at a time with
 * MADV_POPULATE_READ (Linux 5.14), which is cheaper than a fault each and
 * reports a vanished page as an error.  What vanishes later than that is
 * caught by the SIGBUS guard.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/fs.h>

#include "base/error.h"
#include "base/sigbus.h"
#include "guest/guest.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#define BLOCK_NAME "image"

struct image_source {
    struct zc_source source;
    /* set before start */
    int fd;
    uint8_t *mapping;
    size_t mapping_bytes;
    int guard;
    bool is_file; /* its size can change under us */
    /* atomic: populate is not there (before 5.14): leave it to the faults */
    _Atomic bool no_populate;
};

static void image_free(struct zc_source *source)
{
    struct image_source *image = (struct image_source *)source;

    if (image->mapping) {
        zc_sigbus_unguard(image->guard);
        munmap(image->mapping, image->mapping_bytes);
    }
    if (image->fd >= 0) {
        close(image->fd);
    }
    zc_ram_clear(&image->source.ram);
    g_free(image->source.uri);
    g_free(image);
}

static uint64_t image_next_hole(struct zc_source *source, uint32_t block, uint64_t page,
                                uint64_t *first_out)
{
    struct image_source *image = (struct image_source *)source;
    uint64_t end = source->ram.blocks[block].used_bytes;
    uint64_t at = page * ZC_PAGE_BYTES;

    while (at < end) {
        off_t hole = lseek(image->fd, (off_t)at, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole >= source->exact_bytes) {
            return 0; /* the end of a file counts as a hole: not one of ours */
        }
        off_t data = lseek(image->fd, hole, SEEK_DATA);
        uint64_t hole_end = data < 0 ? end : (uint64_t)data;
        uint64_t first_page = ((uint64_t)hole + ZC_PAGE_BYTES - 1) / ZC_PAGE_BYTES;
        uint64_t end_page = hole_end / ZC_PAGE_BYTES;
        if (end_page > first_page) {
            *first_out = first_page;
            return end_page - first_page;
        }
        at = hole_end;
    }
    return 0;
}

static void image_will_need(struct zc_source *source, const struct zc_range *range)
{
    struct image_source *image = (struct image_source *)source;

    if (range->known_zero || atomic_load_explicit(&image->no_populate, memory_order_relaxed)) {
        return;
    }
    if (madvise(image->mapping + range->first_page * ZC_PAGE_BYTES,
                (size_t)range->n_pages * ZC_PAGE_BYTES, MADV_POPULATE_READ) < 0 &&
        errno == EINVAL) {
        atomic_store_explicit(&image->no_populate, true, memory_order_relaxed);
    }
}

static bool image_check(struct zc_source *source, GError **error)
{
    struct image_source *image = (struct image_source *)source;
    struct stat status;

    if (image->is_file && fstat(image->fd, &status) == 0 &&
        (uint64_t)status.st_size != source->exact_bytes) {
        return zc_error(error, ZCMIG_ERROR_SOURCE,
                        "'%s' changed its size while it was read: from %" G_GUINT64_FORMAT
                        " to %" G_GUINT64_FORMAT " bytes",
                        source->uri, source->exact_bytes, (uint64_t)status.st_size);
    }
    if (zc_sigbus_was_hit(image->guard)) {
        return zc_error_errno(error, ZCMIG_ERROR_SOURCE, EIO, "'%s' cannot be read", source->uri);
    }
    return true;
}

static const struct zc_source_ops image_ops = {
    .free = image_free,
    .next_hole = image_next_hole,
    .will_need = image_will_need,
    .check = image_check,
};

/* Size of the image; 0 with @error when it has none that we can map. */
static uint64_t image_size(struct image_source *image, GError **error)
{
    const char *uri = image->source.uri;
    struct stat status;
    uint64_t bytes = 0;

    if (fstat(image->fd, &status) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_SOURCE, errno, "cannot open '%s'", uri);
        return 0;
    }
    if (S_ISREG(status.st_mode)) {
        image->is_file = true;
        bytes = (uint64_t)status.st_size;
    } else if (!S_ISBLK(status.st_mode) || ioctl(image->fd, BLKGETSIZE64, &bytes) < 0) {
        zc_error(error, ZCMIG_ERROR_SOURCE,
                 "'%s' is neither a file nor a block device: its size is not known", uri);
        return 0;
    }
    if (bytes == 0) {
        zc_error(error, ZCMIG_ERROR_SOURCE, "'%s' is empty", uri);
    }
    return bytes;
}

static bool image_map(struct image_source *image, uint64_t bytes, GError **error)
{
    const char *uri = image->source.uri;
    size_t granule = ZC_PAGE_BYTES;
    struct statfs fs;

    if (fstatfs(image->fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC) {
        granule = (size_t)fs.f_bsize;
    }
    if (bytes > INT64_MAX - granule) {
        return zc_error(error, ZCMIG_ERROR_SOURCE, "'%s' is too large to map", uri);
    }
    image->mapping_bytes = (bytes + granule - 1) / granule * granule;
    image->mapping =
        mmap(NULL, image->mapping_bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, image->fd, 0);
    if (image->mapping == MAP_FAILED) {
        image->mapping = NULL;
        return zc_error_errno(error, ZCMIG_ERROR_SOURCE, errno, "cannot map '%s'", uri);
    }
    image->guard = zc_sigbus_guard(image->mapping, image->mapping_bytes, granule, PROT_READ);
    if (image->guard < 0) {
        return zc_error(error, ZCMIG_ERROR_LIMIT, "'%s': more than %d images are open", uri,
                        ZC_SIGBUS_GUARDS_MAX);
    }
    /* A child's copy of the page tables would make pages that are in flight shared. */
    madvise(image->mapping, image->mapping_bytes, MADV_DONTFORK);
    return zc_ram_add(&image->source.ram, BLOCK_NAME, image->mapping,
                      (bytes + ZC_PAGE_BYTES - 1) / ZC_PAGE_BYTES * ZC_PAGE_BYTES, error) >= 0;
}

struct zc_source *zc_image_source_open(const char *uri, const char *path, GError **error)
{
    struct image_source *image = g_new0(struct image_source, 1);

    image->source.ops = &image_ops;
    image->source.uri = g_strdup(uri);
    image->guard = -1;
    image->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (image->fd < 0) {
        zc_error_errno(error, ZCMIG_ERROR_SOURCE, errno, "cannot open '%s'", uri);
        image_free(&image->source);
        return NULL;
    }
    uint64_t bytes = image_size(image, error);
    if (bytes == 0 || !image_map(image, bytes, error)) {
        image_free(&image->source);
        return NULL;
    }
    image->source.exact_bytes = bytes;
    return &image->source;
}
