/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: one poll(2) over the listener, the wake descriptor, the main stream
 * and every unknown connection; each of those reads only its own few bytes.
 * They are read and not peeked at, because a connection that sent three bytes
 * of four would stay readable and make poll spin.
 *
 * Channels are judged when they are asked for, not when they come: by then the
 * main stream may have said which session this is.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "recv/acceptor.h"
#include "wire/multifd.h"

#define MAGIC_BYTES ZC_ACCEPTOR_MAIN_BYTES

static const uint8_t main_magic[MAGIC_BYTES] = { 'Q', 'E', 'V', 'M' };
static const uint8_t multifd_magic[MAGIC_BYTES] = { 0x11, 0x22, 0x33, 0x44 };
static const uint8_t tls_record[] = { 22, 3 }; /* a handshake, of any version: RFC 8446, 5.1 */

struct pending {
    int fd;
    zc_deadline deadline;
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES];
    size_t have;
};

struct held {
    int fd;
    struct zc_multifd_init init;
};

struct zc_acceptor {
    int listen_fd;
    struct zc_stall *stall;
    int64_t patience_ms;
    int main_fd; /* until it is handed out */
    bool has_main;
    struct pending pending[ZC_ACCEPTOR_PENDING_MAX]; /* oldest first */
    unsigned int n_pending;
    struct held held[ZC_ACCEPTOR_HELD_MAX]; /* in the order they came */
    unsigned int n_held;
    bool has_uuid;
    uint8_t uuid[16];
};

struct zc_acceptor *zc_acceptor_new(int listen_fd, struct zc_stall *stall, int64_t patience_ms)
{
    struct zc_acceptor *acceptor = g_new0(struct zc_acceptor, 1);

    acceptor->listen_fd = listen_fd;
    acceptor->stall = stall;
    acceptor->patience_ms = patience_ms;
    acceptor->main_fd = -1;
    return acceptor;
}

void zc_acceptor_free(struct zc_acceptor *acceptor)
{
    if (!acceptor) {
        return;
    }
    for (unsigned int i = 0; i < acceptor->n_pending; i++) {
        zc_fd_clear(&acceptor->pending[i].fd);
    }
    for (unsigned int i = 0; i < acceptor->n_held; i++) {
        zc_fd_clear(&acceptor->held[i].fd);
    }
    zc_fd_clear(&acceptor->main_fd);
    g_free(acceptor);
}

void zc_acceptor_again(struct zc_acceptor *acceptor)
{
    zc_fd_clear(&acceptor->main_fd);
    acceptor->has_main = false;
    acceptor->has_uuid = false;
}

/* ---------------------------------------------------------- one connection */

static void forget_pending(struct zc_acceptor *acceptor, unsigned int i)
{
    acceptor->n_pending--;
    memmove(&acceptor->pending[i], &acceptor->pending[i + 1],
            (acceptor->n_pending - i) * sizeof(acceptor->pending[0]));
}

static void drop_pending(struct zc_acceptor *acceptor, unsigned int i, const char *why)
{
    zc_warning("a connection is dropped: %s", why);
    zc_fd_clear(&acceptor->pending[i].fd);
    forget_pending(acceptor, i);
}

