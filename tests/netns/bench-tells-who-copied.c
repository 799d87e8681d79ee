/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict of the bench: n on loopback, y on the rig that keeps pages, for each engine that
 * tells. */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include <zcmig/bench.h>

#include "lib/netns.h"

static void expect_verdict(const char *wanted)
{
    struct zcmig_bench_options options;
    g_autoptr(GError) error = NULL;
    unsigned int n, told = 0;

    zcmig_bench_options_init(&options);
    options.ways = 1u << ZCMIG_BENCH_IPV4 | 1u << ZCMIG_BENCH_IPV6;
    options.bytes = 16 << 20;
    options.runs = 1;
    g_autoptr(zcmig_bench) bench = zcmig_bench_run(&options, &error);
    netns_check(bench, "%s", error->message);
    const struct zcmig_bench_row *rows = zcmig_bench_get_runs(bench, &n);
    for (unsigned int i = 0; i < n; i++) {
        netns_check(rows[i].bytes == options.bytes, "%s by %s: %llu bytes", rows[i].way,
                    rows[i].used, (unsigned long long)rows[i].bytes);
        if (rows[i].completions > 0) {
            netns_check(
                strcmp(rows[i].verdict, wanted) == 0, "%s by %s: zc=%s, %llu to %llu of %llu",
                rows[i].way, rows[i].used, rows[i].verdict, (unsigned long long)rows[i].copied_min,
                (unsigned long long)rows[i].copied_max, (unsigned long long)rows[i].completions);
            told++;
        }
    }
    netns_check(told >= 2, "only %u runs had notes", told);
}

int main(void)
{
    netns_enter("netns");
    expect_verdict("n");
    int link = netns_attach_xdp();
    if (link < 0) {
        netns_skip("netns", "loopback part passed; no XDP program on lo: %s", strerror(-link));
    }
    expect_verdict("y");
    close(link);
    return 0;
}
