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

int main(void)
{
    Suite *suite = suite_create("mem-digest");
    TCase *tcase = tcase_create("digest");

    tcase_add_test(tcase, zero_page_has_the_constant);
    tcase_add_test(tcase, every_bit_counts);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
