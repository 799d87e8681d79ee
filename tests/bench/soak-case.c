/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "bench/soak-case.h"
#include "bench/soak-later.h"
#include "lib/pair.h"
#include "lib/random.h"

#define MIB (UINT64_C(1) << 20)
#define DEADLINE_MS 20000 /* of each wait: far more than any takes, far less than the watchdog's */
#define STALL_MS 400      /* of both ends, when the peer is made to stall */
#define RECONNECT_MS 3000
#define BEGUN_BYTES (64u << 10) /* behind so many there is something to go on with */
#define TIMEOUT_MS 1500   /* of the migration: what does not converge by then does not */

static const char *const way_names[] = { "tcp", "unix", "pull", "memfd" };
static const char *const fault_names[] = { "none", "cancel-source", "cancel-destination", "cut",
                                           "reset", "cut-back",      "stall" };

const char *const soak_engine_names[] = { "auto", "copy", "zerocopy", "io_uring", "splice" };
const char *const soak_verify_names[] = { "off", "after", "before" };
const char *const soak_tracker_names[] = { "auto", "scan", "fault" };
const char *const soak_zerocopy_names[] = { "off", "auto", "on" };

/* --------------------------------------------------------------------- draw */

static unsigned int draw(struct zc_random *random, unsigned int limit)
{
    return (unsigned int)zc_random_below(random, limit);
}

static char *draw_guest(struct zc_random *random, uint64_t size_bytes, bool memfd)
{
    static const char *const patterns[] = { "seq", "random", "zipf", "hot:0.1", "hot:0.02" };
    static const char *const rates[] = { "0", "1M", "20M", "100M", "400M", "max" };
    static const char *const fills[] = { "random", "zero:0.3", "zero:0.9" };
    const char *pattern = patterns[draw(random, G_N_ELEMENTS(patterns))];
    const char *rate = rates[draw(random, G_N_ELEMENTS(rates))];
    const char *fill = fills[draw(random, G_N_ELEMENTS(fills))];
    unsigned int writers = 1 + draw(random, 4);
    bool shared = draw(random, 4) == 0 || memfd;
    bool huge = draw(random, 6) == 0;

    return g_strdup_printf("guest:%" G_GUINT64_FORMAT
                           "M,dirty=%s,pattern=%s,writers=%u,fill=%s,seed=%u%s%s",
                           size_bytes / MIB, rate, pattern, writers, fill, draw(random, 1000000),
                           shared ? ",memory=memfd" : "", huge ? ",hugepages" : "");
}

static void draw_send(struct zc_random *random, struct soak_case *soak)
{
    static const uint64_t bandwidths[] = { 0, 0, 0, 256 * MIB, 512 * MIB };
    struct zcmig_send_options *send = &soak->send;

    zcmig_send_options_init(send);
    send->channels = 1 + draw(random, 8);
    send->zerocopy = (enum zcmig_zerocopy)draw(random, ZCMIG_ZEROCOPY_ON + 1);
    /* Without zero-copy there are two. */
    send->engine = (enum zcmig_engine)draw(
        random, 1 + (send->zerocopy == ZCMIG_ZEROCOPY_OFF ? ZCMIG_ENGINE_COPY : ZCMIG_ENGINE_SPLICE));
    send->verify = (enum zcmig_verify)draw(random, ZCMIG_VERIFY_BEFORE + 1);
    send->tracker = (enum zcmig_tracker)draw(random, ZCMIG_TRACKER_FAULT + 1);
    send->packet_pages = 1 + draw(random, 128);
    send->merge_pages = draw(random, 4) != 0;
    send->max_bandwidth = bandwidths[draw(random, G_N_ELEMENTS(bandwidths))];
    send->downtime_limit_ms = 1 + draw(random, 100);
    send->timeout_ms = TIMEOUT_MS;
    send->timeout_policy = (enum zcmig_timeout_policy)draw(random, 2);
    send->auto_converge = draw(random, 2);
    send->run_for_ms = 1 + draw(random, 20);
    send->stall_timeout_ms = soak->fault == SOAK_STALL ? STALL_MS : DEADLINE_MS;
    send->connect_timeout_ms = DEADLINE_MS;
    switch (soak->way) {
    case SOAK_PULL:
        send->route = ZCMIG_ROUTE_PULL;
        break;
    case SOAK_MEMFD:
        send->route = ZCMIG_ROUTE_MEMFD;
        send->channels = 0; /* no page moves */
        break;
    default:
        break;
    }
}

