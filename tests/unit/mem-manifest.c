/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include <zcmig/error.h>

#include "lib/unit.h"
#include "mem/manifest.h"

#define PAGES 64u

static uint8_t *memory;
static struct zc_ram ram;

static void setup(void)
{
    memory = g_aligned_alloc0(2 * PAGES, ZC_PAGE_BYTES, ZC_PAGE_BYTES);
    zc_ram_init(&ram);
    ck_assert_int_eq(zc_ram_add(&ram, "pc.ram", memory, PAGES * ZC_PAGE_BYTES, NULL), 0);
    ck_assert_int_eq(zc_ram_add(&ram, "vram", memory + PAGES * ZC_PAGE_BYTES,
                                PAGES * ZC_PAGE_BYTES, NULL), 1);
    for (uint32_t i = 0; i < 2 * PAGES; i++) {
        if (i % 4) {
            memcpy(memory + i * ZC_PAGE_BYTES + 100, &i, sizeof(i));
        }
    }
}

static void teardown(void)
{
    zc_ram_clear(&ram);
    g_aligned_free(memory);
}

static struct zc_manifest *make(void)
{
    struct zc_manifest *manifest = zc_manifest_new(&ram, NULL);

    for (uint32_t block = 0; block < ram.n_blocks; block++) {
        struct zc_range range = { .block = block, .n_pages = PAGES };
        zc_manifest_digest_range(manifest, &ram, &range);
    }
    return manifest;
}

START_TEST(equal_ram_compares_equal)
{
    struct zc_manifest *a = make();
    struct zc_manifest *b = make();
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(struct zc_mismatch));

    ck_assert_uint_eq(zc_manifest_compare(a, b, runs, 64), 0);
    ck_assert_uint_eq(runs->len, 0);
    ck_assert(a->blocks[0].digests[0] == ZC_DIGEST_ZERO_PAGE);
    ck_assert_uint_eq(zc_manifest_pages(a), 2 * PAGES);
    zc_manifest_free(a);
    zc_manifest_free(b);
}
END_TEST

START_TEST(wrong_pages_are_listed_in_runs)
{
    struct zc_manifest *a = make();
    struct zc_manifest *b = make();
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(struct zc_mismatch));

    b->blocks[0].digests[5] ^= 1;
    b->blocks[0].digests[6] ^= 1;
    b->blocks[0].digests[7] = ZC_DIGEST_NONE;
    b->blocks[1].digests[PAGES - 1] ^= 1;
    ck_assert_uint_eq(zc_manifest_compare(a, b, runs, 64), 4);
    ck_assert_uint_eq(runs->len, 3);
    const struct zc_mismatch *run = &g_array_index(runs, struct zc_mismatch, 0);
    ck_assert_int_eq(run->kind, ZC_MISMATCH_DIFFERS);
    ck_assert_uint_eq(run->first_page, 5);
    ck_assert_uint_eq(run->n_pages, 2);
    run = &g_array_index(runs, struct zc_mismatch, 1);
    ck_assert_int_eq(run->kind, ZC_MISMATCH_MISSING);
    g_autofree char *text = zc_mismatch_format(run);
    ck_assert_str_eq(text, "block 'pc.ram': 1 page from offset 0x7000 never arrived");
    run = &g_array_index(runs, struct zc_mismatch, 2);
    ck_assert_str_eq(run->block, "vram");
    g_array_set_size(runs, 0);
    ck_assert_uint_eq(zc_manifest_compare(a, b, runs, 1), 4);
    ck_assert_uint_eq(runs->len, 1);
    zc_manifest_free(a);
    zc_manifest_free(b);
}
END_TEST

START_TEST(other_shapes_are_wrong)
{
    struct zc_manifest *a = make();
    struct zc_manifest *b = make();
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(struct zc_mismatch));

    b->blocks[1].n_pages--;
    ck_assert_uint_eq(zc_manifest_compare(a, b, runs, 64), PAGES);
    strcpy(b->blocks[0].name, "other");
    ck_assert_uint_eq(zc_manifest_compare(a, b, runs, 64), 3 * PAGES);
    zc_manifest_free(a);
    zc_manifest_free(b);
}
END_TEST

START_TEST(file_form_comes_back_the_same)
{
    g_autofree char *dir = g_dir_make_tmp("zcmig-manifest-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "m", NULL);
    struct zc_manifest *a = make();
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(struct zc_mismatch));
    g_autofree char *bytes = NULL;
    gsize length = 0;

    ck_assert(zc_manifest_save(a, path, NULL));
    struct zc_manifest *b = zc_manifest_load(path, NULL);
    ck_assert_ptr_nonnull(b);
    ck_assert_uint_eq(zc_manifest_compare(a, b, runs, 64), 0);

    /* Cut short anywhere, or one bit changed anywhere: never a manifest. */
    ck_assert(g_file_get_contents(path, &bytes, &length, NULL));
    for (gsize i = 0; i < length; i++) {
        GError *error = NULL;
        ck_assert_ptr_null(zc_manifest_parse((const uint8_t *)bytes, i, &error));
        ck_assert_ptr_nonnull(error);
        g_clear_error(&error);
        bytes[i] ^= 4;
        ck_assert_ptr_null(zc_manifest_parse((const uint8_t *)bytes, length, NULL));
        bytes[i] ^= 4;
    }
    zc_manifest_free(a);
    zc_manifest_free(b);
    g_remove(path);
    g_rmdir(dir);
}
END_TEST

START_TEST(missing_files_are_named)
{
    GError *error = NULL;

    ck_assert_ptr_null(zc_manifest_load("/nonexistent/m", &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_SOURCE, "/nonexistent/m");
    struct zc_manifest *a = make();
    ck_assert(!zc_manifest_save(a, "/nonexistent/m", &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_OUTPUT, "/nonexistent/m");
    zc_manifest_free(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mem-manifest");
    TCase *tcase = tcase_create("manifest");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, equal_ram_compares_equal);
    tcase_add_test(tcase, wrong_pages_are_listed_in_runs);
    tcase_add_test(tcase, other_shapes_are_wrong);
    tcase_add_test(tcase, file_form_comes_back_the_same);
    tcase_add_test(tcase, missing_files_are_named);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
