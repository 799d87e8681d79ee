/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor on devices: what copies by nature, what hands on, what features decide. */
#include "config.h"

#include <string.h>

#include "unit/doctor-facts.h"

START_TEST(kinds_are_judged_by_what_the_kernel_does_with_them)
{
    static const struct {
        const char *kind;
        enum zcmig_verdict verdict;
    } rows[] = {
        { "", ZCMIG_VERDICT_WORKS },
        { "dummy", ZCMIG_VERDICT_WORKS },
        { "ifb", ZCMIG_VERDICT_WORKS },
        { "veth", ZCMIG_VERDICT_COPIES },
        { "tun", ZCMIG_VERDICT_COPIES },
        { "vlan", ZCMIG_VERDICT_WORKS },
        { "macvlan", ZCMIG_VERDICT_WORKS },
        { "ipvlan", ZCMIG_VERDICT_WORKS },
        { "macvtap", ZCMIG_VERDICT_WORKS },
        { "bridge", ZCMIG_VERDICT_WORKS },
        { "bond", ZCMIG_VERDICT_WORKS },
        { "team", ZCMIG_VERDICT_WORKS },
        { "wireguard", ZCMIG_VERDICT_UNKNOWN },
        { "vxlan", ZCMIG_VERDICT_UNKNOWN },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct made_up made;
        made_up_init(&made);
        made_up_link(&made, 2, "eth0", "")->master_ifindex = 3; /* below, and a port */
        made_up_link(&made, 3, "dev", rows[i].kind)->lower_ifindex = 2;
        ck_assert_msg(made_up_judge(&made, 3) == rows[i].verdict, "kind '%s' is '%s'", rows[i].kind,
                      zcmig_verdict_name(made_up_judge(&made, 3)));
        made_up_clear(&made);
    }
}
END_TEST

START_TEST(a_feature_that_is_off_copies_and_says_how_to_turn_it_on)
{
    struct made_up made;

    made_up_init(&made);
    struct zc_link *link = made_up_link(&made, 2, "eth0", "");
    link->sg = ZC_NO;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_COPIES);
    const struct zcmig_finding *finding =
        made_up_expect(&made, "scatter-gather-off", ZCMIG_EFFECT_COPIES);
    ck_assert_str_eq(finding->remedy, "ethtool -K eth0 sg on");
    ck_assert_str_eq(finding->device, "eth0");

    link->sg = ZC_YES;
    link->tx_csum = ZC_NO;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_COPIES);
    finding = made_up_expect(&made, "tx-checksum-off", ZCMIG_EFFECT_COPIES);
    ck_assert_str_eq(finding->remedy, "ethtool -K eth0 tx on");

    link->tx_csum = ZC_YES;
    link->tso = ZC_NO;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_WORKS);
    made_up_expect(&made, "tso-off", ZCMIG_EFFECT_NOTE);

    link->sg = ZC_UNKNOWN;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_UNKNOWN);
    made_up_clear(&made);
}
END_TEST

START_TEST(what_lies_below_is_looked_at_too)
{
    struct made_up made;

    made_up_init(&made);
    made_up_link(&made, 2, "eth0", "")->sg = ZC_NO;
    made_up_link(&made, 3, "vlan5", "vlan")->lower_ifindex = 2;
    made_up_link(&made, 4, "mv0", "macvlan")->lower_ifindex = 3;
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_COPIES);
    ck_assert_str_eq(made_up_expect(&made, "scatter-gather-off", ZCMIG_EFFECT_COPIES)->device,
                     "eth0");
    made_up_clear(&made);
}
END_TEST

START_TEST(the_exception_of_a_shared_device_is_told)
{
    struct made_up made;

    made_up_init(&made);
    made_up_link(&made, 2, "eth0", "");
    made_up_link(&made, 3, "mv0", "macvlan")->lower_ifindex = 2;
    made_up_link(&made, 4, "vlan0", "vlan")->lower_ifindex = 2;
    ck_assert_int_eq(made_up_judge(&made, 3), ZCMIG_VERDICT_WORKS);
    made_up_expect(&made, "siblings-copy", ZCMIG_EFFECT_NOTE);
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_WORKS);
    ck_assert_ptr_null(made_up_finding(&made, "siblings-copy"));
    made_up_clear(&made);
}
END_TEST

