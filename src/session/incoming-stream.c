/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The main stream at the destination, event by event, and what is said back.
 *
 * Design: SHUT 0 tells the source "I have it", so it goes out
 *
 *     verify=off, or a stock source   after the output was committed
 *     verify=after                    when RAM is whole; then the manifest is compared, the output
 *                                     committed, and RESULT sent
 *     verify=before                   after all of these; not at all when RESULT is bad
 *     a live guest                    when it runs here (incoming-guest.c)
 *
 * With the monitor of a stock source there is a manifest too (incoming-proof.c), which we choose
 * the moment of.
 *
 * Once the output is committed the session has succeeded: a source that is no
 * longer there to be told does not change that.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "net/io.h"
#include "session/incoming.h"

/* Of machine types, major * 100 + minor. */
#define ACK_VERSION_FIRST 801
#define ACK_VERSION_LAST 1100

bool zc_incoming_fail(struct zc_incoming *in, GError *error)
{
    zc_cause_report(&in->session.cause, error);
    return false;
}

static bool fail_protocol(struct zc_incoming *in, const char *text)
{
    return zc_incoming_fail(in, g_error_new_literal(ZCMIG_ERROR, ZCMIG_ERROR_PROTOCOL, text));
}

/* ------------------------------------------------------- in and out of bytes */

bool zc_incoming_more(struct zc_incoming *in)
{
    ssize_t n = zc_input_more(&in->input);
    const char *phase = zc_incoming_where(in);
    GError *error = NULL;

    if (n > 0 && in->input.n_fds && in->has_ram) {
        return fail_protocol(in, "got descriptors that nobody asked for");
    }
    if (n > 0) {
        return true;
    }
    if (n == 0) {
        zc_error(&error, ZCMIG_ERROR_DISCONNECTED, "the main stream ended %s", phase);
    } else if (n == -ECANCELED) {
        zc_error(&error, ZCMIG_ERROR_CANCELLED, "cancelled %s", phase);
    } else if (n == -ETIMEDOUT) {
        zc_error(&error, ZCMIG_ERROR_TIMEOUT,
                 "nothing came for %" G_GINT64_FORMAT " ms on any connection, %s",
                 in->options.stall_timeout_ms, phase);
    } else {
        zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, (int)n, "the main stream broke %s", phase);
    }
    return zc_incoming_fail(in, error);
}

/* --------------------------------------------------------------- publishing */

static bool commit(struct zc_incoming *in)
{
    uint64_t exact_bytes = in->has_session ? in->peer.session.exact_bytes : 0;
    GError *error = NULL;

    if (zc_cause_is_set(&in->session.cause) || !zc_incoming_keep_state(in)) {
        return false;
    }
    if (!in->store->ops->commit(in->store, exact_bytes, &error)) {
        return zc_incoming_fail(in, error);
    }
    in->committed = true;
    return true;
}

/* The output is there: the source is told, and that it cannot hear it any more is its affair. */
static bool finish(struct zc_incoming *in)
{
    zc_incoming_put_shut(in, 0);
    if (zc_incoming_tell(in) < 0) {
        zc_warning("the source went away before it heard that its RAM arrived");
    }
    in->phase = ZC_INCOMING_DONE;
    return true;
}

static bool expects_manifest(const struct zc_incoming *in)
{
    return in->has_session && in->peer.session.verify != ZC_VERIFY_OFF;
}

/* With what arrived; or with nothing, where the digests are for the store only. */
void zc_incoming_start_verify(struct zc_incoming *in)
{
    g_array_set_size(in->session.mismatches, 0);
    zc_verify_init(&in->verify, in->options.verify == ZCMIG_VERIFY_OFF ? NULL : in->place.arrival,
                   in->session.mismatches);
}

