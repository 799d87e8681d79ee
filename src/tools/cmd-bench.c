/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/size.h"
#include "tools/bench-report.h"
#include "tools/cli.h"
#include "tools/options.h"

#define RUNS_MAX 1000
#define CPU_MAX 1023
#define UDP_SEGMENT_MAX 65507

static const struct zc_usage usage = {
    .command = "bench",
    .arguments = "[DEST]",
    .summary = "Compares what the engines cost the sender on the way to DEST.",
    .details = "DEST is tcp:HOST:PORT, unix:PATH, vsock:CID:PORT or udp:HOST:PORT of a\n"
               "'zcmig bench --sink=LISTEN'; without it the sinks are here, on loopback, a pair of\n"
               "UNIX sockets and vsock inside this kernel, as far as there are such.\n",
    .n_optional = 1,
};

struct bench_text {
    char *engines;
    char *ways;
    char *chunks;
    char *bytes;
    char *memory;
    char *runs;
    char *cpu;
    char *sink_cpu;
    char *udp_segment;
    char *stall_timeout;
    char *plot;
    char *sink;
    gboolean unregistered;
    gboolean small_pages;
    gboolean csv;
    gboolean json;
    gboolean selftest;
};

static const char *const engine_names[] = { "copy", "zerocopy", "io_uring", "splice", NULL };
static const char *const way_names[] = { "ipv4", "ipv6", "unix", "vsock", "udp4", "udp6", NULL };

/* A comma-separated list of @names as bits from @first_bit up. */
static bool read_list(const char *text, const char *option, const char *const *names,
                      unsigned int first_bit, unsigned int *bits_out, GError **error)
{
    unsigned int bits = 0;

    if (!text) {
        return true;
    }
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    for (unsigned int i = 0; i == 0 || parts[i]; i++) {
        int index = 0;
        if (!zc_option_choice(parts[0] ? parts[i] : "", option, names, &index, error)) {
            return false;
        }
        bits |= 1u << (first_bit + (unsigned int)index);
    }
    *bits_out = bits;
    return true;
}

static bool read_chunks(const char *text, struct zcmig_bench_options *options, GError **error)
{
    if (!text) {
        return true;
    }
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    unsigned int n = g_strv_length(parts);
    if (n == 0 || n > ZCMIG_BENCH_CHUNKS_MAX) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "--chunks: got %u sizes, allowed are 1 to %d", n, ZCMIG_BENCH_CHUNKS_MAX);
        return false;
    }
    for (unsigned int i = 0; i < n; i++) {
        if (!zc_option_size(parts[i], "--chunks", &options->chunk_bytes[i], error)) {
            return false;
        }
    }
    options->n_chunks = n;
    return true;
}

static bool read_cpu(const char *text, const char *option, int *cpu_out, GError **error)
{
    unsigned int cpu = 0;

    if (!zc_option_count(text, option, 0, CPU_MAX, &cpu, error)) {
        return false;
    }
    *cpu_out = text ? (int)cpu : -1;
    return true;
}

static bool read_options(const struct bench_text *text, struct zcmig_bench_options *options,
                         GError **error)
{
    uint64_t segment_bytes = 0;

    if ((text->csv != 0) + (text->json != 0) + (text->selftest != 0) > 1) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "allowed is one of --csv, --json, --selftest-format");
        return false;
    }
    if (text->ways && options->destination) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE, "--ways: allowed without DEST only");
        return false;
    }
    if (!read_list(text->engines, "--engines", engine_names, ZCMIG_ENGINE_COPY, &options->engines,
                   error) ||
        !read_list(text->ways, "--ways", way_names, 0, &options->ways, error) ||
        !read_chunks(text->chunks, options, error) ||
        !zc_option_size(text->bytes, "--bytes", &options->bytes, error) ||
        !zc_option_size(text->memory, "--memory", &options->memory_bytes, error) ||
        !zc_option_count(text->runs, "--runs", 1, RUNS_MAX, &options->runs, error) ||
        !read_cpu(text->cpu, "--cpu", &options->cpu, error) ||
        !read_cpu(text->sink_cpu, "--sink-cpu", &options->sink_cpu, error) ||
        !zc_option_size(text->udp_segment, "--udp-segment", &segment_bytes, error) ||
        !zc_option_seconds(text->stall_timeout, "--stall-timeout", false,
                           &options->stall_timeout_ms, error)) {
        return false;
    }
    if (segment_bytes > UDP_SEGMENT_MAX) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "--udp-segment: got %" G_GUINT64_FORMAT " bytes, allowed are 1 to %d",
                    segment_bytes, UDP_SEGMENT_MAX);
        return false;
    }
    options->udp_segment_bytes = (unsigned int)segment_bytes;
    options->unregistered = text->unregistered;
    options->small_pages = text->small_pages;
    options->skip_absent = !text->ways;
    return !text->plot || zc_bench_can_plot(text->plot, error);
}

static void print(const struct bench_text *text, const zcmig_bench *bench)
{
    if (text->csv) {
        zc_bench_print_csv(bench, stdout);
    } else if (text->json) {
        zc_bench_print_json(bench, stdout);
    } else if (text->selftest) {
        zc_bench_print_selftest(bench, stdout);
    } else {
        zc_bench_print_table(bench, stdout);
    }
}

static int bench(const struct bench_text *text, const char *destination)
{
    struct zcmig_bench_options options;
    g_autoptr(zcmig_bench) result = NULL;
    g_autoptr(GError) error = NULL;

    zcmig_bench_options_init(&options);
    options.destination = destination;
    if (read_options(text, &options, &error)) {
        result = zcmig_bench_run(&options, &error);
    }
    if (!result) {
        return zc_cli_fail(usage.command, error);
    }
    print(text, result);
    if (text->plot && !zc_bench_plot(result, text->plot, &error)) {
        return zc_cli_fail(usage.command, error);
    }
    return ZC_EXIT_DONE;
}

