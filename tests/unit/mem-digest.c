/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "lib/unit.h"
#include "mem/block.h"
#include "mem/digest.h"

static _Alignas(64) unsigned char page[ZC_PAGE_BYTES];

START_TEST(zero_page_has_the_constant)
{
    memset(page, 0, sizeof(page));
    ck_assert(zc_page_is_zero(page));
    ck_assert(zc_digest_page(page) == ZC_DIGEST_ZERO_PAGE);
}
END_TEST

START_TEST(every_bit_counts)
{
    memset(page, 0, sizeof(page));
    for (size_t i = 0; i < sizeof(page); i++) {
        page[i] = (unsigned char)(1u << (i % 8));
        ck_assert_msg(!zc_page_is_zero(page), "byte %zu is not seen", i);
        ck_assert_msg(zc_digest_page(page) != ZC_DIGEST_ZERO_PAGE, "byte %zu is not digested", i);
        page[i] = 0;
    }
}
END_TEST

/* So that the loads of neighbours do not wait for each other; see zc_page_probe. */
START_TEST(neighbours_are_probed_in_different_lines)
{
    static _Alignas(ZC_PAGE_BYTES) unsigned char pages[64][ZC_PAGE_BYTES];
    bool seen[64] = { false };

    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        ptrdiff_t offset = (const unsigned char *)zc_page_probe(pages[i]) - pages[i];
        ck_assert_int_ge(offset, 0);
        ck_assert_int_lt(offset, ZC_PAGE_BYTES);
        ck_assert_msg(!seen[offset / 64], "line %td twice", offset / 64);
        seen[offset / 64] = true;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mem-digest");
    TCase *tcase = tcase_create("digest");

    tcase_add_test(tcase, zero_page_has_the_constant);
    tcase_add_test(tcase, every_bit_counts);
    tcase_add_test(tcase, neighbours_are_probed_in_different_lines);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
