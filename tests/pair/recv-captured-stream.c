/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of real QEMUs of each version, recorded once (tests/qemu/fixtures),
 * replayed into the receiver: what it makes of them must stay what it was, so
 * that no change of ours can shut out peers of yesterday unnoticed.
 */
#include "config.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fixture.h"
#include "lib/pair.h"
#include "lib/peer.h"
#include "lib/unit.h"

#define CONNECTIONS_MAX 3
#define HEADER_BYTES 8 /* before the configuration */

/* One connection of the source. */
struct feeder {
    int fd;
    bool is_cut; /* behind these bytes it ends; else it stays until the receiver closes */
    GByteArray *bytes;
    GThread *thread;
    GByteArray *answer;
};

static char *dir;
static char *snapshot;
static char *output; /* dir: and that */
static struct zc_pair pair;
static struct feeder feeders[CONNECTIONS_MAX];
static unsigned int n_feeders;

static void setup(void)
{
    dir = zc_unit_make_dir();
    snapshot = g_build_filename(dir, "snapshot", NULL);
    output = g_strconcat("dir:", snapshot, NULL);
    zc_pair_init(&pair, NULL, output);
}

static void teardown(void)
{
    zc_pair_clear(&pair);
    for (; n_feeders > 0; n_feeders--) {
        g_byte_array_unref(feeders[n_feeders - 1].bytes);
        g_byte_array_unref(feeders[n_feeders - 1].answer);
    }
    zc_unit_remove_dir(dir);
    g_free(output);
    g_free(snapshot);
}

/* Sends all, then hears until the receiver closes. */
static gpointer feed(gpointer data)
{
    struct feeder *feeder = data;
    guint8 chunk[256];
    ssize_t n;

    for (guint at = 0; at < feeder->bytes->len; at += (guint)n) {
        n = send(feeder->fd, feeder->bytes->data + at, feeder->bytes->len - at, MSG_NOSIGNAL);
        if (n <= 0) {
            break; /* the receiver has its reasons; the test looks at them */
        }
    }
    if (feeder->is_cut) {
        shutdown(feeder->fd, SHUT_WR);
    }
    while ((n = recv(feeder->fd, chunk, sizeof(chunk), 0)) > 0) {
        g_byte_array_append(feeder->answer, chunk, (guint)n);
    }
    close(feeder->fd);
    return NULL;
}

static struct feeder *add_feeder(const struct zc_fixture_stream *stream, const char *connection)
{
    struct feeder *feeder = &feeders[n_feeders++];
    g_autofree char *file = g_strdup_printf("%s.%s.gz", stream->name, connection);

    *feeder = (struct feeder){ .fd = zc_peer_dial(zcmig_session_get_address(pair.receiver)),
                               .bytes = zc_fixture_load(file),
                               .answer = g_byte_array_new() };
    return feeder;
}

/* Connects as QEMU does: main first, all before anything is sent. */
static void connect_all(const struct zc_fixture_stream *stream)
{
    zc_pair_start_receiver(&pair);
    add_feeder(stream, "main");
    for (unsigned int i = 0; i < stream->n_channels; i++) {
        g_autofree char *name = g_strdup_printf("channel-%u", i);
        add_feeder(stream, name);
    }
}

static void feed_all(void)
{
    for (unsigned int i = n_feeders; i > 0; i--) {
        feeders[i - 1].thread = g_thread_new("feeder", feed, &feeders[i - 1]);
    }
    for (unsigned int i = 0; i < n_feeders; i++) {
        g_thread_join(feeders[i].thread);
    }
    zc_pair_join(&pair);
}

static zcmig_manifest *load_manifest(const char *path)
{
    GError *error = NULL;
    zcmig_manifest *manifest = zcmig_manifest_load(path, &error);

    ck_assert_msg(manifest != NULL, "%s", error ? error->message : "");
    return manifest;
}

/* What arrived, compared with what arrived when the stream was recorded: the number of pages. */
static uint64_t wrong_pages(const struct zc_fixture_stream *stream)
{
    g_autofree char *file = g_strdup_printf("%s.manifest", stream->name);
    g_autofree char *expected_path = zc_fixture_path(file);
    g_autofree char *got_path = g_build_filename(snapshot, "pages.manifest", NULL);
    g_autofree struct zcmig_mismatch *runs = NULL;
    unsigned int n_runs = 0;

    g_autoptr(zcmig_manifest) expected = load_manifest(expected_path);
    g_autoptr(zcmig_manifest) got = load_manifest(got_path);
    ck_assert_uint_eq(zcmig_manifest_get_pages(got), zcmig_manifest_get_pages(expected));
    ck_assert_uint_gt(zcmig_manifest_get_pages(got), zcmig_manifest_get_zero_pages(got) + 20);
    return zcmig_manifest_compare(expected, got, &runs, &n_runs);
}

