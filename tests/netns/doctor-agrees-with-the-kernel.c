/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each cause that the doctor names is provoked here, and each verdict is held
 * against what the kernel really does: one zero-copy datagram on the same path.
 * An ifb device throws packets away without touching them, so the kernel's
 * notification depends on nothing but the cause at hand.
 */
#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor/diagnose.h"
#include "doctor/oracle.h"
#include "lib/rights.h"
#include "lib/unit.h"

#define FAR "192.0.2.2"

enum tap_option {
    TAP_PLAIN,
    TAP_REJECTS_ALL,
    TAP_IGNORES_OUTGOING,
};

static void run(const char *command)
{
    ck_assert_msg(system(command) == 0, "'%s' failed", command);
}

static void enter_namespace(void)
{
    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    run("ip link set lo up");
    run("ip link add sink0 type ifb && ip addr add 192.0.2.1/24 dev sink0 && ip link set sink0 up");
}

static void open_tap(const char *device, uint16_t protocol, enum tap_option option)
{
    struct sock_filter reject = { BPF_RET | BPF_K, 0, 0, 0 };
    const struct sock_fprog program = { .len = 1, .filter = &reject };
    const int one = 1;
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };
    int fd = socket(AF_PACKET, SOCK_RAW, 0);

    if (option == TAP_REJECTS_ALL) {
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    } else if (option == TAP_IGNORES_OUTGOING) {
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
    }
    address.sll_ifindex = device ? (int)if_nametoindex(device) : 0;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        _exit(1);
    }
}

/* A process of its own with a tap, until the test ends. */
static pid_t start_tap(const char *device, uint16_t protocol, enum tap_option option,
                       bool elsewhere)
{
    int ready[2];
    char byte;

    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "zc-tap");
        if (elsewhere && unshare(CLONE_NEWNET) < 0) {
            _exit(1);
        }
        open_tap(device, protocol, option);
        close(ready[0]);
        if (write(ready[1], "r", 1) == 1) {
            pause();
        }
        _exit(0);
    }
    close(ready[1]);
    ck_assert_msg(read(ready[0], &byte, 1) == 1, "the tap did not start");
    close(ready[0]);
    return pid;
}

static struct sockaddr_in address_of(const char *text)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9) };

    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
}

static const struct zcmig_path *examine(zcmig_diagnosis *diagnosis, const char *text)
{
    struct zc_facts facts;
    GError *error = NULL;
    unsigned int n_paths;
    const struct sockaddr_in address = address_of(text);

    zc_facts_init(&facts);
    ck_assert_msg(zc_facts_read(&facts, &error), "%s", error ? error->message : "");
    ck_assert_msg(
        zc_diagnose_address(diagnosis, &facts, text, (const struct sockaddr *)&address, &error),
        "%s", error ? error->message : "");
    zc_facts_clear(&facts);
    return zcmig_diagnosis_get_paths(diagnosis, &n_paths);
}

static const struct zcmig_finding *find(const struct zcmig_path *path, const char *cause)
{
    for (unsigned int i = 0; i < path->n_findings; i++) {
        if (strcmp(path->findings[i].cause, cause) == 0) {
            return &path->findings[i];
        }
    }
    return NULL;
}

/*
 * The doctor's verdict on @text, with @cause among the findings (NULL: none that copies), and the
 * kernel's own answer agree.  Returns the finding's tap when it has one.
 */
static struct zcmig_tap expect(const char *text, enum zcmig_verdict verdict, const char *cause)
{
    struct zcmig_tap tap = { 0 };
    const struct sockaddr_in address = address_of(text);
    zcmig_diagnosis *diagnosis = zc_diagnosis_new();
    const struct zcmig_path *path = examine(diagnosis, text);
    struct zc_oracle oracle = zc_oracle_send(&address);
    const struct zcmig_finding *finding = cause ? find(path, cause) : NULL;

    ck_assert_msg(path->verdict == verdict, "the doctor says '%s' (%s), expected '%s'",
                  zcmig_verdict_name(path->verdict),
                  path->n_findings ? path->findings[0].summary : "", zcmig_verdict_name(verdict));
    ck_assert_msg(oracle.copied == (verdict == ZCMIG_VERDICT_COPIES ? ZC_YES : ZC_NO),
                  "the kernel does not agree with '%s': copied %d, errno %d",
                  zcmig_verdict_name(verdict), oracle.copied, oracle.saved_errno);
    ck_assert_msg(!cause || finding, "no finding '%s'", cause);
    if (finding && finding->tap) {
        tap = *finding->tap;
        ck_assert_str_eq(tap.process, "zc-tap");
    }
    zcmig_diagnosis_free(diagnosis);
    return tap;
}

