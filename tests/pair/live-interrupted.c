/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A live migration ends before it is done: cancelled from either end, cut or
 * stalled, in any iteration and in the switchover.  The guest never runs at
 * both ends; it runs at one, unless the word that gave it away or the answer
 * to it was lost, which the source then says; and where it runs its RAM is as
 * it wrote it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/pair.h"
#include "lib/random.h"
#include "lib/unit.h"
#include "session/outgoing.h"

#define STEADY "guest:4M,dirty=0,writers=2" /* the same bytes on the wire each time */
#define BUSY "guest:4M,dirty=4M,pattern=random,writers=2"
#define CUTS 30u
#define RUN_MESSAGE_BYTES 6u /* command, its length, one byte */
#define SHUT_MESSAGE_BYTES 8u
#define OBSERVED_MESSAGE_BYTES 21u

static void init(struct zc_pair *pair, const char *source, enum zcmig_verify verify)
{
    zc_pair_init(pair, source, NULL);
    pair->send.channels = 2;
    pair->send.verify = verify;
    pair->send.run_for_ms = 20;
    pair->recv.run_for_ms = 20;
    pair->recv.accept_timeout_ms = 2000;
    pair->send.downtime_limit_ms = 20000; /* one iteration, however busy this host is */
}

static struct zc_meddler *start_with_meddler(struct zc_pair *pair)
{
    zc_pair_start_receiver(pair);
    return zc_meddler_start(zcmig_session_get_address(pair->receiver), NULL, NULL);
}

/* True when it is in doubt where the guest runs; nothing is ever wrong. */
static bool expect_one_runs(const struct zc_pair *pair, const char *what, uint64_t where)
{
    const struct zcmig_live_stats *from = &pair->send_stats.live;
    const struct zcmig_live_stats *to = &pair->recv_stats.live;
    bool runs_there = to->guest == ZCMIG_GUEST_RUNS;
    g_autofree char *text = g_strdup_printf(
        "%s %llu: guest %s at the source (%s), %s at the destination (%s)", what,
        (unsigned long long)where, zcmig_guest_place_name(from->guest),
        pair->send_error ? pair->send_error->message : "ok", zcmig_guest_place_name(to->guest),
        pair->recv_error ? pair->recv_error->message : "ok");

    ck_assert_msg(!from->checked || from->guest_wrong_pages == 0, "%s", text);
    ck_assert_msg(!to->checked || to->guest_wrong_pages == 0, "%s", text);
    ck_assert_msg(to->checked == runs_there, "%s", text);
    switch (from->guest) {
    case ZCMIG_GUEST_RUNS:
        ck_assert_msg(!runs_there && !pair->send_ok && from->checked, "%s", text);
        return false;
    case ZCMIG_GUEST_GONE:
        ck_assert_msg(runs_there, "%s", text);
        return false;
    case ZCMIG_GUEST_IN_DOUBT:
        ck_assert_msg(!pair->send_ok && pair->send_error->code == ZCMIG_ERROR_DISCONNECTED &&
                          strstr(pair->send_error->message, "it may run there"),
                      "%s", text);
        return true;
    default:
        ck_abort_msg("%s", text);
    }
}

/* ------------------------------------------------------------- in iterations */

static void wait_for_iteration(zcmig_session *sender, uint64_t n)
{
    struct zcmig_stats stats;

    do {
        g_thread_yield();
        zcmig_session_get_stats(sender, &stats);
    } while (stats.state <= ZCMIG_STATE_ACTIVE &&
             (stats.live.n_iterations < n || stats.normal_pages < 10));
}

/* An iteration is cut off, the first one or a later one. */
static void cancel_in_iteration(bool cancel_sender, uint64_t iteration)
{
    struct zc_pair pair;

    init(&pair, BUSY, ZCMIG_VERIFY_AFTER);
    pair.send.max_bandwidth = 8 << 20;
    pair.send.downtime_limit_ms = 0; /* never short enough */
    zc_pair_start_receiver(&pair);
    zc_pair_start_sender(&pair, NULL);
    wait_for_iteration(pair.sender, iteration);
    zcmig_session_cancel(cancel_sender ? pair.sender : pair.receiver);
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_CANCELLED,
                         cancel_sender ? "cancelled" : "cancelled by the destination");
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_CANCELLED,
                         cancel_sender ? "cancelled by the source" : "cancelled");
    ck_assert(!expect_one_runs(&pair, "cancelled in iteration", iteration));
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert_uint_gt(pair.send_stats.live.guest_writes, 0);
    zc_pair_clear(&pair);
}

START_TEST(the_source_cancels)
{
    cancel_in_iteration(true, (uint64_t)_i);
}
END_TEST

START_TEST(the_destination_cancels)
{
    cancel_in_iteration(false, (uint64_t)_i);
}
END_TEST

/* -------------------------------------------------------------- by bytes */

struct measured {
    uint64_t bytes;
    uint64_t bytes_back;
};

static struct measured measure(enum zcmig_verify verify)
{
    struct zc_pair pair;
    struct measured whole;

