/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h>

#include "lib/unit.h"
#include "send/errqueue.h"

static union {
    struct cmsghdr align;
    uint8_t bytes[512];
} control;
static struct msghdr msg;

static void start(void)
{
    memset(&control, 0, sizeof(control));
    msg = (struct msghdr){ .msg_control = &control, .msg_flags = MSG_ERRQUEUE };
}

static void add(int level, int type, const void *data, size_t length)
{
    struct cmsghdr *cmsg = (struct cmsghdr *)(void *)(control.bytes + msg.msg_controllen);

    cmsg->cmsg_level = level;
    cmsg->cmsg_type = type;
    cmsg->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(cmsg), data, length);
    msg.msg_controllen += CMSG_SPACE(length);
}

/* A sock_extended_err with an address behind it, as the kernel gives them. */
static void add_error(int level, int type, uint8_t origin, uint8_t code, uint32_t lo, uint32_t hi)
{
    struct {
        struct sock_extended_err error;
        struct sockaddr_in6 offender;
    } data = { .error = { .ee_origin = origin, .ee_code = code, .ee_info = lo, .ee_data = hi } };

    add(level, type, &data, sizeof(data));
}

static void expect_note(uint32_t lo, uint32_t hi, bool copied)
{
    struct zc_note note;

    ck_assert_int_eq(zc_errqueue_parse(&msg, &note), 1);
    ck_assert_uint_eq(note.lo, lo);
    ck_assert_uint_eq(note.hi, hi);
    ck_assert_int_eq(note.copied, copied);
}

START_TEST(all_families_are_read)
{
    static const int kinds[][2] = { { SOL_IP, IP_RECVERR }, { SOL_IPV6, IPV6_RECVERR }, { 287, 1 } };

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        start();
        add_error(kinds[i][0], kinds[i][1], SO_EE_ORIGIN_ZEROCOPY, 0, 7, 9);
        expect_note(7, 9, false);
    }
}
END_TEST

START_TEST(copied_bit_and_wrapped_range)
{
    start();
    add_error(SOL_IP, IP_RECVERR, SO_EE_ORIGIN_ZEROCOPY, SO_EE_CODE_ZEROCOPY_COPIED, UINT32_MAX, 0);
    expect_note(UINT32_MAX, 0, true);
}
END_TEST

START_TEST(other_messages_of_the_queue_are_skipped)
{
    struct zc_note note;
    uint8_t stamp[48] = { 0 };

    start();
    ck_assert_int_eq(zc_errqueue_parse(&msg, &note), 0); /* no control message at all */
    start();
    add(SOL_SOCKET, SCM_TIMESTAMPING, stamp, sizeof(stamp));
    add_error(SOL_IP, IP_RECVERR, SO_EE_ORIGIN_TIMESTAMPING, 0, 1, 2);
    ck_assert_int_eq(zc_errqueue_parse(&msg, &note), 0);
    start();
    add_error(SOL_IP, IP_RECVERR, SO_EE_ORIGIN_ICMP, 0, 1, 2);
    ck_assert_int_eq(zc_errqueue_parse(&msg, &note), 0);
    start(); /* level of one family, type of another */
    add_error(SOL_IP, IPV6_RECVERR, SO_EE_ORIGIN_ZEROCOPY, 0, 1, 2);
    ck_assert_int_eq(zc_errqueue_parse(&msg, &note), 0);
}
END_TEST

START_TEST(a_note_behind_a_timestamp_is_found)
{
    uint8_t stamp[48] = { 0 };

    start();
    add(SOL_SOCKET, SCM_TIMESTAMPING, stamp, sizeof(stamp));
    add_error(SOL_IPV6, IPV6_RECVERR, SO_EE_ORIGIN_ZEROCOPY, 0, 1, 2);
    expect_note(1, 2, false);
}
END_TEST

