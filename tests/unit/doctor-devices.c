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
        { "netkit", ZCMIG_VERDICT_COPIES },
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

/* A space that our links name by @nsid, to be filled with links.  Holds until the next is added. */
static struct zc_space *made_up_space(struct made_up *made, int nsid, uint64_t netns)
{
    struct zc_space space = {
        .netns = netns,
        .nsid = nsid,
        .links = g_array_new(FALSE, TRUE, sizeof(struct zc_link)),
    };

    g_array_append_val(made->facts.spaces, space);
    return &g_array_index(made->facts.spaces, struct zc_space, made->facts.spaces->len - 1);
}

static void add_link(struct zc_space *space, int ifindex, const char *name, const char *kind,
                     int lower_ifindex, int master_ifindex)
{
    struct zc_link link = { .ifindex = ifindex,
                            .up = true,
                            .sg = ZC_YES,
                            .tx_csum = ZC_YES,
                            .tso = ZC_YES,
                            .passthru = strcmp(name, "passthru") == 0,
                            .lower_ifindex = lower_ifindex,
                            .master_ifindex = master_ifindex };

    g_strlcpy(link.name, name, sizeof(link.name));
    g_strlcpy(link.kind, kind, sizeof(link.kind));
    g_array_append_val(space->links, link);
}

START_TEST(a_lower_device_in_a_namespace_that_can_be_seen_is_judged_there)
{
    struct made_up made;

    made_up_init(&made);
    struct zc_link *link = made_up_link(&made, 4, "mv0", "macvlan");
    link->lower_ifindex = 2;
    link->lower_elsewhere = true;
    link->lower_nsid = 3;
    struct zc_space *space = made_up_space(&made, 3, 777);
    add_link(space, 2, "eth0", "", 0, 0);
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_WORKS);
    g_array_index(space->links, struct zc_link, 0).sg = ZC_NO;
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_COPIES);
    const struct zcmig_finding *finding =
        made_up_expect(&made, "scatter-gather-off", ZCMIG_EFFECT_COPIES);
    ck_assert_str_eq(finding->device, "eth0");
    ck_assert_ptr_nonnull(strstr(finding->evidence, "in network namespace 777"));
    /* Another namespace that happens to have such a device is not meant. */
    space->nsid = 4;
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_UNKNOWN);
    made_up_clear(&made);
}
END_TEST

START_TEST(a_tap_on_the_way_through_another_namespace_copies)
{
    for (int ifindex = 0; ifindex <= 2; ifindex += 2) { /* unbound, and bound to eth0 */
        struct made_up made;
        made_up_init(&made);
        struct zc_link *link = made_up_link(&made, 4, "mv0", "macvlan");
        link->lower_ifindex = 2;
        link->lower_elsewhere = true;
        link->lower_nsid = 3;
        add_link(made_up_space(&made, 3, 777), 2, "eth0", "", 0, 0);
        struct zc_tap *tap = made_up_tap(&made, ifindex);
        tap->own_netns = false;
        tap->netns = 777;
        ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_COPIES);
        made_up_expect(&made, "packet-tap", ZCMIG_EFFECT_COPIES);
        tap->netns = 778; /* a namespace that the path does not go through */
        ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_WORKS);
        made_up_clear(&made);
    }
}
END_TEST

