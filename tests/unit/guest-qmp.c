/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor client against a QEMU that follows a script, line by line. */
#include "config.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "guest/qmp.h"
#include "lib/unit.h"

#define GREETING                                                                                   \
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "             \
    "\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define NEGOTIATED "{\"return\": {}, \"id\": 1}\r\n"
#define STOP_EVENT "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n"
#define RESUME_EVENT "{\"event\": \"RESUME\", \"data\": {\"n\": 7}}\r\n"

/* What the client is expected to say, and what it is then told. */
struct step {
    const char *expected; /* part of the line; NULL: the end of the script, which closes */
    const char *answer;
};

struct server {
    int fd;
    const char *greeting;
    const struct step *steps;
    bool byte_by_byte;
    char *wrong; /* set by the thread: what did not follow the script */
    GThread *thread;
    int client_fd;
};

static void server_say(struct server *server, const char *text)
{
    size_t step = server->byte_by_byte ? 1 : strlen(text);

    for (size_t at = 0; step && at < strlen(text); at += step) {
        if (send(server->fd, text + at, step, MSG_NOSIGNAL) < 0) {
            return;
        }
    }
}

static gpointer server_main(gpointer data)
{
    struct server *server = data;

    server_say(server, server->greeting);
    for (const struct step *step = server->steps; step->expected; step++) {
        char line[512] = "";
        for (size_t length = 0; length < sizeof(line) - 1; length++) {
            if (recv(server->fd, line + length, 1, 0) != 1 || line[length] == '\n') {
                break;
            }
        }
        if (!strstr(line, step->expected)) {
            server->wrong = g_strdup_printf("got '%s', expected '%s' in it", line, step->expected);
            break;
        }
        server_say(server, step->answer);
    }
    shutdown(server->fd, SHUT_WR);
    return NULL;
}

static void server_start(struct server *server)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    server->client_fd = pair[0];
    server->fd = pair[1];
    server->greeting = server->greeting ? server->greeting : GREETING;
    server->thread = g_thread_new("server", server_main, server);
}

static void server_join(struct server *server)
{
    g_thread_join(server->thread);
    close(server->fd);
    ck_assert_msg(server->wrong == NULL, "%s", server->wrong);
}

static struct zc_qmp *connected(struct server *server, int wake_fd)
{
    GError *error = NULL;

    server_start(server);
    struct zc_qmp *qmp = zc_qmp_new(server->client_fd, zc_deadline_in(5000), wake_fd, &error);
    ck_assert_msg(qmp != NULL, "%s", error ? error->message : "");
    return qmp;
}

START_TEST(a_command_returns_what_qemu_returned)
{
    static const struct step steps[] = {
        { "\"execute\":\"qmp_capabilities\"", NEGOTIATED },
        { "\"arguments\":{\"name\":\"x\"}",
          "{\"return\": {\"status\": \"running\"}, \"id\": 2}\r\n" },
        { NULL, NULL },
    };
    struct server server = { .steps = steps, .byte_by_byte = _i };
    struct zc_qmp *qmp = connected(&server, -1);
    JsonObject *arguments = json_object_new();

    ck_assert_uint_eq(zc_qmp_get_version(qmp).major, 7);
    ck_assert_uint_eq(zc_qmp_get_version(qmp).minor, 2);
    ck_assert_uint_eq(zc_qmp_get_version(qmp).micro, 22);
    json_object_set_string_member(arguments, "name", "x");
    JsonNode *returned = zc_qmp_execute(qmp, "query-status", arguments, zc_deadline_in(5000), NULL);
    ck_assert_ptr_nonnull(returned);
    ck_assert_str_eq(json_object_get_string_member(json_node_get_object(returned), "status"),
                     "running");
    json_node_unref(returned);
    zc_qmp_free(qmp);
    server_join(&server);
}
END_TEST

