/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The destination's end: QEMU's migration stream into memory or an image.
 *
 * Design: two kinds of threads.  The caller's runs the main stream
 * (incoming-stream.c) and is the only one that writes to the source; the
 * readers (recv/reader.c) place what the channels bring.  Connections stay
 * open until the source has been told the end: a channel that is closed with
 * data in it is reset, and the source would see that before the reason.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "session/incoming.h"

#define BACKLOG (2 * ZC_RECV_CHANNELS_MAX)
#define CONNECTION_PATIENCE_MS 10000 /* for a connection to say what it is */
#define INPUT_BYTES (1u << 20)
#define DESCRIPTION_BYTES_MAX (64u << 20)
#define PLACE_BYTES_PER_PAGE 9u /* a digest, and whether the page holds anything */
#define BOOKKEEPING_SHARE 4u    /* of the memory that is free: for that, at most */
G_STATIC_ASSERT(INPUT_BYTES >= ZC_STREAM_EVENT_BYTES_MAX);

/* ----------------------------------------------------------------- starting */

/* What this host can hold in memory now; UINT64_MAX when it does not say. */
static uint64_t read_available_bytes(void)
{
    g_autofree char *text = NULL;
    const char *at;

    if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL) ||
        !(at = strstr(text, "MemAvailable:"))) {
        return UINT64_MAX;
    }
    return g_ascii_strtoull(at + strlen("MemAvailable:"), NULL, 10) * 1024;
}

/*
 * An image's pages go to its file system, and zeros need none of it; but what is known of each page
 * is in memory, and a peer may not fill that by announcing RAM that it never sends.
 */
static uint64_t ram_limit(const struct zc_incoming *in)
{
    uint64_t available = read_available_bytes();

    if (in->options.max_ram_bytes) {
        return in->options.max_ram_bytes;
    }
    return in->options.output ? available / BOOKKEEPING_SHARE / PLACE_BYTES_PER_PAGE * ZC_PAGE_BYTES
                              : available;
}

void zc_incoming_take_main(struct zc_incoming *in, const uint8_t *first, size_t n_first)
{
    const struct zc_stream_limits limits = { .ram_bytes = ram_limit(in),
                                             .blocks = ZC_BLOCKS_MAX,
                                             .description_bytes = DESCRIPTION_BYTES_MAX };

    in->decoder = zc_stream_decoder_new(&limits);
    zc_stall_init(&in->last_words, &zc_net_kernel, -1, ZC_INCOMING_LAST_WORDS_MS);
    in->input.stall = &in->stall;
    if (in->input.buffer) {
        zc_input_reopen(&in->input, in->main_fd);
    } else {
        zc_input_init(&in->input, &in->stall, in->main_fd, INPUT_BYTES);
    }
    if (n_first) {
        zc_input_unread(&in->input, first, n_first);
    }
}

static bool accept_main(struct zc_incoming *in)
{
    uint8_t first[ZC_ACCEPTOR_MAIN_BYTES];
    GError *error = NULL;

    zc_stall_init(&in->stall, &zc_net_kernel, in->session.cause.wake_fd,
                  in->options.stall_timeout_ms);
    if (in->listen_fd < 0) {
        zc_incoming_take_main(in, NULL, 0);
        return true;
    }
    in->acceptor = zc_acceptor_new(in->listen_fd, &in->stall,
                                   MIN(in->options.stall_timeout_ms, CONNECTION_PATIENCE_MS));
    in->main_fd = zc_acceptor_wait_main(in->acceptor, zc_deadline_in(in->options.accept_timeout_ms),
                                        first, &error);
    if (in->main_fd < 0) {
        return zc_incoming_fail(in, error);
    }
    zc_incoming_take_main(in, first, sizeof(first));
    return true;
}

/* ------------------------------------------------------------------- ending */

/* Joins every thread and closes every connection. */
static void tear_down(struct zc_incoming *in)
{
    zc_incoming_stop_readers(in);
    if (in->watch) {
        zc_watch_stop(in->watch);
    }
    if (in->main_fd >= 0 && in->input.buffer) {
        zc_incoming_last_words(in);
    }
    for (unsigned int i = 0; i < ZC_RECV_CHANNELS_MAX; i++) {
        zc_fd_clear(&in->fds[i]);
    }
    zc_fd_clear(&in->main_fd);
    zc_acceptor_free(g_steal_pointer(&in->acceptor));
    zc_addr_unlisten(&in->address, in->listen_fd);
    in->listen_fd = -1;
}

