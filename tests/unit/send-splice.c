/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/channel-rig.h"
#include "lib/unit.h"

static struct fake_options options;
static struct rig rig;

static void setup(void)
{
    fake_options_init(&options);
    options.seed = zc_unit_seed();
    options.domain = AF_UNIX;
    options.sndbuf_bytes = 64 << 20;
}

static void start(bool stable)
{
    rig_init_engine(&rig, &options,
                    (struct zc_channel_options){ .mode = ZC_ZEROCOPY_AUTO,
                                                 .engine = ZC_ENGINE_SPLICE,
                                                 .memory_is_stable = stable });
}

static void expect_engine(const char *name, const char *reason_part)
{
    const char *why_not;

    ck_assert_str_eq(zc_channel_engine(rig.channel, &why_not), name);
    ck_assert_msg(strstr(why_not, reason_part) && !*why_not == !*reason_part, "got '%s'", why_not);
}

START_TEST(pages_go_by_reference_and_the_header_by_copy)
{
    start(false);
    expect_engine("splice", "");
    for (unsigned int i = 0; i < 5; i++) {
        ck_assert_int_eq(rig_send(&rig, 128, 1000), 0);
    }
    ck_assert_uint_eq(rig.fake->truth.splices, 5);
    ck_assert_uint_eq(rig.fake->truth.plain_calls, 5);
    ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    rig_check(&rig);
    rig_clear(&rig);
}
END_TEST

START_TEST(a_small_pipe_is_filled_again)
{
    options.pipe_pages = 16;
    options.short_percent = 50;
    start(false);
    ck_assert_int_eq(rig_send(&rig, 200, 1000), 0);
    ck_assert_uint_ge(rig.fake->truth.splices, 200 / 16);
    ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    rig_check(&rig);
    rig_clear(&rig);
}
END_TEST

/* The fake reads the pages when the peer does, so new content too early would get there. */
START_TEST(memory_is_free_when_drained_and_not_before)
{
    options.ns_per_kib = 100000; /* the packet takes 50 ms */
    start(false);
    ck_assert_int_eq(rig_send(&rig, 128, 1000), 0);
    ck_assert_int_eq(rig_drain(&rig, 10), -ETIMEDOUT);
    ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    rig_fill(&rig, 2);
    rig_check(&rig);
    rig_clear(&rig);
}
END_TEST

START_TEST(a_peer_that_stalls_or_resets_ends_the_drain)
{
    options.stall_at_bytes = 0;
    start(false);
    ck_assert_int_eq(rig_send(&rig, 16, 1000), 0);
    int64_t begin = rig.fake->now_ns;
    ck_assert_int_eq(rig_drain(&rig, 300), -ETIMEDOUT);
    ck_assert_int_ge(rig.fake->now_ns - begin, 300 * ZC_NS_PER_MS);
    rig_clear(&rig);

    options.stall_at_bytes = FAKE_NEVER;
    options.reset_at_bytes = 1344;
    options.ns_per_kib = 100000; /* so that it comes after the packet was sent */
    start(false);
    ck_assert_int_eq(rig_send(&rig, 16, 1000), 0);
    ck_assert_int_eq(rig_drain(&rig, 1000), -ECONNRESET);
    rig_clear(&rig);
}
END_TEST

START_TEST(over_tcp_only_memory_that_does_not_change)
{
    options.domain = AF_INET;
    start(false);
    expect_engine("zerocopy", "needs RAM that does not change");
    ck_assert_int_eq(rig_send(&rig, 128, 1000), 0);
    ck_assert_uint_eq(rig.fake->truth.splices, 0);
    ck_assert_uint_eq(rig.fake->truth.calls, 1);
    ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    rig_check(&rig);
    rig_clear(&rig);

    start(true);
    expect_engine("splice", "");
    rig_clear(&rig);
}
END_TEST

START_TEST(what_cannot_be_had_is_replaced_and_says_why)
{
    options.pipe_pages = 0;
    start(false);
    expect_engine("copy", "splice got no pipe");
    ck_assert_int_eq(rig_send(&rig, 128, 1000), 0);
    ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    rig_check(&rig);
    rig_clear(&rig);

    options.domain = AF_VSOCK;
    start(true);
    expect_engine("zerocopy", "TCP or a UNIX socket");
    rig_clear(&rig);

    rig_init_engine(
        &rig, &options,
        (struct zc_channel_options){ .mode = ZC_ZEROCOPY_ON, .engine = ZC_ENGINE_COPY });
    expect_engine("copy", "");
    rig_clear(&rig);

    options.domain = AF_UNIX;
    rig_init_engine(&rig, &options,
                    (struct zc_channel_options){ .mode = ZC_ZEROCOPY_OFF,
                                                 .engine = ZC_ENGINE_SPLICE });
    expect_engine("copy", "not asked for");
    ck_assert_int_eq(rig_send(&rig, 128, 1000), 0);
    ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    rig_check(&rig);
    rig_clear(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-splice");
    TCase *tcase = tcase_create("splice");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, pages_go_by_reference_and_the_header_by_copy);
    tcase_add_test(tcase, a_small_pipe_is_filled_again);
    tcase_add_test(tcase, memory_is_free_when_drained_and_not_before);
    tcase_add_test(tcase, a_peer_that_stalls_or_resets_ends_the_drain);
    tcase_add_test(tcase, over_tcp_only_memory_that_does_not_change);
    tcase_add_test(tcase, what_cannot_be_had_is_replaced_and_says_why);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
