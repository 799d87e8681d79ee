/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring with registered memory on the real kernel: what is sent once is not pinned, what is sent
 * again is, in one piece and in scattered pages; new content in pinned pages arrives; a limit and
 * memory that cannot be pinned are said, and everything arrives all the same.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns/channel-rig-kernel.h"

#define PACKETS 16u
#define ROUNDS 6u
#define MEMORY_BYTES (PACKETS * (size_t)PACKET_BYTES * 2) /* scattered pages leave holes */

static struct zc_budget budget;

struct peer {
    int fd;
    uint64_t wrong;
};

/* Packets of a round: a header of zeros, and bytes that are the round's number. */
static void *read_rounds(void *data)
{
    struct peer *peer = data;
    uint8_t *buffer = g_malloc(HEADER_BYTES + PACKET_BYTES);

    for (unsigned int i = 0; i < ROUNDS * PACKETS; i++) {
        ssize_t got = recv(peer->fd, buffer, HEADER_BYTES + PACKET_BYTES, MSG_WAITALL);
        if (got != (ssize_t)(HEADER_BYTES + PACKET_BYTES)) {
            peer->wrong += UINT32_MAX;
            break;
        }
        for (unsigned int k = 0; k < HEADER_BYTES + PACKET_BYTES; k++) {
            peer->wrong += buffer[k] != (k < HEADER_BYTES ? 0 : 1 + i / PACKETS);
        }
    }
    g_free(buffer);
    return NULL;
}

static int send_scattered(struct zc_channel *channel, uint8_t *memory, unsigned int runs)
{
    struct iovec pages[128];
    size_t run_bytes = PACKET_BYTES / runs;
    uint8_t *header;
    int ret = zc_channel_header(channel, &header, zc_deadline_in(10000));

    for (unsigned int i = 0; i < runs; i++) {
        pages[i] = (struct iovec){ memory + i * run_bytes * 2, run_bytes };
    }
    if (ret == 0) {
        memset(header, 0, HEADER_BYTES);
        ret = zc_channel_send(channel, HEADER_BYTES, pages, runs, zc_deadline_in(10000));
    }
    return ret;
}

/* @runs of a packet, with a hole after each; the counters, and why memory was not registered. */
static struct zc_channel_counters deliver(uint8_t *memory, bool writable, unsigned int runs,
                                          const char **unregistered_out)
{
    const struct iovec region = { memory, MEMORY_BYTES };
    const struct zc_channel_options options = { .mode = ZC_ZEROCOPY_ON,
                                                .engine = ZC_ENGINE_IO_URING,
                                                .regions = &region,
                                                .n_regions = 1,
                                                .budget = &budget,
                                                .wake_fd = -1 };
    struct zc_channel_counters counters;
    struct peer peer = { 0 };
    const char *why_not;
    pthread_t thread;
    int sender;

    netns_tcp_pair("127.0.0.1", &sender, &peer.fd);
    struct zc_channel *channel = zc_channel_new(sender, &zc_net_kernel, &options);
    netns_check(channel, "zc_channel_new");
    if (strcmp(zc_channel_engine(channel, &why_not), "io_uring") != 0) {
        netns_skip("netns", "%s", why_not);
    }
    netns_check(pthread_create(&thread, NULL, read_rounds, &peer) == 0, "pthread_create");
    for (unsigned int round = 0; round < ROUNDS; round++) {
        if (writable) {
            memset(memory, (int)round + 1, MEMORY_BYTES);
        }
        for (unsigned int i = 0; i < PACKETS; i++) {
            int ret = send_scattered(channel, memory + i * (size_t)PACKET_BYTES * 2, runs);
            netns_check(ret == 0, "send: %d", ret);
        }
        int ret = zc_channel_drain(channel, zc_deadline_in(10000));
        netns_check(ret == 0, "drain: %d", ret);
    }
    pthread_join(thread, NULL);
    netns_check(!writable || peer.wrong == 0, "%llu bytes wrong", (unsigned long long)peer.wrong);
    zc_channel_counters(channel, &counters);
    *unregistered_out = zc_channel_unregistered(channel);
    zc_channel_free(channel);
    netns_check(budget.held_pages == 0, "pages left in the budget");
    netns_check(counters.zerocopy.completed == counters.zerocopy.calls, "calls without a note");
    close(sender);
    close(peer.fd);
    printf("%u runs: %llu calls, %llu MiB, of them registered %llu; %s\n", runs,
           (unsigned long long)counters.zerocopy.calls,
           (unsigned long long)counters.zerocopy.bytes >> 20,
           (unsigned long long)counters.registered_bytes >> 20, *unregistered_out);
    return counters;
}

static void check_limited(uint8_t *memory)
{
    const char *unregistered;

    netns_become_limited_user(8 << 20);
    zc_budget_init(&budget);
    struct zc_channel_counters counters = deliver(memory, true, 1, &unregistered);
    netns_check(strstr(unregistered, "RLIMIT_MEMLOCK"), "got '%s'", unregistered);
    netns_check(counters.registered_bytes < counters.zerocopy.bytes / 2, "more than the limit");
    exit(0);
}

static void check_read_only(void)
{
    const char *unregistered;
    int fd = memfd_create("image", MFD_CLOEXEC);

    netns_check(fd >= 0 && ftruncate(fd, MEMORY_BYTES) == 0, "memfd");
    uint8_t *image = mmap(NULL, MEMORY_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    netns_check(image != MAP_FAILED, "mmap");
    struct zc_channel_counters counters = deliver(image, false, 1, &unregistered);
    netns_check(counters.registered_bytes == 0, "registered all the same");
    netns_check(strstr(unregistered, "does not pin this kind"), "got '%s'", unregistered);
}

int main(void)
{
    const char *unregistered;
    int status = 0;

    netns_enter("netns");
    zc_budget_init(&budget);
    uint8_t *memory = netns_memory(MEMORY_BYTES, 1);
    /* A slice is registered once as much as its size was sent: with the holes after two rounds, after
     * three where a short send left less than what is counted. */
    struct zc_channel_counters counters = deliver(memory, true, 1, &unregistered);
    netns_check(*unregistered == '\0', "got '%s'", unregistered);
    netns_check(counters.registered_bytes <= (ROUNDS - 2) * PACKETS * (uint64_t)PACKET_BYTES &&
                    counters.registered_bytes >= (ROUNDS - 3) * PACKETS * (uint64_t)PACKET_BYTES,
                "%llu bytes registered", (unsigned long long)counters.registered_bytes);
    counters = deliver(memory, true, 4, &unregistered);
    netns_check(counters.registered_bytes > 0, "none registered");
    deliver(memory, true, 128, &unregistered); /* by kernel */
    check_read_only();

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        check_limited(memory);
    }
    netns_check(waitpid(child, &status, 0) == child && status == 0, "status %#x", status);
    return 0;
}
