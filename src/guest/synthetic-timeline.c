/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: what the guest noticed, summed over its writers.  Each figure has one
 * writer thread and is read as it stands; together they are of no one moment.
 */
#include "config.h"

#include "guest/synthetic-writer.h"

int64_t zc_latency_percentile_ns(const struct zc_latency *latency, unsigned int permille)
{
    uint64_t below = 0;

    for (unsigned int i = 0; i < ZC_LATENCY_BUCKETS; i++) {
        below += latency->buckets[i];
        if (latency->count && below * 1000 >= latency->count * permille) {
            return MIN((INT64_C(2) << i) - 1, latency->max_ns);
        }
    }
    return 0;
}

static void add_latency(const struct zc_latency_counts *from, struct zc_latency *into)
{
    int64_t max_ns = atomic_load_explicit(&from->max_ns, memory_order_relaxed);

    for (unsigned int i = 0; i < ZC_LATENCY_BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&from->buckets[i], memory_order_relaxed);
        into->buckets[i] += count;
        into->count += count;
    }
    into->max_ns = MAX(into->max_ns, max_ns);
}

void zc_writer_add_timeline(const struct zc_writer *writer, struct zc_synthetic_timeline *timeline)
{
    int64_t gap_ns = atomic_load_explicit(&writer->gap_ns, memory_order_relaxed);

    timeline->writes += atomic_load_explicit(&writer->writes, memory_order_relaxed);
    if (gap_ns > timeline->gap_ns) {
        timeline->gap_ns = gap_ns;
        timeline->gap_start_ns = atomic_load_explicit(&writer->gap_start_ns, memory_order_relaxed);
        timeline->gap_writer = writer->walk.writer;
    }
    timeline->move_ns =
        MAX(timeline->move_ns, atomic_load_explicit(&writer->move_ns, memory_order_relaxed));
    add_latency(&writer->latency[0], &timeline->untracked);
    add_latency(&writer->latency[1], &timeline->tracked);
}
