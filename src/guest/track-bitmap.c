/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the caller's vCPUs mark pages, or its sync fetches marks from its
 * hypervisor; here they are only moved, each cleared by the step that reads it.
 * Rearming comes after the move and before anybody reads the pages: a write in
 * between is told by the log as one that came before, and told again if it comes after.
 */
#include "config.h"

#include <errno.h>

#include "base/error.h"
#include "guest/track.h"

static const struct zc_tracker_ops bitmap_ops;

struct track_bitmap {
    struct zc_tracker base;
    struct zc_tracker_log log;
};

struct zc_tracker *zc_track_bitmap_new(const struct zc_tracker_log *log)
{
    struct track_bitmap *self = g_new0(struct track_bitmap, 1);

    self->base.ops = &bitmap_ops;
    self->log = *log;
    return &self->base;
}

static int sync_log(struct track_bitmap *self, const struct zc_range *range)
{
    return self->log.sync ? self->log.sync(self->log.opaque, range) : 0;
}

static int bitmap_peek(struct zc_tracker *tracker, const struct zc_range *range,
                       struct zc_bitmap *dirty)
{
    struct track_bitmap *self = (struct track_bitmap *)tracker;
    const struct zc_bitmap *from = &self->log.blocks[range->block];
    int ret = dirty && from->n_pages != dirty->n_pages ? -EINVAL : sync_log(self, range);

    if (ret == 0 && dirty) {
        zc_bitmap_copy_range_atomic(from, range->first_page, range->n_pages, dirty);
    }
    return ret;
}

static int64_t bitmap_harvest(struct zc_tracker *tracker, const struct zc_range *range,
                              struct zc_bitmap *dirty)
{
    struct track_bitmap *self = (struct track_bitmap *)tracker;
    struct zc_bitmap *from = &self->log.blocks[range->block];
    int ret = from->n_pages != dirty->n_pages ? -EINVAL : sync_log(self, range);

    if (ret < 0) {
        return ret;
    }
    uint64_t n_pages = zc_bitmap_take_range_atomic(from, range->first_page, range->n_pages, dirty);
    if (self->log.rearm) {
        ret = self->log.rearm(self->log.opaque, range);
    }
    return ret < 0 ? ret : (int64_t)n_pages;
}

/* What was marked before the start does not count: the first iteration sends every page. */
static bool bitmap_start(struct zc_tracker *tracker, GError **error)
{
    for (uint32_t i = 0; i < tracker->ram->n_blocks; i++) {
        struct zc_bitmap dropped;
        uint64_t block_pages = zc_block_pages(&tracker->ram->blocks[i]);
        struct zc_range all = { .block = i, .n_pages = (uint32_t)block_pages };
        zc_bitmap_init(&dropped, block_pages);
        int64_t ret = bitmap_harvest(tracker, &all, &dropped);
        zc_bitmap_clear(&dropped);
        if (ret < 0) {
            return zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, (int)ret,
                                  "block '%s': the caller's dirty log",
                                  tracker->ram->blocks[i].name);
        }
    }
    return true;
}

/* The log is the caller's, and goes on as it likes. */
static void bitmap_stop(struct zc_tracker *tracker)
{
    (void)tracker;
}

static void bitmap_free(struct zc_tracker *tracker)
{
    g_free(tracker);
}

static const struct zc_tracker_ops bitmap_ops = {
    .name = "bitmap",
    .start = bitmap_start,
    .harvest = bitmap_harvest,
    .peek = bitmap_peek,
    .stop = bitmap_stop,
    .forget = bitmap_stop,
    .free = bitmap_free,
};
