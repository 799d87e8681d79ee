/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A cut connection at the destination: --reconnect.
 *
 * Design: RAM, what is known of each page, and a guest that runs are kept;
 * connections, readers, the barrier and the decoder are made anew.  The source
 * sends again what it does not know to be placed, so nothing of a page that
 * came half counts.
 *
 *     cut --> join, close --> wait for main connections, one after the other,
 *         until one says RESUME with the UUID and the secret of the session
 *
 * Whoever else connects meanwhile is dropped and ends nothing.  A guest that
 * waited for RUN is dropped as well: its state comes again.  One that runs here
 * stays: the old connection is closed by then, so that the answer to RESUME,
 * whether it runs, cannot become wrong.
 */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "session/incoming.h"

#define MEET_MS 5000 /* patience with a new connection, until it said RESUME */

static bool fail(struct zc_incoming *in, const char *text)
{
    return zc_incoming_fail(in, g_error_new_literal(ZCMIG_ERROR, ZCMIG_ERROR_PROTOCOL, text));
}

/* ------------------------------------------------------------------ messages */

bool zc_incoming_keep(struct zc_incoming *in, const struct zc_extension *message)
{
    struct zc_extension keep = { .type = ZC_EXTENSION_KEEP };

    if (!zc_incoming_is_live(in) || in->keeps || in->has_ram || in->is_again) {
        return fail(in, "got KEEP, allowed is one of a live guest, before RAM");
    }
    in->keeps = in->options.reconnect_ms > 0;
    memcpy(in->secret, message->keep.secret, sizeof(in->secret));
    keep.keep.seconds = (uint32_t)((in->options.reconnect_ms + 999) / 1000);
    zc_incoming_put_extension(in, &keep);
    return zc_incoming_answer(in);
}

/* In a time that does not tell how many bytes were right. */
static bool is_secret(const struct zc_incoming *in, const uint8_t secret[static 16])
{
    uint8_t differs = 0;

    for (size_t i = 0; i < sizeof(in->secret); i++) {
        differs |= (uint8_t)(in->secret[i] ^ secret[i]);
    }
    return differs == 0;
}

static void put_resumed(struct zc_incoming *in)
{
    struct zc_extension resumed = { .type = ZC_EXTENSION_RESUMED };

    resumed.resumed.runs = in->resumed_ns != 0;
    resumed.resumed.ran_ns = in->resumed_ns ? (uint64_t)(zc_clock_now_ns() - in->resumed_ns) : 0;
    resumed.resumed.barriers = in->n_barriers;
    zc_incoming_put_extension(in, &resumed);
}

/* The guest runs here: what is left is what comes behind RUN. */
static bool go_on_behind_run(struct zc_incoming *in)
{
    zc_incoming_put_shut(in, 0);
    zc_session_set_state(&in->session, ZCMIG_STATE_VERIFYING);
    zc_incoming_reconnected(in);
    if (zc_incoming_expects_manifest_after(in)) {
        zc_incoming_start_verify(in);
        in->phase = ZC_INCOMING_MANIFEST;
        return zc_incoming_answer(in);
    }
    return zc_incoming_guest_observe(in);
}

bool zc_incoming_resume(struct zc_incoming *in, const struct zc_extension *message)
{
    bool is_ours = in->awaits_resume &&
                   memcmp(message->resume.uuid, in->peer.session.uuid, 16) == 0 &&
                   is_secret(in, message->resume.secret);

    if (is_ours && in->peer.session.route == ZC_SESSION_ROUTE_PULL) {
        is_ours = zc_pull_is_peer(&in->pull, in->main_fd);
    }
    if (!is_ours) {
        return fail(in, "got RESUME of a session that is not there");
    }
    memcpy(in->token, message->resume.token, sizeof(in->token));
    in->awaits_resume = false;
    put_resumed(in);
    return in->resumed_ns ? go_on_behind_run(in) : zc_incoming_answer(in);
}

bool zc_incoming_same_block(struct zc_incoming *in, const struct zc_stream_event *event)
{
    uint32_t i = in->n_blocks_again++;

    return (i < in->ram.n_blocks && strcmp(in->ram.blocks[i].name, event->block.name) == 0 &&
            in->ram.blocks[i].used_bytes == event->block.used_bytes) ||
           fail(in, "got other RAM blocks than before the cut");
}

/* ---------------------------------------------------------------- going away */

/* What ends a connection, and nothing else; and there is something to go on with. */
static bool survives(struct zc_incoming *in)
{
    g_autoptr(GError) cause = zc_cause_copy(&in->session.cause);
    bool is_cut = cause && (zc_error_code(cause) == ZCMIG_ERROR_DISCONNECTED ||
                            zc_error_code(cause) == ZCMIG_ERROR_TIMEOUT);

    return is_cut && in->keeps && (in->has_ram || in->is_again) && !in->peer_failed;
}

