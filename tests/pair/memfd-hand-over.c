/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By the route memfd a guest goes on at the destination in the very memory it
 * was in: no page moves, and whatever breaks before RUN leaves it at the
 * source, in the same memory, as it wrote it.
 */
#include "config.h"

#include <string.h>
#include <sys/socket.h>

#include "lib/pair.h"
#include "lib/unit.h"
#include "session/outgoing.h"

#define GUEST "guest:16M,memory=memfd,dirty=20M,pattern=random,writers=2"
#define PAGES 4096u

static char *dir;
static char *address;
static struct zc_pair pair;

static void setup(void)
{
    dir = zc_unit_make_dir();
    address = g_strdup_printf("unix:%s/socket", dir);
}

static void teardown(void)
{
    zc_unit_remove_dir(dir);
    g_free(address);
}

static void init(const char *source, enum zcmig_verify verify)
{
    zc_pair_init(&pair, source, NULL);
    pair.recv.listen = address;
    pair.recv.run_for_ms = 50;
    pair.send.run_for_ms = 20;
    pair.send.route = ZCMIG_ROUTE_MEMFD;
    pair.send.verify = verify;
    pair.send.downtime_limit_ms = 60000;
}

static const struct {
    const char *source;
    enum zcmig_verify verify;
} moves[] = {
    { GUEST, ZCMIG_VERIFY_AFTER },
    { GUEST, ZCMIG_VERIFY_BEFORE },
    { GUEST, ZCMIG_VERIFY_OFF },
    { "guest:16M,memory=memfd,dirty=max,pattern=hot:0.05", ZCMIG_VERIFY_AFTER },
    { "guest:16M,memory=memfd,fill=zero:0.7,dirty=20M,pattern=zipf", ZCMIG_VERIFY_BEFORE },
    { "guest:16M,memory=memfd,hugepages,dirty=20M", ZCMIG_VERIFY_AFTER },
    { "guest:16M,memory=memfd,dirty=0", ZCMIG_VERIFY_AFTER },
};

START_TEST(it_goes_on_in_the_same_memory)
{
    const struct zcmig_downtime *downtime = &pair.send_stats.live.downtime;
    uint64_t compared = moves[_i].verify == ZCMIG_VERIFY_BEFORE ? PAGES : 0;

    init(moves[_i].source, moves[_i].verify);
    zc_pair_run(&pair);
    ck_assert_msg(pair.send_ok, "sender: %s", pair.send_error ? pair.send_error->message : "");
    ck_assert_msg(pair.recv_ok, "receiver: %s", pair.recv_error ? pair.recv_error->message : "");
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_GONE);
    ck_assert_int_eq(pair.recv_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert(pair.recv_stats.live.checked);
    ck_assert_uint_eq(pair.recv_stats.live.guest_wrong_pages, 0);
    ck_assert(pair.send_stats.same_memory && pair.recv_stats.same_memory);
    ck_assert_int_eq(pair.recv_stats.route, ZCMIG_ROUTE_MEMFD);
    ck_assert_uint_eq(pair.send_stats.normal_pages + pair.send_stats.zero_pages, 0);
    ck_assert_uint_eq(pair.recv_stats.normal_pages + pair.recv_stats.zero_pages, 0);
    ck_assert_uint_eq(pair.send_stats.verified_pages, compared);
    ck_assert_uint_eq(pair.recv_stats.verified_pages, compared);
    ck_assert_int_gt(downtime->actual_ns, 0);
    ck_assert_int_eq(downtime->stop_ns + downtime->last_harvest_ns + downtime->last_send_ns +
                         downtime->drain_ns + downtime->barrier_ns + downtime->device_state_ns +
                         downtime->verify_ns + downtime->resume_ns,
                     downtime->actual_ns);
    ck_assert((downtime->verify_ns > 0) == (compared > 0));
    zc_pair_clear(&pair);
}
END_TEST

