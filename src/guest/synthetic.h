/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest without a hypervisor: RAM, writer threads for vCPUs, and an
 * execution state that goes on where it stopped, here or elsewhere.
 *
 *     guest:SIZE[,dirty=RATE|max][,pattern=seq|random|zipf|hot:FRACTION][,writers=N]
 *               [,fill=random|zero:FRACTION][,seed=S][,memory=private|memfd][,hugepages]
 *
 * What a guest did is a pure function of its options and of each writer's count of writes, so
 * its RAM can be checked: page p belongs to writer p % N, write number c of a writer goes to a
 * page that follows from (seed, writer, c), and stamps all of the page with page, writer, c and a
 * history that hangs on every earlier write to this page, read from the page itself.  A page that
 * is stale, or that missed or repeated a write in the past even if it was written since, differs.
 *
 * RATE is bytes of written pages per second over all writers, "max" without limit.  The patterns:
 * seq goes through the pages in order; random picks any; zipf prefers few (each octave of ranks
 * as likely as the next: exponent 1), scattered over the RAM; hot:F picks any of the first
 * fraction F.  fill=zero:F leaves runs of 16 pages zero, of all pages the fraction F.
 *
 * Cost of a write: 0.1 us of stores in the cache, 0.5 us where the page comes from memory, and
 * two readings of the clock (50 ns).
 */
#ifndef ZC_GUEST_SYNTHETIC_H
#define ZC_GUEST_SYNTHETIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "guest/guest.h"

#define ZC_SYNTHETIC_BLOCK "guest.ram" /* the one block that it has */
#define ZC_SYNTHETIC_WRITERS_MAX 64u
#define ZC_SYNTHETIC_BYTES_MAX (UINT64_C(1) << 44) /* a stamp has 32 bits for the page */
#define ZC_SYNTHETIC_PPM 1000000u
#define ZC_SYNTHETIC_DIRTY_MAX UINT64_MAX /* "max": no pacing */

enum zc_synthetic_pattern {
    ZC_SYNTHETIC_SEQ,
    ZC_SYNTHETIC_RANDOM,
    ZC_SYNTHETIC_ZIPF,
    ZC_SYNTHETIC_HOT,
};

struct zc_synthetic_options {
    uint64_t size_bytes;  /* multiple of a page, at least a page for each writer */
    uint64_t dirty_bytes; /* per second */
    uint64_t seed;
    enum zc_synthetic_pattern pattern;
    uint32_t hot_ppm;  /* 1 to ZC_SYNTHETIC_PPM; of ZC_SYNTHETIC_HOT */
    uint32_t zero_ppm; /* 0 to ZC_SYNTHETIC_PPM: pages that start as zeros */
    uint32_t writers;  /* 1 to ZC_SYNTHETIC_WRITERS_MAX */
    bool memfd;
    bool hugepages; /* transparent ones */
};

/* Reads the text above.  ZCMIG_ERROR_USAGE: "got X, allowed Y". */
bool zc_synthetic_options_parse(const char *uri, struct zc_synthetic_options *options_out,
                                GError **error);

/* Ranges of the fields, wherever they come from; @code is that of the error. */
bool zc_synthetic_options_check(const struct zc_synthetic_options *options, int code,
                                GError **error);

/* ------------------------------------------------------------------- state */

struct zc_synthetic_writer_state {
    uint64_t key;          /* of its random numbers: number c is a function of key and c */
    uint64_t writes;       /* done */
    int64_t last_write_ns; /* CLOCK_MONOTONIC of the host with this boot_id; 0: never */
};

struct zc_synthetic_state {
    struct zc_synthetic_options options;
    uint8_t boot_id[16];
    struct zc_synthetic_writer_state
        writers[ZC_SYNTHETIC_WRITERS_MAX]; /* options.writers of them */
};

#define ZC_SYNTHETIC_STATE_BYTES_MAX (72u + 24u * ZC_SYNTHETIC_WRITERS_MAX)

/* Serialises (version 1, big-endian) into @out of ZC_SYNTHETIC_STATE_BYTES_MAX; the length. */
size_t zc_synthetic_state_encode(const struct zc_synthetic_state *state, uint8_t *out);

/* Pure: any bytes are allowed.  ZCMIG_ERROR_PROTOCOL for what no guest can have saved. */
bool zc_synthetic_load_state(const uint8_t *bytes, size_t length,
                             struct zc_synthetic_state *state_out, GError **error);

/* ------------------------------------------------------------------- guest */

struct zc_synthetic;

/*
 * A guest of its own RAM (MADV_DONTFORK), filled and paused.  ZCMIG_ERROR_USAGE,
 * ZCMIG_ERROR_LIMIT.  Cost: 0.5 s per GiB.
 */
struct zc_synthetic *zc_synthetic_new(const struct zc_synthetic_options *options, GError **error);

/*
 * The guest of @state in memory that arrived, paused: it goes on with its next write.  The pages
 * stay the caller's (a store's) and outlive the guest; the list of blocks is copied.
 * ZCMIG_ERROR_PROTOCOL when @ram is not of the state's shape.
 */
struct zc_synthetic *zc_synthetic_new_incoming(const struct zc_ram *ram,
                                               const struct zc_synthetic_state *state,
                                               GError **error);

/*
 * Stops and joins the writers: stop a tracker first, for a writer in a fault that nobody resolves
 * keeps it waiting.  Accepts NULL.
 */
void zc_synthetic_free(struct zc_synthetic *guest);

/* Its face for the sender; freeing the source frees the guest. */
struct zc_source *zc_synthetic_source(struct zc_synthetic *guest);

