/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: one thread accepts; each connection has two threads, one a
 * direction.  Towards the destination, a multifd connection is read packet by
 * packet and shown to the callback; everything else is copied as it comes.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/pair.h"

#define PAGE 4096u
#define CONNECTIONS_MAX 80u

struct link {
    struct zc_meddler *meddler;
    int source_fd;
    int destination_fd;
    GThread *forward;
    GThread *backward;
    uint8_t payload[ZC_MULTIFD_PAGES * PAGE];
};

struct zc_meddler {
    int listen_fd;
    char *address;
    uint16_t destination_port;
    zc_meddle_fn meddle;
    void *data;
    GThread *acceptor;
    GMutex lock; /* serialises the callback; guards links */
    struct link *links[CONNECTIONS_MAX];
    unsigned int n_links;
    _Atomic uint64_t bytes;
    _Atomic uint64_t cut_after;
    _Atomic bool cut_reset;
    _Atomic uint64_t stall_after;
    _Atomic uint64_t bytes_back;
    _Atomic uint64_t cut_back_after;
    _Atomic uint64_t call_after;
    void (*call)(void *data);
    void *call_data;
    _Atomic bool cut_once;
    _Atomic bool stopping;
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* With lock held. */
static void cut_all(struct zc_meddler *meddler)
{
    struct linger hard = { .l_onoff = 1, .l_linger = 0 };

    for (unsigned int i = 0; i < meddler->n_links; i++) {
        int fds[] = { meddler->links[i]->source_fd, meddler->links[i]->destination_fd };
        for (unsigned int j = 0; j < 2; j++) {
            if (atomic_load(&meddler->cut_reset)) {
                /* A connect() to nowhere turns an established socket into a reset one. */
                struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
                setsockopt(fds[j], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
                connect(fds[j], &nowhere, sizeof(nowhere));
            } else {
                shutdown(fds[j], SHUT_RDWR);
            }
        }
    }
}

/* Whether it is time to cut, and nobody else does it. */
static bool is_due(struct zc_meddler *meddler, _Atomic uint64_t *after, uint64_t total)
{
    uint64_t at = atomic_load(after);

    return total >= at && (!atomic_load(&meddler->cut_once) ||
                           atomic_compare_exchange_strong(after, &at, UINT64_MAX));
}

/* Counts bytes from the source; false once the connections are cut. */
static bool account(struct link *link, size_t n)
{
    struct zc_meddler *meddler = link->meddler;
    uint64_t total = atomic_fetch_add(&meddler->bytes, n) + n;

    uint64_t call_after = atomic_load(&meddler->call_after);
    if (total >= call_after &&
        atomic_compare_exchange_strong(&meddler->call_after, &call_after, UINT64_MAX)) {
        meddler->call(meddler->call_data);
    }
    if (is_due(meddler, &meddler->cut_after, total)) {
        g_mutex_lock(&meddler->lock);
        cut_all(meddler);
        g_mutex_unlock(&meddler->lock);
        return false;
    }
    while (total >= atomic_load(&meddler->stall_after) && !atomic_load(&meddler->stopping)) {
        /* Waits for the source to give up: its end of the connection closing. */
        struct pollfd source = { .fd = link->source_fd, .events = POLLRDHUP };
        poll(&source, 1, 50);
        if (source.revents & (POLLRDHUP | POLLHUP | POLLERR)) {
            return false;
        }
    }
    return true;
}

static bool read_all(struct link *link, void *bytes, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = recv(link->source_fd, (char *)bytes + done, length - done, 0);
        if (n <= 0 || !account(link, (size_t)n)) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const void *bytes, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = send(fd, (const char *)bytes + done, length - done, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static bool forward_packet(struct link *link)
{
    struct zc_meddler *meddler = link->meddler;
    uint8_t header[ZC_MULTIFD_HEADER_BYTES];
    struct zc_multifd_packet packet;
    bool go_on = true;

    if (!read_all(link, header, sizeof(header)) ||
        !zc_multifd_packet_decode(header, &packet, NULL) ||
        !read_all(link, link->payload, packet.n_normal * PAGE)) {
        return false;
    }
    g_mutex_lock(&meddler->lock);
    if (meddler->meddle) {
        go_on = meddler->meddle(&packet, link->payload, meddler->data);
        if (!go_on) {
            cut_all(meddler);
        }
    }
    g_mutex_unlock(&meddler->lock);
    zc_multifd_packet_encode(&packet, header);
    return go_on && write_all(link->destination_fd, header, sizeof(header)) &&
           write_all(link->destination_fd, link->payload, packet.n_normal * PAGE);
}

static bool forward_bytes(struct link *link)
{
    ssize_t n = recv(link->source_fd, link->payload, sizeof(link->payload), 0);

    return n > 0 && account(link, (size_t)n) &&
           write_all(link->destination_fd, link->payload, (size_t)n);
}

static gpointer run_forward(gpointer data)
{
    struct link *link = data;
    uint8_t magic[4];
    uint8_t init[ZC_MULTIFD_INIT_BYTES];
    bool is_multifd;

    if (recv(link->source_fd, magic, sizeof(magic), MSG_PEEK | MSG_WAITALL) == sizeof(magic)) {
        is_multifd = magic[0] == 0x11;
        if (!is_multifd || (read_all(link, init, sizeof(init)) &&
                            write_all(link->destination_fd, init, sizeof(init)))) {
            while (is_multifd ? forward_packet(link) : forward_bytes(link)) {
            }
        }
    }
    shutdown(link->destination_fd, SHUT_WR);
    return NULL;
}

/* False once the connections are cut. */
static bool account_back(struct link *link, size_t n)
{
    struct zc_meddler *meddler = link->meddler;
    uint64_t total = atomic_fetch_add(&meddler->bytes_back, n) + n;

    if (!is_due(meddler, &meddler->cut_back_after, total)) {
        return true;
    }
    g_mutex_lock(&meddler->lock);
    cut_all(meddler);
    g_mutex_unlock(&meddler->lock);
    return false;
}

static gpointer run_backward(gpointer data)
{
    struct link *link = data;
    uint8_t bytes[PAGE];
    ssize_t n;

    while ((n = recv(link->destination_fd, bytes, sizeof(bytes), 0)) > 0 &&
           account_back(link, (size_t)n) && write_all(link->source_fd, bytes, (size_t)n)) {
    }
    shutdown(link->source_fd, SHUT_WR);
    return NULL;
}

static void add_link(struct zc_meddler *meddler, int source_fd)
{
    struct sockaddr_in address = loopback(meddler->destination_port);
    struct link *link = g_new0(struct link, 1);
    int one = 1;

    link->meddler = meddler;
    link->source_fd = source_fd;
    link->destination_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(link->destination_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(link->destination_fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        shutdown(source_fd, SHUT_RDWR);
    }
    g_mutex_lock(&meddler->lock);
    g_assert(meddler->n_links < CONNECTIONS_MAX);
    meddler->links[meddler->n_links++] = link;
    g_mutex_unlock(&meddler->lock);
    link->forward = g_thread_new("forward", run_forward, link);
    link->backward = g_thread_new("backward", run_backward, link);
}

static gpointer run_acceptor(gpointer data)
{
    struct zc_meddler *meddler = data;
    int fd;

    while ((fd = accept4(meddler->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        add_link(meddler, fd);
    }
    return NULL;
}

struct zc_meddler *zc_meddler_start(const char *destination, zc_meddle_fn meddle, void *data)
{
    struct zc_meddler *meddler = g_new0(struct zc_meddler, 1);
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof(address);

    meddler->destination_port = (uint16_t)atoi(strrchr(destination, ':') + 1);
    meddler->meddle = meddle;
    meddler->data = data;
    atomic_init(&meddler->cut_after, UINT64_MAX);
    atomic_init(&meddler->stall_after, UINT64_MAX);
    atomic_init(&meddler->cut_back_after, UINT64_MAX);
    atomic_init(&meddler->call_after, UINT64_MAX);
    g_mutex_init(&meddler->lock);
    meddler->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(meddler->listen_fd, (struct sockaddr *)&address, length), ==, 0);
    g_assert_cmpint(listen(meddler->listen_fd, (int)CONNECTIONS_MAX), ==, 0);
    g_assert_cmpint(getsockname(meddler->listen_fd, (struct sockaddr *)&address, &length), ==, 0);
    meddler->address = g_strdup_printf("tcp:127.0.0.1:%u", ntohs(address.sin_port));
    meddler->acceptor = g_thread_new("acceptor", run_acceptor, meddler);
    return meddler;
}

const char *zc_meddler_address(struct zc_meddler *meddler)
{
    return meddler->address;
}

void zc_meddler_cut_after(struct zc_meddler *meddler, uint64_t bytes, bool reset)
{
    atomic_store(&meddler->cut_reset, reset);
    atomic_store(&meddler->cut_after, bytes);
}

void zc_meddler_cut_once(struct zc_meddler *meddler)
{
    atomic_store(&meddler->cut_once, true);
}

void zc_meddler_refuse(struct zc_meddler *meddler)
{
    shutdown(meddler->listen_fd, SHUT_RDWR);
}

void zc_meddler_stall_after(struct zc_meddler *meddler, uint64_t bytes)
{
    atomic_store(&meddler->stall_after, bytes);
}

void zc_meddler_cut_back_after(struct zc_meddler *meddler, uint64_t bytes)
{
    atomic_store(&meddler->cut_back_after, bytes);
}

void zc_meddler_call_after(struct zc_meddler *meddler, uint64_t bytes, void (*call)(void *data),
                           void *data)
{
    meddler->call = call;
    meddler->call_data = data;
    atomic_store(&meddler->call_after, bytes);
}

uint64_t zc_meddler_bytes_back(struct zc_meddler *meddler)
{
    return atomic_load(&meddler->bytes_back);
}

void zc_meddler_narrow(struct zc_meddler *meddler, int bytes)
{
    /* Accepted sockets inherit it. */
    g_assert_cmpint(
        setsockopt(meddler->listen_fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), ==, 0);
}

uint64_t zc_meddler_bytes(struct zc_meddler *meddler)
{
    return atomic_load(&meddler->bytes);
}

void zc_meddler_stop(struct zc_meddler *meddler)
{
    atomic_store(&meddler->stopping, true);
    shutdown(meddler->listen_fd, SHUT_RDWR);
    g_thread_join(meddler->acceptor);
    close(meddler->listen_fd);
    g_mutex_lock(&meddler->lock);
    atomic_store(&meddler->cut_reset, false);
    cut_all(meddler);
    g_mutex_unlock(&meddler->lock);
    for (unsigned int i = 0; i < meddler->n_links; i++) {
        struct link *link = meddler->links[i];
        g_thread_join(link->forward);
        g_thread_join(link->backward);
        close(link->source_fd);
        close(link->destination_fd);
        g_free(link);
    }
    g_mutex_clear(&meddler->lock);
    g_free(meddler->address);
    g_free(meddler);
}
