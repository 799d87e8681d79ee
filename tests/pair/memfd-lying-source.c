/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By the route memfd the receiver runs a guest in memory that somebody else
 * gave it.  What is no memory, has another length than was announced, or could
 * be cut short under it is refused before a guest comes.
 */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/peer.h"
#include "lib/unit.h"
#include "net/io.h"
#include "wire/extension.h"

#define PAGE 4096u
#define BYTES (UINT64_C(64) * PAGE)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static const uint8_t uuid[16] = { 1, 2, 3 };
static char *dir;
static char *address;
static struct zc_pair pair;
static struct zc_peer peer;

static void setup(void)
{
    dir = zc_unit_make_dir();
    address = g_strdup_printf("unix:%s/socket", dir);
    zc_pair_init(&pair, NULL, NULL);
    pair.recv.listen = address;
}

static void teardown(void)
{
    zc_peer_stop(&peer);
    zc_pair_clear(&pair);
    zc_unit_remove_dir(dir);
    g_free(address);
}

static int make_memory(uint64_t bytes, unsigned int flags, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | flags);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    ck_assert(!seals || fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static int good_memory(void)
{
    return make_memory(BYTES, MFD_ALLOW_SEALING, SEALS);
}

static void put(const struct zc_extension *message)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    zc_extension_put(bytes, message);
    zc_stream_put_command(peer.out, ZC_EXTENSION_COMMAND, bytes->data, (uint16_t)bytes->len);
}

/* Up to SESSION. */
static void meet(enum zc_session_route route, bool live)
{
    struct zc_extension message = { .type = ZC_EXTENSION_SESSION };
    const uint32_t hello = GUINT32_TO_BE(ZC_HELLO_PING | ZC_EXTENSION_VERSION);

    zc_pair_start_receiver(&pair);
    zc_peer_start(&peer, zcmig_session_get_address(pair.receiver), 0, uuid);
    zc_peer_head(&peer, true);
    zc_stream_put_command(peer.out, ZC_COMMAND_PING, &hello, sizeof(hello));
    memcpy(message.session.uuid, uuid, sizeof(uuid));
    message.session.route = (uint8_t)route;
    message.session.live = live;
    put(&message);
    zc_peer_flush(&peer);
}

/* MEMORY of @n_blocks, and @fds with it, which are closed here. */
static void pass(const int *fds, unsigned int n_fds, uint32_t n_blocks)
{
    struct zc_extension memory = { .type = ZC_EXTENSION_MEMORY };
    struct stat status;

    memory.memory.n_blocks = n_blocks;
    for (uint32_t i = 0; i < n_blocks && i < n_fds; i++) {
        ck_assert_int_eq(fstat(fds[i], &status), 0);
        memory.memory.blocks[i] = (struct zc_memory_identity){ status.st_dev, status.st_ino };
    }
    put(&memory);
    if (n_fds) {
        ck_assert_int_eq(zc_io_write_fds(peer.main_fd, peer.out->data, peer.out->len, fds, n_fds,
                                         ZC_DEADLINE_NEVER, -1),
                         0);
        g_byte_array_set_size(peer.out, 0);
    }
    zc_peer_flush(&peer);
    for (unsigned int i = 0; i < n_fds; i++) {
        close(fds[i]);
    }
}

static void pass_one(int fd)
{
    pass(&fd, 1, 1);
}

static void begin_ram(uint64_t bytes)
{
    zc_peer_ram_start(&peer, bytes);
    zc_peer_section_end(&peer);
    zc_peer_flush(&peer);
}

static void expect_failure(enum zcmig_error_code code, const char *part)
{
    zc_pair_join(&pair);
    ck_assert(!pair.recv_ok);
    zc_unit_expect_error(&pair.recv_error, (int)code, part);
}

/* Reads what the receiver says until MAPPED. */
static struct zc_extension hear_mapped(void)
{
    uint8_t buffer[4096];
    size_t have = 0, used = 0;
    struct zc_return_message message;
    struct zc_extension extension;
    ssize_t n;

    while ((n = recv(peer.main_fd, buffer + have, sizeof(buffer) - have, 0)) > 0) {
        have += (size_t)n;
        while (zc_return_decode(buffer, have, &used, &message, NULL) == ZC_STREAM_GOT) {
            if (message.type == ZC_RETURN_EXTENSION &&
                zc_extension_decode(message.data, message.length, &extension, NULL) &&
                extension.type == ZC_EXTENSION_MAPPED) {
                return extension;
            }
            have -= used;
            memmove(buffer, buffer + used, have);
        }
    }
    ck_abort_msg("no MAPPED came");
}

