/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A manifest file, as it is and with the check sum that it should have. */
#include "config.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "mem/manifest.h"
#include "wire/bytes.h"

#define CHECK_BYTES 8

static void run(const uint8_t *bytes, size_t length)
{
    GError *error = NULL;
    struct zc_manifest *manifest = zc_manifest_parse(bytes, length, &error);
    uint64_t n_digests = 0;

    if (!manifest) {
        ZC_MUST(error != NULL);
        g_error_free(error);
        return;
    }
    ZC_MUST(manifest->n_blocks <= ZC_BLOCKS_MAX);
    for (uint32_t i = 0; i < manifest->n_blocks; i++) {
        ZC_MUST(manifest->blocks[i].n_pages <= length / sizeof(uint64_t));
        ZC_MUST(strnlen(manifest->blocks[i].name, ZC_BLOCK_NAME_BYTES) < ZC_BLOCK_NAME_BYTES);
        n_digests += manifest->blocks[i].n_pages;
    }
    ZC_MUST(n_digests <= length / sizeof(uint64_t));
    GArray *runs = g_array_new(FALSE, FALSE, sizeof(struct zc_mismatch));
    ZC_MUST(zc_manifest_compare(manifest, manifest, runs, 4) == 0 && runs->len == 0);
    g_array_unref(runs);
    zc_manifest_free(manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    run(bytes, length);
    if (length > CHECK_BYTES) {
        uint8_t *copy = g_memdup2(bytes, length);
        zc_set_u64(copy + length - CHECK_BYTES, zc_digest_bytes(copy, length - CHECK_BYTES));
        run(copy, length);
        g_free(copy);
    }
    return 0;
}
