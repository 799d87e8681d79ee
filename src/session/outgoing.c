/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The source's end: a RAM image into QEMU's migration stream.
 *
 * Design: three kinds of threads.  The caller's runs the main stream, the
 * channel threads (send/sender.c) move pages, and the return path
 * (return-path.c) listens.  Sections are written to the main stream whole, so
 * whenever the session ends, the main stream stands between two records and
 * can still carry FAIL.
 *
 *     main stream                          channels
 *     header, configuration
 *     OPEN_RETURN_PATH, PING x 2 ..PONG    (connected, init packets sent)
 *     SESSION (to zcmig only)
 *     START: blocks, FLUSH                 SYNC
 *                                          pages ... SYNC, drained
 *     END: FLUSH; EOF; description
 *     MANIFEST ... (to zcmig only)
 *                         ..SHUT, RESULT
 *
 * With one connection only (fd:N) the pages go in the END section itself.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/addr.h"
#include "net/io.h"
#include "send/iterate.h"
#include "send/plain.h"
#include "send/sender.h"
#include "session/return-path.h"
#include "session/session.h"
#include "wire/multifd.h"
#include "wire/stream.h"

#define RAM_SECTION_ID 2
#define RAM_VERSION 4
#define MACHINE_NAME "none" /* an image has no machine: QEMU's name for that */
#define DESCRIPTION "{\"page_size\": 4096, \"devices\": []}"
#define LAST_WORDS_MS 1000 /* how long a broken session listens for the peer's reason */
#define CHANNELS_DEFAULT_MAX 8u

struct outgoing {
    zcmig_session session;
    /* set before start */
    struct zcmig_send_options options; /* its strings are not kept */
    struct zc_addr destination;
    struct zc_source *source;
    uint8_t uuid[16];
    struct zc_budget budget;
    struct zc_pace pace;
    /* the caller's thread only */
    int main_fd;
    int fds[ZCMIG_CHANNELS_MAX];
    struct zc_manifest *manifest;
    struct zc_return_path *return_path;
    struct zc_plain *plain;
    GByteArray *out; /* what the main stream says next */
    bool peer_is_zcmig;
    /* atomic; writer: the caller's thread */
    _Atomic uint64_t main_bytes;
    _Atomic uint64_t plain_normal;
    _Atomic uint64_t plain_zero;
    /* under lock: threads that ask for figures look at these while run() makes and frees them */
    GMutex lock;
    struct zc_sender *sender;
    struct zc_channel *plain_channel;
};

static void fail(struct outgoing *out, GError *error)
{
    zc_cause_report(&out->session.cause, error);
}

static zc_deadline stall_deadline(const struct outgoing *out)
{
    return zc_deadline_in(out->options.stall_timeout_ms);
}

/* ------------------------------------------------------------- main stream */

/* Sends what was put into out->out.  False: reported. */
static bool flush_main(struct outgoing *out)
{
    GError *error = NULL;

    int ret = zc_io_write_all(out->main_fd, out->out->data, out->out->len, stall_deadline(out),
                              out->session.cause.wake_fd);
    atomic_fetch_add(&out->main_bytes, out->out->len);
    g_byte_array_set_size(out->out, 0);
    if (ret == 0 || ret == -ECANCELED) {
        return ret == 0;
    }
    if (ret == -ETIMEDOUT) {
        zc_error(&error, ZCMIG_ERROR_TIMEOUT,
                 "the destination took nothing from the main stream for %" G_GINT64_FORMAT " ms",
                 out->options.stall_timeout_ms);
    } else {
        zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, ret, "the main stream broke");
    }
    fail(out, error);
    return false;
}

static void put_extension(struct outgoing *out, const struct zc_extension *message)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    zc_extension_put(bytes, message);
    zc_stream_put_command(out->out, ZC_EXTENSION_COMMAND, bytes->data, (uint16_t)bytes->len);
}

static void put_ping(struct outgoing *out, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    zc_stream_put_command(out->out, ZC_COMMAND_PING, &value, sizeof(value));
}

