/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: peeking leaves a connection readable, so epoll is edge-triggered
 * here: another look is worth it only when something came.
 *
 * Whose is a channel?  Its init packet has the source's UUID, which is all zero
 * for most; so peers are told apart by address or process as well, and sources
 * of the same host by the order in which they come: every source connects its
 * main stream before its channels, so who comes after an unknown connection of
 * that peer may belong to that one.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "relay/lobby.h"
#include "relay/watch.h"

struct guest {
    struct zc_watch watch;
    struct zc_lobby *lobby;
    enum zc_hello hello;
    zc_deadline deadline; /* of the unknown */
    bool gone;            /* freed when the round of events is over */
    struct zc_lobby_taken who;
};

struct zc_lobby {
    struct zc_watch watch;
    int epoll_fd;
    int listen_fd;
    bool by_arrival;
    int64_t patience_ms;
    uint64_t n_came;
    int accept_error;
    GPtrArray *guests; /* in the order they came */
};

static struct guest *guest_at(const struct zc_lobby *lobby, unsigned int i)
{
    return g_ptr_array_index(lobby->guests, i);
}

static void guest_free(gpointer data)
{
    struct guest *guest = data;

    zc_fd_clear(&guest->who.fd);
    g_free(guest);
}

static void turn_away(struct guest *guest, const char *why)
{
    zc_warning("a connection is dropped: %s", why);
    zc_fd_clear(&guest->who.fd);
    guest->gone = true;
}

/* ------------------------------------------------------------------ arriving */

static void identify_peer(int fd, struct zc_lobby_peer *peer)
{
    struct sockaddr_storage address = { 0 };
    socklen_t length = sizeof(address);
    struct ucred process = { 0 };
    socklen_t process_bytes = sizeof(process);

    memset(peer, 0, sizeof(*peer));
    if (getpeername(fd, (struct sockaddr *)&address, &length) < 0) {
        return;
    }
    peer->bytes[0] = (uint8_t)address.ss_family;
    switch (address.ss_family) {
    case AF_INET:
        memcpy(peer->bytes + 1, &((struct sockaddr_in *)&address)->sin_addr, 4);
        break;
    case AF_INET6:
        memcpy(peer->bytes + 1, &((struct sockaddr_in6 *)&address)->sin6_addr, 16);
        break;
    case AF_VSOCK:
        memcpy(peer->bytes + 1, &((struct sockaddr_vm *)&address)->svm_cid, 4);
        break;
    case AF_UNIX:
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &process, &process_bytes) == 0) {
            memcpy(peer->bytes + 1, &process.pid, sizeof(process.pid));
        }
        break;
    default:
        break;
    }
}

/* Looks at what guest has said so far. */
static void look(struct guest *guest)
{
    uint8_t bytes[ZC_HELLO_BYTES];

    for (;;) {
        ssize_t n = recv(guest->who.fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            turn_away(guest, "it ended before it said what it is");
            return;
        }
        guest->hello = zc_hello_classify(bytes, (size_t)n, &guest->who.init);
        if (guest->hello == ZC_HELLO_FOREIGN) {
            turn_away(guest, "it speaks neither QEMU's migration stream nor multifd");
        }
        return;
    }
}

static void on_guest(struct zc_watch *watch, uint32_t events)
{
    struct guest *guest = (struct guest *)watch;

    if (guest->gone) {
        return;
    }
    if (guest->hello == ZC_HELLO_UNKNOWN && !(events & EPOLLERR)) {
        look(guest);
    }
    /* A main stream may have said all it has to say. */
    bool waits = guest->hello != ZC_HELLO_MAIN && (events & EPOLLRDHUP);
    if (!guest->gone && (waits || (events & EPOLLERR))) {
        turn_away(guest, "it hung up before its session began");
    }
}

static void make_room(struct zc_lobby *lobby)
{
    unsigned int n_here = 0;
    struct guest *oldest = NULL;

    for (unsigned int i = lobby->guests->len; i > 0; i--) {
        struct guest *guest = guest_at(lobby, i - 1);
        n_here += !guest->gone;
        if (!guest->gone && (!oldest || guest->hello == ZC_HELLO_UNKNOWN)) {
            oldest = guest;
        }
    }
    if (n_here >= ZC_LOBBY_GUESTS_MAX && oldest) {
        turn_away(oldest, "too many others wait as well");
    }
}

