/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>

#include "base/mailbox.h"
#include "lib/unit.h"

#define ITEMS 20000u
#define ROUNDS 300u

static int items[ITEMS];

START_TEST(full_and_empty_end_at_the_deadline)
{
    struct zc_mailbox *mailbox = zc_mailbox_new(2, 1);
    void *item = NULL;

    ck_assert_int_eq(zc_mailbox_get(mailbox, &item, zc_deadline_in(1)), -ETIMEDOUT);
    ck_assert_int_eq(zc_mailbox_put(mailbox, &items[0], ZC_DEADLINE_NEVER), 0);
    ck_assert_int_eq(zc_mailbox_put(mailbox, &items[1], ZC_DEADLINE_NEVER), 0);
    ck_assert_int_eq(zc_mailbox_put(mailbox, &items[2], zc_deadline_in(1)), -ETIMEDOUT);
    ck_assert_int_eq(zc_mailbox_get(mailbox, &item, ZC_DEADLINE_NEVER), 0);
    ck_assert_ptr_eq(item, &items[0]);
    zc_mailbox_free(mailbox);
}
END_TEST

START_TEST(closing_lets_what_is_inside_out_first)
{
    struct zc_mailbox *mailbox = zc_mailbox_new(2, 1);
    void *item = NULL;

    zc_mailbox_put(mailbox, &items[0], ZC_DEADLINE_NEVER);
    zc_mailbox_close(mailbox);
    ck_assert_int_eq(zc_mailbox_put(mailbox, &items[1], ZC_DEADLINE_NEVER), -EPIPE);
    ck_assert_int_eq(zc_mailbox_get(mailbox, &item, ZC_DEADLINE_NEVER), 0);
    ck_assert_int_eq(zc_mailbox_get(mailbox, &item, ZC_DEADLINE_NEVER), -EPIPE);
    zc_mailbox_free(mailbox);
}
END_TEST

static gpointer take_all(gpointer data)
{
    struct zc_mailbox *mailbox = data;
    void *item;
    unsigned int count = 0;

    while (zc_mailbox_get(mailbox, &item, ZC_DEADLINE_NEVER) == 0) {
        (*(int *)item)++;
        count++;
    }
    return GUINT_TO_POINTER(count);
}

START_TEST(every_item_is_taken_exactly_once)
{
    struct zc_mailbox *mailbox = zc_mailbox_new(3, 1);
    GThread *takers[3];
    unsigned int total = 0;

    for (unsigned int i = 0; i < G_N_ELEMENTS(takers); i++) {
        takers[i] = g_thread_new("taker", take_all, mailbox);
    }
    for (unsigned int i = 0; i < ITEMS; i++) {
        ck_assert_int_eq(zc_mailbox_put(mailbox, &items[i], ZC_DEADLINE_NEVER), 0);
    }
    zc_mailbox_close(mailbox);
    for (unsigned int i = 0; i < G_N_ELEMENTS(takers); i++) {
        total += GPOINTER_TO_UINT(g_thread_join(takers[i]));
    }
    ck_assert_uint_eq(total, ITEMS);
    for (unsigned int i = 0; i < ITEMS; i++) {
        ck_assert_int_eq(items[i], 1);
    }
    zc_mailbox_free(mailbox);
}
END_TEST

static gpointer take_one(gpointer data)
{
    void *item = NULL;

    return zc_mailbox_get(data, &item, ZC_DEADLINE_NEVER) == 0 ? item : NULL;
}

/* Whether it sleeps already or not when they come: often enough to see both. */
START_TEST(who_found_none_gets_the_first_of_a_refill)
{
    struct zc_mailbox *mailbox = zc_mailbox_new(4, 3);
    void *item = NULL;

    for (unsigned int round = 0; round < ROUNDS; round++) {
        GThread *taker = g_thread_new("taker", take_one, mailbox);
        for (unsigned int i = 0; i < 3; i++) {
            ck_assert_int_eq(zc_mailbox_put(mailbox, &items[i], ZC_DEADLINE_NEVER), 0);
        }
        ck_assert_ptr_eq(g_thread_join(taker), &items[0]);
        for (unsigned int i = 1; i < 3; i++) {
            ck_assert_int_eq(zc_mailbox_get(mailbox, &item, ZC_DEADLINE_NEVER), 0);
            ck_assert_ptr_eq(item, &items[i]);
        }
    }
    zc_mailbox_free(mailbox);
}
END_TEST

START_TEST(fewer_than_a_refill_are_had_without_sleeping)
{
    struct zc_mailbox *mailbox = zc_mailbox_new(4, 3);
    void *item = NULL;

    zc_mailbox_put(mailbox, &items[0], ZC_DEADLINE_NEVER);
    ck_assert_int_eq(zc_mailbox_get(mailbox, &item, ZC_DEADLINE_NEVER), 0);
    zc_mailbox_free(mailbox);
}
END_TEST

START_TEST(closing_wakes_who_waits_for_a_refill)
{
    for (unsigned int round = 0; round < ROUNDS; round++) {
        struct zc_mailbox *mailbox = zc_mailbox_new(4, 3);
        GThread *taker = g_thread_new("taker", take_one, mailbox);
        zc_mailbox_close(mailbox);
        ck_assert_ptr_null(g_thread_join(taker));
        zc_mailbox_free(mailbox);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base-mailbox");
    TCase *tcase = tcase_create("mailbox");

    tcase_add_test(tcase, full_and_empty_end_at_the_deadline);
    tcase_add_test(tcase, closing_lets_what_is_inside_out_first);
    tcase_add_test(tcase, every_item_is_taken_exactly_once);
    tcase_add_test(tcase, who_found_none_gets_the_first_of_a_refill);
    tcase_add_test(tcase, fewer_than_a_refill_are_had_without_sleeping);
    tcase_add_test(tcase, closing_wakes_who_waits_for_a_refill);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