START_TEST(a_clean_path_works)
{
    enter_namespace();
    expect(FAR, ZCMIG_VERDICT_WORKS, NULL);
}
END_TEST

START_TEST(a_tap_for_all_protocols_copies_whatever_its_filter)
{
    enter_namespace();
    for (int option = TAP_PLAIN; option <= TAP_REJECTS_ALL; option++) {
        for (int bound = 0; bound < 2; bound++) {
            pid_t pid =
                start_tap(bound ? "sink0" : NULL, ETH_P_ALL, (enum tap_option)option, false);
            struct zcmig_tap tap = expect(FAR, ZCMIG_VERDICT_COPIES, "packet-tap");
            ck_assert_int_eq(tap.pid, pid);
            ck_assert_uint_eq(tap.uid, geteuid());
            ck_assert_uint_gt(tap.inode, 0);
            ck_assert_int_eq(tap.ignores_outgoing, 0);
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
    }
    expect(FAR, ZCMIG_VERDICT_WORKS, NULL);
}
END_TEST

START_TEST(a_tap_that_sees_no_outgoing_packet_is_harmless)
{
    enter_namespace();
    start_tap("sink0", ETH_P_LLDP, TAP_PLAIN, false);
    start_tap("lo", ETH_P_ALL, TAP_PLAIN, false);
    expect(FAR, ZCMIG_VERDICT_WORKS, NULL);
    start_tap("sink0", ETH_P_ALL, TAP_IGNORES_OUTGOING, false);
    ck_assert_int_eq(expect(FAR, ZCMIG_VERDICT_WORKS, "packet-tap").ignores_outgoing, 1);
}
END_TEST

/* Whether it copies is the kernel's affair (before about 6.18 it does): the doctor must agree. */
START_TEST(a_tap_in_another_namespace_is_judged_as_the_kernel_does)
{
    enter_namespace();
    const struct sockaddr_in address = address_of(FAR);
    pid_t pid = start_tap(NULL, ETH_P_ALL, TAP_PLAIN, true);

    if (zc_oracle_send(&address).copied == ZC_YES) {
        struct zcmig_tap tap = expect(FAR, ZCMIG_VERDICT_COPIES, "packet-tap");
        ck_assert_int_eq(tap.pid, pid);
        ck_assert(!tap.own_netns);
    } else {
        expect(FAR, ZCMIG_VERDICT_WORKS, NULL);
    }
}
END_TEST

START_TEST(scatter_gather_off_copies)
{
    enter_namespace();
    run("ethtool -K sink0 sg off >/dev/null");
    expect(FAR, ZCMIG_VERDICT_COPIES, "scatter-gather-off");
}
END_TEST

START_TEST(loopback_and_own_addresses_copy)
{
    enter_namespace();
    expect("127.0.0.1", ZCMIG_VERDICT_COPIES, "loopback");
    expect("192.0.2.1", ZCMIG_VERDICT_COPIES, "loopback");
}
END_TEST

START_TEST(veth_copies)
{
    enter_namespace();
    pid_t peer = start_tap(NULL, ETH_P_LLDP, TAP_PLAIN, true); /* for its namespace */
    g_autofree char *command = g_strdup_printf(
        "ip link add v0 type veth peer name v1 && ip addr add 198.51.100.1/24 dev v0 && "
        "ip link set v1 netns %d && nsenter -t %d -n ip link set v1 up && "
        "nsenter -t %d -n ip addr add 198.51.100.2/24 dev v1 && ip link set v0 up",
        peer, peer, peer);
    run(command);
    expect("198.51.100.2", ZCMIG_VERDICT_COPIES, "device-kind");
}
END_TEST

START_TEST(a_tap_device_copies)
{
    struct ifreq request = { .ifr_name = "tap0", .ifr_flags = IFF_TAP | IFF_NO_PI };

    enter_namespace();
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return; /* this kernel has none; the rule has its unit test */
    }
    ck_assert_int_eq(ioctl(fd, TUNSETIFF, &request), 0);
    run("ip addr add 198.51.100.1/24 dev tap0 && ip link set tap0 up");
    run("ethtool -K tap0 sg on tx on >/dev/null"); /* so that it is the kind which copies */
    run("ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev tap0");
    expect("198.51.100.2", ZCMIG_VERDICT_COPIES, "device-kind");
    close(fd);
}
END_TEST

