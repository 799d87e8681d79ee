/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "lib/unit.h"
#include "mem/block.h"

START_TEST(blocks_are_found_and_counted)
{
    struct zc_ram ram;

    zc_ram_init(&ram);
    ck_assert_int_eq(zc_ram_add(&ram, "pc.ram", NULL, 1 << 20, NULL), 0);
    ck_assert_int_eq(zc_ram_add(&ram, "vga.vram", NULL, 8192, NULL), 1);
    ck_assert_int_eq(zc_ram_find(&ram, "vga.vram"), 1);
    ck_assert_int_eq(zc_ram_find(&ram, "vga"), -1);
    ck_assert_uint_eq(zc_ram_pages(&ram), 258);
    ck_assert(zc_block_has(&ram.blocks[1], 4096));
    ck_assert(!zc_block_has(&ram.blocks[1], 8192));
    ck_assert(!zc_block_has(&ram.blocks[1], 4095));
    zc_ram_clear(&ram);
}
END_TEST

START_TEST(bad_blocks_are_refused_by_name)
{
    struct zc_ram ram;
    GError *error = NULL;
    char long_name[ZC_BLOCK_NAME_BYTES + 1];

    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    zc_ram_init(&ram);
    zc_ram_add(&ram, "a", NULL, 4096, NULL);
    ck_assert_int_eq(zc_ram_add(&ram, "a", NULL, 4096, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "named twice");
    ck_assert_int_eq(zc_ram_add(&ram, "", NULL, 4096, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "got 0 characters");
    ck_assert_int_eq(zc_ram_add(&ram, long_name, NULL, 4096, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "got 256 characters");
    ck_assert_int_eq(zc_ram_add(&ram, "b", NULL, 4097, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "4097");
    ck_assert_int_eq(zc_ram_add(&ram, "b", NULL, 0, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "length of 0");
    ck_assert_int_eq(zc_ram_add(&ram, "b", NULL, UINT64_MAX - 4095, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "length");
    while (ram.n_blocks < ZC_BLOCKS_MAX) {
        g_autofree char *name = g_strdup_printf("n%u", ram.n_blocks);
        ck_assert_int_ge(zc_ram_add(&ram, name, NULL, 4096, NULL), 0);
    }
    ck_assert_int_eq(zc_ram_add(&ram, "more", NULL, 4096, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_LIMIT, "one too many");
    zc_ram_clear(&ram);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mem-block");
    TCase *tcase = tcase_create("block");

    tcase_add_test(tcase, blocks_are_found_and_counted);
    tcase_add_test(tcase, bad_blocks_are_refused_by_name);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
