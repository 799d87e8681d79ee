/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses as the user writes them:
 *
 *     tcp:HOST:PORT   HOST a name, an IPv4 address or an IPv6 address in brackets; empty: any
 *     unix:PATH       a UNIX stream socket
 *     vsock:CID:PORT  AF_VSOCK; CID a number, "host", "local" or "any"
 *     fd:N            a connected socket that was inherited: the main connection, and no channels
 *     null:           nowhere: what is sent is thrown away, the engine alone is measured
 */
#ifndef ZC_NET_ADDR_H
#define ZC_NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <glib.h>

#include "base/clock.h"

enum zc_addr_kind {
    ZC_ADDR_TCP,
    ZC_ADDR_UNIX,
    ZC_ADDR_VSOCK,
    ZC_ADDR_FD,
    ZC_ADDR_NULL,
};

struct zc_addr {
    enum zc_addr_kind kind;
    char *host; /* tcp: without brackets, "" for any; unix: the path */
    uint32_t cid;
    uint32_t port;
    int fd;
};

/* Errors: ZCMIG_ERROR_USAGE with what was got and what is allowed. */
bool zc_addr_parse(const char *uri, struct zc_addr *addr_out, GError **error);
void zc_addr_clear(struct zc_addr *addr);

/* The URI again; the caller frees. */
char *zc_addr_format(const struct zc_addr *addr);

/*
 * Connects a stream socket (close-on-exec; TCP_NODELAY for TCP) and returns its descriptor, or -1.
 * A refused connection is an error at once.  @wake_fd (or -1) turning readable ends the wait with
 * ZCMIG_ERROR_CANCELLED.  The descriptor is left non-blocking.  Name resolution blocks.  All
 * addresses that a name resolves to are tried, each with its share of the time that is left.
 * fd:N is checked to be a connected stream socket, and is the caller's to close from then on.
 * Errors: ZCMIG_ERROR_CONNECT, ZCMIG_ERROR_TIMEOUT, ZCMIG_ERROR_UNSUPPORTED (no such family here).
 */
int zc_addr_connect(const struct zc_addr *addr, zc_deadline deadline, int wake_fd, GError **error);

/*
 * Listens with a backlog for @backlog connections and returns the non-blocking descriptor, or -1.
 * *@bound_out (free with g_free) is the URI that peers can connect to, with the real port where
 * 0 was asked for.  A TCP wildcard address is refused with ZCMIG_ERROR_USAGE unless
 * @allow_wildcard.  A UNIX path that exists is replaced only when it is a socket that nobody
 * listens on.  Errors: ZCMIG_ERROR_USAGE (also for fd: and null:, which are no places to listen),
 * ZCMIG_ERROR_CONNECT, ZCMIG_ERROR_UNSUPPORTED.
 */
int zc_addr_listen(const struct zc_addr *addr, int backlog, bool allow_wildcard, char **bound_out,
                   GError **error);

/* Closes what zc_addr_listen returned (-1: nothing) and removes its UNIX path. */
void zc_addr_unlisten(const struct zc_addr *addr, int fd);

#endif