/* File @name of the snapshot is bytes of the main stream, where they were. */
static void expect_part(const char *name, const guint8 *bytes, size_t length, bool at_end)
{
    g_autofree char *path = g_build_filename(snapshot, name, NULL);
    g_autofree char *content = NULL;
    gsize got = 0;

    ck_assert_msg(g_file_get_contents(path, &content, &got, NULL), "no %s", name);
    ck_assert_uint_gt(got, 10);
    ck_assert_uint_lt(got, length);
    ck_assert_mem_eq(content, at_end ? bytes + length - got : bytes, got);
}

static void expect_success(const struct zc_fixture_stream *stream)
{
    static const guint8 shut[] = { 0, 1, 0, 4, 0, 0, 0, 0 };
    const struct feeder *source = &feeders[0];

    ck_assert_msg(pair.recv_ok, "%s: %s", stream->name,
                  pair.recv_error ? pair.recv_error->message : "");
    ck_assert_uint_eq(pair.recv_stats.n_channels, stream->n_channels);
    expect_part("configuration", source->bytes->data + HEADER_BYTES,
                source->bytes->len - HEADER_BYTES, false);
    expect_part("devices", source->bytes->data, source->bytes->len, true);
    if (stream->has_return_path) {
        ck_assert_uint_ge(source->answer->len, sizeof(shut));
        ck_assert_mem_eq(source->answer->data + source->answer->len - sizeof(shut), shut,
                         sizeof(shut));
    } else {
        ck_assert_uint_eq(source->answer->len, 0);
    }
}

START_TEST(what_arrives_is_what_arrived_then)
{
    const struct zc_fixture_stream *stream = &zc_fixture_streams[_i / 2];

    pair.recv.channels = _i % 2 ? stream->n_channels : 0; /* told or learned */
    connect_all(stream);
    feed_all();
    expect_success(stream);
    ck_assert_uint_eq(wrong_pages(stream), 0);

    g_autofree char *file = g_build_filename(snapshot, "index.json", NULL);
    g_autofree char *index = NULL;
    ck_assert(g_file_get_contents(file, &index, NULL, NULL));
    ck_assert_msg(strstr(index, stream->machine) != NULL, "%s: %s", stream->name, index);
}
END_TEST

/* The test can fail: a bit of the page that says "page 2" changes wherever that comes by. */
START_TEST(a_changed_bit_does_not_arrive_as_then)
{
    static const char text[] = "page 2 of a fixture";
    const struct zc_fixture_stream *stream = &zc_fixture_streams[_i];
    unsigned int n_changed = 0;

    connect_all(stream);
    for (unsigned int i = 0; i < n_feeders; i++) {
        GByteArray *bytes = feeders[i].bytes;
        guint8 *at = memmem(bytes->data, bytes->len, text, strlen(text));
        if (at) {
            at[4] ^= 1;
            n_changed++;
        }
    }
    ck_assert_uint_eq(n_changed, 1);
    feed_all();
    expect_success(stream);
    ck_assert_uint_eq(wrong_pages(stream), 1);
}
END_TEST

START_TEST(a_stream_that_breaks_off_is_no_snapshot)
{
    const struct zc_fixture_stream *stream = &zc_fixture_streams[_i];

    pair.recv.channels = stream->n_channels;
    pair.recv.stall_timeout_ms = 5000;
    connect_all(stream);
    struct feeder *last = &feeders[n_feeders - 1];
    g_byte_array_set_size(last->bytes, last->bytes->len / 2);
    last->is_cut = true;
    feed_all();
    ck_assert(!pair.recv_ok);
    ck_assert_int_ne(access(snapshot, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("captured-stream");
    TCase *tcase = tcase_create("recv");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, what_arrives_is_what_arrived_then, 0, 2 * ZC_FIXTURE_STREAMS);
    tcase_add_loop_test(tcase, a_changed_bit_does_not_arrive_as_then, 0, ZC_FIXTURE_STREAMS);
    tcase_add_loop_test(tcase, a_stream_that_breaks_off_is_no_snapshot, 0, ZC_FIXTURE_STREAMS);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
