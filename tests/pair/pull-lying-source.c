/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By the route pull the receiver reads where the source says.  It believes it
 * nothing: addresses, offsets and flags that do not fit what was agreed end the
 * session, and what is not there is an error and no crash.
 */
#include "config.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/peer.h"
#include "lib/unit.h"
#include "wire/bytes.h"
#include "wire/extension.h"

#define PAGE 4096u
#define PAGES 512u
#define BYTES ((uint64_t)PAGES * PAGE)
#define BLOCK "pc.ram"

static const uint8_t uuid[16] = { 1, 2, 3 };
static char *dir;
static char *output;
static char *address;
static uint8_t *memory;
static struct zc_pair pair;
static struct zc_peer peer;

static void setup(void)
{
    dir = zc_unit_make_dir();
    output = g_build_filename(dir, "output.img", NULL);
    address = g_strdup_printf("unix:%s/socket", dir);
    memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(memory != MAP_FAILED);
    for (unsigned int i = 0; i < PAGES; i++) {
        memset(memory + (size_t)i * PAGE, (int)(i % 250) + 1, PAGE);
    }
    zc_pair_init(&pair, NULL, output);
    pair.recv.listen = address;
}

static void teardown(void)
{
    zc_peer_stop(&peer);
    zc_pair_clear(&pair);
    munmap(memory, BYTES);
    zc_unit_remove_dir(dir);
    g_free(output);
    g_free(address);
}

/* Up to SESSION, which names @bases. */
static void meet(enum zc_session_route route, const uint64_t *bases, uint32_t n_bases)
{
    struct zc_extension message = { .type = ZC_EXTENSION_SESSION };
    const uint32_t hello = GUINT32_TO_BE(ZC_HELLO_PING | ZC_EXTENSION_VERSION);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    uint64_t big_endian[4];

    zc_pair_start_receiver(&pair);
    zc_peer_start(&peer, zcmig_session_get_address(pair.receiver), 1, uuid);
    zc_peer_head(&peer, true);
    zc_stream_put_command(peer.out, ZC_COMMAND_PING, &hello, sizeof(hello));
    memcpy(message.session.uuid, uuid, sizeof(uuid));
    message.session.n_channels = 1;
    message.session.route = (uint8_t)route;
    message.session.n_bases = n_bases;
    message.session.bases = (const uint8_t *)big_endian;
    for (uint32_t i = 0; i < n_bases; i++) {
        big_endian[i] = GUINT64_TO_BE(bases[i]);
    }
    zc_extension_put(bytes, &message);
    zc_stream_put_command(peer.out, ZC_EXTENSION_COMMAND, bytes->data, (uint16_t)bytes->len);
    zc_peer_flush(&peer);
}

static void meet_honestly(void)
{
    const uint64_t base = (uint64_t)(uintptr_t)memory;

    meet(ZC_SESSION_ROUTE_PULL, &base, 1);
}

static void sync_and_hear(void)
{
    uint8_t answer = 0;

    zc_peer_sync(&peer);
    zc_peer_flush(&peer);
    ck_assert_int_eq(recv(peer.fds[0], &answer, 1, MSG_WAITALL), 1);
    ck_assert_uint_eq(answer, ZC_MULTIFD_PULL_ACK);
}

static void begin_ram(void)
{
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_sync(&peer);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
}

/* A packet that lists @n pages from @offset on. */
static void list(uint32_t flags, uint64_t offset, uint32_t n)
{
    struct zc_multifd_packet packet = { .flags = flags, .n_normal = n, .block = BLOCK };
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];

    for (uint32_t i = 0; i < n; i++) {
        packet.offsets[i] = offset + (uint64_t)i * PAGE;
    }
    zc_multifd_packet_encode(&packet, bytes);
    zc_peer_send(&peer, peer.fds[0], bytes, sizeof(bytes));
}

static void expect_failure(enum zcmig_error_code code, const char *part)
{
    zc_pair_join(&pair);
    ck_assert(!pair.recv_ok);
    zc_unit_expect_error(&pair.recv_error, (int)code, part);
    ck_assert_msg(access(output, F_OK) < 0, "there is an output");
}

