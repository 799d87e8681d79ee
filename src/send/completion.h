/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which zero-copy calls the kernel has done with.  Pure bookkeeping: no I/O,
 * no allocation after init, one thread.
 *
 * The kernel numbers each successful sendmsg(MSG_ZEROCOPY) of a socket from 0
 * up, modulo 2^32, and reports done calls in notes: inclusive ranges [lo, hi]
 * that may come merged, out of order and across the wrap (then hi < lo).
 * A note's COPIED bit is that of its FIRST call alone: the kernel never looks
 * at it when it merges.  So a note of one call is exact, and a longer one
 * gives bounds; see struct zc_completion_counts.
 *
 *      done ------------->|<--- calls in flight --->|
 *      ..., n-2, n-1      oldest   ...       next-1   next
 *                            ^ holes: calls noted out of order
 */
#ifndef ZC_SEND_COMPLETION_H
#define ZC_SEND_COMPLETION_H

#include <stdbool.h>
#include <stdint.h>

/* What a note says of its first call. */
enum zc_copied {
    ZC_COPIED_NO,
    ZC_COPIED_YES,
    ZC_COPIED_UNKNOWN, /* the kernel does not tell, or is known to be wrong here */
};

/* A call: what is known when it is made, and what must be given back when it is done. */
struct zc_call {
    uint32_t bytes;
    uint32_t charge_pages; /* against the budget */
    uint32_t cookie;       /* the caller's: which header slot or batch it belongs to */
    bool noted;
};

struct zc_completion_counts {
    uint64_t calls;       /* made */
    uint64_t completed;   /* noted */
    uint64_t notes;       /* notifications read */
    uint64_t copied_min;  /* calls that the kernel surely copied */
    uint64_t copied_max;  /* and at most this many: exact where both are equal */
    uint64_t bytes;       /* handed over in calls */
};

struct zc_completion {
    struct zc_call *calls; /* ring; capacity is a power of two */
    uint32_t capacity;
    uint32_t oldest;       /* serial number of the oldest call in flight */
    uint32_t next;         /* serial number that the next call gets */
    uint64_t bytes_in_flight;
    struct zc_completion_counts counts;
};

/* @capacity: calls in flight at most, a power of two.  @first_serial: 0 for a fresh socket. */
void zc_completion_init(struct zc_completion *completion, uint32_t capacity,
                        uint32_t first_serial);
void zc_completion_clear(struct zc_completion *completion);

static inline uint32_t zc_completion_in_flight(const struct zc_completion *completion)
{
    return completion->next - completion->oldest;
}

static inline bool zc_completion_is_full(const struct zc_completion *completion)
{
    return zc_completion_in_flight(completion) == completion->capacity;
}

/* Records one successful call.  There must be room. */
void zc_completion_call(struct zc_completion *completion, uint32_t bytes, uint32_t charge_pages,
                        uint32_t cookie);

/*
 * Records a note.  Returns the number of calls in it, or -EPROTO when it names a call that was
 * never made or is done already (nothing is recorded then).
 */
int64_t zc_completion_note(struct zc_completion *completion, uint32_t lo, uint32_t hi,
                           enum zc_copied copied);

/*
 * Records that all calls in flight are done, of which @copied_min to @copied_max were copied, where
 * notes do not tell calls (send/tally.h).  counts.notes is the caller's to count.
 */
void zc_completion_all(struct zc_completion *completion, uint32_t copied_min, uint32_t copied_max);

/*
 * Takes the oldest call off when it is noted: true with *@call_out.  A call that was noted before
 * an older one stays until the older one is noted, so memory is given back in order.
 */
bool zc_completion_pop(struct zc_completion *completion, struct zc_call *call_out);

#endif
