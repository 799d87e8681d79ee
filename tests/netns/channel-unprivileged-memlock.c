/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An unprivileged user sends 256 MiB over 4 channels by each engine, whatever its RLIMIT_MEMLOCK. */
#include "config.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/size.h"
#include "netns/channel-rig-kernel.h"

#define CHANNELS 4
#define PACKETS 128 /* a channel */

static struct zc_budget budget;
static enum zc_engine_kind engine;

static gpointer send_all(gpointer data)
{
    int sender = GPOINTER_TO_INT(data);
    uint8_t *memory = netns_memory(PACKET_BYTES, 1);
    const struct iovec region = { memory, PACKET_BYTES };
    const struct zc_channel_options options = { .mode = ZC_ZEROCOPY_ON,
                                                .engine = engine,
                                                .memory_is_stable = true,
                                                .regions = &region,
                                                .n_regions = 1,
                                                .budget = &budget,
                                                .wake_fd = -1 };
    struct zc_channel *channel = zc_channel_new(sender, &zc_net_kernel, &options);
    netns_check(channel, "zc_channel_new");
    struct zc_channel_counters counters;
    int ret = 0;

    for (unsigned int i = 0; i < PACKETS && ret == 0; i++) {
        ret = send_packet(channel, memory, PACKET_BYTES, 20000);
    }
    ret = ret == 0 ? zc_channel_drain(channel, zc_deadline_in(20000)) : ret;
    zc_channel_counters(channel, &counters);
    printf("  %d, %llu calls, %llu by copy, %llu split, ENOBUFS %llu memlock %llu optmem, '%s'\n",
           ret, (unsigned long long)counters.zerocopy.calls,
           (unsigned long long)counters.packets_by_copy,
           (unsigned long long)counters.packets_split,
           (unsigned long long)counters.enobufs_memlock,
           (unsigned long long)counters.enobufs_optmem, zc_channel_reason(channel));
    fflush(stdout);
    netns_check(ret == 0, "send: %d", ret);
    netns_check(counters.zerocopy.calls == counters.zerocopy.completed, "calls without a note");
    zc_channel_free(channel);
    shutdown(sender, SHUT_WR);
    close(sender);
    return NULL;
}

static void run_limited(uint64_t memlock_bytes)
{
    struct netns_reader *readers[CHANNELS];
    GThread *threads[CHANNELS];
    uint64_t total = 0, bytes;

    netns_become_limited_user(memlock_bytes);
    zc_budget_init(&budget);
    netns_check(budget.memlock_bytes == memlock_bytes, "the budget saw %llu",
                (unsigned long long)budget.memlock_bytes);
    for (unsigned int i = 0; i < CHANNELS; i++) {
        int sender, receiver;
        netns_tcp_pair("127.0.0.1", &sender, &receiver);
        readers[i] = netns_reader_start(receiver, 0);
        threads[i] = g_thread_new("channel", send_all, GINT_TO_POINTER(sender));
    }
    for (unsigned int i = 0; i < CHANNELS; i++) {
        g_thread_join(threads[i]);
        netns_reader_join(readers[i], &bytes, NULL);
        total += bytes;
    }
    netns_check(total == (uint64_t)CHANNELS * PACKETS * (PACKET_BYTES + HEADER_BYTES),
                "got %llu bytes", (unsigned long long)total);
    netns_check(budget.held_pages == 0, "pages left in the budget");
}

static void run_limits(void)
{
    static const uint64_t limits[] = { 0, 64 * ZC_KIB, ZC_MIB, 8 * ZC_MIB };

    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        int status = 0;
        int64_t begin = zc_clock_now_ns();
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            run_limited(limits[i]);
            fflush(stdout);
            _exit(0);
        }
        netns_check(waitpid(child, &status, 0) == child, "waitpid");
        netns_check(status == 0, "limit of %llu: status %#x", (unsigned long long)limits[i], status);
        printf("limit of %llu: %lld ms\n", (unsigned long long)limits[i],
               (long long)((zc_clock_now_ns() - begin) / ZC_NS_PER_MS));
    }
}

int main(void)
{
    static const enum zc_engine_kind engines[] = { ZC_ENGINE_ZEROCOPY, ZC_ENGINE_IO_URING,
                                                   ZC_ENGINE_SPLICE };

    netns_enter("netns");
    for (size_t i = 0; i < G_N_ELEMENTS(engines); i++) {
        engine = engines[i];
        run_limits();
    }
    return 0;
}
