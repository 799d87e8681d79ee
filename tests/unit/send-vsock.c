/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A socket on which one call gets several serial numbers.  The fake reads a call's memory when its
 * last number is noted, so memory that is called free too early gives the peer wrong bytes.
 */
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
    options.domain = AF_VSOCK;
    options.ids_per_call = 4;
    options.sndbuf_bytes = 64 << 20;
    options.optmem_bytes = 1 << 20;
}

static void start(enum zc_zerocopy_mode mode)
{
    rig_init(&rig, &options, mode, 8, 16);
}

START_TEST(calls_are_small_enough_to_be_noted_whole)
{
    struct iovec runs[128];

    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 2, 128);
    for (unsigned int i = 0; i < 128; i++) {
        runs[i] = (struct iovec){ rig.memory + (size_t)i * 2 * RIG_PAGE_BYTES, RIG_PAGE_BYTES };
    }
    ck_assert_int_eq(rig_send_runs(&rig, 1344, runs, 128, ZC_DEADLINE_NEVER), 0);
    ck_assert_uint_ge(rig.fake->truth.calls, 3 * 8); /* the fake looks at each */
    ck_assert_uint_eq(rig_counters(&rig).copy_calls, 0);
    ck_assert_uint_eq(rig_counters(&rig).packets_split, 0); /* that is the socket's way, no limit's */
    ck_assert_str_eq(zc_channel_reason(rig.channel), "");
    rig_finish(&rig);
}
END_TEST

/* After as many notes as calls there are numbers left: nothing may be free yet. */
START_TEST(as_many_notes_as_calls_free_nothing)
{
    options.ns_per_kib = 100000;
    options.ids_per_call = 8;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 4, 15);
    while (rig.fake->truth.noted_ids < rig.fake->truth.calls) {
        fake_kernel_sleep(rig.fake, ZC_NS_PER_MS / 10);
    }
    ck_assert_uint_lt(rig.fake->truth.noted_ids, rig.fake->next_serial);
    ck_assert_int_eq(zc_channel_reap(rig.channel), 0);
    ck_assert_uint_eq(rig_counters(&rig).zerocopy.completed, 0);
    ck_assert_int_eq(rig_drain(&rig, 10000), 0);
    rig_fill(&rig, 2); /* free now: the peer has the old content */
    rig_check(&rig);
    rig_clear(&rig);
}
END_TEST

/* The kernel gives the option memory of a merged note back later, and no event tells. */
START_TEST(option_memory_that_is_late_is_asked_for_again)
{
    options.merge_delay_ns = 7 * ZC_NS_PER_MS;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 4, 60);
    fake_kernel_sleep(rig.fake, 2 * ZC_NS_PER_MS); /* all is read, and merged into one note */
    ck_assert_uint_eq(rig.fake->truth.noted_ids, rig.fake->next_serial);
    ck_assert_int_eq(zc_channel_reap(rig.channel), 0);
    ck_assert_uint_eq(rig_counters(&rig).zerocopy.completed, 0);
    rig_finish(&rig);
}
END_TEST

START_TEST(more_packets_than_header_slots_wait_until_all_is_quiet)
{
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 700, 3);
    ck_assert_uint_ge(rig_counters(&rig).zerocopy.completed, 256);
    rig_finish(&rig);
}
END_TEST

START_TEST(copied_numbers_bound_copied_calls)
{
    for (unsigned int percent = 0; percent <= 100; percent += 25) {
        options.copied_percent = percent;
        start(ZC_ZEROCOPY_ON);
        for (unsigned int i = 0; i < 20; i++) {
            rig_send_ok(&rig, 3, 30);
            ck_assert_int_eq(rig_drain(&rig, 10000), 0);
        }
        struct zc_channel_counters counters = rig_counters(&rig);
        ck_assert_uint_le(counters.zerocopy.copied_max, counters.zerocopy.calls);
        ck_assert_uint_eq(counters.zerocopy.copied_min > 0, percent > 0);
        rig_finish(&rig); /* holds the truth between the bounds */
    }
}
END_TEST

START_TEST(a_limit_is_met_with_waiting_and_then_by_copy)
{
    options.optmem_bytes = 10 * 832;
    options.ns_per_kib = 10000;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 30, 60);
    ck_assert_uint_gt(rig_counters(&rig).zerocopy.calls, 100);
    rig_finish(&rig);

    options.optmem_bytes = 100;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 20, 16);
    ck_assert_uint_eq(rig.fake->truth.calls, 0);
    rig_finish(&rig);

    options.optmem_bytes = 1 << 20;
    options.memlock_pages = 40;
    start(ZC_ZEROCOPY_ON);
    rig.fake->foreign_pages = 20;
    rig_send_ok(&rig, 30, 60);
    rig_finish(&rig);
}
END_TEST

START_TEST(a_number_that_is_noted_twice_is_an_error)
{
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 2, 16);
    fake_kernel_sleep(rig.fake, ZC_NS_PER_S);
    fake_kernel_inject_note(rig.fake, 0, 0, false);
    ck_assert_int_eq(rig_drain(&rig, 1000), -EPROTO);
    rig_clear(&rig);
}
END_TEST

START_TEST(a_note_that_never_comes_times_out)
{
    options.stall_at_bytes = 100000;
    start(ZC_ZEROCOPY_ON);
    rig_send_ok(&rig, 4, 30);
    ck_assert_int_eq(rig_drain(&rig, 300), -ETIMEDOUT);
    ck_assert_uint_eq(rig_counters(&rig).zerocopy.completed, 0);
    rig.fake->options.stall_at_bytes = FAKE_NEVER;
    rig_finish(&rig);
}
END_TEST

START_TEST(a_serial_number_that_wraps_goes_on)
{
    options.first_serial = UINT32_MAX - 100;
    start(ZC_ZEROCOPY_ON);
    for (unsigned int i = 0; i < 100; i++) {
        rig_send_ok(&rig, 3, 16);
        ck_assert_int_eq(rig_drain(&rig, 1000), 0);
    }
    rig_finish(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-vsock");
    TCase *tcase = tcase_create("vsock");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, calls_are_small_enough_to_be_noted_whole);
    tcase_add_test(tcase, as_many_notes_as_calls_free_nothing);
    tcase_add_test(tcase, option_memory_that_is_late_is_asked_for_again);
    tcase_add_test(tcase, more_packets_than_header_slots_wait_until_all_is_quiet);
    tcase_add_test(tcase, copied_numbers_bound_copied_calls);
    tcase_add_test(tcase, a_limit_is_met_with_waiting_and_then_by_copy);
    tcase_add_test(tcase, a_number_that_is_noted_twice_is_an_error);
    tcase_add_test(tcase, a_note_that_never_comes_times_out);
    tcase_add_test(tcase, a_serial_number_that_wraps_goes_on);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