START_TEST(an_honest_one_is_served)
{
    int fd = good_memory(), own = dup(fd);
    struct stat status;

    ck_assert_int_eq(fstat(fd, &status), 0);
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(fd);
    begin_ram(BYTES);
    struct zc_extension mapped = hear_mapped();
    ck_assert_uint_eq(mapped.memory.n_blocks, 1);
    ck_assert_uint_eq(mapped.memory.blocks[0].device, status.st_dev);
    ck_assert_uint_eq(mapped.memory.blocks[0].inode, status.st_ino);
    shutdown(peer.main_fd, SHUT_RDWR);
    expect_failure(ZCMIG_ERROR_DISCONNECTED, "before RAM was whole");
    close(own);
}
END_TEST

/* What is not sealed is sealed here, and then cannot be cut short any more. */
START_TEST(memory_that_can_be_sealed_is)
{
    int fd = make_memory(BYTES, MFD_ALLOW_SEALING, 0), own = dup(fd);

    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(fd);
    begin_ram(BYTES);
    hear_mapped();
    ck_assert_int_eq(fcntl(own, F_GET_SEALS) & F_SEAL_SHRINK, F_SEAL_SHRINK);
    ck_assert_int_lt(ftruncate(own, 0), 0);
    shutdown(peer.main_fd, SHUT_RDWR);
    expect_failure(ZCMIG_ERROR_DISCONNECTED, "before RAM was whole");
    close(own);
}
END_TEST

START_TEST(memory_that_may_shrink)
{
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(make_memory(BYTES, 0, 0));
    begin_ram(BYTES);
    expect_failure(ZCMIG_ERROR_UNSUPPORTED, "may be cut short at any time");
}
END_TEST

START_TEST(memory_of_another_length)
{
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(make_memory(_i ? BYTES + PAGE : BYTES - PAGE, MFD_ALLOW_SEALING, SEALS));
    begin_ram(BYTES);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "allowed are its 262144");
}
END_TEST

/* It is announced and not there: nothing of it is taken from this host. */
START_TEST(a_terabyte_that_is_not_there)
{
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(good_memory());
    begin_ram(UINT64_C(1) << 40);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got memory of 262144 bytes");
}
END_TEST

START_TEST(memory_that_cannot_be_written)
{
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(make_memory(BYTES, MFD_ALLOW_SEALING, SEALS | F_SEAL_WRITE));
    begin_ram(BYTES);
    expect_failure(ZCMIG_ERROR_UNSUPPORTED, "cannot map the memory");
}
END_TEST

START_TEST(a_descriptor_that_may_only_be_read)
{
    int fd = good_memory();
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);

    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(open(path, O_RDONLY | O_CLOEXEC));
    close(fd);
    begin_ram(BYTES);
    expect_failure(ZCMIG_ERROR_UNSUPPORTED, "cannot map the memory");
}
END_TEST

