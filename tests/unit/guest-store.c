/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include <zcmig/error.h>

#include "guest/guest.h"
#include "lib/unit.h"

#define PAGES 64

static char *directory;

static void make_directory(void)
{
    directory = g_dir_make_tmp("zc-store-XXXXXX", NULL);
}

/* Fails when anything is left, hidden files included. */
static void remove_directory(void)
{
    ck_assert_msg(g_rmdir(directory) == 0, "something is left in %s", directory);
    g_clear_pointer(&directory, g_free);
}

static char *in_directory(const char *name)
{
    return g_build_filename(directory, name, NULL);
}

static uint8_t *allocate(struct zc_store *store, struct zc_ram *ram, uint64_t bytes)
{
    GError *error = NULL;

    zc_ram_init(ram);
    zc_ram_add(ram, "pc.ram", NULL, bytes, NULL);
    ck_assert_msg(store->ops->allocate(store, ram, &error), "%s", error ? error->message : "");
    ck_assert_ptr_nonnull(ram->blocks[0].host);
    return ram->blocks[0].host;
}

static void check_pages_become_data_and_zero_again(struct zc_store *store)
{
    struct zc_ram ram;
    uint8_t *host = allocate(store, &ram, PAGES * ZC_PAGE_BYTES);
    static const uint8_t zeros[ZC_PAGE_BYTES];

    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(store->ops->populate(store, host + 4096, 3 * 4096), 0);
        ck_assert_mem_eq(host + 4096, zeros, 4096);
        memset(host + 4096, 0x5a, 3 * 4096);
        ck_assert_int_eq(store->ops->zero(store, host + 2 * 4096, 4096), 0);
        ck_assert_mem_eq(host + 2 * 4096, zeros, 4096);
        ck_assert_uint_eq(host[4096], 0x5a);
        ck_assert_uint_eq(host[3 * 4096], 0x5a);
        ck_assert_int_eq(store->ops->zero(store, host + 4096, 3 * 4096), 0);
    }
    zc_ram_clear(&ram);
}

START_TEST(memory_becomes_data_and_zero_again)
{
    struct zc_store *store = zc_memory_store_new();

    check_pages_become_data_and_zero_again(store);
    ck_assert(store->ops->commit(store, 0, NULL));
    zc_store_free(store);
    zc_store_free(NULL);
}
END_TEST

