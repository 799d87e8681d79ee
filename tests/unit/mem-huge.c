/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/unit.h"
#include "mem/huge.h"

#define PAGE UINT64_C(4096)

static uint8_t *map(uint64_t bytes, int advice)
{
    uint8_t *host = zc_huge_reserve(bytes);

    ck_assert_ptr_nonnull(host);
    ck_assert_uint_eq((uintptr_t)host % ZC_HUGE_PAGE_BYTES, 0);
    ck_assert_int_eq(mprotect(host, bytes, PROT_READ | PROT_WRITE), 0);
    madvise(host, bytes, advice);
    memset(host, 1, bytes);
    return host;
}

/* Whether there is a mapping at @at. */
static bool is_mapped(uint8_t *at)
{
    unsigned char resident;

    return mincore(at, PAGE, &resident) == 0;
}

START_TEST(what_is_reserved_is_aligned_and_whole)
{
    static const uint64_t sizes[] = { PAGE, ZC_HUGE_PAGE_BYTES - PAGE, ZC_HUGE_PAGE_BYTES,
                                      3 * ZC_HUGE_PAGE_BYTES + PAGE };
    uint64_t bytes = sizes[_i];
    uint8_t *host = map(bytes, MADV_NOHUGEPAGE);

    ck_assert(is_mapped(host) && is_mapped(host + bytes - PAGE));
    ck_assert_int_eq(munmap(host, bytes), 0);
    ck_assert(!is_mapped(host) && !is_mapped(host + bytes - PAGE));
}
END_TEST

START_TEST(more_than_there_is_has_a_reason)
{
    errno = 0;
    ck_assert_ptr_null(zc_huge_reserve(UINT64_C(1) << 62));
    ck_assert_int_ne(errno, 0);
}
END_TEST

START_TEST(huge_pages_are_counted_where_there_are_any)
{
    const uint64_t bytes = 8 * ZC_HUGE_PAGE_BYTES;
    uint8_t *small = map(bytes, MADV_NOHUGEPAGE);
    uint8_t *huge = map(bytes, MADV_HUGEPAGE);
    uint64_t counted = zc_huge_count(huge, bytes);

    ck_assert_uint_eq(zc_huge_count(small, bytes), 0);
    ck_assert_uint_le(counted, bytes);
    ck_assert_uint_eq(counted % ZC_HUGE_PAGE_BYTES, 0);
    munmap(huge, bytes);
    ck_assert_uint_eq(zc_huge_count(huge, bytes), 0);
    munmap(small, bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("huge");
    TCase *tcase = tcase_create("huge");

    tcase_add_loop_test(tcase, what_is_reserved_is_aligned_and_whole, 0, 4);
    tcase_add_test(tcase, more_than_there_is_has_a_reason);
    tcase_add_test(tcase, huge_pages_are_counted_where_there_are_any);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