START_TEST(an_honest_one_is_served)
{
    meet_honestly();
    begin_ram();
    for (uint64_t page = 0; page < PAGES; page += 128) {
        list(ZC_MULTIFD_PULL, page * PAGE, 128);
    }
    zc_peer_ram_section(&peer, ZC_SECTION_END);
    sync_and_hear();
    memset(memory, 0xff, BYTES); /* it was answered: nobody reads it any more */
    zc_peer_section_end(&peer);
    zc_stream_put_eof(peer.out);
    zc_stream_put_description(peer.out, "{}");
    zc_peer_flush(&peer);
    ck_assert_int_eq(zc_peer_wait_shut(&peer), 0);
    shutdown(peer.main_fd, SHUT_RDWR);
    zc_pair_join(&pair);
    ck_assert_msg(pair.recv_ok, "%s", pair.recv_error ? pair.recv_error->message : "");

    g_autoptr(GMappedFile) file = g_mapped_file_new(output, FALSE, NULL);
    const uint8_t *got = (const uint8_t *)g_mapped_file_get_contents(file);
    ck_assert_uint_eq(g_mapped_file_get_length(file), BYTES);
    for (size_t i = 0; i < BYTES; i++) {
        ck_assert_uint_eq(got[i], i / PAGE % 250 + 1);
    }
}
END_TEST

START_TEST(an_address_with_nothing_there)
{
    const uint64_t base = PAGE; /* below vm.mmap_min_addr */

    meet(ZC_SESSION_ROUTE_PULL, &base, 1);
    expect_failure(ZCMIG_ERROR_DISCONNECTED, "cannot fetch pages from the source");
}
END_TEST

START_TEST(an_address_that_no_page_has)
{
    const uint64_t base = (uint64_t)(uintptr_t)memory + 8;

    meet(ZC_SESSION_ROUTE_PULL, &base, 1);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "allowed are those of pages");
}
END_TEST

START_TEST(addresses_of_other_blocks_than_there_are)
{
    const uint64_t bases[] = { (uint64_t)(uintptr_t)memory, (uint64_t)(uintptr_t)memory };

    meet(ZC_SESSION_ROUTE_PULL, bases, 2);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_sync(&peer);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got addresses of 2 blocks");
}
END_TEST

START_TEST(pages_beyond_the_block)
{
    /* There is memory behind it, which the source just did not offer. */
    uint8_t *more = mmap(NULL, 2 * BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const uint64_t base = (uint64_t)(uintptr_t)more;

    ck_assert(more != MAP_FAILED);
    meet(ZC_SESSION_ROUTE_PULL, &base, 1);
    begin_ram();
    list(ZC_MULTIFD_PULL, BYTES - PAGE, 2);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got offset 0x200000");
    munmap(more, 2 * BYTES);
}
END_TEST

START_TEST(memory_that_goes_away)
{
    meet_honestly();
    begin_ram();
    ck_assert_int_eq(munmap(memory + BYTES / 2, BYTES / 2), 0);
    list(ZC_MULTIFD_PULL, BYTES / 2 - 2 * PAGE, 4);
    expect_failure(ZCMIG_ERROR_DISCONNECTED, "channel 0: cannot fetch pages from the source");
}
END_TEST

START_TEST(pages_behind_their_header)
{
    meet_honestly();
    begin_ram();
    list(0, 0, 1);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got 1 normal pages with flags 0x0");
}
END_TEST

START_TEST(lists_of_a_route_that_was_not_agreed)
{
    meet(ZC_SESSION_ROUTE_SOCKET, NULL, 0);
    zc_peer_ram_start(&peer, BYTES);
    zc_peer_sync(&peer);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
    list(ZC_MULTIFD_PULL, 0, 1);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got flags 0x40000000");
}
END_TEST

START_TEST(a_connection_that_names_nobody)
{
    pair.recv.listen = "tcp:127.0.0.1:0";
    meet_honestly();
    expect_failure(ZCMIG_ERROR_UNSUPPORTED, "the route pull needs a UNIX socket");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pull-lying-source");
    TCase *tcase = tcase_create("lies");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_honest_one_is_served);
    tcase_add_test(tcase, an_address_with_nothing_there);
    tcase_add_test(tcase, an_address_that_no_page_has);
    tcase_add_test(tcase, addresses_of_other_blocks_than_there_are);
    tcase_add_test(tcase, pages_beyond_the_block);
    tcase_add_test(tcase, memory_that_goes_away);
    tcase_add_test(tcase, pages_behind_their_header);
    tcase_add_test(tcase, lists_of_a_route_that_was_not_agreed);
    tcase_add_test(tcase, a_connection_that_names_nobody);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
