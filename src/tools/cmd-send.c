/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <zcmig/zcmig.h>

#include "tools/cli.h"
#include "tools/options.h"
#include "tools/run.h"

#define PACKET_PAGES_MAX 128

static const struct zc_usage usage = {
    .command = "send",
    .arguments = "SOURCE DEST",
    .summary = "Sends RAM to a zcmig or a QEMU that waits for a migration.",
    .details = "SOURCE is file:IMAGE, or the path of a file.\n"
               "DEST is tcp:HOST:PORT, unix:PATH, vsock:CID:PORT, fd:N or null: (thrown away).\n",
    .n_arguments = 2,
};

/* The options as text; enum order is that of the library's enums. */
struct send_text {
    char *channels;
    char *zerocopy;
    char *engine;
    char *verify;
    char *max_bandwidth;
    char *connect_timeout;
    char *stall_timeout;
    char *packet_pages;
    char *uuid;
    gboolean no_merge;
};

static const char *const zerocopy_names[] = { "off", "auto", "on", NULL };
static const char *const engine_names[] = { "auto", "copy", "zerocopy", "io_uring", "splice", NULL };
static const char *const verify_names[] = { "off", "after", "before", NULL };

static void send_text_clear(struct send_text *text)
{
    g_free(text->channels);
    g_free(text->zerocopy);
    g_free(text->engine);
    g_free(text->verify);
    g_free(text->max_bandwidth);
    g_free(text->connect_timeout);
    g_free(text->stall_timeout);
    g_free(text->packet_pages);
    g_free(text->uuid);
}

static bool read_options(const struct send_text *text, struct zcmig_send_options *options,
                         GError **error)
{
    int zerocopy = (int)options->zerocopy;
    int engine = (int)options->engine;
    int verify = (int)options->verify;

    if (!zc_option_count(text->channels, "--channels", 1, ZCMIG_CHANNELS_MAX, &options->channels,
                         error) ||
        !zc_option_choice(text->zerocopy, "--zerocopy", zerocopy_names, &zerocopy, error) ||
        !zc_option_choice(text->engine, "--engine", engine_names, &engine, error) ||
        !zc_option_choice(text->verify, "--verify", verify_names, &verify, error) ||
        !zc_option_size(text->max_bandwidth, "--max-bandwidth", &options->max_bandwidth, error) ||
        !zc_option_seconds(text->connect_timeout, "--connect-timeout", false,
                           &options->connect_timeout_ms, error) ||
        !zc_option_seconds(text->stall_timeout, "--stall-timeout", false,
                           &options->stall_timeout_ms, error) ||
        !zc_option_count(text->packet_pages, "--packet-pages", 1, PACKET_PAGES_MAX,
                         &options->packet_pages, error) ||
        !zc_option_uuid(text->uuid, &options->uuid, error)) {
        return false;
    }
    options->zerocopy = (enum zcmig_zerocopy)zerocopy;
    options->engine = (enum zcmig_engine)engine;
    options->verify = (enum zcmig_verify)verify;
    options->merge_pages = !text->no_merge;
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

int zc_cmd_send(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct send_text text = { 0 };
    struct zc_output output = ZC_OUTPUT_INIT;
    const GOptionEntry entries[] = {
        { "channels", 0, 0, G_OPTION_ARG_STRING, &text.channels,
          "Connections that carry pages, 1 to 64 (default: as many as CPUs, 8 at most)", "N" },
        { "zerocopy", 0, 0, G_OPTION_ARG_STRING, &text.zerocopy,
          "auto: as long as the kernel does not copy after all; on: always ask; off (default: "
          "auto)",
          "MODE" },
        { "engine", 0, 0, G_OPTION_ARG_STRING, &text.engine,
          "How pages get into the socket: auto, copy, zerocopy, io_uring, splice (default: auto)",
          "ENGINE" },
        { "verify", 0, 0, G_OPTION_ARG_STRING, &text.verify,
          "Compare page digests after the transfer, before it counts as done, or off "
          "(default: after)",
          "MODE" },
        { "max-bandwidth", 0, 0, G_OPTION_ARG_STRING, &text.max_bandwidth,
          "Bytes a second over all channels, for example 500M (default: no limit)", "RATE" },
        { "connect-timeout", 0, 0, G_OPTION_ARG_STRING, &text.connect_timeout,
          "Give up connecting after so many seconds", "SECONDS" },
        { "stall-timeout", 0, 0, G_OPTION_ARG_STRING, &text.stall_timeout,
          "Give up when the peer takes nothing for so many seconds", "SECONDS" },
        { "packet-pages", 0, 0, G_OPTION_ARG_STRING, &text.packet_pages,
          "Pages in a packet, 1 to 128 (default: 128)", "N" },
        { "no-merge", 0, 0, G_OPTION_ARG_NONE, &text.no_merge,
          "One iovec for each page even where pages are adjacent: to measure what merging saves",
          NULL },
        { "uuid", 0, 0, G_OPTION_ARG_STRING, &text.uuid,
          "UUID of the session (default: a random one)", "UUID" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    int code = ZC_EXIT_DONE;

    switch (zc_options_parse(&usage, entries, &output, argc, argv, &error)) {
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