static int make_file(void)
{
    g_autofree char *path = g_build_filename(dir, "file", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_eq(ftruncate(fd, (off_t)BYTES), 0);
    return fd;
}

/* On tmpfs it is memory that may shrink, elsewhere it is none. */
START_TEST(a_file)
{
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(make_file());
    begin_ram(BYTES);
    expect_failure(ZCMIG_ERROR_UNSUPPORTED, "the route memfd: ");
}
END_TEST

START_TEST(something_that_is_no_memory)
{
    static const char *const paths[] = { "/proc/self/exe", "/dev/zero", "/" };

    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(open(paths[_i], O_RDONLY | O_CLOEXEC));
    begin_ram(BYTES);
    expect_failure(ZCMIG_ERROR_UNSUPPORTED, "that is no memory");
}
END_TEST

START_TEST(no_descriptor)
{
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass(NULL, 0, 1);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got 0 descriptors, allowed are those of 1 blocks");
}
END_TEST

START_TEST(too_many_descriptors)
{
    const int fds[] = { good_memory(), good_memory() };

    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass(fds, 2, 1);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got 2 descriptors, allowed are those of 1 blocks");
}
END_TEST

/* More than the receiver keeps: it closes them. */
START_TEST(far_too_many_descriptors)
{
    const uint32_t one = GUINT32_TO_BE(1);
    int fds[ZC_IO_FDS_MAX];

    meet(ZC_SESSION_ROUTE_MEMFD, true);
    for (unsigned int i = 0; i < ZC_IO_FDS_MAX; i++) {
        fds[i] = peer.main_fd;
    }
    for (unsigned int round = 0; round < 3; round++) {
        zc_stream_put_command(peer.out, ZC_COMMAND_PING, &one, sizeof(one));
        ck_assert_int_eq(zc_io_write_fds(peer.main_fd, peer.out->data, peer.out->len, fds,
                                         ZC_IO_FDS_MAX, ZC_DEADLINE_NEVER, -1),
                         0);
        g_byte_array_set_size(peer.out, 0);
    }
    pass_one(good_memory());
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got 64 descriptors and more");
}
END_TEST

START_TEST(memory_of_more_blocks_than_there_are)
{
    const int fds[] = { good_memory(), good_memory() };

    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass(fds, 2, 2);
    begin_ram(BYTES);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got the memory of 2 blocks");
}
END_TEST

START_TEST(other_memory_than_it_says)
{
    struct zc_extension memory = { .type = ZC_EXTENSION_MEMORY, .memory = { .n_blocks = 1 } };
    int fd = good_memory();

    meet(ZC_SESSION_ROUTE_MEMFD, true);
    put(&memory);
    ck_assert_int_eq(
        zc_io_write_fds(peer.main_fd, peer.out->data, peer.out->len, &fd, 1, ZC_DEADLINE_NEVER, -1),
        0);
    close(fd);
    g_byte_array_set_size(peer.out, 0);
    begin_ram(BYTES);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got other memory for block 'pc.ram'");
}
END_TEST

START_TEST(ram_without_its_memory)
{
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    begin_ram(BYTES);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got RAM before its memory");
}
END_TEST

START_TEST(memory_by_another_route)
{
    meet(ZC_SESSION_ROUTE_SOCKET, true);
    pass_one(good_memory());
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got MEMORY, allowed is one by the route memfd");
}
END_TEST

START_TEST(memory_that_comes_twice)
{
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(good_memory());
    pass_one(good_memory());
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got MEMORY, allowed is one by the route memfd");
}
END_TEST

START_TEST(memory_of_an_image)
{
    meet(ZC_SESSION_ROUTE_MEMFD, false);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "a guest that goes on in its memory");
}
END_TEST

START_TEST(a_page_that_moves)
{
    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(good_memory());
    begin_ram(BYTES);
    zc_peer_ram_section(&peer, ZC_SECTION_END);
    zc_peer_page(&peer, 3, 0x5a);
    zc_peer_flush(&peer);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got a page by the route memfd");
}
END_TEST

START_TEST(descriptors_that_nobody_asked_for)
{
    const uint32_t one = GUINT32_TO_BE(1);
    int fd = good_memory();

    meet(ZC_SESSION_ROUTE_MEMFD, true);
    pass_one(good_memory());
    begin_ram(BYTES);
    hear_mapped();
    zc_stream_put_command(peer.out, ZC_COMMAND_PING, &one, sizeof(one));
    ck_assert_int_eq(
        zc_io_write_fds(peer.main_fd, peer.out->data, peer.out->len, &fd, 1, ZC_DEADLINE_NEVER, -1),
        0);
    close(fd);
    expect_failure(ZCMIG_ERROR_PROTOCOL, "got descriptors that nobody asked for");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memfd-lying-source");
    TCase *tcase = tcase_create("lies");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_honest_one_is_served);
    tcase_add_test(tcase, memory_that_can_be_sealed_is);
    tcase_add_test(tcase, memory_that_may_shrink);
    tcase_add_loop_test(tcase, memory_of_another_length, 0, 2);
    tcase_add_test(tcase, a_terabyte_that_is_not_there);
    tcase_add_test(tcase, memory_that_cannot_be_written);
    tcase_add_test(tcase, a_descriptor_that_may_only_be_read);
    tcase_add_test(tcase, a_file);
    tcase_add_loop_test(tcase, something_that_is_no_memory, 0, 3);
    tcase_add_test(tcase, no_descriptor);
    tcase_add_test(tcase, too_many_descriptors);
    tcase_add_test(tcase, far_too_many_descriptors);
    tcase_add_test(tcase, memory_of_more_blocks_than_there_are);
    tcase_add_test(tcase, other_memory_than_it_says);
    tcase_add_test(tcase, ram_without_its_memory);
    tcase_add_test(tcase, memory_by_another_route);
    tcase_add_test(tcase, memory_that_comes_twice);
    tcase_add_test(tcase, memory_of_an_image);
    tcase_add_test(tcase, a_page_that_moves);
    tcase_add_test(tcase, descriptors_that_nobody_asked_for);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
