/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the destination says to the source, to its last word; and what it
 * listens for when the session has ended.
 */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "net/io.h"
#include "session/incoming.h"

static const char *const phase_names[] = {
    [ZC_INCOMING_HEAD] = "before RAM began",
    [ZC_INCOMING_RAM] = "before RAM was whole",
    [ZC_INCOMING_TAIL] = "after RAM, before its own end",
    [ZC_INCOMING_MANIFEST] = "before the manifest was whole",
    [ZC_INCOMING_READY] = "before the source handed the guest over, so it does not run here",
    [ZC_INCOMING_HEARD] = "before the source said that it knows that its guest runs here",
    [ZC_INCOMING_DONE] = "after everything",
};

const char *zc_incoming_where(const struct zc_incoming *in)
{
    return phase_names[in->phase];
}

/* Sends what was put into in->out.  0 or -errno. */
int zc_incoming_write(struct zc_incoming *in, zc_deadline deadline, int wake_fd)
{
    int rc = zc_io_write_all(in->main_fd, in->out->data, in->out->len, deadline, wake_fd);

    g_byte_array_set_size(in->out, 0);
    return rc;
}

bool zc_incoming_answer(struct zc_incoming *in)
{
    GError *error = NULL;
    int rc = zc_incoming_write(in, zc_deadline_in(in->options.stall_timeout_ms),
                               in->session.cause.wake_fd);

    if (rc == 0) {
        return true;
    }
    zc_error_errno(&error,
                   rc == -ETIMEDOUT   ? ZCMIG_ERROR_TIMEOUT
                   : rc == -ECANCELED ? ZCMIG_ERROR_CANCELLED
                                      : ZCMIG_ERROR_DISCONNECTED,
                   rc, "cannot answer the source %s", zc_incoming_where(in));
    return zc_incoming_fail(in, error);
}

int zc_incoming_tell(struct zc_incoming *in)
{
    return in->out->len ? zc_incoming_write(in, zc_deadline_in(in->options.stall_timeout_ms), -1)
                        : 0;
}

void zc_incoming_put_shut(struct zc_incoming *in, uint32_t value)
{
    if (in->has_return_path && !in->said_shut) {
        zc_return_put_u32(in->out, ZC_RETURN_SHUT, value);
        in->said_shut = true;
    }
}

void zc_incoming_put_extension(struct zc_incoming *in, const struct zc_extension *message)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    if (in->has_return_path && atomic_load(&in->session.peer_is_zcmig)) {
        zc_extension_put(bytes, message);
        zc_return_put(in->out, ZC_RETURN_EXTENSION, bytes->data, (uint16_t)bytes->len);
    }
}

/* The source gives up. */
GError *zc_incoming_peer_error(const struct zc_extension *message)
{
    if (message->fail.code == ZCMIG_ERROR_CANCELLED) {
        return g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED, "cancelled by the source");
    }
    return g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_PEER, "the source failed: %s", message->fail.text);
}

/* --------------------------------------------------------------- last words */

void zc_incoming_hear_peer(struct zc_incoming *in)
{
    zc_deadline deadline = zc_deadline_in(ZC_INCOMING_LAST_WORDS_MS);
    struct zc_stream_event event;
    struct zc_extension message;
    size_t used = 0;

    in->input.stall = &in->last_words;
    while (zc_clock_now_ns() < deadline) {
        enum zc_stream_result got = zc_stream_decoder_next(in->decoder, in->input.bytes,
                                                           in->input.length, &used, &event, NULL);
        if (got == ZC_STREAM_ERROR || (got == ZC_STREAM_MORE && zc_input_more(&in->input) <= 0)) {
            return;
        }
        if (got == ZC_STREAM_MORE) {
            continue;
        }
        zc_input_take(&in->input, used);
        if (event.type == ZC_STREAM_COMMAND && event.command.command == ZC_EXTENSION_COMMAND &&
            zc_extension_decode(event.command.data, event.command.length, &message, NULL) &&
            message.type == ZC_EXTENSION_FAIL) {
            zc_cause_replace(&in->session.cause, zc_incoming_peer_error(&message));
            in->peer_failed = true;
            return;
        }
        for (; event.payload_bytes; event.payload_bytes -= (uint32_t)used) {
            if (in->input.length == 0 && zc_input_more(&in->input) <= 0) {
                return;
            }
            used = MIN(in->input.length, (size_t)event.payload_bytes);
            zc_input_take(&in->input, used);
        }
    }
}

/* Reads until the source closes, so that our own close resets nothing that it still has to read. */
static void drain(struct zc_incoming *in)
{
    zc_deadline deadline = zc_deadline_in(ZC_INCOMING_LAST_WORDS_MS);

    in->input.stall = &in->last_words;
    shutdown(in->main_fd, SHUT_WR);
    do {
        in->input.length = 0;
    } while (zc_input_more(&in->input) > 0 && zc_clock_now_ns() < deadline);
}

/* FAIL and SHUT 1; neither after a bad RESULT, which said it all to a zcmig. */
static void put_reason(struct zc_incoming *in, const GError *cause)
{
    struct zc_extension message = { .type = ZC_EXTENSION_FAIL };

    if (zc_error_code(cause) == ZCMIG_ERROR_MISMATCH && in->has_session) {
        return;
    }
    if (!in->peer_failed) {
        message.fail.code = (uint8_t)zc_error_code(cause);
        g_strlcpy(message.fail.text, cause->message, sizeof(message.fail.text));
        zc_incoming_put_extension(in, &message);
    }
    zc_incoming_put_shut(in, 1);
}

/*
 * In shared memory the guest stands still only as long as the source waits for the verdict: when
 * it gave up and runs on there, what was compared was not the RAM that it sent.
 */
static GError *revise_verdict(struct zc_incoming *in, GError *verdict)
{
    zc_incoming_hear_peer(in);
    if (!in->peer_failed) {
        return verdict;
    }
    g_error_free(verdict);
    atomic_store(&in->session.mismatched_pages, 0);
    g_array_set_size(in->session.mismatches, 0);
    return zc_cause_copy(&in->session.cause);
}

void zc_incoming_last_words(struct zc_incoming *in)
{
    g_autoptr(GError) cause = zc_cause_copy(&in->session.cause);

    if (cause && !in->committed) {
        if (zc_error_code(cause) == ZCMIG_ERROR_MISMATCH && zc_incoming_shares_memory(in)) {
            cause = revise_verdict(in, g_steal_pointer(&cause));
        }
        if (zc_error_code(cause) == ZCMIG_ERROR_DISCONNECTED &&
            atomic_load(&in->session.peer_is_zcmig)) {
            zc_incoming_hear_peer(in);
        }
        put_reason(in, cause);
        if (in->out->len &&
            zc_incoming_write(in, zc_deadline_in(ZC_INCOMING_LAST_WORDS_MS), -1) < 0) {
            zc_debug("the source cannot be told why");
        }
    }
    drain(in);
}
