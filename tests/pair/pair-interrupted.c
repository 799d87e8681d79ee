/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * It ends before it is done: cancelled from either end, cut or reset at any
 * moment, stalled.  Both ends stop in bounded time and say why; no output
 * appears; the source is as it was.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/random.h"
#include "lib/unit.h"

#define PAGES 4000u
#define CUTS 24u

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

static void expect_no_output(void)
{
    GDir *entries = g_dir_open(dir, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(entries))) {
        ck_assert_msg(g_str_equal(name, "source.img"), "'%s' is left over", name);
    }
    g_dir_close(entries);
}

/* Waits until some pages have crossed, so that what follows happens in the middle. */
static void wait_until_active(zcmig_session *session)
{
    struct zcmig_stats stats;

    do {
        g_thread_yield();
        zcmig_session_get_stats(session, &stats);
    } while (stats.state == ZCMIG_STATE_SETUP ||
             (stats.state == ZCMIG_STATE_ACTIVE && stats.normal_pages < 100));
}

static void cancel_one_end(bool cancel_sender)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, output);
    pair.send.max_bandwidth = 8 << 20;
    pair.send.channels = 3;
    zc_pair_start_receiver(&pair);
    zc_pair_start_sender(&pair, NULL);
    wait_until_active(pair.sender);
    zcmig_session_cancel(cancel_sender ? pair.sender : pair.receiver);
    zc_pair_join(&pair);
    ck_assert(!pair.send_ok && !pair.recv_ok);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_CANCELLED,
                         cancel_sender ? "cancelled" : "cancelled by the destination");
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_CANCELLED,
                         cancel_sender ? "cancelled by the source" : "cancelled");
    ck_assert_int_eq(pair.send_stats.state, ZCMIG_STATE_CANCELLED);
    ck_assert_int_eq(pair.recv_stats.state, ZCMIG_STATE_CANCELLED);
    expect_no_output();
    zc_pair_clear(&pair);
}

START_TEST(the_source_cancels)
{
    cancel_one_end(true);
}
END_TEST

START_TEST(the_destination_cancels)
{
    cancel_one_end(false);
}
END_TEST

START_TEST(a_receiver_that_waits_is_cancelled)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, output);
    pair.recv.accept_timeout_ms = -1;
    zc_pair_start_receiver(&pair);
    zcmig_session_cancel(pair.receiver);
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_CANCELLED, "cancelled");
    expect_no_output();
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(nobody_connects)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, output);
    pair.recv.accept_timeout_ms = 50;
    zc_pair_start_receiver(&pair);
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_TIMEOUT, "50 ms");
    expect_no_output();
    zc_pair_clear(&pair);
}
END_TEST

static void cut_at(uint64_t bytes, bool reset)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, output);
    pair.send.channels = 2;
    pair.send.verify = ZCMIG_VERIFY_BEFORE;
    pair.recv.accept_timeout_ms = 2000;
    zc_pair_start_receiver(&pair);
    struct zc_meddler *meddler =
        zc_meddler_start(zcmig_session_get_address(pair.receiver), NULL, NULL);
    zc_meddler_cut_after(meddler, bytes, reset);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    ck_assert_msg(!pair.send_ok && !pair.recv_ok, "cut after %llu bytes", (unsigned long long)bytes);
    ck_assert_msg(pair.send_error->code == ZCMIG_ERROR_DISCONNECTED, "sender, cut after %llu: %s",
                  (unsigned long long)bytes, pair.send_error->message);
    /* Cut before the main stream said what it is, the receiver goes on waiting for a source. */
    bool never_met = strstr(pair.recv_error->message, "for a source to connect") != NULL;
    ck_assert_msg(pair.recv_error->code == ZCMIG_ERROR_DISCONNECTED ||
                      pair.recv_error->code == ZCMIG_ERROR_PEER ||
                      (never_met && pair.recv_error->code == ZCMIG_ERROR_TIMEOUT),
                  "receiver, cut after %llu: %s", (unsigned long long)bytes,
                  pair.recv_error->message);
    expect_no_output();
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
}

