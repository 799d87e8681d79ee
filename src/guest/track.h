/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which pages were written since they were last looked at: known by the
 * kernel, not by the writer's courtesy.
 *
 *     start --> harvest --> read the pages --> harvest --> ... --> stop
 *
 * A harvest tells the dirty pages of a range AND protects them again in one
 * step, so a page that is read after the harvest that told it, and written
 * while it is read, is told again by the next one (the first of the four
 * orders).  Once the guest is paused a peek tells the last of it: nobody writes,
 * so nothing has to be protected again, and there is no other CPU's TLB to flush.
 *
 * Three kinds, one file each:
 *
 *   scan    userfaultfd write-protect in async mode, harvested by PAGEMAP_SCAN (Linux 6.7): the
 *           kernel resolves the fault by itself, 0.7 us for the first write to a protected page
 *   fault   userfaultfd write-protect, each first write resolved by a thread here (Linux 5.7):
 *           two context switches for it, and a guest that stands still if that thread does
 *   bitmap  the caller marks pages in bitmaps of its own: for a VMM that has a dirty log
 *
 * Seen by scan and fault: writes through the mapping that is tracked, by threads and by system
 * calls on their behalf.  Not seen, so the caller's affair: writes through another mapping of the
 * same memfd (vhost-user, another process) or to the descriptor; DMA into pages pinned before;
 * and pages that vanish (MADV_DONTNEED, a hole punched): who discards a page marks it dirty.
 */
#ifndef ZC_GUEST_TRACK_H
#define ZC_GUEST_TRACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "mem/bitmap.h"
#include "mem/block.h"

enum zc_tracker_kind {
    ZC_TRACKER_AUTO, /* scan, else fault */
    ZC_TRACKER_SCAN,
    ZC_TRACKER_FAULT,
    ZC_TRACKER_BITMAP,
};

/* What the caller of ZC_TRACKER_BITMAP brings.  All of it outlives the tracker. */
struct zc_tracker_log {
    struct zc_bitmap *blocks; /* one per block of the RAM; bits set by zc_bitmap_set_page_atomic */
    /* Brings @blocks up to date, such as KVM_GET_DIRTY_LOG; 0 or -errno.  May be NULL. */
    int (*sync)(void *opaque, const struct zc_range *range);
    /* Called once the bits of @range are taken: arm again, such as KVM_CLEAR_DIRTY_LOG.  May be
     * NULL. */
    int (*rearm)(void *opaque, const struct zc_range *range);
    void *opaque;
};

struct zc_tracker;

struct zc_tracker_ops {
    const char *name; /* "scan", "fault", "bitmap" */
    bool (*start)(struct zc_tracker *tracker, GError **error);
    int64_t (*harvest)(struct zc_tracker *tracker, const struct zc_range *range,
                       struct zc_bitmap *dirty);
    int (*peek)(struct zc_tracker *tracker, const struct zc_range *range,
                struct zc_bitmap *dirty); /* @dirty may be NULL */
    void (*stop)(struct zc_tracker *tracker);
    void (*forget)(struct zc_tracker *tracker); /* what stop would undo in the RAM */
    void (*free)(struct zc_tracker *tracker);
};

/* Each field whole, not all of one moment. */
struct zc_tracker_stats {
    uint64_t harvests;    /* calls of zc_tracker_harvest */
    uint64_t dirty_pages; /* told by them */
    uint64_t faults;      /* that a thread here resolved (fault only) */
    int64_t protect_ns;   /* time that start took */
    int64_t harvest_ns;   /* time in zc_tracker_harvest */
};

/* Embedded as the first member by each kind. */
struct zc_tracker {
    /* set before start */
    const struct zc_tracker_ops *ops;
    /* the caller's thread only */
    const struct zc_ram *ram; /* NULL: not started */
    /* atomic, relaxed: one writer each, read by zc_tracker_get_stats */
    _Atomic uint64_t harvests;
    _Atomic uint64_t dirty_pages;
    _Atomic uint64_t faults;
    _Atomic int64_t protect_ns;
    _Atomic int64_t harvest_ns;
};

/*
 * Probes what the kernel can do; @log is for ZC_TRACKER_BITMAP, else NULL.  NULL with
 * ZCMIG_ERROR_UNSUPPORTED says what is missing and what to do about it.
 */
struct zc_tracker *zc_tracker_new(enum zc_tracker_kind kind, const struct zc_tracker_log *log,
                                  GError **error);
void zc_tracker_free(struct zc_tracker *tracker); /* stops; accepts NULL */

/*
 * Protects all of @ram, which outlives the tracker and stays mapped: every write from its return
 * on is told.  What was written before is not.  ZCMIG_ERROR_UNSUPPORTED names the block whose kind
 * of memory cannot be tracked, and why.  The guest may run meanwhile.
 * Cost: 7 ms per GiB by scan, 20 to 27 by fault, next to nothing where pages are huge.
 */
bool zc_tracker_start(struct zc_tracker *tracker, const struct zc_ram *ram, GError **error);

/*
 * Sets in @dirty (of the block's length) the pages of @range that were written since the last
 * harvest or the start, and protects them again.  Pages of huge-page file systems are told as a
 * whole, also where they stick out of @range.  One thread at a time.  Returns the number of pages
 * told, or -errno: the memory was mapped anew; the tracker is then only good to stop.
 * Cost: 0.5 ms per GiB, and 0.3 us per run of dirty pages.  No allocation.
 */
int64_t zc_tracker_harvest(struct zc_tracker *tracker, const struct zc_range *range,
                           struct zc_bitmap *dirty);

/*
 * Tells the same as zc_tracker_harvest, and leaves it to the next one: of a guest that is stopped,
 * which if it runs again has lost nothing.  @dirty NULL: only for how long that will take; a harvest
 * beside a guest that writes much takes up to ten times as long.  0 or -errno.  Not counted in the
 * statistics.
 */
int zc_tracker_peek(struct zc_tracker *tracker, const struct zc_range *range,
                    struct zc_bitmap *dirty);

/* Takes the protection off and lets writers that wait go on: 20 ms per GiB.  Idempotent. */
void zc_tracker_stop(struct zc_tracker *tracker);

/*
 * As zc_tracker_free, once the RAM has been unmapped and its protection with it: nothing at its
 * addresses is touched, whatever is mapped there by now.  Accepts NULL.
 */
void zc_tracker_free_unmapped(struct zc_tracker *tracker);

/* Any thread. */
void zc_tracker_get_stats(struct zc_tracker *tracker, struct zc_tracker_stats *out);

/* "scan", "fault" or "bitmap": what AUTO chose. */
const char *zc_tracker_name(const struct zc_tracker *tracker);

/* "auto", "scan", "fault" or "bitmap" as options spell them.  ZCMIG_ERROR_USAGE. */
bool zc_tracker_kind_parse(const char *text, enum zc_tracker_kind *kind_out, GError **error);

/* The kinds by themselves; zc_tracker_new calls them. */
struct zc_tracker *zc_track_scan_new(GError **error);
struct zc_tracker *zc_track_bitmap_new(const struct zc_tracker_log *log);
/* @features: UFFD_FEATURE_ bits that may be used; tests take some away to play an older kernel. */
struct zc_tracker *zc_track_fault_new(uint64_t features, GError **error);

#endif