/* Accepts one connection: 1, 0 when there is none, or -errno. */
static int accept_one(struct zc_acceptor *acceptor)
{
    const struct zc_net *net = acceptor->stall->net;
    const int one = 1;
    int fd = accept4(acceptor->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        bool transient =
            errno == EAGAIN || errno == EINTR || errno == ECONNABORTED || errno == EPROTO;
        return transient ? 0 : -errno;
    }
    /* Fails on what is not TCP, where there is nothing to be delayed. */
    net->ops->setsockopt(net->ctx, fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (acceptor->n_pending == ZC_ACCEPTOR_PENDING_MAX) {
        drop_pending(acceptor, 0, "too many others are silent as well");
    }
    acceptor->pending[acceptor->n_pending++] =
        (struct pending){ .fd = fd, .deadline = zc_deadline_in(acceptor->patience_ms) };
    return 1;
}

static void hold_channel(struct zc_acceptor *acceptor, unsigned int i)
{
    struct pending *pending = &acceptor->pending[i];
    struct held held = { .fd = pending->fd };
    g_autoptr(GError) error = NULL;

    if (!zc_multifd_init_decode(pending->bytes, &held.init, &error)) {
        drop_pending(acceptor, i, error->message);
    } else if (acceptor->n_held == ZC_ACCEPTOR_HELD_MAX) {
        drop_pending(acceptor, i, "too many channels");
    } else {
        acceptor->held[acceptor->n_held++] = held;
        forget_pending(acceptor, i);
    }
}

/* What the first bytes say.  True: connection @i is no longer pending. */
static bool classify(struct zc_acceptor *acceptor, unsigned int i)
{
    struct pending *pending = &acceptor->pending[i];

    if (pending->have < MAGIC_BYTES) {
        return false;
    }
    if (memcmp(pending->bytes, main_magic, MAGIC_BYTES) == 0) {
        if (acceptor->has_main) {
            drop_pending(acceptor, i, "a second main stream");
        } else {
            acceptor->has_main = true;
            acceptor->main_fd = pending->fd;
            forget_pending(acceptor, i);
        }
        return true;
    }
    if (memcmp(pending->bytes, multifd_magic, MAGIC_BYTES) != 0) {
        drop_pending(acceptor, i,
                     memcmp(pending->bytes, tls_record, sizeof(tls_record)) == 0
                         ? "it speaks TLS (migration parameter tls-creds), which is not supported"
                         : "it speaks neither QEMU's migration stream nor multifd");
        return true;
    }
    if (pending->have == ZC_MULTIFD_INIT_BYTES) {
        hold_channel(acceptor, i);
        return true;
    }
    return false;
}

/* Reads what connection @i has, never more than its own beginning.  True: no longer pending. */
static bool read_pending(struct zc_acceptor *acceptor, unsigned int i)
{
    const struct zc_net *net = acceptor->stall->net;
    struct pending *pending = &acceptor->pending[i];

    for (;;) {
        size_t want = pending->have < MAGIC_BYTES ? MAGIC_BYTES : ZC_MULTIFD_INIT_BYTES;
        struct iovec iov = { pending->bytes + pending->have, want - pending->have };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        ssize_t n = net->ops->recvmsg(net->ctx, pending->fd, &message, MSG_DONTWAIT);
        if (n == -EAGAIN) {
            return false;
        }
        if (n <= 0) {
            drop_pending(acceptor, i, "it ended before it said what it is");
            return true;
        }
        pending->have += (size_t)n;
        if (classify(acceptor, i)) {
            return true;
        }
    }
}

/* ------------------------------------------------------------------ waiting */

static void expire(struct zc_acceptor *acceptor)
{
    int64_t now_ns = zc_clock_now_ns();

    for (unsigned int i = 0; i < acceptor->n_pending;) {
        if (acceptor->pending[i].deadline <= now_ns) {
            drop_pending(acceptor, i, "it did not say what it is in time");
        } else {
            i++;
        }
    }
}

/*
 * One pass: waits until something happens, but not beyond @deadline, and deals with it.  Returns 1
 * when anything happened, 0 at the deadline, -ECANCELED, -EPIPE when the main stream ended,
 * or -errno of accept or poll.
 */
static int step(struct zc_acceptor *acceptor, int main_fd, zc_deadline deadline)
{
    const struct zc_net *net = acceptor->stall->net;
    struct pollfd fds[3 + ZC_ACCEPTOR_PENDING_MAX] = {
        { .fd = acceptor->listen_fd, .events = POLLIN },
        { .fd = acceptor->stall->wake_fd, .events = POLLIN },
        { .fd = main_fd, .events = POLLRDHUP },
    };
    const unsigned int n = acceptor->n_pending;
    zc_deadline until = deadline;

    for (unsigned int i = 0; i < n; i++) {
        fds[3 + i] = (struct pollfd){ .fd = acceptor->pending[i].fd, .events = POLLIN };
        until = MIN(until, acceptor->pending[i].deadline);
    }
    int n_ready =
        net->ops->poll(net->ctx, fds, 3 + n, zc_deadline_poll_ms(until, zc_clock_now_ns()));
    if (n_ready < 0 || fds[1].revents) {
        return n_ready < 0 ? n_ready : -ECANCELED;
    }
    /* From the last to the first, because those that are done with move the later ones up. */
    for (unsigned int i = n; i > 0; i--) {
        if (fds[3 + i - 1].revents) {
            read_pending(acceptor, i - 1);
        }
    }
    expire(acceptor);
    if (fds[0].revents) {
        int rc;
        while ((rc = accept_one(acceptor)) > 0) {
            read_pending(acceptor, acceptor->n_pending - 1);
        }
        if (rc < 0) {
            return rc;
        }
    }
    if (fds[2].revents && n_ready == 1) {
        return -EPIPE; /* and nobody else had anything to say */
    }
    return n_ready > 0 || zc_clock_now_ns() < deadline;
}

static bool fail_step(int rc, int64_t wait_ns, const char *waited_for, GError **error)
{
    switch (rc) {
    case 0:
        return zc_error(error, ZCMIG_ERROR_TIMEOUT, "waited %" G_GINT64_FORMAT " ms for %s",
                        (int64_t)(wait_ns / ZC_NS_PER_MS), waited_for);
    case -ECANCELED:
        return zc_error(error, ZCMIG_ERROR_CANCELLED, "cancelled while waiting for %s", waited_for);
    case -EPIPE:
        return zc_error(error, ZCMIG_ERROR_DISCONNECTED, "the main stream ended before %s",
                        waited_for);
    default:
        return zc_error_errno(error, ZCMIG_ERROR_CONNECT, rc, "cannot accept %s", waited_for);
    }
}

int zc_acceptor_wait_main(struct zc_acceptor *acceptor, zc_deadline deadline,
                          uint8_t main_out[static ZC_ACCEPTOR_MAIN_BYTES], GError **error)
{
    int64_t wait_ns = deadline - zc_clock_now_ns() + ZC_NS_PER_MS / 2;

    while (acceptor->main_fd < 0) {
        int rc = step(acceptor, -1, deadline);
        if (rc <= 0) {
            fail_step(rc, wait_ns, "a source to connect", error);
            return -1;
        }
    }
    int fd = acceptor->main_fd;
    acceptor->main_fd = -1;
    memcpy(main_out, main_magic, MAGIC_BYTES);
    return fd;
}

/* ----------------------------------------------------------------- channels */

/* Whether held connection @i may be a channel of this session; the reason if not. */
static const char *refusal(const struct zc_acceptor *acceptor, const struct held *held,
                           const int *fds, unsigned int n_wanted)
{
    if (acceptor->has_uuid && memcmp(held->init.uuid, acceptor->uuid, 16) != 0) {
        return "a channel with the UUID of another session";
    }
    if (held->init.channel >= n_wanted) {
        return "a channel number that is too high";
    }
    if (fds[held->init.channel] >= 0) {
        return "a channel that is there already";
    }
    return NULL;
}

/* Moves what is held to its place in @fds, or closes it.  Returns how many there are. */
static unsigned int hand_out(struct zc_acceptor *acceptor, int *fds, unsigned int n_wanted)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < acceptor->n_held; i++) {
        struct held *held = &acceptor->held[i];
        const char *why = refusal(acceptor, held, fds, n_wanted);
        if (why) {
            zc_warning("a connection is dropped: %s (%u)", why, held->init.channel);
            zc_fd_clear(&held->fd);
            continue;
        }
        fds[held->init.channel] = held->fd;
        if (!acceptor->has_uuid) {
            acceptor->has_uuid = true;
            memcpy(acceptor->uuid, held->init.uuid, 16);
        }
    }
    acceptor->n_held = 0;
    for (unsigned int i = 0; i < ZC_RECV_CHANNELS_MAX; i++) {
        n += fds[i] >= 0;
    }
    return n;
}

