/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the kinds do the work, here is what they share: the choice, the
 * checks of arguments, and the counting.  AUTO chooses when it is made, because
 * both kernel kinds track the same memory: what scan cannot, fault cannot.
 */
#include "config.h"

#include <errno.h>

#include "base/clock.h"
#include "base/error.h"
#include "guest/track.h"

static const char *const kind_names[] = {
    [ZC_TRACKER_AUTO] = "auto",
    [ZC_TRACKER_SCAN] = "scan",
    [ZC_TRACKER_FAULT] = "fault",
    [ZC_TRACKER_BITMAP] = "bitmap",
};

bool zc_tracker_kind_parse(const char *text, enum zc_tracker_kind *kind_out, GError **error)
{
    for (unsigned int i = 0; i < G_N_ELEMENTS(kind_names); i++) {
        if (g_str_equal(text, kind_names[i])) {
            *kind_out = (enum zc_tracker_kind)i;
            return true;
        }
    }
    return zc_error(error, ZCMIG_ERROR_USAGE,
                    "tracker: got '%s', allowed are auto, scan, fault, bitmap", text);
}

static struct zc_tracker *new_best(GError **error)
{
    g_autoptr(GError) scan_error = NULL;
    g_autoptr(GError) fault_error = NULL;
    struct zc_tracker *tracker = zc_track_scan_new(&scan_error);

    if (!tracker) {
        tracker = zc_track_fault_new(UINT64_MAX, &fault_error);
    }
    if (!tracker) {
        zc_error(error, ZCMIG_ERROR_UNSUPPORTED, "no way to track writes: %s; %s",
                 scan_error->message, fault_error->message);
    }
    return tracker;
}

struct zc_tracker *zc_tracker_new(enum zc_tracker_kind kind, const struct zc_tracker_log *log,
                                  GError **error)
{
    g_assert((kind == ZC_TRACKER_BITMAP) == (log != NULL));
    switch (kind) {
    case ZC_TRACKER_SCAN:
        return zc_track_scan_new(error);
    case ZC_TRACKER_FAULT:
        return zc_track_fault_new(UINT64_MAX, error);
    case ZC_TRACKER_BITMAP:
        return zc_track_bitmap_new(log);
    case ZC_TRACKER_AUTO:
        break;
    }
    return new_best(error);
}

void zc_tracker_free(struct zc_tracker *tracker)
{
    if (!tracker) {
        return;
    }
    zc_tracker_stop(tracker);
    tracker->ops->free(tracker);
}

void zc_tracker_free_unmapped(struct zc_tracker *tracker)
{
    if (tracker && tracker->ram) {
        tracker->ops->forget(tracker);
    }
    zc_tracker_free(tracker);
}

bool zc_tracker_start(struct zc_tracker *tracker, const struct zc_ram *ram, GError **error)
{
    int64_t before_ns = zc_clock_now_ns();

    g_assert(!tracker->ram);
    tracker->ram = ram;
    if (!tracker->ops->start(tracker, error)) {
        zc_tracker_stop(tracker);
        return false;
    }
    atomic_store_explicit(&tracker->protect_ns, zc_clock_now_ns() - before_ns,
                          memory_order_relaxed);
    return true;
}

/* The pages of the block that @range is in; 0: it is in none, or sticks out of it. */
static uint64_t pages_around(const struct zc_tracker *tracker, const struct zc_range *range)
{
    if (!tracker->ram || range->block >= tracker->ram->n_blocks) {
        return 0;
    }
    uint64_t n_pages = zc_block_pages(&tracker->ram->blocks[range->block]);
    return range->first_page > n_pages || range->n_pages > n_pages - range->first_page ? 0
                                                                                       : n_pages;
}

int64_t zc_tracker_harvest(struct zc_tracker *tracker, const struct zc_range *range,
                           struct zc_bitmap *dirty)
{
    uint64_t block_pages = pages_around(tracker, range);

    if (!block_pages || dirty->n_pages != block_pages) {
        return -EINVAL;
    }
    int64_t before_ns = zc_clock_now_ns();
    int64_t ret = range->n_pages ? tracker->ops->harvest(tracker, range, dirty) : 0;
    atomic_fetch_add_explicit(&tracker->harvests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&tracker->harvest_ns, zc_clock_now_ns() - before_ns,
                              memory_order_relaxed);
    if (ret > 0) {
        atomic_fetch_add_explicit(&tracker->dirty_pages, (uint64_t)ret, memory_order_relaxed);
    }
    return ret;
}

int zc_tracker_peek(struct zc_tracker *tracker, const struct zc_range *range,
                    struct zc_bitmap *dirty)
{
    uint64_t block_pages = pages_around(tracker, range);

    if (!block_pages || (dirty && dirty->n_pages != block_pages)) {
        return -EINVAL;
    }
    return range->n_pages ? tracker->ops->peek(tracker, range, dirty) : 0;
}

void zc_tracker_stop(struct zc_tracker *tracker)
{
    if (tracker->ram) {
        tracker->ops->stop(tracker);
        tracker->ram = NULL;
    }
}

void zc_tracker_get_stats(struct zc_tracker *tracker, struct zc_tracker_stats *out)
{
    *out = (struct zc_tracker_stats){
        .harvests = atomic_load_explicit(&tracker->harvests, memory_order_relaxed),
        .dirty_pages = atomic_load_explicit(&tracker->dirty_pages, memory_order_relaxed),
        .faults = atomic_load_explicit(&tracker->faults, memory_order_relaxed),
        .protect_ns = atomic_load_explicit(&tracker->protect_ns, memory_order_relaxed),
        .harvest_ns = atomic_load_explicit(&tracker->harvest_ns, memory_order_relaxed),
    };
}

const char *zc_tracker_name(const struct zc_tracker *tracker)
{
    return tracker->ops->name;
}
