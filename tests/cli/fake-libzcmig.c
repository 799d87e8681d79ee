/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A libzcmig that moves nothing and ends as $ZC_FAKE says, so that the tests
 * of the command see each outcome, at once and every time:
 *
 *     ok          (or unset) completes, with zero-copy figures of which some are inexact
 *     mismatch    completes but for two runs of wrong pages
 *     reset       the connection breaks in the middle; the message holds what a peer might quote
 *     refused     there is no session: zcmig_send_new and zcmig_recv_new fail
 *     wait        runs until it is cancelled, and says "running" on stderr once it can be
 *     deaf        the same, but cancelling does nothing
 *     live        completes the move of a live guest
 *     partial     manifests are of a QEMU's guest, and of some pages nothing is known
 *
 * With $ZC_FAKE_ECHO the options that arrived are printed on stderr.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <zcmig/zcmig.h>

#define WAIT_MS 20000
#define PAGES 1000

struct zcmig_session {
    bool sending;
    int cancel_fd;
    enum zcmig_state state;
};

struct zcmig_manifest {
    bool other;
};

static const struct zcmig_mismatch runs[] = {
    { ZCMIG_MISMATCH_DIFFERS, "ram", 0x3000, 2 },
    { ZCMIG_MISMATCH_MISSING, "ram", 0x100000, 40 },
};

static bool scenario_is(const char *name)
{
    return g_strcmp0(g_getenv("ZC_FAKE"), name) == 0;
}

const char *zcmig_version(void)
{
    return PACKAGE_VERSION;
}

void zcmig_set_verbosity(unsigned int level)
{
    if (g_getenv("ZC_FAKE_ECHO")) {
        fprintf(stderr, "verbosity=%u\n", level);
    }
}

const char *zcmig_route_name(enum zcmig_route route)
{
    static const char *const names[] = { "socket", "pull" };
    return names[route];
}

const char *zcmig_state_name(enum zcmig_state state)
{
    static const char *const names[] = { "setup",     "active", "verifying",
                                         "completed", "failed", "cancelled" };
    return names[state];
}

const char *zcmig_guest_place_name(enum zcmig_guest_place place)
{
    static const char *const names[] = { "none", "runs", "paused", "gone", "in-doubt" };
    return names[place];
}

void zcmig_send_options_init(struct zcmig_send_options *options)
{
    *options = (struct zcmig_send_options){
        .zerocopy = ZCMIG_ZEROCOPY_AUTO,
        .verify = ZCMIG_VERIFY_AFTER,
        .packet_pages = 128,
        .merge_pages = true,
        .connect_timeout_ms = 30000,
        .stall_timeout_ms = 30000,
        .downtime_limit_ms = 300,
        .run_for_ms = 1000,
    };
}

void zcmig_recv_options_init(struct zcmig_recv_options *options)
{
    *options = (struct zcmig_recv_options){
        .verify = ZCMIG_VERIFY_AFTER,
        .populate = true,
        .accept_timeout_ms = -1,
        .stall_timeout_ms = 30000,
        .run_for_ms = 1000,
    };
}

static zcmig_session *session_new(bool sending, GError **error)
{
    if (scenario_is("refused")) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_SOURCE, "cannot open 'x': Permission denied");
        return NULL;
    }
    zcmig_session *session = g_new0(zcmig_session, 1);
    session->sending = sending;
    session->cancel_fd = eventfd(0, EFD_CLOEXEC);
    return session;
}

zcmig_session *zcmig_send_new(const struct zcmig_send_options *options, GError **error)
{
    if (g_getenv("ZC_FAKE_ECHO")) {
        fprintf(stderr,
                "source=%s destination=%s channels=%u zerocopy=%d engine=%d verify=%d "
                "max_bandwidth=%" G_GUINT64_FORMAT " connect_timeout_ms=%" G_GINT64_FORMAT
                " stall_timeout_ms=%" G_GINT64_FORMAT " packet_pages=%u merge_pages=%d uuid=%s"
                " route=%d plain=%d\n",
                options->source, options->destination, options->channels, (int)options->zerocopy,
                (int)options->engine, (int)options->verify, options->max_bandwidth, options->connect_timeout_ms,
                options->stall_timeout_ms, options->packet_pages, options->merge_pages,
                options->uuid ? options->uuid : "-", (int)options->route, options->plain);
        fprintf(stderr,
                "downtime_limit_ms=%" G_GINT64_FORMAT " timeout_ms=%" G_GINT64_FORMAT
                " timeout_policy=%d auto_converge=%d tracker=%d run_for_ms=%" G_GINT64_FORMAT
                " reconnect_ms=%" G_GINT64_FORMAT "\n",
                options->downtime_limit_ms, options->timeout_ms, (int)options->timeout_policy,
                options->auto_converge, (int)options->tracker, options->run_for_ms,
                options->reconnect_ms);
    }
    return session_new(true, error);
}

