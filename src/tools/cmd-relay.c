/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <zcmig/relay.h>

#include "tools/cli.h"
#include "tools/options.h"
#include "tools/relay-report.h"
#include "tools/run.h"
#include "tools/signals.h"

#define ENDLESS "endless"
#define SESSIONS_MAX 1000000
#define BUFFER_BYTES_MIN (64u << 10) /* with less a connection crawls, a few pages at a time */

static const struct zc_usage usage = {
    .command = "relay",
    .arguments = "LISTEN DEST",
    .summary = "Takes a migration in at LISTEN and passes it on to DEST as it arrives.",
    .details = "LISTEN and DEST are tcp:HOST:PORT, unix:PATH, vsock:CID:PORT or fd:N.\n"
               "When a source can connect, a line says so: zcmig: listening on ADDRESS\n",
    .n_arguments = 2,
};

struct relay_text {
    char *order;
    char *sessions;
    char *manifest;
    char *buffer;
    char *accept_timeout;
    char *connect_timeout;
    char *stall_timeout;
    gboolean no_splice;
    gboolean allow_wildcard;
};

static const char *const order_names[] = { "main-first", "arrival", NULL };

static bool usage_error(GError **error, const char *text)
{
    g_set_error_literal(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE, text);
    return false;
}

static bool read_buffer(const char *text, uint64_t *bytes_out, GError **error)
{
    if (!zc_option_size(text, "--buffer", bytes_out, error)) {
        return false;
    }
    if (text && *bytes_out < BUFFER_BYTES_MIN) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "--buffer: got '%s', allowed are 64K or more", text);
        return false;
    }
    return true;
}

/* *@sessions_out: 0 is endless. */
static bool read_options(const struct relay_text *text, struct zcmig_relay_options *options,
                         unsigned int *sessions_out, GError **error)
{
    const bool endless = text->sessions && strcmp(text->sessions, ENDLESS) == 0;
    int order = (int)options->order;

    *sessions_out = endless ? 0 : 1;
    if (!zc_option_choice(text->order, "--order", order_names, &order, error) ||
        !read_buffer(text->buffer, &options->buffer_bytes, error) ||
        !zc_option_seconds(text->accept_timeout, "--accept-timeout", true,
                           &options->accept_timeout_ms, error) ||
        !zc_option_seconds(text->connect_timeout, "--connect-timeout", false,
                           &options->connect_timeout_ms, error) ||
        !zc_option_seconds(text->stall_timeout, "--stall-timeout", true,
                           &options->stall_timeout_ms, error) ||
        !zc_option_count(endless ? NULL : text->sessions, "--sessions (or " ENDLESS ")", 1,
                         SESSIONS_MAX, sessions_out, error)) {
        return false;
    }
    options->order = (enum zcmig_relay_order)order;
    options->manifest = text->manifest;
    options->splice = !text->no_splice;
    options->allow_wildcard = text->allow_wildcard;
    if (text->manifest && *sessions_out != 1) {
        return usage_error(error, "--manifest: allowed for one session only");
    }
    if (text->manifest && options->order != ZCMIG_RELAY_MAIN_FIRST) {
        return usage_error(error, "--manifest: allowed with --order=main-first only");
    }
    if ((g_str_has_prefix(options->listen, "fd:") ||
         g_str_has_prefix(options->destination, "fd:")) &&
        *sessions_out != 1) {
        return usage_error(error, "--sessions: a descriptor serves one session only");
    }
    return true;
}

static void cancel(void *relay)
{
    zcmig_relay_cancel(relay);
}

