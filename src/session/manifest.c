/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The public manifest functions: mem/manifest.h with a source in front.
 */
#include "config.h"

#include <zcmig/zcmig.h>

#include "base/error.h"
#include "guest/guest.h"
#include "mem/manifest.h"
#include "session/digest.h"

#define RUNS_MAX 64

struct zcmig_manifest {
    struct zc_manifest *manifest;
    char *way;
};

static zcmig_manifest *wrap(struct zc_manifest *manifest)
{
    if (!manifest) {
        return NULL;
    }
    zcmig_manifest *wrapped = g_new0(zcmig_manifest, 1);
    wrapped->manifest = manifest;
    return wrapped;
}

zcmig_manifest *zcmig_manifest_new_from_source(const char *uri, unsigned int threads,
                                               GError **error)
{
    if (threads > ZC_DIGEST_THREADS_MAX) {
        zc_error(error, ZCMIG_ERROR_USAGE, "threads: got %u, allowed are 0 to %u", threads,
                 ZC_DIGEST_THREADS_MAX);
        return NULL;
    }
    struct zc_source *source = zc_source_open(uri, error);
    if (!source) {
        return NULL;
    }
    if (source->live) {
        zc_error(error, ZCMIG_ERROR_UNSUPPORTED, "'%s' does not stand still", uri);
        zc_source_free(source);
        return NULL;
    }
    zcmig_manifest *manifest =
        wrap(zc_digest_source(source, threads ? threads : zc_digest_threads(), error));
    if (manifest) {
        manifest->way = g_steal_pointer(&source->way);
    }
    zc_source_free(source);
    return manifest;
}

zcmig_manifest *zcmig_manifest_load(const char *path, GError **error)
{
    return wrap(zc_manifest_load(path, error));
}

bool zcmig_manifest_save(const zcmig_manifest *manifest, const char *path, GError **error)
{
    return zc_manifest_save(manifest->manifest, path, error);
}

void zcmig_manifest_free(zcmig_manifest *manifest)
{
    if (manifest) {
        zc_manifest_free(manifest->manifest);
        g_free(manifest->way);
        g_free(manifest);
    }
}

const char *zcmig_manifest_get_way(const zcmig_manifest *manifest)
{
    return manifest->way ? manifest->way : "";
}

uint64_t zcmig_manifest_get_uncompared_pages(const zcmig_manifest *expected,
                                             const zcmig_manifest *got)
{
    return zc_manifest_uncompared(expected->manifest, got->manifest);
}

uint64_t zcmig_manifest_get_unknown_pages(const zcmig_manifest *manifest)
{
    return zc_manifest_unknown(manifest->manifest);
}

uint64_t zcmig_manifest_get_pages(const zcmig_manifest *manifest)
{
    return zc_manifest_pages(manifest->manifest);
}

uint64_t zcmig_manifest_get_zero_pages(const zcmig_manifest *manifest)
{
    uint64_t n_zero = 0;

    for (uint32_t i = 0; i < manifest->manifest->n_blocks; i++) {
        const struct zc_manifest_block *block = &manifest->manifest->blocks[i];
        for (uint64_t page = 0; page < block->n_pages; page++) {
            n_zero += block->digests[page] == ZC_DIGEST_ZERO_PAGE;
        }
    }
    return n_zero;
}

char *zcmig_manifest_get_summary(const zcmig_manifest *manifest)
{
    /* Each block's name, length and digests by a digest of their own, then one over these. */
    g_autoptr(GByteArray) all = g_byte_array_new();

    for (uint32_t i = 0; i < manifest->manifest->n_blocks; i++) {
        const struct zc_manifest_block *block = &manifest->manifest->blocks[i];
        uint64_t pages = GUINT64_TO_LE(block->n_pages);
        uint64_t digest =
            GUINT64_TO_LE(zc_digest_bytes(block->digests, block->n_pages * sizeof(uint64_t)));
        g_byte_array_append(all, (const guint8 *)block->name, sizeof(block->name));
        g_byte_array_append(all, (const guint8 *)&pages, sizeof(pages));
        g_byte_array_append(all, (const guint8 *)&digest, sizeof(digest));
    }
    return g_strdup_printf("%016" G_GINT64_MODIFIER "x", zc_digest_bytes(all->data, all->len));
}

/* The name as the longer-lived manifest has it. */
static const char *own_name(const zcmig_manifest *a, const zcmig_manifest *b, const char *name)
{
    const zcmig_manifest *both[] = { a, b };

    for (size_t side = 0; side < G_N_ELEMENTS(both); side++) {
        for (uint32_t i = 0; i < both[side]->manifest->n_blocks; i++) {
            if (g_str_equal(both[side]->manifest->blocks[i].name, name)) {
                return both[side]->manifest->blocks[i].name;
            }
        }
    }
    return "";
}

uint64_t zcmig_manifest_compare(const zcmig_manifest *expected, const zcmig_manifest *got,
                                struct zcmig_mismatch **runs_out, unsigned int *n_runs_out)
{
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(struct zc_mismatch));
    uint64_t n_wrong = zc_manifest_compare(expected->manifest, got->manifest, runs, RUNS_MAX);

    *runs_out = g_new0(struct zcmig_mismatch, runs->len + 1);
    *n_runs_out = runs->len;
    for (unsigned int i = 0; i < runs->len; i++) {
        const struct zc_mismatch *run = &g_array_index(runs, struct zc_mismatch, i);
        (*runs_out)[i] = (struct zcmig_mismatch){
            .kind = (enum zcmig_mismatch_kind)run->kind,
            .block = own_name(expected, got, run->block),
            .offset = run->first_page * ZC_PAGE_BYTES,
            .n_pages = run->n_pages,
        };
    }
    return n_wrong;
}
