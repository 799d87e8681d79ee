/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: threads take ranges off one counter; each writes entries of its own
 * pages only, so there is nothing to lock.
 */
#include "config.h"

#include <stdatomic.h>

#include "send/iterate.h"
#include "session/digest.h"

#define RANGE_PAGES 1024u

struct digest_job {
    struct zc_source *source; /* NULL: @ram is no source's */
    const struct zc_ram *ram;
    struct zc_manifest *manifest;
    GArray *ranges;
    _Atomic uint32_t next;
};

static bool add_range(const struct zc_range *range, void *data)
{
    g_array_append_val((GArray *)data, *range);
    return true;
}

static gpointer digest_ranges(gpointer data)
{
    struct digest_job *job = data;
    uint32_t index;

    while ((index = atomic_fetch_add(&job->next, 1)) < job->ranges->len) {
        const struct zc_range *range = &g_array_index(job->ranges, struct zc_range, index);
        if (job->source && job->source->ops->digest) {
            job->source->ops->digest(job->source, range,
                                     job->manifest->blocks[range->block].digests +
                                         range->first_page);
            continue;
        }
        if (job->source && job->source->ops->will_need) {
            job->source->ops->will_need(job->source, range);
        }
        zc_manifest_digest_range(job->manifest, job->ram, range);
    }
    return NULL;
}

static void digest_all(struct digest_job *job, unsigned int n_threads)
{
    GThread *threads[ZC_DIGEST_THREADS_MAX];

    /* The caller is the first of them; a thread that cannot be had only makes it slower. */
    for (unsigned int i = 1; i < n_threads; i++) {
        threads[i] = g_thread_try_new("zcmig-digest", digest_ranges, job, NULL);
    }
    digest_ranges(job);
    for (unsigned int i = 1; i < n_threads; i++) {
        if (threads[i]) {
            g_thread_join(threads[i]);
        }
    }
}

unsigned int zc_digest_threads(void)
{
    return MIN(g_get_num_processors(), ZC_DIGEST_THREADS_MAX);
}

struct zc_manifest *zc_digest_source(struct zc_source *source, unsigned int threads, GError **error)
{
    struct digest_job job = { .source = source, .ram = &source->ram };

    job.manifest = zc_manifest_new(&source->ram, error);
    if (!job.manifest) {
        return NULL;
    }
    job.manifest->exact_bytes = source->exact_bytes;
    job.manifest->partial = source->partial;
    job.ranges = g_array_new(FALSE, FALSE, sizeof(struct zc_range));
    zc_iterate_all(source, RANGE_PAGES, add_range, job.ranges);
    digest_all(&job, threads);
    g_array_unref(job.ranges);
    if (!source->ops->check(source, error)) {
        g_clear_pointer(&job.manifest, zc_manifest_free);
    }
    return job.manifest;
}

struct zc_manifest *zc_digest_ram(const struct zc_ram *ram, unsigned int threads, GError **error)
{
    struct digest_job job = { .ram = ram, .manifest = zc_manifest_new(ram, error) };

    if (!job.manifest) {
        return NULL;
    }
    job.ranges = g_array_new(FALSE, FALSE, sizeof(struct zc_range));
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        uint64_t n_pages = zc_block_pages(&ram->blocks[i]);
        for (uint64_t page = 0; page < n_pages; page += RANGE_PAGES) {
            struct zc_range range = { .block = i,
                                      .first_page = page,
                                      .n_pages =
                                          (uint32_t)MIN(n_pages - page, (uint64_t)RANGE_PAGES) };
            add_range(&range, job.ranges);
        }
    }
    digest_all(&job, threads);
    g_array_unref(job.ranges);
    return job.manifest;
}
