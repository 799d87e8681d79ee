/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: one private anonymous mapping a block.  Not reserved, because pages
 * that are zero at the source never become memory here; not shared with
 * children, because a page that a fork left shared is copied on its next
 * write, whoever makes it.
 *
 * A null store maps the same without access: its blocks have addresses, so that
 * pages can be named, and no memory.  What is written to it went to the digests.
 */
#include "config.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/error.h"
#include "guest/guest.h"

struct memory_store {
    struct zc_store base;
    int protection;
    struct zc_block *mapped; /* host and used_bytes of what is ours to unmap */
    uint32_t n_mapped;
};

static void memory_store_free(struct zc_store *base)
{
    struct memory_store *store = (struct memory_store *)base;

    for (uint32_t i = 0; i < store->n_mapped; i++) {
        munmap(store->mapped[i].host, store->mapped[i].used_bytes);
    }
    g_free(store->mapped);
    g_free(store);
}

static bool memory_store_allocate(struct zc_store *base, struct zc_ram *ram, GError **error)
{
    struct memory_store *store = (struct memory_store *)base;

    g_return_val_if_fail(store->mapped == NULL, false);
    store->mapped = g_new0(struct zc_block, ram->n_blocks);
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        struct zc_block *block = &ram->blocks[i];
        void *host = mmap(NULL, block->used_bytes, store->protection,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (host == MAP_FAILED) {
            return zc_error_errno(error, ZCMIG_ERROR_LIMIT, errno,
                                  "no address space for block '%s' of %" G_GUINT64_FORMAT " bytes",
                                  block->name, block->used_bytes);
        }
        /* Advice: what the kernel has not, costs time only. */
        madvise(host, block->used_bytes, MADV_HUGEPAGE);
        madvise(host, block->used_bytes, MADV_DONTFORK);
        madvise(host, block->used_bytes, MADV_DONTDUMP);
        block->host = host;
        store->mapped[store->n_mapped++] = *block;
    }
    return true;
}

static int memory_store_populate(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    (void)base;
    return zc_store_populate_mapping(host, bytes, true);
}

static int memory_store_zero(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    (void)base;
    return madvise(host, bytes, MADV_DONTNEED) < 0 ? -errno : 0;
}

static int null_store_write(struct zc_store *base, uint8_t *host, struct iovec *content,
                            unsigned int n_content)
{
    (void)base;
    (void)host;
    (void)content;
    (void)n_content;
    return 0;
}

static int null_store_zero(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    (void)base;
    (void)host;
    (void)bytes;
    return 0;
}

/* Memory that ends with the receiver: so does the state. */
static bool memory_store_keep_state(struct zc_store *base, const struct zc_snapshot *snapshot,
                                    const struct zc_manifest *manifest, GError **error)
{
    (void)base;
    (void)snapshot;
    (void)manifest;
    (void)error;
    return true;
}

static bool memory_store_commit(struct zc_store *base, uint64_t exact_bytes, GError **error)
{
    (void)base;
    (void)exact_bytes;
    (void)error;
    return true;
}

static const struct zc_store_ops memory_store_ops = {
    .free = memory_store_free,
    .allocate = memory_store_allocate,
    .populate = memory_store_populate,
    .zero = memory_store_zero,
    .keep_state = memory_store_keep_state,
    .commit = memory_store_commit,
};

static const struct zc_store_ops null_store_ops = {
    .free = memory_store_free,
    .allocate = memory_store_allocate,
    .write = null_store_write,
    .zero = null_store_zero,
    .keep_state = memory_store_keep_state,
    .commit = memory_store_commit,
};

static struct zc_store *store_new(const struct zc_store_ops *ops, int protection)
{
    struct memory_store *store = g_new0(struct memory_store, 1);

    store->base.ops = ops;
    store->protection = protection;
    return &store->base;
}

struct zc_store *zc_memory_store_new(void)
{
    return store_new(&memory_store_ops, PROT_READ | PROT_WRITE);
}

struct zc_store *zc_null_store_new(void)
{
    return store_new(&null_store_ops, PROT_NONE);
}
