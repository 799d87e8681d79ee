/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: GOption parses, but prints neither help nor errors itself: its help
 * holds characters that a C locale cannot show, and its exit code is not ours.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zcmig/error.h>

#include "base/size.h"
#include "tools/options.h"

#define SECONDS_MAX 86400.0

static bool usage_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool usage_error(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE, text);
    return false;
}

/* ----------------------------------------------------------------- values */

static bool read_whole(const char *text, guint64 min, guint64 max, guint64 *out)
{
    return g_ascii_string_to_unsigned(text, 10, min, max, out, NULL);
}

bool zc_option_count(const char *text, const char *option, unsigned int min, unsigned int max,
                     unsigned int *out, GError **error)
{
    guint64 number = 0;

    if (!text) {
        return true;
    }
    if (!read_whole(text, min, max, &number)) {
        return usage_error(error, "%s: got '%s', allowed are %u to %u", option, text, min, max);
    }
    *out = (unsigned int)number;
    return true;
}

bool zc_option_choice(const char *text, const char *option, const char *const *names, int *out,
                      GError **error)
{
    if (!text) {
        return true;
    }
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    g_autofree char *allowed = g_strjoinv(", ", (char **)names);
    return usage_error(error, "%s: got '%s', allowed are %s", option, text, allowed);
}

bool zc_option_seconds(const char *text, const char *option, bool never_allowed, int64_t *ms_out,
                       GError **error)
{
    char *end = NULL;

    if (!text) {
        return true;
    }
    if (never_allowed && strcmp(text, "never") == 0) {
        *ms_out = -1;
        return true;
    }
    double seconds = g_ascii_strtod(text, &end);
    if (!g_ascii_isdigit(text[0]) || *end || !(seconds >= 0.001 && seconds <= SECONDS_MAX)) {
        return usage_error(error, "%s: got '%s', allowed are 0.001 to %.0f seconds%s", option, text,
                           SECONDS_MAX, never_allowed ? ", or never" : "");
    }
    *ms_out = (int64_t)(seconds * 1000 + 0.5);
    return true;
}

bool zc_option_size(const char *text, const char *option, uint64_t *bytes_out, GError **error)
{
    uint64_t bytes = 0;

    if (!text) {
        return true;
    }
    if (!zc_size_parse(text, option, &bytes, error)) {
        return false;
    }
    if (bytes == 0) {
        return usage_error(error, "%s: got '%s', allowed are 1 byte or more", option, text);
    }
    *bytes_out = bytes;
    return true;
}

bool zc_option_uuid(const char *text, const char **uuid_out, GError **error)
{
    if (!text) {
        return true;
    }
    if (!g_uuid_string_is_valid(text)) {
        return usage_error(error,
                           "--uuid: got '%s', allowed is the form "
                           "01234567-89ab-cdef-0123-456789abcdef",
                           text);
    }
    *uuid_out = text;
    return true;
}

/* --------------------------------------------------------- output options */

static gboolean on_verbose(const char *name, const char *value, gpointer data, GError **error)
{
    struct zc_output *output = data;

    (void)name;
    (void)value;
    (void)error;
    output->verbosity++;
    return TRUE;
}

static gboolean on_progress(const char *name, const char *value, gpointer data, GError **error)
{
    struct zc_output *output = data;
    guint64 fd = 0;

    if (!value || !*value) {
        output->progress = true;
        return TRUE;
    }
    if (!read_whole(value, 0, G_MAXINT, &fd) || fcntl((int)fd, F_GETFD) < 0) {
        return usage_error(error, "%s: got '%s', allowed is the number of an open descriptor", name,
                           value);
    }
    output->progress_fd = (int)fd;
    return TRUE;
}

static void add_output_entries(GOptionContext *context, struct zc_output *output)
{
    const GOptionEntry entries[] = {
        { "progress", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, on_progress,
          "Write progress to descriptor FD, a line of JSON each 250 ms; without FD: "
          "for people on stderr, even if it is no terminal",
          "[FD]" },
        { "json", 0, 0, G_OPTION_ARG_NONE, NULL, "Report as one JSON object", NULL },
        { "verbose", 'v', G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, on_verbose,
          "Say what happens on stderr; twice: say more", NULL },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, NULL, "No progress and no report for people", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    GOptionEntry own[G_N_ELEMENTS(entries)];

    memcpy(own, entries, sizeof(entries));
    own[1].arg_data = &output->json;
    own[3].arg_data = &output->quiet;
    g_option_context_add_main_entries(context, own, NULL);
}

/* ------------------------------------------------------------------ parse */

static void print_help(GOptionContext *context)
{
    g_autofree char *help = g_option_context_get_help(context, TRUE, NULL);
    g_auto(GStrv) parts = g_strsplit(help, "…", -1);
    g_autofree char *plain = g_strjoinv("...", parts);

    fputs(plain, stdout);
}

/* GOption would take the argument after a lone --progress for its value. */
static void close_optional_values(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--progress") == 0) {
            argv[i] = (char *)"--progress=";
        }
    }
}

/* GOption's own errors in our words: lower case, and as usage errors. */
static bool adopt_error(GError *foreign, GError **error)
{
    if (foreign->domain == ZCMIG_ERROR) {
        g_propagate_error(error, foreign);
        return false;
    }
    foreign->message[0] = g_ascii_tolower(foreign->message[0]);
    usage_error(error, "%s", foreign->message);
    g_error_free(foreign);
    return false;
}

static bool check_arguments(const struct zc_usage *usage, int argc, char **argv, GError **error)
{
    int given = argc - 1;

    if (given > 0 && strcmp(argv[1], "--") == 0) {
        memmove(&argv[1], &argv[2], (size_t)(argc - 1) * sizeof(argv[0]));
        given--;
    }
    int allowed = usage->n_arguments + usage->n_optional;

    if (given > allowed) {
        return usage_error(error, "unexpected argument '%s', allowed are %s", argv[allowed + 1],
                           usage->arguments);
    }
    if (given < usage->n_arguments) {
        return usage_error(error, "got %d arguments, allowed are %d: %s", given, usage->n_arguments,
                           usage->arguments);
    }
    return true;
}

enum zc_parsed zc_options_parse(const struct zc_usage *usage, const GOptionEntry *entries,
                                struct zc_output *output, int argc, char **argv, GError **error)
{
    gboolean help = FALSE;
    const GOptionEntry help_entries[] = {
        { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this help", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree char *program = g_strdup_printf("zcmig %s", usage->command);
    g_autoptr(GOptionContext) context = g_option_context_new(usage->arguments);
    GError *foreign = NULL;

    g_set_prgname(program);
    g_option_context_set_main_group(context, g_option_group_new("main", "", "", output, NULL));
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_summary(context, usage->summary);
    g_option_context_set_description(context, usage->details);
    g_option_context_add_main_entries(context, entries, NULL);
    if (output) {
        add_output_entries(context, output);
    }
    g_option_context_add_main_entries(context, help_entries, NULL);

    close_optional_values(argc, argv);
    if (!g_option_context_parse(context, &argc, &argv, &foreign)) {
        adopt_error(foreign, error);
        return ZC_PARSED_WRONG;
    }
    if (help) {
        print_help(context);
        return ZC_PARSED_HELP;
    }
    return check_arguments(usage, argc, argv, error) ? ZC_PARSED_RUN : ZC_PARSED_WRONG;
}