/* The same with the RAM that the source itself holds compared before, or in between. */
static bool commit_proven(struct zc_incoming *in)
{
    if (in->options.verify == ZCMIG_VERIFY_AFTER) {
        zc_incoming_put_shut(in, 0);
        if (in->out->len && !zc_incoming_answer(in)) {
            return false;
        }
    }
    return zc_incoming_prove(in) && commit(in) && finish(in);
}

/* The same of a live guest: whatever it waits for, it must have come. */
static bool on_eof_of_guest(struct zc_incoming *in)
{
    if (!in->guest) {
        return fail_protocol(in, "a live guest came without its state");
    }
    bool before = in->peer.session.verify == ZC_VERIFY_BEFORE;
    if (before && zc_incoming_shares_memory(in) && in->options.verify != ZCMIG_VERIFY_OFF &&
        !zc_incoming_digest_memory(in)) {
        return false;
    }
    if (expects_manifest(in)) {
        zc_incoming_start_verify(in);
    }
    if (before) {
        in->phase = ZC_INCOMING_MANIFEST;
    }
    return true;
}

/* The stream's sections are over. */
static bool on_eof(struct zc_incoming *in)
{
    if (zc_incoming_is_live(in)) {
        return on_eof_of_guest(in);
    }
    if (!expects_manifest(in)) {
        return zc_incoming_is_proven(in) ? commit_proven(in) : commit(in) && finish(in);
    }
    in->phase = ZC_INCOMING_MANIFEST;
    zc_incoming_start_verify(in);
    if (in->peer.session.verify == ZC_VERIFY_AFTER) {
        zc_incoming_put_shut(in, 0);
        return zc_incoming_answer(in);
    }
    return true;
}

/* All pages are as they were sent. */
static bool on_good_manifest(struct zc_incoming *in, const struct zc_extension *result)
{
    if (!zc_incoming_is_live(in)) {
        if (!commit(in)) {
            return false;
        }
        zc_incoming_put_extension(in, result);
        return finish(in);
    }
    zc_incoming_put_extension(in, result);
    return in->resumed_ns ? zc_incoming_guest_observe(in) : zc_incoming_guest_ready(in);
}

static bool on_manifest_end(struct zc_incoming *in, const struct zc_extension *message)
{
    struct zc_extension result = { .type = ZC_EXTENSION_RESULT };
    GError *error = NULL;

    if (!zc_verify_end(&in->verify, message, &error)) {
        return zc_incoming_fail(in, error);
    }
    atomic_store(&in->session.verified_pages, in->verify.n_compared);
    atomic_store(&in->session.mismatched_pages, in->verify.n_wrong);
    result.result.n_pages = in->verify.n_compared;
    result.result.n_wrong = in->verify.n_wrong;
    zc_verify_describe(&in->verify, result.result.text, sizeof(result.result.text));
    if (in->verify.n_wrong == 0) {
        return on_good_manifest(in, &result);
    }
    zc_error(&error, ZCMIG_ERROR_MISMATCH,
             "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
             " pages are not here as they were sent: %s",
             in->verify.n_wrong, in->verify.n_compared, result.result.text);
    zc_incoming_fail(in, error);
    zc_incoming_put_extension(in, &result);
    if (zc_incoming_write(in, zc_deadline_in(ZC_INCOMING_LAST_WORDS_MS), -1) < 0) {
        zc_warning("the source went away before it heard that its RAM is wrong here");
    }
    return false;
}

/* ---------------------------------------------------------------- extensions */

