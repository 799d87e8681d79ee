/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <zcmig/zcmig.h>

#include "tools/cli.h"
#include "tools/options.h"
#include "tools/report.h"

#define MANIFEST_SCHEME "manifest:"

static const struct zc_usage usage = {
    .command = "verify",
    .arguments = "EXPECTED [GOT]",
    .summary = "Compares two states of RAM page by page and lists where they differ.",
    .details = "EXPECTED and GOT are each file:IMAGE, manifest:FILE (of zcmig digest -o),\n"
               "dir:SNAPSHOT, the path of any (a file that begins as a manifest does is read as\n"
               "one), or the paused guest of a QEMU, qmp:SOCKET.  Without GOT, EXPECTED is a\n"
               "snapshot: its pages as they are now against their digests at arrival.\n"
               "Exit code 3 if any page differs.\n",
    .n_arguments = 1,
    .n_optional = 1,
};

static zcmig_manifest *open_side(const char *argument, GError **error)
{
    if (g_str_has_prefix(argument, MANIFEST_SCHEME)) {
        return zcmig_manifest_load(argument + strlen(MANIFEST_SCHEME), error);
    }
    g_autofree char *source = zc_cli_source_uri(argument);
    if (zc_cli_is_manifest(argument)) {
        return zcmig_manifest_load(argument, error);
    }
    return zcmig_manifest_new_from_source(source, 0, error);
}

static void print_json(char **argv, uint64_t pages, uint64_t unknown, uint64_t wrong,
                       const struct zcmig_mismatch *runs, unsigned int n_runs)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    zc_report_add_text(builder, "command", usage.command);
    zc_report_add_text(builder, "expected", argv[1]);
    zc_report_add_text(builder, "got", argv[2]);
    zc_report_add_count(builder, "verified-pages", pages - unknown);
    if (unknown) {
        zc_report_add_count(builder, "unread-pages", unknown);
    }
    zc_report_add_count(builder, "mismatched-pages", wrong);
    zc_report_add_mismatches(builder, runs, n_runs);
    json_builder_end_object(builder);
    g_autofree char *line = zc_report_json_line(builder);
    fputs(line, stdout);
}

static int verify(char **argv, bool json)
{
    g_autoptr(GError) error = NULL;
    g_autofree struct zcmig_mismatch *runs = NULL;
    unsigned int n_runs = 0;

    g_autoptr(zcmig_manifest) expected = open_side(argv[1], &error);
    g_autoptr(zcmig_manifest) got = expected ? open_side(argv[2], &error) : NULL;
    if (!got) {
        return zc_cli_fail(usage.command, error);
    }
    uint64_t unknown = zcmig_manifest_get_uncompared_pages(expected, got);
    uint64_t pages = zcmig_manifest_get_pages(expected);
    uint64_t wrong = zcmig_manifest_compare(expected, got, &runs, &n_runs);
    if (json) {
        print_json(argv, pages, unknown, wrong, runs, n_runs);
    } else if (wrong) {
        zc_report_print_mismatches(runs, n_runs, stdout);
    } else {
        printf("%" G_GUINT64_FORMAT " pages are the same\n", pages - unknown);
    }
    if (unknown && !json) {
        printf("%" G_GUINT64_FORMAT " pages were not compared, because QEMU's could not be read\n",
               unknown);
    }
    if (!wrong) {
        return ZC_EXIT_DONE;
    }
    fflush(stdout);
    g_set_error(&error, ZCMIG_ERROR, ZCMIG_ERROR_MISMATCH,
                "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                " pages of '%s' are not those of '%s'",
                wrong, pages, argv[2], argv[1]);
    return zc_cli_fail(usage.command, error);
}

/* A snapshot against its own manifest. */
static int verify_snapshot(char **argv, bool json)
{
    const char *directory = g_str_has_prefix(argv[1], ZC_CLI_SNAPSHOT_SCHEME)
                                ? argv[1] + strlen(ZC_CLI_SNAPSHOT_SCHEME)
                                : argv[1];
    g_autoptr(GError) error = NULL;

    if (!zc_cli_is_directory(directory)) {
        g_set_error(&error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "'%s' is no snapshot: the other side is missing", argv[1]);
        return zc_cli_fail(usage.command, error);
    }
    g_autofree char *manifest = g_strconcat(MANIFEST_SCHEME, directory, "/pages.manifest", NULL);
    g_autofree char *pages = g_strconcat(ZC_CLI_SNAPSHOT_SCHEME, directory, NULL);
    char *sides[] = { argv[0], manifest, pages, NULL };
    return verify(sides, json);
}

int zc_cmd_verify(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print one JSON object", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    switch (zc_options_parse(&usage, entries, NULL, argc, argv, &error)) {
    case ZC_PARSED_RUN:
        return argv[2] ? verify(argv, json) : verify_snapshot(argv, json);
    case ZC_PARSED_WRONG:
        return zc_cli_fail(usage.command, error);
    case ZC_PARSED_HELP:
        break;
    }
    return ZC_EXIT_DONE;
}
