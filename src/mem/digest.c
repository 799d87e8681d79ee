/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the zero test is compiled for three instruction sets and the linker
 * picks one at load time (target_clones), so one binary runs everywhere and
 * still scans at memory speed.  It gives up at the first 256 bytes that are
 * not zero.
 */
#include "config.h"

#include <xxh_x86dispatch.h>

#include "mem/block.h"
#include "mem/digest.h"

#define STEP_WORDS 32 /* 256 bytes between tests */

uint64_t zc_digest_page(const void *page)
{
    uint64_t digest = XXH3_64bits(page, ZC_PAGE_BYTES);

    return digest == ZC_DIGEST_NONE ? 1 : digest;
}

uint64_t zc_digest_bytes(const void *bytes, size_t length)
{
    return XXH3_64bits(bytes, length);
}

ZC_TARGET_CLONES
bool zc_page_is_zero_throughout(const void *page)
{
    const uint64_t *words = __builtin_assume_aligned(page, 64);

    for (size_t i = 0; i < ZC_PAGE_BYTES / sizeof(*words); i += STEP_WORDS) {
        uint64_t any = 0;
        for (size_t j = 0; j < STEP_WORDS; j++) {
            any |= words[i + j];
        }
        if (any) {
            return false;
        }
    }
    return true;
}