/* Header to SESSION.  Finds out who the destination is. */
static bool greet(struct outgoing *out)
{
    zc_stream_put_header(out->out);
    zc_stream_put_configuration(out->out, MACHINE_NAME);
    zc_stream_put_command(out->out, ZC_COMMAND_OPEN_RETURN_PATH, NULL, 0);
    put_ping(out, ZC_HELLO_PING | ZC_EXTENSION_VERSION);
    put_ping(out, 1);
    if (!flush_main(out) ||
        !zc_return_path_wait_hello(out->return_path,
                                   zc_deadline_in(out->options.connect_timeout_ms),
                                   &out->peer_is_zcmig)) {
        return false;
    }
    atomic_store(&out->session.peer_is_zcmig, out->peer_is_zcmig);
    if (!out->peer_is_zcmig) {
        zc_warning("the destination is not zcmig: what arrives there will not be verified");
        return true;
    }
    struct zc_extension message = { .type = ZC_EXTENSION_SESSION };
    memcpy(message.session.uuid, out->uuid, sizeof(out->uuid));
    message.session.n_channels = (uint16_t)out->options.channels;
    message.session.verify = (uint8_t)out->options.verify;
    message.session.exact_bytes = out->source->exact_bytes;
    put_extension(out, &message);
    return flush_main(out);
}

/* Ends the iteration on all channels and says so on the main stream. */
static bool sync_channels(struct outgoing *out)
{
    if (out->sender) {
        if (!zc_sender_sync(out->sender)) {
            return false;
        }
        zc_stream_put_ram_flush(out->out);
    }
    return true;
}

static bool start_ram(struct outgoing *out)
{
    const struct zc_ram *ram = &out->source->ram;

    zc_stream_put_section_start(out->out, RAM_SECTION_ID, "ram", 0, RAM_VERSION);
    zc_stream_put_ram_size(out->out, zc_ram_bytes(ram));
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        zc_stream_put_ram_block(out->out, ram->blocks[i].name, ram->blocks[i].used_bytes);
    }
    if (!sync_channels(out)) {
        return false;
    }
    zc_stream_put_ram_eos(out->out);
    zc_stream_put_section_footer(out->out, RAM_SECTION_ID);
    return flush_main(out);
}

/* ------------------------------------------------------------------- pages */

static bool put_range(const struct zc_range *range, void *data)
{
    struct outgoing *out = data;

    return zc_sender_put(out->sender, range);
}

static bool send_plain(const struct zc_range *range, void *data)
{
    struct outgoing *out = data;
    uint32_t n_normal = 0, n_zero = 0;
    GError *error = NULL;

    if (out->source->ops->will_need) {
        out->source->ops->will_need(out->source, range);
    }
    if (!zc_pace_wait(&out->pace, (uint64_t)range->n_pages * ZC_PAGE_BYTES,
                      out->session.cause.wake_fd)) {
        return false;
    }
    int ret = zc_plain_send(out->plain, range, stall_deadline(out), &n_normal, &n_zero);
    atomic_fetch_add(&out->plain_normal, n_normal);
    atomic_fetch_add(&out->plain_zero, n_zero);
    if (ret == -ECANCELED) {
        return false;
    }
    if (!out->source->ops->check(out->source, &error)) {
        fail(out, error);
        return false;
    }
    if (ret == -ETIMEDOUT) {
        zc_error(&error, ZCMIG_ERROR_TIMEOUT,
                 "the destination took no pages for %" G_GINT64_FORMAT " ms",
                 out->options.stall_timeout_ms);
    } else if (ret < 0) {
        zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, ret, "the main stream broke");
    }
    if (error) {
        fail(out, error);
        return false;
    }
    return true;
}

static bool send_pages(struct outgoing *out)
{
    if (out->sender) {
        return zc_iterate_all(out->source, UINT32_MAX, put_range, out);
    }
    zc_stream_put_section_end(out->out, RAM_SECTION_ID);
    return flush_main(out) &&
           zc_iterate_all(out->source, ZC_PLAIN_PAGES_MAX, send_plain, out);
}

