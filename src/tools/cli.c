/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <zcmig/error.h>

#include "tools/cli.h"

/* How the file form of a manifest begins (docs/protocol.md). */
#define MANIFEST_MAGIC "ZCMIGMAN"

char *zc_cli_one_line(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *line = g_string_new(NULL);

    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);
        if (g_unichar_isprint(character)) {
            g_string_append_unichar(line, character);
        } else {
            g_string_append_c(line, ' ');
        }
    }
    return g_string_free(line, FALSE);
}

int zc_cli_fail(const char *command, const GError *error)
{
    g_autofree char *line = zc_cli_one_line(error->message);
    int code = zcmig_error_exit_code(error);

    fprintf(stderr, "zcmig: %s: %s\n", command, line);
    if (code == ZC_EXIT_USAGE) {
        fprintf(stderr, "Try 'zcmig %s --help'\n", command);
    }
    return code;
}

/* "tcp:..." has a scheme; "./a:b" and "/a:b" are paths. */
static bool has_scheme(const char *argument)
{
    size_t letters = strspn(argument, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return letters > 0 && argument[letters] == ':';
}

char *zc_cli_source_uri(const char *argument)
{
    if (has_scheme(argument)) {
        return g_strdup(argument);
    }
    return g_strconcat(zc_cli_is_directory(argument) ? ZC_CLI_SNAPSHOT_SCHEME : "file:", argument,
                       NULL);
}

bool zc_cli_is_directory(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

bool zc_cli_is_manifest(const char *path)
{
    char start[sizeof(MANIFEST_MAGIC) - 1];
    FILE *file = fopen(path, "rbe");
    bool is = false;

    if (file) {
        is = fread(start, sizeof(start), 1, file) == 1 &&
             memcmp(start, MANIFEST_MAGIC, sizeof(start)) == 0;
        fclose(file);
    }
    return is;
}
