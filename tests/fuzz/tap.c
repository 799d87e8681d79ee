/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a relay sees of a session: pieces of a main stream and of two channels, as
 * they arrive.  However each piece is cut again, the tap must record the same.
 */
#include "config.h"

#include <string.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "fuzz/fuzz.h"
#include "fuzz/samples.h"
#include "relay/tap.h"
#include "wire/bytes.h"

#define N_STREAMS 3
#define PIECE_HEAD_BYTES 3 /* whose it is, and how long */

struct outcome {
    uint64_t n_pages;
    bool ready;
    bool saved;
    char *manifest;
    gsize manifest_bytes;
    char *why_not;
};

static const char *manifest_path(void)
{
    static char *path;

    if (!path) {
        g_autofree char *dir = g_dir_make_tmp("zcmig-fuzz-XXXXXX", NULL);
        ZC_MUST(dir != NULL);
        path = g_build_filename(dir, "manifest", NULL);
        g_rmdir(dir); /* made again when there is something to save */
    }
    return path;
}

static void save(struct zc_tap *tap, struct outcome *outcome)
{
    const char *path = manifest_path();
    g_autofree char *dir = g_path_get_dirname(path);
    g_autoptr(GError) error = NULL;

    ZC_MUST(g_mkdir_with_parents(dir, 0700) == 0);
    outcome->saved = zc_tap_save(tap, path, &error);
    ZC_MUST(outcome->saved == (error == NULL));
    if (outcome->saved) {
        ZC_MUST(g_file_get_contents(path, &outcome->manifest, &outcome->manifest_bytes, NULL));
        g_unlink(path);
    } else {
        outcome->why_not = g_strdup(error->message);
    }
    g_rmdir(dir);
}

/* As the session does: no channel is read before the blocks are known. */
static struct outcome run(const uint8_t *bytes, size_t length, size_t step)
{
    struct outcome outcome = { 0 };
    struct zc_tap *tap = zc_tap_new(zc_sample_limits.ram_bytes);
    struct zc_tap_stream *streams[N_STREAMS] = { zc_tap_add_main(tap), zc_tap_add_channel(tap),
                                                 zc_tap_add_channel(tap) };

    for (size_t at = 0; at + PIECE_HEAD_BYTES <= length;) {
        unsigned int which = bytes[at] % N_STREAMS;
        size_t rest = zc_get_u16(bytes + at + 1);

        at += PIECE_HEAD_BYTES;
        rest = MIN(rest, length - at);
        bool is_read = which == 0 || zc_tap_is_ready(tap);
        while (rest) {
            size_t part = step ? MIN(step, rest) : rest;
            if (is_read) {
                zc_tap_take(streams[which], bytes + at, part);
            }
            at += part;
            rest -= part;
        }
    }
    outcome.n_pages = zc_tap_pages(tap);
    outcome.ready = zc_tap_is_ready(tap);
    save(tap, &outcome);
    zc_tap_free(tap);
    return outcome;
}

static void clear(struct outcome *outcome)
{
    g_free(outcome->manifest);
    g_free(outcome->why_not);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const size_t steps[] = { 1, 13, 4099 };
    struct outcome whole = run(bytes, length, 0);

    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        struct outcome cut = run(bytes, length, steps[i]);

        ZC_MUST(cut.n_pages == whole.n_pages && cut.ready == whole.ready);
        ZC_MUST(cut.saved == whole.saved && g_strcmp0(cut.why_not, whole.why_not) == 0);
        ZC_MUST(cut.manifest_bytes == whole.manifest_bytes);
        ZC_MUST(!whole.saved || memcmp(cut.manifest, whole.manifest, whole.manifest_bytes) == 0);
        clear(&cut);
    }
    clear(&whole);
    return 0;
}
