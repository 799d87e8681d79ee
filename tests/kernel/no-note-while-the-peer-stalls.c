/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kernel/fact.h"

int main(void)
{
    uint8_t *memory = netns_memory(1 << 20, 1);
    struct zc_note note;
    int sender, receiver;

    netns_enter("kernel");
    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    netns_enable_zerocopy(sender);
    netns_check(netns_raw_send(sender, memory, 1 << 20) > 0, "send");
    int stalled = netns_wait_note(sender, 300, &note);
    shutdown(sender, SHUT_RDWR);
    int hung_up = netns_wait_note(sender, 0, &note);
    struct linger reset = { .l_onoff = 1 };
    setsockopt(receiver, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(receiver);
    int gone = netns_wait_note(sender, FACT_MS, &note);
    fact(!stalled && !hung_up && gone,
         "no note while the peer stalls, nor after shutdown; one when it resets",
         "%d while stalled, %d after shutdown, %d after the reset", stalled, hung_up, gone);
    return 0;
}
