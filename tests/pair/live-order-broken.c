/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three of the four orders, broken on purpose, each caught by the manifest:
 * a tracker that loses a dirty bit, a channel that says that it is drained
 * when it is not, a receiver that waits for nobody at its barrier.
 *
 * The product has no switch for that: the linker puts functions of this file
 * around the real ones (--wrap).  Each test also runs with nothing broken, so
 * that it is the broken order that is caught and not the test's own doing.
 */
#include "config.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "guest/synthetic.h"
#include "lib/pair.h"
#include "lib/peer.h"
#include "lib/unit.h"
#include "recv/barrier.h"
#include "send/channel.h"
#include "session/outgoing.h"
#include "wire/extension.h"

#define PAGE 4096u
#define PATIENCE_US (5 * G_USEC_PER_SEC)

static void expect_mismatch(struct zc_pair *pair)
{
    ck_assert_msg(pair->send_error && pair->send_error->code == ZCMIG_ERROR_MISMATCH, "sender: %s",
                  pair->send_error ? pair->send_error->message : "no error");
    ck_assert_msg(pair->recv_error && pair->recv_error->code == ZCMIG_ERROR_MISMATCH,
                  "receiver: %s", pair->recv_error ? pair->recv_error->message : "no error");
    ck_assert_uint_gt(pair->send_stats.mismatched_pages, 0);
    unsigned int n_runs;
    zcmig_session_get_mismatches(pair->receiver, &n_runs);
    ck_assert_uint_gt(n_runs, 0);
}

static void expect_moved(struct zc_pair *pair)
{
    ck_assert_msg(pair->send_ok, "sender: %s", pair->send_error ? pair->send_error->message : "");
    ck_assert_msg(pair->recv_ok, "receiver: %s", pair->recv_error ? pair->recv_error->message : "");
}

/* ----------------------------------------------------- 1. a dirty bit is lost */

static atomic_bool lose_dirty_bits;

int64_t __real_zc_tracker_harvest(struct zc_tracker *tracker, const struct zc_range *range,
                                  struct zc_bitmap *dirty);
int64_t __wrap_zc_tracker_harvest(struct zc_tracker *tracker, const struct zc_range *range,
                                  struct zc_bitmap *dirty);
int __real_zc_tracker_peek(struct zc_tracker *tracker, const struct zc_range *range,
                           struct zc_bitmap *dirty);
int __wrap_zc_tracker_peek(struct zc_tracker *tracker, const struct zc_range *range,
                           struct zc_bitmap *dirty);

/* The last page in @dirty. */
static void lose_one(struct zc_bitmap *dirty)
{
    uint64_t page = dirty->n_pages;

    while (page > 0 && !zc_bitmap_test(dirty, page - 1)) {
        page--;
    }
    if (page > 0 && atomic_load(&lose_dirty_bits)) {
        zc_bitmap_clear_range(dirty, page - 1, 1);
    }
}

int64_t __wrap_zc_tracker_harvest(struct zc_tracker *tracker, const struct zc_range *range,
                                  struct zc_bitmap *dirty)
{
    int64_t n = __real_zc_tracker_harvest(tracker, range, dirty);

    lose_one(dirty);
    return n;
}

int __wrap_zc_tracker_peek(struct zc_tracker *tracker, const struct zc_range *range,
                           struct zc_bitmap *dirty)
{
    int ret = __real_zc_tracker_peek(tracker, range, dirty);

    if (dirty) {
        lose_one(dirty);
    }
    return ret;
}

