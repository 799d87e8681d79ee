/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where RAM comes from and where it goes.
 *
 * A source gives its RAM as blocks mapped into this process, and says what it
 * knows of pages without reading them.  A store is the memory that a receiver
 * fills: it provides the blocks, makes pages resident just ahead of the data,
 * and in the end is either committed (becomes visible as complete) or dropped
 * (leaves nothing).  One file each: image-source.c, memory-store.c,
 * image-store.c; each embeds the struct below as its first member.
 */
#ifndef ZC_GUEST_GUEST_H
#define ZC_GUEST_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <glib.h>

#include "base/clock.h"
#include "guest/track.h"
#include "mem/block.h"
#include "mem/manifest.h"

/* ------------------------------------------------------------------ source */

struct zc_source;

struct zc_source_ops {
    void (*free)(struct zc_source *source);
    /*
     * The next run of pages at or after @page of @block of which all are known to be zero without
     * reading: *@first_out and the return value's length in pages, 0 when there are none.
     */
    uint64_t (*next_hole)(struct zc_source *source, uint32_t block, uint64_t page,
                          uint64_t *first_out);
    /* Tells that a range is read soon: its pages are mapped in one call. May be NULL. */
    void (*will_need)(struct zc_source *source, const struct zc_range *range);
    /*
     * Of RAM that cannot be mapped here, so that its blocks have no host: the digests of @range,
     * which were ZC_DIGEST_NONE and stay so where a page cannot be read.  Any thread; failures are
     * told by check.  NULL: the blocks are mapped.  A source that has it can only be digested.
     */
    void (*digest)(struct zc_source *source, const struct zc_range *range, uint64_t *digests);
    /* Whether the pages read so far were real: false once the source shrank or failed under us. */
    bool (*check)(struct zc_source *source, GError **error);
};

/*
 * A source that runs: its RAM changes until it is paused.  A source without these stands still.
 *
 *     start_tracker --> harvests --> pause --> last harvest --> save_state --> stop_tracker
 *                                      \--> (on failure) resume
 */
struct zc_live_ops {
    /* Returns once nobody touches the RAM: 0; -ETIMEDOUT, and the guest runs on.  Idempotent. */
    int (*pause)(struct zc_source *source, zc_deadline deadline);
    void (*resume)(struct zc_source *source);
    /* A started tracker of the source's RAM. */
    struct zc_tracker *(*start_tracker)(struct zc_source *source, enum zc_tracker_kind kind,
                                        GError **error);
    /*
     * Ends it and takes it.  @gone: the guest runs elsewhere and its RAM here will not be written
     * again, so that the protection may stay on until the RAM is unmapped.
     */
    void (*stop_tracker)(struct zc_source *source, struct zc_tracker *tracker, bool gone);
    /* The execution state of the paused guest, as it crosses in the stream's device state. */
    GBytes *(*save_state)(struct zc_source *source, GError **error);
    /*
     * What it takes on this host to stop such a guest, to save its state, and to load and start
     * that, in ns: tried with another of its shape, which writes nothing.  The guest runs on.
     */
    bool (*rehearse)(struct zc_source *source, int64_t *took_ns_out, GError **error);
    /* CPU time in ns that the vCPUs have used on this host so far.  Any thread. */
    int64_t (*cpu_ns)(struct zc_source *source);
    /* Auto-converge: slows the guest down by 0 to 99 percent.  Any thread. */
    void (*set_throttle)(struct zc_source *source, unsigned int percent);
    /* The file that @block is a shared mapping of, the source's own; -1: it is none. */
    int (*memory_fd)(struct zc_source *source, uint32_t block);
};

struct zc_source {
    const struct zc_source_ops *ops;
    const struct zc_live_ops *live; /* NULL: the RAM stands still */
    struct zc_ram ram;
    uint64_t exact_bytes; /* of an image: its size, the last page may be part; else 0 */
    char *uri;            /* for messages */
    const struct zc_snapshot *snapshot; /* what else the guest is (guest/snapshot.h), or NULL */
    struct zc_manifest *expected;       /* what its pages were when they were stored, or NULL */
    char *way;    /* how it is read, for people, or NULL */
    bool partial; /* some of its pages cannot be read */
};