static bool on_session(struct zc_incoming *in, const struct zc_extension *message)
{
    GError *error = NULL;

    if (in->has_session || in->phase != ZC_INCOMING_HEAD || in->ram.n_blocks) {
        return fail_protocol(in, "got SESSION, allowed is one, before RAM");
    }
    if (message->session.n_channels > ZC_RECV_CHANNELS_MAX ||
        message->session.verify > ZC_VERIFY_BEFORE) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "SESSION: got %u channels and verify mode %u, allowed are %u and %u",
                 message->session.n_channels, message->session.verify, ZC_RECV_CHANNELS_MAX,
                 ZC_VERIFY_BEFORE);
        return zc_incoming_fail(in, error);
    }
    if (in->has_wanted_uuid && memcmp(message->session.uuid, in->wanted_uuid, 16) != 0) {
        return fail_protocol(in, "SESSION: got the UUID of another session");
    }
    if (message->session.live && in->options.output) {
        zc_error(&error, ZCMIG_ERROR_UNSUPPORTED,
                 "the source sends a guest that runs on here, in memory, so there is no moment of its "
                 "RAM to keep or to drop: receive it without an output");
        return zc_incoming_fail(in, error);
    }
    in->has_session = in->has_uuid = true;
    in->peer = *message;
    return zc_incoming_open_route(in, message);
}

static bool on_extension(struct zc_incoming *in, const struct zc_stream_event *event)
{
    struct zc_extension message;
    GError *error = NULL;

    if (!atomic_load(&in->session.peer_is_zcmig)) {
        return fail_protocol(in, "got an extension message before the two had met");
    }
    if (!zc_extension_decode(event->command.data, event->command.length, &message, &error)) {
        return zc_incoming_fail(in, error);
    }
    if (in->awaits_resume && message.type != ZC_EXTENSION_RESUME) {
        return fail_protocol(in, "got another message than RESUME of the session that was cut");
    }
    switch (message.type) {
    case ZC_EXTENSION_SESSION:
        return on_session(in, &message);
    case ZC_EXTENSION_FAIL:
        in->peer_failed = true;
        return zc_incoming_fail(in, zc_incoming_peer_error(&message));
    case ZC_EXTENSION_MANIFEST:
        if (in->phase == ZC_INCOMING_MANIFEST) {
            int64_t begin_ns = zc_clock_now_ns();
            bool good = zc_verify_take(&in->verify, &message, &error);
            in->verify_ns += zc_clock_now_ns() - begin_ns;
            return good || zc_incoming_fail(in, error);
        }
        break;
    case ZC_EXTENSION_MANIFEST_END:
        if (in->phase == ZC_INCOMING_MANIFEST) {
            return on_manifest_end(in, &message);
        }
        break;
    case ZC_EXTENSION_RUN:
        if (in->phase == ZC_INCOMING_READY) {
            return zc_incoming_guest_run(in);
        }
        break;
    case ZC_EXTENSION_MEMORY:
        return zc_incoming_take_memory(in, &message);
    case ZC_EXTENSION_KEEP:
        return zc_incoming_keep(in, &message);
    case ZC_EXTENSION_RESUME:
        return zc_incoming_resume(in, &message);
    case ZC_EXTENSION_HEARD:
        if (in->phase == ZC_INCOMING_HEARD) {
            in->phase = ZC_INCOMING_DONE;
            return true;
        }
        break;
    case ZC_EXTENSION_RESULT:
    case ZC_EXTENSION_READY:
    case ZC_EXTENSION_OBSERVED:
    case ZC_EXTENSION_MAPPED:
    case ZC_EXTENSION_RESUMED:
        break;
    }
    zc_error(&error, ZCMIG_ERROR_PROTOCOL, "got extension message %d, not allowed %s",
             (int)message.type, zc_incoming_where(in));
    return zc_incoming_fail(in, error);
}

/* ------------------------------------------------------------------- events */

static bool on_ping(struct zc_incoming *in, const uint8_t *data)
{
    uint32_t value;

    if (!in->has_return_path) {
        return true; /* nobody listens */
    }
    memcpy(&value, data, sizeof(value));
    value = GUINT32_FROM_BE(value);
    zc_return_put_u32(in->out, ZC_RETURN_PONG, value);
    if ((value & ZC_HELLO_MASK) == ZC_HELLO_PING) {
        atomic_store(&in->session.peer_is_zcmig, true);
        zc_return_put_u32(in->out, ZC_RETURN_PONG, ZC_HELLO_PONG | ZC_EXTENSION_VERSION);
    }
    return zc_incoming_answer(in);
}

