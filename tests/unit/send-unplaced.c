/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "lib/random.h"
#include "lib/unit.h"
#include "send/unplaced.h"

#define PAGES 1000u

static struct zc_ram ram;
static struct zc_harvest harvest;
static struct zc_unplaced unplaced;

static void setup(void)
{
    zc_ram_init(&ram);
    ck_assert_int_eq(zc_ram_add(&ram, "a", NULL, PAGES * ZC_PAGE_BYTES, NULL), 0);
    ck_assert_int_eq(zc_ram_add(&ram, "b", NULL, PAGES * ZC_PAGE_BYTES, NULL), 1);
    zc_harvest_init(&harvest, &ram);
    zc_unplaced_init(&unplaced, &ram);
}

static void teardown(void)
{
    zc_unplaced_clear(&unplaced);
    zc_harvest_clear(&harvest);
    zc_ram_clear(&ram);
}

static void put(uint32_t block, uint64_t first, uint32_t n)
{
    const struct zc_range range = { .block = block, .first_page = first, .n_pages = n };

    zc_unplaced_put(&unplaced, &range);
}

START_TEST(what_was_put_is_lost)
{
    put(0, 10, 5);
    put(1, 999, 1);
    ck_assert_uint_eq(zc_unplaced_lose(&unplaced, &harvest), 6);
    ck_assert_uint_eq(harvest.n_pages, 6);
    ck_assert_uint_eq(zc_bitmap_count_range(&harvest.blocks[0], 10, 5), 5);
    ck_assert(zc_bitmap_test(&harvest.blocks[1], 999));
    ck_assert_uint_eq(zc_unplaced_lose(&unplaced, &harvest), 0);
}
END_TEST

START_TEST(what_was_placed_is_not)
{
    put(0, 0, 10);
    zc_unplaced_mark(&unplaced);
    put(0, 8, 10); /* two of them again, behind the mark */
    zc_unplaced_placed(&unplaced);
    ck_assert_uint_eq(zc_unplaced_lose(&unplaced, &harvest), 10);
    ck_assert_uint_eq(zc_bitmap_count_range(&harvest.blocks[0], 0, 8), 0);
}
END_TEST

START_TEST(a_mark_without_its_answer_saves_nothing)
{
    put(0, 0, 10);
    zc_unplaced_mark(&unplaced);
    put(0, 5, 10);
    ck_assert_uint_eq(unplaced.n_current, 10);
    ck_assert_uint_eq(zc_unplaced_lose(&unplaced, &harvest), 15);
    ck_assert(!unplaced.is_marked);
}
END_TEST

/* Pages that are dirty already are not counted twice by the harvest. */
START_TEST(the_harvest_keeps_count)
{
    zc_harvest_fill(&harvest);
    ck_assert_uint_eq(harvest.n_pages, 2 * PAGES);
    put(0, 0, 10);
    ck_assert_uint_eq(zc_unplaced_lose(&unplaced, &harvest), 10);
    ck_assert_uint_eq(harvest.n_pages, 2 * PAGES);
}
END_TEST

/* Against two plain arrays. */
START_TEST(it_is_right_whatever_comes)
{
    static uint8_t current[PAGES], marked[PAGES];
    struct zc_random random;

    zc_random_init(&random, zc_unit_seed());
    for (unsigned int step = 0; step < 20000; step++) {
        uint64_t first = zc_random_below(&random, PAGES);
        uint32_t n = (uint32_t)zc_random_below(&random, PAGES - first) + 1;
        uint64_t expected = 0;
        switch (zc_random_below(&random, 8)) {
        case 0:
            if (!unplaced.is_marked) {
                zc_unplaced_mark(&unplaced);
                memcpy(marked, current, PAGES);
                memset(current, 0, PAGES);
            }
            break;
        case 1:
            if (unplaced.is_marked) {
                zc_unplaced_placed(&unplaced);
                memset(marked, 0, PAGES);
            }
            break;
        case 2:
            for (unsigned int page = 0; page < PAGES; page++) {
                expected += current[page] || marked[page];
            }
            ck_assert_uint_eq(zc_unplaced_lose(&unplaced, &harvest), expected);
            memset(current, 0, PAGES);
            memset(marked, 0, PAGES);
            break;
        default:
            put(1, first, n);
            memset(current + first, 1, n);
        }
    }
    ck_assert_uint_eq(harvest.n_pages, zc_bitmap_count(&harvest.blocks[1]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-unplaced");
    TCase *tcase = tcase_create("unplaced");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_was_put_is_lost);
    tcase_add_test(tcase, what_was_placed_is_not);
    tcase_add_test(tcase, a_mark_without_its_answer_saves_nothing);
    tcase_add_test(tcase, the_harvest_keeps_count);
    tcase_add_test(tcase, it_is_right_whatever_comes);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
