/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: addresses are parsed as tcp: ones; what differs is the kind of
 * socket.  The two messages are longer than what a bench would send by chance,
 * begin with a word, and are in the sender's byte order: host to host of one
 * kind, or the numbers look absurd and the answer is dropped.
 */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/udp.h>

#include "base/error.h"
#include "bench/datagram.h"
#include "net/addr.h"
#include "net/ops.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* Linux 4.18 */
#endif

#define SCHEME "udp:"
#define ASK_AGAIN_MS 50
#define SINK_QUEUE_BYTES (8 << 20) /* or what net.core.rmem_max allows */

static const char end_word[8] = "zcmigEND";
static const char got_word[8] = "zcmigGOT";

struct message {
    char word[8];
    uint64_t run;
    struct zc_datagram_count count; /* of an answer */
};

bool zc_datagram_is_uri(const char *uri)
{
    return g_str_has_prefix(uri, SCHEME);
}

/* Calls @use (bind or connect) on a socket for the first address of @uri for which it works. */
static int open_socket(const char *uri, bool passive,
                       int (*use)(int fd, const struct sockaddr *address, socklen_t length),
                       GError **error)
{
    g_autofree char *as_tcp = g_strconcat("tcp:", uri + strlen(SCHEME), NULL);
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM,
                              .ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0) };
    struct addrinfo *found = NULL;
    struct zc_addr addr = { 0 };
    char port[8];
    int fd = -1, code = 0;

    if (!zc_addr_parse(as_tcp, &addr, error)) {
        return -1;
    }
    g_snprintf(port, sizeof(port), "%u", addr.port);
    int rc = getaddrinfo(addr.host[0] ? addr.host : NULL, port, &hints, &found);
    zc_addr_clear(&addr);
    if (rc != 0) {
        zc_error(error, ZCMIG_ERROR_CONNECT, "cannot resolve '%s': %s", uri, gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *ai = found; ai && fd < 0; ai = ai->ai_next) {
        fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0 || use(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
            code = errno;
            if (fd >= 0) {
                close(fd);
            }
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd < 0) {
        zc_error_errno(error, ZCMIG_ERROR_CONNECT, code, "cannot %s '%s'",
                       passive ? "listen on" : "connect to", uri);
    }
    return fd;
}

int zc_datagram_connect(const char *uri, unsigned int segment_bytes, GError **error)
{
    const int segment = (int)segment_bytes;
    int fd = open_socket(uri, false, connect, error);

    if (fd >= 0 && segment > 0 &&
        setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, errno, "%s: segments of %d bytes", uri,
                       segment);
        close(fd);
        fd = -1;
    }
    return fd;
}

int zc_datagram_bind(const char *uri, char **bound_out, GError **error)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const int queue_bytes = SINK_QUEUE_BYTES;
    int fd = open_socket(uri, true, bind, error);

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue_bytes, sizeof(queue_bytes));
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
        getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        zc_error(error, ZCMIG_ERROR_CONNECT, "cannot name the socket of '%s'", uri);
        close(fd);
        return -1;
    }
    *bound_out = g_strdup_printf(strchr(host, ':') ? SCHEME "[%s]:%s" : SCHEME "%s:%s", host, port);
    return fd;
}

static int wait_readable(int fd, int wake_fd, int ms)
{
    const struct zc_net *net = &zc_net_kernel;
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = wake_fd, .events = POLLIN } };
    int ret = net->ops->poll(net->ctx, fds, 2, ms);

    return ret > 0 && fds[1].revents ? -ECANCELED : ret;
}

bool zc_datagram_ask(int fd, uint64_t run, zc_deadline deadline, struct zc_datagram_count *count_out)
{
    const struct message end = { .run = run };
    struct message ask = end, got;

    memcpy(ask.word, end_word, sizeof(end_word));
    while (zc_clock_now_ns() < deadline) {
        send(fd, &ask, sizeof(ask), MSG_DONTWAIT | MSG_NOSIGNAL); /* lost or refused: once more */
        if (wait_readable(fd, -1, ASK_AGAIN_MS) < 0) {
            return false;
        }
        while (recv(fd, &got, sizeof(got), MSG_DONTWAIT) == (ssize_t)sizeof(got)) {
            if (memcmp(got.word, got_word, sizeof(got_word)) == 0 && got.run == run) {
                *count_out = got.count;
                return true;
            }
        }
    }
    return false;
}

/* A datagram of @bytes came from @peer: counted, or answered.  True when a run has ended. */
static bool take(int fd, const void *datagram, size_t bytes, const struct sockaddr_storage *peer,
                 socklen_t peer_bytes, struct zc_datagram_count *count, struct message *answer)
{
    struct message ask;

    if (bytes != sizeof(ask) || memcmp(datagram, end_word, sizeof(end_word)) != 0) {
        count->bytes += bytes;
        count->datagrams++;
        return false;
    }
    memcpy(&ask, datagram, sizeof(ask));
    bool is_new = ask.run != answer->run;
    if (is_new) {
        answer->run = ask.run;
        answer->count = *count;
        *count = (struct zc_datagram_count){ 0 };
    }
    sendto(fd, answer, sizeof(*answer), MSG_DONTWAIT | MSG_NOSIGNAL,
           (const struct sockaddr *)peer, peer_bytes);
    return is_new;
}

int zc_datagram_serve(int fd, int wake_fd, zc_datagram_ended ended, void *data)
{
    g_autofree uint8_t *buffer = g_malloc(ZC_DATAGRAM_BYTES_MAX + 1);
    struct zc_datagram_count count = { 0 };
    struct message answer = { .run = 0 };

    memcpy(answer.word, got_word, sizeof(got_word));
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t peer_bytes = sizeof(peer);
        ssize_t got = recvfrom(fd, buffer, ZC_DATAGRAM_BYTES_MAX + 1, MSG_DONTWAIT,
                               (struct sockaddr *)&peer, &peer_bytes);
        if (got >= 0) {
            if (take(fd, buffer, (size_t)got, &peer, peer_bytes, &count, &answer) && ended) {
                ended(&answer.count, data);
            }
            continue;
        }
        int ret = errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED ? 0 : -errno;
        ret = ret == 0 ? wait_readable(fd, wake_fd, -1) : ret;
        if (ret < 0) {
            return ret == -ECANCELED ? 0 : ret;
        }
    }
}
