/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "lib/channel-rig.h"
#include "lib/unit.h"

static struct fake_options options;
static struct rig rig;

static void setup(void)
{
    fake_options_init(&options);
    options.seed = zc_unit_seed();
    options.sndbuf_bytes = 64 << 20;
}

static void start(enum zc_zerocopy_mode mode)
{
    rig_init(&rig, &options, mode, 8, 16);
}

START_TEST(header_and_pages_leave_in_one_call)
{
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 10, 128);
    ck_assert_uint_eq(rig.fake->truth.sendmsgs, 10);
    ck_assert_uint_eq(rig_counters(&rig).zerocopy.calls, 10);
    rig_finish(&rig);
}
END_TEST

START_TEST(a_packet_without_pages_is_copied)
{
    start(ZC_ZEROCOPY_ON);
    ck_assert_int_eq(rig_send_runs(&rig, 1344, NULL, 0, ZC_DEADLINE_NEVER), 0);
    ck_assert_uint_eq(rig.fake->truth.plain_calls, 1);
    ck_assert_uint_eq(rig.fake->truth.calls, 0);
    rig_finish(&rig);
}
END_TEST

START_TEST(off_never_asks_and_says_so)
{
    start(ZC_ZEROCOPY_OFF);
    rig_send_ok(&rig, 600, 1);
    ck_assert_uint_eq(rig.fake->truth.calls, 0);
    ck_assert(!rig.fake->zerocopy);
    ck_assert_int_eq(rig_counters(&rig).state, ZC_ZEROCOPY_NOT_ASKED);
    ck_assert_str_eq(zc_channel_reason(rig.channel), "zero-copy was not asked for");
    rig_finish(&rig);
}
END_TEST

static void expect_copies_with_reason(const char *part)
{
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 20, 16);
    ck_assert_uint_eq(rig.fake->truth.calls, 0);
    ck_assert_int_eq(rig_counters(&rig).state, ZC_ZEROCOPY_NOT_SUPPORTED);
    ck_assert_msg(strstr(zc_channel_reason(rig.channel), part), "got '%s'",
                  zc_channel_reason(rig.channel));
    rig_finish(&rig);
}

START_TEST(sockets_without_zerocopy_copy_and_say_so)
{
    options.domain = AF_UNIX;
    expect_copies_with_reason("UNIX sockets have no zero-copy; pages are copied");
    options.domain = AF_VSOCK;
    options.no_meminfo = true;
    expect_copies_with_reason("this vsock socket does not tell");
    options.domain = AF_INET;
    options.no_meminfo = false;
    options.no_zerocopy = true;
    expect_copies_with_reason("this kernel has no zero-copy");
}
END_TEST

START_TEST(auto_pauses_where_the_kernel_copies_and_probes_singly)
{
    struct zc_channel_counters counters;

    options.copied_percent = 100;
    start(ZC_ZEROCOPY_AUTO);
    for (unsigned int i = 0; i < 400; i++) {
        rig_send_ok(&rig, 1, 16);
        ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    }
    counters = rig_counters(&rig);
    ck_assert_int_eq(counters.state, ZC_ZEROCOPY_PAUSED_COPIED);
    ck_assert_uint_eq(counters.pauses, 1);
    ck_assert_uint_eq(counters.probes, 4); /* after 16, 48, 112 and 240 packets */
    ck_assert_uint_eq(counters.zerocopy.calls, 8 + 4);
    ck_assert_uint_eq(counters.zerocopy.copied_min, 12);
    ck_assert_msg(strstr(zc_channel_reason(rig.channel), "kernel copied"), "no reason");

    rig.fake->options.copied_percent = 0;
    for (unsigned int i = 0; i < 200; i++) {
        rig_send_ok(&rig, 1, 16);
        ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    }
    ck_assert_int_eq(rig_counters(&rig).state, ZC_ZEROCOPY_ACTIVE);
    rig_finish(&rig);
}
END_TEST

