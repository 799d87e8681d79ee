/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor on packet taps: which one makes the kernel copy, and which one does not. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "doctor/tap.h"
#include "unit/doctor-facts.h"

static void healthy(struct made_up *made)
{
    made_up_init(made);
    made_up_link(made, 2, "eth0", "");
    made_up_link(made, 3, "eth1", "");
}

START_TEST(a_tap_that_sees_outgoing_packets_copies_and_is_named)
{
    struct made_up made;

    healthy(&made);
    made_up_tap(&made, 2);
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_COPIES);
    const struct zcmig_finding *finding = made_up_expect(&made, "packet-tap", ZCMIG_EFFECT_COPIES);
    ck_assert_str_eq(finding->tap->process, "dhclient");
    ck_assert_int_eq(finding->tap->pid, 412);
    ck_assert_str_eq(finding->tap->user, "root");
    ck_assert_uint_eq(finding->tap->inode, 4711);
    ck_assert_str_eq(finding->tap->interface, "eth0");
    ck_assert_ptr_nonnull(strstr(finding->summary, "DHCP client"));
    ck_assert_str_eq(finding->missing_right, "");
    ck_assert_ptr_nonnull(strstr(finding->evidence, "PID 412"));
    /* The other device is not its business. */
    ck_assert_int_eq(made_up_judge(&made, 3), ZCMIG_VERDICT_WORKS);
    made_up_clear(&made);
}
END_TEST

START_TEST(a_tap_on_the_device_below_counts)
{
    struct made_up made;

    healthy(&made);
    made_up_link(&made, 4, "vlan5", "vlan")->lower_ifindex = 2;
    made_up_tap(&made, 2);
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_COPIES);
    made_up_clear(&made);
}
END_TEST

START_TEST(a_tap_on_every_interface_counts_on_each)
{
    struct made_up made;

    healthy(&made);
    made_up_tap(&made, 0);
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_COPIES);
    ck_assert_int_eq(made_up_judge(&made, 3), ZCMIG_VERDICT_COPIES);
    made_up_clear(&made);
}
END_TEST

START_TEST(taps_that_see_no_outgoing_packets_are_harmless)
{
    struct made_up made;

    healthy(&made);
    struct zc_tap *tap = made_up_tap(&made, 2);
    tap->protocol = 0x88cc; /* LLDP */
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_WORKS);
    tap->protocol = 3;
    tap->running = false;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_WORKS);
    tap->running = true;
    tap->ignores_outgoing = ZC_YES;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_WORKS);
    ck_assert_int_eq(made_up_expect(&made, "packet-tap", ZCMIG_EFFECT_NOTE)->tap->ignores_outgoing,
                     1);
    made_up_clear(&made);
}
END_TEST

START_TEST(the_version_of_lldpd_is_told)
{
    static const struct {
        const char *version;
        const char *says; /* NULL: nothing of a version */
    } rows[] = {
        { "1.0.16-1+deb12u1", "1.0.16-1+deb12u1, before 1.0.20" },
        { "0.9.9", "before 1.0.20" },
        { "1.0.20-1", "should ignore outgoing packets, and does not" },
        { "1.1.0", "should ignore outgoing packets, and does not" },
        { "", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct made_up made;
        healthy(&made);
        struct zc_owner *owner = &g_array_index(made_up_tap(&made, 2)->owners, struct zc_owner, 0);
        g_strlcpy(owner->process, "lldpd", sizeof(owner->process));
        g_strlcpy(owner->version, rows[i].version, sizeof(owner->version));
        ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_COPIES);
        const struct zcmig_finding *finding =
            made_up_expect(&made, "packet-tap", ZCMIG_EFFECT_COPIES);
        ck_assert_ptr_nonnull(strstr(finding->remedy, "1.0.20"));
        ck_assert_msg(rows[i].says ? strstr(finding->evidence, rows[i].says) != NULL
                                   : strstr(finding->evidence, "version") == NULL,
                      "row %zu: '%s'", i, finding->evidence);
        made_up_clear(&made);
    }
}
END_TEST