void soak_case_draw(struct soak_case *soak, uint64_t seed)
{
    struct zc_random random;

    zc_random_init(&random, seed);
    *soak = (struct soak_case){ .seed = seed };
    soak->way = (enum soak_way)draw(&random, SOAK_WAYS);
    /* Half of them go undisturbed. */
    if (draw(&random, 2)) {
        soak->fault =
            (enum soak_fault)(1 + draw(&random, soak->way == SOAK_TCP ? SOAK_FAULTS - 1 : SOAK_CUT - 1));
    }
    soak->size_bytes = (4 * MIB) << draw(&random, 5);
    soak->source = draw_guest(&random, soak->size_bytes, soak->way == SOAK_MEMFD);
    draw_send(&random, soak);
    zcmig_recv_options_init(&soak->recv);
    soak->recv.populate = draw(&random, 4) != 0;
    soak->recv.run_for_ms = 1 + draw(&random, 20);
    soak->recv.accept_timeout_ms = DEADLINE_MS;
    soak->recv.stall_timeout_ms = soak->fault == SOAK_STALL ? STALL_MS : DEADLINE_MS;
    /* Anywhere, also behind the end; what comes back is little. */
    soak->fault_bytes = 1 + zc_random_below(&random, soak->fault == SOAK_CUT_BACK
                                                         ? 200
                                                         : soak->size_bytes * 5 / 4);
    soak->fault_us = draw(&random, 100) * 1000;
    soak->by_command = draw(&random, 40) == 0;
    if (draw(&random, 2) && soak->fault >= SOAK_CUT && soak->fault <= SOAK_CUT_BACK &&
        !soak->by_command) {
        soak->send.reconnect_ms = soak->recv.reconnect_ms = RECONNECT_MS;
    }
}

void soak_case_clear(struct soak_case *soak)
{
    g_clear_pointer(&soak->source, g_free);
}

char *soak_case_format(const struct soak_case *soak)
{
    const struct zcmig_send_options *send = &soak->send;

    return g_strdup_printf(
        "%s %s channels=%u engine=%s zerocopy=%s verify=%s tracker=%s limit=%d bandwidth=%u%s%s%s%s "
        "fault=%s",
        way_names[soak->way], soak->source, send->channels, soak_engine_names[send->engine],
        soak_zerocopy_names[send->zerocopy], soak_verify_names[send->verify], soak_tracker_names[send->tracker],
        (int)send->downtime_limit_ms, (unsigned int)(send->max_bandwidth / MIB),
        send->auto_converge ? " auto-converge" : "",
        send->timeout_policy == ZCMIG_TIMEOUT_SWITCHOVER ? " switchover" : "",
        send->reconnect_ms ? " reconnect" : "", soak->by_command ? " by-command" : "", fault_names[soak->fault]);
}

/* ---------------------------------------------------------------------- run */

struct end {
    zcmig_session *session;
    GThread *thread;
    bool ok;
    GError *error;
    struct zcmig_stats stats;
};

static gpointer run_end(gpointer data)
{
    struct end *end = data;

    end->ok = zcmig_session_run(end->session, &end->error);
    return NULL;
}

static void end_finish(struct end *end)
{
    if (end->thread) {
        g_thread_join(end->thread);
        zcmig_session_get_stats(end->session, &end->stats);
    }
}

static void end_clear(struct end *end)
{
    zcmig_session_free(end->session);
    g_clear_error(&end->error);
}

/* -------------------------------------------------------------------- judge */

/* What must not be, whatever was done to it. */
static const char *find_wrong(const struct soak_case *soak, const struct end *send,
                              const struct end *recv)
{
    const struct zcmig_live_stats *from = &send->stats.live;
    const struct zcmig_live_stats *to = &recv->stats.live;
    bool runs_there = to->guest == ZCMIG_GUEST_RUNS;
    const struct end *ends[] = { send, recv };

    if (from->guest_wrong_pages || to->guest_wrong_pages) {
        return "the guest found wrong pages";
    }
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        if (!ends[i]->error) {
            continue;
        }
        switch (ends[i]->error->code) {
        case ZCMIG_ERROR_MISMATCH:
            return "a mismatch";
        case ZCMIG_ERROR_USAGE:
        case ZCMIG_ERROR_UNSUPPORTED:
        case ZCMIG_ERROR_PROTOCOL:
            return "an error that nobody made";
        default:
            break;
        }
    }
    if (soak->fault == SOAK_UNDISTURBED && !send->ok &&
        !(send->error->code == ZCMIG_ERROR_TIMEOUT && from->guest == ZCMIG_GUEST_RUNS)) {
        return "it failed undisturbed";
    }
    if (soak->send.reconnect_ms && from->guest == ZCMIG_GUEST_IN_DOUBT) {
        return "in doubt, although the destination could be asked";
    }
    if (soak->send.reconnect_ms && soak->fault != SOAK_CUT_BACK &&
        soak->fault_bytes > BEGUN_BYTES && !send->ok &&
        send->error->code == ZCMIG_ERROR_DISCONNECTED) {
        return "a cut ended it that could have been survived";
    }
    if (send->ok && soak->send.verify != ZCMIG_VERIFY_OFF && soak->way != SOAK_MEMFD &&
        send->stats.verified_pages * 4096 != soak->size_bytes) {
        return "not every page was verified";
    }
    if (runs_there != to->checked && !(recv->error && runs_there)) {
        return "it was not checked at the destination";
    }
    switch (from->guest) {
    case ZCMIG_GUEST_RUNS:
        return runs_there ? "it runs at both ends" : send->ok ? "it did not move" : NULL;
    case ZCMIG_GUEST_GONE:
        return runs_there ? NULL : "it runs nowhere";
    case ZCMIG_GUEST_IN_DOUBT:
        return soak->fault == SOAK_UNDISTURBED ? "in doubt, undisturbed" : NULL;
    case ZCMIG_GUEST_PAUSED:
        return "it was left paused";
    case ZCMIG_GUEST_NONE:
    default:
        return send->ok ? "there is no guest" : NULL;
    }
}

