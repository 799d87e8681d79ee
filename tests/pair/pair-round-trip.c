/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is sent arrives: over each kind of connection, with each number of
 * channels, mode of zero-copy and of verification, for images with odd sizes.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/unit.h"

#define PAGES 3000u /* not a multiple of a packet, nor of a queue item */

static char *dir;
static char *image;
static char *source;
static char *output;

static void setup(void)
{
    dir = zc_unit_make_dir();
    image = zc_pair_make_image(dir, PAGES, zc_unit_seed());
    source = g_strdup_printf("file:%s", image);
    output = g_build_filename(dir, "output.img", NULL);
}

static void teardown(void)
{
    zc_unit_remove_dir(dir);
    g_free(image);
    g_free(source);
    g_free(output);
}

static void expect_success(struct zc_pair *pair)
{
    ck_assert_msg(pair->recv_ok, "receiver: %s", pair->recv_error ? pair->recv_error->message : "");
    ck_assert_msg(pair->send_ok, "sender: %s", pair->send_error ? pair->send_error->message : "");
    if (pair->recv.output) {
        ck_assert(zc_pair_same_files(image, pair->recv.output));
    }
    ck_assert_int_eq(pair->send_stats.state, ZCMIG_STATE_COMPLETED);
    ck_assert_int_eq(pair->recv_stats.state, ZCMIG_STATE_COMPLETED);
    ck_assert_uint_eq(pair->send_stats.normal_pages + pair->send_stats.zero_pages,
                      pair->send_stats.total_bytes / 4096);
    ck_assert_uint_eq(pair->recv_stats.normal_pages, pair->send_stats.normal_pages);
    ck_assert_uint_eq(pair->recv_stats.zero_pages, pair->send_stats.zero_pages);
    if (pair->send.verify != ZCMIG_VERIFY_OFF && pair->recv.verify != ZCMIG_VERIFY_OFF) {
        ck_assert_uint_eq(pair->recv_stats.verified_pages, pair->send_stats.total_bytes / 4096);
        ck_assert_uint_eq(pair->send_stats.verified_pages, pair->send_stats.total_bytes / 4096);
    }
}

static void run_and_expect_success(struct zc_pair *pair)
{
    zc_pair_run(pair);
    expect_success(pair);
    zc_pair_clear(pair);
    unlink(output);
}

START_TEST(any_number_of_channels)
{
    static const unsigned int channels[] = { 1, 2, 4, 16 };

    for (size_t i = 0; i < G_N_ELEMENTS(channels); i++) {
        struct zc_pair pair;
        zc_pair_init(&pair, source, output);
        pair.send.channels = channels[i];
        run_and_expect_success(&pair);
    }
}
END_TEST

START_TEST(any_mode)
{
    for (int zerocopy = ZCMIG_ZEROCOPY_OFF; zerocopy <= ZCMIG_ZEROCOPY_ON; zerocopy++) {
        for (int verify = ZCMIG_VERIFY_OFF; verify <= ZCMIG_VERIFY_BEFORE; verify++) {
            struct zc_pair pair;
            zc_pair_init(&pair, source, output);
            pair.send.zerocopy = (enum zcmig_zerocopy)zerocopy;
            pair.send.verify = (enum zcmig_verify)verify;
            pair.send.packet_pages = 1 + (unsigned int)(zerocopy * 3 + verify) * 14;
            pair.send.merge_pages = verify != ZCMIG_VERIFY_OFF;
            pair.recv.populate = zerocopy != ZCMIG_ZEROCOPY_OFF;
            run_and_expect_success(&pair);
        }
    }
}
END_TEST

START_TEST(a_receiver_that_does_not_want_digests)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, output);
    pair.recv.verify = ZCMIG_VERIFY_OFF;
    zc_pair_run(&pair);
    expect_success(&pair);
    ck_assert_uint_eq(pair.send_stats.verified_pages, 0);
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(without_an_output)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, NULL);
    run_and_expect_success(&pair);
}
END_TEST

