/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever the engine, the same holds: an image arrives over TCP and UNIX sockets, a guest that
 * writes is moved and finds its RAM as it left it, a cut or a stall ends both ends in time with no
 * output, and an engine that is replaced says why.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/random.h"
#include "lib/unit.h"

#define PAGES 4000u
#define CUTS 6u

static const struct {
    enum zcmig_engine engine;
    const char *name;
    const char *over_unix; /* what it comes to there */
} engines[] = {
    { ZCMIG_ENGINE_AUTO, "zerocopy", "copy" },
    { ZCMIG_ENGINE_COPY, "copy", "copy" },
    { ZCMIG_ENGINE_ZEROCOPY, "zerocopy", "copy" },
    { ZCMIG_ENGINE_IO_URING, "io_uring", "copy" },
    { ZCMIG_ENGINE_SPLICE, "splice", "splice" },
};

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

static void init(struct zc_pair *pair, const char *from, const char *to, enum zcmig_engine engine)
{
    zc_pair_init(pair, from, to);
    pair->send.engine = engine;
    pair->send.zerocopy = ZCMIG_ZEROCOPY_ON; /* loopback copies, and auto would give up */
    pair->send.channels = 2;
}

static void expect_success(const struct zc_pair *pair)
{
    ck_assert_msg(pair->recv_ok, "receiver: %s", pair->recv_error ? pair->recv_error->message : "");
    ck_assert_msg(pair->send_ok, "sender: %s", pair->send_error ? pair->send_error->message : "");
}

/* @name, or what replaces it: then there is a reason, and it is not the one that was asked for. */
static void expect_engine(const struct zc_pair *pair, const char *name)
{
    for (unsigned int i = 0; i < pair->send_stats.n_channels; i++) {
        const struct zcmig_channel_stats *channel = &pair->send_stats.channels[i];
        bool replaced = *channel->engine_reason != '\0';
        ck_assert_msg(g_str_equal(channel->engine, name) || replaced, "channel %u by %s", i,
                      channel->engine);
        ck_assert_uint_eq(channel->completed, channel->zerocopy_calls);
        if (!replaced && g_str_equal(name, "splice")) {
            ck_assert_uint_gt(channel->splice_bytes, 0);
        } else if (!replaced && !g_str_equal(name, "copy")) {
            ck_assert_uint_gt(channel->zerocopy_calls, 0);
        }
    }
}

static void image_arrives(enum zcmig_engine engine, const char *listen, const char *name)
{
    struct zc_pair pair;

    init(&pair, source, output, engine);
    pair.recv.listen = listen ? listen : pair.recv.listen;
    zc_pair_run(&pair);
    expect_success(&pair);
    ck_assert(zc_pair_same_files(image, output));
    ck_assert_uint_eq(pair.recv_stats.verified_pages, PAGES);
    expect_engine(&pair, name);
    zc_pair_clear(&pair);
    unlink(output);
}

START_TEST(an_image_arrives)
{
    g_autofree char *listen = g_strdup_printf("unix:%s/socket", dir);

    image_arrives(engines[_i].engine, NULL, engines[_i].name);
    image_arrives(engines[_i].engine, listen, engines[_i].over_unix);
}
END_TEST

/* Pages are sent again and again, so io_uring registers them, and splice must decline. */
START_TEST(a_guest_that_writes_is_moved)
{
    struct zc_pair pair;

    init(&pair, "guest:16M,dirty=40M,pattern=hot:0.3,writers=2", NULL, engines[_i].engine);
    pair.recv.run_for_ms = 50;
    zc_pair_run(&pair);
    expect_success(&pair);
    ck_assert_uint_eq(pair.recv_stats.live.guest_wrong_pages, 0);
    ck_assert(pair.recv_stats.live.checked);
    expect_engine(&pair, engines[_i].name);
    if (engines[_i].engine == ZCMIG_ENGINE_SPLICE) {
        ck_assert_str_ne(pair.send_stats.channels[0].engine, "splice");
        ck_assert_uint_eq(pair.send_stats.channels[0].splice_bytes, 0);
    }
    zc_pair_clear(&pair);
}
END_TEST

static void expect_both_failed(struct zc_pair *pair)
{
    zc_pair_join(pair);
    ck_assert(!pair->send_ok && !pair->recv_ok);
    ck_assert_int_eq(access(output, F_OK), -1);
    zc_pair_clear(pair);
}

START_TEST(a_cut_ends_both)
{
    struct zc_random random;

    zc_random_init(&random, zc_unit_seed());

    for (unsigned int i = 0; i < CUTS; i++) {
        struct zc_pair pair;
        init(&pair, source, output, engines[_i].engine);
        zc_pair_start_receiver(&pair);
        struct zc_meddler *meddler =
            zc_meddler_start(zcmig_session_get_address(pair.receiver), NULL, NULL);
        zc_meddler_cut_after(meddler, 1 + zc_random_below(&random, PAGES * 2048), i % 2);
        zc_pair_start_sender(&pair, zc_meddler_address(meddler));
        expect_both_failed(&pair);
        zc_meddler_stop(meddler);
    }
}
END_TEST

START_TEST(a_stall_ends_both)
{
    struct zc_pair pair;

    init(&pair, source, output, engines[_i].engine);
    pair.send.stall_timeout_ms = 300;
    pair.recv.stall_timeout_ms = 1000;
    zc_pair_start_receiver(&pair);
    struct zc_meddler *meddler =
        zc_meddler_start(zcmig_session_get_address(pair.receiver), NULL, NULL);
    zc_meddler_narrow(meddler, 64 * 1024);
    zc_meddler_stall_after(meddler, 1 << 20);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    expect_both_failed(&pair);
    zc_meddler_stop(meddler);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pair-every-engine");
    TCase *tcase = tcase_create("engine");
    const int n = G_N_ELEMENTS(engines);

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, an_image_arrives, 0, n);
    tcase_add_loop_test(tcase, a_guest_that_writes_is_moved, 0, n);
    tcase_add_loop_test(tcase, a_cut_ends_both, 0, n);
    tcase_add_loop_test(tcase, a_stall_ends_both, 0, n);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
