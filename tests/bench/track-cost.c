/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tracking costs: the harvest by fraction of dirty pages, and the guest's
 * writes with and without a tracker.  A table, then one line of JSON.
 *
 *     track-cost [MIB [WRITES]]      defaults 256 and 200000
 *
 * 256 MiB take one to two minutes, nearly all of it by the fault tracker: 10 to 120 us a page.
 *
 * Figures of a machine that does something else meanwhile mean nothing; of a virtual one they are
 * good for ratios.  Medians of 5 harvests.
 */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "guest/synthetic.h"
#include "lib/guest-memory.h"

#define ROUNDS 5u

static const unsigned int permilles[] = { 0, 10, 100, 400, 1000 };
static const enum zc_memory_kind memories[] = { ZC_MEMORY_PRIVATE, ZC_MEMORY_MEMFD,
                                                ZC_MEMORY_PRIVATE_THP, ZC_MEMORY_HUGETLB };
static const enum zc_tracker_kind trackers[] = { ZC_TRACKER_SCAN, ZC_TRACKER_FAULT };
static uint64_t ram_bytes;
static GString *json;

static int compare_times(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;

    return (first > second) - (first < second);
}

static double ms_per_gib(int64_t ns)
{
    return (double)ns / 1e6 * (double)ZC_GIB / (double)ram_bytes;
}

struct costs {
    double protect_ms;
    double write_us; /* the first to a protected page */
    double harvest_ms[G_N_ELEMENTS(permilles)];
    uint64_t told[G_N_ELEMENTS(permilles)];
};

/* @permille of the pages, picked at random, then a harvest. */
static int64_t dirty_and_harvest(struct zc_tracker *tracker, uint8_t *memory,
                                 struct zc_bitmap *dirty, unsigned int permille, GRand *rand,
                                 int64_t *write_ns)
{
    struct zc_range all = { .n_pages = (uint32_t)dirty->n_pages };
    uint64_t n = dirty->n_pages * permille / 1000;
    int64_t before_ns = zc_clock_now_ns();

    for (uint64_t i = 0; i < n; i++) {
        uint64_t page =
            permille == 1000 ? i : (uint64_t)g_rand_int_range(rand, 0, (int)dirty->n_pages);
        *(volatile uint8_t *)(memory + page * ZC_PAGE_BYTES) += 1;
    }
    int64_t written_ns = zc_clock_now_ns();
    *write_ns = n ? (written_ns - before_ns) / (int64_t)n : 0;
    zc_bitmap_clear_range(dirty, 0, dirty->n_pages);
    if (zc_tracker_harvest(tracker, &all, dirty) < 0) {
        fprintf(stderr, "track-cost: the harvest failed\n");
        exit(EXIT_FAILURE);
    }
    return zc_clock_now_ns() - written_ns;
}

static void measure_harvests(struct zc_tracker *tracker, uint8_t *memory, struct costs *costs)
{
    GRand *rand = g_rand_new_with_seed(1);
    struct zc_bitmap dirty;
    int64_t write_ns = 0;

    zc_bitmap_init(&dirty, ram_bytes / ZC_PAGE_BYTES);
    for (unsigned int i = 0; i < G_N_ELEMENTS(permilles); i++) {
        int64_t times[ROUNDS];
        for (unsigned int round = 0; round < ROUNDS; round++) {
            times[round] =
                dirty_and_harvest(tracker, memory, &dirty, permilles[i], rand, &write_ns);
        }
        qsort(times, ROUNDS, sizeof(times[0]), compare_times);
        costs->harvest_ms[i] = ms_per_gib(times[ROUNDS / 2]);
        costs->told[i] = zc_bitmap_count(&dirty);
        if (permilles[i] == 100) {
            costs->write_us = (double)write_ns / 1e3;
        }
    }
    zc_bitmap_clear(&dirty);
    g_rand_free(rand);
}

static void print_costs(const char *tracker, const char *memory, const struct costs *costs)
{
    printf("%-6s %-20s %8.1f %8.2f  ", tracker, memory, costs->protect_ms, costs->write_us);
    g_string_append_printf(json,
                           "%s{\"tracker\":\"%s\",\"memory\":\"%s\",\"protect-ms-per-gib\":%.3f,"
                           "\"first-write-us\":%.3f,\"harvest\":[",
                           json->str[json->len - 1] == '[' ? "" : ",", tracker, memory,
                           costs->protect_ms, costs->write_us);
    for (unsigned int i = 0; i < G_N_ELEMENTS(permilles); i++) {
        printf(" %7.2f", costs->harvest_ms[i]);
        g_string_append_printf(
            json,
            "%s{\"dirty-percent\":%g,\"ms-per-gib\":%.3f,\"pages-told\":%" G_GUINT64_FORMAT "}",
            i ? "," : "", permilles[i] / 10.0, costs->harvest_ms[i], costs->told[i]);
    }
    printf("\n");
    g_string_append(json, "]}");
}

static void bench_memory(enum zc_tracker_kind kind, enum zc_memory_kind memory_kind)
{
    g_autoptr(GError) error = NULL;
    struct zc_tracker *tracker = zc_tracker_new(kind, NULL, &error);
    uint8_t *memory = zc_memory_map(memory_kind, ram_bytes);
    struct costs costs = { .protect_ms = 0 };
    struct zc_ram ram;

    zc_ram_init(&ram);
    if (tracker && memory && zc_ram_add(&ram, "ram", memory, ram_bytes, &error) == 0 &&
        zc_tracker_start(tracker, &ram, &error)) {
        struct zc_tracker_stats stats;
        zc_tracker_get_stats(tracker, &stats);
        costs.protect_ms = ms_per_gib(stats.protect_ns);
        measure_harvests(tracker, memory, &costs);
        print_costs(zc_tracker_name(tracker), zc_memory_kind_name(memory_kind), &costs);
    } else {
        printf("%s: %s\n", zc_memory_kind_name(memory_kind),
               error ? error->message : "none on this machine");
    }
    zc_tracker_free(tracker);
    if (memory) {
        zc_memory_unmap(memory, ram_bytes);
    }
    zc_ram_clear(&ram);
}

