/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <zcmig/zcmig.h>

#include "tools/cli.h"
#include "tools/options.h"
#include "tools/run.h"

#define PACKET_PAGES_MAX 128
#define DOWNTIME_LIMIT_MAX_MS 3600000

static const struct zc_usage usage = {
    .command = "send",
    .arguments = "SOURCE DEST",
    .summary = "Sends RAM to a zcmig or a QEMU that waits for a migration.",
    .details = "SOURCE is file:IMAGE, dir:SNAPSHOT, the path of one of these, or\n"
               "guest:SIZE[,OPTION...]: a guest that keeps writing while it is moved (zcmig(1)\n"
               "lists its options).\n"
               "DEST is tcp:HOST:PORT, unix:PATH, vsock:CID:PORT, fd:N or null: (thrown away).\n",
    .n_arguments = 2,
};

/* The options as text; enum order is that of the library's enums. */
struct send_text {
    char *channels;
    char *zerocopy;
    char *engine;
    char *verify;
    char *route;
    char *max_bandwidth;
    char *connect_timeout;
    char *stall_timeout;
    char *packet_pages;
    char *uuid;
    gboolean no_merge;
    gboolean plain;
    /* of a live guest */
    char *downtime_limit;
    char *timeout;
    char *timeout_policy;
    char *tracker;
    char *run_for;
    char *reconnect;
    gboolean auto_converge;
};

static const char *const zerocopy_names[] = { "off", "auto", "on", NULL };
static const char *const engine_names[] = {
    "auto", "copy", "zerocopy", "io_uring", "splice", NULL
};
static const char *const verify_names[] = { "off", "after", "before", NULL };
static const char *const route_names[] = { "socket", "pull", "memfd", NULL };
static const char *const tracker_names[] = { "auto", "scan", "fault", NULL };
static const char *const policy_names[] = { "cancel", "switchover", NULL };

static void send_text_clear(struct send_text *text)
{
    g_free(text->channels);
    g_free(text->zerocopy);
    g_free(text->engine);
    g_free(text->verify);
    g_free(text->route);
    g_free(text->max_bandwidth);
    g_free(text->connect_timeout);
    g_free(text->stall_timeout);
    g_free(text->packet_pages);
    g_free(text->uuid);
    g_free(text->downtime_limit);
    g_free(text->timeout);
    g_free(text->timeout_policy);
    g_free(text->tracker);
    g_free(text->run_for);
    g_free(text->reconnect);
}

static bool read_live_options(const struct send_text *text, struct zcmig_send_options *options,
                              GError **error)
{
    unsigned int downtime_limit = (unsigned int)options->downtime_limit_ms;
    int policy = (int)options->timeout_policy;
    int tracker = (int)options->tracker;

    if (!zc_option_count(text->downtime_limit, "--downtime-limit", 0, DOWNTIME_LIMIT_MAX_MS,
                         &downtime_limit, error) ||
        !zc_option_seconds(text->timeout, "--timeout", false, &options->timeout_ms, error) ||
        !zc_option_choice(text->timeout_policy, "--timeout-policy", policy_names, &policy, error) ||
        !zc_option_choice(text->tracker, "--tracker", tracker_names, &tracker, error) ||
        !zc_option_seconds(text->run_for, "--run-for", false, &options->run_for_ms, error) ||
        !zc_option_seconds(text->reconnect, "--reconnect", false, &options->reconnect_ms, error)) {
        return false;
    }
    options->downtime_limit_ms = downtime_limit;
    options->timeout_policy = (enum zcmig_timeout_policy)policy;
    options->tracker = (enum zcmig_tracker)tracker;
    options->auto_converge = text->auto_converge;
    return true;
}

static bool read_options(const struct send_text *text, struct zcmig_send_options *options,
                         GError **error)
{
    int zerocopy = (int)options->zerocopy;
    int engine = (int)options->engine;
    int verify = (int)options->verify;
    int route = (int)options->route;

    if (!zc_option_count(text->channels, "--channels", 1, ZCMIG_CHANNELS_MAX, &options->channels,
                         error) ||
        !zc_option_choice(text->zerocopy, "--zerocopy", zerocopy_names, &zerocopy, error) ||
        !zc_option_choice(text->engine, "--engine", engine_names, &engine, error) ||
        !zc_option_choice(text->verify, "--verify", verify_names, &verify, error) ||
        !zc_option_choice(text->route, "--route", route_names, &route, error) ||
        !zc_option_size(text->max_bandwidth, "--max-bandwidth", &options->max_bandwidth, error) ||
        !zc_option_seconds(text->connect_timeout, "--connect-timeout", false,
                           &options->connect_timeout_ms, error) ||
        !zc_option_seconds(text->stall_timeout, "--stall-timeout", false,
                           &options->stall_timeout_ms, error) ||
        !zc_option_count(text->packet_pages, "--packet-pages", 1, PACKET_PAGES_MAX,
                         &options->packet_pages, error) ||
        !zc_option_uuid(text->uuid, &options->uuid, error) ||
        !read_live_options(text, options, error)) {
        return false;
    }
    options->zerocopy = (enum zcmig_zerocopy)zerocopy;
    options->engine = (enum zcmig_engine)engine;
    options->verify = (enum zcmig_verify)verify;
    options->route = (enum zcmig_route)route;
    options->merge_pages = !text->no_merge;
    options->plain = text->plain;
    return true;
}

