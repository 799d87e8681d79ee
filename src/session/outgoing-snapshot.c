/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the source says for a guest that was stored, so that a QEMU takes it.
 *
 * Design: a QEMU gets what another QEMU said, word for word, wherever it was
 * kept: the configuration, and everything from the first device section on.
 * Between these two the stream is our own.  It is what QEMU 7.2 understands as
 * well as later ones: zero pages are records on the main stream, because
 * before 9.0 packets carry none (7.2 would ignore them without a word); and
 * the flush record is there only for machine types that know it, because 7.2
 * dies of it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "session/outgoing.h"
#include "wire/stream.h"

#define RAM_SECTION_ID 2
#define MACHINE_NAME "none" /* an image has no machine: QEMU's name for that */
#define DESCRIPTION "{\"page_size\": 4096, \"devices\": []}"

void zc_outgoing_put_configuration(struct zc_outgoing *out)
{
    const struct zc_snapshot *snapshot = out->source->snapshot;

    if (snapshot) {
        g_byte_array_append(out->out, g_bytes_get_data(snapshot->configuration, NULL),
                            (guint)g_bytes_get_size(snapshot->configuration));
    } else {
        zc_stream_put_configuration(out->out, MACHINE_NAME);
    }
}

uint32_t zc_outgoing_ram_section_id(const struct zc_outgoing *out)
{
    return out->source->snapshot ? out->source->snapshot->ram_section_id : RAM_SECTION_ID;
}

bool zc_outgoing_says_flush(const struct zc_outgoing *out)
{
    const char *version = out->source->snapshot ? strrchr(out->source->snapshot->machine, '-')
                                                : NULL;
    unsigned int major = 0, minor = 0;

    if (out->peer_is_zcmig || !version || sscanf(version, "-%u.%u", &major, &minor) != 2) {
        return true;
    }
    return major > 8 || (major == 8 && minor >= 1);
}

void zc_outgoing_put_early(struct zc_outgoing *out, bool before_ram)
{
    const struct zc_snapshot *snapshot = out->source->snapshot;

    if (snapshot && snapshot->early && snapshot->early_before_ram == before_ram) {
        g_byte_array_append(out->out, g_bytes_get_data(snapshot->early, NULL),
                            (guint)g_bytes_get_size(snapshot->early));
    }
}

bool zc_outgoing_was_never_sent(const struct zc_outgoing *out, const struct zc_range *range)
{
    const struct zc_manifest *expected = out->source->expected;
    bool never = range->known_zero && out->source->snapshot && expected && !out->peer_is_zcmig;

    for (uint64_t i = 0; never && i < range->n_pages; i++) {
        never = expected->blocks[range->block].digests[range->first_page + i] == ZC_DIGEST_NONE;
    }
    return never;
}

void zc_outgoing_put_tail(struct zc_outgoing *out)
{
    const struct zc_snapshot *snapshot = out->source->snapshot;

    if (snapshot && snapshot->tail) {
        g_byte_array_append(out->out, g_bytes_get_data(snapshot->tail, NULL),
                            (guint)g_bytes_get_size(snapshot->tail));
    } else {
        zc_stream_put_eof(out->out);
        zc_stream_put_description(out->out, DESCRIPTION);
    }
}

/* -------------------------------------------------------------- zero pages */

struct zc_bitmap *zc_outgoing_new_zeros(const struct zc_outgoing *out)
{
    const struct zc_ram *ram = &out->source->ram;
    struct zc_bitmap *zeros;

    if (out->peer_is_zcmig || out->options.channels == 0 ||
        out->destination.kind == ZC_ADDR_NULL) {
        return NULL;
    }
    zeros = g_new0(struct zc_bitmap, ram->n_blocks);
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        zc_bitmap_init(&zeros[i], zc_block_pages(&ram->blocks[i]));
    }
    return zeros;
}

void zc_outgoing_free_zeros(struct zc_outgoing *out)
{
    for (uint32_t i = 0; out->zeros && i < out->source->ram.n_blocks; i++) {
        zc_bitmap_clear(&out->zeros[i]);
    }
    g_clear_pointer(&out->zeros, g_free);
}

bool zc_outgoing_put_zeros(struct zc_outgoing *out, uint32_t *block, uint64_t *page,
                           size_t max_bytes)
{
    const struct zc_ram *ram = &out->source->ram;
    const char *name = NULL;
    size_t before = out->out->len;

    for (; out->zeros && *block < ram->n_blocks; ++*block, *page = 0) {
        uint64_t first, n;
        name = ram->blocks[*block].name;
        while (*page < zc_block_pages(&ram->blocks[*block]) &&
               (n = zc_bitmap_next_run(&out->zeros[*block], *page, &first)) > 0) {
            for (*page = first; *page < first + n; ++*page) {
                if (out->out->len - before >= max_bytes) {
                    return true;
                }
                zc_stream_put_ram_zero(out->out, name, *page * ZC_PAGE_BYTES);
                name = NULL;
            }
        }
    }
    return out->out->len > before;
}

/* ------------------------------------------------------------------- proof */

bool zc_outgoing_check_pages(struct zc_outgoing *out)
{
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(struct zc_mismatch));
    GError *error = NULL;

    if (!out->source->expected || !out->manifest) {
        return true;
    }
    uint64_t n_wrong = zc_manifest_compare(out->source->expected, out->manifest, runs, 1);
    if (n_wrong == 0) {
        return true;
    }
    g_autofree char *first = zc_mismatch_format(&g_array_index(runs, struct zc_mismatch, 0));
    zc_error(&error, ZCMIG_ERROR_SOURCE,
             "%" G_GUINT64_FORMAT " pages of '%s' are not what was stored: %s", n_wrong,
             out->source->uri, first);
    zc_outgoing_fail(out, error);
    return false;
}