START_TEST(a_probe_is_one_call_even_when_it_is_short)
{
    options.copied_percent = 100;
    options.note_delay_ns = 50 * ZC_NS_PER_MS;
    start(ZC_ZEROCOPY_AUTO);
    for (unsigned int i = 0; i < 8; i++) {
        rig_send_ok(&rig, 1, 16);
        ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    }
    ck_assert_int_eq(rig_counters(&rig).state, ZC_ZEROCOPY_PAUSED_COPIED);
    uint64_t calls = rig.fake->truth.calls;
    rig.fake->options.short_percent = 100;
    rig_send_ok(&rig, 18, 64);
    ck_assert_uint_eq(rig.fake->truth.calls, calls + 1);
    ck_assert_uint_eq(rig_counters(&rig).probes, 1);
    rig_finish(&rig);
}
END_TEST

START_TEST(on_keeps_asking_where_the_kernel_copies)
{
    options.copied_percent = 100;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 200, 16);
    ck_assert_uint_ge(rig.fake->truth.calls, 200);
    ck_assert_int_eq(rig_counters(&rig).state, ZC_ZEROCOPY_ACTIVE);
    rig_finish(&rig);
}
END_TEST

/* {memlock in pages} -> everything arrives, in zero-copy calls where any fits. */
START_TEST(every_memlock_limit_works)
{
    static const struct {
        uint64_t pages;
        bool usable;
    } limits[] = { { 0, false }, { 2, false }, { 5, false }, { 16, true }, { 256, true }, { 2048, true } };

    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        options.memlock_pages = limits[i].pages;
        start(ZC_ZEROCOPY_ON);
        rig_send_ok(&rig, 60, 128);
        struct zc_channel_counters counters = rig_counters(&rig);
        if (limits[i].usable) {
            ck_assert_uint_ge(counters.zerocopy.calls, 60);
            ck_assert_int_eq(counters.state, ZC_ZEROCOPY_ACTIVE);
            ck_assert_uint_eq(counters.enobufs_memlock, 0); /* the budget knew */
        } else {
            ck_assert_uint_eq(counters.zerocopy.calls, 0);
            ck_assert_int_eq(counters.state, ZC_ZEROCOPY_PAUSED_LIMIT);
            ck_assert_msg(strstr(zc_channel_reason(rig.channel), "RLIMIT_MEMLOCK is too small"),
                          "got '%s'", zc_channel_reason(rig.channel));
        }
        rig_finish(&rig);
    }
}
END_TEST

START_TEST(pieces_of_a_packet_are_of_sensible_size)
{
    options.memlock_pages = 16; /* 56 KiB at once: 10 pieces of 513 KiB */
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 10, 128);
    ck_assert_uint_eq(rig.fake->truth.calls, 100);
    ck_assert_uint_eq(rig_counters(&rig).packets_split, 10);
    rig_finish(&rig);
}
END_TEST

START_TEST(memlock_of_others_is_not_waited_for)
{
    options.memlock_pages = 2048;
    start(ZC_ZEROCOPY_AUTO);
    rig.fake->foreign_pages = 2048;
    int64_t begin = rig.fake->now_ns;
    rig_send_ok(&rig, 30, 16);
    struct zc_channel_counters counters = rig_counters(&rig);
    ck_assert_int_lt(rig.fake->now_ns - begin, 50 * ZC_NS_PER_MS);
    ck_assert_uint_eq(counters.zerocopy.calls, 0);
    ck_assert_uint_ge(counters.packets_by_copy, 8);
    ck_assert_uint_ge(counters.enobufs_memlock, 1);
    ck_assert_uint_eq(counters.enobufs_optmem, 0);
    ck_assert_int_eq(counters.state, ZC_ZEROCOPY_PAUSED_LIMIT);
    ck_assert_msg(strstr(zc_channel_reason(rig.channel), "RLIMIT_MEMLOCK"), "no reason");

    rig.fake->foreign_pages = 0;
    rig_send_ok(&rig, 200, 16);
    ck_assert_int_eq(rig_counters(&rig).state, ZC_ZEROCOPY_ACTIVE);
    ck_assert_uint_gt(rig_counters(&rig).zerocopy.calls, 0);
    rig_finish(&rig);
}
END_TEST

START_TEST(what_others_leave_is_used_in_smaller_calls)
{
    options.memlock_pages = 2048;
    start(ZC_ZEROCOPY_ON);
    rig.fake->foreign_pages = 2048 - 70;
    rig_send_ok(&rig, 40, 128);
    ck_assert_uint_ge(rig_counters(&rig).packets_split, 30);
    ck_assert_uint_ge(rig_counters(&rig).zerocopy.calls, 100);
    rig_finish(&rig);
}
END_TEST