static void move_with_tracker(enum zcmig_verify verify, bool broken)
{
    struct zc_pair pair;

    atomic_store(&lose_dirty_bits, broken);
    /* In order, and slower than they are sent: the last one was sent before it was written, and is
     * not written again before the end. */
    zc_pair_init(&pair, "guest:16M,dirty=16M,pattern=seq", NULL);
    pair.send.max_bandwidth = 64 << 20;
    pair.send.verify = verify;
    pair.recv.run_for_ms = 20;
    pair.send.run_for_ms = 20;
    zc_pair_run(&pair);
    if (broken) {
        expect_mismatch(&pair);
        /* Too late for one that runs, in time for one that does not. */
        bool before = verify == ZCMIG_VERIFY_BEFORE;
        ck_assert_int_eq(pair.send_stats.live.guest, before ? ZCMIG_GUEST_RUNS : ZCMIG_GUEST_GONE);
        ck_assert((pair.recv_stats.live.guest == ZCMIG_GUEST_RUNS) == !before);
    } else {
        expect_moved(&pair);
    }
    zc_pair_clear(&pair);
}

START_TEST(a_lost_dirty_bit_is_caught)
{
    move_with_tracker(ZCMIG_VERIFY_AFTER, true);
    move_with_tracker(ZCMIG_VERIFY_BEFORE, true);
    move_with_tracker(ZCMIG_VERIFY_AFTER, false);
}
END_TEST

/* ------------------------------------------------------ 2. a drain is skipped */

#define PAGES 1024u
#define LAST_PAGES 512u /* that the last iteration sends */
#define HELD_PAGES 128u /* of them in the socket when the source believes to have drained */

static atomic_bool skip_drain;

int __real_zc_channel_drain(struct zc_channel *channel, zc_deadline deadline);
int __wrap_zc_channel_drain(struct zc_channel *channel, zc_deadline deadline);

int __wrap_zc_channel_drain(struct zc_channel *channel, zc_deadline deadline)
{
    return atomic_load(&skip_drain) ? 0 : __real_zc_channel_drain(channel, deadline);
}

/* The peer stalls before the last pages, until the source says that they are out of its hands. */
struct stall {
    GMutex lock;
    GCond changed;
    bool released;
    uint64_t n_pages;
    struct zc_live_ops ops;
    const struct zc_live_ops *real;
    zcmig_session *receiver;
};

static struct stall stall;

static bool hold_last_pages(struct zc_multifd_packet *packet, uint8_t *payload, void *data)
{
    gint64 deadline = g_get_monotonic_time() + (atomic_load(&skip_drain) ? PATIENCE_US : 200000);
    bool in_time = true;

    (void)payload;
    (void)data;
    g_mutex_lock(&stall.lock);
    stall.n_pages += packet->n_normal;
    while (stall.n_pages >= PAGES + LAST_PAGES - HELD_PAGES && !stall.released && in_time) {
        in_time = g_cond_wait_until(&stall.changed, &stall.lock, deadline);
    }
    stall.released = stall.released || !in_time;
    g_mutex_unlock(&stall.lock);
    return true;
}

/* The last thing that the guest does is to write in order what the last iteration sends. */
static int pause_after_writes(struct zc_source *source, zc_deadline deadline)
{
    int ret = stall.real->pause(source, deadline);

    zc_synthetic_step(zc_synthetic_from_source(source), LAST_PAGES);
    return ret;
}

/* The pages are drained, so who owns them may use them: they are, and put back. */
static GBytes *save_state_after_reuse(struct zc_source *source, GError **error)
{
    uint8_t *last = source->ram.blocks[0].host;
    g_autofree uint8_t *content = g_memdup2(last, LAST_PAGES * PAGE);
    gint64 deadline = g_get_monotonic_time() + PATIENCE_US;
    struct zcmig_stats stats;

    memset(last, 0x5a, LAST_PAGES * PAGE);
    g_mutex_lock(&stall.lock);
    stall.released = true;
    g_cond_broadcast(&stall.changed);
    g_mutex_unlock(&stall.lock);
    do {
        g_thread_yield();
        zcmig_session_get_stats(stall.receiver, &stats);
    } while (stats.normal_pages < PAGES + LAST_PAGES && g_get_monotonic_time() < deadline);
    memcpy(last, content, LAST_PAGES * PAGE);
    return stall.real->save_state(source, error);
}

