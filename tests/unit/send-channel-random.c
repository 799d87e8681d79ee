/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thousands of kernels, each made up from a seed: what holds for all of them.
 * A failing one is repeated alone with ZC_SEED=seed ZC_SCENARIO=number.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "lib/channel-rig.h"
#include "lib/unit.h"

#define SCENARIOS 1000
/* A wait may end this long after its deadline: poll's rounding and a few system calls. */
#define SLACK_NS (3 * ZC_NS_PER_MS)

static guint64 between(GRand *rand, gint32 low, gint32 high)
{
    return (guint64)g_rand_int_range(rand, low, high + 1);
}

static bool often(GRand *rand, unsigned int percent)
{
    return between(rand, 0, 99) < percent;
}

static void draw_kernel(GRand *rand, struct fake_options *options)
{
    static const uint64_t limits[] = { 0, 2, 3, 16, 40, 256, 2048 };

    fake_options_init(options);
    options->seed = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
    options->first_serial = often(rand, 50) ? UINT32_MAX - (uint32_t)between(rand, 0, 40) : 0;
    options->domain = often(rand, 50) ? AF_INET : AF_INET6;
    if (often(rand, 20)) {
        options->domain = AF_VSOCK;
        options->ids_per_call = (unsigned int)between(rand, 1, 6);
        options->merge_delay_ns = often(rand, 30) ? (int64_t)between(rand, 0, 4) * ZC_NS_PER_MS : 0;
    }
    options->no_zerocopy = often(rand, 3);
    options->no_meminfo = often(rand, 20);
    options->sndbuf_bytes = between(rand, 16, 2048) * 1024;
    options->memlock_pages =
        often(rand, 40) ? FAKE_NEVER : limits[between(rand, 0, G_N_ELEMENTS(limits) - 1)];
    options->optmem_bytes = often(rand, 60) ? 131072 : between(rand, 1, 24) * 832;
    options->ns_per_kib = (int64_t)between(rand, 100, often(rand, 10) ? 1000000 : 20000);
    options->note_delay_ns = often(rand, 60) ? (int64_t)between(rand, 0, 60) * ZC_NS_PER_MS : 0;
    options->reorder = often(rand, 30);
    options->short_percent = often(rand, 50) ? (unsigned int)between(rand, 0, 60) : 0;
    options->foreign_percent = often(rand, 20) ? 20 : 0;
    options->copied_percent = often(rand, 50) ? (unsigned int)between(rand, 0, 100) : 0;
    options->lie_percent = often(rand, 20) ? (unsigned int)between(rand, 0, 50) : 0;
    options->phantom_percent = often(rand, 10) ? (unsigned int)between(rand, 0, 100) : 0;
}

static int send_random_packet(struct rig *rig, GRand *rand, zc_deadline deadline)
{
    struct iovec runs[ZC_CHANNEL_IOVS_MAX - 1];
    unsigned int n_runs = often(rand, 10) ? 0 : (unsigned int)between(rand, 1, 12);
    unsigned int page = 0;

    for (unsigned int i = 0; i < n_runs; i++) {
        unsigned int pages = (unsigned int)between(rand, 0, 14);
        page += (unsigned int)between(rand, 0, 6);
        runs[i].iov_base = rig->memory + (size_t)page * RIG_PAGE_BYTES;
        runs[i].iov_len = (size_t)pages * RIG_PAGE_BYTES;
        page += pages;
    }
    ck_assert_uint_le(page, RIG_PAGES);
    return rig_send_runs(rig, between(rand, 1, 4096), runs, n_runs, deadline);
}

/* What others of the user hold comes and goes. */
static void shift_foreign_pages(struct rig *rig, GRand *rand)
{
    uint64_t limit = rig->fake->options.memlock_pages;

    if (limit != FAKE_NEVER && often(rand, 10)) {
        rig->fake->foreign_pages = often(rand, 50) ? 0 : between(rand, 0, (gint32)limit);
    }
}

/* A channel of any engine; splice over TCP with the promise that it needs. */
static void draw_channel(GRand *rand, struct rig *rig, struct fake_options *options,
                         enum zc_zerocopy_mode mode)
{
    bool splices = often(rand, 25);

    options->domain = splices && often(rand, 70) ? AF_UNIX : options->domain;
    options->pipe_pages = (unsigned int)between(rand, 0, 20);
    rig_init_engine(rig, options,
                    (struct zc_channel_options){
                        .mode = mode,
                        .engine = splices ? ZC_ENGINE_SPLICE : ZC_ENGINE_AUTO,
                        .memory_is_stable = true,
                        .copied_limit = (uint32_t)between(rand, 0, 8),
                        .probe_packets = (uint32_t)between(rand, 1, 6),
                    });
}

