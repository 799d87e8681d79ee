/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "lib/unit.h"
#include "send/batch.h"

#define PAGES 200u

static uint8_t *memory;
static struct zc_ram ram;
static struct zc_batch batch;

static void fill_page(uint32_t page)
{
    memset(memory + page * ZC_PAGE_BYTES, (int)(page % 255 + 1), ZC_PAGE_BYTES);
}

static void setup(void)
{
    memory = g_aligned_alloc0(PAGES, ZC_PAGE_BYTES, ZC_PAGE_BYTES);
    zc_ram_init(&ram);
    ck_assert_int_eq(zc_ram_add(&ram, "ram", memory, PAGES * ZC_PAGE_BYTES, NULL), 0);
}

static void teardown(void)
{
    zc_ram_clear(&ram);
    g_aligned_free(memory);
}

START_TEST(neighbours_share_an_iovec_and_zeros_do_not_travel)
{
    static const uint32_t pages[] = { 11, 12, 14, 16, 17 };
    struct zc_range range = { .first_page = 11, .n_pages = 8 };

    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        fill_page(pages[i]);
    }
    zc_batch_fill(&batch, &ram, &range, true, NULL);
    ck_assert_uint_eq(batch.packet.n_normal, 5);
    ck_assert_uint_eq(batch.packet.n_zero, 3);
    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        ck_assert_uint_eq(batch.packet.offsets[i], pages[i] * ZC_PAGE_BYTES);
    }
    ck_assert_uint_eq(batch.packet.offsets[5], 13 * ZC_PAGE_BYTES);
    ck_assert_uint_eq(batch.packet.offsets[7], 18 * ZC_PAGE_BYTES);
    ck_assert_uint_eq(batch.n_iovs, 3);
    ck_assert_ptr_eq(batch.pages[0].iov_base, memory + 11 * ZC_PAGE_BYTES);
    ck_assert_uint_eq(batch.pages[0].iov_len, 2 * ZC_PAGE_BYTES);
    ck_assert_uint_eq(batch.pages[1].iov_len, ZC_PAGE_BYTES);
    ck_assert_str_eq(batch.packet.block, "ram");
}
END_TEST

START_TEST(without_merging_each_page_has_its_own)
{
    struct zc_range range = { .first_page = 0, .n_pages = ZC_MULTIFD_PAGES };

    for (uint32_t i = 0; i < ZC_MULTIFD_PAGES; i++) {
        fill_page(i);
    }
    zc_batch_fill(&batch, &ram, &range, false, NULL);
    ck_assert_uint_eq(batch.n_iovs, ZC_MULTIFD_PAGES);
    zc_batch_fill(&batch, &ram, &range, true, NULL);
    ck_assert_uint_eq(batch.n_iovs, 1);
    ck_assert_uint_eq(batch.pages[0].iov_len, ZC_MULTIFD_PAGES * ZC_PAGE_BYTES);
}
END_TEST

START_TEST(digests_are_those_of_the_pages)
{
    struct zc_manifest *manifest = zc_manifest_new(&ram, NULL);
    struct zc_range range = { .first_page = 4, .n_pages = 3 };

    fill_page(5);
    zc_batch_fill(&batch, &ram, &range, true, manifest);
    ck_assert(manifest->blocks[0].digests[3] == ZC_DIGEST_NONE);
    ck_assert(manifest->blocks[0].digests[4] == ZC_DIGEST_ZERO_PAGE);
    ck_assert(manifest->blocks[0].digests[5] == zc_digest_page(memory + 5 * ZC_PAGE_BYTES));
    ck_assert(manifest->blocks[0].digests[7] == ZC_DIGEST_NONE);
    zc_manifest_free(manifest);
}
END_TEST

START_TEST(known_zeros_are_not_read)
{
    struct zc_range range = { .first_page = 0, .n_pages = 2, .known_zero = true };
    struct zc_ram nowhere;

    zc_ram_init(&nowhere);
    /* Reading at this address would end the test. */
    ck_assert_int_eq(zc_ram_add(&nowhere, "hole", (uint8_t *)(uintptr_t)ZC_PAGE_BYTES,
                                2 * ZC_PAGE_BYTES, NULL), 0);
    zc_batch_fill(&batch, &nowhere, &range, true, NULL);
    ck_assert_uint_eq(batch.packet.n_zero, 2);
    ck_assert_uint_eq(batch.n_iovs, 0);
    zc_ram_clear(&nowhere);
}
END_TEST

START_TEST(sync_has_no_pages)
{
    zc_batch_fill_sync(&batch);
    ck_assert_uint_eq(batch.packet.flags, ZC_MULTIFD_SYNC);
    ck_assert_uint_eq(batch.packet.n_normal + batch.packet.n_zero + batch.n_iovs, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-batch");
    TCase *tcase = tcase_create("batch");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, neighbours_share_an_iovec_and_zeros_do_not_travel);
    tcase_add_test(tcase, without_merging_each_page_has_its_own);
    tcase_add_test(tcase, digests_are_those_of_the_pages);
    tcase_add_test(tcase, known_zeros_are_not_read);
    tcase_add_test(tcase, sync_has_no_pages);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