/* The lowest number that is missing; channels are numbered from 0 without gaps. */
static unsigned int first_missing(const int *fds)
{
    unsigned int i = 0;

    while (i < ZC_RECV_CHANNELS_MAX && fds[i] >= 0) {
        i++;
    }
    return i;
}

bool zc_acceptor_wait_channels(struct zc_acceptor *acceptor,
                               const struct zc_acceptor_wanted *wanted, zc_deadline deadline,
                               int fds_out[static ZC_RECV_CHANNELS_MAX], unsigned int *n_out,
                               GError **error)
{
    bool learn = wanted->n_channels < 0;
    unsigned int n_wanted = learn ? ZC_RECV_CHANNELS_MAX : (unsigned int)wanted->n_channels;
    int64_t wait_ns = deadline - zc_clock_now_ns() + ZC_NS_PER_MS / 2;
    bool queue_is_empty = false;
    unsigned int n;

    for (unsigned int i = 0; i < ZC_RECV_CHANNELS_MAX; i++) {
        fds_out[i] = -1;
    }
    if (wanted->uuid) {
        acceptor->has_uuid = true;
        memcpy(acceptor->uuid, wanted->uuid, 16);
    }
    for (;;) {
        n = hand_out(acceptor, fds_out, n_wanted);
        bool whole = first_missing(fds_out) == n;
        if (learn ? whole && queue_is_empty && acceptor->n_pending == 0 : n == n_wanted) {
            *n_out = n;
            return true;
        }
        /* Learning: look into the queue first, then wait for who is in it. */
        bool look = learn && !queue_is_empty;
        int rc = step(acceptor, look ? -1 : wanted->main_fd, look ? zc_clock_now_ns() : deadline);
        queue_is_empty = queue_is_empty || rc == 0;
        if (rc < 0 || (rc == 0 && !look)) {
            g_autofree char *what =
                g_strdup_printf("channel %u (%u are here)", first_missing(fds_out), n);
            for (unsigned int i = 0; i < ZC_RECV_CHANNELS_MAX; i++) {
                zc_fd_clear(&fds_out[i]);
            }
            return fail_step(rc, wait_ns, what, error);
        }
    }
}

unsigned int zc_acceptor_count_late(struct zc_acceptor *acceptor, unsigned int n_counted)
{
    unsigned int n = 0;

    while (accept_one(acceptor) > 0) {
    }
    for (unsigned int i = acceptor->n_pending; i > 0; i--) {
        read_pending(acceptor, i - 1);
    }
    for (unsigned int i = 0; i < acceptor->n_held; i++) {
        const struct zc_multifd_init *init = &acceptor->held[i].init;
        bool is_ours = !acceptor->has_uuid || memcmp(init->uuid, acceptor->uuid, 16) == 0;
        n += is_ours && init->channel >= n_counted;
    }
    return n;
}

bool zc_acceptor_get_uuid(const struct zc_acceptor *acceptor, uint8_t uuid_out[static 16])
{
    if (acceptor->has_uuid) {
        memcpy(uuid_out, acceptor->uuid, 16);
    }
    return acceptor->has_uuid;
}
