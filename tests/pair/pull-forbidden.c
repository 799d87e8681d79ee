/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By the route pull the kernel decides whether the receiver may read the
 * source.  When it may not, both ends end before a page moved, and say what
 * would help.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/rights.h"
#include "lib/unit.h"

/* The receiver, as somebody who may not read its parent: the exit status of its process. */
static int receive(const char *address, int ready_fd)
{
    struct zcmig_recv_options options;
    struct zcmig_stats stats;
    GError *error = NULL;

    if (geteuid() == 0 && !zc_drop_rights()) {
        return 2;
    }
    zcmig_recv_options_init(&options);
    options.listen = address;
    options.accept_timeout_ms = 20000;
    zcmig_session *session = zcmig_recv_new(&options, &error);
    if (!session) {
        fprintf(stderr, "receiver: %s\n", error->message);
        return 3;
    }
    if (write(ready_fd, "", 1) != 1 || zcmig_session_run(session, &error)) {
        return 4;
    }
    zcmig_session_get_stats(session, &stats);
    bool right = error->code == ZCMIG_ERROR_UNSUPPORTED && stats.normal_pages == 0 &&
                 strstr(error->message, "cannot read the memory of the source, process ");
    fprintf(stderr, "receiver: %s\n", error->message);
    zcmig_session_free(session);
    g_error_free(error);
    return right ? 0 : 5;
}

START_TEST(a_receiver_that_may_not_read_the_source)
{
    char *dir = zc_unit_make_dir();
    g_autofree char *image = zc_pair_make_image(dir, 500, zc_unit_seed());
    g_autofree char *source = g_strdup_printf("file:%s", image);
    g_autofree char *address = g_strdup_printf("unix:%s/socket", dir);
    struct zc_pair pair;
    int ready[2], status;
    char byte;

    g_autofree char *parent = g_path_get_dirname(dir);
    /* Nobody has to find the way, too; the one above is this run's own. */
    ck_assert_int_eq(chmod(parent, 0711), 0);
    ck_assert_int_eq(chmod(dir, 0777), 0);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(receive(address, ready[1]));
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    /* For the same user too. */
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), 0);
    zc_pair_init(&pair, source, NULL);
    pair.send.destination = address;
    pair.send.route = ZCMIG_ROUTE_PULL;
    zc_pair_start_sender(&pair, NULL);
    zc_pair_join(&pair);
    ck_assert(!pair.send_ok);
    zc_unit_expect_error(&pair.send_error, ZCMIG_ERROR_PEER,
                         "the destination failed: cannot read the memory of the source");
    zc_pair_clear(&pair);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "receiver: status 0x%x", status);
    close(ready[0]);
    zc_unit_remove_dir(dir);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pull-forbidden");
    TCase *tcase = tcase_create("forbidden");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_test(tcase, a_receiver_that_may_not_read_the_source);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
