/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The source's end: a RAM image, or a live guest, into QEMU's migration stream.
 *
 * Design: three kinds of threads.  The caller's connects and runs the main
 * stream (outgoing-stream.c, for a live guest precopy.c), the channel threads
 * (send/sender.c) move pages, and the return path (return-path.c) listens.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "net/io.h"
#include "session/guest-check.h"
#include "session/outgoing.h"
#include "session/precopy.h"
#include "wire/multifd.h"

#define CHANNELS_DEFAULT_MAX 8u

void zc_outgoing_fail(struct zc_outgoing *out, GError *error)
{
    zc_cause_report(&out->session.cause, error);
}

/* -------------------------------------------------------------- connecting */

static bool send_init(struct zc_outgoing *out, unsigned int channel, const uint8_t *uuid)
{
    struct zc_multifd_init init = { .channel = (uint8_t)channel };
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES];
    GError *error = NULL;

    memcpy(init.uuid, uuid, sizeof(init.uuid));
    zc_multifd_init_encode(&init, bytes);
    int ret = zc_io_write_all(out->fds[channel], bytes, sizeof(bytes),
                              zc_outgoing_stall_deadline(out), out->session.cause.wake_fd);
    if (ret < 0 && ret != -ECANCELED) {
        zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, ret, "cannot open channel %u", channel);
        zc_outgoing_fail(out, error);
    }
    return ret == 0;
}

bool zc_outgoing_connect_main(struct zc_outgoing *out, zc_deadline deadline)
{
    GError *error = NULL;

    out->main_fd = zc_addr_connect(&out->destination, deadline, out->session.cause.wake_fd, &error);
    if (out->main_fd < 0) {
        zc_outgoing_fail(out, error);
        return false;
    }
    return true;
}

bool zc_outgoing_connect_channels(struct zc_outgoing *out, const uint8_t uuid[static 16],
                                  zc_deadline deadline)
{
    GError *error = NULL;

    for (unsigned int i = 0; i < out->options.channels; i++) {
        out->fds[i] =
            zc_addr_connect(&out->destination, deadline, out->session.cause.wake_fd, &error);
        if (out->fds[i] < 0) {
            zc_outgoing_fail(out, error);
            return false;
        }
        if (!send_init(out, i, uuid)) {
            return false;
        }
    }
    return true;
}

bool zc_outgoing_start_listening(struct zc_outgoing *out)
{
    GError *error = NULL;

    out->return_path = zc_return_path_start(out->main_fd, &out->session.cause, &error);
    if (!out->return_path) {
        zc_outgoing_fail(out, error);
        return false;
    }
    return true;
}

/* Main first, as QEMU does: before 8.0 the first connection is the main one by that alone. */
static bool connect_all(struct zc_outgoing *out)
{
    zc_deadline deadline = zc_deadline_in(out->options.connect_timeout_ms);

    return zc_outgoing_connect_main(out, deadline) &&
           zc_outgoing_connect_channels(out, out->uuid, deadline) &&
           zc_outgoing_start_listening(out);
}

bool zc_outgoing_start_sending(struct zc_outgoing *out)
{
    GError *error = NULL;
    struct zc_sender *sender = NULL;

    /* Of a live guest there is nothing to digest yet. */
    if (out->options.verify != ZCMIG_VERIFY_OFF && !out->source->live) {
        out->manifest = zc_manifest_new(&out->source->ram, &error);
        if (!out->manifest) {
            zc_outgoing_fail(out, error);
            return false;
        }
        out->manifest->exact_bytes = out->source->exact_bytes;
    }
    if (zc_outgoing_shares_memory(out)) {
        return true;
    }
    if (out->options.channels == 0) {
        const struct zc_channel_options options = { .mode = ZC_ZEROCOPY_OFF,
                                                    .budget = &out->budget,
                                                    .wake_fd = out->session.cause.wake_fd };
        g_mutex_lock(&out->lock);
        out->plain_channel = zc_channel_new(out->main_fd, &zc_net_kernel, &options);
        g_mutex_unlock(&out->lock);
        out->plain = zc_plain_new(out->plain_channel, out->source, out->manifest);
        return true;
    }
    out->zeros = zc_outgoing_new_zeros(out);
    const struct zc_sender_options options = {
        .fds = out->fds,
        .n_channels = out->options.channels,
        .packet_pages = out->options.packet_pages,
        .merge = out->options.merge_pages,
        .route = zc_outgoing_route(out),
        .mode = (enum zc_zerocopy_mode)out->options.zerocopy,
        .engine = (enum zc_engine_kind)out->options.engine,
        .budget = &out->budget,
        .pace = &out->pace,
        .source = out->source,
        .manifest = out->manifest,
        .zeros = out->zeros,
        .cause = &out->session.cause,
        .stall_timeout_ms = out->options.stall_timeout_ms,
    };
    sender = zc_sender_start(&options, &error);
    if (!sender) {
        zc_outgoing_fail(out, error);
        return false;
    }
    g_mutex_lock(&out->lock);
    out->sender = sender;
    g_mutex_unlock(&out->lock);
    return true;
}

