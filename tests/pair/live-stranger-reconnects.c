/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While a destination waits for its source to come back, anybody may connect.
 * Who does not know the secret of the session gets nothing, changes nothing and
 * ends nothing: the source that comes after it is still served.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/peer.h"
#include "lib/unit.h"
#include "session/incoming.h"
#include "wire/extension.h"

#define PAGE 4096u
#define BYTES (UINT64_C(64) * PAGE)

static const uint8_t uuid[16] = { 1, 2, 3 };
static const uint8_t secret[16] = "the secret of it";
static const uint8_t token[16] = "token";
static struct zc_pair pair;
static struct zc_peer peer;

static void put(const struct zc_extension *message)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    zc_extension_put(bytes, message);
    zc_stream_put_command(peer.out, ZC_EXTENSION_COMMAND, bytes->data, (uint16_t)bytes->len);
}

static void greet(unsigned int n_channels)
{
    const uint32_t hello = GUINT32_TO_BE(ZC_HELLO_PING | ZC_EXTENSION_VERSION);

    zc_peer_start(&peer, zcmig_session_get_address(pair.receiver), n_channels, uuid);
    zc_peer_head(&peer, true);
    zc_stream_put_command(peer.out, ZC_COMMAND_PING, &hello, sizeof(hello));
}

/* Reads until a message of @type came; false at the end of the connection. */
static bool hear(enum zc_extension_type type, struct zc_extension *extension)
{
    uint8_t buffer[4096];
    size_t have = 0, used = 0;
    struct zc_return_message message;
    ssize_t n;

    while ((n = recv(peer.main_fd, buffer + have, sizeof(buffer) - have, 0)) > 0) {
        have += (size_t)n;
        while (zc_return_decode(buffer, have, &used, &message, NULL) == ZC_STREAM_GOT) {
            if (message.type == ZC_RETURN_EXTENSION &&
                zc_extension_decode(message.data, message.length, extension, NULL) &&
                extension->type == type) {
                return true;
            }
            have -= used;
            memmove(buffer, buffer + used, have);
        }
    }
    ck_assert_msg(n == 0 || errno == ECONNRESET, "no end of the connection: %s", strerror(errno));
    return false;
}

static void begin_ram(uint64_t bytes)
{
    zc_peer_ram_start(&peer, bytes);
    if (peer.n_channels) {
        zc_peer_sync(&peer);
    }
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
}

/* A session that is kept, cut behind its first barrier. */
static void begin(unsigned int n_channels)
{
    struct zc_extension message = { .type = ZC_EXTENSION_SESSION };

    zc_pair_init(&pair, NULL, NULL);
    pair.recv.reconnect_ms = 3000;
    zc_pair_start_receiver(&pair);
    greet(n_channels);
    memcpy(message.session.uuid, uuid, sizeof(uuid));
    message.session.n_channels = (uint16_t)n_channels;
    message.session.live = true;
    put(&message);
    message = (struct zc_extension){ .type = ZC_EXTENSION_KEEP, .keep = { .seconds = 1 } };
    memcpy(message.keep.secret, secret, sizeof(secret));
    put(&message);
    zc_peer_flush(&peer);
    ck_assert(hear(ZC_EXTENSION_KEEP, &message));
    ck_assert_uint_eq(message.keep.seconds, 3);
    begin_ram(BYTES);
    /* Its PONG comes from behind the barrier. */
    const uint32_t ping = GUINT32_TO_BE(17);
    zc_stream_put_command(peer.out, ZC_COMMAND_PING, &ping, sizeof(ping));
    zc_peer_flush(&peer);
    shutdown(peer.main_fd, SHUT_WR);
    ck_assert(!hear(ZC_EXTENSION_READY, &message)); /* until it closes, too */
    zc_peer_stop(&peer);
}

static void setup(void)
{
    begin(1);
}

/* All pages come on the main stream. */
static void setup_without_channels(void)
{
    begin(0);
}

static void teardown(void)
{
    zc_pair_clear(&pair);
}

static void resume(const uint8_t *with_uuid, const uint8_t *with_secret)
{
    struct zc_extension message = { .type = ZC_EXTENSION_RESUME };

    memcpy(message.resume.uuid, with_uuid, 16);
    memcpy(message.resume.secret, with_secret, 16);
    memcpy(message.resume.token, token, 16);
    put(&message);
    zc_peer_flush(&peer);
}