START_TEST(a_lowered_budget_recovers)
{
    options.memlock_pages = 2048;
    start(ZC_ZEROCOPY_ON);
    rig.fake->foreign_pages = 2048 - 70;
    rig_send_ok(&rig, 10, 128);
    ck_assert_uint_lt(rig.budget.limit_pages, 200);
    rig.fake->foreign_pages = 0;
    rig_send_ok(&rig, 3000, 16);
    ck_assert_uint_eq(rig.budget.limit_pages, 2048);
    rig_finish(&rig);
}
END_TEST

START_TEST(another_channel_that_holds_all_is_not_waited_for)
{
    options.memlock_pages = 256;
    start(ZC_ZEROCOPY_ON);
    ck_assert(zc_budget_take(&rig.budget, 256));
    int64_t begin = rig.fake->now_ns;
    rig_send_ok(&rig, 5, 16);
    ck_assert_int_lt(rig.fake->now_ns - begin, 10 * ZC_NS_PER_MS);
    ck_assert_uint_eq(rig_counters(&rig).packets_by_copy, 5);
    zc_budget_give(&rig.budget, 256);
    rig_finish(&rig);
}
END_TEST

START_TEST(option_memory_used_up_waits_for_own_notes)
{
    options.optmem_bytes = 4 * 832;
    options.ns_per_kib = 100000;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 100, 128); /* calls of over 512 KiB share no record */
    struct zc_channel_counters counters = rig_counters(&rig);
    ck_assert_uint_gt(counters.budget_waits, 0);
    ck_assert_uint_eq(counters.enobufs_optmem, 0); /* was asked beforehand */
    ck_assert_uint_eq(counters.zerocopy.calls, counters.packets);
    rig_finish(&rig);
}
END_TEST

START_TEST(enobufs_by_option_memory_is_told_from_memlock)
{
    options.optmem_bytes = 20480;
    options.ns_per_kib = 10000;
    start(ZC_ZEROCOPY_ON);
    zc_budget_init_from(&rig.budget, ZC_BUDGET_UNLIMITED, 131072); /* of another namespace */
    rig_send_ok(&rig, 50, 128);
    struct zc_channel_counters counters = rig_counters(&rig);
    ck_assert_uint_gt(counters.enobufs_optmem, 0);
    ck_assert_uint_eq(counters.enobufs_memlock, 0);
    rig_finish(&rig);
}
END_TEST

START_TEST(no_option_memory_at_all_copies)
{
    options.optmem_bytes = 100;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 20, 16);
    ck_assert_uint_eq(rig.fake->truth.calls, 0);
    ck_assert_int_eq(rig_counters(&rig).state, ZC_ZEROCOPY_PAUSED_LIMIT);
    ck_assert_msg(strstr(zc_channel_reason(rig.channel), "optmem_max"), "no reason");
    rig_finish(&rig);
}
END_TEST

START_TEST(a_stalled_peer_times_the_drain_out)
{
    options.stall_at_bytes = 0;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 3, 16);
    int64_t begin = rig.fake->now_ns;
    ck_assert_int_eq(rig_drain(&rig, 500), -ETIMEDOUT);
    ck_assert_int_ge(rig.fake->now_ns - begin, 500 * ZC_NS_PER_MS);
    ck_assert_int_lt(rig.fake->now_ns - begin, 502 * ZC_NS_PER_MS);
    struct zc_channel_counters counters = rig_counters(&rig);
    ck_assert_uint_eq(counters.zerocopy.completed, 0);
    ck_assert_uint_eq(counters.drains, 1);
    ck_assert_int_ge(counters.drain_ns, 500 * ZC_NS_PER_MS);
    rig.fake->options.stall_at_bytes = FAKE_NEVER; /* it wakes up: nothing was lost */
    rig_finish(&rig);
}
END_TEST

START_TEST(a_stalled_peer_times_the_send_out)
{
    int ret = 0;

    options.stall_at_bytes = 0;
    options.sndbuf_bytes = 4 << 20;
    start(ZC_ZEROCOPY_ON);
    while (ret == 0) {
        ret = rig_send(&rig, 128, 500);
        ck_assert_uint_lt(rig.packets, 100);
    }
    ck_assert_int_eq(ret, -ETIMEDOUT);
    ck_assert_int_eq(rig_send(&rig, 1, 500), -EPIPE); /* the stream is cut */
    rig_clear(&rig);
}
END_TEST

