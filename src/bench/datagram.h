/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Datagrams have no end of the stream, and no flow control: what the sink cannot take is lost.  So
 * a run ends with a question to the sink, asked until it answers, and the answer counts what came.
 *
 *     sender                          sink
 *     datagrams of the run    ->      counts
 *     end, number of the run  ->
 *                             <-      got, number of the run, bytes, datagrams
 *
 * A sink serves one sender at a time: two would share a count.
 */
#ifndef ZC_BENCH_DATAGRAM_H
#define ZC_BENCH_DATAGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "base/clock.h"

#define ZC_DATAGRAM_BYTES_MAX 65507u /* of UDP over IPv4; IPv6 takes no less */

struct zc_datagram_count {
    uint64_t bytes;
    uint64_t datagrams;
};

/* Whether @uri is udp:HOST:PORT.  Only the bench knows that scheme. */
bool zc_datagram_is_uri(const char *uri);

/* A non-blocking socket that is connected to @uri, or -1.  @segment_bytes: UDP_SEGMENT; 0: none. */
int zc_datagram_connect(const char *uri, unsigned int segment_bytes, GError **error);

/*
 * A bound non-blocking socket, or -1.  *@bound_out (g_free) is the URI to connect to.  A wildcard
 * is taken: a sink gives nothing away but counts.
 */
int zc_datagram_bind(const char *uri, char **bound_out, GError **error);

/* Asks the sink what came of @run: true with *@count_out; false when it does not answer. */
bool zc_datagram_ask(int fd, uint64_t run, zc_deadline deadline, struct zc_datagram_count *count_out);

/* Called with what came, each time that a run ends. */
typedef void (*zc_datagram_ended)(const struct zc_datagram_count *count, void *data);

/* Counts and answers until @wake_fd turns readable: 0, or -errno.  @ended may be NULL. */
int zc_datagram_serve(int fd, int wake_fd, zc_datagram_ended ended, void *data);

#endif
