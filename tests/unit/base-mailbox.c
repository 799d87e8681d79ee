/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>

#include "base/mailbox.h"
#include "lib/unit.h"

#define ITEMS 20000u

static int items[ITEMS];

START_TEST(full_and_empty_end_at_the_deadline)
{
    struct zc_mailbox *mailbox = zc_mailbox_new(2);
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
    struct zc_mailbox *mailbox = zc_mailbox_new(2);
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
    struct zc_mailbox *mailbox = zc_mailbox_new(3);
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

int main(void)
{
    Suite *suite = suite_create("base-mailbox");
    TCase *tcase = tcase_create("mailbox");

    tcase_add_test(tcase, full_and_empty_end_at_the_deadline);
    tcase_add_test(tcase, closing_lets_what_is_inside_out_first);
    tcase_add_test(tcase, every_item_is_taken_exactly_once);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