static void set_reuse(zcmig_session *sender, void *data)
{
    struct zc_outgoing *out = (struct zc_outgoing *)sender;

    (void)data;
    stall.real = out->source->live;
    stall.ops = *stall.real;
    stall.ops.pause = pause_after_writes;
    stall.ops.save_state = save_state_after_reuse;
    out->source->live = &stall.ops;
}

static void move_with_drain(bool broken)
{
    struct zc_pair pair;

    atomic_store(&skip_drain, broken);
    stall.released = false;
    stall.n_pages = 0;
    zc_pair_init(&pair, "guest:4M,dirty=0,pattern=seq", NULL);
    pair.send.channels = 1;
    pair.send.zerocopy = ZCMIG_ZEROCOPY_ON;
    pair.send.packet_pages = 16;
    pair.send.stall_timeout_ms = 10000;
    pair.recv.run_for_ms = 20;
    pair.prepare = set_reuse;
    zc_pair_start_receiver(&pair);
    stall.receiver = pair.receiver;
    struct zc_meddler *meddler =
        zc_meddler_start(zcmig_session_get_address(pair.receiver), hold_last_pages, NULL);
    zc_meddler_narrow(meddler, 16 << 10);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    if (broken && pair.send_stats.channels[0].zerocopy_calls == 0) {
        printf("not tried: no zero-copy here: %s\n", pair.send_stats.channels[0].zerocopy_reason);
    } else if (broken) {
        expect_mismatch(&pair);
    } else {
        expect_moved(&pair);
    }
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
}

START_TEST(a_skipped_drain_is_caught)
{
    move_with_drain(false);
    move_with_drain(true);
}
END_TEST

/* ---------------------------------------------------- 3. a barrier is skipped */

static atomic_bool skip_barrier;

int __real_zc_barrier_arrive(struct zc_barrier *barrier, unsigned int channel);
int __wrap_zc_barrier_arrive(struct zc_barrier *barrier, unsigned int channel);
int __real_zc_barrier_wait(struct zc_barrier *barrier, unsigned int *channel_out);
int __wrap_zc_barrier_wait(struct zc_barrier *barrier, unsigned int *channel_out);

int __wrap_zc_barrier_arrive(struct zc_barrier *barrier, unsigned int channel)
{
    return atomic_load(&skip_barrier) ? 0 : __real_zc_barrier_arrive(barrier, channel);
}

int __wrap_zc_barrier_wait(struct zc_barrier *barrier, unsigned int *channel_out)
{
    return atomic_load(&skip_barrier) ? 0 : __real_zc_barrier_wait(barrier, channel_out);
}

