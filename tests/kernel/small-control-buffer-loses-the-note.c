/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <poll.h>

#include "kernel/fact.h"

int main(void)
{
    uint8_t *memory = netns_memory(65536, 1);
    union {
        struct cmsghdr align;
        uint8_t bytes[8];
    } control;
    struct msghdr msg = { .msg_control = &control, .msg_controllen = sizeof(control.bytes) };
    struct zc_note note;
    int sender, receiver;

    netns_enter("kernel");
    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    netns_enable_zerocopy(sender);
    netns_check(netns_raw_send(sender, memory, 65536) == 65536, "send");
    struct netns_reader *reader = netns_reader_start(receiver, 0);
    struct pollfd wait = { .fd = sender };
    netns_check(poll(&wait, 1, FACT_MS) == 1 && (wait.revents & POLLERR), "no POLLERR");
    ssize_t got = recvmsg(sender, &msg, MSG_ERRQUEUE);
    int again = netns_wait_note(sender, 50, &note);
    shutdown(sender, SHUT_WR);
    netns_reader_join(reader, NULL, NULL);
    fact(got == 0 && (msg.msg_flags & MSG_CTRUNC) && again == 0,
         "a control buffer that is too small loses the note",
         "recvmsg %zd with flags %#x, notes afterwards %d", got, (unsigned int)msg.msg_flags,
         again);
    return 0;
}
