/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: packets without a header, so that a chunk is a call, from memory
 * that never changes, so that splice may be used over TCP too.  The clock runs
 * until the sink has closed: a channel that drained has got rid of its pages,
 * which is not to say that the bytes arrived.  Of datagrams it runs until the
 * last was handed over and noted; what came is asked afterwards.
 */
#include "config.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/error.h"
#include "bench/datagram.h"
#include "bench/run.h"
#include "net/io.h"

/* What the bits of the notes amount to; a note of several calls speaks for its first. */
static const char *verdict_of(const struct zc_channel_counters *counters)
{
    const struct zc_completion_counts *counts = &counters->zerocopy;

    if (counters->splice_calls > 0) {
        return "unknown"; /* nothing tells */
    }
    if (counts->completed == 0) {
        return "-";
    }
    /* Each note that denies a copy takes one call off the upper bound. */
    bool some_copied = counts->copied_min > 0;
    bool some_not = counts->copied_max < counts->completed;
    if (some_copied) {
        return some_not ? "mixed" : "n";
    }
    return some_not ? "y" : "unknown";
}

static int64_t ns_of(const struct timeval *time)
{
    return time->tv_sec * ZC_NS_PER_S + time->tv_usec * 1000;
}

/* Sends it all: 0 or -errno. */
static int send_all(struct zc_channel *channel, const struct zc_bench_load *load,
                    uint64_t chunk_bytes)
{
    uint64_t left = load->options->bytes;
    /* Whole chunks, as many as there is memory for; one when it is always the same. */
    uint64_t turn_bytes = MAX(load->options->memory_bytes / chunk_bytes, 1) * chunk_bytes;
    uint64_t at = 0;
    int64_t stall_ms = load->options->stall_timeout_ms;
    int ret = 0;

    while (ret == 0 && left > 0) {
        struct iovec pages = { (void *)(load->memory + at), MIN(left, chunk_bytes) };
        zc_deadline deadline = zc_deadline_in(stall_ms);
        uint8_t *header;
        ret = zc_channel_header(channel, &header, deadline);
        ret = ret < 0 ? ret : zc_channel_send(channel, 0, &pages, 1, deadline);
        left -= pages.iov_len;
        at = (at + chunk_bytes) % turn_bytes;
    }
    return ret < 0 ? ret : zc_channel_drain(channel, zc_deadline_in(stall_ms));
}

/* Says that it was all, and waits until the sink has closed: 0 or -errno. */
static int wait_for_sink(int fd, int64_t stall_ms)
{
    uint8_t byte;

    shutdown(fd, SHUT_WR);
    ssize_t got = zc_io_read_some(fd, &byte, sizeof(byte), zc_deadline_in(stall_ms), -1);
    return got > 0 ? -EPROTO : (int)got;
}

/* ----------------------------------------------------------------- datagrams */

/* So long a sink may take to answer, which is there. */
#define ANSWER_MS 2000
/* And one of which we do not know whether it is there. */
#define PRESENCE_MS 200

static uint64_t random_run(void)
{
    return (uint64_t)g_random_int() << 32 | g_random_int() | 1;
}

/* Whether there is a sink that counts; what it has counted so far is forgotten. */
static bool sink_counts(int fd)
{
    struct zc_datagram_count before;

    return zc_datagram_ask(fd, random_run(), zc_deadline_in(PRESENCE_MS), &before);
}

static int64_t ask_lost_bytes(int fd, uint64_t sent_bytes)
{
    struct zc_datagram_count count;

    if (!zc_datagram_ask(fd, random_run(), zc_deadline_in(ANSWER_MS), &count) ||
        count.bytes > sent_bytes) { /* somebody else's too: nothing is known */
        return -1;
    }
    return (int64_t)(sent_bytes - count.bytes);
}

/* ----------------------------------------------------------------------- run */

static void fill_row(struct zcmig_bench_row *row, struct zc_channel *channel)
{
    struct zc_channel_counters counters;

    zc_channel_counters(channel, &counters);
    row->bytes = counters.wire_bytes;
    row->calls = counters.zerocopy.calls + counters.copy_calls + counters.splice_calls;
    row->completions = counters.zerocopy.completed;
    row->copied_min = counters.zerocopy.copied_min;
    row->copied_max = counters.zerocopy.copied_max;
    row->registered_bytes = counters.registered_bytes;
    row->verdict = verdict_of(&counters);
    row->unregistered = zc_channel_unregistered(channel);
}

bool zc_bench_run_once(int fd, enum zc_engine_kind engine, const struct zc_bench_load *load,
                       struct zcmig_bench_row *row, GError **error)
{
    const struct iovec region = { (void *)load->memory, load->memory_bytes };
    const struct zc_channel_options options = { .mode = ZC_ZEROCOPY_ON,
                                                .engine = engine,
                                                .memory_is_stable = true,
                                                .regions = &region,
                                                .n_regions = !load->options->unregistered,
                                                .budget = load->budget,
                                                .wake_fd = -1 };
    struct zc_channel *channel = zc_channel_new(fd, &zc_net_kernel, &options);
    bool counts = load->datagrams && sink_counts(fd);
    struct rusage before, after;

    if (!channel) {
        return zc_error(error, ZCMIG_ERROR_FAILED, "out of memory for a channel");
    }
    row->used = zc_channel_engine(channel, &row->why_not);
    getrusage(RUSAGE_THREAD, &before);
    int64_t start = zc_clock_now_ns();
    int ret = send_all(channel, load, row->chunk_bytes);
    if (ret == 0 && !load->datagrams) {
        ret = wait_for_sink(fd, load->options->stall_timeout_ms);
    }
    row->real_ns = zc_clock_now_ns() - start;
    getrusage(RUSAGE_THREAD, &after);
    row->user_ns = ns_of(&after.ru_utime) - ns_of(&before.ru_utime);
    row->sys_ns = ns_of(&after.ru_stime) - ns_of(&before.ru_stime);
    fill_row(row, channel);
    zc_channel_free(channel);
    row->lost_bytes = !load->datagrams ? 0 : counts ? ask_lost_bytes(fd, row->bytes) : -1;
    if (ret == -ETIMEDOUT) {
        return zc_error(error, ZCMIG_ERROR_TIMEOUT,
                        "%s: the sink took nothing for %" G_GINT64_FORMAT " ms", row->way,
                        load->options->stall_timeout_ms);
    }
    return ret == 0 || zc_error_errno(error, ZCMIG_ERROR_DISCONNECTED, ret,
                                      "%s: failed while sending", row->way);
}
