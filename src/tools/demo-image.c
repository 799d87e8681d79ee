/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: the demo of an image shows what zcmig does on RAM that a real system made, and
 * believes nobody: the digests are zcmig's own, the comparison byte by byte is
 * not, and the guest that was dumped has to go on ticking to the end.
 *
 *     kernel --> boot --> dump --> stream --> compare --> still alive --> report
 */
#include "config.h"

#include <string.h>

#include <zcmig/zcmig.h>

#include "base/size.h"
#include "tools/child.h"
#include "tools/cli.h"
#include "tools/demo-files.h"
#include "tools/demo-guest.h"
#include "tools/demo-image.h"
#include "tools/demo-pair.h"
#include "tools/demo-report.h"
#include "tools/demo-wake.h"

#define FETCH_TIMEOUT_S 330
#define BOOT_TIMEOUT_S 90u
#define STREAM_TIMEOUT_S 120u
#define KERNEL_HELPER "fetch-guest-kernel"

struct demo {
    const struct zc_demo_image_options *options;
    int64_t begun_us;
    char *kernel;
    char *directory;
    char *image;
    char *output;
    struct zc_demo_guest *guest;
    struct zc_demo_report report;
};

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

    if (zc_child_start(&child, argv, FALSE, zc_demo_wake_fd(), error)) {
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
    if (!demo->options->quiet) {
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
    demo->directory = zc_demo_files_make_directory(3 * (demo->options->memory_mib << 20), error);
    if (!demo->directory) {
        return FALSE;
    }
    const struct zc_demo_guest_options options = {
        .memory_mib = demo->options->memory_mib,
        .kernel = demo->kernel,
        .directory = demo->directory,
        .wake_fd = zc_demo_wake_fd(),
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
    g_autofree char *source = g_strconcat("file:", demo->image, NULL);
    g_autofree char *channels = g_strdup_printf("--channels=%u", demo->options->channels);
    const char *const recv_options[] = { "-o", demo->output, NULL };
    const char *const send_options[] = { channels, NULL };
    const struct zc_demo_pair_options options = {
        .listen = "tcp:127.0.0.1:0",
        .recv_options = recv_options,
        .source = source,
        .send_options = send_options,
        .wake_fd = zc_demo_wake_fd(),
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
    if (demo->directory && !demo->options->keep) {
        zc_demo_files_remove_directory(demo->directory);
    }
    g_free(demo->kernel);
    g_free(demo->directory);
    g_free(demo->image);
    g_free(demo->output);
}

int zc_demo_image_run(const struct zc_demo_image_options *options)
{
    g_autoptr(GError) error = NULL;
    struct demo demo_made = { .options = options, .begun_us = g_get_monotonic_time() };
    struct demo *demo = &demo_made;
    struct zc_demo_report *report = &demo->report;
    int code = ZC_EXIT_DONE;

    if (zc_demo_wake_watch(&error) && boot(demo, &error) && dump(demo, &error) &&
        stream(demo, &error) && compare(demo, &error)) {
        stage(demo, "done");
        report->kernel = demo->kernel;
        report->image = demo->options->keep ? demo->image : NULL;
        report->output = demo->output;
        (demo->options->json ? zc_demo_report_print_json : zc_demo_report_print_table)(report,
                                                                                       stdout);
        code = report->same ? ZC_EXIT_DONE : ZC_EXIT_MISMATCH;
    } else {
        code = zc_cli_fail("demo", error);
        if (demo->options->keep && demo->directory) {
            g_printerr("zcmig: demo: kept %s\n", demo->directory);
        }
    }
    clean_up(demo);
    return code;
}
