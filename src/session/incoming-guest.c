/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A live guest at the destination.
 *
 *     state --> paused --READY, RUN--> runs --OBSERVED--> runs on --> stopped and checked
 *                  |
 *                  +-- anything else --> never runs here
 *
 * Design: RUN is the one door.  Before it every failure ends the session with
 * the guest still paused, and the source is told (FAIL) or finds the connection
 * gone; after it the guest is ours, whatever becomes of the source.
 */
#include "config.h"

#include <poll.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "session/guest-check.h"
#include "session/incoming.h"
#include "wire/bytes.h"

#define LENGTH_BYTES 4u
#define FOOTER_BYTES 5u
#define FOOTER_MARK 0x7e
#define OBSERVE_MS 1000 /* after so long the guest has noticed what there was to notice */

static void set_guest(struct zc_incoming *in, enum zcmig_guest_place place)
{
    g_mutex_lock(&in->lock);
    in->live.guest = place;
    g_mutex_unlock(&in->lock);
}

/* ------------------------------------------------------------- device state */

static bool need(struct zc_incoming *in, size_t n_bytes)
{
    while (in->input.length < n_bytes) {
        if (!zc_incoming_more(in)) {
            return false;
        }
    }
    return true;
}

/* The state of @length bytes and the footer are at hand. */
static bool load(struct zc_incoming *in, const struct zc_stream_event *event, uint32_t length)
{
    const uint8_t *footer = in->input.bytes + length;
    struct zc_synthetic_state state;
    GError *error = NULL;

    if (footer[0] != FOOTER_MARK || zc_get_u32(footer + 1) != event->section.id) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "guest state: got 0x%02x and id %u after it, allowed is the footer, 0x%02x and "
                 "id %u",
                 footer[0], zc_get_u32(footer + 1), FOOTER_MARK, event->section.id);
        return zc_incoming_fail(in, error);
    }
    if (!zc_synthetic_load_state(in->input.bytes, length, &state, &error) ||
        !(in->guest = zc_synthetic_new_incoming(&in->ram, &state, &error))) {
        return zc_incoming_fail(in, error);
    }
    return true;
}

bool zc_incoming_guest_state(struct zc_incoming *in, const struct zc_stream_event *event)
{
    int64_t begin_ns = zc_clock_now_ns();
    GError *error = NULL;

    if (event->section.version != ZC_STREAM_GUEST_VERSION || event->section.instance != 0) {
        zc_error(&error, ZCMIG_ERROR_UNSUPPORTED,
                 "guest state: got instance %u of version %u, allowed is 0 of version %u",
                 event->section.instance, event->section.version, ZC_STREAM_GUEST_VERSION);
        return zc_incoming_fail(in, error);
    }
    if (in->phase != ZC_INCOMING_TAIL) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL, "guest state: got it before its RAM was whole");
        return zc_incoming_fail(in, error);
    }
    if (!need(in, LENGTH_BYTES)) {
        return false;
    }
    uint32_t length = zc_get_u32(in->input.bytes);
    if (length > ZC_SYNTHETIC_STATE_BYTES_MAX) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL, "guest state: got %u bytes, allowed are %u", length,
                 ZC_SYNTHETIC_STATE_BYTES_MAX);
        return zc_incoming_fail(in, error);
    }
    zc_input_take(&in->input, LENGTH_BYTES);
    if (!need(in, length + FOOTER_BYTES) || !load(in, event, length)) {
        return false;
    }
    zc_input_take(&in->input, length + FOOTER_BYTES);
    in->load_ns = zc_clock_now_ns() - begin_ns;
    set_guest(in, ZCMIG_GUEST_PAUSED);
    return zc_stream_decoder_after_devices(in->decoder, LENGTH_BYTES + length + FOOTER_BYTES);
}

void zc_incoming_guest_drop(struct zc_incoming *in)
{
    if (in->guest) {
        zc_synthetic_free(g_steal_pointer(&in->guest));
        set_guest(in, ZCMIG_GUEST_NONE);
    }
}

/* ---------------------------------------------------------------- hand-over */

