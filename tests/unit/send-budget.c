/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/size.h"
#include "lib/unit.h"
#include "send/budget.h"

static struct zc_budget budget;

/* Largest number of calls of @bytes that the budget allows at once. */
static unsigned int calls_allowed(uint64_t bytes)
{
    unsigned int calls = 0;

    while (zc_budget_take(&budget, zc_budget_charge(bytes))) {
        calls++;
    }
    for (unsigned int i = 0; i < calls; i++) {
        zc_budget_give(&budget, zc_budget_charge(bytes));
    }
    ck_assert_uint_eq(budget.held_pages, 0);
    return calls;
}

/* The figures measured with a real kernel (tests/kernel/memlock-charge.c measures them again). */
START_TEST(eight_mib_allow_what_the_kernel_allows)
{
    zc_budget_init_from(&budget, 8 * ZC_MIB, 131072);
    ck_assert_uint_eq(calls_allowed(64 * ZC_KIB), 113);
    ck_assert_uint_eq(calls_allowed(256 * ZC_KIB), 31);
    ck_assert_uint_eq(calls_allowed(512 * ZC_KIB), 15);
    ck_assert_uint_eq(calls_allowed(ZC_MIB), 7);
}
END_TEST

START_TEST(a_64_kib_call_never_fits_into_64_kib)
{
    zc_budget_init_from(&budget, 64 * ZC_KIB, 131072);
    ck_assert_uint_eq(calls_allowed(64 * ZC_KIB), 0);
    ck_assert_uint_eq(zc_budget_largest_call(&budget), 56 * ZC_KIB);
    ck_assert_uint_eq(calls_allowed(56 * ZC_KIB), 1);
    ck_assert_uint_eq(calls_allowed(56 * ZC_KIB + 4096), 0);
}
END_TEST

START_TEST(largest_call_ends_where_no_page_fits)
{
    zc_budget_init_from(&budget, 0, 0);
    ck_assert_uint_eq(zc_budget_largest_call(&budget), 0);
    ck_assert(!zc_budget_take(&budget, 2));
    zc_budget_init_from(&budget, 2 * 4096, 0);
    ck_assert_uint_eq(zc_budget_largest_call(&budget), 0);
    zc_budget_init_from(&budget, 3 * 4096, 0);
    ck_assert_uint_eq(zc_budget_largest_call(&budget), 4096);
}
END_TEST

START_TEST(unlimited_is_unlimited)
{
    zc_budget_init_from(&budget, ZC_BUDGET_UNLIMITED, 0);
    ck_assert_uint_ge(zc_budget_largest_call(&budget), UINT64_C(1) << 40);
    for (unsigned int i = 0; i < 100000; i++) {
        ck_assert(zc_budget_take(&budget, UINT32_MAX));
    }
    zc_budget_relax(&budget, 1);
    ck_assert_uint_eq(budget.limit_pages, ZC_BUDGET_UNLIMITED);
}
END_TEST

START_TEST(calls_per_socket_follow_option_memory)
{
    zc_budget_init_from(&budget, 0, 20480);
    ck_assert_uint_eq(zc_budget_calls_per_socket(&budget), 22);
    zc_budget_init_from(&budget, 0, 131072);
    ck_assert_uint_eq(zc_budget_calls_per_socket(&budget), 146);
    zc_budget_init_from(&budget, 0, ZC_MIB);
    ck_assert_uint_eq(zc_budget_calls_per_socket(&budget), 1170);
    zc_budget_init_from(&budget, 0, 0);
    ck_assert_uint_eq(zc_budget_calls_per_socket(&budget), 22);
}
END_TEST

START_TEST(room_is_what_others_left)
{
    zc_budget_init_from(&budget, ZC_MIB, 0); /* 256 pages */
    ck_assert(zc_budget_take(&budget, 200));
    ck_assert_uint_eq(zc_budget_room(&budget), 54 * 4096);
    ck_assert(!zc_budget_take(&budget, 57));
    ck_assert_uint_eq(budget.held_pages, 200);
    ck_assert(zc_budget_take(&budget, 56));
    ck_assert_uint_eq(zc_budget_room(&budget), 0);
}
END_TEST

START_TEST(refusals_lower_the_limit_until_nothing_is_asked)
{
    unsigned int refusals = 0;

    zc_budget_init_from(&budget, 8 * ZC_MIB, 0);
    ck_assert(zc_budget_take(&budget, 10));
    for (;;) {
        uint64_t bytes = MIN(zc_budget_room(&budget), 512 * ZC_KIB);
        if (bytes == 0 || !zc_budget_take(&budget, zc_budget_charge(bytes))) {
            break;
        }
        zc_budget_refused(&budget, zc_budget_charge(bytes));
        ck_assert_uint_le(++refusals, 8);
    }
    ck_assert_uint_eq(budget.held_pages, 10);
    ck_assert_uint_ge(budget.limit_pages, 10);
    ck_assert_uint_lt(budget.limit_pages, 13);
}
END_TEST

START_TEST(relax_ends_at_memlock)
{
    zc_budget_init_from(&budget, ZC_MIB, 0);
    ck_assert(zc_budget_take(&budget, 100));
    zc_budget_refused(&budget, 100);
    ck_assert_uint_eq(budget.limit_pages, 50);
    zc_budget_relax(&budget, 16);
    ck_assert_uint_eq(budget.limit_pages, 66);
    zc_budget_relax(&budget, UINT64_MAX);
    ck_assert_uint_eq(budget.limit_pages, 256);
}
END_TEST

static gpointer take_and_give(gpointer data)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(GPOINTER_TO_UINT(data));

    for (unsigned int i = 0; i < 20000; i++) {
        uint32_t pages = (uint32_t)g_rand_int_range(rand, 1, 140);
        if (zc_budget_take(&budget, pages)) {
            zc_budget_give(&budget, pages);
        }
    }
    return NULL;
}

START_TEST(threads_leave_nothing_behind)
{
    GThread *threads[4];

    zc_budget_init_from(&budget, ZC_MIB, 0);
    for (unsigned int i = 0; i < G_N_ELEMENTS(threads); i++) {
        threads[i] = g_thread_new("take", take_and_give, GUINT_TO_POINTER(i + 1));
    }
    for (unsigned int i = 0; i < G_N_ELEMENTS(threads); i++) {
        g_thread_join(threads[i]);
    }
    ck_assert_uint_eq(budget.held_pages, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-budget");
    TCase *tcase = tcase_create("budget");

    tcase_add_test(tcase, eight_mib_allow_what_the_kernel_allows);
    tcase_add_test(tcase, a_64_kib_call_never_fits_into_64_kib);
    tcase_add_test(tcase, largest_call_ends_where_no_page_fits);
    tcase_add_test(tcase, unlimited_is_unlimited);
    tcase_add_test(tcase, calls_per_socket_follow_option_memory);
    tcase_add_test(tcase, room_is_what_others_left);
    tcase_add_test(tcase, refusals_lower_the_limit_until_nothing_is_asked);
    tcase_add_test(tcase, relax_ends_at_memlock);
    tcase_add_test(tcase, threads_leave_nothing_behind);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
