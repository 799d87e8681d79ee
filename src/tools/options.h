/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines: GOption with one form of help and one form of error.  A value
 * is taken as text and then read by one of the zc_option_* functions; each
 * leaves its result alone when the option was not given (text NULL), and
 * otherwise fails with "--option: got 'X', allowed Y".
 */
#ifndef ZC_TOOLS_OPTIONS_H
#define ZC_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* What a command says about itself. */
struct zc_usage {
    const char *command;   /* "send" */
    const char *arguments; /* "SOURCE DEST" */
    const char *summary;   /* what it does, before the options */
    const char *details;   /* what the arguments look like, after them */
    int n_arguments;
    int n_optional; /* that may follow them */
};

/* How a command that runs a session shows it: the options -v -q --json --progress. */
struct zc_output {
    unsigned int verbosity;
    gboolean quiet; /* as GOption wants it */
    gboolean json;
    bool progress;   /* show it even when stderr is no terminal */
    int progress_fd; /* lines of JSON go there; -1: nowhere */
};

#define ZC_OUTPUT_INIT                                                                             \
    {                                                                                              \
        .progress_fd = -1                                                                          \
    }

enum zc_parsed {
    ZC_PARSED_RUN,  /* arguments are in argv[1] to argv[n_arguments] */
    ZC_PARSED_HELP, /* help was asked for and printed */
    ZC_PARSED_WRONG,
};

/*
 * Takes the options out of @argv.  @output may be NULL for a command that runs no session; then
 * only --help is added to @entries.  Returns ZC_PARSED_WRONG with a usage error in @error.
 */
enum zc_parsed zc_options_parse(const struct zc_usage *usage, const GOptionEntry *entries,
                                struct zc_output *output, int argc, char **argv, GError **error);

/* A whole number of @min to @max. */
bool zc_option_count(const char *text, const char *option, unsigned int min, unsigned int max,
                     unsigned int *out, GError **error);

/* One of @names (NULL-terminated): its index. */
bool zc_option_choice(const char *text, const char *option, const char *const *names, int *out,
                      GError **error);

/* Seconds, decimals allowed, as milliseconds; "never" is -1 when @never_allowed. */
bool zc_option_seconds(const char *text, const char *option, bool never_allowed, int64_t *ms_out,
                       GError **error);

/* A size or rate with a unit. */
bool zc_option_size(const char *text, const char *option, uint64_t *bytes_out, GError **error);

/* A session's UUID: checked for its form, borrowed. */
bool zc_option_uuid(const char *text, const char **uuid_out, GError **error);

#endif
