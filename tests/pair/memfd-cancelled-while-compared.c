/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By the route memfd both ends look at the same memory.  A source that gives up
 * while the destination compares it runs its guest on in it; what the
 * destination then finds is no mismatch, but a source that gave up.  One that
 * waits for the verdict is told of a mismatch all the same.
 */
#include "config.h"

#include <stdatomic.h>

#include "lib/pair.h"
#include "lib/unit.h"
#include "session/incoming.h"
#include "session/outgoing.h"

static struct zc_pair pair;
static uint8_t *page; /* of the source's guest */
static bool cancels;
static _Atomic bool go_on;

bool __real_zc_incoming_digest_memory(struct zc_incoming *in);
bool __wrap_zc_incoming_digest_memory(struct zc_incoming *in);
bool __real_zc_outgoing_hear_result(struct zc_outgoing *out);
bool __wrap_zc_outgoing_hear_result(struct zc_outgoing *out);

/*
 * For the destination a page is other than for the source, as if its guest had written: once the
 * source has digested it, and given up if it does so.  The manifest fits the socket meanwhile.
 */
bool __wrap_zc_incoming_digest_memory(struct zc_incoming *in)
{
    while (!atomic_load(&go_on)) {
        g_thread_yield();
    }
    page[0] ^= 1;
    bool ok = __real_zc_incoming_digest_memory(in);
    page[0] ^= 1;
    return ok;
}

/* The manifest is on its way. */
bool __wrap_zc_outgoing_hear_result(struct zc_outgoing *out)
{
    if (!cancels) {
        atomic_store(&go_on, true);
        return __real_zc_outgoing_hear_result(out);
    }
    zcmig_session_cancel(&out->session);
    bool ok = __real_zc_outgoing_hear_result(out);
    atomic_store(&go_on, true);
    return ok;
}

static void find_page(zcmig_session *sender, void *data)
{
    struct zc_outgoing *out = (struct zc_outgoing *)sender;

    (void)data;
    page = out->source->ram.blocks[0].host;
}

/* The writer rests: nobody else touches the page. */
static void move(bool with_cancel)
{
    char *dir = zc_unit_make_dir();
    g_autofree char *address = g_strdup_printf("unix:%s/socket", dir);

    zc_pair_init(&pair, "guest:4M,memory=memfd,dirty=0", NULL);
    pair.recv.listen = address;
    pair.send.route = ZCMIG_ROUTE_MEMFD;
    pair.send.verify = ZCMIG_VERIFY_BEFORE;
    pair.send.downtime_limit_ms = 60000;
    pair.send.run_for_ms = 20;
    pair.prepare = find_page;
    cancels = with_cancel;
    atomic_store(&go_on, false);
    zc_pair_run(&pair);
    ck_assert_int_eq(pair.send_stats.live.guest, ZCMIG_GUEST_RUNS);
    ck_assert_int_ne(pair.recv_stats.live.guest, ZCMIG_GUEST_RUNS);
    zc_unit_remove_dir(dir);
}

START_TEST(a_source_that_gave_up_is_no_mismatch)
{
    move(true);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_CANCELLED, "cancelled");
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_CANCELLED, "cancelled by the source");
    ck_assert_uint_eq(pair.recv_stats.mismatched_pages, 0);
    zc_pair_clear(&pair);
}
END_TEST

START_TEST(a_source_that_waits_hears_of_it)
{
    move(false);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_MISMATCH, "1 of 1024 pages");
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_MISMATCH, "1 of 1024 pages");
    ck_assert_uint_eq(pair.recv_stats.mismatched_pages, 1);
    zc_pair_clear(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memfd-cancelled-while-compared");
    TCase *tcase = tcase_create("cancelled");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_test(tcase, a_source_that_gave_up_is_no_mismatch);
    tcase_add_test(tcase, a_source_that_waits_hears_of_it);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
