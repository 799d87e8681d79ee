/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "lib/unit.h"
#include "net/addr.h"
#include "recv/acceptor.h"
#include "wire/multifd.h"

static const uint8_t ours[16] = { 1, 2, 3 }, theirs[16] = { 9 };

static struct zc_addr listen_addr, peer_addr;
static struct zc_stall stall;
static struct zc_acceptor *acceptor;
static int listen_fd, wake_fd, fds[ZC_RECV_CHANNELS_MAX];
static unsigned int n_channels;
static GError *error;

static void setup(void)
{
    char *bound = NULL;

    ck_assert(zc_addr_parse("tcp:127.0.0.1:0", &listen_addr, NULL));
    listen_fd = zc_addr_listen(&listen_addr, 128, false, &bound, NULL);
    ck_assert_int_ge(listen_fd, 0);
    ck_assert(zc_addr_parse(bound, &peer_addr, NULL));
    g_free(bound);
    wake_fd = eventfd(0, EFD_CLOEXEC);
    zc_stall_init(&stall, &zc_net_kernel, wake_fd, 5000);
    acceptor = zc_acceptor_new(listen_fd, &stall, 200);
}

static void teardown(void)
{
    zc_acceptor_free(acceptor);
    zc_addr_unlisten(&listen_addr, listen_fd);
    close(wake_fd);
}

static int dial_with(const void *bytes, size_t length)
{
    int fd = zc_addr_connect(&peer_addr, zc_deadline_in(5000), -1, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, bytes, length, 0), (ssize_t)length);
    return fd;
}

static int dial_main(void)
{
    return dial_with("QEVM....", 8);
}

static int dial_channel(const uint8_t uuid[16], uint8_t channel)
{
    struct zc_multifd_init init = { .channel = channel };
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES + 4] = { 0 };

    memcpy(init.uuid, uuid, 16);
    zc_multifd_init_encode(&init, bytes);
    memcpy(bytes + ZC_MULTIFD_INIT_BYTES, "more", 4);
    return dial_with(bytes, sizeof(bytes));
}

static int wait_main(void)
{
    uint8_t first[ZC_ACCEPTOR_MAIN_BYTES];
    int fd = zc_acceptor_wait_main(acceptor, zc_deadline_in(5000), first, &error);

    ck_assert_msg(fd >= 0, "%s", error ? error->message : "");
    ck_assert_mem_eq(first, "QEVM", 4);
    return fd;
}

static bool wait_channels(int n, const uint8_t *uuid, int main_fd, int64_t ms)
{
    const struct zc_acceptor_wanted wanted = { .n_channels = n, .uuid = uuid, .main_fd = main_fd };

    return zc_acceptor_wait_channels(acceptor, &wanted, zc_deadline_in(ms), fds, &n_channels,
                                     &error);
}

/* That descriptor @fd's peer closed it. */
static void expect_closed(int fd)
{
    struct pollfd pollfd = { .fd = fd, .events = POLLIN };
    char byte;

    ck_assert_int_eq(poll(&pollfd, 1, 5000), 1);
    ck_assert_int_le(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
}

/* What follows the init packet is left for the reader. */
static void expect_behind_init(int fd)
{
    char text[8];

    ck_assert_int_eq(recv(fd, text, sizeof(text), 0), 4);
    ck_assert_mem_eq(text, "more", 4);
}

START_TEST(channels_come_in_any_order_and_before_the_main_stream)
{
    dial_channel(ours, 2);
    dial_channel(ours, 0);
    dial_main();
    dial_channel(ours, 1);
    int main_fd = wait_main();
    ck_assert_msg(wait_channels(3, ours, main_fd, 5000), "%s", error ? error->message : "");
    ck_assert_uint_eq(n_channels, 3);
    for (unsigned int i = 0; i < 3; i++) {
        expect_behind_init(fds[i]);
    }
    ck_assert_int_eq(fds[3], -1);
}
END_TEST

START_TEST(silent_slow_and_garbage_connections_hold_nobody_up)
{
    int silent = dial_with("", 0);
    int slow = dial_with("\x11\x22\x33", 3);
    int garbage = dial_with("GET / HTTP/1.1\r\n", 16);
    uint8_t wrong_version[ZC_MULTIFD_INIT_BYTES] = { 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 9 };
    int wrong = dial_with(wrong_version, sizeof(wrong_version));
    close(dial_with("Q", 1));

    dial_main();
    int main_fd = wait_main();
    dial_channel(ours, 0);
    ck_assert(wait_channels(1, NULL, main_fd, 5000));
    expect_closed(garbage);
    expect_closed(wrong);
    /* Learning waits for who is in the queue, so their patience runs out here. */
    ck_assert(wait_channels(-1, NULL, main_fd, 5000));
    expect_closed(silent);
    expect_closed(slow);
}
END_TEST

START_TEST(a_slow_channel_is_waited_for)
{
    struct zc_multifd_init init = { .channel = 0 };
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES];

    zc_multifd_init_encode(&init, bytes);
    dial_main();
    int main_fd = wait_main();
    int fd = dial_with(bytes, 10);
    ck_assert(!wait_channels(1, NULL, main_fd, 50));
    zc_unit_expect_error(&error, ZCMIG_ERROR_TIMEOUT, "waited 50 ms for channel 0");
    ck_assert_int_eq(send(fd, bytes + 10, sizeof(bytes) - 10, 0), (ssize_t)sizeof(bytes) - 10);
    ck_assert(wait_channels(1, NULL, main_fd, 5000));
}
END_TEST

