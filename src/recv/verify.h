/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verification: the source's manifest, piece by piece as it comes, against the
 * digests recorded at arrival.  Nothing of it is kept but what is wrong.
 *
 * The pieces must name every page once, in the order of blocks and pages, so
 * that nothing is left uncompared.
 */
#ifndef ZC_RECV_VERIFY_H
#define ZC_RECV_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "mem/manifest.h"
#include "wire/extension.h"

#define ZC_VERIFY_RUNS_MAX 64

struct zc_verify {
    const struct zc_manifest *arrival; /* NULL: take the pieces and compare nothing */
    GArray *runs;                      /* struct zc_mismatch, ZC_VERIFY_RUNS_MAX at most */
    uint32_t block;                    /* the page that must come next */
    uint64_t page;
    uint64_t n_pages; /* that came */
    uint64_t n_compared;
    uint64_t n_wrong;
};

/* @arrival and @runs are borrowed.  No channel writes to @arrival any more. */
void zc_verify_init(struct zc_verify *verify, const struct zc_manifest *arrival, GArray *runs);

/* Error ZCMIG_ERROR_PROTOCOL: not the page that must come next, or beyond the block. */
bool zc_verify_take(struct zc_verify *verify, const struct zc_extension *manifest, GError **error);

/* Error ZCMIG_ERROR_PROTOCOL: the manifest is not whole.  What is wrong is no error here. */
bool zc_verify_end(const struct zc_verify *verify, const struct zc_extension *manifest_end,
                   GError **error);

/* The first wrong run, for people: "block 'pc.ram' at 0x1000, 2 pages: ..."; "" when none is. */
void zc_verify_describe(const struct zc_verify *verify, char *text, size_t bytes);

#endif