/* Opens the source that @uri names.  Errors: ZCMIG_ERROR_USAGE, ZCMIG_ERROR_SOURCE. */
struct zc_source *zc_source_open(const char *uri, GError **error);
void zc_source_free(struct zc_source *source); /* accepts NULL */

/* file:IMAGE.  Read-only mapping; the image is never written. */
struct zc_source *zc_image_source_open(const char *uri, const char *path, GError **error);

/* ------------------------------------------------------------------- store */

struct zc_store;
struct zc_snapshot;

struct zc_store_ops {
    void (*free)(struct zc_store *store); /* drops what was not committed */
    /* Sets host of every block of @ram.  Errors: ZCMIG_ERROR_OUTPUT, ZCMIG_ERROR_LIMIT. */
    bool (*allocate)(struct zc_store *store, struct zc_ram *ram, GError **error);
    /*
     * Makes @bytes at @host (inside one block) resident and writable, so that recvmsg into them
     * neither faults nor fails.  Any thread, ranges do not overlap.  Returns 0 or -errno: -ENOSPC
     * when the file system is full, -ENOMEM.  NULL: nothing can be received in place.
     */
    int (*populate)(struct zc_store *store, uint8_t *host, uint64_t bytes);
    /*
     * Stores whole pages at @host: the @n_content pieces of @content, which it uses up, back to
     * back.  For less than populating and receiving in place costs; NULL: it does not, and then
     * there is populate.  Threads and errors as populate.
     */
    int (*write)(struct zc_store *store, uint8_t *host, struct iovec *content,
                 unsigned int n_content);
    /* Makes the pages zero again after they held data; frees them where it can.  0 or -errno. */
    int (*zero)(struct zc_store *store, uint8_t *host, uint64_t bytes);
    /*
     * Takes what the guest is besides its RAM, and the digests of that at arrival; both are
     * borrowed until free.  Comes before commit.  NULL: this store has no place for it.
     */
    bool (*keep_state)(struct zc_store *store, const struct zc_snapshot *snapshot,
                       const struct zc_manifest *manifest, GError **error);
    bool keeps_digests; /* digests are wanted whatever the verification */
    /* The RAM is whole: publish it.  @exact_bytes: as in struct zc_source. */
    bool (*commit)(struct zc_store *store, uint64_t exact_bytes, GError **error);
};

struct zc_store {
    const struct zc_store_ops *ops;
};

void zc_store_free(struct zc_store *store); /* accepts NULL */

/* Private anonymous memory, huge pages where the kernel gives them.  For receivers without -o. */
struct zc_store *zc_memory_store_new(void);

/*
 * No memory at all: what is written is gone, and blocks must not be read.  For receivers that only
 * prove that the right pages arrive.
 */
struct zc_store *zc_null_store_new(void);
#define ZC_NULL_STORE_URI "null:"

/*
 * One image file at @path: exactly one block.  Nameless (O_TMPFILE) until commit, or under a hidden
 * name in the same directory where the file system has no nameless files; mode 0600, or that of
 * the file it replaces.  Pages that were zero stay holes.  Replaces an existing regular file only
 * when @overwrite.  Commit publishes atomically; it waits for no disk: who wants the image to
 * survive a power cut calls sync(1).  Memory that was not populated must not be written, because a
 * full file system would answer with SIGBUS.  Errors: ZCMIG_ERROR_OUTPUT.
 */
struct zc_store *zc_image_store_new(const char *path, bool overwrite, GError **error);

/* The same; with @nameless false as where there is no O_TMPFILE. */
struct zc_store *zc_image_store_new_as(const char *path, bool overwrite, bool nameless,
                                       GError **error);

/*
 * For stores: makes @bytes at @host of a mapping resident and writable.  @can_touch: where the
 * kernel has no MADV_POPULATE_WRITE, write to each page instead.  0 or -errno (-EFAULT: nothing
 * can back the page).
 */
int zc_store_populate_mapping(uint8_t *host, uint64_t bytes, bool can_touch);

#endif
