/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By the route pull what is sent arrives, with any number of channels and mode
 * of verification, from an image and from a guest that writes; and no page
 * crosses a socket.
 */
#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/unit.h"

#define PAGES 3000u
#define HEADER_BYTES 1344u

static char *dir;
static char *image;
static char *source;
static char *output;
static char *address;

static void setup(void)
{
    dir = zc_unit_make_dir();
    image = zc_pair_make_image(dir, PAGES, zc_unit_seed());
    source = g_strdup_printf("file:%s", image);
    output = g_build_filename(dir, "output.img", NULL);
    address = g_strdup_printf("unix:%s/socket", dir);
}

static void teardown(void)
{
    zc_unit_remove_dir(dir);
    g_free(image);
    g_free(source);
    g_free(output);
    g_free(address);
}

static void init(struct zc_pair *pair, const char *from, const char *to)
{
    zc_pair_init(pair, from, to);
    pair->recv.listen = address;
    pair->send.route = ZCMIG_ROUTE_PULL;
}

static void run_and_expect_success(struct zc_pair *pair)
{
    zc_pair_run(pair);
    ck_assert_msg(pair->recv_ok, "receiver: %s", pair->recv_error ? pair->recv_error->message : "");
    ck_assert_msg(pair->send_ok, "sender: %s", pair->send_error ? pair->send_error->message : "");
    ck_assert_int_eq(pair->send_stats.route, ZCMIG_ROUTE_PULL);
    ck_assert_int_eq(pair->recv_stats.route, ZCMIG_ROUTE_PULL);
    ck_assert_uint_eq(pair->recv_stats.normal_pages, pair->send_stats.normal_pages);
    ck_assert_uint_eq(pair->recv_stats.zero_pages, pair->send_stats.zero_pages);
    for (unsigned int i = 0; i < pair->send_stats.n_channels; i++) {
        const struct zcmig_channel_stats *channel = &pair->send_stats.channels[i];
        ck_assert_uint_eq(channel->wire_bytes, channel->packets * HEADER_BYTES);
        ck_assert_uint_eq(pair->recv_stats.channels[i].wire_bytes, channel->wire_bytes);
    }
}

START_TEST(images_in_any_mode)
{
    static const unsigned int channels[] = { 1, 4 };

    for (size_t i = 0; i < G_N_ELEMENTS(channels); i++) {
        for (int verify = ZCMIG_VERIFY_OFF; verify <= ZCMIG_VERIFY_BEFORE; verify++) {
            struct zc_pair pair;
            init(&pair, source, output);
            pair.send.channels = channels[i];
            pair.send.verify = (enum zcmig_verify)verify;
            pair.send.packet_pages = 1 + (unsigned int)verify * 60;
            pair.recv.populate = verify != ZCMIG_VERIFY_AFTER;
            run_and_expect_success(&pair);
            ck_assert(zc_pair_same_files(image, output));
            ck_assert_uint_eq(pair.recv_stats.verified_pages,
                              verify == ZCMIG_VERIFY_OFF ? 0 : PAGES);
            zc_pair_clear(&pair);
            unlink(output);
        }
    }
}
END_TEST

START_TEST(a_guest_that_writes_moves_and_runs_on)
{
    static const char *const guests[] = { "guest:16M,dirty=20M,seed=3",
                                          "guest:16M,dirty=20M,memory=memfd,writers=2" };

    for (size_t i = 0; i < G_N_ELEMENTS(guests); i++) {
        struct zc_pair pair;
        init(&pair, guests[i], NULL);
        pair.send.channels = 2;
        pair.recv.run_for_ms = 50;
        zc_pair_start_receiver(&pair);
        zc_pair_start_sender(&pair, NULL);
        zc_pair_join(&pair);
        if (pair.send_error && pair.send_error->code == ZCMIG_ERROR_UNSUPPORTED) {
            printf("a guest that writes: %s\n", pair.send_error->message);
            zc_pair_clear(&pair);
            return;
        }
        ck_assert_msg(pair.recv_ok, "receiver: %s",
                      pair.recv_error ? pair.recv_error->message : "");
        ck_assert_msg(pair.send_ok, "sender: %s", pair.send_error ? pair.send_error->message : "");
        ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_GONE);
        ck_assert(pair.recv_stats.live.checked);
        ck_assert_uint_eq(pair.recv_stats.live.guest_wrong_pages, 0);
        ck_assert_uint_lt(pair.send_stats.wire_bytes, 4 << 20);
        zc_pair_clear(&pair);
    }
}
END_TEST

START_TEST(only_over_unix_sockets)
{
    static const char *const destinations[] = { "tcp:127.0.0.1:1", "fd:0", "null:" };

    for (size_t i = 0; i < G_N_ELEMENTS(destinations); i++) {
        struct zcmig_send_options options;
        GError *error = NULL;
        zcmig_send_options_init(&options);
        options.source = source;
        options.destination = destinations[i];
        options.route = ZCMIG_ROUTE_PULL;
        ck_assert_ptr_null(zcmig_send_new(&options, &error));
        zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "allowed is unix:PATH");
    }
}
END_TEST

START_TEST(only_with_channels)
{
    struct zcmig_send_options options;
    GError *error = NULL;

    zcmig_send_options_init(&options);
    options.source = source;
    options.destination = "unix:socket";
    options.route = ZCMIG_ROUTE_PULL;
    options.plain = true;
    ck_assert_ptr_null(zcmig_send_new(&options, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "got a plain stream, allowed are channels");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pull-round-trip");
    TCase *tcase = tcase_create("pull");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, images_in_any_mode);
    tcase_add_test(tcase, a_guest_that_writes_moves_and_runs_on);
    tcase_add_test(tcase, only_over_unix_sockets);
    tcase_add_test(tcase, only_with_channels);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