/* All pages, and everything that closes the stream. */
static bool send_ram(struct outgoing *out)
{
    if (!send_pages(out)) {
        return false;
    }
    if (out->sender) {
        zc_stream_put_section_end(out->out, RAM_SECTION_ID);
    }
    if (!sync_channels(out)) {
        return false;
    }
    zc_stream_put_ram_eos(out->out);
    zc_stream_put_section_footer(out->out, RAM_SECTION_ID);
    zc_stream_put_eof(out->out);
    zc_stream_put_description(out->out, DESCRIPTION);
    return flush_main(out);
}

/* ------------------------------------------------------------ verification */

static bool send_manifest_block(struct outgoing *out, uint32_t index)
{
    const struct zc_manifest_block *block = &out->manifest->blocks[index];
    g_autofree uint64_t *digests = g_new(uint64_t, ZC_EXTENSION_DIGESTS_MAX);

    for (uint64_t page = 0; page < block->n_pages; page += ZC_EXTENSION_DIGESTS_MAX) {
        uint32_t n = (uint32_t)MIN(block->n_pages - page, (uint64_t)ZC_EXTENSION_DIGESTS_MAX);
        for (uint32_t i = 0; i < n; i++) {
            digests[i] = GUINT64_TO_BE(block->digests[page + i]);
        }
        struct zc_extension message = { .type = ZC_EXTENSION_MANIFEST };
        message.manifest.block = index;
        message.manifest.first_page = page;
        message.manifest.n_digests = n;
        message.manifest.digests = (const uint8_t *)digests;
        put_extension(out, &message);
        if (!flush_main(out)) {
            return false;
        }
    }
    return true;
}

static bool send_manifest(struct outgoing *out)
{
    for (uint32_t i = 0; i < out->manifest->n_blocks; i++) {
        if (!send_manifest_block(out, i)) {
            return false;
        }
    }
    struct zc_extension message = { .type = ZC_EXTENSION_MANIFEST_END };
    message.manifest_end.n_pages = zc_manifest_pages(out->manifest);
    put_extension(out, &message);
    return flush_main(out);
}

static void take_result(struct outgoing *out, const struct zc_extension *result)
{
    GError *error = NULL;

    atomic_store(&out->session.verified_pages, result->result.n_pages);
    atomic_store(&out->session.mismatched_pages, result->result.n_wrong);
    if (result->result.n_wrong) {
        zc_error(&error, ZCMIG_ERROR_MISMATCH,
                 "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                 " pages are not at the destination as they were sent: %s",
                 result->result.n_wrong, result->result.n_pages, result->result.text);
    } else if (result->result.n_pages == 0) {
        zc_warning("the destination keeps no digests: what arrived is not verified");
    } else if (result->result.n_pages != zc_manifest_pages(out->manifest)) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "the destination compared %" G_GUINT64_FORMAT " pages, sent were %" G_GUINT64_FORMAT,
                 result->result.n_pages, zc_manifest_pages(out->manifest));
    }
    if (error) {
        fail(out, error);
    }
}

/* Sends the manifest, waits for the destination's word that it has the RAM, and for its verdict. */
static bool conclude(struct outgoing *out)
{
    struct zc_extension result;
    bool verify = out->manifest && out->peer_is_zcmig;

    if (verify && !send_manifest(out)) {
        return false;
    }
    int64_t answered_ns = zc_return_path_wait_answer(out->return_path, stall_deadline(out));
    if (!answered_ns) {
        return false;
    }
    atomic_store(&out->session.transferred_ns, answered_ns);
    zc_session_set_state(&out->session, ZCMIG_STATE_VERIFYING);
    if (verify) {
        if (!zc_return_path_wait_result(out->return_path, stall_deadline(out), &result)) {
            return false;
        }
        take_result(out, &result);
    }
    return true;
}

/* -------------------------------------------------------------- connecting */

static bool send_init(struct outgoing *out, unsigned int channel)
{
    struct zc_multifd_init init = { .channel = (uint8_t)channel };
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES];
    GError *error = NULL;

    memcpy(init.uuid, out->uuid, sizeof(out->uuid));
    zc_multifd_init_encode(&init, bytes);
    int ret = zc_io_write_all(out->fds[channel], bytes, sizeof(bytes), stall_deadline(out),
                              out->session.cause.wake_fd);
    if (ret < 0 && ret != -ECANCELED) {
        zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, ret, "cannot open channel %u", channel);
        fail(out, error);
    }
    return ret == 0;
}

