/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "lib/unit.h"
#include "net/addr.h"
#include "relay/lobby.h"
#include "relay/watch.h"

#define PATIENCE_MS 100

static const uint8_t ours[16] = { 1, 2, 3 }, theirs[16] = { 9 };

static struct zc_addr listen_addr, peer_addr;
static struct zc_lobby *lobby;
static int listen_fd, epoll_fd;
static bool taken_ids[256];
static struct zc_lobby_taken taken;

static void set_up(bool by_arrival)
{
    char *bound = NULL;

    ck_assert(zc_addr_parse("tcp:127.0.0.1:0", &listen_addr, NULL));
    listen_fd = zc_addr_listen(&listen_addr, 128, false, &bound, NULL);
    ck_assert_int_ge(listen_fd, 0);
    ck_assert(zc_addr_parse(bound, &peer_addr, NULL));
    g_free(bound);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    lobby = zc_lobby_new(epoll_fd, listen_fd, by_arrival, PATIENCE_MS, NULL);
    ck_assert_ptr_nonnull(lobby);
    memset(taken_ids, 0, sizeof(taken_ids));
}

static void setup(void)
{
    set_up(false);
}

static void teardown(void)
{
    zc_lobby_free(lobby);
    zc_addr_unlisten(&listen_addr, listen_fd);
    zc_addr_clear(&listen_addr);
    zc_addr_clear(&peer_addr);
    close(epoll_fd);
}

/* One round of events, which are there or will be; false: none for @ms. */
static bool turn(int ms)
{
    struct epoll_event events[16];
    int n = epoll_wait(epoll_fd, events, 16, ms);

    for (int i = 0; i < n; i++) {
        struct zc_watch *watch = events[i].data.ptr;
        watch->on_event(watch, events[i].events);
    }
    ck_assert(zc_lobby_settle(lobby, NULL));
    return n > 0;
}

