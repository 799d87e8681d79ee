/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include <zcmig/error.h>

#include "lib/unit.h"
#include "net/addr.h"

static void parse(const char *uri, struct zc_addr *addr)
{
    GError *error = NULL;

    ck_assert_msg(zc_addr_parse(uri, addr, &error), "%s: %s", uri, error ? error->message : "");
}

START_TEST(what_is_parsed_is_formatted_again)
{
    static const char *const uris[] = {
        "tcp:127.0.0.1:4444", "tcp:[::1]:0",  "tcp:[fe80::1%lo]:1", "tcp:host.example:65535",
        "tcp::4444",          "unix:/tmp/s",  "unix:a:b",           "vsock:2:99",
        "vsock:any:4444",     "fd:3",         "null:",
    };
    struct zc_addr addr;

    for (size_t i = 0; i < G_N_ELEMENTS(uris); i++) {
        parse(uris[i], &addr);
        g_autofree char *text = zc_addr_format(&addr);
        ck_assert_str_eq(text, uris[i]);
        zc_addr_clear(&addr);
    }
    parse("vsock:host:1", &addr);
    ck_assert_uint_eq(addr.cid, 2);
    zc_addr_clear(&addr);
}
END_TEST

START_TEST(bad_addresses_are_refused_with_what_is_allowed)
{
    static const struct {
        const char *uri, *part;
    } bad[] = {
        { "", "allowed are tcp:HOST:PORT" },
        { "rdma:h:1", "allowed are tcp:HOST:PORT" },
        { "tcp:host", "allowed is tcp:HOST:PORT" },
        { "tcp:host:", "tcp port: got ''" },
        { "tcp:host:65536", "allowed are 0 to 65535" },
        { "tcp:host:-1", "tcp port: got '-1'" },
        { "tcp:host:12x", "tcp port: got '12x'" },
        { "tcp:::1:4444", "in brackets" },
        { "tcp:[::1:4444", "written [ADDRESS]" },
        { "tcp:[]:4444", "written [ADDRESS]" },
        { "unix:", "got 0 characters" },
        { "vsock:4", "vsock:CID:PORT" },
        { "vsock:x:4", "got 'x'" },
        { "fd:", "file descriptor" },
        { "fd:2147483648", "0 to 2147483647" },
        { "null:x", "nothing may follow" },
    };
    struct zc_addr addr;
    GError *error = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        ck_assert_msg(!zc_addr_parse(bad[i].uri, &addr, &error), "'%s' was taken", bad[i].uri);
        zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, bad[i].part);
    }
    g_autofree char *path = g_strnfill(108, 'p');
    g_autofree char *uri = g_strconcat("unix:", path, NULL);
    ck_assert(!zc_addr_parse(uri, &addr, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "got 108 characters, allowed are 1 to 107");
}
END_TEST

/* Listens, connects to what it says it is bound to, and sends a byte through. */
static void check_pair(const char *uri)
{
    struct zc_addr addr, to;
    GError *error = NULL;
    char *bound = NULL, byte = 'x';

    parse(uri, &addr);
    int listener = zc_addr_listen(&addr, 4, false, &bound, &error);
    ck_assert_msg(listener >= 0, "%s: %s", uri, error ? error->message : "");
    parse(bound, &to);
    int fd = zc_addr_connect(&to, zc_deadline_in(5000), -1, &error);
    ck_assert_msg(fd >= 0, "%s: %s", bound, error ? error->message : "");
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert(fcntl(listener, F_GETFL) & O_NONBLOCK);
    struct pollfd pollfd = { .fd = listener, .events = POLLIN };
    ck_assert_int_eq(poll(&pollfd, 1, 5000), 1);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(accepted, 0);
    ck_assert_int_eq(write(fd, &byte, 1), 1);
    ck_assert_int_eq(read(accepted, &byte, 1), 1);
    if (to.kind == ZC_ADDR_TCP) {
        int nodelay = 0;
        socklen_t length = sizeof(nodelay);
        getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &length);
        ck_assert_int_ne(nodelay, 0);
        ck_assert_uint_ne(to.port, 0);
    }
    close(fd);
    close(accepted);
    zc_addr_unlisten(&addr, listener);
    zc_addr_clear(&addr);
    zc_addr_clear(&to);
    g_free(bound);
}

