/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "lib/unit.h"
#include "mem/bitmap.h"

#define ODD_PAGES 1003u /* the last word is not full */

/* Every operation against a byte a page. */
static void expect_equal(const struct zc_bitmap *bitmap, const uint8_t *model)
{
    uint64_t count = 0;
    uint64_t at = 0;
    uint64_t first = 0;
    uint64_t n, n_runs = 0;

    for (uint64_t page = 0; page < bitmap->n_pages; page++) {
        ck_assert_int_eq(zc_bitmap_test(bitmap, page), model[page]);
        count += model[page];
    }
    ck_assert_uint_eq(zc_bitmap_count(bitmap), count);
    while ((n = zc_bitmap_next_run(bitmap, at, &first)) > 0) {
        for (; at < first; at++) {
            ck_assert_uint_eq(model[at], 0);
        }
        for (; at < first + n; at++) {
            ck_assert_uint_eq(model[at], 1);
        }
        ck_assert(at == bitmap->n_pages || !model[at]);
        n_runs++;
    }
    ck_assert_uint_eq(zc_bitmap_count_runs(bitmap), n_runs);
    uint64_t n_tables = 0;
    for (uint64_t table = 0; table * ZC_BITMAP_TABLE_PAGES < bitmap->n_pages; table++) {
        uint64_t n_pages = MIN(bitmap->n_pages - table * ZC_BITMAP_TABLE_PAGES, ZC_BITMAP_TABLE_PAGES);
        n_tables += memchr(model + table * ZC_BITMAP_TABLE_PAGES, 1, n_pages) != NULL;
    }
    ck_assert_uint_eq(zc_bitmap_count_tables(bitmap), n_tables);
    for (; at < bitmap->n_pages; at++) {
        ck_assert_uint_eq(model[at], 0);
    }
}

static uint64_t count_model(const uint8_t *model, uint64_t first, uint64_t n, uint8_t value)
{
    uint64_t count = 0;

    for (uint64_t page = first; page < first + n; page++) {
        count += model[page] == value;
    }
    return count;
}

START_TEST(random_ranges_agree_with_a_byte_a_page)
{
    GRand *rand = g_rand_new_with_seed((guint32)zc_unit_seed());
    uint8_t model[ODD_PAGES] = { 0 };
    struct zc_bitmap bitmap;

    zc_bitmap_init(&bitmap, ODD_PAGES);
    for (unsigned int i = 0; i < 3000; i++) {
        uint64_t first = (uint64_t)g_rand_int_range(rand, 0, ODD_PAGES + 1);
        uint64_t n = (uint64_t)g_rand_int_range(rand, 0, (int)(ODD_PAGES - first) + 1);
        if (n > 70 && g_rand_boolean(rand)) {
            n %= 70;
        }
        ck_assert_uint_eq(zc_bitmap_count_range(&bitmap, first, n),
                          count_model(model, first, n, 1));
        if (g_rand_boolean(rand)) {
            ck_assert_uint_eq(zc_bitmap_set_range(&bitmap, first, n),
                              count_model(model, first, n, 0));
            memset(model + first, 1, n);
        } else {
            ck_assert_uint_eq(zc_bitmap_clear_range(&bitmap, first, n),
                              count_model(model, first, n, 1));
            memset(model + first, 0, n);
        }
        if (i % 16 == 0) {
            expect_equal(&bitmap, model);
        }
    }
    expect_equal(&bitmap, model);
    zc_bitmap_clear(&bitmap);
    g_rand_free(rand);
}
END_TEST

START_TEST(taking_moves_the_range_and_nothing_beside_it)
{
    GRand *rand = g_rand_new_with_seed((guint32)zc_unit_seed());
    struct zc_bitmap from;
    struct zc_bitmap into;
    uint8_t from_model[ODD_PAGES] = { 0 };
    uint8_t into_model[ODD_PAGES] = { 0 };

    zc_bitmap_init(&from, ODD_PAGES);
    zc_bitmap_init(&into, ODD_PAGES);
    for (unsigned int i = 0; i < 500; i++) {
        for (unsigned int j = 0; j < 40; j++) {
            uint64_t page = (uint64_t)g_rand_int_range(rand, 0, ODD_PAGES);
            zc_bitmap_set_page_atomic(&from, page);
            from_model[page] = 1;
        }
        uint64_t first = (uint64_t)g_rand_int_range(rand, 0, ODD_PAGES + 1);
        uint64_t n = (uint64_t)g_rand_int_range(rand, 0, (int)(ODD_PAGES - first) + 1);
        ck_assert_uint_eq(zc_bitmap_take_range_atomic(&from, first, n, &into),
                          count_model(from_model, first, n, 1));
        for (uint64_t page = first; page < first + n; page++) {
            into_model[page] |= from_model[page];
            from_model[page] = 0;
        }
        expect_equal(&from, from_model);
        expect_equal(&into, into_model);
        if (i % 8 == 0) {
            zc_bitmap_clear_range(&into, 0, ODD_PAGES);
            memset(into_model, 0, sizeof(into_model));
        }
    }
    zc_bitmap_clear(&from);
    zc_bitmap_clear(&into);
    g_rand_free(rand);
}
END_TEST

#define SETS 200000u

static gpointer set_many(gpointer data)
{
    struct zc_bitmap *bitmap = data;

    /* Two threads share each word; each page is set once. */
    for (uint64_t page = bitmap->n_pages % 2; page < SETS; page += 2) {
        zc_bitmap_set_page_atomic(bitmap, page);
    }
    return NULL;
}

START_TEST(no_bit_set_beside_a_take_is_lost)
{
    struct zc_bitmap shared;
    struct zc_bitmap into;
    GThread *threads[2];
    uint64_t taken = 0;

    zc_bitmap_init(&shared, SETS);
    zc_bitmap_init(&into, SETS);
    struct zc_bitmap odd = { .words = shared.words, .n_pages = SETS + 1 };
    threads[0] = g_thread_new("set", set_many, &shared);
    threads[1] = g_thread_new("set", set_many, &odd);
    for (unsigned int i = 0; i < 50; i++) {
        taken += zc_bitmap_take_range_atomic(&shared, 0, SETS, &into);
    }
    g_thread_join(threads[0]);
    g_thread_join(threads[1]);
    taken += zc_bitmap_take_range_atomic(&shared, 0, SETS, &into);
    ck_assert_uint_eq(taken, SETS);
    ck_assert_uint_eq(zc_bitmap_count(&into), SETS);
    zc_bitmap_clear(&shared);
    zc_bitmap_clear(&into);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mem-bitmap");
    TCase *tcase = tcase_create("bitmap");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, random_ranges_agree_with_a_byte_a_page);
    tcase_add_test(tcase, taking_moves_the_range_and_nothing_beside_it);
    tcase_add_test(tcase, no_bit_set_beside_a_take_is_lost);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
