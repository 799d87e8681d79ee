/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kernel/fact.h"

int main(void)
{
    const size_t bytes = 64 * 1024;
    uint8_t *memory = netns_memory(bytes, 1);
    uint32_t calls = 0, highest = 0, noted = 0;
    unsigned int plain = 0, refused = 0;
    struct zc_note note;
    int sender, receiver;

    netns_enter("kernel");
    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    netns_enable_zerocopy(sender);
    /* Plain sends, empty ones and refused ones in between; the last that succeed are short. */
    while (refused < 3) {
        ssize_t sent = netns_raw_send(sender, memory, bytes);
        if (sent < 0) {
            netns_check(sent == -EAGAIN, "send: %zd", sent);
            refused++;
            continue;
        }
        calls++;
        netns_check(netns_raw_send(sender, memory, 0) == 0, "an empty send");
        plain += send(sender, memory, 100, MSG_DONTWAIT) > 0;
    }
    struct netns_reader *reader = netns_reader_start(receiver, 0);
    while (noted < calls && netns_wait_note(sender, FACT_MS, &note)) {
        noted += note.hi - note.lo + 1;
        highest = note.hi;
    }
    shutdown(sender, SHUT_WR);
    netns_reader_join(reader, NULL, NULL);
    fact(noted == calls && highest == calls - 1,
         "each successful zero-copy send gets the next number, whatever else is sent",
         "%u calls, %u plain sends, %u refused: numbers up to %u", calls, plain, refused, highest);
    return 0;
}
