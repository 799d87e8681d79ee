/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "relay/relay-session.h"

#define RAM_BYTES_MAX (UINT64_C(1) << 44) /* that a manifest is made of */
#define WHY_TAPPED "a manifest was asked for"
#define WHY_ASKED "copying was asked for"

static struct zc_link *link_at(const struct zc_relay_session *session, unsigned int i)
{
    return g_ptr_array_index(session->links, i);
}

void zc_relay_session_init(struct zc_relay_session *session, const struct zc_lobby_taken *main)
{
    session->main = *main;
    session->links = g_ptr_array_new_with_free_func((GDestroyNotify)zc_link_free);
    session->moved_ns = zc_clock_now_ns();
    if (session->options->manifest) {
        session->tap = zc_tap_new(RAM_BYTES_MAX);
    }
}

void zc_relay_session_clear(struct zc_relay_session *session)
{
    zc_fd_clear(&session->main.fd);
    g_clear_pointer(&session->links, g_ptr_array_unref);
    g_clear_pointer(&session->tap, zc_tap_free);
}

bool zc_relay_session_is_gathered(const struct zc_relay_session *session)
{
    return !session->lobby || !zc_lobby_is_waiting_for(session->lobby, &session->main.peer);
}

/* ---------------------------------------------------------------- connecting */

static bool connect_link(struct zc_relay_session *session, int channel, int *source_fd,
                         GError **error)
{
    const struct zcmig_relay_options *options = session->options;
    const char *why_copied = session->tap ? WHY_TAPPED : options->splice ? "" : WHY_ASKED;
    int fd = -1;

    if (session->links->len == ZCMIG_RELAY_CONNECTIONS_MAX) {
        return zc_error(error, ZCMIG_ERROR_LIMIT, "source: got more connections than the %d allowed",
                        ZCMIG_RELAY_CONNECTIONS_MAX);
    }
    if (channel != ZC_LINK_MAIN && session->destination->kind == ZC_ADDR_FD) {
        zc_error(error, ZCMIG_ERROR_USAGE,
                 "destination: fd:%d takes a main stream, and the source has channels",
                 session->destination->fd);
    } else {
        fd = zc_addr_connect(session->destination, zc_deadline_in(options->connect_timeout_ms),
                             session->wake_fd, error);
        g_prefix_error(error, "destination: ");
    }
    if (fd < 0) {
        return false;
    }
    struct zc_link *link = zc_link_new(session->epoll_fd, channel, *source_fd, fd, why_copied,
                                       options->buffer_bytes, error);
    *source_fd = -1;
    if (!link) {
        return false;
    }
    if (session->tap) {
        struct zc_flow *flow = &link->flows[ZC_LINK_SOURCE];
        flow->tap = zc_tap_take;
        flow->tap_data = channel == ZC_LINK_MAIN ? zc_tap_add_main(session->tap)
                                                 : zc_tap_add_channel(session->tap);
        flow->paused = channel != ZC_LINK_MAIN && !zc_tap_is_ready(session->tap);
    }
    g_ptr_array_add(session->links, link);
    return true;
}

static bool take_channel(struct zc_relay_session *session, bool late,
                         struct zc_lobby_taken *taken_out)
{
    const uint8_t *uuid = session->has_uuid ? session->uuid : NULL;

    if (!session->lobby || !zc_lobby_take_channel(session->lobby, &session->main, uuid,
                                                  session->ids, late, taken_out)) {
        return false;
    }
    session->ids[taken_out->init.channel] = true;
    session->has_uuid = true;
    memcpy(session->uuid, taken_out->init.uuid, sizeof(session->uuid));
    return true;
}

bool zc_relay_session_start(struct zc_relay_session *session, GError **error)
{
    struct zc_lobby_taken taken;
    int fds[256];
    bool ok = connect_link(session, ZC_LINK_MAIN, &session->main.fd, error);

    memset(fds, -1, sizeof(fds));
    while (ok && session->options->order == ZCMIG_RELAY_MAIN_FIRST &&
           take_channel(session, false, &taken)) {
        fds[taken.init.channel] = taken.fd;
    }
    for (unsigned int id = 0; id < G_N_ELEMENTS(fds); id++) {
        if (fds[id] >= 0) {
            ok = ok && connect_link(session, (int)id, &fds[id], error);
            zc_fd_clear(&fds[id]);
        }
    }
    session->moved_ns = zc_clock_now_ns();
    return ok;
}

static bool take_late(struct zc_relay_session *session, GError **error)
{
    const bool by_arrival = session->options->order == ZCMIG_RELAY_ARRIVAL;
    struct zc_lobby_taken taken;
    bool ok = true;

    while (ok && session->lobby &&
           (by_arrival ? zc_lobby_take_main(session->lobby, &taken)
                       : take_channel(session, true, &taken))) {
        int id = by_arrival ? (int)session->links->len - 1 : taken.init.channel;
        ok = connect_link(session, id, &taken.fd, error);
        zc_fd_clear(&taken.fd);
    }
    return ok;
}

/* -------------------------------------------------------------------- moving */

