/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the source says on the main stream, and where its pages go.
 *
 * Design: sections are written to the main stream whole, so whenever the
 * session ends, the main stream stands between two records and can still carry
 * FAIL.
 *
 *     main stream                          channels
 *     header, configuration
 *     OPEN_RETURN_PATH, PING x 2 ..PONG    (connected, init packets sent)
 *     SESSION (to zcmig only)
 *     START: blocks, FLUSH                 SYNC
 *                                          pages ... SYNC, drained
 *     END: zero pages (QEMU), FLUSH
 *     devices; EOF; description
 *     MANIFEST ... (to zcmig only)
 *                         ..SHUT, RESULT
 *
 * With one connection only (fd:N) the pages go in the END section itself.
 * What a live guest needs between START and the manifest is in precopy.c.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "net/io.h"
#include "send/iterate.h"
#include "session/outgoing.h"
#include "wire/stream.h"

#define RAM_VERSION 4
#define RECORDS_BYTES_MAX (256u << 10) /* zero records in one write */

/* ------------------------------------------------------------- main stream */

/* Sends what was put into out->out.  False: reported. */
bool zc_outgoing_flush(struct zc_outgoing *out)
{
    GError *error = NULL;

    int ret = zc_io_write_all(out->main_fd, out->out->data, out->out->len,
                              zc_outgoing_stall_deadline(out), out->session.cause.wake_fd);
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
    zc_outgoing_fail(out, error);
    return false;
}

void zc_outgoing_put_extension(struct zc_outgoing *out, const struct zc_extension *message)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    zc_extension_put(bytes, message);
    zc_stream_put_command(out->out, ZC_EXTENSION_COMMAND, bytes->data, (uint16_t)bytes->len);
}

void zc_outgoing_put_ping(struct zc_outgoing *out, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    zc_stream_put_command(out->out, ZC_COMMAND_PING, &value, sizeof(value));
}

bool zc_outgoing_hello(struct zc_outgoing *out)
{
    zc_stream_put_header(out->out);
    zc_outgoing_put_configuration(out);
    zc_stream_put_command(out->out, ZC_COMMAND_OPEN_RETURN_PATH, NULL, 0);
    zc_outgoing_put_ping(out, ZC_HELLO_PING | ZC_EXTENSION_VERSION);
    zc_outgoing_put_ping(out, 1);
    if (!zc_outgoing_flush(out) ||
        !zc_return_path_wait_hello(out->return_path,
                                   zc_deadline_in(out->options.connect_timeout_ms),
                                   &out->peer_is_zcmig)) {
        return false;
    }
    atomic_store(&out->session.peer_is_zcmig, out->peer_is_zcmig);
    if (!out->peer_is_zcmig && out->source->live) {
        GError *error = NULL;
        zc_error(&error, ZCMIG_ERROR_UNSUPPORTED,
                 "the destination is not zcmig: it cannot run a guest of zcmig's");
        zc_outgoing_fail(out, error);
        return false;
    }
    if (!out->peer_is_zcmig && out->options.route != ZCMIG_ROUTE_SOCKET) {
        GError *error = NULL;
        zc_error(&error, ZCMIG_ERROR_UNSUPPORTED,
                 "the destination is not zcmig: it knows no route %s",
                 zcmig_route_name(out->options.route));
        zc_outgoing_fail(out, error);
        return false;
    }
    return true;
}

/* Whether the destination keeps the session as well. */
static bool agree_to_keep(struct zc_outgoing *out)
{
    struct zc_extension keep = { .type = ZC_EXTENSION_KEEP };
    struct zc_extension answer;

    keep.keep.seconds = (uint32_t)((out->options.reconnect_ms + 999) / 1000);
    memcpy(keep.keep.secret, out->secret, sizeof(out->secret));
    zc_outgoing_put_extension(out, &keep);
    if (!zc_outgoing_flush(out) ||
        !zc_return_path_wait_extension(out->return_path, ZC_EXTENSION_KEEP,
                                       zc_outgoing_stall_deadline(out), &answer)) {
        return false;
    }
    out->keeps = answer.keep.seconds > 0;
    if (!out->keeps) {
        zc_warning("the destination runs without --reconnect: a cut connection ends the migration");
    } else if (answer.keep.seconds < keep.keep.seconds) {
        zc_warning("a cut is survived for %u s: the destination waits no longer",
                   answer.keep.seconds);
    }
    return true;
}

