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
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "bench/run.h"
#include "bench/sink.h"
#include "net/addr.h"

struct zcmig_bench {
    struct zcmig_bench_options options;
    char *destination;
    struct zc_addr addr;
    struct zc_budget budget;
    uint8_t *memory;
    GArray *runs; /* struct zcmig_bench_row */
    GArray *medians;
    GError *error;
};

static const char *const engine_names[] = { "auto", "copy", "zerocopy", "io_uring", "splice" };
static const char *const way_names[] = { "ipv4", "ipv6", "unix" };

/* ------------------------------------------------------------- connections */

static int connect_tcp(const char *uri, struct zc_sink_thread **sink_out, GError **error)
{
    struct zc_addr listen = { 0 }, bound = { 0 };
    g_autofree char *address = NULL;
    int fd = -1, accepted = -1;

    int listener = zc_addr_parse(uri, &listen, error)
                       ? zc_addr_listen(&listen, 1, false, &address, error)
                       : -1;
    if (listener >= 0 && zc_addr_parse(address, &bound, error)) {
        fd = zc_addr_connect(&bound, zc_deadline_in(5000), -1, error);
    }
    if (fd >= 0) { /* the connection is in the backlog: this does not wait */
        accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    if (fd >= 0 && accepted < 0) {
        zc_error_errno(error, ZCMIG_ERROR_CONNECT, -errno, "cannot accept on %s", address);
        close(fd);
        fd = -1;
    }
    if (listener >= 0) {
        zc_addr_unlisten(&listen, listener);
    }
    zc_addr_clear(&listen);
    zc_addr_clear(&bound);
    if (fd >= 0) {
        *sink_out = zc_sink_thread_start(accepted);
    }
    return fd;
}

static int connect_unix(struct zc_sink_thread **sink_out, GError **error)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_CONNECT, -errno, "cannot make a pair of sockets");
        return -1;
    }
    *sink_out = zc_sink_thread_start(pair[1]);
    return pair[0];
}

/* A connection to a sink, by @way or to the destination; -1 with @error. */
static int connect_way(zcmig_bench *bench, unsigned int way, struct zc_sink_thread **sink_out,
                       GError **error)
{
    *sink_out = NULL;
    if (bench->destination) {
        return zc_addr_connect(&bench->addr, zc_deadline_in(bench->options.stall_timeout_ms), -1,
                               error);
    }
    switch (way) {
    case ZCMIG_BENCH_IPV4:
        return connect_tcp("tcp:127.0.0.1:0", sink_out, error);
    case ZCMIG_BENCH_IPV6:
        return connect_tcp("tcp:[::1]:0", sink_out, error);
    default:
        return connect_unix(sink_out, error);
    }
}

/* -------------------------------------------------------------------- runs */

static bool run_one(zcmig_bench *bench, unsigned int run, unsigned int way, unsigned int chunk,
                    enum zc_engine_kind engine)
{
    const struct zc_bench_load load = { bench->memory, &bench->budget, &bench->options };
    struct zcmig_bench_row row = {
        .way = bench->destination ? bench->destination : way_names[way],
        .engine = engine_names[engine],
        .chunk_bytes = bench->options.chunk_bytes[chunk],
        .run = run,
    };
    struct zc_sink_thread *sink;
    int fd = connect_way(bench, way, &sink, &bench->error);

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

static bool run_combinations(zcmig_bench *bench, unsigned int run)
{
    const struct zcmig_bench_options *options = &bench->options;

    for (unsigned int way = 0; way < ZCMIG_BENCH_N_WAYS; way++) {
        if (!(options->ways & 1u << way)) {
            continue;
        }
        for (unsigned int chunk = 0; chunk < options->n_chunks; chunk++) {
            for (unsigned int engine = 0; engine < G_N_ELEMENTS(engine_names); engine++) {
                if ((options->engines & 1u << engine) &&
                    !run_one(bench, run, way, chunk, (enum zc_engine_kind)engine)) {
                    return false;
                }
            }
        }
    }
    return true;
}

static gpointer bench_thread(gpointer data)
{
    zcmig_bench *bench = data;
    bool ok = true;

    if (bench->options.cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET((unsigned int)bench->options.cpu, &cpus);
        if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0) {
            ok = zc_error_errno(&bench->error, ZCMIG_ERROR_USAGE, -errno, "cannot run on CPU %d",
                                bench->options.cpu);
        }
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
        .ways = (1u << ZCMIG_BENCH_N_WAYS) - 1,
        .engines = 1u << ZCMIG_ENGINE_COPY | 1u << ZCMIG_ENGINE_ZEROCOPY |
                   1u << ZCMIG_ENGINE_IO_URING | 1u << ZCMIG_ENGINE_SPLICE,
        .chunk_bytes = { 512 * 1024 },
        .n_chunks = 1,
        .bytes = 256u << 20,
        .runs = 3,
        .cpu = -1,
        .stall_timeout_ms = 10000,
    };
}

