/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By the route pull it ends before it is done: cancelled from either end, the
 * source killed.  Both ends stop, say why, and leave nothing.
 */
#include "config.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/unit.h"

#define PAGES 4000u

static char *dir;
static char *image;
static char *source;
static char *output;
static char *address;

static void setup(void)
{
    dir = zc_unit_make_dir();
    image = zc_pair_make_image(dir, PAGES, zc_unit_seed());
    source = g_strdup_printf("file:%s", image);
    output = g_build_filename(dir, "output.img", NULL);
    address = g_strdup_printf("unix:%s/socket", dir);
}

static void teardown(void)
{
    zc_unit_remove_dir(dir);
    g_free(image);
    g_free(source);
    g_free(output);
    g_free(address);
}

static void init(struct zc_pair *pair)
{
    zc_pair_init(pair, source, output);
    pair->recv.listen = address;
    pair->send.route = ZCMIG_ROUTE_PULL;
    pair->send.max_bandwidth = 8 << 20;
    pair->send.channels = 3;
}

/* Waits until some pages were fetched, so that what follows happens in the middle. */
static void wait_until_active(zcmig_session *receiver)
{
    struct zcmig_stats stats;

    do {
        g_thread_yield();
        zcmig_session_get_stats(receiver, &stats);
    } while (stats.state == ZCMIG_STATE_SETUP ||
             (stats.state == ZCMIG_STATE_ACTIVE && stats.normal_pages < 100));
}

START_TEST(either_end_cancels)
{
    struct zc_pair pair;

    init(&pair);
    zc_pair_start_receiver(&pair);
    zc_pair_start_sender(&pair, NULL);
    wait_until_active(pair.receiver);
    zcmig_session_cancel(_i ? pair.sender : pair.receiver);
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_CANCELLED,
                         _i ? "cancelled" : "cancelled by the destination");
    zc_unit_expect_error(&pair.recv_error, ZCMIG_ERROR_CANCELLED,
                         _i ? "cancelled by the source" : "cancelled");
    ck_assert(access(output, F_OK) < 0);
    zc_pair_clear(&pair);
}
END_TEST

/* The sender in a process of its own, which waits for a byte from @go_fd first. */
static pid_t fork_sender(struct zc_pair *pair, int go_fd)
{
    GError *error = NULL;
    char byte;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child > 0) {
        return child;
    }
    pair->send.destination = address;
    zcmig_session *session = read(go_fd, &byte, 1) == 1 ? zcmig_send_new(&pair->send, &error) : NULL;
    _exit(session && zcmig_session_run(session, &error) ? 0 : 1);
}

START_TEST(the_source_is_killed)
{
    struct zc_pair pair;
    int go[2], status;

    ck_assert_int_eq(pipe(go), 0);
    init(&pair);
    pid_t child = fork_sender(&pair, go[0]);
    zc_pair_start_receiver(&pair);
    ck_assert_int_eq(write(go[1], "", 1), 1);
    wait_until_active(pair.receiver);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    zc_pair_join(&pair);
    ck_assert(!pair.recv_ok);
    ck_assert_msg(pair.recv_error->code == ZCMIG_ERROR_DISCONNECTED, "%s",
                  pair.recv_error->message);
    ck_assert(access(output, F_OK) < 0);
    zc_pair_clear(&pair);
    close(go[0]);
    close(go[1]);
}
END_TEST

START_TEST(the_source_shrinks)
{
    struct zc_pair pair;

    init(&pair);
    zc_pair_start_receiver(&pair);
    zc_pair_start_sender(&pair, NULL);
    wait_until_active(pair.receiver);
    ck_assert_int_eq(truncate(image, 10 * 4096), 0);
    zc_pair_join(&pair);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_SOURCE, "source.img");
    ck_assert(!pair.recv_ok);
    ck_assert(access(output, F_OK) < 0);
    zc_pair_clear(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pull-broken-off");
    TCase *tcase = tcase_create("broken off");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, either_end_cancels, 0, 2);
    tcase_add_test(tcase, the_source_is_killed);
    tcase_add_test(tcase, the_source_shrinks);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