/* ----------------------------------------------------------------- figures */

static void fill_channel(struct zcmig_channel_stats *stats, unsigned int id,
                         const struct zc_sender_counters *sender)
{
    const struct zc_channel_counters *counters = &sender->channel;

    static const char *const states[] = {
        [ZC_ZEROCOPY_ACTIVE] = "active",
        [ZC_ZEROCOPY_NOT_ASKED] = "not-asked",
        [ZC_ZEROCOPY_NOT_SUPPORTED] = "not-supported",
        [ZC_ZEROCOPY_PAUSED_COPIED] = "paused-copied",
        [ZC_ZEROCOPY_PAUSED_LIMIT] = "paused-limit",
    };

    *stats = (struct zcmig_channel_stats){
        .id = id,
        .packets = counters->packets,
        .wire_bytes = counters->wire_bytes,
        .zerocopy_calls = counters->zerocopy.calls,
        .zerocopy_bytes = counters->zerocopy.bytes,
        .completed = counters->zerocopy.completed,
        .notes = counters->zerocopy.notes,
        .copied_min = counters->zerocopy.copied_min,
        .copied_max = counters->zerocopy.copied_max,
        .copy_calls = counters->copy_calls,
        .copy_bytes = counters->copy_bytes,
        .enobufs_optmem = counters->enobufs_optmem,
        .enobufs_memlock = counters->enobufs_memlock,
        .packets_split = counters->packets_split,
        .packets_by_copy = counters->packets_by_copy,
        .drains = counters->drains,
        .drain_ns = counters->drain_ns,
        .wait_ns = counters->wait_ns,
        .in_flight_bytes_max = counters->in_flight_bytes_max,
        .zerocopy_state = states[counters->state],
        .zerocopy_reason = sender->reason,
        .splice_calls = counters->splice_calls,
        .splice_bytes = counters->splice_bytes,
        .registered_bytes = counters->registered_bytes,
        .engine = sender->engine,
        .engine_reason = sender->engine_reason,
    };
}

/* Adds what a channel did before to what it has done since. */
static void add_past(struct zcmig_channel_stats *stats, const struct zcmig_channel_stats *past)
{
    stats->packets += past->packets;
    stats->wire_bytes += past->wire_bytes;
    stats->zerocopy_calls += past->zerocopy_calls;
    stats->zerocopy_bytes += past->zerocopy_bytes;
    stats->completed += past->completed;
    stats->notes += past->notes;
    stats->copied_min += past->copied_min;
    stats->copied_max += past->copied_max;
    stats->copy_calls += past->copy_calls;
    stats->copy_bytes += past->copy_bytes;
    stats->enobufs_optmem += past->enobufs_optmem;
    stats->enobufs_memlock += past->enobufs_memlock;
    stats->packets_split += past->packets_split;
    stats->packets_by_copy += past->packets_by_copy;
    stats->drains += past->drains;
    stats->drain_ns += past->drain_ns;
    stats->wait_ns += past->wait_ns;
    stats->in_flight_bytes_max = MAX(stats->in_flight_bytes_max, past->in_flight_bytes_max);
    stats->splice_calls += past->splice_calls;
    stats->splice_bytes += past->splice_bytes;
}

/* ------------------------------------------------------------------ ending */

