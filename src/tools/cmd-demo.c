/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two demos: a live guest of our own (demo-live.c), the RAM of a real one (demo-image.c). */
#include "config.h"

#include <zcmig/zcmig.h>

#include "base/size.h"
#include "tools/cli.h"
#include "tools/demo-image.h"
#include "tools/demo-live.h"
#include "tools/options.h"

#define IMAGE_MEMORY_DEFAULT_MIB 256u
#define IMAGE_CHANNELS_DEFAULT 4u
#define DOWNTIME_LIMIT_MAX_MS 3600000u

static const struct zc_usage usage = {
    .command = "demo",
    .arguments = "",
    .summary = "Moves a guest that keeps writing between two processes here, and verifies it.",
    .details = "Needs nothing but memory for two guests, and takes a few seconds.\n"
               "With --image: boots a small Linux under QEMU instead, and streams its RAM as an\n"
               "image; that needs qemu-system-x86, busybox-static, the first time apt-get for a\n"
               "kernel, and three times the guest's memory in /dev/shm.\n",
    .n_arguments = 0,
};

struct demo_text {
    gboolean image;
    char *memory;
    char *channels;
    char *route;
    char *dirty;
    char *pattern;
    char *writers;
    char *downtime_limit;
    char *max_bandwidth;
    char *verify;
    gboolean keep;
    gboolean json;
    gboolean quiet;
};

static const char *const route_names[] = { "tcp", "pull", "memfd", NULL };
static const char *const verify_names[] = { "off", "after", "before", NULL };

static void demo_text_clear(struct demo_text *text)
{
    g_free(text->memory);
    g_free(text->channels);
    g_free(text->route);
    g_free(text->dirty);
    g_free(text->pattern);
    g_free(text->writers);
    g_free(text->downtime_limit);
    g_free(text->max_bandwidth);
    g_free(text->verify);
}

static bool refuse(const char *option, const char *why, GError **error)
{
    g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE, "%s: %s", option, why);
    return false;
}

