/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <linux/sock_diag.h>

#include "kernel/fact.h"
#include "send/budget.h"

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

static uint32_t optmem(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = { 0 };
    socklen_t length = sizeof(info);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) < 0) {
        netns_skip("kernel", "no SO_MEMINFO: %s", strerror(errno));
    }
    return info[SK_MEMINFO_OPTMEM];
}

int main(void)
{
    uint8_t *memory = netns_memory(4096, 1);
    struct zc_note note;
    int sender, receiver;

    netns_enter("kernel");
    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    netns_enable_zerocopy(sender);
    uint32_t before = optmem(sender);
    netns_check(netns_raw_send(sender, memory, 4096) == 4096, "send");
    uint32_t during = optmem(sender);
    struct netns_reader *reader = netns_reader_start(receiver, 0);
    netns_check(netns_wait_note(sender, FACT_MS, &note), "no note");
    uint32_t after = optmem(sender);
    shutdown(sender, SHUT_WR);
    netns_reader_join(reader, NULL, NULL);
    /* 771 on Linux 6.1, 832 on 6.18: what matters is that we do not reckon with less. */
    fact(during - before > 0 && during - before <= ZC_BUDGET_OPTMEM_PER_CALL && after == before,
         "a call holds at most 832 bytes of option memory, until its note is read",
         "%u before, %u in flight, %u after", before, during, after);
    return 0;
}