static int send(const struct send_text *text, char **argv, const struct zc_output *output)
{
    g_autofree char *source = zc_cli_source_uri(argv[1]);
    g_autoptr(zcmig_session) session = NULL;
    struct zcmig_send_options options;
    GError *error = NULL;

    zcmig_send_options_init(&options);
    options.source = source;
    options.destination = argv[2];
    zc_run_set_verbosity(output);
    if (read_options(text, &options, &error)) {
        session = zcmig_send_new(&options, &error);
    }
    return session ? zc_run_session(usage.command, session, output)
                   : zc_run_failed(usage.command, output, error);
}

static void add_entries(GArray *into, struct send_text *text)
{
    const GOptionEntry entries[] = {
        { "channels", 0, 0, G_OPTION_ARG_STRING, &text->channels,
          "Connections that carry pages, 1 to 64 (default: as many as CPUs, 8 at most)", "N" },
        { "plain", 0, 0, G_OPTION_ARG_NONE, &text->plain,
          "No channels: pages on the main connection, for a QEMU without multifd", NULL },
        { "zerocopy", 0, 0, G_OPTION_ARG_STRING, &text->zerocopy,
          "auto: as long as the kernel does not copy after all; on: always ask; off (default: "
          "auto)",
          "MODE" },
        { "engine", 0, 0, G_OPTION_ARG_STRING, &text->engine,
          "How pages get into the socket: auto, copy, zerocopy, io_uring, splice (default: auto)",
          "ENGINE" },
        { "verify", 0, 0, G_OPTION_ARG_STRING, &text->verify,
          "Compare page digests after the transfer, before it counts as done, or off "
          "(default: after)",
          "MODE" },
        { "route", 0, 0, G_OPTION_ARG_STRING, &text->route,
          "socket: pages cross the connections; on this host, over unix:, pull: the receiver "
          "fetches them from this process, memfd: it gets the memory itself (default: socket)",
          "ROUTE" },
        { "max-bandwidth", 0, 0, G_OPTION_ARG_STRING, &text->max_bandwidth,
          "Bytes a second over all channels, for example 500M (default: no limit)", "RATE" },
        { "connect-timeout", 0, 0, G_OPTION_ARG_STRING, &text->connect_timeout,
          "Give up connecting after so many seconds", "SECONDS" },
        { "stall-timeout", 0, 0, G_OPTION_ARG_STRING, &text->stall_timeout,
          "Give up when the peer takes nothing for so many seconds", "SECONDS" },
        { "packet-pages", 0, 0, G_OPTION_ARG_STRING, &text->packet_pages,
          "Pages in a packet, 1 to 128 (default: 128)", "N" },
        { "no-merge", 0, 0, G_OPTION_ARG_NONE, &text->no_merge,
          "One iovec for each page even where pages are adjacent: to measure what merging saves",
          NULL },
        { "uuid", 0, 0, G_OPTION_ARG_STRING, &text->uuid,
          "UUID of the session (default: a random one)", "UUID" },
    };
    g_array_append_vals(into, entries, G_N_ELEMENTS(entries));
}

static void add_live_entries(GArray *into, struct send_text *text)
{
    const GOptionEntry entries[] = {
        { "downtime-limit", 0, 0, G_OPTION_ARG_STRING, &text->downtime_limit,
          "Stop a live guest when that takes no more than so many milliseconds (default: 300)",
          "MS" },
        { "timeout", 0, 0, G_OPTION_ARG_STRING, &text->timeout,
          "Do not try for longer to move it (default: as long as it gets better)", "SECONDS" },
        { "timeout-policy", 0, 0, G_OPTION_ARG_STRING, &text->timeout_policy,
          "When it cannot be moved within the limit: cancel, or switchover all the same "
          "(default: cancel)",
          "POLICY" },
        { "auto-converge", 0, 0, G_OPTION_ARG_NONE, &text->auto_converge,
          "Slow the guest down when it writes faster than it can be sent", NULL },
        { "tracker", 0, 0, G_OPTION_ARG_STRING, &text->tracker,
          "How to find the pages it writes: scan (Linux 6.7), fault, auto (default: auto)",
          "KIND" },
        { "reconnect", 0, 0, G_OPTION_ARG_STRING, &text->reconnect,
          "When the connections are cut, go on over new ones within so many seconds, if the "
          "receiver does as well (default: do not)",
          "SECONDS" },
        { "run-for", 0, 0, G_OPTION_ARG_STRING, &text->run_for,
          "How long a guest that could not be moved runs on here before it is checked (default: "
          "1)",
          "SECONDS" },
    };
    g_array_append_vals(into, entries, G_N_ELEMENTS(entries));
}

int zc_cmd_send(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct send_text text = { 0 };
    struct zc_output output = ZC_OUTPUT_INIT;
    g_autoptr(GArray) entries = g_array_new(TRUE, FALSE, sizeof(GOptionEntry));
    int code = ZC_EXIT_DONE;

    add_entries(entries, &text);
    add_live_entries(entries, &text);
    switch (zc_options_parse(&usage, (const GOptionEntry *)(const void *)entries->data, &output,
                             argc, argv, &error)) {
    case ZC_PARSED_RUN:
        code = send(&text, argv, &output);
        break;
    case ZC_PARSED_WRONG:
        code = zc_cli_fail(usage.command, error);
        break;
    case ZC_PARSED_HELP:
        break;
    }
    send_text_clear(&text);
    return code;
}