START_TEST(what_a_veth_sends_is_judged_by_its_peer)
{
    static const struct {
        const char *upper; /* kind of what has the peer below it or as a port; "" nothing */
        const char *upper_name;
        const char *port; /* kind of the bridge's other port; NULL: none */
        enum zcmig_verdict verdict;
        const char *cause;
    } rows[] = {
        { "", "", NULL, ZCMIG_VERDICT_COPIES, "device-kind" },
        { "bridge", "br0", "", ZCMIG_VERDICT_UNKNOWN, "bridged-peer" },
        { "bridge", "br0", "tun", ZCMIG_VERDICT_COPIES, "device-kind" },
        { "bridge", "br0", NULL, ZCMIG_VERDICT_UNKNOWN, "no-port" },
        { "openvswitch", "ovs", NULL, ZCMIG_VERDICT_UNKNOWN, "device-kind" },
        { "macvtap", "passthru", NULL, ZCMIG_VERDICT_WORKS, "macvtap-peer" },
        { "macvtap", "mt0", NULL, ZCMIG_VERDICT_UNKNOWN, "macvtap-peer" },
        { "macvlan", "mv0", NULL, ZCMIG_VERDICT_COPIES, "device-kind" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct made_up made;
        bool below = g_str_has_prefix(rows[i].upper, "macv");
        made_up_init(&made);
        struct zc_link *link = made_up_link(&made, 4, "v0", "veth");
        link->lower_ifindex = 5;
        link->lower_elsewhere = true;
        struct zc_space *space = made_up_space(&made, 0, 777);
        add_link(space, 5, "v1", "veth", 4, *rows[i].upper && !below ? 6 : 0);
        add_link(space, 6, rows[i].upper_name, rows[i].upper, below ? 5 : 0, 0);
        if (rows[i].port) {
            add_link(space, 7, "eth0", rows[i].port, 0, 6);
        }
        enum zcmig_verdict verdict = made_up_judge(&made, 4);
        ck_assert_msg(verdict == rows[i].verdict, "row %zu: '%s'", i, zcmig_verdict_name(verdict));
        ck_assert_msg(made_up_finding(&made, rows[i].cause), "row %zu: no %s", i, rows[i].cause);
        made_up_clear(&made);
    }
}
END_TEST

START_TEST(a_tap_on_the_peer_copies_what_comes_in)
{
    struct made_up made;

    made_up_init(&made);
    made_up_link(&made, 4, "v0", "veth")->lower_ifindex = 5;
    made_up_link(&made, 5, "v1", "veth")->lower_ifindex = 4;
    made_up_link(&made, 6, "mt0", "macvtap")->lower_ifindex = 5;
    g_array_index(made.facts.links, struct zc_link, 2).passthru = true;
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_WORKS);
    made_up_tap(&made, 5)->ignores_outgoing = ZC_YES; /* which is no help here */
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_COPIES);
    ck_assert_ptr_nonnull(
        strstr(made_up_expect(&made, "packet-tap", ZCMIG_EFFECT_COPIES)->summary, "come in by v1"));
    made_up_clear(&made);
}
END_TEST

START_TEST(a_peer_that_cannot_be_seen_is_unknown_and_the_right_is_named)
{
    struct made_up made;

    made_up_init(&made);
    struct zc_link *link = made_up_link(&made, 4, "v0", "veth");
    link->lower_ifindex = 5;
    link->lower_elsewhere = true;
    ck_assert_int_eq(made_up_judge(&made, 4), ZCMIG_VERDICT_UNKNOWN);
    ck_assert_ptr_nonnull(
        strstr(made_up_expect(&made, "peer-hidden", ZCMIG_EFFECT_UNKNOWN)->missing_right,
               "CAP_SYS_ADMIN"));
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
        { "netkit", "tun", ZCMIG_VERDICT_COPIES },
        { "", "tun", ZCMIG_VERDICT_UNKNOWN },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct made_up made;
        made_up_init(&made);
        made_up_link(&made, 2, "br0", "bridge");
        made_up_link(&made, 3, "port0", rows[i].first)->master_ifindex = 2;
        made_up_link(&made, 4, "port1", rows[i].second)->master_ifindex = 2;
        struct zc_link *down = made_up_link(&made, 5, "port2", "tun");
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
    tcase_add_test(tcase, a_lower_device_in_a_namespace_that_can_be_seen_is_judged_there);
    tcase_add_test(tcase, a_tap_on_the_way_through_another_namespace_copies);
    tcase_add_test(tcase, what_a_veth_sends_is_judged_by_its_peer);
    tcase_add_test(tcase, a_tap_on_the_peer_copies_what_comes_in);
    tcase_add_test(tcase, a_peer_that_cannot_be_seen_is_unknown_and_the_right_is_named);
    tcase_add_test(tcase, a_device_is_worth_what_its_ports_agree_on);
    tcase_add_test(tcase, a_loop_of_devices_ends);
    tcase_add_test(tcase, loopback_copies);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
