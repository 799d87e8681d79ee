/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A live migration survives its connections: cut in any iteration, in the
 * switchover, behind RUN and in the manifest, it goes on over new ones.  The
 * guest runs at one end at most, and where it does its RAM is as it wrote it;
 * what had arrived is not sent again; and when nobody comes back, it ends as a
 * cut does without --reconnect.
 */
#include "config.h"

#include <string.h>
#include <sys/socket.h>

#include "lib/pair.h"
#include "lib/random.h"
#include "lib/unit.h"
#include "session/outgoing.h"

#define STEADY "guest:8M,dirty=0,writers=2" /* the same bytes on the wire each time */
#define BUSY "guest:8M,dirty=8M,pattern=random,writers=2"
#define PAGES 2048u
#define CUTS 12u
/* Of messages on the main stream, their headers included. */
#define RUN_BYTES 6u
#define HEARD_BYTES 6u
#define READY_BYTES 29u
#define SHUT_BYTES 8u
#define OBSERVED_BYTES 21u

static void init(struct zc_pair *pair, const char *source, enum zcmig_verify verify)
{
    zc_pair_init(pair, source, NULL);
    pair->send.channels = 2;
    pair->send.verify = verify;
    pair->send.run_for_ms = 20;
    pair->recv.run_for_ms = 20;
    pair->send.reconnect_ms = 20000;
    pair->recv.reconnect_ms = 20000;
    pair->send.downtime_limit_ms = 2000;
}

static struct zc_meddler *start(struct zc_pair *pair)
{
    zc_pair_start_receiver(pair);
    struct zc_meddler *meddler =
        zc_meddler_start(zcmig_session_get_address(pair->receiver), NULL, NULL);
    zc_meddler_cut_once(meddler);
    return meddler;
}

static void end(struct zc_pair *pair, struct zc_meddler *meddler)
{
    zc_pair_clear(pair);
    zc_meddler_stop(meddler);
}

/* It went to the destination, all of it, whatever happened on its way. */
static void expect_moved(const struct zc_pair *pair, const char *what, uint64_t where)
{
    g_autofree char *text = g_strdup_printf("%s %llu: source %s (%s), destination %s (%s)", what,
                                            (unsigned long long)where,
                                            zcmig_guest_place_name(pair->send_stats.live.guest),
                                            pair->send_error ? pair->send_error->message : "ok",
                                            zcmig_guest_place_name(pair->recv_stats.live.guest),
                                            pair->recv_error ? pair->recv_error->message : "ok");

    ck_assert_msg(pair->send_ok && pair->recv_ok, "%s", text);
    ck_assert_msg(pair->send_stats.live.guest == ZCMIG_GUEST_GONE, "%s", text);
    ck_assert_msg(pair->recv_stats.live.guest == ZCMIG_GUEST_RUNS, "%s", text);
    ck_assert_msg(pair->recv_stats.live.checked, "%s", text);
    ck_assert_msg(pair->recv_stats.live.guest_wrong_pages == 0, "%s", text);
    ck_assert_msg(pair->send_stats.mismatched_pages == 0, "%s", text);
    ck_assert_msg(pair->send_stats.live.downtime.actual_ns > 0, "%s", text);
}

static void expect_reconnected(const struct zc_pair *pair, uint64_t n, const char *what,
                               uint64_t where)
{
    expect_moved(pair, what, where);
    ck_assert_msg(pair->send_stats.live.reconnects == n && pair->recv_stats.live.reconnects == n,
                  "%s %llu: reconnected %llu and %llu times", what, (unsigned long long)where,
                  (unsigned long long)pair->send_stats.live.reconnects,
                  (unsigned long long)pair->recv_stats.live.reconnects);
    ck_assert_int_gt(pair->send_stats.live.reconnecting_ns, 0);
    ck_assert_int_gt(pair->recv_stats.live.reconnecting_ns, 0);
}

struct measured {
    uint64_t bytes;
    uint64_t bytes_back;
};

static struct measured measure(enum zcmig_verify verify)
{
    struct zc_pair pair;

    init(&pair, STEADY, verify);
    struct zc_meddler *meddler = start(&pair);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    expect_moved(&pair, "whole", 0);
    ck_assert_uint_eq(pair.send_stats.live.reconnects, 0);
    ck_assert_int_eq(pair.send_stats.live.reconnecting_ns, 0);
    struct measured whole = { zc_meddler_bytes(meddler), zc_meddler_bytes_back(meddler) };
    end(&pair, meddler);
    return whole;
}

