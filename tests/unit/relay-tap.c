/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What real QEMUs sent, in pieces of any size, gives the manifest of what arrived; also where channels
 * are read in another order than they were written in.
 */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "fuzz/samples.h"
#include "lib/fixture.h"
#include "lib/unit.h"
#include "mem/manifest.h"
#include "relay/tap.h"
#include "wire/multifd.h"

#define CHANNELS_MAX 4
#define RAM_BYTES_MAX (UINT64_C(1) << 30)
#define PIECE_MAX 20000

struct connection {
    struct zc_tap_stream *stream;
    GByteArray *bytes;
    size_t done;
};

/* All of it, in an order that nobody knows; channels as soon as they may be read. */
static void feed(struct zc_tap *tap, struct connection *connections, unsigned int n, GRand *rand)
{
    size_t rest = 0;

    for (unsigned int i = 0; i < n; i++) {
        rest += connections[i].bytes->len;
    }
    while (rest) {
        struct connection *connection = &connections[g_rand_int_range(rand, 0, (gint32)n)];
        size_t left = connection->bytes->len - connection->done;
        size_t piece = (size_t)g_rand_int_range(rand, 1, PIECE_MAX);
        size_t part = MIN(left, piece);

        if (connection == connections || zc_tap_is_ready(tap)) {
            zc_tap_take(connection->stream, connection->bytes->data + connection->done, part);
            connection->done += part;
            rest -= part;
        }
    }
}

static void expect_manifest(const char *name, struct zc_tap *tap)
{
    char *dir = zc_unit_make_dir();
    g_autofree char *path = g_build_filename(dir, "manifest", NULL);
    g_autofree char *file = g_strconcat(name, ".manifest", NULL);
    g_autofree char *wanted_path = zc_fixture_path(file);
    g_autofree char *wanted = NULL, *got = NULL;
    gsize wanted_bytes, got_bytes;
    GError *error = NULL;

    ck_assert_msg(zc_tap_save(tap, path, &error), "%s: %s", name, error ? error->message : "");
    ck_assert(g_file_get_contents(wanted_path, &wanted, &wanted_bytes, NULL));
    ck_assert(g_file_get_contents(path, &got, &got_bytes, NULL));
    ck_assert_uint_eq(got_bytes, wanted_bytes);
    ck_assert_msg(memcmp(got, wanted, got_bytes) == 0, "%s: not what arrived", name);
    zc_unit_remove_dir(dir);
}

START_TEST(recorded_streams_give_the_manifest_of_what_arrived)
{
    const struct zc_fixture_stream *fixture = &zc_fixture_streams[_i];
    struct connection connections[1 + CHANNELS_MAX] = { 0 };
    GRand *rand = g_rand_new_with_seed((guint32)zc_unit_seed());
    struct zc_tap *tap = zc_tap_new(RAM_BYTES_MAX);
    g_autofree char *main_file = g_strconcat(fixture->name, ".main.gz", NULL);

    ck_assert_uint_le(fixture->n_channels, CHANNELS_MAX);
    connections[0].stream = zc_tap_add_main(tap);
    connections[0].bytes = zc_fixture_load(main_file);
    for (unsigned int i = 0; i < fixture->n_channels; i++) {
        g_autofree char *file = g_strdup_printf("%s.channel-%u.gz", fixture->name, i);
        connections[i + 1].stream = zc_tap_add_channel(tap);
        connections[i + 1].bytes = zc_fixture_load(file);
    }
    feed(tap, connections, fixture->n_channels + 1, rand);
    expect_manifest(fixture->name, tap);
    for (unsigned int i = 0; i <= fixture->n_channels; i++) {
        g_byte_array_unref(connections[i].bytes);
    }
    zc_tap_free(tap);
    g_rand_free(rand);
}
END_TEST

static void take_init(struct zc_tap_stream *stream)
{
    const struct zc_multifd_init init = { .channel = 0 };
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES];

    zc_multifd_init_encode(&init, bytes);
    zc_tap_take(stream, bytes, sizeof(bytes));
}

/* The first page of pc.ram, full of @fill. */
static void take_page(struct zc_tap_stream *stream, uint8_t fill)
{
    const struct zc_multifd_packet packet = { .n_normal = 1, .block = "pc.ram" };
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES + ZC_PAGE_BYTES];

    zc_multifd_packet_encode(&packet, bytes);
    memset(bytes + ZC_MULTIFD_HEADER_BYTES, fill, ZC_PAGE_BYTES);
    zc_tap_take(stream, bytes, sizeof(bytes));
}

static void take_sync(struct zc_tap_stream *stream)
{
    const struct zc_multifd_packet packet = { .flags = ZC_MULTIFD_SYNC };
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];

    zc_multifd_packet_encode(&packet, bytes);
    zc_tap_take(stream, bytes, sizeof(bytes));
}

START_TEST(page_of_an_earlier_iteration_never_replaces_a_later_one)
{
    struct zc_tap *tap = zc_tap_new(RAM_BYTES_MAX);
    struct zc_tap_stream *streams[] = { zc_tap_add_channel(tap), zc_tap_add_channel(tap) };
    g_autoptr(GByteArray) main_stream = zc_sample_qemu_multifd();
    char *dir = zc_unit_make_dir();
    g_autofree char *path = g_build_filename(dir, "manifest", NULL);
    uint8_t page[ZC_PAGE_BYTES];
    GError *error = NULL;

    zc_tap_take(zc_tap_add_main(tap), main_stream->data, main_stream->len);
    take_init(streams[1]);
    take_sync(streams[1]);
    take_page(streams[1], 'a');
    take_page(streams[1], 'b'); /* the last of its iteration */
    take_init(streams[0]);
    take_page(streams[0], 'c'); /* sent before, and seen after */
    take_sync(streams[0]);
    ck_assert_msg(zc_tap_save(tap, path, &error), "%s", error ? error->message : "");
    struct zc_manifest *manifest = zc_manifest_load(path, &error);
    ck_assert_ptr_nonnull(manifest);
    ck_assert_str_eq(manifest->blocks[0].name, "pc.ram");
    memset(page, 'b', sizeof(page));
    ck_assert_uint_eq(manifest->blocks[0].digests[0], zc_digest_page(page));
    zc_manifest_free(manifest);
    zc_tap_free(tap);
    zc_unit_remove_dir(dir);
}
END_TEST

START_TEST(what_is_not_understood_makes_no_manifest)
{
    struct zc_tap *tap = zc_tap_new(RAM_BYTES_MAX);
    struct zc_tap_stream *stream = zc_tap_add_main(tap);
    GError *error = NULL;

    ck_assert(!zc_tap_is_ready(tap));
    ck_assert(!zc_tap_save(tap, "/nowhere/manifest", &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "ended before its RAM did");
    zc_tap_take(stream, (const uint8_t *)"QEVM\0\0\0\4", 8);
    ck_assert(zc_tap_is_ready(tap)); /* nobody is to wait for it */
    ck_assert(!zc_tap_save(tap, "/nowhere/manifest", &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "4");
    zc_tap_free(tap);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay-tap");
    TCase *tcase = tcase_create("tap");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, recorded_streams_give_the_manifest_of_what_arrived, 0,
                        ZC_FIXTURE_STREAMS);
    tcase_add_test(tcase, page_of_an_earlier_iteration_never_replaces_a_later_one);
    tcase_add_test(tcase, what_is_not_understood_makes_no_manifest);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