/* It is told nothing, and its connection is closed. */
static void expect_dropped(void)
{
    struct zc_extension message;

    ck_assert(!hear(ZC_EXTENSION_RESUMED, &message));
    zc_peer_stop(&peer);
}

/* The one whose session it is, comes back; and then it says that it gives up. */
static void expect_served(void)
{
    struct zc_extension message;

    greet(0);
    resume(uuid, secret);
    ck_assert(hear(ZC_EXTENSION_RESUMED, &message));
    ck_assert_uint_eq(message.resumed.runs, 0);
    message = (struct zc_extension){ .type = ZC_EXTENSION_FAIL,
                                     .fail = { .code = ZCMIG_ERROR_SOURCE, .text = "enough" } };
    put(&message);
    zc_peer_flush(&peer);
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_PEER, "enough");
    zc_peer_stop(&peer);
}

START_TEST(the_source_is_served)
{
    const struct zc_incoming *in = (const struct zc_incoming *)pair.receiver;

    expect_served();
    ck_assert_uint_eq(in->n_barriers, 1);
}
END_TEST

START_TEST(a_wrong_secret)
{
    static const uint8_t wrong[16] = "the secret of iT";

    greet(0);
    resume(uuid, wrong);
    expect_dropped();
    expect_served();
}
END_TEST

START_TEST(another_session)
{
    static const uint8_t other[16] = { 1, 2, 4 };

    greet(0);
    resume(other, secret);
    expect_dropped();
    expect_served();
}
END_TEST

/* As if it were a new migration; with pages, which must not get into the RAM. */
START_TEST(somebody_who_just_sends)
{
    const struct zc_incoming *in = (const struct zc_incoming *)pair.receiver;

    greet(0);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_section_end(&peer);
    zc_peer_ram_section(&peer, ZC_SECTION_END);
    zc_peer_page(&peer, 1, 0x66);
    zc_peer_flush(&peer);
    expect_dropped();
    ck_assert_uint_eq(in->ram.blocks[0].host[PAGE], 0);
    expect_served();
}
END_TEST

START_TEST(other_messages_than_resume)
{
    static const enum zc_extension_type types[] = {
        ZC_EXTENSION_SESSION, ZC_EXTENSION_RUN,  ZC_EXTENSION_MANIFEST_END,
        ZC_EXTENSION_KEEP,    ZC_EXTENSION_FAIL, ZC_EXTENSION_HEARD,
    };
    struct zc_extension message = { .type = types[_i] };

    greet(0);
    put(&message);
    zc_peer_flush(&peer);
    expect_dropped();
    expect_served();
}
END_TEST

/* Channels carry the token that only the two ends know. */
START_TEST(channels_of_somebody_else)
{
    struct zc_extension message;

    greet(1); /* with the UUID of the session */
    resume(uuid, secret);
    ck_assert(hear(ZC_EXTENSION_RESUMED, &message));
    begin_ram(BYTES);
    shutdown(peer.main_fd, SHUT_WR);
    expect_dropped();
    expect_served();
}
END_TEST

START_TEST(another_list_of_blocks)
{
    struct zc_extension message;

    greet(0);
    resume(uuid, secret);
    ck_assert(hear(ZC_EXTENSION_RESUMED, &message));
    begin_ram(BYTES - PAGE);
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_PROTOCOL, "other RAM blocks");
    zc_peer_stop(&peer);
}
END_TEST

START_TEST(a_resume_where_nothing_was_cut)
{
    zc_pair_clear(&pair);
    zc_pair_init(&pair, NULL, NULL);
    pair.recv.reconnect_ms = 1000;
    zc_pair_start_receiver(&pair);
    greet(0);
    resume(uuid, secret);
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_PROTOCOL, "session that is not there");
    zc_peer_stop(&peer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live-stranger-reconnects");
    TCase *tcase = tcase_create("strangers");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_source_is_served);
    tcase_add_test(tcase, a_wrong_secret);
    tcase_add_test(tcase, another_session);
    tcase_add_loop_test(tcase, other_messages_than_resume, 0, 6);
    tcase_add_test(tcase, channels_of_somebody_else);
    tcase_add_test(tcase, another_list_of_blocks);
    tcase_add_test(tcase, a_resume_where_nothing_was_cut);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("without channels");
    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_checked_fixture(tcase, setup_without_channels, teardown);
    tcase_add_test(tcase, somebody_who_just_sends);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