START_TEST(a_lower_device_in_another_namespace_is_unknown)
{
    struct made_up made;

    made_up_init(&made);
    made_up_link(&made, 2, "eth0", ""); /* the same index, but another device */
    struct zc_link *link = made_up_link(&made, 4, "mv0", "macvlan");
    link->lower_ifindex = 2;
    link->lower_elsewhere = true;
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_UNKNOWN);
    made_up_expect(&made, "lower-device-hidden", ZCMIG_EFFECT_UNKNOWN);
    made_up_clear(&made);
}
END_TEST

START_TEST(a_device_is_worth_what_its_ports_agree_on)
{
    static const struct {
        const char *first;
        const char *second;
        enum zcmig_verdict verdict;
    } rows[] = {
        { "", "", ZCMIG_VERDICT_WORKS },
        { "veth", "tun", ZCMIG_VERDICT_COPIES },
        { "", "veth", ZCMIG_VERDICT_UNKNOWN },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct made_up made;
        made_up_init(&made);
        made_up_link(&made, 2, "br0", "bridge");
        made_up_link(&made, 3, "port0", rows[i].first)->master_ifindex = 2;
        made_up_link(&made, 4, "port1", rows[i].second)->master_ifindex = 2;
        struct zc_link *down = made_up_link(&made, 5, "port2", "veth");
        down->master_ifindex = 2;
        down->up = false;
        ck_assert_msg(made_up_judge(&made, 2) == rows[i].verdict, "'%s' and '%s': '%s'",
                      rows[i].first, rows[i].second, zcmig_verdict_name(made_up_judge(&made, 2)));
        ck_assert_int_eq(made_up_finding(&made, "ports-differ") != NULL,
                         rows[i].verdict == ZCMIG_VERDICT_UNKNOWN);
        made_up_clear(&made);
    }
}
END_TEST

START_TEST(a_loop_of_devices_ends)
{
    struct made_up made;

    made_up_init(&made);
    made_up_link(&made, 2, "a", "vlan")->lower_ifindex = 3;
    made_up_link(&made, 3, "b", "vlan")->lower_ifindex = 2;
    ck_assert_int_eq(made_up_judge(&made, 2), ZCMIG_VERDICT_UNKNOWN);
    made_up_clear(&made);
}
END_TEST

START_TEST(loopback_copies)
{
    struct made_up made;
    struct zc_route route = { .local = true, .ifindex = 2, .address = "10.0.0.1" };

    made_up_init(&made);
    made_up_link(&made, 1, "lo", "")->loopback = true;
    made_up_link(&made, 2, "eth0", "");
    ck_assert_int_eq(made_up_judge(&made, 1), ZCMIG_VERDICT_COPIES);
    made_up_expect(&made, "loopback", ZCMIG_EFFECT_COPIES);
    /* An own address copies whatever device the route names. */
    g_array_set_size(made.report.findings, 0);
    zc_rules_path(&made.report, &made.facts, &route, 2, ZC_FAMILY_TCP4);
    ck_assert_int_eq(zc_findings_verdict(&made.report), ZCMIG_VERDICT_COPIES);
    ck_assert_ptr_nonnull(
        strstr(made_up_expect(&made, "loopback", ZCMIG_EFFECT_COPIES)->evidence, "10.0.0.1"));
    made_up_clear(&made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor-devices");
    TCase *tcase = tcase_create("devices");

    tcase_add_test(tcase, kinds_are_judged_by_what_the_kernel_does_with_them);
    tcase_add_test(tcase, a_feature_that_is_off_copies_and_says_how_to_turn_it_on);
    tcase_add_test(tcase, what_lies_below_is_looked_at_too);
    tcase_add_test(tcase, the_exception_of_a_shared_device_is_told);
    tcase_add_test(tcase, a_lower_device_in_another_namespace_is_unknown);
    tcase_add_test(tcase, a_device_is_worth_what_its_ports_agree_on);
    tcase_add_test(tcase, a_loop_of_devices_ends);
    tcase_add_test(tcase, loopback_copies);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
