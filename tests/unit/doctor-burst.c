/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's word about real calls against what the rules made of the system's state. */
#include "config.h"

#include <string.h>

#include "unit/doctor-facts.h"

enum spoilt {
    CLEAN,
    TAP,
    SG_OFF,
    CSUM_OFF,
    LOOPBACK,
    UNKNOWN_KIND,
};

/* A path that leaves by device 2, with that one thing wrong, and a burst of 64 calls on it. */
static void make(struct made_up *made, enum spoilt spoilt, uint64_t copied_min, uint64_t copied_max)
{
    made_up_init(made);
    struct zc_link *link = made_up_link(made, 2, "eth0", spoilt == UNKNOWN_KIND ? "vxlan" : "");

    link->sg = spoilt == SG_OFF ? ZC_NO : ZC_YES;
    link->tx_csum = spoilt == CSUM_OFF ? ZC_NO : ZC_YES;
    link->loopback = spoilt == LOOPBACK;
    if (spoilt == TAP) {
        made_up_tap(made, 2);
    }
    made->facts.burst = (struct zc_burst){
        .tried = true,
        .supported = true,
        .sent_bytes = 2 << 20,
        .calls = 64,
        .completed = 64,
        .copied_min = copied_min,
        .copied_max = copied_max,
        .reason = "",
    };
}

START_TEST(the_kernels_word_decides_except_where_it_lies)
{
    static const struct {
        enum spoilt spoilt;
        uint64_t copied_min, copied_max;
        enum zcmig_verdict verdict;
        enum zcmig_effect effect; /* of the finding "probe" */
        const char *says;
    } rows[] = {
        { CLEAN, 0, 0, ZCMIG_VERDICT_WORKS, ZCMIG_EFFECT_NOTE,
          "the probe agrees: the kernel copied none of 64 calls" },
        { CLEAN, 0, 3, ZCMIG_VERDICT_WORKS, ZCMIG_EFFECT_NOTE, "copied 0 to 3 of 64 calls" },
        { CLEAN, 64, 64, ZCMIG_VERDICT_COPIES, ZCMIG_EFFECT_COPIES,
          "the probe contradicts: the kernel copied all 64 calls, and nothing that was seen" },
        { CLEAN, 5, 7, ZCMIG_VERDICT_COPIES, ZCMIG_EFFECT_COPIES, "copied 5 to 7 of 64 calls" },
        { TAP, 64, 64, ZCMIG_VERDICT_COPIES, ZCMIG_EFFECT_COPIES, "the probe agrees" },
        { TAP, 0, 0, ZCMIG_VERDICT_WORKS, ZCMIG_EFFECT_NOTE, "the probe contradicts" },
        { CSUM_OFF, 0, 0, ZCMIG_VERDICT_WORKS, ZCMIG_EFFECT_NOTE, "the probe contradicts" },
        { SG_OFF, 0, 0, ZCMIG_VERDICT_COPIES, ZCMIG_EFFECT_NOTE, "is not believed" },
        { SG_OFF, 7, 46, ZCMIG_VERDICT_COPIES, ZCMIG_EFFECT_NOTE, "is not believed" },
        { SG_OFF, 64, 64, ZCMIG_VERDICT_COPIES, ZCMIG_EFFECT_COPIES, "the probe agrees" },
        { LOOPBACK, 0, 0, ZCMIG_VERDICT_COPIES, ZCMIG_EFFECT_NOTE, "is not believed" },
        { LOOPBACK, 64, 64, ZCMIG_VERDICT_COPIES, ZCMIG_EFFECT_COPIES, "the probe agrees" },
        { UNKNOWN_KIND, 0, 0, ZCMIG_VERDICT_WORKS, ZCMIG_EFFECT_NOTE, "the probe decides" },
        { UNKNOWN_KIND, 64, 64, ZCMIG_VERDICT_COPIES, ZCMIG_EFFECT_COPIES, "the probe decides" },
        { UNKNOWN_KIND, 0, 64, ZCMIG_VERDICT_UNKNOWN, ZCMIG_EFFECT_UNKNOWN, "no answer" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct made_up made;
        make(&made, rows[i].spoilt, rows[i].copied_min, rows[i].copied_max);
        enum zcmig_verdict verdict = made_up_judge(&made, 2);
        const struct zcmig_finding *probe = made_up_expect(&made, "probe", rows[i].effect);
        ck_assert_msg(verdict == rows[i].verdict, "row %zu: '%s'", i, zcmig_verdict_name(verdict));
        ck_assert_msg(strstr(probe->summary, rows[i].says), "row %zu: '%s'", i, probe->summary);
        made_up_clear(&made);
    }
}
END_TEST

START_TEST(a_false_alarm_is_taken_back_with_a_reason)
{
    struct made_up made;

    make(&made, TAP, 0, 0);
    made_up_judge(&made, 2);
    const struct zcmig_finding *tap = made_up_expect(&made, "packet-tap", ZCMIG_EFFECT_NOTE);
    ck_assert_ptr_nonnull(strstr(tap->evidence, "the probe shows that it does not copy"));
    made_up_clear(&made);
}
END_TEST

START_TEST(without_a_note_nothing_is_concluded)
{
    struct made_up made;

    make(&made, CLEAN, 0, 0);
    made.facts.burst.completed = 0;
    made.facts.burst.trouble = g_strdup("connection refused");
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_UNKNOWN);
    const struct zcmig_finding *probe = made_up_expect(&made, "probe", ZCMIG_EFFECT_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(probe->summary, "connection refused"));
    ck_assert_ptr_nonnull(strstr(probe->remedy, "zcmig bench --sink"));
    made_up_clear(&made);
    /* What is known without it stays known. */
    make(&made, TAP, 0, 0);
    made.facts.burst.completed = 0;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_COPIES);
    made_up_clear(&made);
}
END_TEST

START_TEST(calls_that_a_limit_forbade_are_copies)
{
    struct made_up made;

    make(&made, CLEAN, 0, 0);
    made.facts.burst.calls = made.facts.burst.completed = 0;
    made.facts.burst.plain_calls = 64;
    made.facts.burst.reason = "RLIMIT_MEMLOCK is too small";
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_COPIES);
    ck_assert_ptr_nonnull(strstr(made_up_expect(&made, "probe", ZCMIG_EFFECT_COPIES)->summary,
                                 "RLIMIT_MEMLOCK is too small"));
    made_up_clear(&made);
}
END_TEST

START_TEST(nothing_is_said_of_a_probe_that_was_not_asked_for)
{
    struct made_up made;

    make(&made, TAP, 0, 0);
    made.facts.burst.tried = false;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_COPIES);
    ck_assert_ptr_null(made_up_finding(&made, "probe"));
    made_up_clear(&made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor-burst");
    TCase *tcase = tcase_create("burst");

    tcase_add_test(tcase, the_kernels_word_decides_except_where_it_lies);
    tcase_add_test(tcase, a_false_alarm_is_taken_back_with_a_reason);
    tcase_add_test(tcase, without_a_note_nothing_is_concluded);
    tcase_add_test(tcase, calls_that_a_limit_forbade_are_copies);
    tcase_add_test(tcase, nothing_is_said_of_a_probe_that_was_not_asked_for);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
