/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the sender shares pages out among its channels.
 */
#include "config.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/unit.h"
#include "send/sender.h"
#include "wire/multifd.h"

#define CHANNELS 2u
#define ITEM_PAGES 1024u /* that the sender hands to a channel at once */
#define ITEMS 16u
#define PACKETS_AHEAD_MAX 8u /* 4 lists, by how the kernel counts them */

static struct zc_source *source;
static struct zc_budget budget;
static struct zc_pace pace;
static struct zc_cause cause;
static int fds[CHANNELS], peers[CHANNELS];
static struct zc_sender *sender;

/* A source of ITEMS x ITEM_PAGES pages, none of them zero. */
static void make_source(void)
{
    int fd = memfd_create("image", MFD_CLOEXEC);
    g_autofree char *uri = g_strdup_printf("file:/proc/%d/fd/%d", (int)getpid(), fd);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)ITEMS * ITEM_PAGES * ZC_PAGE_BYTES), 0);
    for (uint64_t page = 0; page < ITEMS * ITEM_PAGES; page++) {
        ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)(page * ZC_PAGE_BYTES)), 1);
    }
    source = zc_source_open(uri, NULL);
    ck_assert_ptr_nonnull(source);
    close(fd);
}

static void setup(void)
{
    make_source();
    zc_budget_init_from(&budget, ZC_BUDGET_UNLIMITED, 0);
    zc_pace_init(&pace, 0);
    ck_assert(zc_cause_init(&cause, NULL));
    for (unsigned int i = 0; i < CHANNELS; i++) {
        int pair[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        fds[i] = pair[0];
        peers[i] = pair[1];
    }
    const struct zc_sender_options options = { .fds = fds,
                                               .n_channels = CHANNELS,
                                               .packet_pages = ZC_MULTIFD_PAGES,
                                               .merge = true,
                                               .route = &zc_route_pull,
                                               .budget = &budget,
                                               .pace = &pace,
                                               .source = source,
                                               .cause = &cause,
                                               .stall_timeout_ms = 60000 };
    sender = zc_sender_start(&options, NULL);
    ck_assert_ptr_nonnull(sender);
}

static void teardown(void)
{
    zc_cause_cancel(&cause);
    zc_cause_is_set(&cause);
    for (unsigned int i = 0; i < CHANNELS; i++) {
        shutdown(peers[i], SHUT_RDWR);
    }
    zc_sender_stop(sender);
    zc_sender_free(sender);
    for (unsigned int i = 0; i < CHANNELS; i++) {
        close(fds[i]);
        close(peers[i]);
    }
    zc_cause_clear(&cause);
    zc_source_free(source);
}

static uint64_t pages_of(unsigned int channel)
{
    struct zc_sender_counters counters;

    zc_sender_get_counters(sender, channel, &counters);
    return counters.normal_pages;
}

/* The lists of all pages but of two items, which the other channel may hold. */
#define TAKEN_BYTES ((ITEMS - 2) * ITEM_PAGES / ZC_MULTIFD_PAGES * ZC_MULTIFD_HEADER_BYTES)

static gpointer take_lists(gpointer data)
{
    char bytes[1 << 16];
    ssize_t n;

    for (size_t left = TAKEN_BYTES; left; left -= (size_t)n) {
        n = read(*(int *)data, bytes, MIN(left, sizeof(bytes)));
        ck_assert_int_gt(n, 0);
    }
    return NULL;
}

START_TEST(a_destination_that_is_busy_on_one_channel_gets_the_pages_on_the_other)
{
    const struct zc_range all = { .n_pages = ITEMS * ITEM_PAGES };
    GThread *taker = g_thread_new("taker", take_lists, &peers[0]);

    ck_assert(zc_sender_put(sender, &all));
    g_thread_join(taker); /* does not end when the other channel has more */
    ck_assert_uint_le(pages_of(1), PACKETS_AHEAD_MAX * ZC_MULTIFD_PAGES);
}
END_TEST

#define LAST_PAGES 256u

/* The pages of the next list that either peer gets. */
static uint32_t next_list(void)
{
    struct pollfd ready[CHANNELS] = { { .fd = peers[0], .events = POLLIN },
                                      { .fd = peers[1], .events = POLLIN } };
    uint8_t header[ZC_MULTIFD_HEADER_BYTES];
    struct zc_multifd_packet packet;

    ck_assert_int_gt(poll(ready, CHANNELS, -1), 0);
    int fd = ready[0].revents ? peers[0] : peers[1];
    ck_assert_int_eq(recv(fd, header, sizeof(header), MSG_WAITALL), sizeof(header));
    ck_assert(zc_multifd_packet_decode_pull(header, &packet, NULL));
    return packet.n_normal;
}

START_TEST(the_last_pages_are_shared_out_in_smaller_and_smaller_portions)
{
    const struct zc_range last = { .n_pages = LAST_PAGES };
    uint32_t n_taken = 0, n_lists = 0;

    zc_sender_expect(sender, LAST_PAGES);
    ck_assert(zc_sender_put(sender, &last));
    /* The rest of them waits for company. */
    while (n_taken < LAST_PAGES * 3 / 4) {
        uint32_t n = next_list();
        ck_assert_uint_le(n, LAST_PAGES / (2 * CHANNELS));
        n_taken += n;
        n_lists++;
    }
    ck_assert_uint_ge(n_lists, 2 * CHANNELS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send-sender");
    TCase *tcase = tcase_create("sender");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_destination_that_is_busy_on_one_channel_gets_the_pages_on_the_other);
    tcase_add_test(tcase, the_last_pages_are_shared_out_in_smaller_and_smaller_portions);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