/* Page 7 in two iterations: the first on a channel that is slow, the second on one that is not. */
static void put_pages_across_iterations(struct zc_peer *peer, zcmig_session *receiver)
{
    gint64 deadline = g_get_monotonic_time() + (atomic_load(&skip_barrier) ? PATIENCE_US : 100000);
    struct zcmig_stats stats;

    zc_peer_packet(peer, 1, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    zc_peer_packet(peer, 1, 0, 7, 1, 0xb2, -1);
    do {
        g_thread_yield();
        zcmig_session_get_stats(receiver, &stats);
    } while (stats.normal_pages < 1 && g_get_monotonic_time() < deadline);
    ck_assert_uint_eq(stats.normal_pages, atomic_load(&skip_barrier) ? 1 : 0);
    zc_peer_packet(peer, 0, 0, 7, 1, 0xa1, -1);
    zc_peer_packet(peer, 0, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    zc_peer_ram_section(peer, ZC_SECTION_PART);
    zc_stream_put_ram_flush(peer->out);
    zc_peer_section_end(peer);
    zc_peer_ram_section(peer, ZC_SECTION_END);
    zc_peer_packet(peer, 0, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    zc_peer_packet(peer, 1, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    zc_stream_put_ram_flush(peer->out);
    zc_peer_section_end(peer);
    zc_stream_put_eof(peer->out);
}

/* Who waits for nobody would see the end of RAM before the packets: all of them come first. */
static void wait_for_packets(zcmig_session *receiver, uint64_t first, uint64_t second)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE_US;
    struct zcmig_stats stats;

    do {
        g_thread_yield();
        zcmig_session_get_stats(receiver, &stats);
    } while ((stats.channels[0].packets < first || stats.channels[1].packets < second) &&
             g_get_monotonic_time() < deadline);
}

static void put_extension(struct zc_peer *peer, const struct zc_extension *message)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    zc_extension_put(bytes, message);
    zc_stream_put_command(peer->out, ZC_EXTENSION_COMMAND, bytes->data, (uint16_t)bytes->len);
}

/* Page 7 is what the second iteration sent; the others were never sent. */
static void put_manifest(struct zc_peer *peer)
{
    uint64_t digest;
    uint8_t page[PAGE] __attribute__((aligned(64)));
    struct zc_extension message = { .type = ZC_EXTENSION_MANIFEST };
    struct zc_extension end = { .type = ZC_EXTENSION_MANIFEST_END, .manifest_end = { 1 } };

    memset(page, 0xb2, sizeof(page));
    digest = GUINT64_TO_BE(zc_digest_page(page));
    message.manifest.first_page = 0;
    message.manifest.n_digests = 8;
    uint64_t digests[8];
    for (unsigned int i = 0; i < 8; i++) {
        digests[i] = GUINT64_TO_BE(ZC_DIGEST_ZERO_PAGE);
    }
    digests[7] = digest;
    message.manifest.digests = (const uint8_t *)digests;
    put_extension(peer, &message);
    end.manifest_end.n_pages = 8;
    put_extension(peer, &end);
}

static void receive_with_barrier(bool broken)
{
    struct zc_extension session = { .type = ZC_EXTENSION_SESSION };
    uint32_t hello = GUINT32_TO_BE(ZC_HELLO_PING | ZC_EXTENSION_VERSION);
    static const uint8_t uuid[16];
    struct zc_pair pair;
    struct zc_peer peer;

    atomic_store(&skip_barrier, broken);
    zc_pair_init(&pair, NULL, NULL);
    zc_pair_start_receiver(&pair);
    zc_peer_start(&peer, zcmig_session_get_address(pair.receiver), 2, uuid);
    zc_peer_head(&peer, true);
    zc_stream_put_command(peer.out, ZC_COMMAND_PING, &hello, sizeof(hello));
    session.session.n_channels = 2;
    session.session.verify = ZC_VERIFY_BEFORE;
    put_extension(&peer, &session);
    zc_peer_ram_start(&peer, 8 * PAGE);
    zc_stream_put_ram_flush(peer.out);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
    zc_peer_packet(&peer, 0, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    zc_peer_packet(&peer, 1, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    for (unsigned int page = 0; page < 7; page++) {
        zc_peer_packet(&peer, 0, 0, 0, 0, 0, page);
    }
    put_pages_across_iterations(&peer, pair.receiver);
    put_manifest(&peer);
    if (broken) {
        wait_for_packets(pair.receiver, 11, 4);
    }
    zc_peer_flush(&peer);
    int64_t shut = zc_peer_wait_shut(&peer);
    zc_peer_stop(&peer);
    zc_pair_join(&pair);
    if (broken) {
        zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_MISMATCH, "at 0x7000");
        ck_assert_int_ne(shut, 0);
    } else {
        ck_assert_msg(pair.recv_ok, "%s", pair.recv_error ? pair.recv_error->message : "");
        ck_assert_int_eq(shut, 0);
    }
    zc_pair_clear(&pair);
}

START_TEST(a_skipped_barrier_is_caught)
{
    receive_with_barrier(false);
    receive_with_barrier(true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live-order-broken");
    TCase *tcase = tcase_create("broken");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_test(tcase, a_lost_dirty_bit_is_caught);
    tcase_add_test(tcase, a_skipped_drain_is_caught);
    tcase_add_test(tcase, a_skipped_barrier_is_caught);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
