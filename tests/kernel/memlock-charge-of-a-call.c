/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kernel/fact.h"
#include "send/budget.h"

#define LIMIT_PAGES 512u

/* Zero-copy calls of @bytes that a user may have in flight, against a peer that does not read. */
static unsigned int calls_until_enobufs(size_t bytes)
{
    uint8_t *memory = netns_memory(bytes, 1);
    unsigned int calls = 0;
    int sender, receiver;
    ssize_t sent;

    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    netns_enable_zerocopy(sender);
    /* The limit of 2 MiB is met before the socket is full. */
    while ((sent = netns_raw_send(sender, memory, bytes)) == (ssize_t)bytes) {
        calls++;
    }
    netns_check(sent == -ENOBUFS, "after %u calls: %zd", calls, sent);
    sent = send(sender, memory, 4096, MSG_DONTWAIT);
    netns_check(sent == 4096, "a plain send after ENOBUFS: %zd", sent);
    struct netns_reader *reader = netns_reader_start(receiver, 0);
    struct zc_note note;
    for (unsigned int noted = 0; noted < calls; noted += note.hi - note.lo + 1) {
        netns_check(netns_wait_note(sender, FACT_MS, &note), "no note");
    }
    shutdown(sender, SHUT_WR);
    netns_reader_join(reader, NULL, NULL);
    close(sender);
    return calls;
}

int main(void)
{
    static const size_t sizes[] = { 64 * 1024, 128 * 1024, 256 * 1024 };

    netns_enter("kernel");
    netns_become_limited_user((uint64_t)LIMIT_PAGES * 4096);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        unsigned int expected = LIMIT_PAGES / zc_budget_charge(sizes[i]);
        unsigned int calls = calls_until_enobufs(sizes[i]);
        fact(calls == expected, "a call holds size / 4096 + 2 pages of RLIMIT_MEMLOCK",
             "%zu KiB: %u calls in %u pages, expected %u", sizes[i] / 1024, calls, LIMIT_PAGES,
             expected);
    }
    return 0;
}
