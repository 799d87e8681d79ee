/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sigbus.h"
#include "lib/unit.h"

#define PAGE 4096u

static int make_file(size_t bytes)
{
    int fd = memfd_create("sigbus", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    return fd;
}

START_TEST(a_vanished_page_reads_as_zero_and_is_remembered)
{
    int fd = make_file(4 * PAGE);
    volatile char *at = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    int guard = zc_sigbus_guard((void *)at, 4 * PAGE, PAGE, PROT_READ);

    ck_assert_int_ge(guard, 0);
    ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
    ck_assert_int_eq(at[0], 'x');
    ck_assert(!zc_sigbus_was_hit(guard));
    ck_assert_int_eq(ftruncate(fd, PAGE), 0);
    ck_assert_int_eq(at[3 * PAGE + 5], 0);
    ck_assert(zc_sigbus_was_hit(guard));
    ck_assert_int_eq(at[0], 'x');
    zc_sigbus_unguard(guard);
    close(fd);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__ /* it would turn the signal into a report */
START_TEST(a_fault_elsewhere_still_kills)
{
    int fd = make_file(PAGE);
    int guard =
        zc_sigbus_guard(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), PAGE, PAGE, PROT_READ);
    volatile char *other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

    ck_assert_int_ge(guard, 0);
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(other[0], 0);
}
END_TEST
#endif

START_TEST(guards_run_out_and_come_back)
{
    static char memory[PAGE];
    int guards[ZC_SIGBUS_GUARDS_MAX];

    for (int i = 0; i < ZC_SIGBUS_GUARDS_MAX; i++) {
        guards[i] = zc_sigbus_guard(memory, PAGE, PAGE, PROT_READ);
        ck_assert_int_ge(guards[i], 0);
    }
    ck_assert_int_eq(zc_sigbus_guard(memory, PAGE, PAGE, PROT_READ), -1);
    zc_sigbus_unguard(guards[7]);
    ck_assert_int_eq(zc_sigbus_guard(memory, PAGE, PAGE, PROT_READ), guards[7]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base-sigbus");
    TCase *tcase = tcase_create("sigbus");

    tcase_add_test(tcase, a_vanished_page_reads_as_zero_and_is_remembered);
#ifndef __SANITIZE_ADDRESS__
    tcase_add_test_raise_signal(tcase, a_fault_elsewhere_still_kills, SIGBUS);
#endif
    tcase_add_test(tcase, guards_run_out_and_come_back);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
