/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: the demo shows what zcmig does on RAM that a real system made, and
 * believes nobody: the digests are zcmig's own, the comparison byte by byte is
 * not, and the guest that was dumped has to go on ticking to the end.
 *
 *     kernel --> boot --> dump --> stream --> compare --> still alive --> report
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <zcmig/zcmig.h>

#include "base/size.h"
#include "tools/child.h"
#include "tools/cli.h"
#include "tools/demo-files.h"
#include "tools/demo-guest.h"
#include "tools/demo-pair.h"
#include "tools/demo-report.h"
#include "tools/options.h"

#define MEMORY_DEFAULT_MIB 256u
#define CHANNELS_DEFAULT 4u
#define FETCH_TIMEOUT_S 330
#define BOOT_TIMEOUT_S 90u
#define STREAM_TIMEOUT_S 120u
#define KERNEL_HELPER "fetch-guest-kernel"

static const struct zc_usage usage = {
    .command = "demo",
    .arguments = "",
    .summary = "Boots a small guest, streams its RAM between two processes here, and verifies it.",
    .details = "Needs qemu-system-x86, busybox-static and, the first time, apt-get for a kernel.\n"
               "Takes about ten seconds and three times the guest's memory in /dev/shm.\n",
    .n_arguments = 0,
};

struct demo {
    uint64_t memory_mib;
    unsigned int channels;
    gboolean json;
    gboolean keep;
    gboolean quiet;
    int64_t begun_us;
    char *kernel;
    char *directory;
    char *image;
    char *output;
    struct zc_demo_guest *guest;
    struct zc_demo_report report;
};

/* --------------------------------------------------------------- signals */

/* set before the handler; an eventfd: readable from the first signal on */
static int wake_fd = -1;

static void on_signal(int number)
{
    int saved_errno = errno;
    const uint64_t one = 1;

    (void)number;
    if (write(wake_fd, &one, sizeof(one)) < 0) {
        /* It is readable already. */
    }
    errno = saved_errno;
}

/* Every wait of the demo ends when a signal comes, and what was made is cleaned up. */
static gboolean watch_signals(GError **error)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_FAILED, "cannot make an eventfd: %s",
                    g_strerror(errno));
        return FALSE;
    }
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    return TRUE;
}

/* ---------------------------------------------------------------- kernel */

/* The helper beside an uninstalled zcmig, else the installed one. */
static char *find_helper(void)
{
    const char *given = g_getenv("ZCMIG_LIBEXECDIR");
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    static const char *const build_tree[] = { "../../libexec",
                                              "../../../libexec" }; /* libtool's .libs */

    if (given) {
        return g_build_filename(given, KERNEL_HELPER, NULL);
    }
    g_autofree char *home = program ? g_path_get_dirname(program) : g_strdup(".");
    for (size_t i = 0; i < G_N_ELEMENTS(build_tree) && strstr(home, "/src/tools"); i++) {
        g_autofree char *path = g_build_filename(home, build_tree[i], KERNEL_HELPER, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE)) {
            return g_steal_pointer(&path);
        }
    }
    return g_build_filename(ZC_LIBEXECDIR, KERNEL_HELPER, NULL);
}

static char *find_kernel(GError **error)
{
    g_autofree char *helper = find_helper();
    const char *argv[] = { helper, NULL };
    int64_t deadline_us = g_get_monotonic_time() + (int64_t)FETCH_TIMEOUT_S * G_USEC_PER_SEC;
    struct zc_child child;
    char *kernel = NULL;

    if (zc_child_start(&child, argv, FALSE, wake_fd, error)) {
        g_autoptr(GError) local = NULL;
        kernel = zc_lines_next(&child.out, deadline_us, "the path of a guest kernel", &local);
        if (!kernel && local->code == ZCMIG_ERROR_DISCONNECTED) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_UNSUPPORTED,
                        "no kernel for the guest: %s says why", KERNEL_HELPER);
        } else if (!kernel) {
            g_propagate_error(error, g_steal_pointer(&local));
        }
    }
    zc_child_stop(&child, kernel != NULL);
    return kernel;
}

/* ---------------------------------------------------------------- stages */

static void stage(const struct demo *demo, const char *text)
{
    if (!demo->quiet) {
        g_printerr("[%5.1f s] %s\n",
                   (double)(g_get_monotonic_time() - demo->begun_us) / G_USEC_PER_SEC, text);
    }
}