/* ------------------------------------------------------------------- moments */

static void cut_at(const char *source, enum zcmig_verify verify, uint64_t bytes, bool reset)
{
    struct zc_pair pair;

    init(&pair, source, verify);
    struct zc_meddler *meddler = start(&pair);
    zc_meddler_cut_after(meddler, bytes, reset);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    expect_reconnected(&pair, 1, "cut after", bytes);
    end(&pair, meddler);
}

START_TEST(it_survives_a_cut_at_any_moment)
{
    enum zcmig_verify verify = (enum zcmig_verify)_i;
    struct measured whole = measure(verify);
    struct zc_random random;

    zc_random_init(&random, zc_unit_seed() + (uint64_t)_i);
    for (unsigned int i = 0; i < CUTS; i++) {
        /* Behind the greeting; of a guest that writes at the latest in its first iteration. */
        uint64_t at = 4096 + zc_random_below(&random, whole.bytes - 8192);
        cut_at(i % 2 ? BUSY : STEADY, verify, at, i % 3 == 0);
    }
}
END_TEST

/* Before the first iteration, while it learns what a trip costs: pages to and fro, one at a time. */
START_TEST(it_survives_a_cut_of_the_rehearsal)
{
    for (uint64_t at = 8192; at <= 24576; at += 2048) {
        cut_at(STEADY, ZCMIG_VERIFY_OFF, at, at % 4096);
    }
}
END_TEST

/* Every byte from the last ones of the state on: RUN not at all, in part, whole. */
START_TEST(it_survives_a_cut_around_run)
{
    struct measured whole = measure(ZCMIG_VERIFY_OFF);

    for (uint64_t back = HEARD_BYTES; back <= HEARD_BYTES + RUN_BYTES + 2; back++) {
        cut_at(STEADY, ZCMIG_VERIFY_OFF, whole.bytes - back, back % 2);
    }
}
END_TEST

/* READY, SHUT or what the guest noticed is lost, whole or in part. */
START_TEST(it_survives_answers_that_are_lost)
{
    struct measured whole = measure(ZCMIG_VERIFY_OFF);

    for (uint64_t back = 1; back <= OBSERVED_BYTES + SHUT_BYTES + READY_BYTES + 2; back += 3) {
        struct zc_pair pair;
        init(&pair, STEADY, ZCMIG_VERIFY_OFF);
        struct zc_meddler *meddler = start(&pair);
        zc_meddler_cut_back_after(meddler, whole.bytes_back - back);
        zc_pair_start_sender(&pair, zc_meddler_address(meddler));
        zc_pair_join(&pair);
        expect_reconnected(&pair, 1, "answer cut, bytes before the end", back);
        end(&pair, meddler);
    }
}
END_TEST

/* Where it was, it is told by the destination: nothing is in doubt. */
START_TEST(doubt_is_resolved)
{
    struct measured whole = measure(ZCMIG_VERIFY_OFF);
    bool run_arrives = _i;
    struct zc_pair pair;

    init(&pair, STEADY, ZCMIG_VERIFY_OFF);
    struct zc_meddler *meddler = start(&pair);
    if (run_arrives) {
        zc_meddler_cut_back_after(meddler, whole.bytes_back - OBSERVED_BYTES - SHUT_BYTES + 1);
    } else {
        zc_meddler_cut_after(meddler, whole.bytes - HEARD_BYTES, false);
    }
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    expect_reconnected(&pair, 1, "in doubt", run_arrives);
    /* A RUN that was lost means that all of the hand-over comes again. */
    ck_assert_uint_eq(pair.send_stats.live.n_iterations, run_arrives ? 1 : 2);
    end(&pair, meddler);
}
END_TEST

static void cut_again(void *data)
{
    struct zc_meddler *meddler = data;

    zc_meddler_cut_after(meddler, zc_meddler_bytes(meddler) + (1 << 20), true);
}

START_TEST(it_survives_several_cuts)
{
    struct zc_pair pair;

    init(&pair, BUSY, ZCMIG_VERIFY_AFTER);
    struct zc_meddler *meddler = start(&pair);
    zc_meddler_cut_after(meddler, 2 << 20, false);
    zc_meddler_call_after(meddler, 4 << 20, cut_again, meddler);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    expect_reconnected(&pair, 2, "cut twice", 0);
    ck_assert_uint_eq(pair.send_stats.verified_pages, PAGES);
    end(&pair, meddler);
}
END_TEST

