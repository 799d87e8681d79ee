/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Histograms as Linux 6.1 and 6.12 print them, and what their stacks mean. */
#include "config.h"

#include <string.h>

#include "doctor/stack.h"
#include "lib/unit.h"

#define HEADER                                                                                     \
    "# event histogram\n#\n"                                                                       \
    "# trigger info: hist:keys=stacktrace:vals=hitcount:sort=hitcount:size=2048 [active]\n#\n\n"
#define TOTALS "\nTotals:\n    Hits: 133\n    Entries: 2\n    Dropped: 0\n"

/* Linux 6.1; the tracer's own functions stand above what was traced. */
static const char loopback[] = HEADER "{ stacktrace:\n"
                                      "         kprobe_ftrace_handler+0x10b/0x1b0\n"
                                      "         0xffffffffc04d50c8\n"
                                      "         skb_copy_ubufs+0x5/0x690\n"
                                      "         __netif_receive_skb_core.constprop.0+0xba2/0xf00\n"
                                      "         process_backlog+0x81/0x120\n"
                                      "} hitcount:        130\n"
                                      "{ stacktrace:\n"
                                      "         skb_copy_ubufs+0x5/0x690\n"
                                      "         mystery+0x1/0x2\n"
                                      "} hitcount:          3\n" TOTALS;

/* Linux 6.12. */
static const char tap[] = HEADER "{ common_stacktrace:\n"
                                 "         skb_copy_ubufs+0x9/0x710\n"
                                 "         dev_queue_xmit_nit+0x2a0/0x2c0\n"
                                 "         dev_hard_start_xmit+0x8e/0x1d0\n"
                                 "         __netif_receive_skb_core.constprop.0+0xb8e/0x1060\n"
                                 "} hitcount:        128\n" TOTALS;

static GPtrArray *functions_of(const GArray *stacks, guint index)
{
    return g_array_index(stacks, struct zc_stack, index).functions;
}

START_TEST(histograms_of_both_kernels_are_read)
{
    GArray *stacks = zc_stacks_new();

    ck_assert_uint_eq(zc_stacks_parse(loopback, "copy", "skb_copy_ubufs", stacks), 2);
    ck_assert_uint_eq(zc_stacks_parse(tap, "copy", "skb_copy_ubufs", stacks), 1);
    ck_assert_uint_eq(g_array_index(stacks, struct zc_stack, 0).hits, 130);
    ck_assert_uint_eq(functions_of(stacks, 0)->len, 3);
    ck_assert_str_eq(g_ptr_array_index(functions_of(stacks, 0), 0), "skb_copy_ubufs");
    ck_assert_str_eq(g_ptr_array_index(functions_of(stacks, 0), 1), "__netif_receive_skb_core");
    ck_assert_uint_eq(g_array_index(stacks, struct zc_stack, 2).hits, 128);
    zc_stacks_sort(stacks);
    ck_assert_uint_eq(g_array_index(stacks, struct zc_stack, 1).hits, 128);
    ck_assert_uint_eq(g_array_index(stacks, struct zc_stack, 2).hits, 3);
    g_array_unref(stacks);
}
END_TEST

START_TEST(what_is_no_histogram_is_passed_over)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        HEADER TOTALS,
        "} hitcount: 5\n",
        "{ stacktrace:\n  skb_copy_ubufs+0x5/0x690\n", /* cut off */
        "{ stacktrace:\n{ stacktrace:\n[<ffff\n+\n\n",
        "skb_copy_ubufs+0x5/0x690\n} hitcount:",
    };
    GArray *stacks = zc_stacks_new();

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        ck_assert_uint_eq(zc_stacks_parse(texts[i], "copy", "skb_copy_ubufs", stacks), 0);
    }
    ck_assert_uint_eq(stacks->len, 0);
    g_array_unref(stacks);
}
END_TEST

START_TEST(releases_are_counted_by_their_outcome)
{
    static const char text[] = HEADER "{ success:          0 } hitcount:         12\n"
                                      "{ success:          1 } hitcount:        204\n" TOTALS;

    ck_assert_uint_eq(zc_stacks_count(text, "success", 0), 12);
    ck_assert_uint_eq(zc_stacks_count(text, "success", 1), 204);
    ck_assert_uint_eq(zc_stacks_count(text, "failure", 1), 0);
    ck_assert_uint_eq(zc_stacks_count(HEADER TOTALS, "success", 0), 0);
}
END_TEST

START_TEST(known_stacks_are_named)
{
    static const struct {
        const char *cause;
        const char *functions[5];
    } rows[] = {
        { "packet-tap", { "skb_copy_ubufs", "dev_queue_xmit_nit", "dev_hard_start_xmit" } },
        /* a tap on lo: the tap is what can be done something about */
        { "packet-tap", { "skb_copy_ubufs", "dev_queue_xmit_nit", "process_backlog" } },
        { "loopback", { "skb_copy_ubufs", "__netif_receive_skb_core", "process_backlog" } },
        { "tx-checksum-off", { "__pskb_pull_tail", "skb_checksum_help", "validate_xmit_skb" } },
        { "tx-checksum-off", { "__pskb_pull_tail", "skb_segment", "tcp_gso_segment" } },
        { "software-segmentation", { "skb_segment", "tcp_gso_segment", "validate_xmit_skb" } },
        { "scatter-gather-off", { "__pskb_pull_tail", "validate_xmit_skb", "sch_direct_xmit" } },
        { "device-kind", { "skb_copy_ubufs", "tun_net_xmit", "dev_hard_start_xmit" } },
        { "traffic-mirror", { "skb_copy_ubufs", "skb_clone", "tcf_mirred_act" } },
        { "", { "skb_copy_ubufs", "mystery" } },
        { "", { NULL } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *meaning;
        const char *cause = zc_stack_cause(rows[i].functions, &meaning);
        ck_assert_msg(strcmp(cause, rows[i].cause) == 0, "row %zu: '%s'", i, cause);
        ck_assert_int_eq(*cause != '\0', *meaning != '\0');
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor-stacks");
    TCase *tcase = tcase_create("stacks");

    tcase_add_test(tcase, histograms_of_both_kernels_are_read);
    tcase_add_test(tcase, what_is_no_histogram_is_passed_over);
    tcase_add_test(tcase, releases_are_counted_by_their_outcome);
    tcase_add_test(tcase, known_stacks_are_named);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