static bool on_command(struct zc_incoming *in, const struct zc_stream_event *event)
{
    GError *error = NULL;

    switch (event->command.command) {
    case ZC_COMMAND_OPEN_RETURN_PATH:
        in->has_return_path = true;
        return true;
    case ZC_COMMAND_PING:
        return on_ping(in, event->command.data);
    case ZC_COMMAND_SWITCHOVER_START:
        return true;
    case ZC_EXTENSION_COMMAND:
        return on_extension(in, event);
    case ZC_COMMAND_POSTCOPY_ADVISE:
        zc_error(&error, ZCMIG_ERROR_UNSUPPORTED,
                 "the source has migration capability postcopy-ram on, which is not supported");
        return zc_incoming_fail(in, error);
    default:
        zc_error(&error, ZCMIG_ERROR_UNSUPPORTED,
                 "the source sent command %u (postcopy or COLO), which is not supported",
                 event->command.command);
        return zc_incoming_fail(in, error);
    }
}

static bool on_configuration(struct zc_incoming *in, const struct zc_stream_event *event)
{
    zc_debug("source machine '%s'", event->configuration.machine);
    zc_incoming_keep_configuration(in, event);
    if (in->has_wanted_uuid && event->configuration.has_uuid) {
        if (memcmp(event->configuration.uuid, in->wanted_uuid, 16) != 0) {
            return fail_protocol(in, "configuration: got the UUID of another guest");
        }
        in->has_uuid = true;
    }
    return true;
}

static bool on_section(struct zc_incoming *in, const struct zc_stream_event *event)
{
    in->section = event->section.type;
    if (event->section.is_ram) {
        in->snapshot.ram_section_id = event->section.id;
        in->ram_started = true;
        return true;
    }
    if (zc_incoming_is_live(in) && strcmp(event->section.name, ZC_STREAM_GUEST_NAME) == 0) {
        return zc_incoming_guest_state(in, event);
    }
    if (in->phase == ZC_INCOMING_TAIL) {
        return zc_incoming_take_devices(in, event) && on_eof(in);
    }
    return zc_incoming_take_early(in, event);
}

/*
 * A QEMU with capability switchover-ack does not switch over before it has heard this.  That it has
 * it on, the stream does not say; one that has not ignores it, but those before 8.1, which break at
 * it, and those of machine types from 11.1 on, which count what they asked for.
 */
static bool acknowledge(struct zc_incoming *in)
{
    unsigned int version = zc_snapshot_machine_version(in->snapshot.machine);
    bool may = in->options.switchover_ack ||
               (version >= ACK_VERSION_FIRST && version <= ACK_VERSION_LAST);

    if (!may || !in->has_return_path || atomic_load(&in->session.peer_is_zcmig)) {
        return true;
    }
    zc_return_put(in->out, ZC_RETURN_SWITCHOVER_ACK, NULL, 0);
    return zc_incoming_answer(in);
}

static bool on_ram_eos(struct zc_incoming *in)
{
    if (in->section == ZC_SECTION_START) {
        in->barrier_per_section = !in->flush_in_start && atomic_load(&in->n_channels) > 0;
        if (!acknowledge(in)) {
            return false;
        }
    }
    if (in->barrier_per_section && !zc_incoming_barrier(in)) {
        return false;
    }
    return in->section != ZC_SECTION_END || zc_incoming_end_ram(in);
}

static bool on_ram_flush(struct zc_incoming *in)
{
    in->flush_in_start = in->flush_in_start || in->section == ZC_SECTION_START;
    return zc_incoming_barrier(in);
}

static bool on_ram_block(struct zc_incoming *in, const struct zc_stream_event *event)
{
    GError *error = NULL;

    if (in->is_again) {
        return zc_incoming_same_block(in, event);
    }
    return zc_ram_add(&in->ram, event->block.name, NULL, event->block.used_bytes, &error) >= 0 ||
           zc_incoming_fail(in, error);
}

