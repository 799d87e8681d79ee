/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When to stop the guest.  After each iteration pre-copy knows how fast the
 * channels carried it and how fast the guest wrote meanwhile; from both follows
 * how long the guest would stand still if it were stopped now:
 *
 *     estimate = dirty pages and runs of them, at the pace of the last iterations
 *                without the guest beside them, + what never changes
 *
 * (struct zc_converge_costs: measured before RAM began).  When that is short enough, and an
 * iteration more would make it little shorter, switch over; else send and look again; if it gets no
 * better, slow the guest down, or give up and say why.
 *
 * Pure: the time and what was measured are given.  One thread.
 */
#ifndef ZC_SEND_CONVERGE_H
#define ZC_SEND_CONVERGE_H

#include <stdbool.h>
#include <stdint.h>

/* Bandwidth is only measured by iterations of so many bytes: of less, the clock says nothing. */
#define ZC_CONVERGE_BYTES_MIN (1u << 20)
/* It does not converge when the estimate got no better for so long and so many iterations. */
#define ZC_CONVERGE_PATIENCE_NS INT64_C(3000000000)
#define ZC_CONVERGE_PATIENCE 10u
/* Auto-converge: the guest writes so many percent less, at first, by each step, and at most. */
#define ZC_CONVERGE_THROTTLE_FIRST 20u
#define ZC_CONVERGE_THROTTLE_STEP 10u
#define ZC_CONVERGE_THROTTLE_MAX 99u

enum zc_converge_decision {
    ZC_CONVERGE_ITERATE,    /* send what is dirty */
    ZC_CONVERGE_WAIT,       /* nothing is dirty, so there is nothing to send: look again soon */
    ZC_CONVERGE_SWITCHOVER, /* stop the guest */
    ZC_CONVERGE_GIVE_UP,
};

struct zc_converge_options {
    int64_t limit_ns;   /* how long the guest may stand still */
    int64_t timeout_ns; /* for all of it; 0: none */
    bool force;         /* in the end switch over, however long it takes, instead of giving up */
    bool throttle;      /* auto-converge */
};

/* What takes so long however many pages are dirty. */
struct zc_converge_costs {
    int64_t trip_ns;   /* an iteration of no page: it is in what every other one takes */
    int64_t switch_ns; /* what only a switchover does: stop, save, load, commit */
    /* and what takes as long as so many bytes more */
    uint32_t run_bytes;
    uint32_t table_bytes;
};

/* Pages, and where they are. */
struct zc_converge_work {
    uint64_t bytes;
    uint64_t runs;
    uint64_t tables;
};

struct zc_converge {
    /* set before start */
    struct zc_converge_options options;
    int64_t start_ns;
    /* measured */
    struct zc_converge_costs costs; /* trip: the shortest so far */
    int64_t harvest_ns;             /* the last harvest: the shortest walk or harvest so far */
    double byte_ns;                 /* that a byte took, all told; a mean that fades */
    double guest_share;             /* of the CPUs; a mean that fades with time */
    double alone_ns;                /* that a byte of work takes without the guest */
    unsigned int n_measured;        /* iterations that count for it */
    /* of the last harvest */
    struct zc_converge_work dirty;
    int64_t since_ns;  /* in which it was written; 0: not known */
    int64_t behind_ns; /* in which what it did not see was */
    uint64_t dirty_bytes_per_s;
    int64_t estimate_ns; /* INT64_MAX: not known yet */
    /* what it came to */
    uint64_t iterations;
    unsigned int n_grown; /* harvests in a row that were not clearly smaller than the one before */
    unsigned int throttle_percent;
    int64_t best_ns; /* the shortest estimate, and when it was seen */
    int64_t best_at_ns;
    unsigned int n_stale; /* decisions since */
    bool forced;          /* the switchover breaks the limit */
    bool timed_out;
};

void zc_converge_init(struct zc_converge *converge, const struct zc_converge_options *options,
                      const struct zc_converge_costs *costs, int64_t now_ns);

/*
 * An iteration carried @work in @took_ns, until the destination had placed it; the guest had taken
 * @guest_share of the CPUs from it (base/load.h).
 */
void zc_converge_sent(struct zc_converge *converge, const struct zc_converge_work *work,
                      int64_t took_ns, double guest_share);

/* A harvest told @dirty, written in @since_ns, and took @took_ns.  Makes the estimate. */
void zc_converge_harvested(struct zc_converge *converge, const struct zc_converge_work *dirty,
                           int64_t since_ns, int64_t took_ns);

/*
 * Whether it depends on the last harvest if the guest may be stopped: then a walk (send/harvest.h)
 * tells how long that takes.
 */
bool zc_converge_wants_walk(const struct zc_converge *converge);

/* One took @took_ns, right behind the harvest, and the guest wrote meanwhile.  Estimates anew. */
void zc_converge_walked(struct zc_converge *converge, int64_t took_ns);

/* What to do with what was harvested.  May raise throttle_percent. */
enum zc_converge_decision zc_converge_decide(struct zc_converge *converge, int64_t now_ns);

/* Bytes per second; 0: not known yet. */
uint64_t zc_converge_bandwidth(const struct zc_converge *converge);

/* The numbers that show why it gave up, or what was forced: for people.  The caller frees. */
char *zc_converge_explain(const struct zc_converge *converge, int64_t now_ns);

#endif
