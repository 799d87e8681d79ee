/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receiver against sources that are not zcmig, of each kind of barrier,
 * and against ones that do what no source may do.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/peer.h"
#include "lib/random.h"
#include "lib/unit.h"

#define PAGE 4096u
#define PAGES 512u
#define BYTES ((uint64_t)PAGES * PAGE)

static char *dir;
static char *output;
static struct zc_pair pair;
static struct zc_peer peer;

static void setup(void)
{
    dir = zc_unit_make_dir();
    output = g_build_filename(dir, "output.img", NULL);
    zc_pair_init(&pair, NULL, output);
}

static void teardown(void)
{
    zc_peer_stop(&peer);
    zc_pair_clear(&pair);
    zc_unit_remove_dir(dir);
    g_free(output);
}

static void start(unsigned int n_channels)
{
    zc_pair_start_receiver(&pair);
    zc_peer_start(&peer, zcmig_session_get_address(pair.receiver), n_channels, NULL);
}

/* END without anything more, EOF, description; the verdict of the receiver. */
static void end(bool with_flush)
{
    zc_peer_ram_section(&peer, ZC_SECTION_END);
    if (with_flush) {
        zc_peer_sync(&peer);
    }
    zc_peer_section_end(&peer);
    zc_stream_put_eof(peer.out);
    zc_stream_put_description(peer.out, "{}");
    zc_peer_flush(&peer);
}

/* What page @page of the output begins with. */
static uint8_t output_byte(uint64_t page)
{
    g_autofree char *content = NULL;
    gsize length = 0;

    ck_assert(g_file_get_contents(output, &content, &length, NULL));
    ck_assert_uint_eq(length, BYTES);
    for (unsigned int i = 1; i < PAGE; i++) {
        ck_assert_int_eq(content[page * PAGE + i], content[page * PAGE]);
    }
    return (uint8_t)content[page * PAGE];
}

static void expect_success(void)
{
    zc_pair_join(&pair);
    ck_assert_msg(pair.recv_ok, "%s", pair.recv_error ? pair.recv_error->message : "");
    ck_assert(!pair.recv_stats.peer_is_zcmig);
    ck_assert_int_eq(access(output, F_OK), 0);
}

static void expect_failure(int code, const char *part)
{
    zc_pair_join(&pair);
    ck_assert(!pair.recv_ok);
    zc_unit_expect_error(&pair.recv_error, code, part);
    ck_assert_int_ne(access(output, F_OK), 0);
}

START_TEST(all_on_the_main_stream)
{
    start(0);
    zc_peer_head(&peer, true);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_PART);
    for (unsigned int i = 0; i < PAGES; i += 2) {
        zc_peer_page(&peer, i, (uint8_t)(i / 2 + 1));
        zc_stream_put_ram_zero(peer.out, NULL, (i + 1) * PAGE);
    }
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_PART);
    zc_peer_page(&peer, 7, 0x77);               /* was zero */
    zc_stream_put_ram_zero(peer.out, NULL, 8 * PAGE); /* was data */
    zc_peer_section_end(&peer);
    end(false);
    ck_assert_int_eq(zc_peer_wait_shut(&peer), 0);
    expect_success();
    ck_assert_uint_eq(output_byte(4), 3);
    ck_assert_uint_eq(output_byte(5), 0);
    ck_assert_uint_eq(output_byte(7), 0x77);
    ck_assert_uint_eq(output_byte(8), 0);
    ck_assert_uint_eq(pair.recv_stats.normal_pages, PAGES / 2 + 1);
    ck_assert_uint_eq(pair.recv_stats.zero_pages, PAGES / 2 + 1);
}
END_TEST