bool zc_outgoing_greet(struct zc_outgoing *out)
{
    if (!zc_outgoing_hello(out)) {
        return false;
    }
    if (!out->peer_is_zcmig) {
        zc_warning("the destination is not zcmig: what arrives there will not be verified");
        return true;
    }
    return zc_outgoing_put_session(out) && (!out->options.reconnect_ms || agree_to_keep(out));
}

/* Ends the iteration on all channels. */
static bool end_iteration(struct zc_outgoing *out)
{
    return !out->sender || zc_sender_sync(out->sender);
}

/* Says so on the main stream. */
static void put_flush(struct zc_outgoing *out)
{
    if (out->sender && zc_outgoing_says_flush(out)) {
        zc_stream_put_ram_flush(out->out);
    }
}

bool zc_outgoing_sync_channels(struct zc_outgoing *out)
{
    if (!end_iteration(out)) {
        return false;
    }
    put_flush(out);
    return true;
}

bool zc_outgoing_start_ram(struct zc_outgoing *out)
{
    const struct zc_ram *ram = &out->source->ram;

    zc_outgoing_put_early(out, true);
    zc_stream_put_section_start(out->out, zc_outgoing_ram_section_id(out), "ram", 0, RAM_VERSION);
    zc_stream_put_ram_size(out->out, zc_ram_bytes(ram));
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        zc_stream_put_ram_block(out->out, ram->blocks[i].name, ram->blocks[i].used_bytes);
    }
    if (!zc_outgoing_sync_channels(out)) {
        return false;
    }
    zc_stream_put_ram_eos(out->out);
    zc_stream_put_section_footer(out->out, zc_outgoing_ram_section_id(out));
    zc_outgoing_put_early(out, false);
    return zc_outgoing_flush(out);
}

/* ------------------------------------------------------------------- pages */

static bool put_range(const struct zc_range *range, void *data)
{
    struct zc_outgoing *out = data;

    return zc_outgoing_was_never_sent(out, range) || zc_sender_put(out->sender, range);
}

static bool send_plain(const struct zc_range *range, void *data)
{
    struct zc_outgoing *out = data;
    uint32_t n_normal = 0, n_zero = 0;
    GError *error = NULL;

    if (zc_outgoing_was_never_sent(out, range)) {
        return true;
    }
    if (out->source->ops->will_need) {
        out->source->ops->will_need(out->source, range);
    }
    if (!zc_pace_wait(&out->pace, (uint64_t)range->n_pages * ZC_PAGE_BYTES,
                      out->session.cause.wake_fd)) {
        return false;
    }
    int ret = zc_plain_send(out->plain, range, zc_outgoing_stall_deadline(out), &n_normal, &n_zero);
    atomic_fetch_add(&out->plain_normal, n_normal);
    atomic_fetch_add(&out->plain_zero, n_zero);
    if (ret == -ECANCELED) {
        return false;
    }
    if (!out->source->ops->check(out->source, &error)) {
        zc_outgoing_fail(out, error);
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
        zc_outgoing_fail(out, error);
        return false;
    }
    return true;
}

bool zc_outgoing_send_pages(struct zc_outgoing *out)
{
    if (out->sender) {
        return zc_iterate_all(out->source, UINT32_MAX, put_range, out);
    }
    zc_stream_put_section_end(out->out, zc_outgoing_ram_section_id(out));
    return zc_outgoing_flush(out) &&
           zc_iterate_all(out->source, ZC_PLAIN_PAGES_MAX, send_plain, out);
}

bool zc_outgoing_end_ram(struct zc_outgoing *out)
{
    uint32_t block = 0;
    uint64_t page = 0;

    if (out->sender) {
        zc_stream_put_section_end(out->out, zc_outgoing_ram_section_id(out));
    }
    /* Before the records: when the channels have synced, all zero pages are known. */
    if (!end_iteration(out)) {
        return false;
    }
    while (zc_outgoing_put_zeros(out, &block, &page, RECORDS_BYTES_MAX)) {
        if (!zc_outgoing_flush(out)) {
            return false;
        }
    }
    if (!zc_outgoing_check_pages(out)) {
        return false;
    }
    put_flush(out);
    zc_stream_put_ram_eos(out->out);
    zc_stream_put_section_footer(out->out, zc_outgoing_ram_section_id(out));
    zc_outgoing_put_tail(out);
    return zc_outgoing_flush(out);
}

