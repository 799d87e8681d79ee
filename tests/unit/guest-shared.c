/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "guest/shared.h"
#include "lib/unit.h"

#define PAGE 4096u
#define BYTES (8 * PAGE)

static int make(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, BYTES), 0);
    return fd;
}

static uint8_t *map_at(int fd, int flags, off_t offset)
{
    void *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, flags, fd, offset);

    ck_assert(at != MAP_FAILED);
    return at;
}

START_TEST(a_mapping_is_known_by_its_file)
{
    struct zc_shared_identity identity;
    struct stat status;
    int fd = make();
    uint8_t *host = map_at(fd, MAP_SHARED, 0);

    /* In several pieces for the kernel, and still one. */
    ck_assert_int_eq(mprotect(host + 2 * PAGE, PAGE, PROT_READ), 0);
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert(zc_shared_identify(host, BYTES, &identity, NULL));
    ck_assert_uint_eq(identity.device, status.st_dev);
    ck_assert_uint_eq(identity.inode, status.st_ino);
    munmap(host, BYTES);
    close(fd);
}
END_TEST

static void expect_unknown(uint8_t *host)
{
    struct zc_shared_identity identity;
    GError *error = NULL;

    ck_assert(!zc_shared_identify(host, BYTES, &identity, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_SOURCE, "no shared mapping of one file");
    munmap(host, BYTES);
}

START_TEST(other_mappings_are_not_taken_for_it)
{
    int fd = make(), other = make();

    expect_unknown(map_at(fd, MAP_PRIVATE, 0));
    expect_unknown(map_at(-1, MAP_PRIVATE | MAP_ANONYMOUS, 0));
    expect_unknown(map_at(fd, MAP_SHARED, PAGE));
    uint8_t *mixed = map_at(fd, MAP_SHARED, 0);
    ck_assert(mmap(mixed + 4 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, other, 4 * PAGE) !=
              MAP_FAILED);
    expect_unknown(mixed);
    uint8_t *holed = map_at(fd, MAP_SHARED, 0);
    munmap(holed + 4 * PAGE, PAGE);
    expect_unknown(holed);
    close(fd);
    close(other);
}
END_TEST

static struct zc_store *adopt(struct zc_ram *ram, int fd)
{
    struct zc_store *store = zc_shared_store_new(&fd, 1);

    zc_ram_init(ram);
    ck_assert_int_eq(zc_ram_add(ram, "ram", NULL, BYTES, NULL), 0);
    ck_assert(store->ops->allocate(store, ram, NULL));
    return store;
}

static uint8_t *written;

static void on_segv(int number)
{
    (void)number;
    _exit(written ? 77 : 1);
}

/* Until the guest is ours a write ends here, and does not reach the guest that runs elsewhere. */
START_TEST(it_cannot_be_written_before_its_time)
{
    struct zc_ram ram;
    struct zc_store *store = adopt(&ram, make());

    written = ram.blocks[0].host;
    signal(SIGSEGV, on_segv);
    *(volatile uint8_t *)ram.blocks[0].host = 1;
    ck_abort_msg("the write went through");
    zc_store_free(store);
}
END_TEST

START_TEST(then_both_see_what_either_writes)
{
    struct zc_ram ram;
    int fd = make();
    uint8_t *theirs = map_at(fd, MAP_SHARED, 0);
    struct zc_store *store = adopt(&ram, fd);

    memset(theirs, 0x11, PAGE);
    ck_assert_uint_eq(ram.blocks[0].host[0], 0x11);
    ck_assert_int_eq(zc_shared_store_make_writable(store), 0);
    ram.blocks[0].host[1] = 0x22;
    ck_assert_uint_eq(theirs[1], 0x22);
    ck_assert(zc_shared_store_check(store, NULL));
    zc_store_free(store);
    zc_ram_clear(&ram);
    munmap(theirs, BYTES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-shared");
    TCase *tcase = tcase_create("shared");

    tcase_add_test(tcase, a_mapping_is_known_by_its_file);
    tcase_add_test(tcase, other_mappings_are_not_taken_for_it);
    tcase_add_exit_test(tcase, it_cannot_be_written_before_its_time, 77);
    tcase_add_test(tcase, then_both_see_what_either_writes);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