static struct soak_result judge(const struct soak_case *soak, const struct end *send,
                                const struct end *recv)
{
    const char *wrong = find_wrong(soak, send, recv);
    enum zcmig_guest_place place = send->stats.live.guest;
    struct soak_result result = { .outcome = place == ZCMIG_GUEST_GONE       ? "moved"
                                             : place == ZCMIG_GUEST_IN_DOUBT ? "in-doubt"
                                                                             : "stayed" };

    if (wrong) {
        result.wrong = g_strdup_printf(
            "%s: %s at the source (%s), %s at the destination (%s)", wrong,
            zcmig_guest_place_name(place), send->error ? send->error->message : "ok",
            zcmig_guest_place_name(recv->stats.live.guest),
            recv->error ? recv->error->message : "ok");
    }
    return result;
}

static void cancel_session(void *session)
{
    zcmig_session_cancel(session);
}

static struct zc_meddler *disturb(const struct soak_case *soak, const char *address)
{
    if (soak->fault < SOAK_CUT) {
        return NULL;
    }
    struct zc_meddler *meddler = zc_meddler_start(address, NULL, NULL);
    if (soak->send.reconnect_ms) {
        zc_meddler_cut_once(meddler);
    }
    switch (soak->fault) {
    case SOAK_CUT:
    case SOAK_RESET:
        zc_meddler_cut_after(meddler, soak->fault_bytes, soak->fault == SOAK_RESET);
        break;
    case SOAK_CUT_BACK:
        zc_meddler_cut_back_after(meddler, soak->fault_bytes);
        break;
    default:
        zc_meddler_stall_after(meddler, soak->fault_bytes);
        break;
    }
    return meddler;
}

struct soak_result soak_case_run(const struct soak_case *soak, const char *dir)
{
    struct zcmig_send_options send_options = soak->send;
    struct zcmig_recv_options recv_options = soak->recv;
    struct end send = { 0 }, recv = { 0 };
    struct soak_later cancel = { 0 };
    struct zc_meddler *meddler = NULL;
    g_autofree char *socket = g_strdup_printf("unix:%s/socket", dir);

    recv_options.listen = soak->way == SOAK_TCP ? "tcp:127.0.0.1:0" : socket;
    recv.session = zcmig_recv_new(&recv_options, &recv.error);
    if (recv.session) {
        meddler = disturb(soak, zcmig_session_get_address(recv.session));
        send_options.source = soak->source;
        send_options.destination =
            meddler ? zc_meddler_address(meddler) : zcmig_session_get_address(recv.session);
        send.session = zcmig_send_new(&send_options, &send.error);
    }
    if (recv.session && send.session) {
        recv.thread = g_thread_new("recv", run_end, &recv);
        send.thread = g_thread_new("send", run_end, &send);
        if (soak->fault == SOAK_CANCEL_SOURCE || soak->fault == SOAK_CANCEL_DESTINATION) {
            soak_later_start(&cancel, soak->fault_us, cancel_session,
                             soak->fault == SOAK_CANCEL_SOURCE ? send.session : recv.session);
        }
    }
    end_finish(&send);
    end_finish(&recv);
    soak_later_stop(&cancel);
    struct soak_result result = { 0 };
    if (send.thread) {
        result = judge(soak, &send, &recv);
    } else {
        result.outcome = "did not begin";
        result.wrong = g_strdup(send.error ? send.error->message : recv.error->message);
    }
    end_clear(&send);
    end_clear(&recv);
    if (meddler) {
        zc_meddler_stop(meddler);
    }
    return result;
}