/* An eighth of the RAM is the most that two chunks hold. */
START_TEST(what_had_arrived_is_not_sent_again)
{
    struct measured whole = measure(ZCMIG_VERIFY_AFTER);
    struct zc_pair pair;

    init(&pair, "guest:64M,dirty=0,writers=2", ZCMIG_VERIFY_AFTER);
    struct zc_meddler *meddler = start(&pair);
    zc_meddler_cut_after(meddler, 7 * whole.bytes, true); /* of 8 */
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    expect_reconnected(&pair, 1, "late cut", 7 * whole.bytes);
    uint64_t sent = pair.send_stats.normal_pages + pair.send_stats.zero_pages;
    ck_assert_uint_gt(pair.send_stats.live.resent_pages, 0);
    ck_assert_uint_le(pair.send_stats.live.resent_pages, 8 * PAGES / 8);
    ck_assert_msg(sent <= 8 * PAGES + 8 * PAGES / 8, "%llu pages were sent",
                  (unsigned long long)sent);
    ck_assert_uint_eq(pair.send_stats.verified_pages, 8 * PAGES);
    end(&pair, meddler);
}
END_TEST

/* ---------------------------------------------------- routes of UNIX sockets */

static struct {
    struct zc_live_ops ops;
    const struct zc_live_ops *real;
    struct zc_outgoing *out;
    unsigned int n_cuts;
} trap;

/* The guest is paused and its last pages have gone. */
static GBytes *cut_in_save_state(struct zc_source *source, GError **error)
{
    if (trap.n_cuts) {
        trap.n_cuts--;
        shutdown(trap.out->main_fd, SHUT_RDWR);
    }
    return trap.real->save_state(source, error);
}

static void set_trap(zcmig_session *sender, void *data)
{
    (void)data;
    trap.out = (struct zc_outgoing *)sender;
    trap.real = trap.out->source->live;
    trap.ops = *trap.real;
    trap.ops.save_state = cut_in_save_state;
    trap.out->source->live = &trap.ops;
}

START_TEST(it_survives_on_one_host)
{
    char *dir = zc_unit_make_dir();
    g_autofree char *address = g_strdup_printf("unix:%s/s", dir);
    enum zcmig_route route = (enum zcmig_route)(_i / 2);
    struct zc_pair pair;

    init(&pair, "guest:8M,memory=memfd,dirty=8M,pattern=random,writers=2",
         _i % 2 ? ZCMIG_VERIFY_BEFORE : ZCMIG_VERIFY_AFTER);
    pair.recv.listen = address;
    pair.send.route = route;
    pair.send.channels = route == ZCMIG_ROUTE_MEMFD ? 0 : 2;
    pair.prepare = set_trap;
    trap.n_cuts = 2;
    zc_pair_run(&pair);
    expect_reconnected(&pair, 2, zcmig_route_name(route), (uint64_t)_i);
    zc_pair_clear(&pair);
    zc_unit_remove_dir(dir);
}
END_TEST

/* ------------------------------------------------------------- nobody is there */

static void refuse(void *meddler)
{
    zc_meddler_refuse(meddler);
}

START_TEST(when_it_cannot_the_guest_stays)
{
    struct zc_pair pair;

    init(&pair, BUSY, ZCMIG_VERIFY_AFTER);
    pair.send.reconnect_ms = pair.recv.reconnect_ms = 300;
    struct zc_meddler *meddler = start(&pair);
    zc_meddler_call_after(meddler, 1 << 20, refuse, meddler);
    zc_meddler_cut_after(meddler, 2 << 20, true);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_DISCONNECTED,
                         "could not be connected again for 0.3 s");
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_DISCONNECTED,
                         "its source did not come back for 0.3 s");
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert(pair.send_stats.live.checked);
    ck_assert_uint_eq(pair.send_stats.live.guest_wrong_pages, 0);
    ck_assert_int_ne(pair.recv_stats.live.guest, ZCMIG_GUEST_RUNS);
    end(&pair, meddler);
}
END_TEST

START_TEST(when_it_cannot_doubt_remains)
{
    struct measured whole = measure(ZCMIG_VERIFY_OFF);
    struct zc_pair pair;

    init(&pair, STEADY, ZCMIG_VERIFY_OFF);
    pair.send.reconnect_ms = pair.recv.reconnect_ms = 300;
    struct zc_meddler *meddler = start(&pair);
    zc_meddler_call_after(meddler, whole.bytes / 2, refuse, meddler);
    zc_meddler_cut_after(meddler, whole.bytes - HEARD_BYTES, false);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_DISCONNECTED, "it may run there");
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_IN_DOUBT);
    ck_assert_int_ne(pair.recv_stats.live.guest, ZCMIG_GUEST_RUNS);
    end(&pair, meddler);
}
END_TEST