START_TEST(the_version_is_that_of_the_package)
{
    static const char status[] = "Package: other\nVersion: 3\n\n"
                                 "Package: lldpd\nStatus: install ok installed\nVersion: 1.0.16-1\n"
                                 "Depends: x\n\nPackage: lldpd-dev\nVersion: 9\n";
    char version[8];

    zc_owner_version(status, "lldpd", version, sizeof(version));
    ck_assert_str_eq(version, "1.0.16-"); /* as much as there is room for */
    zc_owner_version(status, "other", version, sizeof(version));
    ck_assert_str_eq(version, "3");
    zc_owner_version(status, "lldp", version, sizeof(version));
    ck_assert_str_eq(version, "");
    zc_owner_version("Package: lldpd\n\nPackage: b\nVersion: 2\n", "lldpd", version,
                     sizeof(version));
    ck_assert_str_eq(version, "");
    zc_owner_version("", "lldpd", version, sizeof(version));
    ck_assert_str_eq(version, "");
}
END_TEST

START_TEST(a_tap_whose_options_are_hidden_is_named_with_the_doubt)
{
    struct made_up made;

    healthy(&made);
    struct zc_tap *tap = made_up_tap(&made, 2);
    tap->ignores_outgoing = ZC_UNKNOWN;
    g_array_set_size(tap->owners, 0);
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_UNKNOWN);
    const struct zcmig_finding *finding = made_up_expect(&made, "packet-tap", ZCMIG_EFFECT_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(finding->evidence, "cannot be seen"));
    ck_assert_ptr_nonnull(strstr(finding->missing_right, "CAP_SYS_PTRACE"));
    ck_assert_int_eq(finding->tap->pid, 0);
    /* Where a fresh namespace copies, some tap on every interface does not ignore anything. */
    tap->ifindex = 0;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_UNKNOWN);
    made.facts.elsewhere.copied = ZC_YES;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_COPIES);
    made_up_clear(&made);
}
END_TEST

/* What a tap in another namespace comes to, by the oracle's answer, the kernel and the rights. */
START_TEST(taps_elsewhere_are_judged_by_what_the_kernel_did)
{
    static const struct {
        bool tap;
        enum zc_answer oracle;
        const char *release;
        unsigned int hidden;
        enum zcmig_verdict verdict;
    } rows[] = {
        { true, ZC_YES, "6.1.0", 0, ZCMIG_VERDICT_COPIES },
        { true, ZC_NO, "6.1.0", 0, ZCMIG_VERDICT_WORKS },
        { true, ZC_UNKNOWN, "6.12.9", 0, ZCMIG_VERDICT_UNKNOWN },
        { true, ZC_UNKNOWN, "6.18.1", 0, ZCMIG_VERDICT_WORKS },
        { true, ZC_UNKNOWN, "7.2.13", 0, ZCMIG_VERDICT_WORKS },
        { false, ZC_YES, "6.1.0", 3, ZCMIG_VERDICT_COPIES },
        { false, ZC_UNKNOWN, "6.1.0", 3, ZCMIG_VERDICT_UNKNOWN },
        { false, ZC_UNKNOWN, "6.1.0", 0, ZCMIG_VERDICT_WORKS },
        { false, ZC_NO, "6.1.0", 3, ZCMIG_VERDICT_WORKS },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct made_up made;
        healthy(&made);
        if (rows[i].tap) {
            struct zc_tap *tap = made_up_tap(&made, 0);
            tap->own_netns = false;
            tap->netns = 4026532001;
        }
        made.facts.elsewhere.copied = rows[i].oracle;
        made.facts.hidden_processes = rows[i].hidden;
        g_strlcpy(made.facts.limits.release, rows[i].release, sizeof(made.facts.limits.release));
        ck_assert_msg(made_up_judge(&made, 2) == rows[i].verdict, "row %zu is '%s'", i,
                      zcmig_verdict_name(made_up_judge(&made, 2)));
        made_up_clear(&made);
    }
}
END_TEST

