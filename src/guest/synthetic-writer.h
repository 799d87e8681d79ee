/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A writer of a synthetic guest: its pace, its one write, its thread.  Inside
 * src/guest only; what the guest offers is in synthetic.h.
 */
#ifndef ZC_GUEST_SYNTHETIC_WRITER_H
#define ZC_GUEST_SYNTHETIC_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "guest/synthetic-page.h"

/* -------------------------------------------------------------------- pace */

/*
 * When the next write is due.  Pure: the time is given.  What was missed is made up for, by
 * ZC_PACER_BURST_NS at most; a writer runs up to ZC_PACER_NAP_NS ahead rather than sleep for less.
 * So over any time T: writes <= rate * (T + burst + nap) + 1.
 */
#define ZC_PACER_BURST_NS 50000000LL
#define ZC_PACER_NAP_NS 1000000LL

struct zc_pacer {
    uint64_t page_rate_milli; /* writes in 1000 s; 0: none; UINT64_MAX: no limit */
    unsigned int throttle;    /* percent */
    int64_t due_ns;
    uint64_t remainder; /* of the division below, so that no rate drifts */
};

/* @bytes_per_s of this writer; ZC_SYNTHETIC_DIRTY_MAX: no limit. */
void zc_pacer_init(struct zc_pacer *pacer, uint64_t bytes_per_s, int64_t now_ns);
/* After a pause: nothing is to be made up for. */
void zc_pacer_restart(struct zc_pacer *pacer, int64_t now_ns);
/* ns to wait before the next write: 0, or at least ZC_PACER_NAP_NS; INT64_MAX: no write ever. */
int64_t zc_pacer_wait_ns(const struct zc_pacer *pacer, int64_t now_ns);
/* A write was done that took @took_ns. */
void zc_pacer_wrote(struct zc_pacer *pacer, int64_t now_ns, int64_t took_ns);

/* ------------------------------------------------------------------ writer */

enum zc_writer_want {
    ZC_WRITER_RUN,
    ZC_WRITER_PARK,
    ZC_WRITER_QUIT,
};

/* What the writers of one guest share. */
struct zc_crew {
    /* set before start */
    uint8_t *host;
    uint64_t seed;
    /* atomic; changed under lock */
    _Atomic int want;
    /* atomic, relaxed */
    _Atomic unsigned int throttle;
    _Atomic bool tracked;
    /* under lock */
    GMutex lock;
    GCond want_changed; /* writers wait */
    GCond parked;       /* n_parked changed: who pauses waits */
    uint32_t n_parked;
};

struct zc_latency_counts {
    _Atomic uint64_t buckets[ZC_LATENCY_BUCKETS];
    _Atomic int64_t max_ns;
};

struct zc_writer {
    /* set before start */
    struct zc_crew *crew;
    struct zc_walk walk;
    GThread *thread;
    /* its thread only; of a parked writer, who paused it */
    struct zc_pacer pacer;
    int64_t last_write_ns; /* 0: none whose time can be compared */
    bool arrives;          /* its next write is the first here, after others elsewhere */
    /* atomic; written once, by its thread: its CPU time's clock, or 0 */
    _Atomic int clock;
    /* atomic, relaxed: written by its thread only, but for the gap, which zc_synthetic_reset_gap
     * clears */
    _Atomic uint64_t writes;
    _Atomic int64_t gap_ns;
    _Atomic int64_t gap_start_ns;
    _Atomic int64_t move_ns; /* from the last write elsewhere to the first here; 0: not known */
    struct zc_latency_counts latency[2]; /* untracked, tracked */
};

/* One write: when it ended, and how long it took. */
int64_t zc_writer_write(struct zc_writer *writer, int64_t *took_ns_out);

/* CPU time in ns that its thread has used. */
int64_t zc_writer_cpu_ns(const struct zc_writer *writer);

/* Adds what the writer noticed. */
void zc_writer_add_timeline(const struct zc_writer *writer, struct zc_synthetic_timeline *timeline);

/* The thread's function: begins parked. */
gpointer zc_writer_thread(gpointer writer);

#endif