static void say(int fd, const void *bytes, size_t length)
{
    ck_assert_int_eq(send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
    ck_assert(turn(5000));
}

/* Somebody who has come in and says nothing yet. */
static int come(void)
{
    int fd = zc_addr_connect(&peer_addr, zc_deadline_in(5000), -1, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert(turn(5000));
    return fd;
}

static int come_as_main(void)
{
    int fd = come();

    say(fd, "QEVM", 4);
    return fd;
}

static int come_as_channel(const uint8_t uuid[16], uint8_t channel)
{
    struct zc_multifd_init init = { .channel = channel };
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES];
    int fd = come();

    memcpy(init.uuid, uuid, 16);
    zc_multifd_init_encode(&init, bytes);
    say(fd, bytes, sizeof(bytes));
    return fd;
}

static bool take_channel(const struct zc_lobby_taken *main, const uint8_t *uuid, bool late)
{
    bool ok = zc_lobby_take_channel(lobby, main, uuid, taken_ids, late, &taken);

    if (ok) {
        taken_ids[taken.init.channel] = true;
        close(taken.fd);
    }
    return ok;
}

static void expect_hung_up(int fd)
{
    char byte;

    while (turn(0)) {
    }
    ck_assert_int_le(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

START_TEST(nothing_is_taken_out_by_looking)
{
    struct zc_lobby_taken main;
    char text[8];
    int fd = come();

    say(fd, "QE", 2);
    ck_assert(!zc_lobby_take_main(lobby, &main));
    say(fd, "VM", 2);
    ck_assert(zc_lobby_take_main(lobby, &main));
    ck_assert(!zc_lobby_take_main(lobby, &taken));
    ck_assert_int_eq(recv(main.fd, text, sizeof(text), 0), 4);
    ck_assert_mem_eq(text, "QEVM", 4);
    close(main.fd);
    close(fd);
}
END_TEST

/* A main stream goes on sending while its session waits for its channels. */
START_TEST(who_was_taken_is_not_watched_any_more)
{
    struct zc_lobby_taken main;
    int fd = come_as_main();

    ck_assert(zc_lobby_take_main(lobby, &main));
    ck_assert(zc_lobby_settle(lobby, NULL)); /* frees what there was of it here */
    ck_assert_int_eq(send(fd, "more", 4, MSG_NOSIGNAL), 4);
    ck_assert(!turn(PATIENCE_MS));
    close(main.fd);
    close(fd);
}
END_TEST

START_TEST(channels_are_of_their_session)
{
    struct zc_lobby_taken main;

    come_as_channel(theirs, 0);
    come_as_channel(ours, 1);
    come_as_main();
    come_as_channel(ours, 0);
    come_as_channel(ours, 1); /* its number is taken twice: that of the next session */
    ck_assert(zc_lobby_take_main(lobby, &main));
    ck_assert(take_channel(&main, ours, false));
    ck_assert_uint_eq(taken.init.channel, 0);
    ck_assert_uint_gt(taken.number, main.number);
    ck_assert(take_channel(&main, ours, false)); /* who came behind, before who came earlier */
    ck_assert_uint_eq(taken.init.channel, 1);
    ck_assert_uint_gt(taken.number, main.number);
    ck_assert(!take_channel(&main, ours, false));
    memset(taken_ids, 0, sizeof(taken_ids));
    main.peer.bytes[2] ^= 1; /* another host */
    ck_assert(!take_channel(&main, NULL, false));
    main.peer.bytes[2] ^= 1;
    ck_assert(take_channel(&main, theirs, false));
    close(main.fd);
}
END_TEST

START_TEST(late_channel_behind_another_main_stream_is_its_own)
{
    struct zc_lobby_taken main;

    come_as_main();
    ck_assert(zc_lobby_take_main(lobby, &main));
    come_as_channel(ours, 0);
    ck_assert(take_channel(&main, NULL, true));
    come_as_main();
    come_as_channel(ours, 1);
    ck_assert(!take_channel(&main, NULL, true));
    close(main.fd);
    ck_assert(zc_lobby_take_main(lobby, &main));
    ck_assert(take_channel(&main, NULL, true));
    close(main.fd);
}
END_TEST

START_TEST(silent_one_is_waited_for_and_then_turned_away)
{
    struct zc_lobby_taken main;
    int silent = come();

    come_as_main();
    ck_assert(zc_lobby_take_main(lobby, &main));
    ck_assert(zc_lobby_is_waiting_for(lobby, &main.peer));
    main.peer.bytes[2] ^= 1;
    ck_assert(!zc_lobby_is_waiting_for(lobby, &main.peer));
    main.peer.bytes[2] ^= 1;
    ck_assert_int_lt(zc_lobby_deadline(lobby), ZC_DEADLINE_NEVER);
    while (zc_lobby_is_waiting_for(lobby, &main.peer)) {
        turn(zc_deadline_poll_ms(zc_lobby_deadline(lobby), zc_clock_now_ns()));
    }
    ck_assert_int_eq(zc_lobby_deadline(lobby), ZC_DEADLINE_NEVER);
    expect_hung_up(silent);
    close(main.fd);
}
END_TEST

START_TEST(strangers_and_those_who_leave_are_not_kept)
{
    struct zc_lobby_taken main;
    int stranger = come(), leaver = come_as_channel(ours, 0), quick = come_as_main();

    say(stranger, "GET / HTTP/1.1", 14);
    expect_hung_up(stranger);
    close(leaver);
    shutdown(quick, SHUT_WR); /* has said all it has to say, and is taken */
    ck_assert(turn(5000));
    while (turn(0)) {
    }
    ck_assert(zc_lobby_take_main(lobby, &main));
    ck_assert(!take_channel(&main, NULL, false));
    close(main.fd);
    close(quick);
}
END_TEST

START_TEST(too_many_unknown_make_room_for_a_main_stream)
{
    int first = come();

    for (unsigned int i = 1; i < ZC_LOBBY_GUESTS_MAX; i++) {
        come();
    }
    come_as_main();
    expect_hung_up(first);
    ck_assert(zc_lobby_take_main(lobby, &taken));
    close(taken.fd);
}
END_TEST

START_TEST(by_arrival_nobody_is_looked_at)
{
    teardown();
    set_up(true);
    int first = come(), second = come();
    ck_assert(zc_lobby_take_main(lobby, &taken));
    ck_assert_uint_eq(taken.number, 1);
    close(taken.fd);
    ck_assert(zc_lobby_take_main(lobby, &taken));
    ck_assert_uint_eq(taken.number, 2);
    close(taken.fd);
    close(first);
    close(second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay-lobby");
    TCase *tcase = tcase_create("lobby");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, nothing_is_taken_out_by_looking);
    tcase_add_test(tcase, who_was_taken_is_not_watched_any_more);
    tcase_add_test(tcase, channels_are_of_their_session);
    tcase_add_test(tcase, late_channel_behind_another_main_stream_is_its_own);
    tcase_add_test(tcase, silent_one_is_waited_for_and_then_turned_away);
    tcase_add_test(tcase, strangers_and_those_who_leave_are_not_kept);
    tcase_add_test(tcase, too_many_unknown_make_room_for_a_main_stream);
    tcase_add_test(tcase, by_arrival_nobody_is_looked_at);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