/* The guest behind a source that zc_synthetic_open gave; NULL when it is another kind. */
struct zc_synthetic *zc_synthetic_from_source(struct zc_source *source);

/* "guest:...", parsed, made and running. */
struct zc_source *zc_synthetic_open(const char *uri, GError **error);

/* The descriptor of memory=memfd, the guest's own; -1 for private or adopted memory. */
int zc_synthetic_memory_fd(const struct zc_synthetic *guest);

/*
 * Returns when no writer is inside a write, nor begins one: 0.  -ETIMEDOUT when one does not come
 * out (its page fault is not resolved); the guest then runs on.  Also 0 when it is paused already.
 */
int zc_synthetic_pause(struct zc_synthetic *guest, zc_deadline deadline);
void zc_synthetic_resume(struct zc_synthetic *guest);

/* The state of a paused guest; ZCMIG_ERROR_FAILED while it runs. */
bool zc_synthetic_get_state(struct zc_synthetic *guest, struct zc_synthetic_state *state_out,
                            GError **error);
/* The same, serialised. */
GBytes *zc_synthetic_save_state(struct zc_synthetic *guest, GError **error);

/*
 * Makes a guest of the same shape and RAM that never writes, from a state in bytes, lets it run and
 * stops it: what that took, in ns, and with it what a move costs beside RAM.  The guest itself is
 * not touched and may run.
 */
bool zc_synthetic_rehearse(struct zc_synthetic *guest, int64_t *took_ns_out, GError **error);

/*
 * Paced guests write @percent (0 to 99) less; unpaced ones rest for that part of the time.  Any
 * thread.  It is the host's, not the guest's: it does not cross.
 */
void zc_synthetic_set_throttle(struct zc_synthetic *guest, unsigned int percent);

/* Lets a paused guest do exactly @writes more writes of each writer, in the caller's thread and
 * unpaced: for tests and for tools that need a known amount of dirt. */
void zc_synthetic_step(struct zc_synthetic *guest, uint64_t writes);

/* ---------------------------------------------------- what the guest notices */

#define ZC_LATENCY_BUCKETS 40u

/* Bucket b: writes that took 2^b to 2^(b+1) - 1 ns. */
struct zc_latency {
    uint64_t buckets[ZC_LATENCY_BUCKETS];
    uint64_t count;
    int64_t max_ns;
};

/* The upper end of the bucket that holds the @permille-th write; 0 of none. */
int64_t zc_latency_percentile_ns(const struct zc_latency *latency, unsigned int permille);

struct zc_synthetic_timeline {
    uint64_t writes;      /* by all writers, in the life of the guest, here and before */
    int64_t gap_ns;       /* the largest time without a write that any writer saw */
    int64_t gap_start_ns; /* when it began, CLOCK_MONOTONIC */
    uint32_t gap_writer;
    int64_t move_ns; /* the longest that a writer was stopped by its move here; 0: not known */
    struct zc_latency untracked; /* of writes here while no tracker of the live ops ran */
    struct zc_latency tracked;
};

/*
 * Any thread.  A guest that came in on the same host (same boot) counts the gap from its last
 * write there; from another host the clocks have nothing in common, and the gap starts here.
 */
void zc_synthetic_get_timeline(struct zc_synthetic *guest, struct zc_synthetic_timeline *out);

/* Whether gap_ns can span the guest's way here: it came from this host. */
bool zc_synthetic_has_clock_of_before(const struct zc_synthetic *guest);

/* Forgets gaps that ended before, so that the next largest one can be told.  Any thread. */
void zc_synthetic_reset_gap(struct zc_synthetic *guest);

/* ------------------------------------------------------------------- check */

enum zc_synthetic_fault {
    ZC_SYNTHETIC_TORN,      /* parts of two versions, or content that its stamp does not give */
    ZC_SYNTHETIC_STALE,     /* an earlier version of itself */
    ZC_SYNTHETIC_LOST,      /* its last write is there, but one before is missing or was repeated */
    ZC_SYNTHETIC_FUTURE,    /* a version that the state does not know yet */
    ZC_SYNTHETIC_MISPLACED, /* another page */
    ZC_SYNTHETIC_MISSING,   /* zeros where content should be */
    ZC_SYNTHETIC_FOREIGN,   /* nothing that this guest ever wrote */
    ZC_SYNTHETIC_FAULTS,
};

struct zc_synthetic_finding {
    enum zc_synthetic_fault fault;
    uint64_t page;
    uint64_t expected; /* sequence: number of the write, 0 the initial fill */
    uint64_t found;    /* sequence in its first line; of MISPLACED: the page that it is */
    uint64_t other;    /* of TORN: sequence in the first line that differs */
};

#define ZC_SYNTHETIC_FINDINGS 16u

struct zc_synthetic_report {
    uint64_t pages;
    uint64_t writes; /* that were replayed */
    uint64_t counts[ZC_SYNTHETIC_FAULTS];
    uint32_t n_findings; /* the first ones, at most ZC_SYNTHETIC_FINDINGS */
    struct zc_synthetic_finding findings[ZC_SYNTHETIC_FINDINGS];
};

/* "torn", "stale", ... */
const char *zc_synthetic_fault_name(enum zc_synthetic_fault fault);

/*
 * Compares RAM that stands still with what @state says it must be, and returns the number of wrong
 * pages.  Needs nothing but the two.  A RAM that is not
 * of the state's shape has every page FOREIGN.
 * Cost: replays all writes (4 to 10 ns each), reads all pages (0.2 s per GiB), and allocates 16
 * bytes for each page of one writer.
 */
uint64_t zc_synthetic_check(const struct zc_ram *ram, const struct zc_synthetic_state *state,
                            struct zc_synthetic_report *report);

#endif
