/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kernel/fact.h"

int main(void)
{
    uint8_t *memory = netns_memory(65536, 1);
    struct zc_note note;
    uint64_t bytes;
    int sender, receiver;

    netns_enter("kernel");
    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    ssize_t sent = netns_raw_send(sender, memory, 65536);
    shutdown(sender, SHUT_WR);
    netns_reader_join(netns_reader_start(receiver, 0), &bytes, NULL);
    int notes = netns_wait_note(sender, 100, &note);
    fact(sent == 65536 && bytes == 65536 && notes == 0,
         "without SO_ZEROCOPY the flag is ignored: a waiter for notes would hang",
         "sent %zd, arrived %llu, notes %d", sent, (unsigned long long)bytes, notes);
    return 0;
}
