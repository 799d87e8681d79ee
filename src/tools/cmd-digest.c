/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>

#include <zcmig/zcmig.h>

#include "base/size.h"
#include "tools/cli.h"
#include "tools/options.h"
#include "tools/report.h"

#define THREADS_MAX 256

static const struct zc_usage usage = {
    .command = "digest",
    .arguments = "SOURCE",
    .summary = "Digests every page of some RAM, for a comparison now or later.",
    .details = "SOURCE is file:IMAGE, dir:SNAPSHOT, the path of either, or the guest of a QEMU\n"
               "that is paused, by the socket of its monitor: qmp:SOCKET[,way=WAY][,pid=PID].\n",
    .n_arguments = 1,
};

struct digest_text {
    char *output;
    char *threads;
    gboolean json;
};

static void print_json(const zcmig_manifest *manifest, const char *source, const char *path)
{
    g_autofree char *summary = zcmig_manifest_get_summary(manifest);
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    zc_report_add_text(builder, "command", usage.command);
    zc_report_add_text(builder, "source", source);
    zc_report_add_text(builder, "summary", summary);
    zc_report_add_count(builder, "pages", zcmig_manifest_get_pages(manifest));
    zc_report_add_count(builder, "zero-pages", zcmig_manifest_get_zero_pages(manifest));
    zc_report_add_count(builder, "page-size", ZC_REPORT_PAGE_BYTES);
    if (*zcmig_manifest_get_way(manifest)) {
        zc_report_add_text(builder, "way", zcmig_manifest_get_way(manifest));
        zc_report_add_count(builder, "unread-pages", zcmig_manifest_get_unknown_pages(manifest));
    }
    if (path) {
        zc_report_add_text(builder, "manifest", path);
    }
    json_builder_end_object(builder);
    g_autofree char *line = zc_report_json_line(builder);
    fputs(line, stdout);
}

static void print_table(const zcmig_manifest *manifest, const char *path)
{
    g_autofree char *summary = zcmig_manifest_get_summary(manifest);
    uint64_t pages = zcmig_manifest_get_pages(manifest);
    g_autofree char *size = zc_size_format(pages * ZC_REPORT_PAGE_BYTES);

    printf("summary     %s\n", summary);
    printf("pages       %" G_GUINT64_FORMAT " (%s)\n", pages, size);
    printf("zero pages  %" G_GUINT64_FORMAT "\n", zcmig_manifest_get_zero_pages(manifest));
    if (*zcmig_manifest_get_way(manifest)) {
        g_autofree char *way = zc_cli_one_line(zcmig_manifest_get_way(manifest));
        printf("read by     %s\n", way);
        printf("not read    %" G_GUINT64_FORMAT " pages\n",
               zcmig_manifest_get_unknown_pages(manifest));
    }
    if (path) {
        printf("manifest    %s\n", path);
    }
}

static int digest(const struct digest_text *text, const char *argument)
{
    g_autofree char *source = zc_cli_source_uri(argument);
    g_autoptr(zcmig_manifest) manifest = NULL;
    g_autoptr(GError) error = NULL;
    unsigned int threads = 0;

    if (zc_option_count(text->threads, "--threads", 1, THREADS_MAX, &threads, &error)) {
        manifest = zcmig_manifest_new_from_source(source, threads, &error);
    }
    if (!manifest || (text->output && !zcmig_manifest_save(manifest, text->output, &error))) {
        return zc_cli_fail(usage.command, error);
    }
    if (text->json) {
        print_json(manifest, source, text->output);
    } else {
        print_table(manifest, text->output);
    }
    return ZC_EXIT_DONE;
}

int zc_cmd_digest(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    struct digest_text text = { 0 };
    const GOptionEntry entries[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &text.output,
          "Write the manifest, 8 bytes a page, for zcmig verify", "MANIFEST" },
        { "threads", 0, 0, G_OPTION_ARG_STRING, &text.threads,
          "Threads that read, 1 to 256 (default: as many as CPUs)", "N" },
        { "json", 0, 0, G_OPTION_ARG_NONE, &text.json, "Print one JSON object", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    int code = ZC_EXIT_DONE;

    switch (zc_options_parse(&usage, entries, NULL, argc, argv, &error)) {
    case ZC_PARSED_RUN:
        code = digest(&text, argv[1]);
        break;
    case ZC_PARSED_WRONG:
        code = zc_cli_fail(usage.command, error);
        break;
    case ZC_PARSED_HELP:
        break;
    }
    g_free(text.output);
    g_free(text.threads);
    return code;
}
