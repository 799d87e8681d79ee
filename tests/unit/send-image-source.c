/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "guest/guest.h"
#include "lib/unit.h"
#include "mem/digest.h"
#include "send/iterate.h"

static int fd;
static char *uri;

static void setup(void)
{
    fd = memfd_create("image", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    uri = g_strdup_printf("file:/proc/%d/fd/%d", (int)getpid(), fd);
}

static void teardown(void)
{
    close(fd);
    g_free(uri);
}

static void put(uint64_t page, const char *text)
{
    ck_assert_int_eq(pwrite(fd, text, strlen(text), (off_t)(page * ZC_PAGE_BYTES)),
                     (ssize_t)strlen(text));
}

static void resize(uint64_t bytes)
{
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
}

static bool add_text(const struct zc_range *range, void *data)
{
    g_string_append_printf(data, "%c%u+%u ", range->known_zero ? 'z' : 'd',
                           (unsigned int)range->first_page, range->n_pages);
    return true;
}

static char *ranges_of(struct zc_source *source, uint32_t max_pages)
{
    GString *text = g_string_new("");

    zc_iterate_all(source, max_pages, add_text, text);
    return g_string_free(text, FALSE);
}

START_TEST(holes_are_found_without_reading)
{
    struct stat before, after;

    resize(16 * ZC_PAGE_BYTES);
    put(3, "a");
    put(4, "b");
    put(9, "c");
    ck_assert_int_eq(fstat(fd, &before), 0);
    struct zc_source *source = zc_source_open(uri, NULL);
    ck_assert_ptr_nonnull(source);
    g_autofree char *text = ranges_of(source, 100);
    ck_assert_str_eq(text, "z0+3 d3+2 z5+4 d9+1 z10+6 ");
    g_autofree char *cut = ranges_of(source, 2);
    ck_assert_str_eq(cut, "z0+2 z2+1 d3+2 z5+2 z7+2 d9+1 z10+2 z12+2 z14+2 ");
    zc_source_free(source);
    ck_assert_int_eq(fstat(fd, &after), 0);
    ck_assert_int_eq(before.st_blocks, after.st_blocks);
}
END_TEST

START_TEST(a_part_of_a_page_is_padded_with_zeros)
{
    put(0, "x");
    resize(ZC_PAGE_BYTES + 7);
    put(1, "1234567");
    struct zc_source *source = zc_source_open(uri, NULL);
    ck_assert_ptr_nonnull(source);
    ck_assert_uint_eq(source->exact_bytes, ZC_PAGE_BYTES + 7);
    ck_assert_uint_eq(source->ram.blocks[0].used_bytes, 2 * ZC_PAGE_BYTES);
    ck_assert_int_eq(source->ram.blocks[0].host[ZC_PAGE_BYTES + 6], '7');
    ck_assert_int_eq(source->ram.blocks[0].host[ZC_PAGE_BYTES + 7], 0);
    g_autofree char *text = ranges_of(source, 100);
    ck_assert_str_eq(text, "d0+2 ");
    zc_source_free(source);
}
END_TEST

START_TEST(an_image_that_shrinks_is_noticed_not_a_crash)
{
    GError *error = NULL;
    unsigned int sum = 0;

    resize(64 * ZC_PAGE_BYTES);
    struct zc_source *source = zc_source_open(uri, NULL);
    ck_assert(source->ops->check(source, NULL));
    resize(8 * ZC_PAGE_BYTES);
    struct zc_range range = { .n_pages = 64 };
    source->ops->will_need(source, &range);
    for (uint32_t i = 0; i < 64; i++) {
        sum += source->ram.blocks[0].host[i * ZC_PAGE_BYTES];
    }
    ck_assert_uint_eq(sum, 0);
    ck_assert(!source->ops->check(source, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_SOURCE, "changed its size");
    /* Growing back does not make the pages that were read real. */
    resize(64 * ZC_PAGE_BYTES);
    ck_assert(!source->ops->check(source, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_SOURCE, "cannot be read");
    zc_source_free(source);
}
END_TEST

START_TEST(what_cannot_be_an_image_is_refused_by_name)
{
    static const struct {
        const char *uri;
        int code;
        const char *part;
    } rows[] = {
        { "file:/nonexistent/image", ZCMIG_ERROR_SOURCE, "No such file" },
        { "file:/", ZCMIG_ERROR_SOURCE, "neither a file nor" },
        { "file:/dev/null", ZCMIG_ERROR_SOURCE, "neither a file nor" },
        { "gopher:x", ZCMIG_ERROR_USAGE, "got 'gopher:x', allowed are file:" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        ck_assert_ptr_null(zc_source_open(rows[i].uri, &error));
        zc_unit_expect_error(&error, rows[i].code, rows[i].part);
    }
    GError *error = NULL;
    ck_assert_ptr_null(zc_source_open(uri, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_SOURCE, "is empty");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-image-source");
    TCase *tcase = tcase_create("image");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, holes_are_found_without_reading);
    tcase_add_test(tcase, a_part_of_a_page_is_padded_with_zeros);
    tcase_add_test(tcase, an_image_that_shrinks_is_noticed_not_a_crash);
    tcase_add_test(tcase, what_cannot_be_an_image_is_refused_by_name);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