/* An option of the one demo is not ignored by the other. */
static bool check_kind(const struct demo_text *text, GError **error)
{
    const struct {
        const char *option;
        const char *value;
    } live_only[] = {
        { "--route", text->route },
        { "--dirty", text->dirty },
        { "--pattern", text->pattern },
        { "--writers", text->writers },
        { "--downtime-limit", text->downtime_limit },
        { "--max-bandwidth", text->max_bandwidth },
        { "--verify", text->verify },
    };

    for (size_t i = 0; text->image && i < G_N_ELEMENTS(live_only); i++) {
        if (live_only[i].value) {
            return refuse(live_only[i].option, "not allowed with --image, whose RAM stands still",
                          error);
        }
    }
    return text->image || !text->keep ||
           refuse("--keep", "allowed only with --image: a live guest leaves no files", error);
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

static int run_image(const struct demo_text *text, GError **error)
{
    struct zc_demo_image_options options = {
        .memory_mib = IMAGE_MEMORY_DEFAULT_MIB,
        .channels = IMAGE_CHANNELS_DEFAULT,
        .keep = text->keep,
        .json = text->json,
        .quiet = text->quiet,
    };

    if (!read_memory(text->memory, &options.memory_mib, error) ||
        !zc_option_count(text->channels, "--channels", 1, ZCMIG_CHANNELS_MAX, &options.channels,
                         error)) {
        return ZC_EXIT_USAGE;
    }
    return zc_demo_image_run(&options);
}

/* What the guest does is checked by the guest; what is checked here would be said of send's option.
 */
static bool check_live(const struct demo_text *text, int *route_out, GError **error)
{
    unsigned int count = 0;
    uint64_t rate = 0;
    int verify = 0;

    return zc_option_choice(text->route, "--route", route_names, route_out, error) &&
           zc_option_choice(text->verify, "--verify", verify_names, &verify, error) &&
           zc_option_count(text->channels, "--channels", 1, ZCMIG_CHANNELS_MAX, &count, error) &&
           zc_option_count(text->writers, "--writers", 1, ZCMIG_CHANNELS_MAX, &count, error) &&
           zc_option_count(text->downtime_limit, "--downtime-limit", 0, DOWNTIME_LIMIT_MAX_MS,
                           &count, error) &&
           zc_option_size(text->max_bandwidth, "--max-bandwidth", &rate, error);
}

static int run_live(const struct demo_text *text, GError **error)
{
    uint64_t memory_mib = zc_demo_live_default_memory() / ZC_MIB;
    int route = ZC_DEMO_TCP;

    if (!check_live(text, &route, error) || !read_memory(text->memory, &memory_mib, error)) {
        return ZC_EXIT_USAGE;
    }
    const struct zc_demo_live_options options = {
        .route = (enum zc_demo_route)route,
        .memory_bytes = memory_mib * ZC_MIB,
        .dirty = text->dirty ? text->dirty : "100M",
        .pattern = text->pattern ? text->pattern : "random",
        .writers = text->writers ? text->writers : "1",
        .downtime_limit = text->downtime_limit ? text->downtime_limit : "30",
        .max_bandwidth = text->max_bandwidth,
        .channels = text->channels,
        .verify = text->verify ? text->verify : "after",
        .json = text->json,
        .quiet = text->quiet,
    };
    return zc_demo_live_run(&options);
}

static void add_entries(GArray *into, struct demo_text *text)
{
    const GOptionEntry entries[] = {
        { "route", 0, 0, G_OPTION_ARG_STRING, &text->route,
          "tcp; pull: the receiver fetches the pages from the sender's memory; memfd: the memory "
          "itself changes hands (default: tcp)",
          "ROUTE" },
        { "memory", 0, 0, G_OPTION_ARG_STRING, &text->memory,
          "RAM of the guest (default: 1G, less where memory is short; of an image 256M)", "SIZE" },
        { "dirty", 0, 0, G_OPTION_ARG_STRING, &text->dirty,
          "Bytes of pages that the guest writes each second, or max (default: 100M)", "RATE" },
        { "pattern", 0, 0, G_OPTION_ARG_STRING, &text->pattern,
          "Which pages it writes: seq, random, zipf, hot:FRACTION (default: random)", "PATTERN" },
        { "writers", 0, 0, G_OPTION_ARG_STRING, &text->writers,
          "Threads that write, its vCPUs, 1 to 64 (default: 1)", "N" },
        { "downtime-limit", 0, 0, G_OPTION_ARG_STRING, &text->downtime_limit,
          "Stop the guest when that takes no more than so many milliseconds (default: 30)", "MS" },
        { "max-bandwidth", 0, 0, G_OPTION_ARG_STRING, &text->max_bandwidth,
          "Bytes a second over all channels, to see it converge, or not (default: no limit)",
          "RATE" },
        { "verify", 0, 0, G_OPTION_ARG_STRING, &text->verify,
          "Compare page digests after the move, before the guest runs again, or off (default: "
          "after)",
          "MODE" },
        { "channels", 0, 0, G_OPTION_ARG_STRING, &text->channels,
          "Connections that carry pages, 1 to 64 (default: as many as CPUs, 8 at most; of an "
          "image 4)",
          "N" },
        { "image", 0, 0, G_OPTION_ARG_NONE, &text->image,
          "Stream the RAM of a real guest, as an image", NULL },
        { "keep", 0, 0, G_OPTION_ARG_NONE, &text->keep,
          "With --image: keep the two images and say where they are", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &text->json, "Print the report as one JSON object",
          NULL },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &text->quiet, "Do not tell the stages", NULL },
    };

    g_array_append_vals(into, entries, G_N_ELEMENTS(entries));
}

int zc_cmd_demo(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) entries = g_array_new(TRUE, FALSE, sizeof(GOptionEntry));
    struct demo_text text = { 0 };
    int code = ZC_EXIT_DONE;

    add_entries(entries, &text);
    enum zc_parsed parsed = zc_options_parse(
        &usage, (const GOptionEntry *)(const void *)entries->data, NULL, argc, argv, &error);
    if (parsed == ZC_PARSED_RUN && check_kind(&text, &error)) {
        code = (text.image ? run_image : run_live)(&text, &error);
    }
    /* What the demo itself said is not said again. */
    if (error) {
        code = zc_cli_fail(usage.command, error);
    }
    demo_text_clear(&text);
    return code;
}