/* _i: 1 the number of channels is told, 0 it is learned */
START_TEST(a_barrier_per_iteration_as_since_qemu_8_1)
{
    pair.recv.channels = _i ? 2 : 0;
    start(2);
    zc_peer_head(&peer, false);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_sync(&peer);
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_PART);
    zc_peer_flush(&peer);
    zc_peer_packet(&peer, 0, 0, 0, 127, 1, 300);
    zc_peer_packet(&peer, 1, 0, 128, 100, 2, -1);
    zc_peer_packet(&peer, 0, 0, 300, 1, 9, -1); /* was zero */
    zc_peer_sync(&peer);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
    zc_peer_packet(&peer, 1, 0, 400, 1, 5, 10); /* 10 was data */
    end(true);
    expect_success();
    ck_assert_uint_eq(output_byte(126), 1);
    ck_assert_uint_eq(output_byte(128), 2);
    ck_assert_uint_eq(output_byte(300), 9);
    ck_assert_uint_eq(output_byte(10), 0);
    ck_assert_uint_eq(output_byte(400), 5);
    ck_assert_uint_eq(pair.recv_stats.n_channels, 2);
    ck_assert_uint_eq(pair.recv_stats.normal_pages, 127 + 100 + 1 + 1);
}
END_TEST

START_TEST(a_barrier_per_section_and_sync_with_data_as_in_qemu_7_2)
{
    start(2);
    zc_peer_head(&peer, false);
    zc_peer_ram_start(&peer, BYTES);
    for (unsigned int i = 0; i < 2; i++) {
        zc_peer_packet(&peer, i, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    }
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_PART);
    zc_peer_flush(&peer);
    zc_peer_packet(&peer, 1, 0, 0, 0, 0, -1); /* empty, no flag */
    zc_peer_packet(&peer, 0, ZC_MULTIFD_SYNC, 0, 50, 1, -1);
    zc_peer_packet(&peer, 1, ZC_MULTIFD_SYNC, 50, 50, 2, -1);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
    zc_peer_packet(&peer, 1, ZC_MULTIFD_SYNC, 20, 1, 3, -1);
    zc_peer_packet(&peer, 0, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    end(false);
    expect_success();
    ck_assert_uint_eq(output_byte(19), 1);
    ck_assert_uint_eq(output_byte(20), 3);
    ck_assert_uint_eq(output_byte(99), 2);
}
END_TEST

/* Order 3: channel 0 is an iteration ahead of channel 1, and must wait for it. */
START_TEST(a_newer_page_is_not_overtaken_by_an_older_one)
{
    start(2);
    zc_peer_head(&peer, false);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_sync(&peer);
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_PART);
    zc_peer_flush(&peer);
    zc_peer_packet(&peer, 0, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    zc_peer_packet(&peer, 0, 0, 5, 1, 0x22, -1); /* of the next iteration */
    zc_stream_put_ram_flush(peer.out);
    zc_peer_flush(&peer);
    /* Not before the receiver has taken all that channel 0 may give now. */
    struct zcmig_stats stats;
    gint64 deadline = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    do {
        g_thread_yield();
        zcmig_session_get_stats(pair.receiver, &stats);
        ck_assert_int_lt(g_get_monotonic_time(), deadline);
    } while (stats.n_channels < 2 || stats.channels[0].packets < 2);
    zc_peer_packet(&peer, 1, 0, 5, 1, 0x11, -1);
    zc_peer_packet(&peer, 1, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    zc_peer_section_end(&peer);
    end(true);
    expect_success();
    ck_assert_uint_eq(output_byte(5), 0x22);
}
END_TEST

START_TEST(device_state_is_refused_by_name)
{
    start(0);
    zc_peer_head(&peer, true);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_END);
    zc_peer_section_end(&peer);
    zc_stream_put_section_full(peer.out, 5, "timer", 0, 2);
    zc_peer_flush(&peer);
    ck_assert_int_eq(zc_peer_wait_shut(&peer), 1);
    expect_failure(ZCMIG_ERROR_UNSUPPORTED, "'timer'");
}
END_TEST

START_TEST(too_much_ram_is_refused_before_it_is_allocated)
{
    pair.recv.max_ram_bytes = BYTES - PAGE;
    start(0);
    zc_peer_head(&peer, true);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
    expect_failure(ZCMIG_ERROR_LIMIT, "RAM");
}
END_TEST

/* _i: 1 the page comes by a channel, 0 on the main stream */
START_TEST(a_full_file_system_is_named_and_the_source_told)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("zc-small", dir, "tmpfs", 0, "size=128k") < 0) {
        printf("skipped: no right to mount a tmpfs in a mount namespace: %s\n", strerror(errno));
        start(0);
        return;
    }
    pair.recv.channels = (unsigned int)_i;
    start((unsigned int)_i);
    zc_peer_head(&peer, true);
    zc_peer_ram_start(&peer, BYTES);
    if (_i) {
        zc_peer_sync(&peer);
    }
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_PART);
    for (unsigned int i = 0; !_i && i < PAGES; i++) {
        zc_peer_page(&peer, i, 1);
    }
    zc_peer_flush(&peer);
    for (unsigned int i = 0; _i && i < PAGES; i += 64) {
        zc_peer_packet(&peer, 0, 0, i, 64, 1, -1);
    }
    ck_assert_int_eq(zc_peer_wait_shut(&peer), 1);
    expect_failure(ZCMIG_ERROR_OUTPUT, "No space left");
    umount2(dir, MNT_DETACH);
}
END_TEST