static void close_all(struct zc_outgoing *out)
{
    for (unsigned int i = 0; i < out->options.channels; i++) {
        zc_fd_clear(&out->fds[i]);
    }
    zc_fd_clear(&out->main_fd);
}

/* What its channels did goes into the figures of the past. */
static void free_sender(struct zc_outgoing *out)
{
    struct zc_sender *sender = out->sender;

    if (!sender) {
        return;
    }
    out->past_cpu_ns += zc_sender_stop(sender);
    g_mutex_lock(&out->lock);
    for (unsigned int i = 0; i < out->options.channels; i++) {
        struct zc_sender_counters counters;
        struct zcmig_channel_stats stats;
        zc_sender_get_counters(sender, i, &counters);
        fill_channel(&stats, i, &counters);
        add_past(&out->past[i], &stats);
        out->past_normal += counters.normal_pages;
        out->past_zero += counters.zero_pages;
    }
    out->sender = NULL;
    g_mutex_unlock(&out->lock);
    zc_sender_free(sender);
}

GError *zc_outgoing_close_links(struct zc_outgoing *out)
{
    GError *reason = NULL;

    free_sender(out);
    for (unsigned int i = 0; i < out->options.channels; i++) {
        zc_fd_reset(&out->fds[i]);
    }
    if (out->return_path) {
        /* It may have said why: that is behind what it said before, and before it closes. */
        shutdown(out->main_fd, SHUT_WR);
        reason = zc_return_path_linger(out->return_path, zc_deadline_in(ZC_OUTGOING_LAST_WORDS_MS));
        out->past_cpu_ns += zc_return_path_stop(g_steal_pointer(&out->return_path));
    }
    zc_fd_clear(&out->main_fd);
    g_byte_array_set_size(out->out, 0);
    return reason;
}

/* Joins every thread and closes every connection. */
static void tear_down(struct zc_outgoing *out, int64_t own_cpu_ns)
{
    g_autoptr(GError) cause = zc_cause_copy(&out->session.cause);
    GError *reason = NULL;
    int64_t cpu_ns = own_cpu_ns + out->past_cpu_ns;

    if (out->sender) {
        cpu_ns += zc_sender_stop(out->sender);
    }
    if (cause && out->return_path) {
        reason = zc_outgoing_last_words(out, cause);
    }
    cpu_ns += zc_return_path_stop(out->return_path);
    if (reason && out->live.guest == ZCMIG_GUEST_IN_DOUBT) {
        g_clear_error(&reason); /* it came too late to take the guest back */
    }
    if (reason) {
        zc_cause_replace(&out->session.cause, reason);
    }
    zc_outgoing_end_route(out);
    close_all(out);
    atomic_store(&out->session.cpu_ns, cpu_ns);
}

static bool run_null(struct zc_outgoing *out)
{
    zc_session_set_state(&out->session, ZCMIG_STATE_ACTIVE);
    if (!zc_outgoing_start_sending(out) || !zc_outgoing_send_pages(out) ||
        !zc_sender_sync(out->sender)) {
        return false;
    }
    atomic_store(&out->session.transferred_ns, zc_clock_now_ns());
    return true;
}

static bool run_connected(struct zc_outgoing *out)
{
    if (!connect_all(out) || !zc_outgoing_greet(out) || !zc_outgoing_start_sending(out)) {
        return false;
    }
    zc_session_set_state(&out->session, ZCMIG_STATE_ACTIVE);
    if (out->source->live) {
        return zc_precopy_run(out);
    }
    return zc_outgoing_start_ram(out) && zc_outgoing_send_pages(out) && zc_outgoing_end_ram(out) &&
           zc_outgoing_conclude(out);
}

static bool outgoing_run(zcmig_session *session, GError **error)
{
    struct zc_outgoing *out = (struct zc_outgoing *)session;
    int64_t cpu_before_ns = zc_clock_thread_cpu_ns();
    GError *source_error = NULL;

    if (out->destination.kind == ZC_ADDR_NULL) {
        run_null(out);
    } else {
        run_connected(out);
    }
    if (!out->source->ops->check(out->source, &source_error)) {
        zc_outgoing_fail(out, source_error);
    }
    tear_down(out, zc_clock_thread_cpu_ns() - cpu_before_ns);
    if (out->source->live) {
        zc_precopy_settle(out);
    }
    return zc_session_finish(session, error);
}

