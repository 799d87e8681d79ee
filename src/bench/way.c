/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "bench/datagram.h"
#include "bench/way.h"

static const char *const way_names[] = { "ipv4", "ipv6", "unix", "vsock", "udp4", "udp6" };
G_STATIC_ASSERT(G_N_ELEMENTS(way_names) == ZCMIG_BENCH_N_WAYS);

const char *zc_bench_way_name(unsigned int way)
{
    return way_names[way];
}

bool zc_bench_is_datagrams(const struct zcmig_bench_options *options, unsigned int way)
{
    return options->destination ? zc_datagram_is_uri(options->destination)
                                : way == ZCMIG_BENCH_UDP_IPV4 || way == ZCMIG_BENCH_UDP_IPV6;
}

static int connect_stream(const char *uri, int cpu, struct zc_sink_thread **sink_out,
                          GError **error)
{
    struct zc_addr listen = { 0 }, bound = { 0 };
    g_autofree char *address = NULL;
    int fd = -1, accepted = -1;

    int listener = zc_addr_parse(uri, &listen, error)
                       ? zc_addr_listen(&listen, 1, false, &address, error)
                       : -1;
    if (listener >= 0 && zc_addr_parse(address, &bound, error)) {
        fd = zc_addr_connect(&bound, zc_deadline_in(5000), -1, error);
    }
    if (fd >= 0) { /* the connection is in the backlog: this does not wait */
        accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    if (fd >= 0 && accepted < 0) {
        zc_error_errno(error, ZCMIG_ERROR_CONNECT, -errno, "cannot accept on %s", address);
        close(fd);
        fd = -1;
    }
    if (listener >= 0) {
        zc_addr_unlisten(&listen, listener);
    }
    zc_addr_clear(&listen);
    zc_addr_clear(&bound);
    if (fd >= 0) {
        *sink_out = zc_sink_thread_start(accepted, false, cpu);
    }
    return fd;
}

static int connect_unix(int cpu, struct zc_sink_thread **sink_out, GError **error)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_CONNECT, -errno, "cannot make a pair of sockets");
        return -1;
    }
    *sink_out = zc_sink_thread_start(pair[1], false, cpu);
    return pair[0];
}

static int connect_datagrams(const char *uri, const struct zcmig_bench_options *options,
                             struct zc_sink_thread **sink_out, GError **error)
{
    g_autofree char *bound = NULL;
    int sink = zc_datagram_bind(uri, &bound, error);
    int fd = sink >= 0 ? zc_datagram_connect(bound, options->udp_segment_bytes, error) : -1;

    if (fd >= 0) {
        *sink_out = zc_sink_thread_start(sink, true, options->sink_cpu);
    } else if (sink >= 0) {
        close(sink);
    }
    return fd;
}

int zc_bench_connect(const struct zcmig_bench_options *options, const struct zc_addr *addr,
                     unsigned int way, struct zc_sink_thread **sink_out, GError **error)
{
    *sink_out = NULL;
    if (options->destination) {
        return zc_bench_is_datagrams(options, way)
                   ? zc_datagram_connect(options->destination, options->udp_segment_bytes, error)
                   : zc_addr_connect(addr, zc_deadline_in(options->stall_timeout_ms), -1, error);
    }
    switch (way) {
    case ZCMIG_BENCH_IPV4:
        return connect_stream("tcp:127.0.0.1:0", options->sink_cpu, sink_out, error);
    case ZCMIG_BENCH_IPV6:
        return connect_stream("tcp:[::1]:0", options->sink_cpu, sink_out, error);
    case ZCMIG_BENCH_VSOCK:
        return connect_stream("vsock:local:0", options->sink_cpu, sink_out, error);
    case ZCMIG_BENCH_UDP_IPV4:
        return connect_datagrams("udp:127.0.0.1:0", options, sink_out, error);
    case ZCMIG_BENCH_UDP_IPV6:
        return connect_datagrams("udp:[::1]:0", options, sink_out, error);
    default:
        return connect_unix(options->sink_cpu, sink_out, error);
    }
}