START_TEST(a_cut_address_does_not_matter_a_cut_note_does)
{
    struct zc_note note;

    start();
    add_error(SOL_IP, IP_RECVERR, SO_EE_ORIGIN_ZEROCOPY, 0, 3, 4);
    control.align.cmsg_len = CMSG_LEN(sizeof(struct sock_extended_err));
    msg.msg_controllen = CMSG_LEN(sizeof(struct sock_extended_err));
    msg.msg_flags |= MSG_CTRUNC;
    expect_note(3, 4, false);

    control.align.cmsg_len--;
    ck_assert_int_eq(zc_errqueue_parse(&msg, &note), -EPROTO);
    control.align.cmsg_len++;
    msg.msg_controllen--;
    ck_assert_int_eq(zc_errqueue_parse(&msg, &note), -EPROTO);
    msg.msg_controllen = 0;
    ck_assert_int_eq(zc_errqueue_parse(&msg, &note), -EPROTO);
}
END_TEST

static size_t control_bytes_offered;

static ssize_t fill_recvmsg(void *ctx, int fd, struct msghdr *out, int flags)
{
    (void)fd;
    ck_assert_int_eq(flags, MSG_ERRQUEUE | MSG_DONTWAIT);
    control_bytes_offered = out->msg_controllen;
    if (ctx) {
        return -EAGAIN;
    }
    memcpy(out->msg_control, msg.msg_control, msg.msg_controllen);
    out->msg_controllen = msg.msg_controllen;
    out->msg_flags = msg.msg_flags;
    return 0;
}

START_TEST(reading_offers_room_and_never_peeks)
{
    static const struct zc_net_ops ops = { .recvmsg = fill_recvmsg };
    struct zc_net net = { .ops = &ops };
    struct zc_note note = { 0 };

    start();
    add_error(SOL_IP, IP_RECVERR, SO_EE_ORIGIN_ZEROCOPY, 0, 5, 6);
    ck_assert_int_eq(zc_errqueue_read(&net, 0, &note), 1);
    ck_assert_uint_eq(note.hi, 6);
    ck_assert_uint_ge(control_bytes_offered, 256);
    net.ctx = &note;
    ck_assert_int_eq(zc_errqueue_read(&net, 0, &note), -EAGAIN);
}
END_TEST

/* Any bytes: an answer, and no read outside the buffer (the sanitizers look). */
START_TEST(random_control_messages_are_survived)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)zc_unit_seed());
    struct zc_note note;

    for (unsigned int i = 0; i < 20000; i++) {
        g_autofree uint8_t *bytes = NULL;
        start();
        add_error(SOL_IP, IP_RECVERR, SO_EE_ORIGIN_ZEROCOPY, 0, 1, 2);
        add_error(SOL_IPV6, IPV6_RECVERR, SO_EE_ORIGIN_ZEROCOPY, 0, 1, 2);
        for (unsigned int flips = 0; flips < 3; flips++) {
            size_t at = (size_t)g_rand_int_range(rand, 0, 32) * (g_rand_boolean(rand) ? 1 : 4);
            control.bytes[at] = (uint8_t)g_rand_int(rand);
        }
        size_t length = (size_t)g_rand_int_range(rand, 0, (gint32)msg.msg_controllen + 1);
        bytes = g_memdup2(control.bytes, length + 1);
        msg.msg_control = bytes;
        msg.msg_controllen = length;
        int ret = zc_errqueue_parse(&msg, &note);
        ck_assert(ret == 1 || ret == 0 || ret == -EPROTO);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-errqueue");
    TCase *tcase = tcase_create("errqueue");

    tcase_add_test(tcase, all_families_are_read);
    tcase_add_test(tcase, copied_bit_and_wrapped_range);
    tcase_add_test(tcase, other_messages_of_the_queue_are_skipped);
    tcase_add_test(tcase, a_note_behind_a_timestamp_is_found);
    tcase_add_test(tcase, a_cut_address_does_not_matter_a_cut_note_does);
    tcase_add_test(tcase, reading_offers_room_and_never_peeks);
    tcase_add_test(tcase, random_control_messages_are_survived);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
