/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/random.h"

#define PAGE 4096u

void zc_pair_init(struct zc_pair *pair, const char *source_uri, const char *output)
{
    memset(pair, 0, sizeof(*pair));
    zcmig_send_options_init(&pair->send);
    zcmig_recv_options_init(&pair->recv);
    pair->send.source = source_uri;
    pair->recv.listen = "tcp:127.0.0.1:0";
    pair->recv.output = output;
    pair->recv.accept_timeout_ms = 20000;
    pair->send.stall_timeout_ms = 20000;
    pair->recv.stall_timeout_ms = 20000;
    alarm(ZC_PAIR_WATCHDOG_S);
}

static gpointer run_receiver(gpointer data)
{
    struct zc_pair *pair = data;

    pair->recv_ok = zcmig_session_run(pair->receiver, &pair->recv_error);
    return NULL;
}

static gpointer run_sender(gpointer data)
{
    struct zc_pair *pair = data;

    pair->send_ok = zcmig_session_run(pair->sender, &pair->send_error);
    return NULL;
}

void zc_pair_start_receiver(struct zc_pair *pair)
{
    GError *error = NULL;

    pair->receiver = zcmig_recv_new(&pair->recv, &error);
    ck_assert_msg(pair->receiver != NULL, "receiver: %s", error ? error->message : "");
    pair->recv_thread = g_thread_new("receiver", run_receiver, pair);
}

void zc_pair_start_sender(struct zc_pair *pair, const char *via)
{
    GError *error = NULL;

    if (!pair->send.destination) {
        pair->send.destination = via ? via : zcmig_session_get_address(pair->receiver);
    }
    pair->sender = zcmig_send_new(&pair->send, &error);
    ck_assert_msg(pair->sender != NULL, "sender: %s", error ? error->message : "");
    if (pair->prepare) {
        pair->prepare(pair->sender, pair->prepare_data);
    }
    pair->send_thread = g_thread_new("sender", run_sender, pair);
}

void zc_pair_join(struct zc_pair *pair)
{
    if (pair->send_thread) {
        g_thread_join(pair->send_thread);
        zcmig_session_get_stats(pair->sender, &pair->send_stats);
    }
    if (pair->recv_thread) {
        g_thread_join(pair->recv_thread);
        zcmig_session_get_stats(pair->receiver, &pair->recv_stats);
    }
    pair->send_thread = pair->recv_thread = NULL;
}

void zc_pair_clear(struct zc_pair *pair)
{
    zc_pair_join(pair);
    g_clear_error(&pair->send_error);
    g_clear_error(&pair->recv_error);
    zcmig_session_free(pair->sender);
    zcmig_session_free(pair->receiver);
    alarm(0);
}

void zc_pair_run(struct zc_pair *pair)
{
    zc_pair_start_receiver(pair);
    zc_pair_start_sender(pair, NULL);
    zc_pair_join(pair);
}

/* --------------------------------------------------------------------- images */

char *zc_pair_make_image(const char *dir, uint64_t n_pages, uint64_t seed)
{
    char *path = g_build_filename(dir, "source.img", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t words[PAGE / 8];
    struct zc_random random;

    ck_assert_int_ge(fd, 0);
    zc_random_init(&random, seed);
    ck_assert_int_eq(ftruncate(fd, (off_t)(n_pages * PAGE)), 0);
    for (uint64_t page = 0; page < n_pages; page++) {
        if (zc_random_below(&random, 4) == 0) {
            continue;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
            words[i] = zc_random_next(&random);
        }
        words[0] = page + 1; /* no page of data looks like another, or like zero */
        ck_assert_int_eq(pwrite(fd, words, PAGE, (off_t)(page * PAGE)), PAGE);
    }
    close(fd);
    return path;
}

bool zc_pair_same_files(const char *a, const char *b)
{
    g_autoptr(GMappedFile) file_a = g_mapped_file_new(a, FALSE, NULL);
    g_autoptr(GMappedFile) file_b = g_mapped_file_new(b, FALSE, NULL);

    return file_a && file_b &&
           g_mapped_file_get_length(file_a) == g_mapped_file_get_length(file_b) &&
           memcmp(g_mapped_file_get_contents(file_a), g_mapped_file_get_contents(file_b),
                  g_mapped_file_get_length(file_a)) == 0;
}