START_TEST(ipv4_localhost_and_unix_listen_and_connect)
{
    g_autofree char *dir = g_dir_make_tmp("zc-addr-XXXXXX", NULL);
    g_autofree char *uri = g_strdup_printf("unix:%s/s", dir);

    check_pair("tcp:127.0.0.1:0");
    check_pair("tcp:localhost:0");
    check_pair(uri);
    ck_assert_msg(g_rmdir(dir) == 0, "the socket's path is left behind");
}
END_TEST

START_TEST(ipv6_listens_and_connects)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

    if (fd < 0 || bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) < 0) {
        printf("skipped: no IPv6 loopback address here\n");
    } else {
        check_pair("tcp:[::1]:0");
    }
    if (fd >= 0) {
        close(fd);
    }
}
END_TEST

START_TEST(every_way_to_write_a_wildcard_needs_permission)
{
    static const char *const uris[] = { "tcp::0", "tcp:0.0.0.0:0", "tcp:0:0", "tcp:[::]:0",
                                        "tcp:[::ffff:0.0.0.0]:0" };
    struct zc_addr addr;
    GError *error = NULL;
    char *bound = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(uris); i++) {
        parse(uris[i], &addr);
        ck_assert_int_eq(zc_addr_listen(&addr, 1, false, &bound, &error), -1);
        zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "every address");
        zc_addr_clear(&addr);
    }
    parse("tcp::0", &addr);
    int listener = zc_addr_listen(&addr, 1, true, &bound, &error);
    ck_assert_int_ge(listener, 0);
    g_free(bound);
    zc_addr_unlisten(&addr, listener);
    zc_addr_clear(&addr);
}
END_TEST

