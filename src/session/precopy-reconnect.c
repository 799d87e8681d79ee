/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A cut connection is survived: --reconnect.
 *
 * Design: what is kept is the guest, its tracker, and the record of what is
 * not known to be placed (send/unplaced.h); everything that has to do with
 * connections is thrown away and made anew, threads included.
 *
 *     cut --> join, close --> lost pages are dirty again, the guest runs on
 *         --> connect, greet, RESUME --> RESUMED
 *                 runs 0: channels, RAM START, iterate, switch over, as ever
 *                 runs 1: the guest is GONE, as if SHUT had come
 *
 * A guest that was paused is not kept waiting for a connection: until RUN was
 * written it is ours, and runs.  Once it was, only the destination knows; it
 * answers on the new connection when it has closed the old one, so a RUN that
 * it has not taken by then it never will.
 *
 * Half of a page may have arrived with the cut.  It was not known to be placed,
 * so it comes again before the guest can be handed over.
 */
#include "config.h"

#include <poll.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/log.h"
#include "session/precopy.h"

#define PAUSE_FIRST_MS 50 /* between attempts; doubled by each */
#define PAUSE_MAX_MS 1000

/* What ends a connection, and nothing else. */
static bool is_cut(const GError *cause)
{
    return zc_error_code(cause) == ZCMIG_ERROR_DISCONNECTED ||
           zc_error_code(cause) == ZCMIG_ERROR_TIMEOUT ||
           zc_error_code(cause) == ZCMIG_ERROR_CONNECT;
}

/* Makes @error the cause, which is set already. */
static void replace(struct zc_outgoing *out, GError *error)
{
    zc_cause_replace(&out->session.cause, error);
}

/* ------------------------------------------------------------- going away */

/* False: the destination said why, or somebody cancelled: that is the end. */
static bool leave(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    GError *reason = zc_outgoing_close_links(out);

    if (reason && out->live.guest == ZCMIG_GUEST_IN_DOUBT) {
        g_clear_error(&reason); /* it came too late to take the guest back */
    }
    if (reason) {
        replace(out, reason);
        return false;
    }
    if (!zc_cause_reset(&out->session.cause)) {
        replace(out, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED, "cancelled"));
        return false;
    }
    return true;
}

/* Nobody else has the guest: it need not wait for us. */
static void go_on_alone(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    uint64_t n_lost = 0;

    if (precopy->unplaced.ram) {
        n_lost = zc_unplaced_lose(&precopy->unplaced, &precopy->harvest);
    }
    zc_precopy_take_back(precopy);
    g_mutex_lock(&out->lock);
    out->live.resent_pages += n_lost;
    g_mutex_unlock(&out->lock);
    zc_debug("%" G_GUINT64_FORMAT " pages are not known to have arrived", n_lost);
}

/* --------------------------------------------------------------- coming back */

static bool say_resume(struct zc_outgoing *out, uint8_t token[static 16],
                       struct zc_extension *resumed_out, int64_t *when_ns_out)
{
    struct zc_extension resume = { .type = ZC_EXTENSION_RESUME };
    GError *error = NULL;

    if (getrandom(token, 16, 0) != 16) {
        zc_outgoing_fail(out, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_FAILED, "no random numbers"));
        return false;
    }
    memcpy(resume.resume.uuid, out->uuid, sizeof(resume.resume.uuid));
    memcpy(resume.resume.secret, out->secret, sizeof(resume.resume.secret));
    memcpy(resume.resume.token, token, sizeof(resume.resume.token));
    zc_outgoing_put_extension(out, &resume);
    *when_ns_out = zc_outgoing_flush(out)
                       ? zc_return_path_wait_extension(out->return_path, ZC_EXTENSION_RESUMED,
                                                       zc_outgoing_stall_deadline(out), resumed_out)
                       : 0;
    if (*when_ns_out && resumed_out->resumed.barriers < out->n_barriers) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "the destination goes on after %" G_GUINT64_FORMAT
                 " barriers, and had passed %" G_GUINT64_FORMAT,
                 resumed_out->resumed.barriers, out->n_barriers);
        zc_outgoing_fail(out, error);
        return false;
    }
    return *when_ns_out != 0;
}

