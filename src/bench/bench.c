/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the loop over runs is the outermost and that over engines the
 * innermost one, so neighbours in time are what is to be compared.  The thread
 * that sends is a fresh one: pinning it leaves the caller's where it is.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "bench/datagram.h"
#include "bench/run.h"
#include "bench/way.h"
#include "mem/huge.h"

#define STREAM_CHUNK_BYTES (512u * 1024)
#define DATAGRAM_CHUNK_BYTES (60u * 1024)

struct zcmig_bench {
    struct zcmig_bench_options options;
    char *destination;
    struct zc_addr addr;
    struct zc_budget budget;
    uint8_t *memory;
    uint64_t mapped_bytes;
    uint64_t huge_bytes;
    GArray *runs; /* struct zcmig_bench_row */
    GArray *medians;
    GPtrArray *skipped; /* texts; ends with NULL once it ran */
    GError *error;
};

static const char *const engine_names[] = { "auto", "copy", "zerocopy", "io_uring", "splice" };

/* -------------------------------------------------------------------- runs */

static bool run_one(zcmig_bench *bench, unsigned int run, unsigned int way, uint64_t chunk_bytes,
                    enum zc_engine_kind engine)
{
    const struct zc_bench_load load = {
        .memory = bench->memory,
        .memory_bytes = bench->mapped_bytes,
        .budget = &bench->budget,
        .options = &bench->options,
        .datagrams = zc_bench_is_datagrams(&bench->options, way),
    };
    struct zcmig_bench_row row = {
        .way = bench->destination ? bench->destination : zc_bench_way_name(way),
        .engine = engine_names[engine],
        .chunk_bytes = chunk_bytes,
        .run = run,
    };
    struct zc_sink_thread *sink;
    int fd = zc_bench_connect(&bench->options, &bench->addr, way, &sink, &bench->error);

    if (fd < 0) {
        return false;
    }
    bool ok = zc_bench_run_once(fd, engine, &load, &row, &bench->error);
    close(fd);
    if (sink) {
        zc_sink_thread_stop(sink);
    }
    g_array_append_val(bench->runs, row);
    return ok;
}

static bool run_way(zcmig_bench *bench, unsigned int run, unsigned int way)
{
    const struct zcmig_bench_options *options = &bench->options;
    bool datagrams = zc_bench_is_datagrams(options, way);

    for (unsigned int i = 0; i < MAX(options->n_chunks, 1); i++) {
        uint64_t chunk_bytes = options->n_chunks > 0 ? options->chunk_bytes[i]
                               : datagrams           ? DATAGRAM_CHUNK_BYTES
                                                     : STREAM_CHUNK_BYTES;
        for (unsigned int engine = 0; engine < G_N_ELEMENTS(engine_names); engine++) {
            if ((options->engines & 1u << engine) &&
                !run_one(bench, run, way, chunk_bytes, (enum zc_engine_kind)engine)) {
                return false;
            }
        }
    }
    return true;
}

static bool run_combinations(zcmig_bench *bench, unsigned int run)
{
    for (unsigned int way = 0; way < ZCMIG_BENCH_N_WAYS; way++) {
        if ((bench->options.ways & 1u << way) && !run_way(bench, run, way)) {
            return false;
        }
    }
    return true;
}

/* Leaves out the ways that cannot be had, before the first run, so that all runs have the same. */
static void skip_absent_ways(zcmig_bench *bench)
{
    for (unsigned int way = 0; way < ZCMIG_BENCH_N_WAYS; way++) {
        g_autoptr(GError) error = NULL;
        struct zc_sink_thread *sink;
        if (!(bench->options.ways & 1u << way)) {
            continue;
        }
        int fd = zc_bench_connect(&bench->options, &bench->addr, way, &sink, &error);
        if (fd < 0) {
            bench->options.ways &= ~(1u << way);
            g_ptr_array_add(bench->skipped,
                            g_strdup_printf("%s: %s", zc_bench_way_name(way), error->message));
            continue;
        }
        close(fd);
        zc_sink_thread_stop(sink);
    }
}

/* Whether the sinks can run where they are to; and this thread does from now on. */
static bool check_cpus(zcmig_bench *bench)
{
    int sink_cpu = bench->options.sink_cpu, cpu = bench->options.cpu;
    cpu_set_t before;

    int ret = sched_getaffinity(0, sizeof(before), &before) < 0 ? -errno : zc_bench_pin(sink_cpu);
    if (ret < 0) {
        return zc_error_errno(&bench->error, ZCMIG_ERROR_USAGE, ret, "sink: cannot run on CPU %d",
                              sink_cpu);
    }
    sched_setaffinity(0, sizeof(before), &before);
    ret = zc_bench_pin(cpu);
    return ret == 0 ||
           zc_error_errno(&bench->error, ZCMIG_ERROR_USAGE, ret, "cannot run on CPU %d", cpu);
}

