/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "lib/unit.h"
#include "send/completion.h"

#define CAPACITY 64u

static struct zc_completion completion;

static void start(uint32_t first_serial, unsigned int calls)
{
    zc_completion_init(&completion, CAPACITY, first_serial);
    for (unsigned int i = 0; i < calls; i++) {
        zc_completion_call(&completion, 1000 + i, 3, i);
    }
}

static void stop(void)
{
    zc_completion_clear(&completion);
}

static unsigned int pop_all(void)
{
    struct zc_call call;
    unsigned int popped = 0;

    while (zc_completion_pop(&completion, &call)) {
        popped++;
    }
    return popped;
}

START_TEST(calls_come_off_in_order_with_what_they_held)
{
    struct zc_call call;

    start(0, 3);
    ck_assert_uint_eq(completion.bytes_in_flight, 3003);
    ck_assert(!zc_completion_pop(&completion, &call));
    ck_assert_int_eq(zc_completion_note(&completion, 0, 0, false), 1);
    ck_assert(zc_completion_pop(&completion, &call));
    ck_assert_uint_eq(call.bytes, 1000);
    ck_assert_uint_eq(call.charge_pages, 3);
    ck_assert_uint_eq(call.cookie, 0);
    ck_assert(!zc_completion_pop(&completion, &call));
    ck_assert_uint_eq(completion.bytes_in_flight, 2003);
    ck_assert_uint_eq(zc_completion_in_flight(&completion), 2);
    stop();
}
END_TEST

START_TEST(a_call_noted_early_waits_for_the_older_ones)
{
    start(0, 5);
    ck_assert_int_eq(zc_completion_note(&completion, 3, 4, false), 2);
    ck_assert_int_eq(zc_completion_note(&completion, 1, 1, false), 1);
    ck_assert_uint_eq(pop_all(), 0);
    ck_assert_int_eq(zc_completion_note(&completion, 0, 0, false), 1);
    ck_assert_uint_eq(pop_all(), 2);
    ck_assert_int_eq(zc_completion_note(&completion, 2, 2, false), 1);
    ck_assert_uint_eq(pop_all(), 3);
    ck_assert_uint_eq(completion.counts.completed, 5);
    stop();
}
END_TEST

START_TEST(a_range_across_the_wrap_has_hi_below_lo)
{
    start(UINT32_MAX - 1, 5); /* ...fe, ...ff, 0, 1, 2 */
    ck_assert_int_eq(zc_completion_note(&completion, UINT32_MAX, 1, false), 3);
    ck_assert_uint_eq(pop_all(), 0);
    ck_assert_int_eq(zc_completion_note(&completion, UINT32_MAX - 1, UINT32_MAX - 1, false), 1);
    ck_assert_uint_eq(pop_all(), 4);
    ck_assert_int_eq(zc_completion_note(&completion, 2, 2, false), 1);
    ck_assert_uint_eq(pop_all(), 1);
    ck_assert_uint_eq(completion.oldest, 3);
    stop();
}
END_TEST

START_TEST(the_copied_bit_of_a_range_speaks_for_its_first_call)
{
    start(0, 16);
    ck_assert_int_eq(zc_completion_note(&completion, 0, 0, true), 1);
    ck_assert_uint_eq(completion.counts.copied_min, 1);
    ck_assert_uint_eq(completion.counts.copied_max, 1);
    ck_assert_int_eq(zc_completion_note(&completion, 1, 1, false), 1);
    ck_assert_uint_eq(completion.counts.copied_max, 1);
    ck_assert_int_eq(zc_completion_note(&completion, 2, 5, true), 4);
    ck_assert_uint_eq(completion.counts.copied_min, 2);
    ck_assert_uint_eq(completion.counts.copied_max, 5);
    ck_assert_int_eq(zc_completion_note(&completion, 6, 15, false), 10);
    ck_assert_uint_eq(completion.counts.copied_min, 2);
    ck_assert_uint_eq(completion.counts.copied_max, 14);
    ck_assert_uint_eq(completion.counts.notes, 4);
    stop();
}
END_TEST

START_TEST(a_note_of_a_call_that_was_not_made_is_refused_whole)
{
    static const struct {
        uint32_t lo, hi;
    } bad[] = {
        { 4, 4 }, /* not made yet */
        { 2, 4 }, /* its end not made yet */
        { UINT32_MAX, UINT32_MAX },
        { UINT32_MAX, 1 },
        { 3, 2 },  /* 2^32 calls */
        { 0, UINT32_MAX },
        { 1, 1 }, /* done already */
        { 0, 3 }, /* a part done already */
    };

    start(0, 4);
    zc_completion_note(&completion, 1, 1, false);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        ck_assert_msg(zc_completion_note(&completion, bad[i].lo, bad[i].hi, true) == -EPROTO,
                      "%u..%u was taken", bad[i].lo, bad[i].hi);
    }
    ck_assert_uint_eq(completion.counts.completed, 1);
    ck_assert_uint_eq(completion.counts.notes, 1);
    ck_assert_uint_eq(completion.counts.copied_max, 0);
    ck_assert_uint_eq(pop_all(), 0);
    stop();

    start(0, 0);
    ck_assert_int_eq(zc_completion_note(&completion, 0, 0, false), -EPROTO);
    stop();
}
END_TEST

/* Any order, any merging, across the wrap and round the ring many times: against a plain model. */
START_TEST(random_notes_complete_each_call_once)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)zc_unit_seed());
    bool noted[CAPACITY] = { false };
    uint64_t made = 0, done = 0, popped = 0;
    const uint32_t first = UINT32_MAX - 1000;
    struct zc_call call;

    start(first, 0);
    while (popped < 5000) {
        while (!zc_completion_is_full(&completion) && g_rand_boolean(rand)) {
            noted[made % CAPACITY] = false;
            zc_completion_call(&completion, 1, 1, (uint32_t)made++);
        }
        uint32_t in_flight = (uint32_t)(made - popped);
        if (in_flight == 0) {
            continue;
        }
        uint32_t at = (uint32_t)g_rand_int_range(rand, 0, (gint32)in_flight);
        uint32_t end = at;
        if (!noted[(popped + at) % CAPACITY]) {
            while (end < in_flight && !noted[(popped + end) % CAPACITY] && end - at < 7) {
                noted[(popped + end++) % CAPACITY] = true;
            }
            uint32_t lo = first + (uint32_t)popped + at;
            ck_assert_int_eq(zc_completion_note(&completion, lo, lo + (end - at) - 1, false),
                             end - at);
            done += end - at;
        }
        while (zc_completion_pop(&completion, &call)) {
            ck_assert(noted[popped % CAPACITY]);
            ck_assert_uint_eq(call.cookie, popped++);
        }
        ck_assert(popped == made || !noted[popped % CAPACITY]);
    }
    ck_assert_uint_eq(completion.counts.completed, done);
    ck_assert_uint_eq(completion.counts.calls, made);
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-completion");
    TCase *tcase = tcase_create("completion");

    tcase_add_test(tcase, calls_come_off_in_order_with_what_they_held);
    tcase_add_test(tcase, a_call_noted_early_waits_for_the_older_ones);
    tcase_add_test(tcase, a_range_across_the_wrap_has_hi_below_lo);
    tcase_add_test(tcase, the_copied_bit_of_a_range_speaks_for_its_first_call);
    tcase_add_test(tcase, a_note_of_a_call_that_was_not_made_is_refused_whole);
    tcase_add_test(tcase, random_notes_complete_each_call_once);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
