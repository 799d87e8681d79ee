/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zcmig/zcmig.h>

#include "tools/cli.h"

static const struct zc_command commands[] = {
    { "send", "send RAM to a zcmig or a QEMU", zc_cmd_send },
    { "recv", "take the RAM that a zcmig or a QEMU sends", zc_cmd_recv },
    { "relay", "take a migration in and pass it on, to another address or transport", zc_cmd_relay },
    { "digest", "digest every page of an image or snapshot", zc_cmd_digest },
    { "verify", "compare two images or manifests page by page", zc_cmd_verify },
    { "show", "show what a snapshot holds", zc_cmd_show },
    { "doctor", "say whether zero-copy will work, and if not, who is to blame", zc_cmd_doctor },
    { "bench", "compare what the engines cost the sender", zc_cmd_bench },
    { "demo", "move a guest that keeps writing between two processes here", zc_cmd_demo },
};

static const struct zc_command *find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void print_help(FILE *file)
{
    fprintf(file, "Usage: zcmig COMMAND [OPTION...] ARGUMENT...\n"
                  "       zcmig --version\n"
                  "       zcmig help [COMMAND]\n\n"
                  "Moves the RAM of virtual machines over zero-copy sockets, in QEMU's migration\n"
                  "protocol, and proves by page digests that it arrived.\n\n"
                  "Commands:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].brief);
    }
    fprintf(file, "\nExit codes: 0 done, 1 failed, 2 usage, 3 memory mismatch, "
                  "4 cancelled or timed out,\n5 (doctor) will copy.\n"
                  "Options of a command: zcmig COMMAND --help; manual: man zcmig.\n");
}

static int unknown(const char *name)
{
    fprintf(stderr, "zcmig: unknown %s '%s', allowed are", *name == '-' ? "option" : "command",
            name);
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        fprintf(stderr, " %s", commands[i].name);
    }
    fprintf(stderr, ", help, --help and --version\nTry 'zcmig --help'\n");
    return ZC_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    char *help_argv[] = { NULL, (char *)"--help", NULL };

    if (argc < 3) {
        print_help(stdout);
        return ZC_EXIT_DONE;
    }
    const struct zc_command *command = find(argv[2]);
    if (!command) {
        return unknown(argv[2]);
    }
    help_argv[0] = argv[2];
    return command->run(2, help_argv);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return ZC_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("zcmig %s\n", zcmig_version());
        return ZC_EXIT_DONE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return help(argc, argv);
    }
    const struct zc_command *command = find(argv[1]);
    return command ? command->run(argc - 1, argv + 1) : unknown(argv[1]);
}

int main(int argc, char **argv)
{
    int code = dispatch(argc, argv);

    /* A report that reached nobody is not a success. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == ZC_EXIT_DONE) {
        fprintf(stderr, "zcmig: cannot write to standard output: %s\n", g_strerror(errno));
        return ZC_EXIT_FAILED;
    }
    return code;
}