/* After a proper beginning with one channel: @channel_fault does the harm. */
static void with_fault(void (*channel_fault)(void), int code, const char *part)
{
    pair.recv.channels = 1;
    pair.recv.stall_timeout_ms = 2000;
    start(1);
    zc_peer_head(&peer, true);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_sync(&peer);
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_PART);
    zc_peer_flush(&peer);
    channel_fault();
    expect_failure(code, part);
}

static void page_beyond_the_block(void)
{
    zc_peer_packet(&peer, 0, 0, PAGES - 1, 2, 1, -1);
}

static void zero_page_beyond_the_block(void)
{
    zc_peer_packet(&peer, 0, 0, 0, 0, 0, PAGES);
}

static void nonsense(void)
{
    char text[2 * ZC_MULTIFD_HEADER_BYTES];

    memset(text, 'x', sizeof(text));
    zc_peer_send(&peer, peer.fds[0], text, sizeof(text));
}

static void end_within_a_packet(void)
{
    peer.budget = ZC_MULTIFD_HEADER_BYTES + 5 * PAGE / 2;
    zc_peer_packet(&peer, 0, 0, 0, 5, 1, -1);
}

static void end_instead_of_sync(void)
{
    shutdown(peer.fds[0], SHUT_WR);
    zc_stream_put_ram_flush(peer.out);
    zc_peer_flush(&peer);
}

static void silence(void)
{
}

static void sync_without_flush(void)
{
    struct zcmig_stats stats;

    zc_peer_packet(&peer, 0, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    do {
        g_thread_yield();
        zcmig_session_get_stats(pair.receiver, &stats);
    } while (stats.channels[0].packets < 2);
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_END);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
}

static const struct {
    void (*fault)(void);
    int code;
    const char *part;
} faults[] = {
    { page_beyond_the_block, ZCMIG_ERROR_PROTOCOL, "channel 0: multifd packet: page 1" },
    { zero_page_beyond_the_block, ZCMIG_ERROR_PROTOCOL, "channel 0: multifd packet: page 0" },
    { nonsense, ZCMIG_ERROR_PROTOCOL, "channel 0" },
    { end_within_a_packet, ZCMIG_ERROR_DISCONNECTED, "ended" },
    { end_instead_of_sync, ZCMIG_ERROR_DISCONNECTED, "channel 0: the connection ended before" },
    { silence, ZCMIG_ERROR_TIMEOUT, "2000 ms" },
    { sync_without_flush, ZCMIG_ERROR_PROTOCOL, "no flush belongs to" },
};

START_TEST(a_faulty_source_is_told_from_its_fault)
{
    with_fault(faults[_i].fault, faults[_i].code, faults[_i].part);
}
END_TEST

/*
 * What passes connections on may bring a channel when the others have been counted.
 * _i: 0, 1 so many were there in time, and RAM goes on to its end; 2: one was, and nothing comes
 */
