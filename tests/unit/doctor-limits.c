/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's arithmetic of what may be in flight, against what kernels were measured to allow. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/size.h"
#include "unit/doctor-facts.h"

/* Calls of 512 KiB until ENOBUFS with a stalled receiver: 6.1, 6.12 and 6.18. */
START_TEST(optmem_allows_what_was_measured)
{
    static const struct {
        uint64_t optmem_max;
        unsigned int note_bytes;
        uint64_t n_calls;
    } rows[] = {
        { 20480, 768, 26 },     { 20480, 896, 23 },   { 20480, 832, 24 },
        { 131072, 768, 170 },   { 131072, 896, 146 }, { 131072, 832, 157 },
        { 1048576, 832, 1260 }, { 131072, 0, 157 },   { 100, 832, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ck_assert_uint_eq(zc_rules_optmem_in_flight(rows[i].optmem_max, rows[i].note_bytes),
                          rows[i].n_calls * 512 * ZC_KIB);
    }
}
END_TEST

START_TEST(memlock_allows_what_was_measured)
{
    static const struct {
        uint64_t limit;
        uint64_t bytes;
    } rows[] = {
        { 8 * ZC_MIB, 15 * 512 * ZC_KIB }, /* 15 calls of 512 KiB */
        { 64 * ZC_KIB, 56 * ZC_KIB },      /* a call of 64 KiB never succeeds */
        { 8 * ZC_KIB, 0 },
        { 0, 0 },
        { UINT64_MAX, UINT64_MAX },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ck_assert_uint_eq(zc_rules_memlock_in_flight(rows[i].limit), rows[i].bytes);
    }
}
END_TEST

/* Judges a healthy device under the limits of @made. */
static enum zcmig_verdict judge(struct made_up *made)
{
    g_array_set_size(made->facts.links, 0);
    made_up_link(made, 2, "eth0", "")->speed_bytes_s = UINT64_C(100000000000) / 8;
    return made_up_judge(made, 2);
}

START_TEST(a_limit_below_what_the_link_holds_is_told_with_a_remedy)
{
    struct made_up made;

    made_up_init(&made);
    made.facts.limits.memlock_bytes = 8 * ZC_MIB;
    ck_assert_int_eq(judge(&made), ZCMIG_VERDICT_WORKS);
    made_up_expect(&made, "memlock", ZCMIG_EFFECT_NOTE);

    made.facts.rtt_ns = 10 * 1000 * 1000; /* 100 Gbit/s x 10 ms = 119 MiB */
    ck_assert_int_eq(judge(&made), ZCMIG_VERDICT_WORKS);
    const struct zcmig_finding *finding = made_up_expect(&made, "memlock", ZCMIG_EFFECT_LIMITS);
    ck_assert_ptr_nonnull(strstr(finding->evidence, "119.21 MiB"));
    ck_assert_ptr_nonnull(strstr(finding->remedy, "LimitMEMLOCK"));
    made_up_expect(&made, "optmem", ZCMIG_EFFECT_LIMITS); /* 78.5 MiB */

    made.facts.bandwidth = 100 * ZC_MIB; /* what is asked for counts, not what the device can */
    judge(&made);
    made_up_expect(&made, "memlock", ZCMIG_EFFECT_NOTE);
    made_up_expect(&made, "optmem", ZCMIG_EFFECT_NOTE);
    made_up_clear(&made);
}
END_TEST

START_TEST(a_memlock_that_holds_no_call_copies)
{
    struct made_up made;

    made_up_init(&made);
    made.facts.limits.memlock_bytes = 16 * ZC_KIB;
    ck_assert_int_eq(judge(&made), ZCMIG_VERDICT_COPIES);
    made.facts.limits.ipc_lock = true;
    ck_assert_int_eq(judge(&made), ZCMIG_VERDICT_WORKS);
    made.facts.limits.ipc_lock = false;
    made.facts.limits.memlock_bytes = 64 * ZC_KIB;
    ck_assert_int_eq(judge(&made), ZCMIG_VERDICT_WORKS);
    made_up_expect(&made, "memlock", ZCMIG_EFFECT_LIMITS);
    made_up_clear(&made);
}
END_TEST

START_TEST(io_uring_that_is_off_is_told)
{
    struct made_up made;

    made_up_init(&made);
    made.facts.limits.io_uring_disabled = 1; /* for users without the group: it was tried */
    judge(&made);
    ck_assert_ptr_null(made_up_finding(&made, "io-uring"));
    made.facts.uring.saved_errno = ENOTSUP; /* built without liburing */
    judge(&made);
    ck_assert_ptr_null(made_up_finding(&made, "io-uring"));
    made.facts.uring.saved_errno = EPERM;
    judge(&made);
    const struct zcmig_finding *finding = made_up_expect(&made, "io-uring", ZCMIG_EFFECT_NOTE);
    ck_assert_ptr_nonnull(strstr(finding->remedy, "kernel.io_uring_group"));
    made.facts.limits.io_uring_disabled = 2;
    judge(&made);
    finding = made_up_expect(&made, "io-uring", ZCMIG_EFFECT_NOTE);
    ck_assert_str_eq(finding->remedy, "sysctl kernel.io_uring_disabled=0");
    made.facts.limits.io_uring_disabled = -1; /* an older kernel: a filter forbids it */
    judge(&made);
    ck_assert_ptr_nonnull(
        strstr(made_up_expect(&made, "io-uring", ZCMIG_EFFECT_NOTE)->remedy, "seccomp"));
    made_up_clear(&made);
}
END_TEST

START_TEST(what_the_kernel_has_is_told_as_it_was_tried)
{
    struct made_up made;

    made_up_init(&made);
    made_up_link(&made, 2, "eth0", "");
    made.facts.zerocopy_errno[ZC_FAMILY_VSOCK] = EAFNOSUPPORT;
    made.facts.zerocopy_errno[ZC_FAMILY_UNIX] = EOPNOTSUPP;
    made.facts.uring.sendmsg_zc = true;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_WORKS);
    const struct zcmig_finding *finding =
        made_up_expect(&made, "kernel-features", ZCMIG_EFFECT_NOTE);
    ck_assert_str_eq(finding->summary,
                     "this kernel has zero-copy for TCP over IPv4, TCP over IPv6, UDP");
    ck_assert_ptr_nonnull(strstr(finding->evidence, "not for AF_VSOCK"));
    ck_assert_ptr_nonnull(strstr(finding->evidence, "does not tell whether it copied"));
    made.facts.uring.tells_usage = true;
    made_up_judge(&made, 2);
    ck_assert_ptr_nonnull(
        strstr(made_up_expect(&made, "kernel-features", ZCMIG_EFFECT_NOTE)->evidence,
               "which tells whether it copied"));
    made.facts.uring.saved_errno = ENOTSUP;
    made_up_judge(&made, 2);
    ck_assert_ptr_nonnull(
        strstr(made_up_expect(&made, "kernel-features", ZCMIG_EFFECT_NOTE)->evidence,
               "built without liburing"));
    made_up_clear(&made);
}
END_TEST