static bool incoming_run(zcmig_session *session, GError **error)
{
    struct zc_incoming *in = (struct zc_incoming *)session;
    int64_t cpu_before_ns = zc_clock_thread_cpu_ns();
    bool ok = accept_main(in);

    if (ok && in->watch) {
        zc_watch_start(in->watch, &session->cause);
    }
    ok = ok && zc_incoming_receive(in);
    while (!ok && zc_incoming_reconnect(in)) {
        ok = zc_incoming_receive(in);
    }
    if (!ok) {
        zc_incoming_explain_silence(in);
    }

    if (in->guest) {
        tear_down(in);
        /* What the guest looks through afterwards is not what it cost to move it. */
        int64_t moved_cpu_ns = zc_clock_thread_cpu_ns();
        zc_incoming_guest_settle(in);
        cpu_before_ns += zc_clock_thread_cpu_ns() - moved_cpu_ns;
        ok = zc_session_finish(session, error);
    } else if (ok) {
        /* What is committed has succeeded, whatever happens until the source closes. */
        ok = zc_session_finish(session, error);
        tear_down(in);
    } else {
        tear_down(in);
        zc_session_finish(session, error);
    }
    atomic_store(&session->cpu_ns, zc_clock_thread_cpu_ns() - cpu_before_ns + in->readers_cpu_ns);
    return ok;
}

/* --------------------------------------------------------------- statistics */

static void add_source_stats(struct zc_watch *watch, struct zcmig_source_stats *stats)
{
    struct zc_qemu_progress progress;

    zc_watch_get_progress(watch, &progress);
    g_strlcpy(stats->status, progress.status, sizeof(stats->status));
    stats->total_bytes = progress.total_bytes;
    stats->remaining_bytes = progress.remaining_bytes;
    stats->iteration = progress.iteration;
    stats->dirty_pages_per_s = progress.dirty_pages_per_s;
    stats->expected_downtime_ns = (int64_t)progress.expected_downtime_ms * ZC_NS_PER_MS;
}

static void incoming_get_stats(zcmig_session *session, struct zcmig_stats *stats)
{
    struct zc_incoming *in = (struct zc_incoming *)session;

    stats->sending = false;
    stats->normal_pages = atomic_load(&in->main_normal);
    stats->zero_pages = atomic_load(&in->main_zero);
    stats->wire_bytes = atomic_load(&in->input.wire_bytes);
    stats->n_channels = atomic_load(&in->n_channels);
    for (unsigned int i = 0; i < stats->n_channels; i++) {
        const struct zc_reader_counters *counters = &in->counters[i];
        uint64_t wire_bytes = atomic_load(&counters->wire_bytes);
        stats->channels[i] = (struct zcmig_channel_stats){
            .id = i,
            .packets = atomic_load(&counters->packets),
            .wire_bytes = wire_bytes,
            .zerocopy_state = "",
            .zerocopy_reason = "",
        };
        stats->wire_bytes += wire_bytes;
        stats->normal_pages += atomic_load(&counters->normal_pages);
        stats->zero_pages += atomic_load(&counters->zero_pages);
    }
    g_mutex_lock(&in->lock);
    stats->live = in->live;
    g_strlcpy(stats->source.way, in->way, sizeof(stats->source.way));
    g_mutex_unlock(&in->lock);
    if (in->watch) {
        add_source_stats(in->watch, &stats->source);
    }
}

/* ------------------------------------------------------------------ options */

void zcmig_recv_options_init(struct zcmig_recv_options *options)
{
    *options = (struct zcmig_recv_options){
        .verify = ZCMIG_VERIFY_AFTER,
        .populate = true,
        .accept_timeout_ms = -1,
        .stall_timeout_ms = 30000,
        .run_for_ms = 1000,
    };
}

/* An output that begins with null: allows nothing behind it, and no option about what it keeps. */
static bool check_null(const struct zcmig_recv_options *options, GError **error)
{
    if (strcmp(options->output, ZC_NULL_STORE_URI) != 0) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "output: got '%s', nothing may follow " ZC_NULL_STORE_URI
                        " (a file of that name is ./%s)",
                        options->output, options->output);
    }
    if (options->overwrite) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "overwrite: there is nothing to replace at " ZC_NULL_STORE_URI);
    }
    return options->populate ||
           zc_error(error, ZCMIG_ERROR_USAGE,
                    "no populating: there is no memory to populate at " ZC_NULL_STORE_URI);
}

