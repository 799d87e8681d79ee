/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "session/session.h"

const char *zcmig_version(void)
{
    return PACKAGE_VERSION;
}

const char *zcmig_state_name(enum zcmig_state state)
{
    static const char *const names[] = {
        [ZCMIG_STATE_SETUP] = "setup",
        [ZCMIG_STATE_ACTIVE] = "active",
        [ZCMIG_STATE_VERIFYING] = "verifying",
        [ZCMIG_STATE_COMPLETED] = "completed",
        [ZCMIG_STATE_FAILED] = "failed",
        [ZCMIG_STATE_CANCELLED] = "cancelled",
        [ZCMIG_STATE_RECONNECTING] = "reconnecting",
    };

    return (unsigned int)state < G_N_ELEMENTS(names) ? names[state] : "unknown";
}

const char *zcmig_guest_place_name(enum zcmig_guest_place place)
{
    static const char *const names[] = {
        [ZCMIG_GUEST_NONE] = "none",         [ZCMIG_GUEST_RUNS] = "runs",
        [ZCMIG_GUEST_PAUSED] = "paused",     [ZCMIG_GUEST_GONE] = "gone",
        [ZCMIG_GUEST_IN_DOUBT] = "in-doubt",
    };

    return (unsigned int)place < G_N_ELEMENTS(names) ? names[place] : "unknown";
}

const char *zcmig_route_name(enum zcmig_route route)
{
    static const char *const names[] = {
        [ZCMIG_ROUTE_SOCKET] = "socket",
        [ZCMIG_ROUTE_PULL] = "pull",
        [ZCMIG_ROUTE_MEMFD] = "memfd",
    };

    return (unsigned int)route < G_N_ELEMENTS(names) ? names[route] : "unknown";
}

bool zc_session_init(zcmig_session *session, const struct zc_session_ops *ops, GError **error)
{
    session->ops = ops;
    if (!zc_cause_init(&session->cause, error)) {
        return false;
    }
    session->mismatches = g_array_new(FALSE, FALSE, sizeof(struct zc_mismatch));
    return true;
}

void zc_session_clear(zcmig_session *session)
{
    zc_cause_clear(&session->cause);
    g_array_unref(session->mismatches);
    g_free(session->public_mismatches);
    g_free(session->address);
}

bool zc_session_parse_uuid(const char *text, uint8_t uuid_out[16], GError **error)
{
    g_autofree char *random = text ? NULL : g_uuid_string_random();
    const char *at = text ? text : random;

    if (!g_uuid_string_is_valid(at)) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "uuid: got '%s', allowed is xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", at);
    }
    for (unsigned int i = 0; i < 16; i++) {
        at += *at == '-';
        uuid_out[i] = (uint8_t)(g_ascii_xdigit_value(at[0]) << 4 | g_ascii_xdigit_value(at[1]));
        at += 2;
    }
    return true;
}

/* The arrows of the drawing in session.h. */
static bool may_follow(enum zcmig_state from, enum zcmig_state to)
{
    switch (to) {
    case ZCMIG_STATE_ACTIVE:
        return from == ZCMIG_STATE_SETUP || from == ZCMIG_STATE_RECONNECTING;
    case ZCMIG_STATE_VERIFYING:
        return from == ZCMIG_STATE_ACTIVE || from == ZCMIG_STATE_RECONNECTING;
    case ZCMIG_STATE_RECONNECTING:
        return from == ZCMIG_STATE_ACTIVE || from == ZCMIG_STATE_VERIFYING;
    case ZCMIG_STATE_COMPLETED:
        return from == ZCMIG_STATE_ACTIVE || from == ZCMIG_STATE_VERIFYING ||
               from == ZCMIG_STATE_RECONNECTING;
    case ZCMIG_STATE_FAILED:
    case ZCMIG_STATE_CANCELLED:
        return from <= ZCMIG_STATE_VERIFYING || from == ZCMIG_STATE_RECONNECTING;
    default:
        return false;
    }
}

