/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: between two writes a writer reads one flag.  When it is not RUN, the
 * writer takes the lock and counts itself as parked; pausing waits until all
 * are.  A writer that sleeps for its pace sleeps on the same condition, so a
 * pause never waits for a nap.  The lock also hands the RAM over: what a writer
 * stored before it parked is seen by who paused it.
 *
 * A write reads the page's history before it stamps: the guest's future hangs
 * on its RAM, so RAM that arrived wrong does not heal by being overwritten.
 */
#include "config.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "guest/synthetic-writer.h"

/* -------------------------------------------------------------------- pace */

#define NS_PER_1000_S UINT64_C(1000000000000)

void zc_pacer_init(struct zc_pacer *pacer, uint64_t bytes_per_s, int64_t now_ns)
{
    bool limited = bytes_per_s < UINT64_MAX / 1000;
    uint64_t at_least = bytes_per_s > 0;

    *pacer = (struct zc_pacer){
        .page_rate_milli = limited ? MAX(bytes_per_s * 1000 / ZC_PAGE_BYTES, at_least) : UINT64_MAX,
        .due_ns = now_ns,
    };
}

void zc_pacer_restart(struct zc_pacer *pacer, int64_t now_ns)
{
    pacer->due_ns = now_ns;
}

int64_t zc_pacer_wait_ns(const struct zc_pacer *pacer, int64_t now_ns)
{
    if (pacer->page_rate_milli == 0) {
        return INT64_MAX;
    }
    int64_t early_ns = pacer->due_ns - now_ns;
    return early_ns >= ZC_PACER_NAP_NS ? early_ns : 0;
}

void zc_pacer_wrote(struct zc_pacer *pacer, int64_t now_ns, int64_t took_ns)
{
    uint64_t share = 100 - pacer->throttle;
    uint64_t dividend = (uint64_t)took_ns * 100;
    uint64_t divisor = share;

    if (pacer->page_rate_milli != UINT64_MAX) {
        dividend = NS_PER_1000_S * 100;
        divisor = pacer->page_rate_milli * share;
    }
    dividend += pacer->remainder;
    if (pacer->due_ns < now_ns - ZC_PACER_BURST_NS) {
        pacer->due_ns = now_ns - ZC_PACER_BURST_NS;
    }
    pacer->due_ns += (int64_t)(dividend / divisor);
    pacer->remainder = dividend % divisor;
}

/* ------------------------------------------------------------------- write */

/* The counter has one writer, so no read-modify-write is needed. */
static inline void bump(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void count_latency(struct zc_latency_counts *latency, int64_t took_ns)
{
    unsigned int bucket = 63 - (unsigned int)__builtin_clzll((uint64_t)took_ns | 1);

    bump(&latency->buckets[MIN(bucket, ZC_LATENCY_BUCKETS - 1)]);
    if (took_ns > atomic_load_explicit(&latency->max_ns, memory_order_relaxed)) {
        atomic_store_explicit(&latency->max_ns, took_ns, memory_order_relaxed);
    }
}

static void count_gap(struct zc_writer *writer, int64_t now_ns)
{
    int64_t gap_ns = writer->last_write_ns ? now_ns - writer->last_write_ns : 0;

    if (gap_ns > atomic_load_explicit(&writer->gap_ns, memory_order_relaxed)) {
        atomic_store_explicit(&writer->gap_start_ns, writer->last_write_ns, memory_order_relaxed);
        atomic_store_explicit(&writer->gap_ns, gap_ns, memory_order_relaxed);
    }
    if (writer->arrives) {
        writer->arrives = false;
        atomic_store_explicit(&writer->move_ns, gap_ns, memory_order_relaxed);
    }
    writer->last_write_ns = now_ns;
}

int64_t zc_writer_write(struct zc_writer *writer, int64_t *took_ns_out)
{
    struct zc_crew *crew = writer->crew;
    uint64_t sequence = atomic_load_explicit(&writer->writes, memory_order_relaxed) + 1;
    uint64_t number = zc_walk_page(&writer->walk, zc_walk_index(&writer->walk, sequence));
    uint8_t *page = crew->host + number * ZC_PAGE_BYTES;
    int64_t before_ns = zc_clock_now_ns();
    struct zc_stamp stamp = {
        .page = (uint32_t)number,
        .writer = (uint16_t)writer->walk.writer,
        .sequence = sequence,
        .history = zc_stamp_next_history(zc_stamp_history(page), sequence),
    };

    zc_stamp_write(page, &stamp, crew->seed);
    int64_t now_ns = zc_clock_now_ns();
    atomic_store_explicit(&writer->writes, sequence, memory_order_relaxed);
    count_gap(writer, now_ns);
    count_latency(&writer->latency[atomic_load_explicit(&crew->tracked, memory_order_relaxed)],
                  now_ns - before_ns);
    *took_ns_out = now_ns - before_ns;
    return now_ns;
}

int64_t zc_writer_cpu_ns(const struct zc_writer *writer)
{
    struct timespec used = { 0 };
    clockid_t clock = atomic_load_explicit(&writer->clock, memory_order_acquire);

    return clock && clock_gettime(clock, &used) == 0 ? used.tv_sec * ZC_NS_PER_S + used.tv_nsec : 0;
}

/* ------------------------------------------------------------------ thread */

/* Waits until it may run; false: quit. */
static bool park(struct zc_writer *writer)
{
    struct zc_crew *crew = writer->crew;

    g_mutex_lock(&crew->lock);
    crew->n_parked++;
    g_cond_broadcast(&crew->parked);
    while (crew->want == ZC_WRITER_PARK) {
        g_cond_wait(&crew->want_changed, &crew->lock);
    }
    crew->n_parked--;
    g_cond_broadcast(&crew->parked);
    bool run = crew->want == ZC_WRITER_RUN;
    g_mutex_unlock(&crew->lock);
    return run;
}

/* Sleeps for @wait_ns, or until the crew is wanted for something else. */
static void nap(struct zc_crew *crew, int64_t now_ns, int64_t wait_ns)
{
    g_mutex_lock(&crew->lock);
    if (crew->want == ZC_WRITER_RUN) {
        if (wait_ns == INT64_MAX) {
            g_cond_wait(&crew->want_changed, &crew->lock);
        } else {
            g_cond_wait_until(&crew->want_changed, &crew->lock, (now_ns + wait_ns) / 1000);
        }
    }
    g_mutex_unlock(&crew->lock);
}

gpointer zc_writer_thread(gpointer data)
{
    struct zc_writer *writer = data;
    struct zc_crew *crew = writer->crew;
    int64_t now_ns = zc_clock_now_ns();
    clockid_t clock;

    if (pthread_getcpuclockid(pthread_self(), &clock) == 0) {
        atomic_store_explicit(&writer->clock, clock, memory_order_release);
    }
    for (;;) {
        if (atomic_load_explicit(&crew->want, memory_order_acquire) != ZC_WRITER_RUN) {
            if (!park(writer)) {
                return NULL;
            }
            now_ns = zc_clock_now_ns();
            zc_pacer_restart(&writer->pacer, now_ns);
        }
        writer->pacer.throttle = atomic_load_explicit(&crew->throttle, memory_order_relaxed);
        int64_t wait_ns = zc_pacer_wait_ns(&writer->pacer, now_ns);
        if (wait_ns) {
            nap(crew, now_ns, wait_ns);
            now_ns = zc_clock_now_ns();
        } else {
            int64_t took_ns;
            now_ns = zc_writer_write(writer, &took_ns);
            zc_pacer_wrote(&writer->pacer, now_ns, took_ns);
        }
    }
}
