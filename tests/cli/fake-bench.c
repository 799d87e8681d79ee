/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bench of the fake library: two engines, one of them replaced, whatever was asked for. */
#include "config.h"

#include <stdio.h>

#include <zcmig/bench.h>

struct zcmig_bench {
    char nothing;
};

static const struct zcmig_bench_row rows[] = {
    { .way = "ipv4",
      .engine = "copy",
      .used = "copy",
      .why_not = "",
      .verdict = "-",
      .unregistered = "",
      .chunk_bytes = 65536,
      .run = 0,
      .bytes = 1u << 30,
      .calls = 16384,
      .real_ns = 500000000,
      .user_ns = 10000000,
      .sys_ns = 240000000 },
    { .way = "ipv4",
      .engine = "io_uring",
      .used = "zerocopy",
      .why_not = "it is \"forbidden\", here",
      .verdict = "y",
      .unregistered = "it is \"small\", here",
      .registered_bytes = 7,
      .lost_bytes = -1,
      .chunk_bytes = 65536,
      .run = 0,
      .bytes = 1u << 30,
      .calls = 16384,
      .completions = 16384,
      .copied_min = 0,
      .copied_max = 12,
      .real_ns = 400000000,
      .user_ns = 10000000,
      .sys_ns = 90000000 },
};

void zcmig_bench_options_init(struct zcmig_bench_options *options)
{
    *options = (struct zcmig_bench_options){ .ways = 7, .engines = 30, .cpu = -1,
                                              .sink_cpu = -1 };
}

zcmig_bench *zcmig_bench_run(const struct zcmig_bench_options *options, GError **error)
{
    (void)error;
    if (g_getenv("ZC_FAKE_ECHO")) {
        fprintf(stderr,
                "destination=%s ways=%u engines=%u n_chunks=%u chunk0=%" G_GUINT64_FORMAT
                " bytes=%" G_GUINT64_FORMAT " runs=%u cpu=%d stall_timeout_ms=%" G_GINT64_FORMAT
                " sink_cpu=%d udp_segment_bytes=%u unregistered=%d skip_absent=%d"
                " memory_bytes=%" G_GUINT64_FORMAT " small_pages=%d\n",
                options->destination ? options->destination : "(none)", options->ways,
                options->engines, options->n_chunks, options->chunk_bytes[0], options->bytes,
                options->runs, options->cpu, options->stall_timeout_ms, options->sink_cpu,
                options->udp_segment_bytes, options->unregistered, options->skip_absent,
                options->memory_bytes, options->small_pages);
    }
    return g_new0(zcmig_bench, 1);
}

uint64_t zcmig_bench_get_memory(const zcmig_bench *bench, uint64_t *huge_bytes_out)
{
    (void)bench;
    *huge_bytes_out = UINT64_C(14) << 20;
    return UINT64_C(16) << 20;
}

void zcmig_bench_free(zcmig_bench *bench)
{
    g_free(bench);
}

const struct zcmig_bench_row *zcmig_bench_get_runs(const zcmig_bench *bench, unsigned int *n_out)
{
    (void)bench;
    *n_out = G_N_ELEMENTS(rows);
    return rows;
}

const struct zcmig_bench_row *zcmig_bench_get_medians(const zcmig_bench *bench, unsigned int *n_out)
{
    return zcmig_bench_get_runs(bench, n_out);
}

const char *const *zcmig_bench_get_skipped(const zcmig_bench *bench)
{
    static const char *const skipped[] = { "vsock: there is none", NULL };

    (void)bench;
    return skipped;
}

struct zcmig_bench_sink {
    zcmig_bench_ended ended;
    void *data;
};

void zcmig_bench_sink_set_ended(zcmig_bench_sink *sink, zcmig_bench_ended ended, void *data)
{
    sink->ended = ended;
    sink->data = data;
}

zcmig_bench_sink *zcmig_bench_sink_new(const char *listen, GError **error)
{
    if (g_getenv("ZC_FAKE_SINK")) {
        return g_new0(zcmig_bench_sink, 1);
    }
    g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_CONNECT, "cannot listen on %s", listen);
    return NULL;
}

void zcmig_bench_sink_free(zcmig_bench_sink *sink)
{
    g_free(sink);
}

const char *zcmig_bench_sink_get_address(const zcmig_bench_sink *sink)
{
    (void)sink;
    return "";
}

bool zcmig_bench_sink_serve(zcmig_bench_sink *sink, int wake_fd, GError **error)
{
    (void)wake_fd;
    (void)error;
    if (sink->ended) {
        sink->ended(5, 3 << 20, sink->data);
    }
    return true;
}
