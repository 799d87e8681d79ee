/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Against a peer that does not read yet, even on loopback: who overwrites memory before it is
 * noted corrupts the stream (that shows that we would see it), who drains first never does.
 */
#include "config.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/channel-rig-kernel.h"

#define BYTES (1u << 20)

/* Returns how many of the bytes that arrived were written after the send. */
static uint64_t overwritten_without_drain(void)
{
    uint8_t *memory = netns_memory(BYTES, 0xaa);
    uint64_t bytes, overwritten;
    int sender, receiver;

    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    netns_enable_zerocopy(sender);
    ssize_t sent = netns_raw_send(sender, memory, BYTES);
    netns_check(sent > 0, "send: %zd", sent);
    memset(memory, 0xbb, BYTES);
    shutdown(sender, SHUT_WR);
    netns_reader_join(netns_reader_start(receiver, 0xbb), &bytes, &overwritten);
    close(sender);
    return overwritten;
}

static uint64_t overwritten_after_drain(void)
{
    uint8_t *memory = netns_memory(BYTES, 0xaa);
    struct zc_budget budget;
    uint64_t bytes, overwritten;
    int sender, receiver;

    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    zc_budget_init(&budget);
    struct zc_channel *channel = open_channel(sender, ZC_ZEROCOPY_ON, &budget);
    int ret = send_packet(channel, memory, BYTES, 10000);
    netns_check(ret == 0, "send: %d", ret);
    struct netns_reader *reader = netns_reader_start(receiver, 0xbb);
    ret = zc_channel_drain(channel, zc_deadline_in(10000));
    netns_check(ret == 0, "drain: %d", ret);
    memset(memory, 0xbb, BYTES);
    zc_channel_free(channel);
    shutdown(sender, SHUT_WR);
    netns_reader_join(reader, &bytes, &overwritten);
    netns_check(bytes == BYTES + HEADER_BYTES, "got %llu bytes", (unsigned long long)bytes);
    close(sender);
    return overwritten;
}

int main(void)
{
    netns_enter("netns");
    uint64_t seen = overwritten_without_drain();
    printf("overwritten at once: %llu bytes wrong\n", (unsigned long long)seen);
    netns_check(seen > 0, "this rig would not see memory that is reused early");
    seen = overwritten_after_drain();
    printf("overwritten after drain: %llu bytes wrong\n", (unsigned long long)seen);
    netns_check(seen == 0, "drain returned while the kernel still read the memory");
    return 0;
}