/* -------------------------------------------------------------- statistics */

/* With lock held. */
static void add_channels_of_the_past(struct zc_outgoing *out, struct zcmig_stats *stats)
{
    for (unsigned int i = 0; i < out->options.channels; i++) {
        if (!out->sender) {
            stats->channels[i] = (struct zcmig_channel_stats){
                .id = i,
                .zerocopy_state = "not-asked",
                .zerocopy_reason = "",
                .engine = "none",
                .engine_reason = "",
            };
        }
        add_past(&stats->channels[i], &out->past[i]);
    }
    stats->n_channels = out->options.channels;
    stats->normal_pages += out->past_normal;
    stats->zero_pages += out->past_zero;
}

static void outgoing_get_stats(zcmig_session *session, struct zcmig_stats *stats)
{
    struct zc_outgoing *out = (struct zc_outgoing *)session;

    stats->sending = true;
    stats->wire_bytes = atomic_load(&out->main_bytes);
    stats->normal_pages = atomic_load(&out->plain_normal);
    stats->zero_pages = atomic_load(&out->plain_zero);
    g_mutex_lock(&out->lock);
    if (out->plain_channel) {
        struct zc_channel_counters counters;
        zc_channel_counters(out->plain_channel, &counters);
        stats->wire_bytes += counters.wire_bytes;
    }
    for (unsigned int i = 0; out->sender && i < out->options.channels; i++) {
        struct zc_sender_counters counters;
        zc_sender_get_counters(out->sender, i, &counters);
        fill_channel(&stats->channels[i], i, &counters);
        stats->n_channels = i + 1;
        stats->normal_pages += counters.normal_pages;
        stats->zero_pages += counters.zero_pages;
    }
    if (out->live.reconnects || out->past_normal + out->past_zero) {
        add_channels_of_the_past(out, stats);
    }
    for (unsigned int i = 0; i < stats->n_channels; i++) {
        stats->wire_bytes += stats->channels[i].wire_bytes;
    }
    stats->live = out->live;
    struct zc_synthetic *guest = zc_synthetic_from_source(out->source);
    if (guest) {
        zc_guest_get_latency(guest, &stats->live);
    }
    if (out->source->live) {
        uint64_t done = stats->normal_pages + stats->zero_pages - out->pages_before;
        stats->live.remaining_bytes =
            (out->iteration_pages - MIN(done, out->iteration_pages)) * ZC_PAGE_BYTES;
    }
    g_mutex_unlock(&out->lock);
}

/* ----------------------------------------------------------------- options */

void zcmig_send_options_init(struct zcmig_send_options *options)
{
    *options = (struct zcmig_send_options){
        .zerocopy = ZCMIG_ZEROCOPY_AUTO,
        .verify = ZCMIG_VERIFY_AFTER,
        .connect_timeout_ms = 10000,
        .stall_timeout_ms = 30000,
        .packet_pages = ZC_MULTIFD_PAGES,
        .merge_pages = true,
        .downtime_limit_ms = 300,
        .run_for_ms = 1000,
    };
}

static bool check_range(const char *what, int64_t got, int64_t least, int64_t most, GError **error)
{
    if (got < least || got > most) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "%s: got %" G_GINT64_FORMAT ", allowed are %" G_GINT64_FORMAT
                        " to %" G_GINT64_FORMAT,
                        what, got, least, most);
    }
    return true;
}