/* Runs one and reports it.  *@stop_out: cancelled, or nothing more can come. */
static int run_session(zcmig_relay *relay, bool endless, const struct zc_output *output,
                       bool *stop_out)
{
    struct zc_progress_relay shown = { .relay = relay };
    g_autoptr(GError) error = NULL;
    struct zcmig_relay_stats stats;
    struct zc_progress *progress = zc_progress_start(&zc_progress_relay_view, &shown, output);

    zcmig_relay_run(relay, &error);
    zc_progress_stop(progress);
    zcmig_relay_get_stats(relay, &stats);
    *stop_out = stats.state == ZCMIG_STATE_CANCELLED || (error && stats.transfer_ns == 0);
    if (endless && stats.state == ZCMIG_STATE_CANCELLED && stats.transfer_ns == 0) {
        return ZC_EXIT_DONE; /* this is how an endless relay ends */
    }
    if (output->json) {
        zc_relay_report_print_json(&stats, error, stdout);
    } else if (!output->quiet && stats.n_connections) {
        zc_relay_report_print_table(&stats, stdout);
    }
    fflush(stdout);
    return error ? zc_cli_fail(usage.command, error) : ZC_EXIT_DONE;
}

static int relay(const struct relay_text *text, char **argv, const struct zc_output *output)
{
    g_autoptr(zcmig_relay) relay = NULL;
    struct zcmig_relay_options options;
    unsigned int sessions = 1;
    GError *error = NULL;
    int code = ZC_EXIT_DONE;
    bool stop = false;

    zcmig_relay_options_init(&options);
    options.listen = argv[1];
    options.destination = argv[2];
    zc_run_set_verbosity(output);
    if (read_options(text, &options, &sessions, &error)) {
        relay = zcmig_relay_new(&options, &error);
    }
    if (!relay) {
        return zc_run_failed(usage.command, output, error);
    }
    zc_signals_watch(cancel, relay);
    zc_run_announce(zcmig_relay_get_address(relay), output);
    for (unsigned int n = 0; !stop && (sessions == 0 || n < sessions); n++) {
        int its = run_session(relay, sessions == 0, output, &stop);
        code = code == ZC_EXIT_DONE ? its : code;
    }
    zc_signals_release();
    return code;
}

static void relay_text_clear(struct relay_text *text)
{
    g_free(text->order);
    g_free(text->sessions);

    g_free(text->manifest);
    g_free(text->buffer);
    g_free(text->accept_timeout);
    g_free(text->connect_timeout);
    g_free(text->stall_timeout);
}

int zc_cmd_relay(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct relay_text text = { 0 };
    struct zc_output output = ZC_OUTPUT_INIT;
    const GOptionEntry entries[] = {
        { "order", 0, 0, G_OPTION_ARG_STRING, &text.order,
          "main-first: tell connections apart and connect the main stream first; arrival: pass on "
          "whatever comes as it comes (default: main-first)",
          "ORDER" },
        { "sessions", 0, 0, G_OPTION_ARG_STRING, &text.sessions,
          "Relay so many, one after the other, or endless (default: 1)", "N" },
        { "manifest", 0, 0, G_OPTION_ARG_FILENAME, &text.manifest,
          "Record a digest of each page that passes in FILE: the bytes are copied then", "FILE" },
        { "buffer", 0, 0, G_OPTION_ARG_STRING, &text.buffer,
          "What a connection may hold for the destination (default: 8M)", "SIZE" },
        { "no-splice", 0, 0, G_OPTION_ARG_NONE, &text.no_splice,
          "Copy all bytes: to measure what splicing saves", NULL },
        { "allow-wildcard", 0, 0, G_OPTION_ARG_NONE, &text.allow_wildcard,
          "Listen on every address of this host, although nothing is encrypted", NULL },
        { "accept-timeout", 0, 0, G_OPTION_ARG_STRING, &text.accept_timeout,
          "Give up when no source connects for so many seconds, or never", "SECONDS" },
        { "connect-timeout", 0, 0, G_OPTION_ARG_STRING, &text.connect_timeout,
          "Give up when DEST cannot be reached for so many seconds", "SECONDS" },
        { "stall-timeout", 0, 0, G_OPTION_ARG_STRING, &text.stall_timeout,
          "Give up when nothing moves for so many seconds, or never", "SECONDS" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    int code = ZC_EXIT_DONE;

    switch (zc_options_parse(&usage, entries, &output, argc, argv, &error)) {
    case ZC_PARSED_RUN:
        code = relay(&text, argv, &output);
        break;
    case ZC_PARSED_WRONG:
        code = zc_cli_fail(usage.command, error);
        break;
    case ZC_PARSED_HELP:
        break;
    }
    relay_text_clear(&text);
    return code;
}
