/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: what is shown is in the snapshot's index, which is made for reading:
 * this reads no RAM.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <zcmig/zcmig.h>

#include "base/size.h"
#include "tools/cli.h"
#include "tools/options.h"
#include "tools/report.h"

static const struct zc_usage usage = {
    .command = "show",
    .arguments = "SNAPSHOT",
    .summary = "Shows what a snapshot holds: machine, blocks of RAM, devices.",
    .details = "SNAPSHOT is a directory that zcmig recv -o dir:SNAPSHOT made.\n",
    .n_arguments = 1,
};

static const char *text_of(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : "?";
}

static uint64_t count_of(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64
               ? (uint64_t)json_node_get_int(node)
               : 0;
}

/* The objects of list @name of @root, one after the other; NULL behind the last. */
static JsonObject *next(JsonObject *root, const char *name, guint *index)
{
    JsonNode *list = json_object_get_member(root, name);

    while (list && JSON_NODE_HOLDS_ARRAY(list) &&
           *index < json_array_get_length(json_node_get_array(list))) {
        JsonNode *node = json_array_get_element(json_node_get_array(list), (*index)++);
        if (JSON_NODE_HOLDS_OBJECT(node)) {
            return json_node_get_object(node);
        }
    }
    return NULL;
}

static void print_line(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* What a file says is made harmless for a terminal. */
static void print_line(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *line = zc_cli_one_line(text);
    puts(line);
}

static void print_table(JsonObject *root)
{
    uint64_t bytes = 0, zero_bytes = 0, state_bytes = 0;
    JsonObject *entry;

    print_line("machine  %s", text_of(root, "machine"));
    if (json_object_has_member(root, "uuid")) {
        print_line("uuid     %s", text_of(root, "uuid"));
    }
    for (guint i = 0; (entry = next(root, "blocks", &i));) {
        uint64_t own_bytes = count_of(entry, "bytes");
        uint64_t own_zero = count_of(entry, "zero-pages") * ZC_REPORT_PAGE_BYTES;
        g_autofree char *size = zc_size_format(own_bytes);
        print_line("block    %-28s %10s  %3.0f %% zero", text_of(entry, "name"), size,
                   own_bytes ? 100.0 * (double)own_zero / (double)own_bytes : 0.0);
        bytes += own_bytes;
        zero_bytes += own_zero;
    }
    g_autofree char *all = zc_size_format(bytes);
    print_line("all      %-28s %10s  %3.0f %% zero", "", all,
               bytes ? 100.0 * (double)zero_bytes / (double)bytes : 0.0);
    for (guint i = 0; (entry = next(root, "devices", &i));) {
        g_autofree char *size = zc_size_format(count_of(entry, "bytes"));
        print_line("device   %-28s %10s  version %" G_GUINT64_FORMAT "%s", text_of(entry, "name"),
                   size, count_of(entry, "version"),
                   json_object_has_member(entry, "early") ? ", before RAM is whole" : "");
        state_bytes += count_of(entry, "bytes");
    }
    g_autofree char *state = zc_size_format(state_bytes);
    print_line("all      %-28s %10s", "", state);
}

static int show(const char *argument, bool json)
{
    const char *directory = g_str_has_prefix(argument, ZC_CLI_SNAPSHOT_SCHEME)
                                ? argument + strlen(ZC_CLI_SNAPSHOT_SCHEME)
                                : argument;
    g_autofree char *path = g_build_filename(directory, "index.json", NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) cause = NULL;
    g_autoptr(GError) error = NULL;

    if (!json_parser_load_from_file(parser, path, &cause) || !json_parser_get_root(parser) ||
        !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser))) {
        g_set_error(&error, ZCMIG_ERROR, ZCMIG_ERROR_SOURCE, "'%s' is no snapshot: %s", directory,
                    cause ? cause->message : "its index is no JSON object");
        return zc_cli_fail(usage.command, error);
    }
    if (json) {
        g_autoptr(JsonGenerator) generator = json_generator_new();
        json_generator_set_root(generator, json_parser_get_root(parser));
        g_autofree char *line = json_generator_to_data(generator, NULL);
        puts(line);
    } else {
        print_table(json_node_get_object(json_parser_get_root(parser)));
    }
    return ZC_EXIT_DONE;
}

int zc_cmd_show(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print the index as one JSON object", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    switch (zc_options_parse(&usage, entries, NULL, argc, argv, &error)) {
    case ZC_PARSED_RUN:
        return show(argv[1], json);
    case ZC_PARSED_WRONG:
        return zc_cli_fail(usage.command, error);
    case ZC_PARSED_HELP:
        break;
    }
    return ZC_EXIT_DONE;
}