static bool take_options(struct zc_outgoing *out, const struct zcmig_send_options *options,
                         GError **error)
{
    out->options = *options;
    if (!options->source || !options->destination) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "a source and a destination are needed");
    }
    if (options->zerocopy == ZCMIG_ZEROCOPY_OFF && options->engine > ZCMIG_ENGINE_COPY) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "engine: without zero-copy only auto and copy are allowed");
    }
    if ((unsigned int)options->engine > ZCMIG_ENGINE_SPLICE) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "engine: got %d, allowed are 0 to %d",
                        (int)options->engine, (int)ZCMIG_ENGINE_SPLICE);
    }
    if (!zc_addr_parse(options->destination, &out->destination, error) ||
        !check_range("channels", options->channels, 0, ZCMIG_CHANNELS_MAX, error) ||
        !check_range("packet pages", options->packet_pages, 1, ZC_MULTIFD_PAGES, error) ||
        !check_range("connect timeout in ms", options->connect_timeout_ms, 1, INT32_MAX, error) ||
        !check_range("stall timeout in ms", options->stall_timeout_ms, 1, INT32_MAX, error) ||
        !check_range("downtime limit in ms", options->downtime_limit_ms, 0, 3600000, error) ||
        !check_range("timeout in ms", options->timeout_ms, 0, INT32_MAX, error) ||
        !check_range("time to run in ms", options->run_for_ms, 0, INT32_MAX, error) ||
        !check_range("time to reconnect in ms", options->reconnect_ms, 0, ZC_SESSION_KEEP_MAX_MS,
                     error) ||
        !zc_outgoing_check_route(out, error) ||
        !zc_session_parse_uuid(options->uuid, out->uuid, error)) {
        return false;
    }
    if (out->destination.kind == ZC_ADDR_FD) {
        if (options->channels > 0) {
            return zc_error(error, ZCMIG_ERROR_USAGE,
                            "channels: got %u, allowed with fd: is 0: it is one connection",
                            options->channels);
        }
    } else if (options->plain && options->channels > 0) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "channels: got %u, allowed with a plain stream is 0", options->channels);
    } else if (options->plain && out->destination.kind == ZC_ADDR_NULL) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "destination: got null:, allowed with a plain stream is a peer");
    } else if (options->channels == 0 && !options->plain && !zc_outgoing_shares_memory(out)) {
        out->options.channels = MIN(g_get_num_processors(), CHANNELS_DEFAULT_MAX);
    }
    return true;
}

static void outgoing_free(zcmig_session *session)
{
    struct zc_outgoing *out = (struct zc_outgoing *)session;

    zc_plain_free(out->plain);
    zc_channel_free(out->plain_channel);
    zc_sender_free(out->sender);
    zc_manifest_free(out->manifest);
    zc_outgoing_free_zeros(out);
    zc_source_free(out->source);
    zc_addr_clear(&out->destination);
    g_byte_array_unref(out->out);
    g_mutex_clear(&out->lock);
    zc_session_clear(session);
    g_free(out);
}

static const struct zc_session_ops outgoing_ops = {
    .run = outgoing_run,
    .get_stats = outgoing_get_stats,
    .free = outgoing_free,
};

zcmig_session *zcmig_send_new(const struct zcmig_send_options *options, GError **error)
{
    struct zc_outgoing *out = g_new0(struct zc_outgoing, 1);

    if (!zc_session_init(&out->session, &outgoing_ops, error)) {
        g_free(out);
        return NULL;
    }
    out->main_fd = -1;
    for (unsigned int i = 0; i < ZCMIG_CHANNELS_MAX; i++) {
        out->fds[i] = -1;
    }
    out->out = g_byte_array_new();
    g_mutex_init(&out->lock);
    if (!take_options(out, options, error) ||
        !(out->source = zc_source_open(options->source, error)) ||
        !zc_outgoing_check_source(out, error)) {
        outgoing_free(&out->session);
        return NULL;
    }
    if (out->source->snapshot && !options->uuid) {
        /* Channels of a QEMU's guest name the guest: all zeros where it has no UUID. */
        memcpy(out->uuid, out->source->snapshot->uuid, sizeof(out->uuid));
    }
    if (getrandom(out->secret, sizeof(out->secret), 0) != sizeof(out->secret)) {
        zc_error_errno(error, ZCMIG_ERROR_FAILED, errno, "no random numbers");
        outgoing_free(&out->session);
        return NULL;
    }
    zc_budget_init(&out->budget);
    zc_pace_init(&out->pace, options->max_bandwidth);
    out->session.address = zc_addr_format(&out->destination);
    atomic_store(&out->session.total_bytes, zc_ram_bytes(&out->source->ram));
    atomic_store(&out->session.route, (int)options->route);
    if (out->source->live) {
        out->live.guest = ZCMIG_GUEST_RUNS;
        out->live.tracker = "";
    }
    return &out->session;
}