START_TEST(the_round_trip_of_a_probe_counts_when_none_was_said)
{
    struct made_up made;

    made_up_init(&made);
    made.facts.bandwidth = UINT64_C(10) << 30;
    judge(&made);
    made_up_expect(&made, "optmem", ZCMIG_EFFECT_NOTE);
    made.facts.burst.rtt_ns = 100000000;
    judge(&made);
    ck_assert_ptr_nonnull(
        strstr(made_up_expect(&made, "optmem", ZCMIG_EFFECT_LIMITS)->evidence, "(the probe's)"));
    made.facts.rtt_ns = 1000000; /* what was said is believed */
    judge(&made);
    made_up_expect(&made, "optmem", ZCMIG_EFFECT_NOTE);
    made_up_clear(&made);
}
END_TEST

START_TEST(a_family_without_zero_copy_copies)
{
    static const struct {
        enum zc_family family;
        int saved_errno;
        enum zcmig_verdict verdict;
    } rows[] = {
        { ZC_FAMILY_TCP4, 0, ZCMIG_VERDICT_WORKS },
        { ZC_FAMILY_UNIX, EOPNOTSUPP, ZCMIG_VERDICT_COPIES },
        { ZC_FAMILY_VSOCK, EOPNOTSUPP, ZCMIG_VERDICT_COPIES },
        { ZC_FAMILY_VSOCK, EAFNOSUPPORT, ZCMIG_VERDICT_UNKNOWN },
        { ZC_FAMILY_VSOCK, 0, ZCMIG_VERDICT_WORKS },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct made_up made;
        made_up_init(&made);
        made.facts.zerocopy_errno[rows[i].family] = rows[i].saved_errno;
        zc_rules_family(&made.report, &made.facts, rows[i].family);
        ck_assert_int_eq(zc_findings_verdict(&made.report), rows[i].verdict);
        made_up_clear(&made);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor-limits");
    TCase *tcase = tcase_create("limits");

    tcase_add_test(tcase, optmem_allows_what_was_measured);
    tcase_add_test(tcase, memlock_allows_what_was_measured);
    tcase_add_test(tcase, a_limit_below_what_the_link_holds_is_told_with_a_remedy);
    tcase_add_test(tcase, a_memlock_that_holds_no_call_copies);
    tcase_add_test(tcase, io_uring_that_is_off_is_told);
    tcase_add_test(tcase, what_the_kernel_has_is_told_as_it_was_tried);
    tcase_add_test(tcase, the_round_trip_of_a_probe_counts_when_none_was_said);
    tcase_add_test(tcase, a_family_without_zero_copy_copies);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