START_TEST(strangers_and_duplicates_are_closed)
{
    int stranger = dial_channel(theirs, 0);
    int first = dial_channel(ours, 0), twice = dial_channel(ours, 0);
    int high = dial_channel(ours, 2), second_main;

    dial_main();
    int main_fd = wait_main();
    second_main = dial_main();
    dial_channel(ours, 1);
    ck_assert(wait_channels(2, ours, main_fd, 5000));
    expect_closed(stranger);
    expect_closed(twice);
    expect_closed(high);
    expect_closed(second_main);
    expect_behind_init(fds[0]);
    ck_assert_int_eq(send(fds[0], "x", 1, 0), 1);
    char byte = 0;
    struct pollfd pollfd = { .fd = first, .events = POLLIN };
    ck_assert_int_eq(poll(&pollfd, 1, 5000), 1);
    ck_assert_int_eq(recv(first, &byte, 1, 0), 1);
}
END_TEST

START_TEST(the_number_of_channels_is_learned_from_the_queue)
{
    uint8_t uuid[16];

    dial_main();
    int main_fd = wait_main();
    ck_assert(wait_channels(-1, NULL, main_fd, 5000));
    ck_assert_uint_eq(n_channels, 0);
    ck_assert(!zc_acceptor_get_uuid(acceptor, uuid));
    dial_channel(ours, 1);
    dial_channel(ours, 0);
    ck_assert(wait_channels(-1, NULL, main_fd, 5000));
    ck_assert_uint_eq(n_channels, 2);
    ck_assert(zc_acceptor_get_uuid(acceptor, uuid));
    ck_assert_mem_eq(uuid, ours, 16);
    dial_channel(ours, 1); /* and 0 is missing */
    ck_assert(!wait_channels(-1, NULL, main_fd, 100));
    zc_unit_expect_error(&error, ZCMIG_ERROR_TIMEOUT, "channel 0");
}
END_TEST

START_TEST(the_wait_ends_with_the_main_stream_and_when_woken)
{
    const uint64_t one = 1;
    uint8_t first[ZC_ACCEPTOR_MAIN_BYTES];
    int peer = dial_main();
    int main_fd = wait_main();

    shutdown(peer, SHUT_WR);
    ck_assert(!wait_channels(1, NULL, main_fd, 5000));
    zc_unit_expect_error(&error, ZCMIG_ERROR_DISCONNECTED, "main stream ended before channel 0");
    ck_assert_int_eq(write(wake_fd, &one, sizeof(one)), sizeof(one));
    ck_assert(!wait_channels(1, NULL, -1, 5000));
    zc_unit_expect_error(&error, ZCMIG_ERROR_CANCELLED, "channel 0");
    zc_acceptor_free(acceptor);
    acceptor = zc_acceptor_new(listen_fd, &stall, 200);
    ck_assert_int_eq(zc_acceptor_wait_main(acceptor, ZC_DEADLINE_NEVER, first, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_CANCELLED, "a source to connect");
}
END_TEST

START_TEST(a_crowd_of_silent_connections_makes_room)
{
    for (unsigned int i = 0; i < ZC_ACCEPTOR_PENDING_MAX + 10; i++) {
        dial_with("", 0);
    }
    dial_main();
    wait_main();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recv-acceptor");
    TCase *tcase = tcase_create("acceptor");

    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, channels_come_in_any_order_and_before_the_main_stream);
    tcase_add_test(tcase, silent_slow_and_garbage_connections_hold_nobody_up);
    tcase_add_test(tcase, a_slow_channel_is_waited_for);
    tcase_add_test(tcase, strangers_and_duplicates_are_closed);
    tcase_add_test(tcase, the_number_of_channels_is_learned_from_the_queue);
    tcase_add_test(tcase, the_wait_ends_with_the_main_stream_and_when_woken);
    tcase_add_test(tcase, a_crowd_of_silent_connections_makes_room);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