/*
 * A veth whose peer is a port of a bridge: what leaves by another port is not copied, what is for
 * the bridge's host is.  The doctor sees the bridge and does not guess.
 */
START_TEST(a_bridged_veth_is_not_called_a_copy)
{
    const struct sockaddr_in beyond = address_of("198.51.100.2"), host = address_of("198.51.100.9");
    unsigned int n_paths;

    enter_namespace();
    start_tap(NULL, ETH_P_LLDP, TAP_PLAIN, false); /* somebody is in this namespace */
    pid_t there = start_tap(NULL, ETH_P_LLDP, TAP_PLAIN, true);
    run("ip link add v0 type veth peer name v1");
    g_autofree char *command = g_strdup_printf("ip link set v1 netns %d", there);
    if (system("ip link add br0 type bridge 2>/dev/null") != 0) {
        return; /* this kernel has no bridge; the rule has its unit test */
    }
    run("ip link set br0 address 02:00:00:00:00:09");
    run("ip addr flush dev sink0 && ip link set sink0 master br0 && ip link set v0 master br0");
    run("ip addr add 198.51.100.9/24 dev br0 && ip link set br0 up && ip link set v0 up");
    run(command);
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    g_autofree char *ns = g_strdup_printf("/proc/%d/ns/net", there);
    int fd = open(ns, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setns(fd, CLONE_NEWNET), 0);
    run("ip addr add 198.51.100.1/24 dev v1 && ip link set v1 up");
    run("ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev v1");
    run("ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev v1");
    zcmig_diagnosis *diagnosis = zc_diagnosis_new();
    examine(diagnosis, "198.51.100.2");
    const struct zcmig_path *path = zcmig_diagnosis_get_paths(diagnosis, &n_paths);
    ck_assert_int_eq(path->verdict, ZCMIG_VERDICT_UNKNOWN);
    ck_assert_ptr_nonnull(find(path, "bridged-peer"));
    ck_assert_int_eq(zc_oracle_send(&beyond).copied, ZC_NO);
    ck_assert_int_eq(zc_oracle_send(&host).copied, ZC_YES);
    zcmig_diagnosis_free(diagnosis);
    /* What the peer sends is not what a tap sees on it: these packets come in. */
    ck_assert_int_eq(setns(home, CLONE_NEWNET), 0);
    pid_t pid = start_tap("v0", ETH_P_ALL, TAP_IGNORES_OUTGOING, false);
    ck_assert_int_eq(setns(fd, CLONE_NEWNET), 0);
    ck_assert_int_eq(expect("198.51.100.2", ZCMIG_VERDICT_COPIES, "packet-tap").pid, pid);
    close(fd);
    close(home);
}
END_TEST