    init(&pair, STEADY, verify);
    struct zc_meddler *meddler = start_with_meddler(&pair);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    ck_assert_msg(pair.send_ok && pair.recv_ok, "%s",
                  pair.send_error ? pair.send_error->message : "receiver");
    ck_assert_uint_eq(pair.send_stats.live.n_iterations, 1);
    whole = (struct measured){ zc_meddler_bytes(meddler), zc_meddler_bytes_back(meddler) };
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
    return whole;
}

/* True when it was in doubt. */
static bool cut_at(const char *source, enum zcmig_verify verify, uint64_t bytes, bool reset)
{
    struct zc_pair pair;

    init(&pair, source, verify);
    struct zc_meddler *meddler = start_with_meddler(&pair);
    zc_meddler_cut_after(meddler, bytes, reset);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    bool doubt = expect_one_runs(&pair, "cut after", bytes);
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
    return doubt;
}

START_TEST(cut_at_any_moment)
{
    struct measured whole = measure(ZCMIG_VERIFY_BEFORE);
    struct zc_random random;

    zc_random_init(&random, zc_unit_seed());
    for (unsigned int i = 0; i < CUTS; i++) {
        /* A third anywhere, a third in the state and the manifest, a third of a guest that writes.
         */
        uint64_t at = i % 3 == 1 ? whole.bytes - 1 - zc_random_below(&random, 12000)
                                 : 1 + zc_random_below(&random, whole.bytes - RUN_MESSAGE_BYTES);
        cut_at(i % 3 == 2 ? BUSY : STEADY, ZCMIG_VERIFY_BEFORE, at, i % 2);
    }
}
END_TEST

/* What is told last from the source, when nothing is verified after, is RUN. */
START_TEST(nothing_is_in_doubt_before_run)
{
    struct measured whole = measure(ZCMIG_VERIFY_BEFORE);

    ck_assert(!cut_at(STEADY, ZCMIG_VERIFY_BEFORE, whole.bytes - RUN_MESSAGE_BYTES, false));
}
END_TEST

START_TEST(a_run_that_is_lost_leaves_it_in_doubt)
{
    struct measured whole = measure(ZCMIG_VERIFY_OFF);

    ck_assert(cut_at(STEADY, ZCMIG_VERIFY_OFF, whole.bytes, false));
}
END_TEST

START_TEST(an_answer_to_run_that_is_lost_leaves_it_in_doubt)
{
    struct measured whole = measure(ZCMIG_VERIFY_OFF);
    struct zc_pair pair;

    init(&pair, STEADY, ZCMIG_VERIFY_OFF);
    struct zc_meddler *meddler = start_with_meddler(&pair);
    zc_meddler_cut_back_after(meddler,
                              whole.bytes_back - OBSERVED_MESSAGE_BYTES - SHUT_MESSAGE_BYTES + 1);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    ck_assert(expect_one_runs(&pair, "SHUT lost", 0));
    ck_assert_int_eq(pair.recv_stats.live.guest, ZCMIG_GUEST_RUNS);
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
}
END_TEST

START_TEST(ready_that_is_lost_keeps_it_at_the_source)
{
    struct measured whole = measure(ZCMIG_VERIFY_OFF);
    struct zc_pair pair;

    init(&pair, STEADY, ZCMIG_VERIFY_OFF);
    struct zc_meddler *meddler = start_with_meddler(&pair);
    zc_meddler_cut_back_after(meddler,
                              whole.bytes_back - OBSERVED_MESSAGE_BYTES - SHUT_MESSAGE_BYTES);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    ck_assert(!expect_one_runs(&pair, "READY lost", 0));
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
}
END_TEST

/* ------------------------------------------------------ cancelled, by bytes */

static void cancel(void *session)
{
    zcmig_session_cancel(session);
}

/* Either end, at any moment: nobody is left in doubt, since both still hear each other. */
START_TEST(cancelled_at_any_moment)
{
    struct measured whole = measure(ZCMIG_VERIFY_BEFORE);
    struct zc_random random;

    zc_random_init(&random, zc_unit_seed());
    for (unsigned int i = 0; i < CUTS; i++) {
        uint64_t back = i % 3 == 0 ? 1 + zc_random_below(&random, whole.bytes - 1)
                                   : zc_random_below(&random, i % 3 == 1 ? 12000 : 8);
        struct zc_pair pair;
        init(&pair, STEADY, ZCMIG_VERIFY_BEFORE);
        struct zc_meddler *meddler = start_with_meddler(&pair);
        pair.send.destination = zc_meddler_address(meddler);
        pair.sender = NULL;
        zcmig_session *victim = i % 2 ? pair.receiver : NULL;
        if (victim) {
            zc_meddler_call_after(meddler, whole.bytes - back, cancel, victim);
            zc_pair_start_sender(&pair, NULL);
        } else {
            /* The sender exists only once it is started: it is cut off by its own hook. */
            zc_pair_start_sender(&pair, NULL);
            zc_meddler_call_after(meddler, whole.bytes - back, cancel, pair.sender);
        }
        zc_pair_join(&pair);
        ck_assert(!expect_one_runs(&pair,
                                   i % 2 ? "destination cancelled, bytes before the end"
                                         : "source cancelled, bytes before the end",
                                   back));
        zc_pair_clear(&pair);
        zc_meddler_stop(meddler);
    }
}
END_TEST