/* In a container none is hidden: they are not even listed. */
START_TEST(a_container_does_not_see_the_taps_of_the_host)
{
    struct made_up made;

    healthy(&made);
    made.facts.own_pid_ns = true;
    made.facts.elsewhere.copied = ZC_UNKNOWN;
    g_strlcpy(made.facts.limits.release, "6.12.9", sizeof(made.facts.limits.release));
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_UNKNOWN);
    ck_assert_ptr_nonnull(
        strstr(made_up_expect(&made, "packet-tap-elsewhere", ZCMIG_EFFECT_UNKNOWN)->missing_right,
               "outside the container"));
    made.facts.elsewhere.copied = ZC_NO; /* but what the kernel did counts more */
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_WORKS);
    made_up_clear(&made);
}
END_TEST

START_TEST(a_bound_tap_elsewhere_is_another_device)
{
    struct made_up made;

    healthy(&made);
    made_up_tap(&made, 2)->own_netns = false;
    made.facts.elsewhere.copied = ZC_YES;
    made_up_judge(&made, 2);
    ck_assert_ptr_null(made_up_finding(&made, "packet-tap"));
    made_up_clear(&made);
}
END_TEST

START_TEST(the_packet_table_is_read)
{
    static const char text[] = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
                               "ffff0000b2d9f000 3      3    0003   2     1 0      0      40123\n"
                               "0000000000000000 2      2    88cc   0     0 512    1000   40124\n";
    GArray *taps = g_array_new(FALSE, TRUE, sizeof(struct zc_tap));

    g_array_set_clear_func(taps, (GDestroyNotify)zc_tap_clear);
    ck_assert_int_eq(zc_taps_parse(text, taps), 2);
    const struct zc_tap *tap = &g_array_index(taps, struct zc_tap, 0);
    ck_assert_uint_eq(tap->protocol, 3);
    ck_assert_int_eq(tap->ifindex, 2);
    ck_assert(tap->running);
    ck_assert_uint_eq(tap->uid, 0);
    ck_assert_uint_eq(tap->inode, 40123);
    tap = &g_array_index(taps, struct zc_tap, 1);
    ck_assert_uint_eq(tap->protocol, 0x88cc);
    ck_assert(!tap->running);
    ck_assert_uint_eq(tap->uid, 1000);
    ck_assert_int_eq(zc_taps_parse("", taps), -EINVAL);
    ck_assert_int_eq(zc_taps_parse("something else\n", taps), -EINVAL);
    ck_assert_int_eq(zc_taps_parse("sk Proto Inode\nrubbish\n", taps), -EINVAL);
    g_array_unref(taps);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor-taps");
    TCase *tcase = tcase_create("taps");

    tcase_add_test(tcase, a_tap_that_sees_outgoing_packets_copies_and_is_named);
    tcase_add_test(tcase, a_tap_on_the_device_below_counts);
    tcase_add_test(tcase, a_tap_on_every_interface_counts_on_each);
    tcase_add_test(tcase, taps_that_see_no_outgoing_packets_are_harmless);
    tcase_add_test(tcase, the_version_of_lldpd_is_told);
    tcase_add_test(tcase, the_version_is_that_of_the_package);
    tcase_add_test(tcase, a_tap_whose_options_are_hidden_is_named_with_the_doubt);
    tcase_add_test(tcase, taps_elsewhere_are_judged_by_what_the_kernel_did);
    tcase_add_test(tcase, a_container_does_not_see_the_taps_of_the_host);
    tcase_add_test(tcase, a_bound_tap_elsewhere_is_another_device);
    tcase_add_test(tcase, the_packet_table_is_read);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