/* A macvlan in a container, over a device and with taps that only the host's namespace shows. */
START_TEST(a_lower_device_in_another_namespace_is_looked_at_there)
{
    enter_namespace();
    start_tap(NULL, ETH_P_LLDP, TAP_PLAIN, false); /* somebody is in this namespace */
    pid_t there = start_tap(NULL, ETH_P_LLDP, TAP_PLAIN, true);
    if (system("ip link add link sink0 name mv0 type macvlan 2>/dev/null") != 0) {
        return; /* this kernel has no macvlan; the rule has its unit test */
    }
    g_autofree char *command = g_strdup_printf("ip link set mv0 netns %d", there);
    run(command);
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    g_autofree char *ns = g_strdup_printf("/proc/%d/ns/net", there);
    int fd = open(ns, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(setns(fd, CLONE_NEWNET), 0);
    run("ip addr add 198.51.100.1/24 dev mv0 && ip link set mv0 up");
    run("ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev mv0");
    expect("198.51.100.2", ZCMIG_VERDICT_WORKS, NULL);
    for (int bound = 0; bound < 2; bound++) {
        ck_assert_int_eq(setns(home, CLONE_NEWNET), 0);
        pid_t pid = start_tap(bound ? "sink0" : NULL, ETH_P_ALL, TAP_PLAIN, false);
        ck_assert_int_eq(setns(fd, CLONE_NEWNET), 0);
        struct zcmig_tap tap = expect("198.51.100.2", ZCMIG_VERDICT_COPIES, "packet-tap");
        ck_assert_int_eq(tap.pid, pid);
        ck_assert(!tap.own_netns);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    ck_assert_int_eq(setns(home, CLONE_NEWNET), 0);
    run("ethtool -K sink0 sg off >/dev/null");
    ck_assert_int_eq(setns(fd, CLONE_NEWNET), 0);
    expect("198.51.100.2", ZCMIG_VERDICT_COPIES, "scatter-gather-off");
    close(fd);
    close(home);
    /* Who may not look there is told so. */
    ck_assert(zc_drop_rights());
    zcmig_diagnosis *diagnosis = zc_diagnosis_new();
    const struct zcmig_path *path = examine(diagnosis, "198.51.100.2");
    const struct zcmig_finding *finding = find(path, "lower-device-hidden");
    ck_assert_int_eq(path->verdict, ZCMIG_VERDICT_UNKNOWN);
    ck_assert_ptr_nonnull(finding);
    ck_assert_ptr_nonnull(strstr(finding->missing_right, "CAP_SYS_ADMIN"));
    zcmig_diagnosis_free(diagnosis);
}
END_TEST

START_TEST(a_vlan_is_followed_to_its_lower_device)
{
    enter_namespace();
    if (system("ip link add link sink0 name vlan0 type vlan id 5 2>/dev/null") != 0) {
        return; /* this kernel has no vlan devices; the rule has its unit test */
    }
    run("ip link set vlan0 up && ip addr add 198.51.100.1/24 dev vlan0");
    run("ip link set vlan0 arp off");
    expect("198.51.100.2", ZCMIG_VERDICT_WORKS, NULL);
    pid_t pid = start_tap("sink0", ETH_P_ALL, TAP_PLAIN, false);
    ck_assert_int_eq(expect("198.51.100.2", ZCMIG_VERDICT_COPIES, "packet-tap").pid, pid);
}
END_TEST

/* A user without rights sees the tap, not its owner, and is told which right is missing. */
START_TEST(without_rights_the_missing_right_is_named)
{
    enter_namespace();
    start_tap("sink0", ETH_P_ALL, TAP_PLAIN, false);
    ck_assert(zc_drop_rights());
    zcmig_diagnosis *diagnosis = zc_diagnosis_new();
    const struct zcmig_path *path = examine(diagnosis, FAR);
    const struct zcmig_finding *finding = find(path, "packet-tap");
    ck_assert_int_eq(path->verdict, ZCMIG_VERDICT_UNKNOWN);
    ck_assert_ptr_nonnull(finding);
    ck_assert_int_eq(finding->tap->pid, 0);
    ck_assert_int_eq(finding->tap->ignores_outgoing, -1);
    ck_assert_ptr_nonnull(strstr(finding->missing_right, "CAP_SYS_PTRACE"));
    zcmig_diagnosis_free(diagnosis);
}
END_TEST

static bool can_run(void)
{
    pid_t pid = fork();
    int status = 1;

    if (pid == 0) {
        _exit(unshare(CLONE_NEWNET) < 0 ||
              system("ip link add sink0 type ifb && ethtool -k sink0 >/dev/null") != 0);
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

int main(void)
{
    Suite *suite = suite_create("doctor-agrees-with-the-kernel");
    TCase *tcase = tcase_create("netns");

#ifndef HAVE_LIBNL_ROUTE
    printf("skipped: built without libnl-route-3\n");
    return 77;
#endif
    if (!can_run()) {
        printf("skipped: needs root, ip, ethtool and the kernel's ifb device\n");
        return 77;
    }
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_clean_path_works);
    tcase_add_test(tcase, a_tap_for_all_protocols_copies_whatever_its_filter);
    tcase_add_test(tcase, a_tap_that_sees_no_outgoing_packet_is_harmless);
    tcase_add_test(tcase, a_tap_in_another_namespace_is_judged_as_the_kernel_does);
    tcase_add_test(tcase, scatter_gather_off_copies);
    tcase_add_test(tcase, loopback_and_own_addresses_copy);
    tcase_add_test(tcase, veth_copies);
    tcase_add_test(tcase, a_tap_device_copies);
    tcase_add_test(tcase, a_bridged_veth_is_not_called_a_copy);
    tcase_add_test(tcase, a_lower_device_in_another_namespace_is_looked_at_there);
    tcase_add_test(tcase, a_vlan_is_followed_to_its_lower_device);
    tcase_add_test(tcase, without_rights_the_missing_right_is_named);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