static void on_listener(struct zc_watch *watch, uint32_t events)
{
    struct zc_lobby *lobby = (struct zc_lobby *)watch;
    const int one = 1;

    (void)events;
    for (;;) {
        int fd = accept4(lobby->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            bool transient = errno == EAGAIN || errno == ECONNABORTED || errno == EPROTO;
            if (errno == EINTR) {
                continue;
            }
            lobby->accept_error = transient ? 0 : errno;
            return;
        }
        make_room(lobby);
        struct guest *guest = g_new0(struct guest, 1);
        guest->watch.on_event = on_guest;
        guest->lobby = lobby;
        guest->who.fd = fd;
        guest->who.number = ++lobby->n_came;
        guest->deadline = zc_deadline_in(lobby->patience_ms);
        guest->hello = lobby->by_arrival ? ZC_HELLO_MAIN : ZC_HELLO_UNKNOWN;
        identify_peer(fd, &guest->who.peer);
        /* Fails on what is not TCP, where there is nothing to be delayed. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        g_ptr_array_add(lobby->guests, guest);
        int code = zc_watch_stream(lobby->epoll_fd, fd, &guest->watch);
        if (code < 0) {
            turn_away(guest, g_strerror(-code));
        } else if (!lobby->by_arrival) {
            look(guest);
        }
    }
}

struct zc_lobby *zc_lobby_new(int epoll_fd, int listen_fd, bool by_arrival, int64_t patience_ms,
                              GError **error)
{
    struct zc_lobby *lobby = g_new0(struct zc_lobby, 1);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = &lobby->watch };

    lobby->watch.on_event = on_listener;
    lobby->epoll_fd = epoll_fd;
    lobby->listen_fd = listen_fd;
    lobby->by_arrival = by_arrival;
    lobby->patience_ms = patience_ms;
    lobby->guests = g_ptr_array_new_with_free_func(guest_free);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_CONNECT, errno, "cannot wait for connections");
        zc_lobby_free(lobby);
        return NULL;
    }
    return lobby;
}

void zc_lobby_free(struct zc_lobby *lobby)
{
    if (lobby) {
        g_ptr_array_free(lobby->guests, TRUE);
        g_free(lobby);
    }
}

/* ------------------------------------------------------------------- waiting */

bool zc_lobby_settle(struct zc_lobby *lobby, GError **error)
{
    int64_t now_ns = zc_clock_now_ns();

    for (unsigned int i = 0; i < lobby->guests->len;) {
        struct guest *guest = guest_at(lobby, i);
        if (!guest->gone && guest->hello == ZC_HELLO_UNKNOWN && guest->deadline <= now_ns) {
            turn_away(guest, "it did not say what it is in time");
        }
        if (guest->gone) {
            g_ptr_array_remove_index(lobby->guests, i);
        } else {
            i++;
        }
    }
    if (lobby->accept_error) {
        zc_error_errno(error, ZCMIG_ERROR_CONNECT, lobby->accept_error,
                       "source: cannot accept a connection");
        lobby->accept_error = 0;
        return false;
    }
    return true;
}

zc_deadline zc_lobby_deadline(const struct zc_lobby *lobby)
{
    zc_deadline first = ZC_DEADLINE_NEVER;

    for (unsigned int i = 0; i < lobby->guests->len; i++) {
        const struct guest *guest = guest_at(lobby, i);
        if (!guest->gone && guest->hello == ZC_HELLO_UNKNOWN) {
            first = MIN(first, guest->deadline);
        }
    }
    return first;
}

/* -------------------------------------------------------------------- taking */

/* What comes from now on is the taker's to watch: the guest is freed before the next round. */
static void hand_over(struct guest *guest, struct zc_lobby_taken *taken_out)
{
    epoll_ctl(guest->lobby->epoll_fd, EPOLL_CTL_DEL, guest->who.fd, NULL);
    *taken_out = guest->who;
    guest->who.fd = -1;
    guest->gone = true;
}

bool zc_lobby_take_main(struct zc_lobby *lobby, struct zc_lobby_taken *taken_out)
{
    for (unsigned int i = 0; i < lobby->guests->len; i++) {
        struct guest *guest = guest_at(lobby, i);
        if (!guest->gone && guest->hello == ZC_HELLO_MAIN) {
            hand_over(guest, taken_out);
            return true;
        }
    }
    return false;
}

static bool is_of(const struct guest *guest, const struct zc_lobby_peer *peer)
{
    return !guest->gone && memcmp(&guest->who.peer, peer, sizeof(*peer)) == 0;
}

bool zc_lobby_is_waiting_for(const struct zc_lobby *lobby, const struct zc_lobby_peer *peer)
{
    for (unsigned int i = 0; i < lobby->guests->len; i++) {
        const struct guest *guest = guest_at(lobby, i);
        if (is_of(guest, peer) && guest->hello == ZC_HELLO_UNKNOWN) {
            return true;
        }
    }
    return false;
}

bool zc_lobby_take_channel(struct zc_lobby *lobby, const struct zc_lobby_taken *main,
                           const uint8_t *uuid, const bool *taken_ids, bool late,
                           struct zc_lobby_taken *taken_out)
{
    struct guest *best = NULL;

    for (unsigned int i = 0; i < lobby->guests->len; i++) {
        struct guest *guest = guest_at(lobby, i);
        if (!is_of(guest, &main->peer)) {
            continue;
        }
        bool is_after = guest->who.number > main->number;
        if (guest->hello != ZC_HELLO_CHANNEL) {
            if (late && is_after) {
                break; /* who comes behind this one may be of its session */
            }
            continue;
        }
        if (taken_ids[guest->who.init.channel] ||
            (uuid && memcmp(guest->who.init.uuid, uuid, sizeof(guest->who.init.uuid)) != 0)) {
            continue;
        }
        if (!best || (is_after && best->who.number < main->number)) {
            best = guest;
        }
    }
    if (best) {
        hand_over(best, taken_out);
    }
    return best != NULL;
}