START_TEST(what_qemu_refuses_comes_in_its_own_words)
{
    static const struct step steps[] = {
        { "qmp_capabilities", NEGOTIATED },
        { "\"migrate\"", "{\"id\": 2, \"error\": {\"class\": \"GenericError\", "
                         "\"desc\": \"There's a migration process in progress\"}}\r\n" },
        { "\"fly\"", "{\"id\": 3, \"error\": {\"class\": \"CommandNotFound\", "
                     "\"desc\": \"The command fly has not been found\"}}\r\n" },
        { "\"odd\"", "{\"id\": 4}\r\n" },
        { "\"unparsed\"", "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON\"}}\r\n" },
        { NULL, NULL },
    };
    struct server server = { .steps = steps };
    struct zc_qmp *qmp = connected(&server, -1);
    GError *error = NULL;

    ck_assert(!zc_qmp_run(qmp, "migrate", NULL, zc_deadline_in(5000), &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PEER,
                         "QEMU: migrate: There's a migration process in progress");
    ck_assert(!zc_qmp_run(qmp, "fly", NULL, zc_deadline_in(5000), &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_UNSUPPORTED, "fly has not been found");
    ck_assert(!zc_qmp_run(qmp, "odd", NULL, zc_deadline_in(5000), &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "neither 'return' nor 'error'");
    ck_assert(!zc_qmp_run(qmp, "unparsed", NULL, zc_deadline_in(5000), &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PEER, "JSON");
    zc_qmp_free(qmp);
    server_join(&server);
}
END_TEST

START_TEST(events_among_answers_are_kept_in_order)
{
    static const struct step steps[] = {
        { "qmp_capabilities", STOP_EVENT NEGOTIATED },
        { "\"cont\"", RESUME_EVENT "{\"return\": {}, \"id\": 2}\r\n" STOP_EVENT },
        { NULL, NULL },
    };
    struct server server = { .steps = steps };
    struct zc_qmp *qmp = connected(&server, -1);
    GError *error = NULL;

    ck_assert(zc_qmp_run(qmp, "cont", NULL, zc_deadline_in(5000), &error));
    JsonObject *event = zc_qmp_wait_event(qmp, "RESUME", zc_deadline_in(5000), &error);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(json_object_get_int_member(json_object_get_object_member(event, "data"), "n"),
                     7);
    json_object_unref(event);

    /* The first STOP was passed over, not lost; the second comes last. */
    for (int i = 0; i < 2; i++) {
        event = zc_qmp_wait_event(qmp, "STOP", zc_deadline_in(5000), &error);
        ck_assert_ptr_nonnull(event);
        ck_assert(json_object_has_member(event, "timestamp"));
        json_object_unref(event);
    }
    ck_assert_ptr_null(zc_qmp_take_event(qmp));
    ck_assert_ptr_null(zc_qmp_wait_event(qmp, "STOP", zc_deadline_in(5000), &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_DISCONNECTED, "QEMU closed its monitor");
    zc_qmp_free(qmp);
    server_join(&server);
}
END_TEST

START_TEST(of_too_many_events_the_oldest_are_dropped)
{
    GString *flood = g_string_new(NULL);
    for (unsigned int i = 0; i < ZC_QMP_EVENTS_MAX + 5; i++) {
        g_string_append_printf(flood, "{\"event\": \"E\", \"data\": {\"n\": %u}}\n", i);
    }
    g_string_append(flood, NEGOTIATED);
    const struct step steps[] = { { "qmp_capabilities", flood->str }, { NULL, NULL } };
    struct server server = { .steps = steps };
    struct zc_qmp *qmp = connected(&server, -1);

    for (unsigned int i = 0; i < ZC_QMP_EVENTS_MAX; i++) {
        JsonObject *event = zc_qmp_take_event(qmp);
        ck_assert_ptr_nonnull(event);
        ck_assert_int_eq(
            json_object_get_int_member(json_object_get_object_member(event, "data"), "n"), i + 5);
        json_object_unref(event);
    }
    ck_assert_ptr_null(zc_qmp_take_event(qmp));
    zc_qmp_free(qmp);
    server_join(&server);
    g_string_free(flood, TRUE);
}
END_TEST

START_TEST(an_answer_that_comes_late_is_not_the_next_ones)
{
    static const struct step steps[] = {
        { "qmp_capabilities", NEGOTIATED },
        { "\"slow\"", "" },
        { "\"next\"",
          "{\"return\": \"slow\", \"id\": 2}\r\n{\"return\": \"next\", \"id\": 3}\r\n" },
        { NULL, NULL },
    };
    struct server server = { .steps = steps };
    struct zc_qmp *qmp = connected(&server, -1);
    GError *error = NULL;

    ck_assert(!zc_qmp_run(qmp, "slow", NULL, zc_deadline_in(20), &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_TIMEOUT, "slow: no answer in time");
    JsonNode *returned = zc_qmp_execute(qmp, "next", NULL, zc_deadline_in(5000), &error);
    ck_assert_ptr_nonnull(returned);
    ck_assert_str_eq(json_node_get_string(returned), "next");
    json_node_unref(returned);
    zc_qmp_free(qmp);
    server_join(&server);
}
END_TEST

START_TEST(what_is_no_monitor_is_refused)
{
    static const struct {
        const char *greeting;
        int code;
        const char *part;
    } cases[] = {
        { "SSH-2.0-OpenSSH\r\n", ZCMIG_ERROR_PROTOCOL, "no JSON object" },
        { "[1]\n", ZCMIG_ERROR_PROTOCOL, "no JSON object" },
        { "{\"QMP\": 1}\n", ZCMIG_ERROR_PROTOCOL, "not QEMU's monitor" },
        { "{\"event\": \"QMP\"}\n", ZCMIG_ERROR_PROTOCOL, "not QEMU's monitor" },
        { "", ZCMIG_ERROR_DISCONNECTED, "closed" },
        { GREETING, ZCMIG_ERROR_DISCONNECTED, "qmp_capabilities" },
    };
    static const struct step steps[] = { { NULL, NULL } };
    struct server server = { .steps = steps, .greeting = cases[_i].greeting };
    GError *error = NULL;

    server_start(&server);
    ck_assert_ptr_null(zc_qmp_new(server.client_fd, zc_deadline_in(5000), -1, &error));
    zc_unit_expect_error(&error, cases[_i].code, cases[_i].part);
    server_join(&server);
}
END_TEST

START_TEST(a_line_without_end_is_refused)
{
    static const struct step steps[] = { { NULL, NULL } };
    g_autofree char *line = g_malloc(ZC_QMP_LINE_BYTES_MAX + 20000);
    memset(line, ' ', ZC_QMP_LINE_BYTES_MAX + 20000);
    line[ZC_QMP_LINE_BYTES_MAX + 19999] = '\0';
    struct server server = { .steps = steps, .greeting = line };
    GError *error = NULL;

    server_start(&server);
    ck_assert_ptr_null(zc_qmp_new(server.client_fd, zc_deadline_in(20000), -1, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_LIMIT, "got a line of over 16777216 bytes");
    server_join(&server);
}
END_TEST

START_TEST(waking_ends_a_wait)
{
    static const struct step steps[] = {
        { "qmp_capabilities", NEGOTIATED },
        { "\"never\"", "" },
        { "no more", "" },
        { NULL, NULL },
    };
    int wake_fd = eventfd(0, EFD_CLOEXEC);
    struct server server = { .steps = steps };
    struct zc_qmp *qmp = connected(&server, wake_fd);
    GError *error = NULL;

    eventfd_write(wake_fd, 1);
    ck_assert(!zc_qmp_run(qmp, "never", NULL, ZC_DEADLINE_NEVER, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_CANCELLED, "never: cancelled");
    zc_qmp_free(qmp);
    g_thread_join(server.thread);
    ck_assert_ptr_nonnull(strstr(server.wrong, "got ''")); /* the script's end was not reached */
    g_free(server.wrong);
    close(server.fd);
    close(wake_fd);
}
END_TEST

START_TEST(a_socket_that_is_not_there_is_named)
{
    GError *error = NULL;

    ck_assert_ptr_null(zc_qmp_connect("/nonexistent/monitor", zc_deadline_in(1000), -1, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_CONNECT, "/nonexistent/monitor");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest/qmp");
    TCase *tcase = tcase_create("qmp");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_command_returns_what_qemu_returned, 0, 2);
    tcase_add_test(tcase, what_qemu_refuses_comes_in_its_own_words);
    tcase_add_test(tcase, events_among_answers_are_kept_in_order);
    tcase_add_test(tcase, of_too_many_events_the_oldest_are_dropped);
    tcase_add_test(tcase, an_answer_that_comes_late_is_not_the_next_ones);
    tcase_add_loop_test(tcase, what_is_no_monitor_is_refused, 0, 6);
    tcase_add_test(tcase, a_line_without_end_is_refused);
    tcase_add_test(tcase, waking_ends_a_wait);
    tcase_add_test(tcase, a_socket_that_is_not_there_is_named);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