static gpointer bench_thread(gpointer data)
{
    zcmig_bench *bench = data;
    bool ok = check_cpus(bench);

    if (ok && bench->options.skip_absent && !bench->destination) {
        skip_absent_ways(bench);
    }
    for (unsigned int run = 0; ok && run < bench->options.runs; run++) {
        ok = run_combinations(bench, run);
    }
    return NULL;
}

/* ----------------------------------------------------------------- medians */

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static uint64_t median_at(const zcmig_bench *bench, unsigned int first, unsigned int stride,
                          size_t offset)
{
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    for (unsigned int i = first; i < bench->runs->len; i += stride) {
        const struct zcmig_bench_row *row = &g_array_index(bench->runs, struct zcmig_bench_row, i);
        g_array_append_vals(values, (const char *)row + offset, 1);
    }
    qsort(values->data, values->len, sizeof(uint64_t), compare_numbers);
    return g_array_index(values, uint64_t, (values->len - 1) / 2);
}

static void make_medians(zcmig_bench *bench)
{
    static const size_t offsets[] = {
        offsetof(struct zcmig_bench_row, bytes),       offsetof(struct zcmig_bench_row, calls),
        offsetof(struct zcmig_bench_row, completions), offsetof(struct zcmig_bench_row, copied_min),
        offsetof(struct zcmig_bench_row, copied_max),  offsetof(struct zcmig_bench_row, real_ns),
        offsetof(struct zcmig_bench_row, user_ns),     offsetof(struct zcmig_bench_row, sys_ns),
        offsetof(struct zcmig_bench_row, lost_bytes),
        offsetof(struct zcmig_bench_row, registered_bytes),
    };
    unsigned int stride = bench->runs->len / bench->options.runs;

    for (unsigned int i = 0; i < stride; i++) {
        struct zcmig_bench_row row = g_array_index(bench->runs, struct zcmig_bench_row, i);
        for (size_t k = 0; k < G_N_ELEMENTS(offsets); k++) {
            *(uint64_t *)(void *)((char *)&row + offsets[k]) =
                median_at(bench, i, stride, offsets[k]);
        }
        for (unsigned int k = i; k < bench->runs->len; k += stride) {
            if (g_array_index(bench->runs, struct zcmig_bench_row, k).verdict != row.verdict) {
                row.verdict = "mixed";
            }
        }
        row.run = bench->options.runs;
        g_array_append_val(bench->medians, row);
    }
}

/* -------------------------------------------------------------- the public */

void zcmig_bench_options_init(struct zcmig_bench_options *options)
{
    *options = (struct zcmig_bench_options){
        .ways = 1u << ZCMIG_BENCH_IPV4 | 1u << ZCMIG_BENCH_IPV6 | 1u << ZCMIG_BENCH_UNIX |
                1u << ZCMIG_BENCH_VSOCK,
        .skip_absent = true,
        .engines = 1u << ZCMIG_ENGINE_COPY | 1u << ZCMIG_ENGINE_ZEROCOPY |
                   1u << ZCMIG_ENGINE_IO_URING | 1u << ZCMIG_ENGINE_SPLICE,
        .bytes = 256u << 20,
        .runs = 3,
        .cpu = -1,
        .sink_cpu = -1,
        .stall_timeout_ms = 10000,
    };
}

/* Chunks that fit into what is sent by each way. */
static bool check_chunks(const struct zcmig_bench_options *options, GError **error)
{
    bool any_datagrams = false;

    for (unsigned int way = 0; way < ZCMIG_BENCH_N_WAYS; way++) {
        any_datagrams = any_datagrams || ((options->ways & 1u << way) &&
                                          zc_bench_is_datagrams(options, way));
    }
    uint64_t most = any_datagrams ? ZC_DATAGRAM_BYTES_MAX : ZCMIG_BENCH_CHUNK_BYTES_MAX;
    for (unsigned int i = 0; i < options->n_chunks; i++) {
        if (options->chunk_bytes[i] == 0 || options->chunk_bytes[i] > most) {
            return zc_error(error, ZCMIG_ERROR_USAGE,
                            "chunk: got %" G_GUINT64_FORMAT " bytes, allowed %s are 1 to %"
                            G_GUINT64_FORMAT, options->chunk_bytes[i],
                            any_datagrams ? "in datagrams" : "in a call", most);
        }
    }
    return true;
}