START_TEST(memory_of_absurd_size_is_a_limit_error)
{
    struct zc_store *store = zc_memory_store_new();
    struct zc_ram ram;
    GError *error = NULL;

    zc_ram_init(&ram);
    zc_ram_add(&ram, "small", NULL, 4096, NULL);
    zc_ram_add(&ram, "huge", NULL, UINT64_C(1) << 62, NULL);
    ck_assert(!store->ops->allocate(store, &ram, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_LIMIT, "'huge'");
    zc_store_free(store);
    zc_ram_clear(&ram);
}
END_TEST

START_TEST(null_takes_whole_pages_and_gives_no_memory)
{
    struct zc_store *store = zc_null_store_new();
    uint8_t page[ZC_PAGE_BYTES] = { 1 };
    struct iovec content = { page, sizeof(page) };
    struct zc_ram ram;
    int zero = open("/dev/zero", O_RDWR);
    uint8_t *host = allocate(store, &ram, PAGES * ZC_PAGE_BYTES);

    ck_assert_ptr_null(store->ops->populate);
    ck_assert_int_eq(store->ops->write(store, host, &content, 1), 0);
    ck_assert_int_eq(store->ops->zero(store, host, ZC_PAGE_BYTES), 0);
    ck_assert_int_ge(zero, 0);
    ck_assert_int_eq(read(zero, page, 1), 1);
    ck_assert_int_eq(read(zero, host, 1), -1);
    ck_assert_int_eq(errno, EFAULT);
    close(zero);
    ck_assert(store->ops->commit(store, 0, NULL));
    zc_store_free(store);
    zc_ram_clear(&ram);
}
END_TEST

/* _i: 1 nameless, 0 under a hidden name */
START_TEST(an_image_appears_at_commit_with_its_exact_size_and_its_holes)
{
    g_autofree char *path = in_directory("image");
    struct zc_store *store = zc_image_store_new_as(path, false, _i, NULL);
    struct zc_ram ram;
    struct stat st;
    GError *error = NULL;
    g_autofree char *content = NULL;
    gsize length = 0;

    check_pages_become_data_and_zero_again(store);
    zc_store_free(store);
    store = zc_image_store_new_as(path, false, _i, NULL);
    uint8_t *host = allocate(store, &ram, PAGES * ZC_PAGE_BYTES);
    ck_assert_int_eq(store->ops->populate(store, host + (PAGES - 1) * 4096, 4096), 0);
    memset(host + (PAGES - 1) * 4096, 'z', 10);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert(!store->ops->commit(store, PAGES * 4096 + 1, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "its RAM has 262144");
    ck_assert(!store->ops->commit(store, (PAGES - 1) * 4096, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "its RAM has 262144");
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert(store->ops->commit(store, (PAGES - 1) * 4096 + 10, &error));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, (PAGES - 1) * 4096 + 10);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_msg(st.st_blocks * 512 <= 8 * 4096, "%ld blocks: not sparse", (long)st.st_blocks);
    zc_store_free(store);
    ck_assert(g_file_get_contents(path, &content, &length, NULL));
    ck_assert_mem_eq(content + (PAGES - 1) * 4096, "zzzzzzzzzz", 10);
    g_unlink(path);
    zc_ram_clear(&ram);
}
END_TEST

START_TEST(an_image_that_is_not_committed_leaves_nothing)
{
    g_autofree char *path = in_directory("image");
    struct zc_store *store = zc_image_store_new_as(path, false, _i, NULL);
    struct zc_ram ram;

    allocate(store, &ram, 4096);
    zc_store_free(store);
    zc_ram_clear(&ram);
    /* remove_directory() checks it */
}
END_TEST

START_TEST(an_existing_file_is_replaced_only_when_asked_and_only_at_commit)
{
    g_autofree char *path = in_directory("image"), *alias = in_directory("alias");
    struct zc_ram ram;
    struct stat st;
    GError *error = NULL;
    g_autofree char *content = NULL;

    ck_assert(g_file_set_contents(path, "old", -1, NULL));
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(symlink("image", alias), 0);
    ck_assert_ptr_null(zc_image_store_new_as(path, false, _i, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_OUTPUT, "only replaced when asked");
    struct zc_store *store = zc_image_store_new_as(alias, true, _i, &error);
    allocate(store, &ram, 4096);
    ck_assert(g_file_get_contents(path, &content, NULL, NULL));
    ck_assert_str_eq(content, "old");
    ck_assert(store->ops->commit(store, 0, &error));
    zc_store_free(store);
    ck_assert_int_eq(lstat(alias, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 4096);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    g_unlink(path);
    g_unlink(alias);
    zc_ram_clear(&ram);
}
END_TEST

START_TEST(a_file_that_came_in_between_is_not_replaced)
{
    g_autofree char *path = in_directory("image"), *content = NULL;
    struct zc_store *store = zc_image_store_new_as(path, false, _i, NULL);
    struct zc_ram ram;
    GError *error = NULL;

    allocate(store, &ram, 4096);
    ck_assert(g_file_set_contents(path, "other", -1, NULL));
    ck_assert(!store->ops->commit(store, 0, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_OUTPUT, "File exists");
    zc_store_free(store);
    ck_assert(g_file_get_contents(path, &content, NULL, NULL));
    ck_assert_str_eq(content, "other");
    g_unlink(path);
    zc_ram_clear(&ram);
}
END_TEST

START_TEST(an_impossible_output_is_refused_before_anything_is_received)
{
    GError *error = NULL;
    struct zc_ram ram;

    ck_assert_ptr_null(zc_image_store_new("/nonexistent/dir/image", false, &error));
    ck_assert_int_eq(zcmig_error_get_errno(error), ENOENT);
    zc_unit_expect_error(&error, ZCMIG_ERROR_OUTPUT, "/nonexistent/dir/image");
    ck_assert_ptr_null(zc_image_store_new(directory, true, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_OUTPUT, "is no regular file");
    ck_assert_ptr_null(zc_image_store_new("/proc/image", false, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_OUTPUT, "/proc/image");

    g_autofree char *path = in_directory("image");
    struct zc_store *store = zc_image_store_new(path, false, &error);
    zc_ram_init(&ram);
    zc_ram_add(&ram, "pc.ram", NULL, 4096, NULL);
    zc_ram_add(&ram, "vga.vram", NULL, 4096, NULL);
    ck_assert(!store->ops->allocate(store, &ram, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_OUTPUT, "image of one block, the source has 2");
    zc_store_free(store);
    zc_ram_clear(&ram);
}
END_TEST

/* Mounts a tmpfs of @kib on the test's directory, in a mount namespace of this test's own. */
static bool mount_small_tmpfs(unsigned int kib)
{
    g_autofree char *options = g_strdup_printf("size=%uk", kib);

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("zc-small", directory, "tmpfs", 0, options) < 0) {
        printf("skipped: no right to mount a tmpfs in a mount namespace: %s\n", strerror(errno));
        return false;
    }
    return true;
}

START_TEST(a_full_file_system_is_enospc_and_no_signal)
{
    g_autofree char *path = in_directory("image");
    struct zc_ram ram;
    int rc = 0;

    if (!mount_small_tmpfs(256)) {
        return;
    }
    struct zc_store *store = zc_image_store_new(path, false, NULL);
    uint8_t *host = allocate(store, &ram, 256 * ZC_PAGE_BYTES);
    uint64_t page = 0;
    while (page < 256 && (rc = store->ops->populate(store, host + page * 4096, 4096)) == 0) {
        memset(host + page++ * 4096, 1, 4096);
    }
    ck_assert_int_eq(rc, -ENOSPC);
    ck_assert_uint_ge(page, 16);
    ck_assert_uint_le(page, 64);
    /* What was zeroed again gives its room back. */
    ck_assert_int_eq(store->ops->zero(store, host, 8 * 4096), 0);
    ck_assert_int_eq(store->ops->populate(store, host + page * 4096, 4096), 0);
    zc_store_free(store);
    zc_ram_clear(&ram);
    umount(directory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-store");
    TCase *tcase = tcase_create("store");

    tcase_add_checked_fixture(tcase, make_directory, remove_directory);
    tcase_add_test(tcase, memory_becomes_data_and_zero_again);
    tcase_add_test(tcase, memory_of_absurd_size_is_a_limit_error);
    tcase_add_test(tcase, null_takes_whole_pages_and_gives_no_memory);
    tcase_add_loop_test(tcase, an_image_appears_at_commit_with_its_exact_size_and_its_holes, 0, 2);
    tcase_add_loop_test(tcase, an_image_that_is_not_committed_leaves_nothing, 0, 2);
    tcase_add_loop_test(tcase, an_existing_file_is_replaced_only_when_asked_and_only_at_commit, 0,
                        2);
    tcase_add_loop_test(tcase, a_file_that_came_in_between_is_not_replaced, 0, 2);
    tcase_add_test(tcase, an_impossible_output_is_refused_before_anything_is_received);
    tcase_add_test(tcase, a_full_file_system_is_enospc_and_no_signal);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