static bool check_options(const struct zcmig_bench_options *options, GError **error)
{
    unsigned int engines = 2u << ZCMIG_ENGINE_SPLICE;

    if (options->engines < 2 || options->engines >= engines || options->engines & 1 ||
        options->ways == 0 || options->ways >= 1u << ZCMIG_BENCH_N_WAYS || options->n_chunks == 0 ||
        options->n_chunks > ZCMIG_BENCH_CHUNKS_MAX || options->bytes == 0 || options->runs == 0 ||
        options->stall_timeout_ms < 1 || options->cpu >= CPU_SETSIZE) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "bench: there must be engines, ways, chunks, bytes and runs");
    }
    for (unsigned int i = 0; i < options->n_chunks; i++) {
        if (options->chunk_bytes[i] == 0 || options->chunk_bytes[i] > ZCMIG_BENCH_CHUNK_BYTES_MAX) {
            return zc_error(error, ZCMIG_ERROR_USAGE,
                            "chunk: got %" G_GUINT64_FORMAT " bytes, allowed are 1 to %u",
                            options->chunk_bytes[i], ZCMIG_BENCH_CHUNK_BYTES_MAX);
        }
    }
    return true;
}

zcmig_bench *zcmig_bench_run(const struct zcmig_bench_options *options, GError **error)
{
    g_autoptr(zcmig_bench) bench = g_new0(zcmig_bench, 1);

    bench->options = *options;
    bench->runs = g_array_new(FALSE, FALSE, sizeof(struct zcmig_bench_row));
    bench->medians = g_array_new(FALSE, FALSE, sizeof(struct zcmig_bench_row));
    if (!check_options(options, error)) {
        return NULL;
    }
    if (options->destination) {
        if (!zc_addr_parse(options->destination, &bench->addr, error)) {
            return NULL;
        }
        if (bench->addr.kind == ZC_ADDR_FD || bench->addr.kind == ZC_ADDR_NULL) {
            zc_error(
                error, ZCMIG_ERROR_USAGE,
                "destination: got '%s', allowed are tcp:, unix:, vsock:", options->destination);
            return NULL;
        }
        bench->destination = g_strdup(options->destination);
        bench->options.ways = 1;
    }
    void *memory = mmap(NULL, ZCMIG_BENCH_CHUNK_BYTES_MAX, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        zc_error_errno(error, ZCMIG_ERROR_FAILED, -errno, "no memory to send");
        return NULL;
    }
    bench->memory = memory;
    zc_budget_init(&bench->budget);
    g_thread_join(g_thread_new("zcmig-bench", bench_thread, bench));
    if (bench->error) {
        g_propagate_error(error, g_steal_pointer(&bench->error));
        return NULL;
    }
    make_medians(bench);
    return g_steal_pointer(&bench);
}

void zcmig_bench_free(zcmig_bench *bench)
{
    if (bench) {
        if (bench->memory) {
            munmap(bench->memory, ZCMIG_BENCH_CHUNK_BYTES_MAX);
        }
        g_array_unref(bench->runs);
        g_array_unref(bench->medians);
        zc_addr_clear(&bench->addr);
        g_free(bench->destination);
        g_free(bench);
    }
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