zcmig_session *zcmig_recv_new(const struct zcmig_recv_options *options, GError **error)
{
    if (g_getenv("ZC_FAKE_ECHO")) {
        fprintf(stderr,
                "listen=%s output=%s overwrite=%d max_ram_bytes=%" G_GUINT64_FORMAT
                " channels=%u verify=%d populate=%d allow_wildcard=%d "
                "accept_timeout_ms=%" G_GINT64_FORMAT " stall_timeout_ms=%" G_GINT64_FORMAT
                " uuid=%s\n",
                options->listen, options->output ? options->output : "-", options->overwrite,
                options->max_ram_bytes, options->channels, (int)options->verify, options->populate,
                options->allow_wildcard, options->accept_timeout_ms, options->stall_timeout_ms,
                options->uuid ? options->uuid : "-");
        fprintf(stderr,
                "run_for_ms=%" G_GINT64_FORMAT " reconnect_ms=%" G_GINT64_FORMAT " source_qmp=%s\n",
                options->run_for_ms, options->reconnect_ms,
                options->source_qmp ? options->source_qmp : "-");
    }
    return session_new(false, error);
}

void zcmig_session_free(zcmig_session *session)
{
    if (session) {
        close(session->cancel_fd);
        g_free(session);
    }
}

const char *zcmig_session_get_address(zcmig_session *session)
{
    (void)session;
    return "tcp:127.0.0.1:4567";
}

static bool end(zcmig_session *session, enum zcmig_state state)
{
    session->state = state;
    return state == ZCMIG_STATE_COMPLETED;
}

static bool wait_for_cancel(zcmig_session *session, GError **error)
{
    struct pollfd pollfd = { .fd = scenario_is("deaf") ? -1 : session->cancel_fd,
                             .events = POLLIN };
    int ready = 0;

    session->state = ZCMIG_STATE_ACTIVE;
    fputs("running\n", stderr);
    do {
        ready = poll(&pollfd, 1, WAIT_MS);
    } while (ready < 0 && errno == EINTR);
    g_set_error(error, ZCMIG_ERROR, ready > 0 ? ZCMIG_ERROR_CANCELLED : ZCMIG_ERROR_TIMEOUT, "%s",
                ready > 0 ? "cancelled" : "nobody cancelled");
    return end(session, ready > 0 ? ZCMIG_STATE_CANCELLED : ZCMIG_STATE_FAILED);
}

bool zcmig_session_run(zcmig_session *session, GError **error)
{
    if (scenario_is("wait") || scenario_is("deaf")) {
        return wait_for_cancel(session, error);
    }
    if (scenario_is("reset")) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED,
                    "channel 2: the peer said 'a\nb\033[31m' and closed");
        return end(session, ZCMIG_STATE_FAILED);
    }
    if (scenario_is("mismatch")) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_MISMATCH, "42 pages are not what was sent");
        return end(session, ZCMIG_STATE_FAILED);
    }
    return end(session, ZCMIG_STATE_COMPLETED);
}

void zcmig_session_cancel(zcmig_session *session)
{
    uint64_t one = 1;

    if (write(session->cancel_fd, &one, sizeof(one)) < 0) {
        abort();
    }
}

static struct zcmig_live_stats live_stats(bool sending)
{
    return (struct zcmig_live_stats){
        .guest = sending ? ZCMIG_GUEST_GONE : ZCMIG_GUEST_RUNS,
        .tracker = "scan",
        .n_iterations = 3,
        .remaining_bytes = 0,
        .downtime = { .estimate_ns = 11000000,
                      .actual_ns = 12500000,
                      .observed_ns = 13000000,
                      .last_send_ns = 10000000,
                      .device_state_ns = 2500000 },
        .n_kept = 2,
        .kept = { { .pages = 1000, .estimate_ns = INT64_MAX },
                  { .pages = 20, .dirty_pages_per_s = 25600, .bandwidth = 1 << 30,
                    .estimate_ns = 11000000, .throttle_percent = 20 } },
        .checked = !sending,
        .guest_writes = 1234,
    };
}

