/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams through an ifb device, which throws them away without touching them: the bench says y
 * without a packet tap and n with one, for calls that are one packet and for calls that the kernel
 * cuts into segments; a call that has to be cut into fragments is copied.  And a sink's count: all
 * or less of what was sent, unknown where nobody counts.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>

#include <zcmig/bench.h>

#include "lib/netns.h"

/* The bench of one engine over UDP to @destination, or to its own sink. */
static zcmig_bench *run_bench(const char *destination, uint64_t chunk_bytes,
                              unsigned int segment_bytes, unsigned int engines)
{
    struct zcmig_bench_options options;
    g_autoptr(GError) error = NULL;

    zcmig_bench_options_init(&options);
    options.destination = destination;
    options.ways = 1u << ZCMIG_BENCH_UDP_IPV4 | 1u << ZCMIG_BENCH_UDP_IPV6;
    options.engines = engines;
    options.chunk_bytes[0] = chunk_bytes;
    options.n_chunks = 1;
    options.udp_segment_bytes = segment_bytes;
    options.bytes = 4 << 20;
    options.runs = 1;
    zcmig_bench *bench = zcmig_bench_run(&options, &error);
    netns_check(bench, "%s", error->message);
    return bench;
}

static void expect(const char *verdict, uint64_t chunk_bytes, unsigned int segment_bytes)
{
    unsigned int n, told = 0;
    g_autoptr(zcmig_bench) bench =
        run_bench("udp:192.0.2.9:9", chunk_bytes, segment_bytes,
                  1u << ZCMIG_ENGINE_COPY | 1u << ZCMIG_ENGINE_ZEROCOPY |
                      1u << ZCMIG_ENGINE_IO_URING | 1u << ZCMIG_ENGINE_SPLICE);
    const struct zcmig_bench_row *rows = zcmig_bench_get_runs(bench, &n);

    netns_check(n == 4, "%u rows", n);
    for (unsigned int i = 0; i < n; i++) {
        netns_check(rows[i].bytes == 4 << 20, "%llu bytes", (unsigned long long)rows[i].bytes);
        netns_check(rows[i].lost_bytes == -1, "nobody counts, and %lld were lost",
                    (long long)rows[i].lost_bytes);
        if (rows[i].completions > 0) {
            netns_check(rows[i].completions == rows[i].calls, "calls without a note");
            netns_check(strcmp(rows[i].verdict, verdict) == 0,
                        "%s, chunk %llu, segments of %u: zc=%s, expected %s", rows[i].used,
                        (unsigned long long)chunk_bytes, segment_bytes, rows[i].verdict, verdict);
            told++;
        }
    }
    netns_check(strcmp(rows[3].used, "zerocopy") == 0 && strstr(rows[3].why_not, "splice needs"),
                "splice: '%s'", rows[3].why_not);
    netns_check(told >= 2, "only %u runs had notes", told);
}

static void check_own_sinks(void)
{
    unsigned int n;
    g_autoptr(zcmig_bench) bench = run_bench(NULL, 1400, 0, 1u << ZCMIG_ENGINE_COPY);
    const struct zcmig_bench_row *rows = zcmig_bench_get_runs(bench, &n);

    netns_check(n == 2, "%u rows", n);
    for (unsigned int i = 0; i < n; i++) {
        netns_check(rows[i].lost_bytes >= 0 && (uint64_t)rows[i].lost_bytes < rows[i].bytes,
                    "%s: %lld of %llu bytes lost", rows[i].way, (long long)rows[i].lost_bytes,
                    (unsigned long long)rows[i].bytes);
    }
}

int main(void)
{
    netns_enter("netns");
    check_own_sinks();
    if (system("ip link add sink0 type ifb 2>/dev/null && ip link set sink0 mtu 65535 up && "
               "ip addr add 192.0.2.1/24 dev sink0 && "
               "ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev sink0") != 0) {
        netns_skip("netns", "own sinks passed; no ifb device here");
    }
    expect("y", 60 * 1024, 0);
    netns_check(system("ip link set sink0 mtu 1500") == 0, "mtu");
    expect("n", 60 * 1024, 0); /* in fragments */
    expect("y", 56000, 1400);
    int tap = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    netns_check(tap >= 0, "tap");
    expect("n", 56000, 1400);
    close(tap);
    expect("y", 56000, 1400);
    return 0;
}
