/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loopback copies: auto gives up, and says why.  With fragmented generic XDP on lo the kernel
 * completes without COPIED: auto stays.  Over IPv4, IPv6, IPv4 through an IPv6 socket, and UNIX.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/channel-rig-kernel.h"

#define PACKETS 64

static struct zc_channel_counters stream(int sender, int receiver, char *reason, size_t size)
{
    uint8_t *memory = netns_memory(PACKET_BYTES, 1);
    struct zc_channel_counters counters;
    struct zc_budget budget;
    uint64_t bytes;
    int ret = 0;

    zc_budget_init(&budget);
    struct zc_channel *channel = open_channel(sender, ZC_ZEROCOPY_AUTO, &budget);
    struct netns_reader *reader = netns_reader_start(receiver, 0);
    for (unsigned int i = 0; i < PACKETS && ret == 0; i++) {
        ret = send_packet(channel, memory, PACKET_BYTES, 10000);
        /* A note of its own for each call, so that all are exact. */
        ret = ret == 0 ? zc_channel_drain(channel, zc_deadline_in(10000)) : ret;
    }
    netns_check(ret == 0, "send: %d", ret);
    zc_channel_counters(channel, &counters);
    g_strlcpy(reason, zc_channel_reason(channel), size);
    zc_channel_free(channel);
    shutdown(sender, SHUT_WR);
    netns_reader_join(reader, &bytes, NULL);
    netns_check(bytes == (uint64_t)PACKETS * (PACKET_BYTES + HEADER_BYTES), "got %llu bytes",
                (unsigned long long)bytes);
    netns_check(counters.wire_bytes == bytes, "counted %llu", (unsigned long long)counters.wire_bytes);
    netns_check(counters.zerocopy.calls == counters.zerocopy.completed, "calls without a note");
    close(sender);
    return counters;
}

static void over_tcp(const char *address, bool copied)
{
    char reason[256];
    int sender, receiver;

    netns_tcp_pair(address, &sender, &receiver);
    struct zc_channel_counters counters = stream(sender, receiver, reason, sizeof(reason));
    printf("%s%s: %llu calls, %llu to %llu copied, state %d, '%s'\n", address,
           copied ? "" : " with XDP", (unsigned long long)counters.zerocopy.calls,
           (unsigned long long)counters.zerocopy.copied_min,
           (unsigned long long)counters.zerocopy.copied_max, (int)counters.state, reason);
    netns_check(counters.zerocopy.notes > 0, "no notes on %s", address);
    if (copied) {
        netns_check(counters.state == ZC_ZEROCOPY_PAUSED_COPIED, "state %d", (int)counters.state);
        netns_check(counters.zerocopy.copied_min >= 8, "too few");
        netns_check(counters.copy_calls > 0, "nothing was copied by us");
        netns_check(strstr(reason, "kernel copied"), "reason '%s'", reason);
    } else {
        netns_check(counters.state == ZC_ZEROCOPY_ACTIVE, "state %d", (int)counters.state);
        netns_check(counters.zerocopy.copied_min == 0, "copied");
        netns_check(counters.copy_calls == 0, "%llu calls copied by us",
                    (unsigned long long)counters.copy_calls);
    }
}

static void over_unix(void)
{
    struct zc_channel_counters counters;
    char reason[256];
    int pair[2];

    netns_check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    counters = stream(pair[0], pair[1], reason, sizeof(reason));
    netns_check(counters.state == ZC_ZEROCOPY_NOT_SUPPORTED, "state %d", (int)counters.state);
    netns_check(strcmp(reason, "UNIX sockets have no zero-copy; pages are copied") == 0, "'%s'",
                reason);
}

/* Whether this kernel's generic XDP passes fragments on as they are. */
static bool xdp_keeps_pages(void)
{
    uint8_t *memory = netns_memory(PACKET_BYTES, 1);
    struct zc_note note;
    int sender, receiver;

    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    netns_enable_zerocopy(sender);
    netns_check(netns_raw_send(sender, memory, PACKET_BYTES) > 0, "send");
    struct netns_reader *reader = netns_reader_start(receiver, 0);
    netns_check(netns_wait_note(sender, 10000, &note) == 1, "no note");
    shutdown(sender, SHUT_WR);
    netns_reader_join(reader, NULL, NULL);
    close(sender);
    return !note.copied;
}

int main(void)
{
    static const char *const addresses[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1" };

    netns_enter("netns");
    for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
        over_tcp(addresses[i], true);
    }
    over_unix();

    int link = netns_attach_xdp();
    if (link < 0) {
        netns_skip("netns", "loopback part passed; no XDP program on lo: %s", strerror(-link));
    }
    if (!xdp_keeps_pages()) {
        netns_skip("netns", "loopback part passed; generic XDP of this kernel copies fragments");
    }
    for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
        over_tcp(addresses[i], false);
    }
    close(link);
    return 0;
}
