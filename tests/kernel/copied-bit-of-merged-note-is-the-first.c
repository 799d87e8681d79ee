/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kernel/fact.h"

#define BYTES (64u * 1024)

/* Makes one call and waits until it is done, without reading its note. */
static void send_and_wait(int sender, const uint8_t *memory, int receiver)
{
    g_autofree uint8_t *buffer = g_malloc(BYTES);
    size_t got = 0;

    netns_check(netns_raw_send(sender, memory, BYTES) == BYTES, "send");
    while (got < BYTES) {
        ssize_t part = recv(receiver, buffer, BYTES - got, 0);
        netns_check(part > 0, "recv: %zd", part);
        got += (size_t)part;
    }
}

/* Two calls, the first as loopback does it, the second with XDP, or the other way round. */
static struct zc_note merged_note(bool copied_first)
{
    uint8_t *memory = netns_memory(BYTES, 1);
    struct zc_note note = { 0 };
    int sender, receiver;
    int link = -1;

    netns_tcp_pair("127.0.0.1", &sender, &receiver);
    netns_enable_zerocopy(sender);
    for (int call = 0; call < 2; call++) {
        if ((call == 0) != copied_first) {
            link = netns_attach_xdp();
            netns_check(link >= 0, "XDP: %s", strerror(-link));
        }
        send_and_wait(sender, memory, receiver);
        if (link >= 0) {
            close(link);
            link = -1;
        }
    }
    netns_check(netns_wait_note(sender, FACT_MS, &note), "no note");
    close(sender);
    close(receiver);
    return note;
}

int main(void)
{
    netns_enter("kernel");
    int link = netns_attach_xdp();
    if (link < 0) {
        netns_skip("kernel", "no XDP program on lo: %s", strerror(-link));
    }
    close(link);
    struct zc_note copied = merged_note(true);
    struct zc_note real = merged_note(false);
    if (copied.lo == copied.hi || real.lo == real.hi || copied.copied == real.copied) {
        netns_skip("kernel", "notes %u..%u %d and %u..%u %d were not merged or not different here",
                   copied.lo, copied.hi, copied.copied, real.lo, real.hi, real.copied);
    }
    fact(copied.copied && !real.copied, "a merged note has the COPIED bit of its first call",
         "copied and not: %u..%u %s; not and copied: %u..%u %s", copied.lo, copied.hi,
         copied.copied ? "COPIED" : "-", real.lo, real.hi, real.copied ? "COPIED" : "-");
    return 0;
}
