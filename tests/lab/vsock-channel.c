/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock-channel ENGINE CREDIT - a channel on a vsock connection inside this kernel (CID 1), with
 * CREDIT bytes for the peer to send ahead.  A drain waits for a peer that stalls; then the same
 * memory is filled anew after each drain and sent again, and the peer holds every byte against
 * what it must be: memory that is called free too early shows as a wrong byte.
 *
 * Prints "VSOCK engine=... credit=... calls=... notes=... copied=MIN..MAX wrong=..."; 77: no vsock.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "netns/channel-rig-kernel.h"

#define PACKETS 4u
#define ROUNDS 24u
#define STALLED_BYTES (32u * 1024)

static struct zc_budget budget;

static int vsock_socket(uint64_t credit)
{
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        netns_skip("lab", "no vsock sockets: %s", strerror(errno));
    }
    setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &credit, sizeof(credit));
    setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &credit, sizeof(credit));
    return fd;
}

static void vsock_pair(uint64_t credit, int *sender_out, int *receiver_out)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL,
                                   .svm_port = VMADDR_PORT_ANY };
    socklen_t length = sizeof(address);
    int listener = vsock_socket(credit);

    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0) {
        netns_skip("lab", "no vsock inside this kernel: %s", strerror(errno));
    }
    netns_check(listen(listener, 1) == 0, "listen");
    netns_check(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    *sender_out = vsock_socket(credit);
    netns_check(connect(*sender_out, (struct sockaddr *)&address, sizeof(address)) == 0,
                "connect: %s", strerror(errno));
    *receiver_out = accept(listener, NULL, NULL);
    netns_check(*receiver_out >= 0, "accept");
    close(listener);
    fcntl(*sender_out, F_SETFL, O_NONBLOCK);
}

/* The byte that page bytes of @round are. */
static int byte_of(unsigned int round)
{
    return 1 + (int)round;
}

/* Reads @bytes in small pieces, so that the sender is ahead by all its credit. */
static uint64_t count_wrong(int fd, uint64_t bytes, int byte)
{
    uint8_t buffer[4096];
    uint64_t wrong = 0;

    while (bytes > 0) {
        ssize_t got = read(fd, buffer, MIN(bytes, sizeof(buffer)));
        netns_check(got > 0, "read: %zd", got);
        for (ssize_t i = 0; i < got; i++) {
            wrong += buffer[i] != byte;
        }
        bytes -= (uint64_t)got;
    }
    return wrong;
}

struct peer {
    int fd;
    uint64_t wrong;
};

static void *read_rounds(void *data)
{
    struct peer *peer = data;

    peer->wrong += count_wrong(peer->fd, HEADER_BYTES, 0);
    peer->wrong += count_wrong(peer->fd, STALLED_BYTES, byte_of(0));
    for (unsigned int i = 0; i < ROUNDS * PACKETS; i++) {
        peer->wrong += count_wrong(peer->fd, HEADER_BYTES, 0);
        peer->wrong += count_wrong(peer->fd, PACKET_BYTES, byte_of(i / PACKETS + 1));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    enum zc_engine_kind engine = ZC_ENGINE_ZEROCOPY;
    struct zc_channel_counters counters;
    struct peer peer = { 0 };
    const char *why_not;
    pthread_t thread;
    int sender;

    netns_check(argc == 3, "usage: vsock-channel zerocopy|io_uring|copy CREDIT");
    if (strcmp(argv[1], "zerocopy") != 0) {
        engine = strcmp(argv[1], "io_uring") == 0 ? ZC_ENGINE_IO_URING : ZC_ENGINE_COPY;
    }
    zc_budget_init(&budget);
    vsock_pair(strtoull(argv[2], NULL, 10), &sender, &peer.fd);
    struct zc_channel *channel = open_engine(sender, engine, false, ZC_ZEROCOPY_ON, &budget);
    const char *used = zc_channel_engine(channel, &why_not);
    uint8_t *memory = netns_memory(PACKETS * PACKET_BYTES, byte_of(0));
    netns_check(send_packet(channel, memory, STALLED_BYTES, 10000) == 0, "the first packet");
    int ret = zc_channel_drain(channel, zc_deadline_in(300));
    netns_check(ret == (strcmp(used, "copy") == 0 ? 0 : -ETIMEDOUT), "nobody reads, drain: %d", ret);

    netns_check(pthread_create(&thread, NULL, read_rounds, &peer) == 0, "pthread_create");
    for (unsigned int round = 0; round < ROUNDS; round++) {
        ret = zc_channel_drain(channel, zc_deadline_in(60000));
        netns_check(ret == 0, "drain %u: %d", round, ret);
        memset(memory, byte_of(round + 1), PACKETS * PACKET_BYTES);
        for (unsigned int i = 0; i < PACKETS; i++) {
            ret = send_packet(channel, memory + (size_t)i * PACKET_BYTES, PACKET_BYTES, 60000);
            netns_check(ret == 0, "send: %d", ret);
        }
    }
    ret = zc_channel_drain(channel, zc_deadline_in(60000));
    netns_check(ret == 0, "last drain: %d", ret);
    memset(memory, 0xff, PACKETS * PACKET_BYTES); /* the peer may still be reading: what was copied */
    pthread_join(thread, NULL);
    zc_channel_counters(channel, &counters);
    printf("VSOCK engine=%s credit=%s calls=%llu copies=%llu notes=%llu copied=%llu..%llu wrong=%llu "
           "why-not=%s\n",
           used, argv[2], (unsigned long long)counters.zerocopy.calls,
           (unsigned long long)counters.copy_calls, (unsigned long long)counters.zerocopy.notes,
           (unsigned long long)counters.zerocopy.copied_min,
           (unsigned long long)counters.zerocopy.copied_max, (unsigned long long)peer.wrong, why_not);
    zc_channel_free(channel);
    close(sender);
    netns_check(budget.held_pages == 0, "pages left in the budget");
    return peer.wrong > 0;
}