/* Main first, as QEMU does: before 8.0 the first connection is the main one by that alone. */
static bool connect_all(struct outgoing *out)
{
    zc_deadline deadline = zc_deadline_in(out->options.connect_timeout_ms);
    int wake_fd = out->session.cause.wake_fd;
    GError *error = NULL;

    out->main_fd = zc_addr_connect(&out->destination, deadline, wake_fd, &error);
    for (unsigned int i = 0; !error && i < out->options.channels; i++) {
        out->fds[i] = zc_addr_connect(&out->destination, deadline, wake_fd, &error);
        if (!error && !send_init(out, i)) {
            return false;
        }
    }
    if (!error) {
        out->return_path = zc_return_path_start(out->main_fd, &out->session.cause, &error);
    }
    if (error) {
        fail(out, error);
        return false;
    }
    return true;
}

static bool start_sending(struct outgoing *out)
{
    GError *error = NULL;
    struct zc_sender *sender = NULL;

    if (out->options.verify != ZCMIG_VERIFY_OFF) {
        out->manifest = zc_manifest_new(&out->source->ram, &error);
        if (!out->manifest) {
            fail(out, error);
            return false;
        }
        out->manifest->exact_bytes = out->source->exact_bytes;
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
    const struct zc_sender_options options = {
        .fds = out->fds,
        .n_channels = out->options.channels,
        .packet_pages = out->options.packet_pages,
        .merge = out->options.merge_pages,
        .mode = (enum zc_zerocopy_mode)out->options.zerocopy,
        .budget = &out->budget,
        .pace = &out->pace,
        .source = out->source,
        .manifest = out->manifest,
        .cause = &out->session.cause,
        .stall_timeout_ms = out->options.stall_timeout_ms,
    };
    sender = zc_sender_start(&options, &error);
    if (!sender) {
        fail(out, error);
        return false;
    }
    g_mutex_lock(&out->lock);
    out->sender = sender;
    g_mutex_unlock(&out->lock);
    return true;
}

/* ------------------------------------------------------------------ ending */

/* Tells the destination why, and hears what it has to say of its own accord. */
static GError *exchange_last_words(struct outgoing *out, const GError *cause)
{
    enum zcmig_error_code code = zc_error_code(cause);

    if (out->peer_is_zcmig && code != ZCMIG_ERROR_PEER && code != ZCMIG_ERROR_MISMATCH) {
        struct zc_extension message = { .type = ZC_EXTENSION_FAIL };
        message.fail.code = (uint8_t)code;
        g_strlcpy(message.fail.text, cause->message, sizeof(message.fail.text));
        g_byte_array_set_size(out->out, 0);
        put_extension(out, &message);
        /* The wake descriptor is readable by now: these words have a deadline of their own. */
        if (zc_io_write_all(out->main_fd, out->out->data, out->out->len,
                            zc_deadline_in(LAST_WORDS_MS), -1) < 0) {
            zc_debug("the destination cannot be told why");
        }
    }
    if (code == ZCMIG_ERROR_DISCONNECTED) {
        return zc_return_path_linger(out->return_path, zc_deadline_in(LAST_WORDS_MS));
    }
    return NULL;
}

/* Joins every thread and closes every connection. */
static void tear_down(struct outgoing *out, int64_t own_cpu_ns)
{
    g_autoptr(GError) cause = zc_cause_copy(&out->session.cause);
    GError *reason = NULL;
    int64_t cpu_ns = own_cpu_ns;

    if (out->sender) {
        cpu_ns += zc_sender_stop(out->sender);
    }
    if (cause && out->return_path) {
        reason = exchange_last_words(out, cause);
    }
    cpu_ns += zc_return_path_stop(out->return_path);
    if (reason) {
        zc_cause_replace(&out->session.cause, reason);
    }
    for (unsigned int i = 0; i < out->options.channels; i++) {
        zc_fd_clear(&out->fds[i]);
    }
    zc_fd_clear(&out->main_fd);
    atomic_store(&out->session.cpu_ns, cpu_ns);
}

static bool run_null(struct outgoing *out)
{
    zc_session_set_state(&out->session, ZCMIG_STATE_ACTIVE);
    if (!send_pages(out) || !zc_sender_sync(out->sender)) {
        return false;
    }
    atomic_store(&out->session.transferred_ns, zc_clock_now_ns());
    return true;
}

static bool run_connected(struct outgoing *out)
{
    if (!greet(out)) {
        return false;
    }
    zc_session_set_state(&out->session, ZCMIG_STATE_ACTIVE);
    return start_ram(out) && send_ram(out) && conclude(out);
}

static bool outgoing_run(zcmig_session *session, GError **error)
{
    struct outgoing *out = (struct outgoing *)session;
    int64_t cpu_before_ns = zc_clock_thread_cpu_ns();
    bool is_null = out->destination.kind == ZC_ADDR_NULL;
    GError *source_error = NULL;

    if ((is_null || connect_all(out)) && start_sending(out)) {
        if (is_null) {
            run_null(out);
        } else {
            run_connected(out);
        }
    }
    if (!out->source->ops->check(out->source, &source_error)) {
        fail(out, source_error);
    }
    tear_down(out, zc_clock_thread_cpu_ns() - cpu_before_ns);
    return zc_session_finish(session, error);
}

/* -------------------------------------------------------------- statistics */

static void fill_channel(struct zcmig_channel_stats *stats, unsigned int id,
                         const struct zc_channel_counters *counters, const char *reason)
{
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
        .zerocopy_reason = reason,
    };
}