START_TEST(a_channel_that_comes_late_is_not_lost_in_silence)
{
    unsigned int n_early = _i > 0;
    struct zcmig_stats stats;

    pair.recv.stall_timeout_ms = 2000;
    start(n_early);
    zc_peer_head(&peer, true);
    zc_peer_ram_start(&peer, BYTES);
    for (unsigned int i = 0; i < n_early; i++) {
        zc_peer_packet(&peer, i, ZC_MULTIFD_SYNC, 0, 0, 0, -1);
    }
    zc_peer_section_end(&peer); /* a barrier, as in QEMU 7.2 */
    zc_peer_flush(&peer);
    do {
        g_thread_yield();
        zcmig_session_get_stats(pair.receiver, &stats);
    } while (stats.state != ZCMIG_STATE_ACTIVE);
    zc_peer_join(&peer, zcmig_session_get_address(pair.receiver), NULL);
    if (_i == 2) {
        expect_failure(ZCMIG_ERROR_TIMEOUT, "1 channels that came when 1 had been counted");
        return;
    }
    for (unsigned int i = 0; i < peer.n_channels; i++) {
        zc_peer_packet(&peer, i, ZC_MULTIFD_SYNC, i * 50, 50, 1, -1);
    }
    zc_peer_ram_section(&peer, ZC_SECTION_END);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
    ck_assert_int_eq(zc_peer_wait_shut(&peer), 1);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "RAM ended without what 1 channels");
}
END_TEST

static void whole_transfer(void)
{
    zc_peer_head(&peer, true);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_sync(&peer);
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_PART);
    zc_peer_flush(&peer);
    for (unsigned int i = 0; i < 4; i++) {
        zc_peer_packet(&peer, i % 2, 0, i * 128, 127, 3, i * 128 + 127);
    }
    zc_peer_sync(&peer);
    zc_peer_section_end(&peer);
    end(true);
}

START_TEST(a_source_that_breaks_off_anywhere_leaves_nothing)
{
    struct zc_random random;

    zc_random_init(&random, zc_unit_seed() + (uint64_t)_i);
    pair.recv.channels = 2;
    pair.recv.accept_timeout_ms = 2000;
    start(2);
    /* The description's four last bytes may be missing: the RAM is whole before. */
    peer.budget = (int64_t)(_i % 2 ? zc_random_below(&random, 500)
                                   : zc_random_below(&random, 508 * PAGE));
    whole_transfer();
    zc_pair_join(&pair);
    ck_assert_msg(!pair.recv_ok, "cut after %llu bytes", (unsigned long long)peer.sent);
    ck_assert_msg(pair.recv_error->code == ZCMIG_ERROR_DISCONNECTED ||
                      pair.recv_error->code == ZCMIG_ERROR_TIMEOUT,
                  "cut after %llu bytes: %s", (unsigned long long)peer.sent,
                  pair.recv_error->message);
    ck_assert_int_ne(access(output, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stock-source");
    TCase *tcase = tcase_create("recv");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, all_on_the_main_stream);
    tcase_add_loop_test(tcase, a_barrier_per_iteration_as_since_qemu_8_1, 0, 2);
    tcase_add_test(tcase, a_barrier_per_section_and_sync_with_data_as_in_qemu_7_2);
    tcase_add_test(tcase, a_newer_page_is_not_overtaken_by_an_older_one);
    tcase_add_test(tcase, device_state_is_refused_by_name);
    tcase_add_test(tcase, too_much_ram_is_refused_before_it_is_allocated);
    tcase_add_loop_test(tcase, a_full_file_system_is_named_and_the_source_told, 0, 2);
    tcase_add_loop_test(tcase, a_faulty_source_is_told_from_its_fault, 0,
                        (int)G_N_ELEMENTS(faults));
    tcase_add_loop_test(tcase, a_channel_that_comes_late_is_not_lost_in_silence, 0, 3);
    tcase_add_loop_test(tcase, a_source_that_breaks_off_anywhere_leaves_nothing, 0, 16);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
