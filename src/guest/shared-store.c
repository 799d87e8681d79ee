/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: mapped writable once, so that a file that cannot be is refused
 * early, and then protected until the guest is ours: until then nothing here,
 * by mistake or otherwise, can change the RAM of a guest that runs elsewhere.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/sigbus.h"
#include "guest/shared.h"

struct part {
    int fd;
    int guard;
    uint8_t *host; /* NULL: not mapped */
    uint64_t bytes;
};

struct shared_store {
    struct zc_store base;
    unsigned int n_parts;
    struct part *parts;
};

static void shared_free(struct zc_store *base)
{
    struct shared_store *store = (struct shared_store *)base;

    for (unsigned int i = 0; i < store->n_parts; i++) {
        struct part *part = &store->parts[i];
        zc_sigbus_unguard(part->guard);
        if (part->host) {
            munmap(part->host, part->bytes);
        }
        zc_fd_clear(&part->fd);
    }
    g_free(store->parts);
    g_free(store);
}

/* ------------------------------------------------------------------- checks */

/* *@page_bytes_out: a fault brings so many. */
static bool check_kind(int fd, const struct zc_block *block, size_t *page_bytes_out, GError **error)
{
    struct stat status;
    struct statfs fs;

    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || fstatfs(fd, &fs) < 0 ||
        (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC)) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "the route memfd: got a descriptor of block '%s' that is no memory, "
                        "allowed are a memfd, tmpfs and huge pages",
                        block->name);
    }
    *page_bytes_out = fs.f_type == HUGETLBFS_MAGIC ? (size_t)fs.f_bsize : ZC_PAGE_BYTES;
    return true;
}

/* The length that is looked at next stays. */
static bool check_seals(int fd, const struct zc_block *block, GError **error)
{
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals >= 0 && !(seals & F_SEAL_SHRINK) && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0) {
        seals |= F_SEAL_SHRINK;
    }
    if (seals < 0 || !(seals & F_SEAL_SHRINK)) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "the route memfd: the memory of block '%s' may be cut short at any time, "
                        "allowed is what is sealed against that (F_SEAL_SHRINK), or can be",
                        block->name);
    }
    return true;
}

static bool check_length(int fd, const struct zc_block *block, GError **error)
{
    struct stat status = { .st_size = -1 };

    fstat(fd, &status);
    return (uint64_t)status.st_size == block->used_bytes ||
           zc_error(error, ZCMIG_ERROR_PROTOCOL,
                    "the route memfd: got memory of %" G_GINT64_FORMAT
                    " bytes for block '%s', allowed are its %" G_GUINT64_FORMAT,
                    (gint64)status.st_size, block->name, block->used_bytes);
}

static bool map(struct part *part, const struct zc_block *block, GError **error)
{
    size_t page_bytes;

    if (!check_kind(part->fd, block, &page_bytes, error) || !check_seals(part->fd, block, error) ||
        !check_length(part->fd, block, error)) {
        return false;
    }
    void *host = mmap(NULL, block->used_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                      part->fd, 0);
    if (host == MAP_FAILED) {
        return zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, errno,
                              "the route memfd: cannot map the memory of block '%s' to write to it",
                              block->name);
    }
    part->host = host;
    part->bytes = block->used_bytes;
    madvise(host, part->bytes, MADV_DONTFORK);
    madvise(host, part->bytes, MADV_DONTDUMP);
    part->guard = zc_sigbus_guard(host, part->bytes, page_bytes, PROT_READ | PROT_WRITE);
    if (part->guard < 0) {
        return zc_error(error, ZCMIG_ERROR_LIMIT, "more than %d mappings are guarded",
                        ZC_SIGBUS_GUARDS_MAX);
    }
    return mprotect(host, part->bytes, PROT_READ) == 0 ||
           zc_error_errno(error, ZCMIG_ERROR_LIMIT, errno, "cannot protect block '%s'",
                          block->name);
}

/* ---------------------------------------------------------------------- ops */

static bool shared_allocate(struct zc_store *base, struct zc_ram *ram, GError **error)
{
    struct shared_store *store = (struct shared_store *)base;

    if (store->n_parts != ram->n_blocks) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "the route memfd: got the memory of %u blocks, allowed is that of the %u "
                        "in RAM",
                        store->n_parts, ram->n_blocks);
    }
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        if (!map(&store->parts[i], &ram->blocks[i], error)) {
            return false;
        }
        ram->blocks[i].host = store->parts[i].host;
    }
    return true;
}

/* No page comes to it, so there is nothing to be made resident or zero. */
static int shared_refuse(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    (void)base;
    (void)host;
    (void)bytes;
    return -EPERM;
}

static bool shared_commit(struct zc_store *base, uint64_t exact_bytes, GError **error)
{
    (void)exact_bytes;
    return zc_shared_store_check(base, error);
}

static const struct zc_store_ops shared_ops = {
    .free = shared_free,
    .allocate = shared_allocate,
    .populate = shared_refuse,
    .zero = shared_refuse,
    .commit = shared_commit,
};

struct zc_store *zc_shared_store_new(const int *fds, unsigned int n_fds)
{
    struct shared_store *store = g_new0(struct shared_store, 1);

    store->base.ops = &shared_ops;
    store->n_parts = n_fds;
    store->parts = g_new0(struct part, n_fds);
    for (unsigned int i = 0; i < n_fds; i++) {
        store->parts[i] = (struct part){ .fd = fds[i], .guard = -1 };
    }
    return &store->base;
}

bool zc_shared_store_identify(struct zc_store *base, uint32_t index,
                              struct zc_shared_identity *identity_out, GError **error)
{
    struct part *part = &((struct shared_store *)base)->parts[index];

    return zc_shared_identify(part->host, part->bytes, identity_out, error);
}

int zc_shared_store_make_writable(struct zc_store *base)
{
    struct shared_store *store = (struct shared_store *)base;

    for (unsigned int i = 0; i < store->n_parts; i++) {
        if (mprotect(store->parts[i].host, store->parts[i].bytes, PROT_READ | PROT_WRITE) < 0) {
            return -errno;
        }
    }
    return 0;
}

bool zc_shared_store_check(struct zc_store *base, GError **error)
{
    struct shared_store *store = (struct shared_store *)base;

    for (unsigned int i = 0; i < store->n_parts; i++) {
        if (zc_sigbus_was_hit(store->parts[i].guard)) {
            return zc_error(error, ZCMIG_ERROR_SOURCE,
                            "the memory that the source handed over has lost pages of block %u", i);
        }
    }
    return true;
}