START_TEST(ipv6)
{
    struct zc_pair pair;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    if (fd < 0) {
        printf("ipv6: not on this machine\n");
        return;
    }
    close(fd);
    zc_pair_init(&pair, source, output);
    pair.recv.listen = "tcp:[::1]:0";
    run_and_expect_success(&pair);
}
END_TEST

START_TEST(unix_sockets_copy_and_say_so)
{
    struct zc_pair pair;
    g_autofree char *listen = g_strdup_printf("unix:%s/socket", dir);

    zc_pair_init(&pair, source, output);
    pair.recv.listen = listen;
    pair.send.channels = 3;
    zc_pair_run(&pair);
    expect_success(&pair);
    for (unsigned int i = 0; i < 3; i++) {
        ck_assert_uint_eq(pair.send_stats.channels[i].zerocopy_calls, 0);
        ck_assert_str_eq(pair.send_stats.channels[i].zerocopy_state, "not-supported");
        ck_assert_ptr_nonnull(strstr(pair.send_stats.channels[i].zerocopy_reason, "UNIX"));
    }
    zc_pair_clear(&pair);
    g_autofree char *path = g_build_filename(dir, "socket", NULL);
    ck_assert_msg(access(path, F_OK) < 0, "the socket's file is left over");
}
END_TEST

START_TEST(one_inherited_connection)
{
    struct zc_pair pair;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    g_autofree char *listen = g_strdup_printf("fd:%d", fds[0]);
    g_autofree char *destination = g_strdup_printf("fd:%d", fds[1]);
    zc_pair_init(&pair, source, output);
    pair.recv.listen = listen;
    pair.send.destination = destination;
    run_and_expect_success(&pair);
}
END_TEST

START_TEST(sizes_that_are_no_whole_pages)
{
    static const uint64_t sizes[] = { 1, 4095, 4097, 3 * 4096, 700001 };

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct zc_pair pair;
        ck_assert_int_eq(truncate(image, (off_t)sizes[i]), 0);
        zc_pair_init(&pair, source, output);
        run_and_expect_success(&pair);
        ck_assert_int_eq(truncate(image, PAGES * 4096), 0);
    }
}
END_TEST

START_TEST(zeros_stay_holes_at_the_destination)
{
    struct zc_pair pair;
    struct stat status;
    int fd = creat(image, 0600);

    /* Written zeros, no holes: the source must find them. */
    ck_assert_int_eq(posix_fallocate(fd, 0, 4 << 20), 0);
    ck_assert_int_eq(pwrite(fd, "x", 1, 2 << 20), 1);
    close(fd);
    zc_pair_init(&pair, source, output);
    zc_pair_run(&pair);
    /* Before anything maps it: a fault in a hole of a tmpfs file fills it. */
    ck_assert_int_eq(stat(output, &status), 0);
    expect_success(&pair);
    ck_assert_uint_eq(pair.send_stats.normal_pages, 1);
    ck_assert_int_le(status.st_blocks * 512, 64 << 10);
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(nowhere)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, NULL);
    pair.send.destination = "null:";
    zc_pair_start_sender(&pair, NULL);
    zc_pair_join(&pair);
    ck_assert_msg(pair.send_ok, "%s", pair.send_error ? pair.send_error->message : "");
    ck_assert_uint_eq(pair.send_stats.normal_pages + pair.send_stats.zero_pages, PAGES);
    ck_assert_uint_eq(pair.send_stats.wire_bytes, 0);
    zc_pair_clear(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pair-round-trip");
    TCase *tcase = tcase_create("round-trip");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, any_number_of_channels);
    tcase_add_test(tcase, any_mode);
    tcase_add_test(tcase, a_receiver_that_does_not_want_digests);
    tcase_add_test(tcase, without_an_output);
    tcase_add_test(tcase, ipv6);
    tcase_add_test(tcase, unix_sockets_copy_and_say_so);
    tcase_add_test(tcase, one_inherited_connection);
    tcase_add_test(tcase, sizes_that_are_no_whole_pages);
    tcase_add_test(tcase, zeros_stay_holes_at_the_destination);
    tcase_add_test(tcase, nowhere);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