/* Once the main stream has named the blocks, the channels may be read. */
static void unpause(struct zc_relay_session *session)
{
    for (unsigned int i = 1; session->tap && i < session->links->len; i++) {
        struct zc_link *link = link_at(session, i);
        if (link->flows[ZC_LINK_SOURCE].paused && zc_tap_is_ready(session->tap)) {
            link->flows[ZC_LINK_SOURCE].paused = false;
            link->ready = true;
        }
    }
}

/* Says which end it is that everybody waits for. */
static bool fail_stalled(const struct zc_relay_session *session, GError **error)
{
    const char *guilty = "source: sent nothing";
    uint64_t waiting_bytes = 0;

    for (unsigned int i = 0; i < session->links->len; i++) {
        const struct zc_link *link = link_at(session, i);
        for (unsigned int end = 0; end < ZC_LINK_N_ENDS; end++) {
            size_t held = zc_flow_held(&link->flows[end]);
            if (held) {
                guilty = end == ZC_LINK_SOURCE ? "destination: took nothing"
                                               : "source: took nothing";
                waiting_bytes += held;
            }
        }
        if (!waiting_bytes && link->flows[ZC_LINK_SOURCE].shut && !link->done) {
            guilty = "destination: did not end a connection that the source had ended";
        }
    }
    return zc_error(error, ZCMIG_ERROR_TIMEOUT,
                    "%s for %" G_GINT64_FORMAT " ms (%" G_GUINT64_FORMAT " bytes wait here)", guilty,
                    session->options->stall_timeout_ms, waiting_bytes);
}

static zc_deadline stall_deadline(const struct zc_relay_session *session)
{
    return zc_deadline_after(session->moved_ns, session->options->stall_timeout_ms);
}

bool zc_relay_session_turn(struct zc_relay_session *session, GError **error)
{
    ssize_t moved = 0;

    if (!take_late(session, error)) {
        return false;
    }
    for (unsigned int i = 0; i < session->links->len; i++) {
        struct zc_link *link = link_at(session, i);
        if (!link->done && (link->ready || zc_link_due_ns(link))) {
            ssize_t n = zc_link_move(link, error);
            if (n < 0) {
                return false;
            }
            moved += n;
            unpause(session);
        }
    }
    int64_t now_ns = zc_clock_now_ns();
    if (moved) {
        session->moved_ns = now_ns;
    } else if (stall_deadline(session) <= now_ns && !zc_relay_session_is_over(session)) {
        return fail_stalled(session, error);
    }
    return true;
}

bool zc_relay_session_is_over(const struct zc_relay_session *session)
{
    for (unsigned int i = 0; i < session->links->len; i++) {
        if (!link_at(session, i)->done) {
            return false;
        }
    }
    return true;
}

bool zc_relay_session_is_ready(const struct zc_relay_session *session)
{
    for (unsigned int i = 0; i < session->links->len; i++) {
        if (link_at(session, i)->ready) {
            return true;
        }
    }
    return false;
}

zc_deadline zc_relay_session_deadline(const struct zc_relay_session *session)
{
    zc_deadline deadline = stall_deadline(session);

    for (unsigned int i = 0; i < session->links->len; i++) {
        const struct zc_link *link = link_at(session, i);
        int64_t due_ns = link->done ? 0 : zc_link_due_ns(link);
        deadline = due_ns ? MIN(deadline, due_ns) : deadline;
    }
    return deadline;
}

void zc_relay_session_break_off(struct zc_relay_session *session)
{
    for (unsigned int i = 0; i < session->links->len; i++) {
        zc_link_reset(link_at(session, i));
    }
}

/* ------------------------------------------------------------------- figures */

void zc_relay_session_fill_stats(const struct zc_relay_session *session,
                                 struct zcmig_relay_stats *stats)
{
    stats->n_connections = session->links->len;
    stats->bytes = stats->return_bytes = stats->spliced_bytes = stats->copied_bytes = 0;
    for (unsigned int i = 0; i < session->links->len; i++) {
        const struct zc_link *link = link_at(session, i);
        const struct zc_flow *there = &link->flows[ZC_LINK_SOURCE];
        const struct zc_flow *back = &link->flows[ZC_LINK_DESTINATION];
        struct zcmig_relay_connection *connection = &stats->connections[i];
        *connection = (struct zcmig_relay_connection){
            .channel = link->channel,
            .ended = there->shut && back->shut,
            .bytes = there->bytes,
            .return_bytes = back->bytes,
            .spliced_bytes = there->spliced_bytes + back->spliced_bytes,
            .copied_bytes = there->copied_bytes + back->copied_bytes,
            .lost_bytes = back->lost_bytes,
            .calls = there->calls + back->calls,
            .why_copied = *there->why_copied ? there->why_copied : back->why_copied,
        };
        stats->bytes += connection->bytes;
        stats->return_bytes += connection->return_bytes;
        stats->spliced_bytes += connection->spliced_bytes;
        stats->copied_bytes += connection->copied_bytes;
    }
    stats->manifest_pages = session->tap ? zc_tap_pages(session->tap) : 0;
}