static bool check_options(const struct zcmig_bench_options *options, GError **error)
{
    unsigned int engines = 2u << ZCMIG_ENGINE_SPLICE;

    if (options->engines < 2 || options->engines >= engines || options->engines & 1 ||
        options->ways == 0 || options->ways >= 1u << ZCMIG_BENCH_N_WAYS ||
        options->n_chunks > ZCMIG_BENCH_CHUNKS_MAX || options->bytes == 0 || options->runs == 0 ||
        options->stall_timeout_ms < 1 || options->cpu >= CPU_SETSIZE ||
        options->sink_cpu >= CPU_SETSIZE || options->udp_segment_bytes > ZC_DATAGRAM_BYTES_MAX) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "bench: there must be engines, ways, bytes and runs");
    }
    return check_chunks(options, error);
}

static bool map_memory(zcmig_bench *bench, GError **error)
{
    uint64_t wanted_bytes = MAX(bench->options.memory_bytes, ZCMIG_BENCH_CHUNK_BYTES_MAX);

    /* In whole huge pages; no address space holds more than half of 2^64. */
    bench->mapped_bytes = (MIN(wanted_bytes, UINT64_MAX / 2) + ZC_HUGE_PAGE_BYTES - 1) &
                          ~(ZC_HUGE_PAGE_BYTES - 1);
    bench->memory = zc_huge_reserve(bench->mapped_bytes);
    if (!bench->memory || mprotect(bench->memory, bench->mapped_bytes, PROT_READ | PROT_WRITE) < 0) {
        return zc_error_errno(error, ZCMIG_ERROR_LIMIT, errno,
                              "memory: cannot map %" G_GUINT64_FORMAT " bytes",
                              bench->mapped_bytes);
    }
    /* Advice: what the kernel has not, it does not give. */
    madvise(bench->memory, bench->mapped_bytes,
            bench->options.small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    /* Pages of its own: the zero page is in the cache. */
    memset(bench->memory, 0x5a, bench->mapped_bytes);
    bench->huge_bytes = zc_huge_count(bench->memory, bench->mapped_bytes);
    return true;
}

zcmig_bench *zcmig_bench_run(const struct zcmig_bench_options *options, GError **error)
{
    g_autoptr(zcmig_bench) bench = g_new0(zcmig_bench, 1);

    bench->options = *options;
    bench->runs = g_array_new(FALSE, FALSE, sizeof(struct zcmig_bench_row));
    bench->medians = g_array_new(FALSE, FALSE, sizeof(struct zcmig_bench_row));
    bench->skipped = g_ptr_array_new_with_free_func(g_free);
    if (!check_options(options, error)) {
        return NULL;
    }
    if (options->destination) {
        if (!zc_datagram_is_uri(options->destination) &&
            !zc_addr_parse(options->destination, &bench->addr, error)) {
            return NULL;
        }
        if (bench->addr.kind == ZC_ADDR_FD || bench->addr.kind == ZC_ADDR_NULL) {
            zc_error(
                error, ZCMIG_ERROR_USAGE,
                "destination: got '%s', allowed are tcp:, unix:, vsock:, udp:", options->destination);
            return NULL;
        }
        bench->destination = g_strdup(options->destination);
        bench->options.destination = bench->destination;
        bench->options.ways = 1;
    }
    if (!map_memory(bench, error)) {
        return NULL;
    }
    zc_budget_init(&bench->budget);
    g_thread_join(g_thread_new("zcmig-bench", bench_thread, bench));
    if (bench->error) {
        g_propagate_error(error, g_steal_pointer(&bench->error));
        return NULL;
    }
    if (bench->runs->len > 0) {
        make_medians(bench);
    }
    g_ptr_array_add(bench->skipped, NULL);
    return g_steal_pointer(&bench);
}

void zcmig_bench_free(zcmig_bench *bench)
{
    if (bench) {
        if (bench->memory) {
            munmap(bench->memory, bench->mapped_bytes);
        }
        g_array_unref(bench->runs);
        g_array_unref(bench->medians);
        g_ptr_array_unref(bench->skipped);
        zc_addr_clear(&bench->addr);
        g_free(bench->destination);
        g_free(bench);
    }
}

uint64_t zcmig_bench_get_memory(const zcmig_bench *bench, uint64_t *huge_bytes_out)
{
    *huge_bytes_out = bench->huge_bytes;
    return bench->mapped_bytes;
}

static const struct zcmig_bench_row *rows_of(const GArray *rows, unsigned int *n_out)
{
    *n_out = rows->len;
    return (const struct zcmig_bench_row *)(const void *)rows->data;
}

const struct zcmig_bench_row *zcmig_bench_get_runs(const zcmig_bench *bench, unsigned int *n_out)
{
    return rows_of(bench->runs, n_out);
}

const struct zcmig_bench_row *zcmig_bench_get_medians(const zcmig_bench *bench, unsigned int *n_out)
{
    return rows_of(bench->medians, n_out);
}

const char *const *zcmig_bench_get_skipped(const zcmig_bench *bench)
{
    return (const char *const *)bench->skipped->pdata;
}