static void outgoing_get_stats(zcmig_session *session, struct zcmig_stats *stats)
{
    struct outgoing *out = (struct outgoing *)session;

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
        fill_channel(&stats->channels[i], i, &counters.channel, counters.reason);
        stats->n_channels = i + 1;
        stats->normal_pages += counters.normal_pages;
        stats->zero_pages += counters.zero_pages;
        stats->wire_bytes += counters.channel.wire_bytes;
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

static bool take_options(struct outgoing *out, const struct zcmig_send_options *options,
                         GError **error)
{
    out->options = *options;
    if (!options->source || !options->destination) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "a source and a destination are needed");
    }
    if (!zc_addr_parse(options->destination, &out->destination, error) ||
        !check_range("channels", options->channels, 0, ZCMIG_CHANNELS_MAX, error) ||
        !check_range("packet pages", options->packet_pages, 1, ZC_MULTIFD_PAGES, error) ||
        !check_range("connect timeout in ms", options->connect_timeout_ms, 1, INT32_MAX, error) ||
        !check_range("stall timeout in ms", options->stall_timeout_ms, 1, INT32_MAX, error) ||
        !zc_session_parse_uuid(options->uuid, out->uuid, error)) {
        return false;
    }
    if (out->destination.kind == ZC_ADDR_FD) {
        if (options->channels > 0) {
            return zc_error(error, ZCMIG_ERROR_USAGE,
                            "channels: got %u, allowed with fd: is 0: it is one connection",
                            options->channels);
        }
    } else if (options->channels == 0) {
        out->options.channels = MIN(g_get_num_processors(), CHANNELS_DEFAULT_MAX);
    }
    return true;
}

static void outgoing_free(zcmig_session *session)
{
    struct outgoing *out = (struct outgoing *)session;

    zc_plain_free(out->plain);
    zc_channel_free(out->plain_channel);
    zc_sender_free(out->sender);
    zc_manifest_free(out->manifest);
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
    struct outgoing *out = g_new0(struct outgoing, 1);

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
        !(out->source = zc_source_open(options->source, error))) {
        outgoing_free(&out->session);
        return NULL;
    }
    zc_budget_init(&out->budget);
    zc_pace_init(&out->pace, options->max_bandwidth);
    out->session.address = zc_addr_format(&out->destination);
    atomic_store(&out->session.total_bytes, zc_ram_bytes(&out->source->ram));
    return &out->session;
}
