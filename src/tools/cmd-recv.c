/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>

#include <zcmig/zcmig.h>

#include "tools/cli.h"
#include "tools/options.h"
#include "tools/run.h"

static const struct zc_usage usage = {
    .command = "recv",
    .arguments = "LISTEN",
    .summary = "Waits for a zcmig or a QEMU that migrates to here, and takes the RAM.",
    .details = "LISTEN is tcp:HOST:PORT (port 0: any), unix:PATH, vsock:CID:PORT or fd:N.\n"
               "When peers can connect, a line says so: zcmig: listening on ADDRESS\n",
    .n_arguments = 1,
};

struct recv_text {
    char *output;
    char *max_ram;
    char *channels;
    char *verify;
    char *accept_timeout;
    char *stall_timeout;
    char *uuid;
    char *run_for;
    char *source_qmp;
    char *reconnect;
    gboolean overwrite;
    gboolean no_populate;
    gboolean allow_wildcard;
    gboolean switchover_ack;
};

/* What the receiver can choose: when digests are compared is the sender's choice. */
static const char *const verify_names[] = { "off", "after", "before", NULL };

static void recv_text_clear(struct recv_text *text)
{
    g_free(text->output);
    g_free(text->max_ram);
    g_free(text->channels);
    g_free(text->verify);
    g_free(text->accept_timeout);
    g_free(text->stall_timeout);
    g_free(text->uuid);
    g_free(text->run_for);
    g_free(text->source_qmp);
    g_free(text->reconnect);
}

static bool read_options(const struct recv_text *text, struct zcmig_recv_options *options,
                         GError **error)
{
    int verify = (int)options->verify;

    if (!zc_option_size(text->max_ram, "--max-ram", &options->max_ram_bytes, error) ||
        !zc_option_count(text->channels, "--channels", 1, ZCMIG_CHANNELS_MAX, &options->channels,
                         error) ||
        !zc_option_choice(text->verify, "--verify", verify_names, &verify, error) ||
        !zc_option_seconds(text->accept_timeout, "--accept-timeout", true,
                           &options->accept_timeout_ms, error) ||
        !zc_option_seconds(text->stall_timeout, "--stall-timeout", false,
                           &options->stall_timeout_ms, error) ||
        !zc_option_seconds(text->run_for, "--run-for", false, &options->run_for_ms, error) ||
        !zc_option_seconds(text->reconnect, "--reconnect", false, &options->reconnect_ms, error) ||
        !zc_option_uuid(text->uuid, &options->uuid, error)) {
        return false;
    }
    options->output = text->output;
    options->source_qmp = text->source_qmp;
    options->switchover_ack = text->switchover_ack;
    options->overwrite = text->overwrite;
    options->verify = (enum zcmig_verify)verify;
    options->populate = !text->no_populate;
    options->allow_wildcard = text->allow_wildcard;
    return true;
}

static int receive(const struct recv_text *text, char **argv, const struct zc_output *output)
{
    g_autoptr(zcmig_session) session = NULL;
    struct zcmig_recv_options options;
    GError *error = NULL;

    zcmig_recv_options_init(&options);
    options.listen = argv[1];
    zc_run_set_verbosity(output);
    if (read_options(text, &options, &error)) {
        session = zcmig_recv_new(&options, &error);
    }
    if (!session) {
        return zc_run_failed(usage.command, output, error);
    }
    zc_run_announce(zcmig_session_get_address(session), output);
    return zc_run_session(usage.command, session, output);
}

int zc_cmd_recv(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct recv_text text = { 0 };
    struct zc_output output = ZC_OUTPUT_INIT;
    const GOptionEntry entries[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &text.output,
          "Image file, or dir:SNAPSHOT, that appears once the guest is whole; null: pages are "
          "digested and dropped (default: memory only)",
          "FILE" },
        { "overwrite", 0, 0, G_OPTION_ARG_NONE, &text.overwrite, "Replace FILE if it exists",
          NULL },
        { "max-ram", 0, 0, G_OPTION_ARG_STRING, &text.max_ram,
          "Refuse a peer that announces more (default: what this host can hold)", "SIZE" },
        { "channels", 0, 0, G_OPTION_ARG_STRING, &text.channels,
          "Channels that a QEMU opens, 1 to 64 (default: learn from the peer)", "N" },
        { "verify", 0, 0, G_OPTION_ARG_STRING, &text.verify,
          "off: record no digests; after and before: record them, the sender chooses when to "
          "compare (default: after)",
          "MODE" },
        { "no-populate", 0, 0, G_OPTION_ARG_NONE, &text.no_populate,
          "Let each page be faulted in by its data: to measure what populating saves", NULL },
        { "allow-wildcard", 0, 0, G_OPTION_ARG_NONE, &text.allow_wildcard,
          "Listen on every address of this host, although nothing is encrypted", NULL },
        { "accept-timeout", 0, 0, G_OPTION_ARG_STRING, &text.accept_timeout,
          "Give up when nobody connects for so many seconds, or never", "SECONDS" },
        { "stall-timeout", 0, 0, G_OPTION_ARG_STRING, &text.stall_timeout,
          "Give up when the peer sends nothing for so many seconds", "SECONDS" },
        { "reconnect", 0, 0, G_OPTION_ARG_STRING, &text.reconnect,
          "When the connections of a live guest are cut, wait so many seconds for its sender to "
          "come back (default: do not)",
          "SECONDS" },
        { "run-for", 0, 0, G_OPTION_ARG_STRING, &text.run_for,
          "How long a live guest runs here before it is checked (default: 1)", "SECONDS" },
        { "source-qmp", 0, 0, G_OPTION_ARG_FILENAME, &text.source_qmp,
          "Compare with the source QEMU's own RAM, by a monitor of its", "SOCKET" },
        { "switchover-ack", 0, 0, G_OPTION_ARG_NONE, &text.switchover_ack,
          "The source QEMU has capability switchover-ack on, and an own machine type", NULL },
        { "uuid", 0, 0, G_OPTION_ARG_STRING, &text.uuid,
          "Accept only the session with this UUID (default: the first that comes)", "UUID" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    int code = ZC_EXIT_DONE;

    switch (zc_options_parse(&usage, entries, &output, argc, argv, &error)) {
    case ZC_PARSED_RUN:
        code = receive(&text, argv, &output);
        break;
    case ZC_PARSED_WRONG:
        code = zc_cli_fail(usage.command, error);
        break;
    case ZC_PARSED_HELP:
        break;
    }
    recv_text_clear(&text);
    return code;
}
