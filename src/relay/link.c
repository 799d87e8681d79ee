/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: what an end does is done to the other end: a FIN becomes a FIN, in that
 * direction alone, and a reset a reset.  One thing is forgiven: an end that has
 * said all it has to say and is gone need not take what the other still says; that
 * is counted as lost.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "relay/link.h"

#define TURN_BYTES (16u << 20) /* then other links have theirs */
#define KEEPALIVE_S 15         /* a host that is gone is noticed after three of these */

static const char *const end_names[] = { "source", "destination" };

char *zc_link_name(const struct zc_link *link)
{
    return link->channel == ZC_LINK_MAIN ? g_strdup("the main stream")
                                         : g_strdup_printf("channel %d", link->channel);
}

static void on_end(struct zc_watch *watch, uint32_t events)
{
    struct zc_link_socket *end = (struct zc_link_socket *)watch;

    end->readable = end->readable || (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    end->writable = end->writable || (events & (EPOLLOUT | EPOLLHUP | EPOLLERR));
    end->link->ready = true;
}

/* A host that vanished sends no reset: ask it now and then.  No error matters here. */
static void keep_alive(int fd)
{
    const int one = 1, seconds = KEEPALIVE_S, probes = 3;

    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    }
}

/*
 * A deep socket lets the relay sleep longer between two turns, and the kernel send when an
 * acknowledgement comes instead of when the relay runs.  Of TCP only where the limit can be passed:
 * a small fixed buffer would be worse than the kernel's own tuning.
 */
static void deepen(int fd, uint64_t bytes)
{
    const int half = (int)MIN(bytes / 2, 1u << 30); /* the kernel doubles it */
    int family = 0;
    socklen_t length = sizeof(family);

    if (bytes && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &half, sizeof(half)) < 0 &&
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 && family == AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
    }
}

struct zc_link *zc_link_new(int epoll_fd, int channel, int source_fd, int destination_fd,
                            const char *why_copied, uint64_t buffer_bytes, GError **error)
{
    struct zc_link *link = g_new0(struct zc_link, 1);
    const int fds[] = { source_fd, destination_fd };

    link->channel = channel;
    link->ready = true;
    for (unsigned int i = 0; i < ZC_LINK_N_ENDS; i++) {
        struct zc_link_socket *end = &link->ends[i];
        end->watch.on_event = on_end;
        end->link = link;
        end->fd = fds[i];
        end->readable = end->writable = true; /* as far as we know */
        zc_flow_init(&link->flows[i], &zc_net_kernel, fds[i], fds[!i],
                     i == ZC_LINK_SOURCE ? why_copied : "");
        keep_alive(end->fd);
    }
    deepen(destination_fd, buffer_bytes);
    int code = 0;
    for (unsigned int i = 0; code == 0 && i < ZC_LINK_N_ENDS; i++) {
        code = zc_watch_stream(epoll_fd, fds[i], &link->ends[i].watch);
    }
    if (code < 0) {
        zc_error_errno(error, ZCMIG_ERROR_FAILED, code, "cannot wait on a connection");
        zc_link_free(link);
        return NULL;
    }
    return link;
}

static void close_ends(struct zc_link *link)
{
    for (unsigned int i = 0; i < ZC_LINK_N_ENDS; i++) {
        zc_fd_clear(&link->ends[i].fd);
        zc_flow_clear(&link->flows[i]);
    }
}

void zc_link_free(struct zc_link *link)
{
    if (link) {
        close_ends(link);
        g_free(link);
    }
}

void zc_link_reset(struct zc_link *link)
{
    const struct linger at_once = { .l_onoff = 1 };

    for (unsigned int i = 0; i < ZC_LINK_N_ENDS; i++) {
        if (link->ends[i].fd >= 0) {
            setsockopt(link->ends[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        }
    }
    close_ends(link);
    link->done = true;
}

static void fail(const struct zc_link *link, enum zc_link_end from, enum zc_flow_side side,
                 int code, GError **error)
{
    const struct zc_flow *flow = &link->flows[from];
    enum zc_link_end guilty = side == ZC_FLOW_FROM ? from : !from;
    g_autofree char *name = zc_link_name(link);

    zc_error_errno(error, ZCMIG_ERROR_DISCONNECTED, code,
                   "%s: %s broke off after %" G_GUINT64_FORMAT " bytes%s", end_names[guilty], name,
                   flow->bytes, side == ZC_FLOW_TO ? " that it was sent" : "");
}

/* One flow.  What the link cannot forgive is in @error, and -1 returned. */
static ssize_t move_flow(struct zc_link *link, enum zc_link_end from, GError **error)
{
    struct zc_flow *flow = &link->flows[from];
    struct zc_link_socket *source = &link->ends[from], *sink = &link->ends[!from];
    enum zc_flow_side side = ZC_FLOW_FROM;
    ssize_t n = zc_flow_move(flow, &source->readable, &sink->writable, TURN_BYTES, &side);

    if (n >= 0) {
        return n;
    }
    /* The source left after its last byte, and does not hear the destination any more. */
    if (side == ZC_FLOW_TO && from == ZC_LINK_DESTINATION && link->flows[ZC_LINK_SOURCE].ended) {
        zc_flow_abandon(flow);
        link->ready = true; /* what it said already raises no other event */
        return 0;
    }
    fail(link, from, side, (int)n, error);
    return -1;
}

int64_t zc_link_due_ns(const struct zc_link *link)
{
    const int64_t there = zc_flow_due_ns(&link->flows[ZC_LINK_SOURCE]);
    const int64_t back = zc_flow_due_ns(&link->flows[ZC_LINK_DESTINATION]);

    return there && back ? MIN(there, back) : MAX(there, back);
}

ssize_t zc_link_move(struct zc_link *link, GError **error)
{
    ssize_t moved = 0;

    link->ready = false;
    for (unsigned int i = 0; i < ZC_LINK_N_ENDS; i++) {
        ssize_t n = move_flow(link, (enum zc_link_end)i, error);
        if (n < 0) {
            return -1;
        }
        link->ready = link->ready || (size_t)n >= TURN_BYTES;
        moved += n;
    }
    if (link->flows[ZC_LINK_SOURCE].shut && link->flows[ZC_LINK_DESTINATION].shut) {
        close_ends(link);
        link->done = true;
        link->ready = false;
    }
    return moved;
}