START_TEST(no_free_header_slot_times_out)
{
    uint8_t *header;

    options.stall_at_bytes = 0;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 256, 1);
    ck_assert_int_eq(zc_channel_header(rig.channel, &header, rig.fake->now_ns + ZC_NS_PER_MS),
                     -ETIMEDOUT);
    rig.fake->options.stall_at_bytes = FAKE_NEVER;
    rig_send_ok(&rig, 10, 1);
    rig_finish(&rig);
}
END_TEST

START_TEST(own_notes_that_do_not_come_are_waited_for_shortly)
{
    options.memlock_pages = 200;
    options.stall_at_bytes = 0;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 1, 128);
    int64_t begin = rig.fake->now_ns;
    rig_send_ok(&rig, 1, 128); /* what room there is, and the rest by copy */
    struct zc_channel_counters counters = rig_counters(&rig);
    ck_assert_int_ge(rig.fake->now_ns - begin, 99 * ZC_NS_PER_MS);
    ck_assert_int_lt(rig.fake->now_ns - begin, 110 * ZC_NS_PER_MS);
    ck_assert_uint_eq(counters.zerocopy.calls, 2);
    ck_assert_uint_eq(counters.packets_split, 1);
    ck_assert_uint_eq(counters.packets_by_copy, 1);
    ck_assert_uint_eq(counters.budget_waits, 1);
    rig.fake->options.stall_at_bytes = FAKE_NEVER;
    rig_finish(&rig);
}
END_TEST

START_TEST(a_probe_waits_for_the_calls_before_it)
{
    options.copied_percent = 100;
    rig_init(&rig, &options, ZC_ZEROCOPY_AUTO, 8, 1);
    for (unsigned int i = 0; i < 7; i++) {
        rig_send_ok(&rig, 1, 16);
        ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    }
    rig_send_ok(&rig, 3, 128);
    fake_kernel_sleep(rig.fake, 600 * ZC_NS_PER_MS / 1000); /* one of the three */
    ck_assert_uint_eq(rig_counters(&rig).zerocopy.calls, 10);
    rig_send_ok(&rig, 1, 16);
    ck_assert_int_eq(rig_counters(&rig).state, ZC_ZEROCOPY_PAUSED_COPIED);
    ck_assert_uint_eq(rig_counters(&rig).probes, 0);
    ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    rig_send_ok(&rig, 1, 16);
    ck_assert_uint_eq(rig_counters(&rig).probes, 1);
    rig_finish(&rig);
}
END_TEST

START_TEST(all_of_the_error_queue_is_read_at_once)
{
    options.foreign_percent = 100;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 5, 128);
    fake_kernel_sleep(rig.fake, 10 * ZC_NS_PER_MS);
    ck_assert_int_eq(zc_channel_reap(rig.channel), 0);
    ck_assert_uint_eq(rig_counters(&rig).zerocopy.completed, 5);
    rig_finish(&rig);
}
END_TEST

START_TEST(a_poll_that_lies_does_not_make_us_spin)
{
    options.stall_at_bytes = 0;
    options.phantom_percent = 100;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 1, 16);
    ck_assert_int_eq(rig_drain(&rig, 300), -ETIMEDOUT);
    rig.fake->options.phantom_percent = 0;
    rig.fake->options.lie_percent = 100;
    ck_assert_int_eq(rig_send(&rig, 16, 300), -ETIMEDOUT);
    rig_clear(&rig);
}
END_TEST

START_TEST(the_wake_descriptor_ends_waits)
{
    options.stall_at_bytes = 0;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 1, 16);
    rig.fake->wake_at_ns = rig.fake->now_ns + 20 * ZC_NS_PER_MS;
    ck_assert_int_eq(rig_drain(&rig, 10000), -ECANCELED);
    ck_assert_int_lt(rig.fake->now_ns, rig.fake->wake_at_ns + 2 * ZC_NS_PER_MS);
    rig_clear(&rig);
}
END_TEST