/* ------------------------------------------------------ what the guest notices */

static void run_writes(struct zc_synthetic *guest, uint64_t writes)
{
    struct zc_synthetic_timeline timeline;
    zc_deadline deadline = zc_deadline_in(60000);

    zc_synthetic_get_timeline(guest, &timeline);
    for (uint64_t goal = timeline.writes + writes; timeline.writes < goal;) {
        poll(NULL, 0, 1); /* what is measured is time, so it may pass */
        zc_synthetic_get_timeline(guest, &timeline);
        if (zc_clock_now_ns() > deadline) {
            fprintf(stderr, "track-cost: the guest stands still\n");
            exit(EXIT_FAILURE);
        }
    }
}

static void print_latency(const char *name, const struct zc_latency *latency)
{
    printf("%-10s %10" G_GUINT64_FORMAT " %8.2f %8.2f %8.2f %10.1f\n", name, latency->count,
           (double)zc_latency_percentile_ns(latency, 500) / 1e3,
           (double)zc_latency_percentile_ns(latency, 990) / 1e3,
           (double)zc_latency_percentile_ns(latency, 999) / 1e3, (double)latency->max_ns / 1e3);
    g_string_append_printf(json,
                           "%s{\"tracker\":\"%s\",\"writes\":%" G_GUINT64_FORMAT
                           ",\"p50-ns\":%" G_GINT64_FORMAT ",\"p99-ns\":%" G_GINT64_FORMAT
                           ",\"p999-ns\":%" G_GINT64_FORMAT ",\"max-ns\":%" G_GINT64_FORMAT "}",
                           json->str[json->len - 1] == '[' ? "" : ",", name, latency->count,
                           zc_latency_percentile_ns(latency, 500),
                           zc_latency_percentile_ns(latency, 990),
                           zc_latency_percentile_ns(latency, 999), latency->max_ns);
}

/* Twenty harvests beside the writes, as iterations would have. */
static void run_tracked(struct zc_source *source, struct zc_tracker *tracker, uint64_t writes)
{
    struct zc_bitmap dirty;

    zc_bitmap_init(&dirty, zc_ram_pages(&source->ram));
    struct zc_range all = { .n_pages = (uint32_t)dirty.n_pages };
    for (unsigned int i = 0; i < 20; i++) {
        run_writes(zc_synthetic_from_source(source), writes / 20);
        zc_tracker_harvest(tracker, &all, &dirty);
    }
    zc_bitmap_clear(&dirty);
}

static void bench_guest(uint64_t writes)
{
    for (unsigned int i = 0; i < G_N_ELEMENTS(trackers); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *uri = g_strdup_printf("guest:%" G_GUINT64_FORMAT ",dirty=400M", ram_bytes);
        struct zc_source *source = zc_synthetic_open(uri, &error);
        if (!source) {
            fprintf(stderr, "track-cost: %s\n", error->message);
            exit(EXIT_FAILURE);
        }
        struct zc_synthetic_timeline timeline;
        run_writes(zc_synthetic_from_source(source), writes);
        struct zc_tracker *tracker = source->live->start_tracker(source, trackers[i], &error);
        if (tracker) {
            run_tracked(source, tracker, writes);
            zc_synthetic_get_timeline(zc_synthetic_from_source(source), &timeline);
            print_latency(i == 0 ? "untracked" : "again", &timeline.untracked);
            print_latency(zc_tracker_name(tracker), &timeline.tracked);
            source->live->stop_tracker(source, tracker, false);
        } else {
            printf("%s\n", error->message);
        }
        source->ops->free(source);
    }
}

int main(int argc, char **argv)
{
    uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 256;
    uint64_t writes = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000;

    if (mib < 2 || mib > 1 << 20 || mib % 2 || writes < 1000) {
        fprintf(stderr,
                "track-cost: got %s, allowed is [MIB (even, from 2) [WRITES (from 1000)]]\n",
                argv[1]);
        return 2;
    }
    ram_bytes = mib << 20;
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line when it is known, also into a pipe */
    json = g_string_new(NULL);
    g_string_append_printf(json, "{\"ram-bytes\":%" G_GUINT64_FORMAT ",\"harvests\":[", ram_bytes);
    printf("tracker memory               protect   write      harvest, ms per GiB, at %% of pages "
           "dirty\n                              ms/GiB       us        0       1      10      40"
           "     100\n");
    for (unsigned int i = 0; i < G_N_ELEMENTS(trackers); i++) {
        for (unsigned int j = 0; j < G_N_ELEMENTS(memories); j++) {
            bench_memory(trackers[i], memories[j]);
        }
    }
    printf("\nwrites of a guest at 400 MiB/s, us\n"
           "tracker        writes      p50      p99    p99.9        max\n");
    g_string_append(json, "],\"writes\":[");
    bench_guest(writes);
    g_string_append(json, "]}");
    printf("\n%s\n", json->str);
    g_string_free(json, TRUE);
    return 0;
}