static bool check_options(const struct zcmig_recv_options *options, GError **error)
{
    if (!options->listen) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "an address to listen on is needed");
    }
    if (options->channels > ZC_RECV_CHANNELS_MAX) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "channels: got %u, allowed are 0 to %u",
                        options->channels, ZC_RECV_CHANNELS_MAX);
    }
    if (options->accept_timeout_ms < -1 || options->accept_timeout_ms > INT32_MAX) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "accept timeout in ms: got %" G_GINT64_FORMAT ", allowed are -1 to %d",
                        options->accept_timeout_ms, INT32_MAX);
    }
    if (options->stall_timeout_ms < 1 || options->stall_timeout_ms > INT32_MAX) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "stall timeout in ms: got %" G_GINT64_FORMAT ", allowed are 1 to %d",
                        options->stall_timeout_ms, INT32_MAX);
    }
    if (options->run_for_ms < 0 || options->run_for_ms > INT32_MAX) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "time to run in ms: got %" G_GINT64_FORMAT ", allowed are 0 to %d",
                        options->run_for_ms, INT32_MAX);
    }
    if (options->reconnect_ms < 0 || options->reconnect_ms > ZC_SESSION_KEEP_MAX_MS) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "time to reconnect in ms: got %" G_GINT64_FORMAT ", allowed are 0 to %d",
                        options->reconnect_ms, ZC_SESSION_KEEP_MAX_MS);
    }
    if (options->overwrite && !options->output) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "overwrite: there is no output to replace");
    }
    if (options->output && g_str_has_prefix(options->output, ZC_NULL_STORE_URI)) {
        return check_null(options, error);
    }
    return true;
}

static bool open_address(struct zc_incoming *in, const struct zcmig_recv_options *options,
                         GError **error)
{
    if (!zc_addr_parse(options->listen, &in->address, error)) {
        return false;
    }
    if (in->address.kind != ZC_ADDR_FD) {
        in->listen_fd = zc_addr_listen(&in->address, BACKLOG, options->allow_wildcard,
                                       &in->session.address, error);
        return in->listen_fd >= 0;
    }
    if (options->channels) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "channels: got %u, allowed with fd: is 0: it is one connection",
                        options->channels);
    }
    if (options->reconnect_ms) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "reconnect: got an inherited connection, allowed is an address to listen "
                        "on");
    }
    in->main_fd = zc_addr_connect(&in->address, ZC_DEADLINE_NEVER, -1, error);
    in->session.address = zc_addr_format(&in->address);
    return in->main_fd >= 0;
}

/* The output first: a peer that can connect may trust that there is one. */
static bool open_all(struct zc_incoming *in, const struct zcmig_recv_options *options,
                     GError **error)
{
    in->options = *options;
    if (!check_options(options, error)) {
        return false;
    }
    if (options->uuid) {
        if (!zc_session_parse_uuid(options->uuid, in->wanted_uuid, error)) {
            return false;
        }
        in->has_wanted_uuid = true;
    }
    if (options->source_qmp && !(in->watch = zc_watch_new(options->source_qmp, error))) {
        return false;
    }
    if (!options->output) {
        in->store = zc_memory_store_new();
    } else if (strcmp(options->output, ZC_NULL_STORE_URI) == 0) {
        in->store = zc_null_store_new();
    } else if (g_str_has_prefix(options->output, ZC_SNAPSHOT_SCHEME)) {
        in->store = zc_snapshot_store_new(options->output + strlen(ZC_SNAPSHOT_SCHEME),
                                          options->overwrite, error);
    } else {
        in->store = zc_image_store_new(options->output, options->overwrite, error);
    }
    return in->store && open_address(in, options, error);
}

static void incoming_free(zcmig_session *session)
{
    struct zc_incoming *in = (struct zc_incoming *)session;

    zc_watch_free(in->watch);
    zc_addr_unlisten(&in->address, in->listen_fd);
    zc_addr_clear(&in->address);
    zc_fd_clear(&in->main_fd);
    zc_synthetic_free(in->guest); /* before its RAM */
    g_mutex_clear(&in->lock);
    zc_pull_clear(&in->pull);
    zc_place_clear(&in->place);
    zc_store_free(in->store);
    zc_ram_clear(&in->ram);
    if (in->has_ram) {
        zc_barrier_clear(&in->barrier);
    }
    zc_input_clear(&in->input);
    zc_stream_decoder_free(in->decoder);
    zc_snapshot_clear(&in->snapshot);
    g_byte_array_unref(in->out);
    g_byte_array_unref(in->early);
    zc_session_clear(session);
    g_free(in);
}

static const struct zc_session_ops incoming_ops = {
    .run = incoming_run,
    .get_stats = incoming_get_stats,
    .free = incoming_free,
};

zcmig_session *zcmig_recv_new(const struct zcmig_recv_options *options, GError **error)
{
    struct zc_incoming *in = g_new0(struct zc_incoming, 1);

    if (!zc_session_init(&in->session, &incoming_ops, error)) {
        g_free(in);
        return NULL;
    }
    in->listen_fd = in->main_fd = in->pull.pidfd = -1;
    for (unsigned int i = 0; i < ZC_RECV_CHANNELS_MAX; i++) {
        in->fds[i] = -1;
    }
    in->out = g_byte_array_new();
    in->early = g_byte_array_new();
    g_mutex_init(&in->lock);
    zc_ram_init(&in->ram);
    zc_snapshot_init(&in->snapshot);
    if (!open_all(in, options, error)) {
        incoming_free(&in->session);
        return NULL;
    }
    return &in->session;
}