/* ------------------------------------------------------------ verification */

static bool send_manifest_block(struct zc_outgoing *out, uint32_t index)
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
        zc_outgoing_put_extension(out, &message);
        if (!zc_outgoing_flush(out)) {
            return false;
        }
    }
    return true;
}

bool zc_outgoing_send_manifest(struct zc_outgoing *out)
{
    for (uint32_t i = 0; i < out->manifest->n_blocks; i++) {
        if (!send_manifest_block(out, i)) {
            return false;
        }
    }
    struct zc_extension message = { .type = ZC_EXTENSION_MANIFEST_END };
    message.manifest_end.n_pages = zc_manifest_pages(out->manifest);
    zc_outgoing_put_extension(out, &message);
    return zc_outgoing_flush(out);
}

static void take_result(struct zc_outgoing *out, const struct zc_extension *result)
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
        zc_warning("the destination was told not to verify, and did not");
    } else if (result->result.n_pages != zc_manifest_pages(out->manifest)) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "the destination compared %" G_GUINT64_FORMAT
                 " pages, sent were %" G_GUINT64_FORMAT,
                 result->result.n_pages, zc_manifest_pages(out->manifest));
    }
    if (error) {
        zc_outgoing_fail(out, error);
    }
}

/* Waits for the verdict.  False: there is none, or it is a bad one. */
bool zc_outgoing_hear_result(struct zc_outgoing *out)
{
    struct zc_extension result;

    if (!zc_return_path_wait_extension(out->return_path, ZC_EXTENSION_RESULT,
                                       zc_outgoing_stall_deadline(out), &result)) {
        return false;
    }
    take_result(out, &result);
    return !zc_cause_is_set(&out->session.cause);
}

/* Sends the manifest, waits for SHUT and the verdict, in the order that the mode asks for. */
bool zc_outgoing_conclude(struct zc_outgoing *out)
{
    bool verify = out->manifest && out->peer_is_zcmig;
    bool before = out->options.verify == ZCMIG_VERIFY_BEFORE;

    if (verify && (!zc_outgoing_send_manifest(out) || (before && !zc_outgoing_hear_result(out)))) {
        return false;
    }
    int64_t shut_ns = zc_return_path_wait_shut(out->return_path, zc_outgoing_stall_deadline(out));
    if (!shut_ns) {
        return false;
    }
    atomic_store(&out->session.transferred_ns, shut_ns);
    zc_session_set_state(&out->session, ZCMIG_STATE_VERIFYING);
    return !verify || before || zc_outgoing_hear_result(out);
}

/* -------------------------------------------------------------- last words */

GError *zc_outgoing_last_words(struct zc_outgoing *out, const GError *cause)
{
    enum zcmig_error_code code = zc_error_code(cause);

    if (out->peer_is_zcmig && code != ZCMIG_ERROR_PEER && code != ZCMIG_ERROR_MISMATCH) {
        struct zc_extension message = { .type = ZC_EXTENSION_FAIL };
        message.fail.code = (uint8_t)code;
        g_strlcpy(message.fail.text, cause->message, sizeof(message.fail.text));
        g_byte_array_set_size(out->out, 0);
        zc_outgoing_put_extension(out, &message);
        /* The wake descriptor is readable by now: these words have a deadline of their own. */
        if (zc_io_write_all(out->main_fd, out->out->data, out->out->len,
                            zc_deadline_in(ZC_OUTGOING_LAST_WORDS_MS), -1) < 0) {
            zc_debug("the destination cannot be told why");
        }
    }
    if (code == ZCMIG_ERROR_DISCONNECTED) {
        return zc_return_path_linger(out->return_path, zc_deadline_in(ZC_OUTGOING_LAST_WORDS_MS));
    }
    return NULL;
}
