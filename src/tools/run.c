/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>

#include "base/log.h"
#include "tools/cli.h"
#include "tools/progress.h"
#include "tools/report.h"
#include "tools/run.h"
#include "tools/signals.h"

void zc_run_set_verbosity(const struct zc_output *output)
{
    zcmig_set_verbosity(output->verbosity);
    zc_log_set_level(output->verbosity >= 2   ? ZC_LOG_DEBUG
                     : output->verbosity == 1 ? ZC_LOG_INFO
                                              : ZC_LOG_WARNING);
}

void zc_run_announce(const char *address, const struct zc_output *output)
{
    if (output->json) {
        g_autoptr(JsonBuilder) builder = json_builder_new();
        json_builder_begin_object(builder);
        zc_report_add_text(builder, "event", "listening");
        zc_report_add_text(builder, "address", address);
        json_builder_end_object(builder);
        g_autofree char *line = zc_report_json_line(builder);
        fputs(line, stdout);
    } else {
        printf("zcmig: listening on %s\n", address);
    }
    fflush(stdout);
}

static int finish(const struct zc_report *report, const struct zc_output *output)
{
    if (output->json) {
        zc_report_print_json(report, stdout);
    } else if (!output->quiet && report->stats) {
        zc_report_print_table(report, stdout);
    }
    fflush(stdout);
    return report->error ? zc_cli_fail(report->command, report->error) : ZC_EXIT_DONE;
}

static void cancel_session(void *session)
{
    zcmig_session_cancel(session);
}

int zc_run_session(const char *command, zcmig_session *session, const struct zc_output *output)
{
    g_autoptr(GError) error = NULL;
    struct zcmig_stats stats;
    struct zc_report report = { .command = command, .stats = &stats };

    zc_signals_watch(cancel_session, session);
    struct zc_progress_session shown = { .session = session };
    struct zc_progress *progress = zc_progress_start(&zc_progress_session_view, &shown, output);
    bool done = zcmig_session_run(session, &error);
    zc_progress_stop(progress);
    zc_signals_release();
    g_assert(done == !error);

    zcmig_session_get_stats(session, &stats);
    report.mismatches = zcmig_session_get_mismatches(session, &report.n_mismatches);
    report.error = error;
    return finish(&report, output);
}

int zc_run_failed(const char *command, const struct zc_output *output, GError *error)
{
    g_autoptr(GError) owned = error;
    struct zc_report report = { .command = command, .error = owned };

    return finish(&report, output);
}