/* The guest runs there, since @resumed says so at @when_ns. */
static bool is_gone(struct zc_precopy *precopy, const struct zc_extension *resumed, int64_t when_ns)
{
    if (precopy->out->live.guest == ZCMIG_GUEST_RUNS) {
        zc_outgoing_fail(precopy->out,
                         g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_PROTOCOL,
                                     "the destination says that it runs the guest, which was not "
                                     "given away"));
        return false;
    }
    if (precopy->out->live.guest == ZCMIG_GUEST_IN_DOUBT) {
        zc_precopy_set_guest(precopy, ZCMIG_GUEST_GONE);
        zc_precopy_finish_downtime(precopy, when_ns - (int64_t)resumed->resumed.ran_ns);
    }
    return true;
}

/* It does not run there and never will by what was said before: all goes on from RAM START. */
static bool begin_again(struct zc_precopy *precopy, const uint8_t token[static 16],
                        zc_deadline deadline)
{
    struct zc_outgoing *out = precopy->out;

    if (out->live.guest == ZCMIG_GUEST_GONE) {
        zc_outgoing_fail(out, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_PROTOCOL,
                                          "the destination does not run the guest any more that "
                                          "it was given"));
        return false;
    }
    if (out->live.guest == ZCMIG_GUEST_IN_DOUBT) {
        zc_precopy_set_guest(precopy, ZCMIG_GUEST_PAUSED);
        go_on_alone(precopy);
    }
    return zc_outgoing_connect_channels(out, token, deadline) && zc_outgoing_start_sending(out) &&
           zc_precopy_start_ram(precopy);
}

static bool attempt(struct zc_precopy *precopy, zc_deadline deadline)
{
    struct zc_outgoing *out = precopy->out;
    struct zc_extension resumed;
    uint8_t token[16];
    int64_t when_ns;

    if (!zc_outgoing_connect_main(out, deadline) || !zc_outgoing_start_listening(out) ||
        !zc_outgoing_hello(out) || !say_resume(out, token, &resumed, &when_ns)) {
        return false;
    }
    return resumed.resumed.runs ? is_gone(precopy, &resumed, when_ns)
                                : begin_again(precopy, token, deadline);
}

/* Until @deadline, or the end.  False: the cause is set. */
static bool try(struct zc_precopy *precopy, zc_deadline deadline)
{
    struct zc_outgoing *out = precopy->out;
    struct pollfd wake = { .fd = out->session.cause.wake_fd, .events = POLLIN };
    int pause_ms = PAUSE_FIRST_MS;

    while (!attempt(precopy, deadline)) {
        g_autoptr(GError) cause = zc_cause_copy(&out->session.cause);
        if (!is_cut(cause) || zc_clock_now_ns() >= deadline || !leave(precopy)) {
            return false;
        }
        zc_debug("not yet connected again: %s", cause->message);
        poll(&wake, 1, pause_ms);
        pause_ms = MIN(2 * pause_ms, PAUSE_MAX_MS);
    }
    return true;
}

/* What it was, and that waiting did not help. */
static void report_failure(struct zc_outgoing *out, const GError *cut)
{
    g_autoptr(GError) last = zc_cause_copy(&out->session.cause);

    if (out->live.guest == ZCMIG_GUEST_IN_DOUBT || is_cut(last)) {
        replace(out,
                g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED,
                            "%s; and it could not be connected again for %.1f s: %s", cut->message,
                            (double)out->options.reconnect_ms / 1000, last->message));
    }
}

bool zc_precopy_reconnect(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    g_autoptr(GError) cut = zc_cause_copy(&out->session.cause);
    int64_t begin_ns = zc_clock_now_ns();

    if (!out->keeps || !precopy->started || precopy->gave_up || !cut || !is_cut(cut) ||
        !leave(precopy)) {
        return false;
    }
    zc_warning("%s; connecting again", cut->message);
    zc_session_set_state(&out->session, ZCMIG_STATE_RECONNECTING);
    if (out->live.guest == ZCMIG_GUEST_RUNS || out->live.guest == ZCMIG_GUEST_PAUSED) {
        go_on_alone(precopy);
    }
    bool ok = try(precopy, zc_deadline_in(out->options.reconnect_ms));
    g_mutex_lock(&out->lock);
    out->live.reconnecting_ns += zc_clock_now_ns() - begin_ns;
    out->live.reconnects += ok;
    g_mutex_unlock(&out->lock);
    if (!ok) {
        report_failure(out, cut);
    } else if (out->live.guest != ZCMIG_GUEST_GONE) {
        zc_session_set_state(&out->session, ZCMIG_STATE_ACTIVE);
    }
    return ok;
}
