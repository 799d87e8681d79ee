/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "recv/verify.h"

void zc_verify_init(struct zc_verify *verify, const struct zc_manifest *arrival, GArray *runs)
{
    *verify = (struct zc_verify){ .arrival = arrival, .runs = runs };
}

/* Adds the page to the last run, or begins one while there is room. */
static void note_wrong(struct zc_verify *verify, enum zc_mismatch_kind kind, uint32_t block,
                       uint64_t page)
{
    const char *name = verify->arrival->blocks[block].name;
    GArray *runs = verify->runs;

    verify->n_wrong++;
    if (runs->len) {
        struct zc_mismatch *last = &g_array_index(runs, struct zc_mismatch, runs->len - 1);
        if (last->kind == kind && last->first_page + last->n_pages == page &&
            strcmp(last->block, name) == 0) {
            last->n_pages++;
            return;
        }
    }
    if (runs->len < ZC_VERIFY_RUNS_MAX) {
        struct zc_mismatch run = { .kind = kind, .first_page = page, .n_pages = 1 };
        g_strlcpy(run.block, name, sizeof(run.block));
        g_array_append_val(runs, run);
    }
}

static void compare(struct zc_verify *verify, const struct zc_extension *manifest)
{
    const struct zc_manifest_block *block = &verify->arrival->blocks[manifest->manifest.block];

    for (uint32_t i = 0; i < manifest->manifest.n_digests; i++) {
        uint64_t page = manifest->manifest.first_page + i;
        uint64_t expected;
        memcpy(&expected, manifest->manifest.digests + i * sizeof(expected), sizeof(expected));
        uint64_t got = block->digests[page];
        if (got == GUINT64_FROM_BE(expected) && got != ZC_DIGEST_NONE) {
            continue;
        }
        note_wrong(verify, got == ZC_DIGEST_NONE ? ZC_MISMATCH_MISSING : ZC_MISMATCH_DIFFERS,
                   manifest->manifest.block, page);
    }
    verify->n_compared += manifest->manifest.n_digests;
}

bool zc_verify_take(struct zc_verify *verify, const struct zc_extension *manifest, GError **error)
{
    const struct zc_manifest *arrival = verify->arrival;

    if (!arrival) {
        verify->n_pages += manifest->manifest.n_digests;
        return true;
    }
    if (verify->block >= arrival->n_blocks || manifest->manifest.block != verify->block ||
        manifest->manifest.first_page != verify->page) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "manifest: got digests of block %u from page %" G_GUINT64_FORMAT
                        ", allowed are those of block %u from page %" G_GUINT64_FORMAT,
                        manifest->manifest.block, manifest->manifest.first_page, verify->block,
                        verify->page);
    }
    const struct zc_manifest_block *block = &arrival->blocks[verify->block];
    uint32_t n = manifest->manifest.n_digests;
    if (n == 0 || n > block->n_pages - verify->page) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "manifest: got %u digests from page %" G_GUINT64_FORMAT
                        ", block '%s' has %" G_GUINT64_FORMAT " pages",
                        n, verify->page, block->name, block->n_pages);
    }
    compare(verify, manifest);
    verify->n_pages += n;
    verify->page += n;
    if (verify->page == block->n_pages) {
        verify->block++;
        verify->page = 0;
    }
    return true;
}

bool zc_verify_end(const struct zc_verify *verify, const struct zc_extension *manifest_end,
                   GError **error)
{
    uint64_t announced = manifest_end->manifest_end.n_pages;

    if (announced != verify->n_pages ||
        (verify->arrival && announced != zc_manifest_pages(verify->arrival))) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "manifest: %" G_GUINT64_FORMAT " digests came, %" G_GUINT64_FORMAT
                        " were announced",
                        verify->n_pages, announced);
    }
    return true;
}

void zc_verify_describe(const struct zc_verify *verify, char *text, size_t bytes)
{
    text[0] = '\0';
    if (verify->n_wrong) {
        const struct zc_mismatch *run = &g_array_index(verify->runs, struct zc_mismatch, 0);
        g_snprintf(text, (gulong)bytes,
                   "block '%s' at 0x%" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT " page%s: %s",
                   run->block, run->first_page * ZC_PAGE_BYTES, run->n_pages,
                   run->n_pages == 1 ? "" : "s",
                   run->kind == ZC_MISMATCH_MISSING ? "never arrived" : "not what was sent");
    }
}