void zcmig_session_get_stats(zcmig_session *session, struct zcmig_stats *stats)
{
    uint64_t normal = session->state == ZCMIG_STATE_COMPLETED ? 750 : 300;

    *stats = (struct zcmig_stats){
        .state = session->state,
        .sending = session->sending,
        .total_bytes = PAGES * 4096,
        .normal_pages = normal,
        .zero_pages = 250,
        .wire_bytes = normal * 4096 + 10000,
        .setup_ns = 3000000,
        .transfer_ns = 2000000000,
        .verify_ns = 5000000,
        .cpu_ns = 500000000,
        .peer_is_zcmig = true,
        .n_channels = 2,
    };
    if (scenario_is("live")) {
        stats->live = live_stats(session->sending);
    }
    stats->verified_pages = session->state == ZCMIG_STATE_COMPLETED ? PAGES : 0;
    stats->mismatched_pages = scenario_is("mismatch") ? 42 : 0;
    for (unsigned int i = 0; i < stats->n_channels; i++) {
        stats->channels[i] = (struct zcmig_channel_stats){
            .id = i,
            .packets = 10,
            .wire_bytes = normal * 2048,
            .zerocopy_calls = 10,
            .zerocopy_bytes = normal * 2048,
            .completed = 10,
            .notes = 4,
            .copied_min = 3,
            .copied_max = 3 + i * 4,
            .enobufs_optmem = i,
            .drains = 1,
            .drain_ns = 1500000,
            .zerocopy_state = "paused-copied",
            .zerocopy_reason = "the kernel copies on loopback",
            .engine = "zerocopy",
            .engine_reason = "io_uring is forbidden here",
        };
    }
}

const struct zcmig_mismatch *zcmig_session_get_mismatches(zcmig_session *session,
                                                          unsigned int *n_out)
{
    (void)session;
    *n_out = scenario_is("mismatch") ? G_N_ELEMENTS(runs) : 0;
    return runs;
}

/* --------------------------------------------------------------- manifests */

static zcmig_manifest *manifest_new(const char *kind, const char *name, unsigned int threads)
{
    zcmig_manifest *manifest = g_new0(zcmig_manifest, 1);

    manifest->other = strstr(name, "other") != NULL;
    if (g_getenv("ZC_FAKE_ECHO")) {
        fprintf(stderr, "%s=%s threads=%u\n", kind, name, threads);
    }
    return manifest;
}

zcmig_manifest *zcmig_manifest_new_from_source(const char *uri, unsigned int threads,
                                               GError **error)
{
    if (!g_str_has_prefix(uri, "file:") && !g_str_has_prefix(uri, "qmp:")) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "source: got '%s', allowed are file:IMAGE, dir:SNAPSHOT and guest:SIZE", uri);
        return NULL;
    }
    return manifest_new("source", uri, threads);
}

zcmig_manifest *zcmig_manifest_load(const char *path, GError **error)
{
    (void)error;
    return manifest_new("manifest", path, 0);
}

bool zcmig_manifest_save(const zcmig_manifest *manifest, const char *path, GError **error)
{
    (void)manifest;
    return g_file_set_contents(path, "manifest", -1, error);
}

void zcmig_manifest_free(zcmig_manifest *manifest)
{
    g_free(manifest);
}

uint64_t zcmig_manifest_get_pages(const zcmig_manifest *manifest)
{
    (void)manifest;
    return PAGES;
}

uint64_t zcmig_manifest_get_zero_pages(const zcmig_manifest *manifest)
{
    (void)manifest;
    return 250;
}

uint64_t zcmig_manifest_get_unknown_pages(const zcmig_manifest *manifest)
{
    (void)manifest;
    return scenario_is("partial") ? 3 : 0;
}

uint64_t zcmig_manifest_get_uncompared_pages(const zcmig_manifest *expected,
                                             const zcmig_manifest *got)
{
    (void)got;
    return zcmig_manifest_get_unknown_pages(expected);
}

const char *zcmig_manifest_get_way(const zcmig_manifest *manifest)
{
    (void)manifest;
    return scenario_is("partial") ? "process memory of 7 (1 block); not read: pc.rom" : "";
}

char *zcmig_manifest_get_summary(const zcmig_manifest *manifest)
{
    (void)manifest;
    return g_strdup("0123456789abcdef");
}

uint64_t zcmig_manifest_compare(const zcmig_manifest *expected, const zcmig_manifest *got,
                                struct zcmig_mismatch **runs_out, unsigned int *n_runs_out)
{
    bool same = expected->other == got->other;

    *n_runs_out = same ? 0 : G_N_ELEMENTS(runs);
    *runs_out = same ? NULL : g_memdup2(runs, sizeof(runs));
    return same ? 0 : 42;
}