static gboolean boot(struct demo *demo, GError **error)
{
    stage(demo, "finding a kernel for the guest");
    demo->kernel = find_kernel(error);
    if (!demo->kernel) {
        return FALSE;
    }
    /* The guest's RAM, its image and what arrives: three times at most. */
    demo->directory = zc_demo_files_make_directory(3 * (demo->memory_mib << 20), error);
    if (!demo->directory) {
        return FALSE;
    }
    const struct zc_demo_guest_options options = {
        .memory_mib = demo->memory_mib,
        .kernel = demo->kernel,
        .directory = demo->directory,
        .wake_fd = wake_fd,
    };
    stage(demo, "booting it under QEMU (TCG); it fills and keeps rewriting memory");
    demo->guest = zc_demo_guest_start(&options, error);
    return demo->guest && zc_demo_guest_wait_ready(demo->guest, BOOT_TIMEOUT_S, error) &&
           zc_demo_guest_prove_alive(demo->guest, &demo->report.tick, error);
}

static gboolean dump(struct demo *demo, GError **error)
{
    demo->image = g_build_filename(demo->directory, "image", NULL);
    demo->output = g_build_filename(demo->directory, "received", NULL);
    stage(demo, "pausing it to dump its RAM");
    return zc_demo_guest_dump(demo->guest, demo->image, &demo->report.dump, error) &&
           zc_demo_guest_prove_alive(demo->guest, &demo->report.tick, error);
}

static gboolean stream(struct demo *demo, GError **error)
{
    const struct zc_demo_pair_options options = {
        .image = demo->image,
        .output = demo->output,
        .channels = demo->channels,
        .wake_fd = wake_fd,
        .timeout_s = STREAM_TIMEOUT_S,
    };

    stage(demo, "streaming the image from zcmig send to zcmig recv over TCP, verifying it");
    return zc_demo_pair_run(&options, &demo->report.pair, error);
}

static gboolean compare(struct demo *demo, GError **error)
{
    struct zc_demo_report *report = &demo->report;

    stage(demo, "comparing the two images byte by byte");
    return zc_demo_files_compare(demo->image, demo->output, &report->same, &report->offset,
                                 error) &&
           zc_demo_guest_prove_alive(demo->guest, &report->tick, error);
}

static void clean_up(struct demo *demo)
{
    zc_demo_guest_free(demo->guest);
    zc_demo_pair_clear(&demo->report.pair);
    if (demo->directory && !demo->keep) {
        zc_demo_files_remove_directory(demo->directory);
    }
    g_free(demo->kernel);
    g_free(demo->directory);
    g_free(demo->image);
    g_free(demo->output);
}

static int run(struct demo *demo)
{
    g_autoptr(GError) error = NULL;
    struct zc_demo_report *report = &demo->report;
    int code = ZC_EXIT_DONE;

    demo->begun_us = g_get_monotonic_time();
    if (watch_signals(&error) && boot(demo, &error) && dump(demo, &error) && stream(demo, &error) &&
        compare(demo, &error)) {
        stage(demo, "done");
        report->kernel = demo->kernel;
        report->image = demo->keep ? demo->image : NULL;
        report->output = demo->output;
        (demo->json ? zc_demo_report_print_json : zc_demo_report_print_table)(report, stdout);
        code = report->same ? ZC_EXIT_DONE : ZC_EXIT_MISMATCH;
    } else {
        code = zc_cli_fail(usage.command, error);
        if (demo->keep && demo->directory) {
            g_printerr("zcmig: demo: kept %s\n", demo->directory);
        }
    }
    clean_up(demo);
    return code;
}

static bool read_memory(const char *text, uint64_t *mib_out, GError **error)
{
    uint64_t bytes = *mib_out * ZC_MIB;

    if (!zc_option_size(text, "--memory", &bytes, error)) {
        return false;
    }
    if (bytes % ZC_MIB) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "--memory: got '%s', allowed are whole MiB", text);
        return false;
    }
    *mib_out = bytes / ZC_MIB;
    return true;
}

int zc_cmd_demo(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *memory = NULL;
    g_autofree char *channels = NULL;
    struct demo demo = { .memory_mib = MEMORY_DEFAULT_MIB, .channels = CHANNELS_DEFAULT };
    const GOptionEntry entries[] = {
        { "memory", 0, 0, G_OPTION_ARG_STRING, &memory, "RAM of the guest (default: 256M)",
          "SIZE" },
        { "channels", 0, 0, G_OPTION_ARG_STRING, &channels,
          "Connections that carry pages, 1 to 64 (default: 4)", "N" },
        { "keep", 0, 0, G_OPTION_ARG_NONE, &demo.keep, "Keep the two images and say where they are",
          NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &demo.json, "Print the report as one JSON object",
          NULL },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &demo.quiet, "Do not tell the stages", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    switch (zc_options_parse(&usage, entries, NULL, argc, argv, &error)) {
    case ZC_PARSED_HELP:
        return ZC_EXIT_DONE;
    case ZC_PARSED_RUN:
        if (read_memory(memory, &demo.memory_mib, &error) &&
            zc_option_count(channels, "--channels", 1, ZCMIG_CHANNELS_MAX, &demo.channels,
                            &error)) {
            return run(&demo);
        }
        break;
    case ZC_PARSED_WRONG:
        break;
    }
    return zc_cli_fail(usage.command, error);
}
