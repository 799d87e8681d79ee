/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: one thread, one epoll descriptor.  A splice only moves references, so one
 * thread keeps up with many channels, and there is nothing to lock.  Figures for
 * other threads are copies that are made ten times a second.
 *
 * Sessions come one after the other.  Who comes while one is relayed waits in the
 * lobby, so that the connections of two sources never mix.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/cause.h"
#include "base/error.h"
#include "base/fd.h"
#include "relay/relay-session.h"

#define BACKLOG 128
#define EVENTS_MAX 64
#define PATIENCE_MS 10000 /* for a connection to say what it is */
#define PUBLISH_NS (100 * ZC_NS_PER_MS)
#define BUFFER_BYTES_DEFAULT (8u << 20)

struct zcmig_relay {
    /* set before start */
    struct zcmig_relay_options options;
    char *listen;
    char *destination_uri;
    char *manifest;
    char *address;
    struct zc_addr source, destination;
    int listen_fd; /* -1: the source is a descriptor */
    int epoll_fd;
    struct zc_cause cause;
    struct zc_watch wake;
    struct zc_lobby *lobby;
    /* the relay's thread only */
    struct zc_relay_session session;
    bool has_session;
    struct zcmig_relay_stats stats;
    int64_t begun_ns, main_ns, cpu_ns;
    int64_t published_ns;
    /* under lock */
    GMutex lock;
    struct zcmig_relay_stats published;
};

void zcmig_relay_options_init(struct zcmig_relay_options *options)
{
    *options = (struct zcmig_relay_options){
        .splice = true,
        .buffer_bytes = BUFFER_BYTES_DEFAULT,
        .accept_timeout_ms = -1,
        .connect_timeout_ms = 10000,
        .stall_timeout_ms = 30000,
    };
}

/* ------------------------------------------------------------------- making */

static void on_wake(struct zc_watch *watch, uint32_t events)
{
    (void)watch; /* the loop looks at the cause */
    (void)events;
}

static bool check_addresses(const zcmig_relay *relay, GError **error)
{
    if (relay->source.kind == ZC_ADDR_NULL || relay->destination.kind == ZC_ADDR_NULL) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "'null:' is no address to relay %s",
                        relay->source.kind == ZC_ADDR_NULL ? "from" : "to");
    }
    return true;
}

static bool set_up(zcmig_relay *relay, GError **error)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = &relay->wake };
    const struct zcmig_relay_options *options = &relay->options;

    relay->wake.on_event = on_wake;
    relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (relay->epoll_fd < 0 ||
        epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, relay->cause.wake_fd, &event) < 0) {
        return zc_error_errno(error, ZCMIG_ERROR_FAILED, errno, "cannot wait for events");
    }
    if (!zc_addr_parse(relay->listen, &relay->source, error) ||
        !zc_addr_parse(relay->destination_uri, &relay->destination, error) ||
        !check_addresses(relay, error)) {
        return false;
    }
    if (relay->source.kind == ZC_ADDR_FD) {
        relay->address = zc_addr_format(&relay->source);
        return true;
    }
    relay->listen_fd = zc_addr_listen(&relay->source, BACKLOG, options->allow_wildcard,
                                      &relay->address, error);
    if (relay->listen_fd < 0) {
        return false;
    }
    relay->lobby = zc_lobby_new(relay->epoll_fd, relay->listen_fd,
                                options->order == ZCMIG_RELAY_ARRIVAL, PATIENCE_MS, error);
    return relay->lobby != NULL;
}

zcmig_relay *zcmig_relay_new(const struct zcmig_relay_options *options, GError **error)
{
    zcmig_relay *relay = g_new0(zcmig_relay, 1);

    if (!zc_cause_init(&relay->cause, error)) {
        g_free(relay);
        return NULL;
    }
    g_mutex_init(&relay->lock);
    relay->options = *options;
    relay->listen = g_strdup(options->listen);
    relay->destination_uri = g_strdup(options->destination);
    relay->options.manifest = relay->manifest = g_strdup(options->manifest);
    relay->listen_fd = relay->epoll_fd = -1;
    if (!set_up(relay, error)) {
        zcmig_relay_free(relay);
        return NULL;
    }
    return relay;
}

void zcmig_relay_free(zcmig_relay *relay)
{
    if (!relay) {
        return;
    }
    zc_relay_session_clear(&relay->session);
    zc_lobby_free(relay->lobby);
    zc_addr_unlisten(&relay->source, relay->listen_fd);
    zc_fd_clear(&relay->epoll_fd);
    zc_addr_clear(&relay->source);
    zc_addr_clear(&relay->destination);
    zc_cause_clear(&relay->cause);
    g_mutex_clear(&relay->lock);
    g_free(relay->listen);
    g_free(relay->destination_uri);
    g_free(relay->manifest);
    g_free(relay->address);
    g_free(relay);
}

const char *zcmig_relay_get_address(const zcmig_relay *relay)
{
    return relay->address;
}

void zcmig_relay_cancel(zcmig_relay *relay)
{
    zc_cause_cancel(&relay->cause);
}

/* ------------------------------------------------------------------ figures */

