/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the commands of zcmig share: their table, and the one way in which they
 * say what went wrong.  Only this directory prints.
 */
#ifndef ZC_TOOLS_CLI_H
#define ZC_TOOLS_CLI_H

#include <stdbool.h>

#include <glib.h>

enum zc_exit {
    ZC_EXIT_DONE = 0,
    ZC_EXIT_FAILED = 1,
    ZC_EXIT_USAGE = 2,
    ZC_EXIT_MISMATCH = 3,
    ZC_EXIT_CANCELLED = 4,
    ZC_EXIT_COPIES = 5, /* zcmig doctor */
};

/* A command gets its own name as argv[0] and returns the exit code. */
struct zc_command {
    const char *name;
    const char *brief;
    int (*run)(int argc, char **argv);
};

int zc_cmd_bench(int argc, char **argv);
int zc_cmd_demo(int argc, char **argv);
int zc_cmd_digest(int argc, char **argv);
int zc_cmd_doctor(int argc, char **argv);
int zc_cmd_recv(int argc, char **argv);
int zc_cmd_relay(int argc, char **argv);
int zc_cmd_send(int argc, char **argv);
int zc_cmd_show(int argc, char **argv);
int zc_cmd_verify(int argc, char **argv);

/*
 * Prints "zcmig: COMMAND: text" on stderr, as one line, and returns the exit code of @error.  A
 * usage error is followed by where to read on.
 */
int zc_cli_fail(const char *command, const GError *error);

/*
 * @text on one line and harmless to a terminal: a message may quote the peer.  The caller frees.
 */
char *zc_cli_one_line(const char *text);

#define ZC_CLI_SNAPSHOT_SCHEME "dir:"

/* Whether @path is a directory. */
bool zc_cli_is_directory(const char *path);

/* Whether @path is a file that begins as a manifest does. */
bool zc_cli_is_manifest(const char *path);

/* @argument as a source URI: without a scheme it is a path, file:PATH or, of a
 * directory, dir:PATH.  The caller frees. */
char *zc_cli_source_uri(const char *argument);

#endif
