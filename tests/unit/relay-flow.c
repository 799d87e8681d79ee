/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "lib/unit.h"
#include "relay/flow.h"

#define ROOM_BYTES (1 << 20)
#define BULK_BYTES (160u << 10)

/* A flow between two pairs of UNIX sockets, in a time of its own. */
struct fixture {
    struct zc_net_ops ops;
    struct zc_net net;
    int in[2], out[2];
    struct zc_flow flow;
    bool readable, writable;
};

static int64_t fake_now_ns;

static int64_t get_fake_now_ns(void *ctx)
{
    (void)ctx;
    return fake_now_ns;
}

static void make_pair(int fds_out[2])
{
    const int room = ROOM_BYTES;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds_out), 0);
    ck_assert_int_eq(setsockopt(fds_out[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
}

static void fixture_init(struct fixture *fixture)
{
    fake_now_ns = ZC_NS_PER_MS;
    fixture->ops = *zc_net_kernel.ops;
    fixture->ops.now_ns = get_fake_now_ns;
    fixture->net = (struct zc_net){ &fixture->ops, zc_net_kernel.ctx };
    make_pair(fixture->in);
    make_pair(fixture->out);
    zc_flow_init(&fixture->flow, &fixture->net, fixture->in[1], fixture->out[0], "");
}

static void fixture_clear(struct fixture *fixture)
{
    zc_flow_clear(&fixture->flow);
    for (unsigned int i = 0; i < 2; i++) {
        zc_fd_clear(&fixture->in[i]);
        zc_fd_clear(&fixture->out[i]);
    }
}

/* @bytes come, and the flow moves as after an event. */
static void come(struct fixture *fixture, size_t bytes)
{
    g_autofree uint8_t *data = g_malloc0(bytes + 1);
    enum zc_flow_side side;

    ck_assert_int_eq(write(fixture->in[0], data, bytes), (ssize_t)bytes);
    fixture->readable = fixture->writable = true;
    ck_assert_int_ge(zc_flow_move(&fixture->flow, &fixture->readable, &fixture->writable, 16u << 20,
                                  &side), 0);
}

static void elapse(struct fixture *fixture, int64_t ns)
{
    enum zc_flow_side side;

    fake_now_ns += ns;
    ck_assert_int_ge(zc_flow_move(&fixture->flow, &fixture->readable, &fixture->writable, 16u << 20,
                                  &side), 0);
}

START_TEST(a_message_is_never_held)
{
    struct fixture fixture;

    fixture_init(&fixture);
    come(&fixture, 12);
    ck_assert_uint_eq(fixture.flow.bytes, 12);
    ck_assert_int_eq(zc_flow_due_ns(&fixture.flow), 0);
    ck_assert(!fixture.readable);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(bulk_is_held_for_a_millisecond)
{
    struct fixture fixture;

    fixture_init(&fixture);
    come(&fixture, BULK_BYTES);
    ck_assert_uint_eq(fixture.flow.bytes, 0);
    ck_assert_int_eq(zc_flow_due_ns(&fixture.flow), fake_now_ns + ZC_NS_PER_MS);
    elapse(&fixture, ZC_NS_PER_MS - 1);
    ck_assert_uint_eq(zc_flow_held(&fixture.flow), BULK_BYTES);
    elapse(&fixture, 1);
    ck_assert_uint_eq(fixture.flow.bytes, BULK_BYTES);
    ck_assert_int_eq(zc_flow_due_ns(&fixture.flow), 0);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(more_makes_it_a_burst)
{
    struct fixture fixture;
    unsigned int n = 0;

    fixture_init(&fixture);
    do {
        come(&fixture, BULK_BYTES);
        n++;
    } while (fixture.flow.bytes == 0 && n < 10);
    ck_assert_uint_eq(n, 5);
    ck_assert_uint_eq(fixture.flow.bytes, 5 * BULK_BYTES);
    fixture_clear(&fixture);
}
END_TEST

START_TEST(the_end_passes_what_is_held)
{
    struct fixture fixture;

    fixture_init(&fixture);
    come(&fixture, BULK_BYTES);
    ck_assert_uint_eq(fixture.flow.bytes, 0);
    ck_assert_int_eq(shutdown(fixture.in[0], SHUT_WR), 0);
    fixture.readable = true;
    elapse(&fixture, 0);
    ck_assert_uint_eq(fixture.flow.bytes, BULK_BYTES);
    ck_assert(fixture.flow.shut);
    fixture_clear(&fixture);
}
END_TEST

/* The pipe has no slot left for the many small fragments: that is no reason to wait for the socket. */
START_TEST(a_pipe_without_a_slot_is_passed_on)
{
    struct fixture fixture;
    enum zc_flow_side side;
    const uint8_t fragment[600] = { 0 };
    size_t sent = 0;

    fixture_init(&fixture);
    for (unsigned int i = 0; i < 400; i++) {
        ck_assert_int_eq(write(fixture.in[0], fragment, sizeof(fragment)), sizeof(fragment));
        sent += sizeof(fragment);
    }
    fixture.readable = fixture.writable = true;
    zc_flow_move(&fixture.flow, &fixture.readable, &fixture.writable, 16u << 20, &side);
    ck_assert_uint_eq(fixture.flow.bytes, sent);
    fixture_clear(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay-flow");
    TCase *tcase = tcase_create("flow");

    tcase_add_test(tcase, a_message_is_never_held);
    tcase_add_test(tcase, bulk_is_held_for_a_millisecond);
    tcase_add_test(tcase, more_makes_it_a_burst);
    tcase_add_test(tcase, the_end_passes_what_is_held);
    tcase_add_test(tcase, a_pipe_without_a_slot_is_passed_on);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