static void close_links(struct zc_incoming *in)
{
    zc_incoming_stop_readers(in);
    if (in->has_ram) {
        zc_barrier_clear(&in->barrier);
        in->has_ram = false;
    }
    for (unsigned int i = 0; i < ZC_RECV_CHANNELS_MAX; i++) {
        zc_fd_clear(&in->fds[i]);
    }
    zc_fd_clear(&in->main_fd);
    g_clear_pointer(&in->decoder, zc_stream_decoder_free);
    g_byte_array_set_size(in->out, 0);
    in->said_shut = false;
    in->n_pages = 0;
}

/* False: the source said why, or somebody cancelled: that is the end. */
static bool leave(struct zc_incoming *in)
{
    zc_incoming_stop_readers(in);
    if (in->main_fd >= 0) {
        zc_incoming_hear_peer(in);
    }
    if (in->peer_failed) {
        return false;
    }
    close_links(in);
    if (!zc_cause_reset(&in->session.cause)) {
        zc_cause_replace(&in->session.cause,
                         g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED, "cancelled"));
        return false;
    }
    if (!in->resumed_ns) {
        zc_incoming_guest_drop(in);
        in->phase = ZC_INCOMING_HEAD;
    }
    return true;
}

/* --------------------------------------------------------------- coming back */

/* The next main connection, whoever it is.  False: the cause is set. */
static bool accept_next(struct zc_incoming *in, zc_deadline deadline)
{
    uint8_t first[ZC_ACCEPTOR_MAIN_BYTES];
    GError *error = NULL;

    zc_acceptor_again(in->acceptor);
    in->main_fd = zc_acceptor_wait_main(in->acceptor, deadline, first, &error);
    if (in->main_fd < 0) {
        return zc_incoming_fail(in, error);
    }
    zc_incoming_take_main(in, first, sizeof(first));
    zc_stream_decoder_allow_ram(in->decoder, zc_ram_bytes(&in->ram));
    in->is_again = in->awaits_resume = true;
    in->n_blocks_again = 0;
    in->flush_in_start = in->barrier_per_section = false;
    return true;
}

/* Hears from it who it is.  False: the cause is set. */
static bool meet(struct zc_incoming *in)
{
    bool ok = true;

    in->stall.limit_ms = MIN(in->options.stall_timeout_ms, MEET_MS);
    zc_stall_note(&in->stall);
    while (ok && in->awaits_resume) {
        ok = zc_incoming_step(in);
    }
    in->stall.limit_ms = in->options.stall_timeout_ms;
    return ok;
}

/* Somebody else, or it was cut again.  False: the cause stays set. */
static bool drop(struct zc_incoming *in)
{
    g_autoptr(GError) why = zc_cause_copy(&in->session.cause);

    if (zc_error_code(why) == ZCMIG_ERROR_CANCELLED && !in->peer_failed) {
        return false;
    }
    zc_warning("a connection is dropped: %s", why->message);
    close_links(in);
    in->peer_failed = false; /* it is not our source that said so */
    return zc_cause_reset(&in->session.cause);
}

static void report_failure(struct zc_incoming *in, const GError *cut)
{
    g_autoptr(GError) last = zc_cause_copy(&in->session.cause);

    if (zc_error_code(last) != ZCMIG_ERROR_CANCELLED) {
        zc_cause_replace(&in->session.cause,
                         g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED,
                                     "%s; and its source did not come back for %.1f s",
                                     cut->message, (double)in->options.reconnect_ms / 1000));
    }
}

/* The guest runs here and all is compared: that its source does not know it changes nothing. */
static void excuse(struct zc_incoming *in)
{
    g_autoptr(GError) cause = zc_cause_copy(&in->session.cause);

    if (in->phase == ZC_INCOMING_HEARD && zc_error_code(cause) == ZCMIG_ERROR_DISCONNECTED &&
        zc_cause_reset(&in->session.cause)) {
        zc_warning("%s", cause->message);
    }
}

bool zc_incoming_reconnect(struct zc_incoming *in)
{
    g_autoptr(GError) cut = zc_cause_copy(&in->session.cause);
    zc_deadline deadline = zc_deadline_in(in->options.reconnect_ms);

    if (!survives(in) || !leave(in)) {
        return false;
    }
    zc_warning("%s; waiting for its source to come back", cut->message);
    if (atomic_load(&in->session.state) != ZCMIG_STATE_RECONNECTING) {
        in->cut_ns = zc_clock_now_ns();
        zc_session_set_state(&in->session, ZCMIG_STATE_RECONNECTING);
    }
    while (accept_next(in, deadline)) {
        if (meet(in)) {
            return true;
        }
        if (!drop(in)) {
            return false;
        }
    }
    report_failure(in, cut);
    excuse(in);
    return false;
}

void zc_incoming_reconnected(struct zc_incoming *in)
{
    g_mutex_lock(&in->lock);
    in->live.reconnects++;
    in->live.reconnecting_ns += zc_clock_now_ns() - in->cut_ns;
    g_mutex_unlock(&in->lock);
}