START_TEST(a_reset_is_told_whether_notes_come_or_not)
{
    for (int keeps = 0; keeps < 2; keeps++) {
        options.reset_at_bytes = 100000;
        options.reset_keeps_notes = keeps;
        start(ZC_ZEROCOPY_ON);
        rig_send_ok(&rig, 4, 16);
        ck_assert_int_eq(rig_drain(&rig, 10000), -ECONNRESET);
        ck_assert_int_eq(rig_drain(&rig, 10000), -ECONNRESET);
        ck_assert_int_eq(rig_send(&rig, 1, 10000), -ECONNRESET);
        rig_clear(&rig);
    }
}
END_TEST

START_TEST(a_note_that_no_call_stands_behind_is_an_error)
{
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 2, 16);
    fake_kernel_inject_note(rig.fake, 5, 6, false);
    ck_assert_int_eq(rig_drain(&rig, 1000), -EPROTO);
    rig_clear(&rig);
}
END_TEST

START_TEST(a_serial_number_that_wraps_goes_on)
{
    options.first_serial = UINT32_MAX - 100;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 300, 16);
    ck_assert_uint_eq(rig_counters(&rig).zerocopy.calls, 300);
    rig_finish(&rig);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
    struct iovec runs[ZC_CHANNEL_IOVS_MAX] = { { NULL, 0 } };
    struct zc_channel_options bad = { .mode = ZC_ZEROCOPY_ON, .wake_fd = -1 };
    uint8_t *header;

    start(ZC_ZEROCOPY_ON);
    ck_assert_ptr_null(zc_channel_new(FAKE_FD, &rig.net, &bad));
    ck_assert_int_eq(zc_channel_send(rig.channel, 8, NULL, 0, ZC_DEADLINE_NEVER), -EINVAL);
    ck_assert_int_eq(zc_channel_header(rig.channel, &header, ZC_DEADLINE_NEVER), 0);
    ck_assert_int_eq(zc_channel_send(rig.channel, 4097, NULL, 0, ZC_DEADLINE_NEVER), -EINVAL);
    ck_assert_int_eq(zc_channel_send(rig.channel, 8, runs, 129, ZC_DEADLINE_NEVER), -EINVAL);
    ck_assert_uint_eq(rig.fake->truth.sendmsgs, 0);
    rig_clear(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-channel");
    TCase *tcase = tcase_create("channel");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, header_and_pages_leave_in_one_call);
    tcase_add_test(tcase, a_packet_without_pages_is_copied);
    tcase_add_test(tcase, off_never_asks_and_says_so);
    tcase_add_test(tcase, sockets_without_zerocopy_copy_and_say_so);
    tcase_add_test(tcase, auto_pauses_where_the_kernel_copies_and_probes_singly);
    tcase_add_test(tcase, a_probe_is_one_call_even_when_it_is_short);
    tcase_add_test(tcase, on_keeps_asking_where_the_kernel_copies);
    tcase_add_test(tcase, every_memlock_limit_works);
    tcase_add_test(tcase, pieces_of_a_packet_are_of_sensible_size);
    tcase_add_test(tcase, memlock_of_others_is_not_waited_for);
    tcase_add_test(tcase, what_others_leave_is_used_in_smaller_calls);
    tcase_add_test(tcase, a_lowered_budget_recovers);
    tcase_add_test(tcase, another_channel_that_holds_all_is_not_waited_for);
    tcase_add_test(tcase, option_memory_used_up_waits_for_own_notes);
    tcase_add_test(tcase, enobufs_by_option_memory_is_told_from_memlock);
    tcase_add_test(tcase, no_option_memory_at_all_copies);
    tcase_add_test(tcase, a_stalled_peer_times_the_drain_out);
    tcase_add_test(tcase, a_stalled_peer_times_the_send_out);
    tcase_add_test(tcase, no_free_header_slot_times_out);
    tcase_add_test(tcase, own_notes_that_do_not_come_are_waited_for_shortly);
    tcase_add_test(tcase, a_probe_waits_for_the_calls_before_it);
    tcase_add_test(tcase, all_of_the_error_queue_is_read_at_once);
    tcase_add_test(tcase, a_poll_that_lies_does_not_make_us_spin);
    tcase_add_test(tcase, the_wake_descriptor_ends_waits);
    tcase_add_test(tcase, a_reset_is_told_whether_notes_come_or_not);
    tcase_add_test(tcase, a_note_that_no_call_stands_behind_is_an_error);
    tcase_add_test(tcase, a_serial_number_that_wraps_goes_on);
    tcase_add_test(tcase, bad_arguments_are_refused);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