/* --------------------------------------------------------- in the switchover */

/* Live ops that do something while the guest is paused and its last pages have gone. */
struct trap {
    struct zc_live_ops ops;
    const struct zc_live_ops *real;
    zcmig_session *victim;
    bool fail;
};

static struct trap trap;

static GBytes *trapped_save_state(struct zc_source *source, GError **error)
{
    if (trap.victim) {
        zcmig_session_cancel(trap.victim);
    }
    if (trap.fail) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_SOURCE, "the state cannot be had");
        return NULL;
    }
    return trap.real->save_state(source, error);
}

static void set_trap(zcmig_session *sender, void *data)
{
    struct zc_outgoing *out = (struct zc_outgoing *)sender;
    const char *what = data;

    trap.real = out->source->live;
    trap.ops = *trap.real;
    trap.ops.save_state = trapped_save_state;
    if (g_str_equal(what, "source")) {
        trap.victim = sender;
    }
    trap.fail = g_str_equal(what, "state");
    out->source->live = &trap.ops;
}

static void interrupt_switchover(const char *what, int code, const char *text)
{
    struct zc_pair pair;

    init(&pair, BUSY, ZCMIG_VERIFY_AFTER);
    pair.prepare = set_trap;
    pair.prepare_data = (void *)what;
    zc_pair_start_receiver(&pair);
    trap.victim = g_str_equal(what, "destination") ? pair.receiver : NULL;
    zc_pair_start_sender(&pair, NULL);
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.send_error, code, text);
    ck_assert(!expect_one_runs(&pair, what, 0));
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert(!pair.recv_ok);
    zc_pair_clear(&pair);
}

START_TEST(the_source_cancels_in_the_switchover)
{
    interrupt_switchover("source", ZCMIG_ERROR_CANCELLED, "cancelled");
}
END_TEST

START_TEST(the_destination_cancels_in_the_switchover)
{
    interrupt_switchover("destination", ZCMIG_ERROR_CANCELLED, "cancelled by the destination");
}
END_TEST

START_TEST(a_state_that_cannot_be_had)
{
    interrupt_switchover("state", ZCMIG_ERROR_SOURCE, "the state cannot be had");
}
END_TEST

/* The destination takes nothing more: the source gives up waiting, and runs its guest. */
START_TEST(a_stall_in_the_switchover_ends_at_its_deadline)
{
    struct measured whole = measure(ZCMIG_VERIFY_OFF);
    struct zc_pair pair;

    init(&pair, STEADY, ZCMIG_VERIFY_OFF);
    pair.send.stall_timeout_ms = 300;
    pair.recv.stall_timeout_ms = 300;
    struct zc_meddler *meddler = start_with_meddler(&pair);
    zc_meddler_stall_after(meddler, whole.bytes - RUN_MESSAGE_BYTES - 10);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    ck_assert(!pair.send_ok && !pair.recv_ok);
    ck_assert(!expect_one_runs(&pair, "stalled", 0));
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
}
END_TEST

/* Long enough for every step before it on a machine that is busy. */
#define SILENCE_MS 1000

/* It took RUN and says nothing, though the connection stands. */
START_TEST(a_destination_that_is_silent_after_run_leaves_it_in_doubt)
{
    struct measured whole = measure(ZCMIG_VERIFY_OFF);
    struct zc_pair pair;

    init(&pair, STEADY, ZCMIG_VERIFY_OFF);
    pair.send.stall_timeout_ms = SILENCE_MS;
    pair.recv.stall_timeout_ms = SILENCE_MS;
    struct zc_meddler *meddler = start_with_meddler(&pair);
    zc_meddler_stall_after(meddler, whole.bytes);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    ck_assert_msg(expect_one_runs(&pair, "silent after RUN", 0), "%s: %s",
                  zcmig_guest_place_name(pair.send_stats.live.guest),
                  pair.send_error ? pair.send_error->message : "moved");
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live-interrupted");
    TCase *tcase = tcase_create("interrupted");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_loop_test(tcase, the_source_cancels, 0, 3);
    tcase_add_loop_test(tcase, the_destination_cancels, 0, 3);
    tcase_add_test(tcase, cut_at_any_moment);
    tcase_add_test(tcase, nothing_is_in_doubt_before_run);
    tcase_add_test(tcase, a_run_that_is_lost_leaves_it_in_doubt);
    tcase_add_test(tcase, an_answer_to_run_that_is_lost_leaves_it_in_doubt);
    tcase_add_test(tcase, ready_that_is_lost_keeps_it_at_the_source);
    tcase_add_test(tcase, cancelled_at_any_moment);
    tcase_add_test(tcase, the_source_cancels_in_the_switchover);
    tcase_add_test(tcase, the_destination_cancels_in_the_switchover);
    tcase_add_test(tcase, a_state_that_cannot_be_had);
    tcase_add_test(tcase, a_stall_in_the_switchover_ends_at_its_deadline);
    tcase_add_test(tcase, a_destination_that_is_silent_after_run_leaves_it_in_doubt);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