/* The peer keeps reading, so everything arrives, by whatever means. */
static void scenario_arrives(GRand *rand)
{
    struct fake_options options;
    struct rig rig;
    unsigned int rounds = (unsigned int)between(rand, 1, 3);

    draw_kernel(rand, &options);
    draw_channel(rand, &rig, &options, often(rand, 70) ? ZC_ZEROCOPY_AUTO : ZC_ZEROCOPY_ON);
    if (often(rand, 30)) { /* a budget that knows nothing */
        zc_budget_init_from(&rig.budget, ZC_BUDGET_UNLIMITED, 0);
    }
    for (unsigned int round = 0; round < rounds; round++) {
        unsigned int packets = (unsigned int)between(rand, 1, often(rand, 10) ? 60 : 12);
        rig_fill(&rig, (uint8_t)(round + 2));
        for (unsigned int i = 0; i < packets; i++) {
            shift_foreign_pages(&rig, rand);
            ck_assert_int_eq(send_random_packet(&rig, rand, ZC_DEADLINE_NEVER), 0);
            if (often(rand, 20)) {
                fake_kernel_sleep(rig.fake, (int64_t)between(rand, 0, 5) * ZC_NS_PER_MS);
            }
            if (often(rand, 10)) {
                ck_assert_int_eq(zc_channel_reap(rig.channel), 0);
            }
        }
        ck_assert_int_eq(zc_channel_drain(rig.channel, ZC_DEADLINE_NEVER), 0);
        rig_check(&rig);
    }
    rig_clear(&rig);
}

/* The peer stalls, resets, or somebody cancels: it ends, in time, with the right answer. */
static void scenario_ends(GRand *rand)
{
    struct fake_options options;
    struct rig rig;
    int64_t limit_ns = (int64_t)between(rand, 1, 300) * ZC_NS_PER_MS;
    unsigned int how = (unsigned int)between(rand, 0, 2);
    int64_t end_ns = INT64_MAX;
    int ret = 0;

    draw_kernel(rand, &options);
    options.stall_at_bytes = between(rand, 0, 1 << 20);
    if (how == 1) {
        options.reset_at_bytes = options.stall_at_bytes;
        options.stall_at_bytes = FAKE_NEVER;
        options.reset_keeps_notes = often(rand, 50);
    }
    draw_channel(rand, &rig, &options, ZC_ZEROCOPY_AUTO);
    if (how == 2) {
        rig.fake->wake_at_ns = rig.fake->now_ns + (int64_t)between(rand, 0, 100) * ZC_NS_PER_MS;
    }
    while (ret == 0 && rig.packets < 200) {
        end_ns = rig.fake->now_ns + limit_ns;
        ret = send_random_packet(&rig, rand, end_ns);
    }
    if (ret == 0) {
        end_ns = rig.fake->now_ns + limit_ns;
        ret = zc_channel_drain(rig.channel, end_ns);
    }
    switch (how) {
    case 0:
        ck_assert_msg(ret == -ETIMEDOUT || ret == 0, "stalled: got %d", ret);
        break;
    case 1:
        ck_assert_msg(ret == -ECONNRESET || ret == -EPIPE || ret == -ETIMEDOUT, "reset: got %d", ret);
        break;
    default:
        ck_assert_msg(ret == -ECANCELED || ret == -ETIMEDOUT || ret == 0, "cancelled: got %d", ret);
        break;
    }
    if (ret == -ETIMEDOUT) {
        ck_assert_int_ge(rig.fake->now_ns, end_ns);
    }
    ck_assert_int_le(rig.fake->now_ns, end_ns + SLACK_NS);
    rig_clear(&rig);
}

static void run(void (*scenario)(GRand *rand), unsigned int number)
{
    const guint32 seed[] = { (guint32)zc_unit_seed(), (guint32)(zc_unit_seed() >> 32), number };
    const char *only = getenv("ZC_SCENARIO");
    g_autoptr(GRand) rand = g_rand_new_with_seed_array(seed, G_N_ELEMENTS(seed));

    if (only && strtoul(only, NULL, 0) != number) {
        return;
    }
    g_autofree char *text = g_strdup_printf("%u", number);
    g_setenv("ZC_RUNNING_SCENARIO", text, TRUE);
    scenario(rand);
}

/* Says which scenario it was, when the test process ends in the middle of one. */
static void say_scenario(void)
{
    const char *number = getenv("ZC_RUNNING_SCENARIO");

    if (number) {
        printf("ended in ZC_SCENARIO=%s\n", number);
        fflush(stdout);
    }
}

START_TEST(everything_arrives_while_the_peer_reads)
{
    atexit(say_scenario);
    for (unsigned int i = 0; i < SCENARIOS; i++) {
        run(scenario_arrives, i);
    }
    g_unsetenv("ZC_RUNNING_SCENARIO");
}
END_TEST

START_TEST(everything_ends_when_the_peer_does_not)
{
    atexit(say_scenario);
    for (unsigned int i = 0; i < SCENARIOS; i++) {
        run(scenario_ends, SCENARIOS + i);
    }
    g_unsetenv("ZC_RUNNING_SCENARIO");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-channel-random");
    TCase *tcase = tcase_create("channel");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, everything_arrives_while_the_peer_reads);
    tcase_add_test(tcase, everything_ends_when_the_peer_does_not);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