/* It runs there and is compared; that the last word was lost is no failure. */
START_TEST(when_all_was_done_nothing_fails)
{
    struct measured whole = measure(ZCMIG_VERIFY_AFTER);
    struct zc_pair pair;

    init(&pair, STEADY, ZCMIG_VERIFY_AFTER);
    pair.send.reconnect_ms = pair.recv.reconnect_ms = 300;
    struct zc_meddler *meddler = start(&pair);
    zc_meddler_call_after(meddler, whole.bytes / 2, refuse, meddler);
    zc_meddler_cut_back_after(meddler, whole.bytes_back - 1);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    expect_moved(&pair, "last word lost", 0);
    ck_assert_uint_eq(pair.send_stats.verified_pages, PAGES);
    end(&pair, meddler);
}
END_TEST

START_TEST(a_destination_that_does_not_keep_it)
{
    struct zc_pair pair;

    init(&pair, BUSY, ZCMIG_VERIFY_AFTER);
    pair.recv.reconnect_ms = 0;
    struct zc_meddler *meddler = start(&pair);
    zc_meddler_cut_after(meddler, 2 << 20, true);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    ck_assert(!pair.send_ok && !pair.recv_ok);
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert_int_eq(pair.send_stats.live.reconnecting_ns, 0);
    end(&pair, meddler);
}
END_TEST

START_TEST(either_end_cancels_while_there_is_no_connection)
{
    struct zc_pair pair;
    struct zcmig_stats stats;

    init(&pair, BUSY, ZCMIG_VERIFY_AFTER);
    struct zc_meddler *meddler = start(&pair);
    zc_meddler_call_after(meddler, 1 << 20, refuse, meddler);
    zc_meddler_cut_after(meddler, 2 << 20, true);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    for (unsigned int i = 0; i < 2; i++) {
        zcmig_session *victim = i ? pair.sender : pair.receiver;
        do {
            g_thread_yield();
            zcmig_session_get_stats(victim, &stats);
        } while (stats.state != ZCMIG_STATE_RECONNECTING);
        zcmig_session_cancel(victim);
    }
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_CANCELLED, "cancelled");
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_CANCELLED, "cancelled");
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert_uint_eq(pair.send_stats.live.guest_wrong_pages, 0);
    end(&pair, meddler);
}
END_TEST

START_TEST(what_cannot_reconnect_is_refused)
{
    static const struct {
        const char *source;
        const char *destination;
        const char *part;
    } rows[] = {
        { "file:/proc/self/exe", "tcp:127.0.0.1:1", "allowed is a live guest" },
        { "guest:4M", "null:", "allowed is an address to connect to again" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct zcmig_send_options options;
        GError *error = NULL;
        zcmig_send_options_init(&options);
        options.source = rows[i].source;
        options.destination = rows[i].destination;
        options.reconnect_ms = 1000;
        ck_assert_ptr_null(zcmig_send_new(&options, &error));
        zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, rows[i].part);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live-reconnects");
    TCase *tcase = tcase_create("reconnects");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_loop_test(tcase, it_survives_a_cut_at_any_moment, 0, 3);
    tcase_add_test(tcase, it_survives_a_cut_of_the_rehearsal);
    tcase_add_test(tcase, it_survives_a_cut_around_run);
    tcase_add_test(tcase, it_survives_answers_that_are_lost);
    tcase_add_loop_test(tcase, doubt_is_resolved, 0, 2);
    tcase_add_test(tcase, it_survives_several_cuts);
    tcase_add_test(tcase, what_had_arrived_is_not_sent_again);
    tcase_add_loop_test(tcase, it_survives_on_one_host, 0, 6);
    tcase_add_test(tcase, when_it_cannot_the_guest_stays);
    tcase_add_test(tcase, when_it_cannot_doubt_remains);
    tcase_add_test(tcase, when_all_was_done_nothing_fails);
    tcase_add_test(tcase, a_destination_that_does_not_keep_it);
    tcase_add_test(tcase, either_end_cancels_while_there_is_no_connection);
    tcase_add_test(tcase, what_cannot_reconnect_is_refused);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
