/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "lib/unit.h"
#include "send/pause.h"

static struct zc_pause pause_state;

static void start(enum zc_zerocopy_mode mode)
{
    zc_pause_init(&pause_state, mode, 3, 10);
}

static void note_copied(unsigned int times)
{
    for (unsigned int i = 0; i < times; i++) {
        zc_pause_note(&pause_state, true);
    }
}

/* Packets that are copied before the next one is asked for, which is left unanswered. */
static unsigned int packets_until_probe(void)
{
    unsigned int packets = 0;

    while (zc_pause_packet(&pause_state, true) == ZC_PAUSE_COPY) {
        ck_assert_uint_lt(++packets, 100000);
    }
    return packets;
}

START_TEST(auto_pauses_after_copied_calls_in_a_row)
{
    start(ZC_ZEROCOPY_AUTO);
    note_copied(2);
    ck_assert_int_eq(pause_state.state, ZC_ZEROCOPY_ACTIVE);
    zc_pause_note(&pause_state, false);
    note_copied(2);
    ck_assert_int_eq(pause_state.state, ZC_ZEROCOPY_ACTIVE);
    ck_assert(zc_pause_note(&pause_state, true));
    ck_assert_int_eq(pause_state.state, ZC_ZEROCOPY_PAUSED_COPIED);
    ck_assert_uint_eq(pause_state.pauses, 1);
    zc_pause_note(&pause_state, false); /* of a call made before */
    ck_assert_int_eq(pause_state.state, ZC_ZEROCOPY_PAUSED_COPIED);
}
END_TEST

START_TEST(on_keeps_asking)
{
    start(ZC_ZEROCOPY_ON);
    note_copied(1000);
    ck_assert_int_eq(pause_state.state, ZC_ZEROCOPY_ACTIVE);
    ck_assert_int_eq(zc_pause_packet(&pause_state, false), ZC_PAUSE_ASK);
}
END_TEST

START_TEST(a_probe_waits_until_nothing_is_in_flight)
{
    start(ZC_ZEROCOPY_AUTO);
    note_copied(3);
    for (unsigned int i = 0; i < 30; i++) {
        ck_assert_int_eq(zc_pause_packet(&pause_state, false), ZC_PAUSE_COPY);
    }
    ck_assert_int_eq(zc_pause_packet(&pause_state, true), ZC_PAUSE_ASK_PROBE);
    ck_assert(zc_pause_is_single_call(&pause_state));
    zc_pause_probe_sent(&pause_state);
    zc_pause_packet_done(&pause_state, false);
    ck_assert_int_eq(zc_pause_packet(&pause_state, true), ZC_PAUSE_COPY); /* no answer yet */
    zc_pause_note(&pause_state, false);
    ck_assert_int_eq(pause_state.state, ZC_ZEROCOPY_ACTIVE);
}
END_TEST

START_TEST(failed_probes_become_rarer_up_to_a_bound)
{
    unsigned int expected = 10;

    start(ZC_ZEROCOPY_AUTO);
    note_copied(3);
    for (unsigned int i = 0; i < 12; i++) {
        ck_assert_uint_eq(packets_until_probe() + 1, expected);
        zc_pause_probe_sent(&pause_state);
        zc_pause_packet_done(&pause_state, false);
        zc_pause_note(&pause_state, true);
        expected = MIN(expected * 2, 640);
    }
    ck_assert_uint_eq(pause_state.probes, 12);
    ck_assert_uint_eq(pause_state.pauses, 1);
}
END_TEST

START_TEST(a_probe_that_a_limit_forbade_says_nothing)
{
    start(ZC_ZEROCOPY_AUTO);
    note_copied(3);
    packets_until_probe();
    zc_pause_packet_done(&pause_state, true);
    ck_assert_uint_eq(packets_until_probe() + 1, 10);
}
END_TEST

START_TEST(a_limit_that_stays_pauses_in_both_modes)
{
    for (int mode = ZC_ZEROCOPY_AUTO; mode <= ZC_ZEROCOPY_ON; mode++) {
        start((enum zc_zerocopy_mode)mode);
        for (unsigned int i = 0; i < 7; i++) {
            zc_pause_packet_done(&pause_state, true);
        }
        zc_pause_packet_done(&pause_state, false);
        for (unsigned int i = 0; i < 8; i++) {
            ck_assert_int_eq(pause_state.state, ZC_ZEROCOPY_ACTIVE);
            zc_pause_packet_done(&pause_state, true);
        }
        ck_assert_int_eq(pause_state.state, ZC_ZEROCOPY_PAUSED_LIMIT);
        ck_assert_uint_eq(packets_until_probe() + 1, 10);
        ck_assert(!zc_pause_is_single_call(&pause_state));
        zc_pause_packet_done(&pause_state, true);
        ck_assert_uint_eq(packets_until_probe() + 1, 20);
        zc_pause_packet_done(&pause_state, false);
        ck_assert_int_eq(pause_state.state, ZC_ZEROCOPY_ACTIVE);
    }
}
END_TEST

START_TEST(off_and_unsupported_never_ask)
{
    start(ZC_ZEROCOPY_OFF);
    ck_assert_int_eq(zc_pause_packet(&pause_state, true), ZC_PAUSE_COPY);
    start(ZC_ZEROCOPY_AUTO);
    zc_pause_not_supported(&pause_state);
    for (unsigned int i = 0; i < 5000; i++) {
        ck_assert_int_eq(zc_pause_packet(&pause_state, true), ZC_PAUSE_COPY);
    }
    ck_assert_uint_eq(pause_state.pauses, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-pause");
    TCase *tcase = tcase_create("pause");

    tcase_add_test(tcase, auto_pauses_after_copied_calls_in_a_row);
    tcase_add_test(tcase, on_keeps_asking);
    tcase_add_test(tcase, a_probe_waits_until_nothing_is_in_flight);
    tcase_add_test(tcase, failed_probes_become_rarer_up_to_a_bound);
    tcase_add_test(tcase, a_probe_that_a_limit_forbade_says_nothing);
    tcase_add_test(tcase, a_limit_that_stays_pauses_in_both_modes);
    tcase_add_test(tcase, off_and_unsupported_never_ask);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
