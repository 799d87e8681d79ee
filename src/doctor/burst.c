/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the channel is drained after every packet, so that a note rarely
 * speaks for more than one call and the counts are exact.  The burst begins
 * with a line that says what it is, for whoever reads it by mistake.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/size.h"
#include "doctor/burst.h"
#include "send/channel.h"

#define PACKET_BYTES (32 * ZC_KIB) /* fits a socket buffer that has not grown yet */
#define PACKETS 64u
#define ENOUGH_NS (2 * ZC_NS_PER_S) /* a long round trip: fewer packets will do */

static const char greeting[] = "zcmig doctor --probe: please throw this away\n";

static int send_packets(struct zc_channel *channel, const void *memory, int64_t stall_ms)
{
    const struct iovec pages = { .iov_base = (void *)memory, .iov_len = PACKET_BYTES };
    int64_t start_ns = zc_clock_now_ns();
    int ret = 0;

    for (unsigned int i = 0; ret == 0 && i < PACKETS; i++) {
        zc_deadline deadline = zc_deadline_in(stall_ms);
        uint8_t *header;
        ret = zc_channel_header(channel, &header, deadline);
        ret = ret < 0 ? ret : zc_channel_send(channel, 0, &pages, 1, deadline);
        ret = ret < 0 ? ret : zc_channel_drain(channel, deadline);
        if (zc_clock_now_ns() - start_ns > ENOUGH_NS) {
            break;
        }
    }
    return ret;
}

/* As TCP smoothed it; 0 where it is no TCP. */
static int64_t read_rtt_ns(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t length = sizeof(info);

    if (zc_net_kernel.ops->getsockopt(zc_net_kernel.ctx, fd, IPPROTO_TCP, TCP_INFO, &info,
                                      &length) < 0) {
        return 0;
    }
    return (int64_t)info.tcpi_rtt * 1000;
}

static void say_trouble(struct zc_burst *burst, int error, int64_t stall_ms)
{
    g_autofree char *sent = zc_size_format(burst->sent_bytes);

    if (error == -ETIMEDOUT) {
        burst->trouble = g_strdup_printf("the peer acknowledged nothing more for %" G_GINT64_FORMAT
                                         " ms, after %s were sent",
                                         stall_ms, sent);
    } else {
        burst->trouble = g_strdup_printf("the connection broke after %s were sent: %s", sent,
                                         g_strerror(-error));
    }
}

static int run_burst(int fd, const void *memory, int64_t stall_ms, int wake_fd,
                     struct zc_burst *burst)
{
    struct zc_budget budget;
    struct zc_channel_counters counters;
    const struct zc_channel_options options = {
        .engine = ZC_ENGINE_ZEROCOPY, .mode = ZC_ZEROCOPY_ON, .budget = &budget, .wake_fd = wake_fd
    };

    zc_budget_init(&budget);
    struct zc_channel *channel = zc_channel_new(fd, &zc_net_kernel, &options);
    int ret = channel ? send_packets(channel, memory, stall_ms) : -EINVAL;
    if (channel) {
        zc_channel_counters(channel, &counters);
        burst->sent_bytes = counters.wire_bytes;
        burst->calls = counters.zerocopy.calls;
        burst->completed = counters.zerocopy.completed;
        burst->copied_min = counters.zerocopy.copied_min;
        burst->copied_max = counters.zerocopy.copied_max;
        burst->plain_calls = counters.copy_calls;
        burst->supported = counters.state != ZC_ZEROCOPY_NOT_SUPPORTED;
        burst->reason = zc_channel_reason(channel);
        zc_channel_free(channel);
    }
    return ret;
}

bool zc_burst_send(const struct zc_addr *addr, int64_t stall_ms, int wake_fd,
                   struct zc_burst *burst, struct sockaddr_storage *peer_out, GError **error)
{
    g_autoptr(GError) connect_error = NULL;
    socklen_t length = sizeof(*peer_out);

    burst->tried = true;
    int fd = zc_addr_connect(addr, zc_deadline_in(stall_ms), wake_fd, &connect_error);
    if (fd < 0) {
        if (zc_error_code(connect_error) == ZCMIG_ERROR_CANCELLED) {
            g_propagate_error(error, g_steal_pointer(&connect_error));
            return false;
        }
        burst->trouble = g_strdup(connect_error->message);
        return true;
    }
    if (getpeername(fd, (struct sockaddr *)peer_out, &length) < 0) {
        peer_out->ss_family = AF_UNSPEC;
    }
    void *memory = mmap(NULL, PACKET_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    int ret = -ENOMEM;
    if (memory != MAP_FAILED) {
        memcpy(memory, greeting, sizeof(greeting) - 1);
        ret = run_burst(fd, memory, stall_ms, wake_fd, burst);
        burst->rtt_ns = read_rtt_ns(fd);
    }
    /* The socket goes before the memory: what is still on its way keeps its own hold of the pages.
     */
    close(fd);
    if (memory != MAP_FAILED) {
        munmap(memory, PACKET_BYTES);
    }
    if (ret == -ECANCELED) {
        return zc_error(error, ZCMIG_ERROR_CANCELLED, "cancelled during the probe");
    }
    if (ret < 0) {
        say_trouble(burst, ret, stall_ms);
    }
    return true;
}