void zc_session_set_state(zcmig_session *session, enum zcmig_state state)
{
    enum zcmig_state from = (enum zcmig_state)atomic_load(&session->state);

    g_assert(may_follow(from, state));
    atomic_store(&session->state, (int)state);
    if (from == ZCMIG_STATE_SETUP && state == ZCMIG_STATE_ACTIVE) {
        atomic_store(&session->active_ns, zc_clock_now_ns());
    }
    zc_info("%s -> %s", zcmig_state_name(from), zcmig_state_name(state));
}

bool zc_session_finish(zcmig_session *session, GError **error)
{
    GError *cause = zc_cause_copy(&session->cause);

    atomic_store(&session->ended_ns, zc_clock_now_ns());
    if (!cause) {
        zc_session_set_state(session, ZCMIG_STATE_COMPLETED);
        return true;
    }
    zc_session_set_state(session, zc_error_code(cause) == ZCMIG_ERROR_CANCELLED
                                      ? ZCMIG_STATE_CANCELLED
                                      : ZCMIG_STATE_FAILED);
    g_propagate_error(error, cause);
    return false;
}

const char *zcmig_session_get_address(zcmig_session *session)
{
    return session->address;
}

bool zcmig_session_run(zcmig_session *session, GError **error)
{
    g_return_val_if_fail(atomic_load(&session->started_ns) == 0, false);
    atomic_store(&session->started_ns, zc_clock_now_ns());
    return session->ops->run(session, error);
}

void zcmig_session_cancel(zcmig_session *session)
{
    zc_cause_cancel(&session->cause);
}

void zcmig_session_free(zcmig_session *session)
{
    if (session) {
        session->ops->free(session);
    }
}

/* From @from to @to, or to the end of the session, or to now; 0 when @from is not reached yet. */
static int64_t stretch(int64_t from, int64_t to, int64_t ended)
{
    if (!from) {
        return 0;
    }
    return (to ? to : ended ? ended : zc_clock_now_ns()) - from;
}

void zcmig_session_get_stats(zcmig_session *session, struct zcmig_stats *stats)
{
    int64_t started = atomic_load(&session->started_ns);
    int64_t active = atomic_load(&session->active_ns);
    int64_t transferred = atomic_load(&session->transferred_ns);
    int64_t ended = atomic_load(&session->ended_ns);

    *stats = (struct zcmig_stats){
        .state = (enum zcmig_state)atomic_load(&session->state),
        .total_bytes = atomic_load(&session->total_bytes),
        .setup_ns = stretch(started, active, ended),
        .transfer_ns = stretch(active, transferred, ended),
        .verify_ns = stretch(transferred, 0, ended),
        .cpu_ns = atomic_load(&session->cpu_ns),
        .verified_pages = atomic_load(&session->verified_pages),
        .mismatched_pages = atomic_load(&session->mismatched_pages),
        .peer_is_zcmig = atomic_load(&session->peer_is_zcmig),
        .route = (enum zcmig_route)atomic_load(&session->route),
        .same_memory = atomic_load(&session->same_memory),
    };
    session->ops->get_stats(session, stats);
}

const struct zcmig_mismatch *zcmig_session_get_mismatches(zcmig_session *session,
                                                          unsigned int *n_out)
{
    unsigned int n = session->mismatches->len;

    if (!session->public_mismatches) {
        session->public_mismatches = g_new0(struct zcmig_mismatch, n + 1);
        for (unsigned int i = 0; i < n; i++) {
            const struct zc_mismatch *run =
                &g_array_index(session->mismatches, struct zc_mismatch, i);
            session->public_mismatches[i] = (struct zcmig_mismatch){
                .kind = (enum zcmig_mismatch_kind)run->kind,
                .block = run->block,
                .offset = run->first_page * ZC_PAGE_BYTES,
                .n_pages = run->n_pages,
            };
        }
    }
    *n_out = n;
    return session->public_mismatches;
}