/* More RAM than this host has: mapping it costs nothing, and none of it is touched. */
START_TEST(memory_is_not_counted_twice)
{
    init("guest:16M,memory=memfd,dirty=0", ZCMIG_VERIFY_AFTER);
    pair.recv.max_ram_bytes = 8 << 20;
    zc_pair_run(&pair);
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_LIMIT, "16777216");
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(a_downtime_over_the_limit_is_refused)
{
    init(GUEST, ZCMIG_VERIFY_BEFORE);
    pair.send.downtime_limit_ms = 0;
    zc_pair_run(&pair);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_TIMEOUT, "the guest stays at the source");
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert_int_ne(pair.recv_stats.live.guest, ZCMIG_GUEST_RUNS);
    zc_pair_clear(&pair);
}
END_TEST

static const struct {
    const char *source;
    const char *destination;
    unsigned int channels;
    bool plain;
    const char *part;
} refusals[] = {
    { "guest:4M", "unix:s", 0, false,
      "private to this process; allowed are a guest with memory=memfd, or --route=pull" },
    { "guest:4M,memory=memfd", "tcp:127.0.0.1:1", 0, false, "allowed is unix:PATH" },
    { "guest:4M,memory=memfd", "unix:s", 2, false, "got 2 channels, allowed is 0" },
    { "guest:4M,memory=memfd", "unix:s", 0, true, "got a plain stream" },
    { "file:/proc/self/exe", "unix:s", 0, false, "allowed is guest:SIZE,memory=memfd" },
};

START_TEST(what_cannot_be_handed_over_is_refused)
{
    struct zcmig_send_options options;
    GError *error = NULL;

    zcmig_send_options_init(&options);
    options.source = refusals[_i].source;
    options.destination = refusals[_i].destination;
    options.channels = refusals[_i].channels;
    options.plain = refusals[_i].plain;
    options.route = ZCMIG_ROUTE_MEMFD;
    ck_assert_ptr_null(zcmig_send_new(&options, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, refusals[_i].part);
}
END_TEST

/* --------------------------------------------------------- in the switchover */

enum trouble {
    SOURCE_CANCELS,
    DESTINATION_CANCELS,
    STATE_FAILS,
    CONNECTION_IS_CUT,
    TROUBLES,
};

static struct {
    struct zc_live_ops ops;
    const struct zc_live_ops *real;
    struct zc_outgoing *out;
    enum trouble trouble;
} trap;

/* The guest is paused, and the destination has its memory mapped. */
static GBytes *trapped_save_state(struct zc_source *source, GError **error)
{
    switch (trap.trouble) {
    case SOURCE_CANCELS:
        zcmig_session_cancel(pair.sender);
        break;
    case DESTINATION_CANCELS:
        zcmig_session_cancel(pair.receiver);
        break;
    case STATE_FAILS:
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_SOURCE, "the state cannot be had");
        return NULL;
    default:
        shutdown(trap.out->main_fd, SHUT_RDWR);
        break;
    }
    return trap.real->save_state(source, error);
}

static void set_trap(zcmig_session *sender, void *data)
{
    (void)data;
    trap.out = (struct zc_outgoing *)sender;
    trap.real = trap.out->source->live;
    trap.ops = *trap.real;
    trap.ops.save_state = trapped_save_state;
    trap.out->source->live = &trap.ops;
}

START_TEST(trouble_leaves_it_at_the_source)
{
    init(GUEST, ZCMIG_VERIFY_BEFORE);
    trap.trouble = (enum trouble)_i;
    pair.prepare = set_trap;
    zc_pair_run(&pair);
    ck_assert(!pair.send_ok && !pair.recv_ok);
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert_int_ne(pair.recv_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert(pair.send_stats.live.checked && !pair.recv_stats.live.checked);
    ck_assert_uint_eq(pair.send_stats.live.guest_wrong_pages, 0);
    ck_assert_uint_gt(pair.send_stats.live.guest_writes, 0);
    zc_pair_clear(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memfd-hand-over");
    TCase *tcase = tcase_create("hand-over");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, it_goes_on_in_the_same_memory, 0, G_N_ELEMENTS(moves));
    tcase_add_test(tcase, memory_is_not_counted_twice);
    tcase_add_test(tcase, a_downtime_over_the_limit_is_refused);
    tcase_add_loop_test(tcase, what_cannot_be_handed_over_is_refused, 0, G_N_ELEMENTS(refusals));
    tcase_add_loop_test(tcase, trouble_leaves_it_at_the_source, 0, TROUBLES);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