START_TEST(only_a_stale_unix_socket_is_replaced)
{
    g_autofree char *dir = g_dir_make_tmp("zc-addr-XXXXXX", NULL);
    g_autofree char *uri = g_strdup_printf("unix:%s/s", dir);
    struct zc_addr addr;
    GError *error = NULL;
    char *bound = NULL, *again = NULL;

    parse(uri, &addr);
    int listener = zc_addr_listen(&addr, 1, false, &bound, &error);
    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(zc_addr_listen(&addr, 1, false, &again, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_CONNECT, "in use");
    close(listener); /* as a killed listener: the path stays */
    g_free(bound);
    listener = zc_addr_listen(&addr, 1, false, &bound, &error);
    ck_assert_msg(listener >= 0, "%s", error ? error->message : "");
    zc_addr_unlisten(&addr, listener);
    g_free(bound);

    ck_assert(g_file_set_contents(addr.host, "precious", -1, NULL));
    ck_assert_int_eq(zc_addr_listen(&addr, 1, false, &again, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_CONNECT, "File exists");
    g_unlink(addr.host);
    g_rmdir(dir);
    zc_addr_clear(&addr);
}
END_TEST

START_TEST(a_refused_connection_names_the_address)
{
    struct zc_addr addr;
    GError *error = NULL;
    char *bound = NULL;

    parse("tcp:127.0.0.1:0", &addr);
    int listener = zc_addr_listen(&addr, 1, false, &bound, &error);
    zc_addr_unlisten(&addr, listener);
    zc_addr_clear(&addr);
    parse(bound, &addr);
    ck_assert_int_eq(zc_addr_connect(&addr, zc_deadline_in(5000), -1, &error), -1);
    ck_assert_int_eq(zcmig_error_get_errno(error), ECONNREFUSED);
    zc_unit_expect_error(&error, ZCMIG_ERROR_CONNECT, bound);
    zc_addr_clear(&addr);
    g_free(bound);

    parse("unix:/nonexistent/socket", &addr);
    ck_assert_int_eq(zc_addr_connect(&addr, zc_deadline_in(5000), -1, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_CONNECT, "/nonexistent/socket");
    zc_addr_clear(&addr);
    parse("tcp:name.invalid:1", &addr);
    ck_assert_int_eq(zc_addr_connect(&addr, zc_deadline_in(5000), -1, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_CONNECT, "cannot resolve host 'name.invalid'");
    zc_addr_clear(&addr);
    parse("tcp:127.0.0.1:0", &addr);
    ck_assert_int_eq(zc_addr_connect(&addr, zc_deadline_in(5000), -1, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "no address that can be connected to");
    zc_addr_clear(&addr);
}
END_TEST

/* A UNIX listener whose backlog is full never answers: the one portable way to wait for ever. */
START_TEST(a_wait_ends_at_its_deadline_and_when_woken)
{
    g_autofree char *dir = g_dir_make_tmp("zc-addr-XXXXXX", NULL);
    g_autofree char *uri = g_strdup_printf("unix:%s/s", dir);
    struct zc_addr addr;
    GError *error = NULL;
    char *bound = NULL;
    int fds[8], n = 0, fd;
    const uint64_t one = 1;

    parse(uri, &addr);
    int listener = zc_addr_listen(&addr, 0, false, &bound, &error);
    while (n < 8 && (fd = zc_addr_connect(&addr, zc_deadline_in(50), -1, &error)) >= 0) {
        fds[n++] = fd;
    }
    zc_unit_expect_error(&error, ZCMIG_ERROR_TIMEOUT, bound);
    int wake = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_eq(write(wake, &one, sizeof(one)), sizeof(one));
    ck_assert_int_eq(zc_addr_connect(&addr, ZC_DEADLINE_NEVER, wake, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_CANCELLED, bound);
    while (n > 0) {
        close(fds[--n]);
    }
    close(wake);
    zc_addr_unlisten(&addr, listener);
    zc_addr_clear(&addr);
    g_free(bound);
    g_rmdir(dir);
}
END_TEST

START_TEST(an_inherited_descriptor_must_be_a_connected_stream)
{
    struct zc_addr addr = { .kind = ZC_ADDR_FD };
    GError *error = NULL;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    addr.fd = pair[0];
    ck_assert_int_eq(zc_addr_connect(&addr, ZC_DEADLINE_NEVER, -1, &error), pair[0]);
    ck_assert(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
    close(pair[0]);
    close(pair[1]);

    addr.fd = open("/dev/null", O_RDWR);
    ck_assert_int_eq(zc_addr_connect(&addr, ZC_DEADLINE_NEVER, -1, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "is no socket");
    close(addr.fd);
    ck_assert_int_eq(zc_addr_connect(&addr, ZC_DEADLINE_NEVER, -1, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "Bad file descriptor");
    addr.fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_eq(zc_addr_connect(&addr, ZC_DEADLINE_NEVER, -1, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "datagram");
    close(addr.fd);
    addr.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(zc_addr_connect(&addr, ZC_DEADLINE_NEVER, -1, &error), -1);
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, "connected stream socket");
    close(addr.fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net-addr");
    TCase *tcase = tcase_create("addr");

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, what_is_parsed_is_formatted_again);
    tcase_add_test(tcase, bad_addresses_are_refused_with_what_is_allowed);
    tcase_add_test(tcase, ipv4_localhost_and_unix_listen_and_connect);
    tcase_add_test(tcase, ipv6_listens_and_connects);
    tcase_add_test(tcase, every_way_to_write_a_wildcard_needs_permission);
    tcase_add_test(tcase, only_a_stale_unix_socket_is_replaced);
    tcase_add_test(tcase, a_refused_connection_names_the_address);
    tcase_add_test(tcase, a_wait_ends_at_its_deadline_and_when_woken);
    tcase_add_test(tcase, an_inherited_descriptor_must_be_a_connected_stream);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