static bool pin(int cpu, GError **error)
{
    cpu_set_t cpus;

    if (cpu < 0) {
        return true;
    }
    CPU_ZERO(&cpus);
    CPU_SET((unsigned int)cpu, &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE, "cannot run on CPU %d: %s", cpu,
                    g_strerror(errno));
        return false;
    }
    return true;
}

/* As the self-test's receiver says it. */
static void print_received(uint64_t reads, uint64_t bytes, void *data)
{
    (void)data;
    printf("rx=%" G_GUINT64_FORMAT " (%" G_GUINT64_FORMAT " MB)\n", reads, bytes / ZC_MIB);
    fflush(stdout);
}

/* Until SIGINT or SIGTERM. */
static int serve(const struct bench_text *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(zcmig_bench_sink) sink = NULL;
    sigset_t signals;
    bool ok = false;
    int cpu = -1;

    if (read_cpu(text->sink_cpu, "--sink-cpu", &cpu, &error) && pin(cpu, &error)) {
        sink = zcmig_bench_sink_new(text->sink, &error);
    }
    if (sink) {
        if (text->selftest) {
            zcmig_bench_sink_set_ended(sink, print_received, NULL);
        }
        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        int wake_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        printf("zcmig: listening on %s\n", zcmig_bench_sink_get_address(sink));
        fflush(stdout);
        ok = zcmig_bench_sink_serve(sink, wake_fd, &error);
        close(wake_fd);
    }
    return ok ? ZC_EXIT_DONE : zc_cli_fail(usage.command, error);
}

static void bench_text_clear(struct bench_text *text)
{
    g_free(text->engines);
    g_free(text->ways);
    g_free(text->chunks);
    g_free(text->bytes);
    g_free(text->memory);
    g_free(text->runs);
    g_free(text->cpu);
    g_free(text->sink_cpu);
    g_free(text->udp_segment);
    g_free(text->stall_timeout);
    g_free(text->plot);
    g_free(text->sink);
}

int zc_cmd_bench(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct bench_text text = { 0 };
    const GOptionEntry entries[] = {
        { "engines", 0, 0, G_OPTION_ARG_STRING, &text.engines,
          "Of copy,zerocopy,io_uring,splice (default: all)", "LIST" },
        { "ways", 0, 0, G_OPTION_ARG_STRING, &text.ways,
          "Without DEST, of ipv4,ipv6,unix,vsock,udp4,udp6 (default: those here, without udp)",
          "LIST" },
        { "chunks", 0, 0, G_OPTION_ARG_STRING, &text.chunks,
          "Sizes of a call, for example 16K,64K,512K (default: 512K, of datagrams 60K)", "LIST" },
        { "bytes", 0, 0, G_OPTION_ARG_STRING, &text.bytes, "Sent in a run (default: 256M)",
          "SIZE" },
        { "memory", 0, 0, G_OPTION_ARG_STRING, &text.memory,
          "Send from so much memory in turn (default: one chunk, which is in the cache)", "SIZE" },
        { "small-pages", 0, 0, G_OPTION_ARG_NONE, &text.small_pages,
          "Send from pages of 4 KiB (default: huge ones, where the kernel gives them)", NULL },
        { "runs", 0, 0, G_OPTION_ARG_STRING, &text.runs, "Runs of each combination (default: 3)",
          "N" },
        { "cpu", 0, 0, G_OPTION_ARG_STRING, &text.cpu, "Send from this CPU (default: any)", "N" },
        { "sink-cpu", 0, 0, G_OPTION_ARG_STRING, &text.sink_cpu,
          "Run the sink on this CPU, a thread here or --sink (default: any)", "N" },
        { "udp-segment", 0, 0, G_OPTION_ARG_STRING, &text.udp_segment,
          "Let the kernel cut a call over UDP into datagrams of this size", "SIZE" },
        { "unregistered", 0, 0, G_OPTION_ARG_NONE, &text.unregistered,
          "Do not register the memory with io_uring", NULL },
        { "stall-timeout", 0, 0, G_OPTION_ARG_STRING, &text.stall_timeout,
          "Give up when the sink takes nothing for so many seconds", "SECONDS" },
        { "csv", 0, 0, G_OPTION_ARG_NONE, &text.csv, "A line for each run, comma-separated", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &text.json, "Print one JSON object", NULL },
        { "selftest-format", 0, 0, G_OPTION_ARG_NONE, &text.selftest,
          "Lines as the kernel's msg_zerocopy self-test prints them", NULL },
        { "plot", 0, 0, G_OPTION_ARG_FILENAME, &text.plot,
          "Draw the CPU time into FILE, .svg or .png, with gnuplot", "FILE" },
        { "sink", 0, 0, G_OPTION_ARG_STRING, &text.sink,
          "Be the other end: take all that comes to LISTEN and throw it away", "LISTEN" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    int code = ZC_EXIT_DONE;

    switch (zc_options_parse(&usage, entries, NULL, argc, argv, &error)) {
    case ZC_PARSED_RUN:
        code = text.sink ? serve(&text) : bench(&text, argv[1]);
        break;
    case ZC_PARSED_WRONG:
        code = zc_cli_fail(usage.command, error);
        break;
    case ZC_PARSED_HELP:
        break;
    }
    bench_text_clear(&text);
    return code;
}