static void publish(zcmig_relay *relay, int64_t now_ns)
{
    struct zcmig_relay_stats *stats = &relay->stats;

    stats->wait_ns = (relay->main_ns ? relay->main_ns : now_ns) - relay->begun_ns;
    stats->transfer_ns = relay->main_ns ? now_ns - relay->main_ns : 0;
    stats->cpu_ns = zc_clock_thread_cpu_ns() - relay->cpu_ns;
    if (relay->has_session) {
        zc_relay_session_fill_stats(&relay->session, stats);
    }
    g_mutex_lock(&relay->lock);
    relay->published = *stats;
    g_mutex_unlock(&relay->lock);
    relay->published_ns = now_ns;
}

void zcmig_relay_get_stats(zcmig_relay *relay, struct zcmig_relay_stats *stats)
{
    g_mutex_lock(&relay->lock);
    *stats = relay->published;
    g_mutex_unlock(&relay->lock);
}

/* ------------------------------------------------------------------ the loop */

/* Waits until something happens, but not beyond @deadline, and deals with it. */
static bool step(zcmig_relay *relay, zc_deadline deadline, GError **error)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t now_ns = zc_clock_now_ns();

    if (relay->has_session) { /* so that the last figures before a silence are seen */
        deadline = MIN(deadline, relay->published_ns + PUBLISH_NS);
    }
    if (relay->lobby) {
        deadline = MIN(deadline, zc_lobby_deadline(relay->lobby));
    }
    int n = epoll_wait(relay->epoll_fd, events, EVENTS_MAX, zc_deadline_poll_ms(deadline, now_ns));
    if (n < 0 && errno != EINTR) {
        return zc_error_errno(error, ZCMIG_ERROR_FAILED, errno, "cannot wait for events");
    }
    for (int i = 0; i < n; i++) {
        struct zc_watch *watch = events[i].data.ptr;
        watch->on_event(watch, events[i].events);
    }
    if (zc_cause_is_set(&relay->cause)) {
        return zc_error(error, ZCMIG_ERROR_CANCELLED, "cancelled");
    }
    now_ns = zc_clock_now_ns();
    if (relay->published_ns + PUBLISH_NS <= now_ns) {
        publish(relay, now_ns);
    }
    return !relay->lobby || zc_lobby_settle(relay->lobby, error);
}

static bool wait_main(zcmig_relay *relay, struct zc_lobby_taken *main_out, GError **error)
{
    zc_deadline deadline = zc_deadline_in(relay->options.accept_timeout_ms);

    if (!relay->lobby) {
        memset(main_out, 0, sizeof(*main_out));
        main_out->fd = zc_addr_connect(&relay->source, deadline, relay->cause.wake_fd, error);
        g_prefix_error(error, "source: ");
        return main_out->fd >= 0;
    }
    while (!zc_lobby_take_main(relay->lobby, main_out)) {
        if (zc_clock_now_ns() >= deadline) {
            return zc_error(error, ZCMIG_ERROR_TIMEOUT,
                            "source: did not connect for %" G_GINT64_FORMAT " ms",
                            relay->options.accept_timeout_ms);
        }
        if (!step(relay, deadline, error)) {
            return false;
        }
    }
    return true;
}

static bool run_session(zcmig_relay *relay, GError **error)
{
    struct zc_relay_session *session = &relay->session;

    while (!zc_relay_session_is_gathered(session)) {
        if (!step(relay, zc_lobby_deadline(relay->lobby), error)) {
            return false;
        }
    }
    if (!zc_relay_session_start(session, error)) {
        return false;
    }
    while (zc_relay_session_turn(session, error)) {
        if (zc_relay_session_is_over(session)) {
            return true;
        }
        if (!step(relay, zc_relay_session_is_ready(session) ? 0 : zc_relay_session_deadline(session),
                  error)) {
            return false;
        }
    }
    return false;
}

/* From the first byte of the main stream to the manifest. */
static bool relay_session(zcmig_relay *relay, const struct zc_lobby_taken *main, GError **error)
{
    struct zc_relay_session *session = &relay->session;

    *session = (struct zc_relay_session){
        .options = &relay->options,
        .destination = &relay->destination,
        .epoll_fd = relay->epoll_fd,
        .wake_fd = relay->cause.wake_fd,
        .lobby = relay->lobby,
    };
    zc_relay_session_init(session, main);
    relay->has_session = true;
    relay->main_ns = zc_clock_now_ns();
    relay->stats.state = ZCMIG_STATE_ACTIVE;
    bool ok = run_session(relay, error);
    if (!ok) {
        zc_relay_session_break_off(session);
    }
    if (ok && session->tap) {
        ok = zc_tap_save(session->tap, relay->manifest, error);
    }
    return ok;
}

bool zcmig_relay_run(zcmig_relay *relay, GError **error)
{
    struct zc_lobby_taken main;
    GError *own = NULL;

    relay->stats = (struct zcmig_relay_stats){ .session = relay->stats.session + 1 };
    relay->begun_ns = zc_clock_now_ns();
    relay->cpu_ns = zc_clock_thread_cpu_ns();
    relay->main_ns = 0;
    publish(relay, relay->begun_ns);
    bool ok = wait_main(relay, &main, &own);
    if (ok) {
        relay->cpu_ns = zc_clock_thread_cpu_ns();
        ok = relay_session(relay, &main, &own);
    }
    relay->stats.state = ok ? ZCMIG_STATE_COMPLETED
                         : g_error_matches(own, ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED)
                             ? ZCMIG_STATE_CANCELLED
                             : ZCMIG_STATE_FAILED;
    publish(relay, zc_clock_now_ns());
    relay->has_session = false;
    zc_relay_session_clear(&relay->session);
    if (own) {
        g_propagate_error(error, own);
    }
    return ok;
}