bool zc_incoming_guest_ready(struct zc_incoming *in)
{
    struct zc_extension ready = {
        .type = ZC_EXTENSION_READY,
        .ready = { .barrier_ns = (uint64_t)in->barrier_ns,
                   .load_ns = (uint64_t)in->load_ns,
                   .verify_ns = (uint64_t)in->verify_ns },
    };

    zc_incoming_put_extension(in, &ready);
    in->phase = ZC_INCOMING_READY;
    return zc_incoming_answer(in);
}

bool zc_incoming_expects_manifest_after(const struct zc_incoming *in)
{
    return in->peer.session.verify == ZC_VERIFY_AFTER && !zc_incoming_shares_memory(in);
}

bool zc_incoming_guest_run(struct zc_incoming *in)
{
    if (zc_incoming_shares_memory(in) && !zc_incoming_unlock_memory(in)) {
        return false; /* and did not run it: the source hears FAIL */
    }
    zc_synthetic_resume(in->guest);
    in->resumed_ns = zc_clock_now_ns();
    in->committed = true;
    set_guest(in, ZCMIG_GUEST_RUNS);
    zc_return_put_u32(in->out, ZC_RETURN_SHUT, 0);
    in->said_shut = true;
    if (zc_incoming_tell(in) < 0) {
        zc_warning("the source went away before it heard that its guest runs here");
    }
    if (zc_incoming_expects_manifest_after(in)) {
        in->phase = ZC_INCOMING_MANIFEST;
        return true;
    }
    return zc_incoming_guest_observe(in);
}

/* ------------------------------------------------------------ while it runs */

/* Until the guest ran for @ms, or the session ends. */
static void let_run(struct zc_incoming *in, int64_t ms)
{
    struct pollfd wake = { .fd = in->session.cause.wake_fd, .events = POLLIN };
    zc_deadline deadline = zc_deadline_after(in->resumed_ns, ms);

    poll(&wake, 1, zc_deadline_poll_ms(deadline, zc_clock_now_ns()));
}

bool zc_incoming_guest_observe(struct zc_incoming *in)
{
    struct zc_extension message = { .type = ZC_EXTENSION_OBSERVED };
    struct zc_synthetic_timeline timeline;

    /* The verdict goes out now, not when the guest has run its time. */
    if (zc_incoming_tell(in) < 0) {
        zc_debug("the source does not wait for the verdict");
    }
    let_run(in, MIN(in->options.run_for_ms, OBSERVE_MS));
    if (zc_cause_is_set(&in->session.cause)) {
        return false;
    }
    zc_synthetic_get_timeline(in->guest, &timeline);
    bool known = zc_synthetic_has_clock_of_before(in->guest);
    message.observed.writes = timeline.writes;
    message.observed.gap_ns = known ? (uint64_t)timeline.move_ns : 0;
    g_mutex_lock(&in->lock);
    in->live.downtime.observed_ns = (int64_t)message.observed.gap_ns;
    g_mutex_unlock(&in->lock);
    zc_incoming_put_extension(in, &message);
    if (zc_incoming_tell(in) < 0) {
        zc_debug("the source does not wait for what the guest noticed");
    }
    in->phase = in->keeps ? ZC_INCOMING_HEARD : ZC_INCOMING_DONE;
    return true;
}

void zc_incoming_guest_settle(struct zc_incoming *in)
{
    struct zcmig_live_stats live = { .checked = false };
    GError *error = NULL;

    if (!in->resumed_ns) {
        return;
    }
    let_run(in, in->options.run_for_ms);
    if ((!zc_guest_check(in->guest, &live, &error) ||
         (zc_incoming_shares_memory(in) && !zc_shared_store_check(in->store, &error))) &&
        !zc_cause_report(&in->session.cause, g_error_copy(error))) {
        zc_warning("%s", error->message);
    }
    g_clear_error(&error);
    g_mutex_lock(&in->lock);
    in->live.checked = live.checked;
    in->live.guest_writes = live.guest_writes;
    in->live.guest_wrong_pages = live.guest_wrong_pages;
    g_mutex_unlock(&in->lock);
}
