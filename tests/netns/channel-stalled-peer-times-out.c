/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A peer that stops reading: drain and send end at their deadline and say so; a reset says so too. */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns/channel-rig-kernel.h"

#define LIMIT_MS 300

static void check_ends_at(int64_t begin_ns, int ret)
{
    int64_t took_ms = (zc_clock_now_ns() - begin_ns) / ZC_NS_PER_MS;

    netns_check(ret == -ETIMEDOUT, "got %d", ret);
    netns_check(took_ms >= LIMIT_MS && took_ms < LIMIT_MS + 2000, "took %lld ms",
                (long long)took_ms);
}

static void stalled(enum zc_engine_kind engine, enum zc_zerocopy_mode mode)
{
    uint8_t *memory = netns_memory(PACKET_BYTES, 1);
    struct zc_budget budget;
    int sender, receiver, ret;

    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    zc_budget_init(&budget);
    struct zc_channel *channel = open_engine(sender, engine, true, mode, &budget);
    ret = send_packet(channel, memory, PACKET_BYTES, 5000);
    netns_check(ret == 0, "send: %d", ret);
    int64_t begin = zc_clock_now_ns();
    if (mode != ZC_ZEROCOPY_OFF) {
        check_ends_at(begin, zc_channel_drain(channel, zc_deadline_in(LIMIT_MS)));
    }
    int64_t cpu = zc_clock_thread_cpu_ns();
    for (unsigned int i = 0; ret == 0; i++) {
        netns_check(i < 1000, "a socket without end");
        begin = zc_clock_now_ns();
        ret = send_packet(channel, memory, PACKET_BYTES, LIMIT_MS);
    }
    check_ends_at(begin, ret);
    cpu = (zc_clock_thread_cpu_ns() - cpu) / ZC_NS_PER_MS;
    netns_check(cpu < LIMIT_MS / 2, "used %lld ms of CPU while it waited", (long long)cpu);

    struct linger reset = { .l_onoff = 1 };
    setsockopt(receiver, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(receiver);
    ret = zc_channel_drain(channel, zc_deadline_in(10000));
    netns_check(ret == -ECONNRESET || ret == -EPIPE, "after a reset: %d", ret);
    zc_channel_free(channel);
    netns_check(budget.held_pages == 0, "pages left in the budget");
    close(sender);
}

int main(void)
{
    netns_enter("netns");
    stalled(ZC_ENGINE_AUTO, ZC_ZEROCOPY_OFF);
    stalled(ZC_ENGINE_AUTO, ZC_ZEROCOPY_AUTO);
    stalled(ZC_ENGINE_AUTO, ZC_ZEROCOPY_ON);
    /* where it is not to be had, zero-copy once more */
    stalled(ZC_ENGINE_IO_URING, ZC_ZEROCOPY_ON);
    stalled(ZC_ENGINE_SPLICE, ZC_ZEROCOPY_ON);
    return 0;
}