/* How many bytes a whole transfer takes: measured, so that cuts fall anywhere in it. */
static uint64_t whole_transfer_bytes(void)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, NULL);
    pair.send.channels = 2;
    pair.send.verify = ZCMIG_VERIFY_BEFORE;
    zc_pair_start_receiver(&pair);
    struct zc_meddler *meddler =
        zc_meddler_start(zcmig_session_get_address(pair.receiver), NULL, NULL);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    ck_assert(pair.send_ok && pair.recv_ok);
    uint64_t bytes = zc_meddler_bytes(meddler);
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
    return bytes;
}

START_TEST(cut_or_reset_at_any_moment)
{
    struct zc_random random;
    uint64_t whole = whole_transfer_bytes();

    zc_random_init(&random, zc_unit_seed());
    for (unsigned int i = 0; i < CUTS; i++) {
        /* A third of the cuts in the first kilobyte, where the phases are short. */
        uint64_t at = i % 3 ? zc_random_below(&random, whole - 64)
                            : zc_random_below(&random, 1024);
        cut_at(1 + at, i % 2);
    }
    /* In the manifest, after all RAM is there. */
    cut_at(whole - 1000, false);
}
END_TEST

START_TEST(a_stalled_connection_ends_at_its_deadline)
{
    struct zc_pair pair;
    gint64 begin = g_get_monotonic_time();

    zc_pair_init(&pair, source, output);
    pair.send.channels = 2;
    pair.send.stall_timeout_ms = 300;
    pair.recv.stall_timeout_ms = 300;
    zc_pair_start_receiver(&pair);
    struct zc_meddler *meddler =
        zc_meddler_start(zcmig_session_get_address(pair.receiver), NULL, NULL);
    zc_meddler_stall_after(meddler, 3 << 20);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    ck_assert(!pair.send_ok && !pair.recv_ok);
    ck_assert_msg(pair.send_error->code == ZCMIG_ERROR_TIMEOUT ||
                      pair.recv_error->code == ZCMIG_ERROR_TIMEOUT,
                  "sender: %s; receiver: %s", pair.send_error->message, pair.recv_error->message);
    ck_assert_int_lt(g_get_monotonic_time() - begin, 20 * G_USEC_PER_SEC);
    expect_no_output();
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
}
END_TEST

static gpointer shrink_image(gpointer data)
{
    struct zc_pair *pair = data;

    wait_until_active(pair->sender);
    return GINT_TO_POINTER(truncate(image, 10 * 4096));
}

START_TEST(a_source_that_shrinks_is_named)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, output);
    pair.send.max_bandwidth = 16 << 20;
    zc_pair_start_receiver(&pair);
    zc_pair_start_sender(&pair, NULL);
    GThread *shrinker = g_thread_new("shrinker", shrink_image, &pair);
    ck_assert_ptr_null(g_thread_join(shrinker));
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_SOURCE, "changed its size");
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_PEER, "changed its size");
    expect_no_output();
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(more_ram_than_the_receiver_allows)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, output);
    pair.recv.max_ram_bytes = 1 << 20;
    zc_pair_run(&pair);
    ck_assert_int_eq(pair.recv_error->code, ZCMIG_ERROR_LIMIT);
    ck_assert_int_eq(pair.send_error->code, ZCMIG_ERROR_PEER);
    expect_no_output();
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(another_session_is_not_let_in)
{
    struct zc_pair pair;

    zc_pair_init(&pair, source, output);
    pair.send.uuid = "11111111-2222-4333-8444-555555555555";
    pair.recv.uuid = "99999999-2222-4333-8444-555555555555";
    pair.recv.stall_timeout_ms = 2000;
    pair.recv.accept_timeout_ms = 2000;
    pair.send.connect_timeout_ms = 2000;
    zc_pair_run(&pair);
    ck_assert(!pair.send_ok && !pair.recv_ok);
    expect_no_output();
    zc_pair_clear(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pair-interrupted");
    TCase *tcase = tcase_create("interrupted");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_source_cancels);
    tcase_add_test(tcase, the_destination_cancels);
    tcase_add_test(tcase, a_receiver_that_waits_is_cancelled);
    tcase_add_test(tcase, nobody_connects);
    tcase_add_test(tcase, cut_or_reset_at_any_moment);
    tcase_add_test(tcase, a_stalled_connection_ends_at_its_deadline);
    tcase_add_test(tcase, a_source_that_shrinks_is_named);
    tcase_add_test(tcase, more_ram_than_the_receiver_allows);
    tcase_add_test(tcase, another_session_is_not_let_in);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
