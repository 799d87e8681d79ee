/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both ends of a migration in one process, each in a thread of its own, and
 * optionally a meddler between them: a proxy that understands multifd packets
 * and may change them on the way, cut connections, or stop reading.
 */
#ifndef ZC_TESTS_PAIR_H
#define ZC_TESTS_PAIR_H

#include <stdbool.h>

#include <zcmig/zcmig.h>

#include "wire/multifd.h"

/* What an end that hangs would do: the watchdog ends the test after so many seconds. */
#define ZC_PAIR_WATCHDOG_S 60

struct zc_pair {
    /* set before zc_pair_start; init fills in the defaults, tcp on a free port */
    struct zcmig_send_options send;
    struct zcmig_recv_options recv;
    /* looks into the source's end before it runs; NULL: none */
    void (*prepare)(zcmig_session *sender, void *data);
    void *prepare_data;
    /* after zc_pair_start */
    zcmig_session *sender;
    zcmig_session *receiver;
    /* after zc_pair_join */
    bool send_ok;
    bool recv_ok;
    GError *send_error;
    GError *recv_error;
    struct zcmig_stats send_stats;
    struct zcmig_stats recv_stats;
    GThread *send_thread;
    GThread *recv_thread;
};

void zc_pair_init(struct zc_pair *pair, const char *source_uri, const char *output);
/* Starts the receiver; the sender connects to @via (NULL: to the receiver itself). */
void zc_pair_start_receiver(struct zc_pair *pair);
void zc_pair_start_sender(struct zc_pair *pair, const char *via);
/* Waits for both and takes their results. */
void zc_pair_join(struct zc_pair *pair);
void zc_pair_clear(struct zc_pair *pair);

/* All of the above for the plain case. */
void zc_pair_run(struct zc_pair *pair);

/* --------------------------------------------------------------------- images */

/* Makes a sparse file of @n_pages in @dir: about a quarter zeros, the rest drawn from @seed. */
char *zc_pair_make_image(const char *dir, uint64_t n_pages, uint64_t seed);
/* Whether two files are the same to the byte. */
bool zc_pair_same_files(const char *a, const char *b);

/* -------------------------------------------------------------------- meddler */

struct zc_meddler;

/*
 * Called with each multifd packet on its way to the destination; may change both, and the number
 * of payload pages with packet->n_normal.  Returns false to cut all connections.  Serialised.
 */
typedef bool (*zc_meddle_fn)(struct zc_multifd_packet *packet, uint8_t *payload, void *data);

/* Listens; connects each connection it gets to @destination (tcp:127.0.0.1:PORT). */
struct zc_meddler *zc_meddler_start(const char *destination, zc_meddle_fn meddle, void *data);
const char *zc_meddler_address(struct zc_meddler *meddler);
/* Cut every connection (with a reset when @reset) after so many bytes of all from the source. */
void zc_meddler_cut_after(struct zc_meddler *meddler, uint64_t bytes, bool reset);
/* Connections that are made after a cut are not cut, unless a cut is asked for again. */
void zc_meddler_cut_once(struct zc_meddler *meddler);
/* Take no more connections. */
void zc_meddler_refuse(struct zc_meddler *meddler);
/* Take nothing more from the source after so many bytes, but keep the connections. */
void zc_meddler_stall_after(struct zc_meddler *meddler, uint64_t bytes);
/* The same cut, after so many bytes of all from the destination. */
void zc_meddler_cut_back_after(struct zc_meddler *meddler, uint64_t bytes);
/* Calls @call once, after so many bytes of all from the source, before the last are passed on. */
void zc_meddler_call_after(struct zc_meddler *meddler, uint64_t bytes, void (*call)(void *data),
                           void *data);
/* Connections from now on hold no more than so many bytes that were not taken off them. */
void zc_meddler_narrow(struct zc_meddler *meddler, int bytes);
uint64_t zc_meddler_bytes(struct zc_meddler *meddler);
uint64_t zc_meddler_bytes_back(struct zc_meddler *meddler);
void zc_meddler_stop(struct zc_meddler *meddler);

#endif