static bool skip_payload(struct zc_incoming *in, uint32_t payload_bytes)
{
    while (payload_bytes) {
        size_t n = MIN(in->input.length, (size_t)payload_bytes);
        zc_input_take(&in->input, n);
        payload_bytes -= (uint32_t)n;
        if (payload_bytes && !zc_incoming_more(in)) {
            return false;
        }
    }
    return true;
}

/* The stream is whole.  A guest that nothing has to be compared for is ready. */
static bool on_description(struct zc_incoming *in)
{
    bool is_ready = zc_incoming_is_live(in) && in->phase == ZC_INCOMING_TAIL;

    return !is_ready || zc_incoming_guest_ready(in);
}

/* A connection that has not said RESUME is nobody's yet: it can greet, and no more. */
static bool is_greeting(const struct zc_stream_event *event)
{
    return event->type == ZC_STREAM_HEADER || event->type == ZC_STREAM_CONFIGURATION ||
           (event->type == ZC_STREAM_COMMAND &&
            (event->command.command == ZC_COMMAND_OPEN_RETURN_PATH ||
             event->command.command == ZC_COMMAND_PING ||
             event->command.command == ZC_EXTENSION_COMMAND));
}

static bool on_event(struct zc_incoming *in, const struct zc_stream_event *event)
{
    if (in->awaits_resume && !is_greeting(event)) {
        return fail_protocol(in, "got something else than RESUME of the session that was cut");
    }
    switch (event->type) {
    case ZC_STREAM_HEADER:
    case ZC_STREAM_RAM_SIZE:
        return true;
    case ZC_STREAM_CONFIGURATION:
        return on_configuration(in, event);
    case ZC_STREAM_COMMAND:
        return on_command(in, event);
    case ZC_STREAM_SECTION:
        return on_section(in, event);
    case ZC_STREAM_RAM_BLOCK:
        return on_ram_block(in, event);
    case ZC_STREAM_RAM_PAGE:
        return zc_incoming_open_ram(in) && zc_incoming_page(in, event);
    case ZC_STREAM_RAM_ZERO:
        return zc_incoming_open_ram(in) && zc_incoming_zero(in, event);
    case ZC_STREAM_RAM_FLUSH:
        return zc_incoming_open_ram(in) && zc_incoming_flush_pages(in) && on_ram_flush(in);
    case ZC_STREAM_RAM_EOS:
        return zc_incoming_open_ram(in) && zc_incoming_flush_pages(in) && on_ram_eos(in);
    case ZC_STREAM_EOF:
        return on_eof(in);
    case ZC_STREAM_DESCRIPTION:
        return skip_payload(in, event->payload_bytes) && on_description(in);
    }
    return fail_protocol(in, "an event that nobody expects");
}

/* Takes the next event.  1 got it, 0 more bytes are needed, -1 reported. */
static int next_event(struct zc_incoming *in, struct zc_stream_event *event)
{
    GError *error = NULL;
    size_t used = 0;

    switch (zc_stream_decoder_next(in->decoder, in->input.bytes, in->input.length, &used, event,
                                   &error)) {
    case ZC_STREAM_GOT:
        zc_input_take(&in->input, used);
        return 1;
    case ZC_STREAM_MORE:
        return 0;
    default:
        zc_incoming_fail(in, error);
        return -1;
    }
}

bool zc_incoming_step(struct zc_incoming *in)
{
    struct zc_stream_event event;
    int got = next_event(in, &event);

    if (got < 0 || zc_cause_is_set(&in->session.cause)) {
        return false;
    }
    return got > 0 ? on_event(in, &event) : zc_incoming_flush_pages(in) && zc_incoming_more(in);
}

bool zc_incoming_receive(struct zc_incoming *in)
{
    while (in->phase != ZC_INCOMING_DONE) {
        if (!zc_incoming_step(in)) {
            return false;
        }
    }
    return true;
}
