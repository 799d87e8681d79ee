/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A manifest: what each page of some RAM is or was, as digests.  The receiver
 * fills one as pages land (the arrival manifest); the source makes one of RAM
 * that stands still; comparing the two is verification.
 *
 * Entries are plain uint64_t.  Several threads may set entries of different
 * pages; who reads after them must have synchronised (the barrier does).
 */
#ifndef ZC_MEM_MANIFEST_H
#define ZC_MEM_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "mem/block.h"
#include "mem/digest.h"

struct zc_manifest_block {
    char name[ZC_BLOCK_NAME_BYTES];
    uint64_t n_pages;
    uint64_t *digests; /* ZC_DIGEST_NONE: it never arrived, or (see partial) could not be read */
};

struct zc_manifest {
    struct zc_manifest_block *blocks;
    uint32_t n_blocks;
    uint64_t exact_bytes; /* of an image whose last page is part of a page; 0: whole pages */
    bool partial; /* pages without a digest could not be read: nothing is known of them */
};

/* All entries ZC_DIGEST_NONE.  8 bytes a page, mapped lazily.  NULL: ZCMIG_ERROR_LIMIT. */
struct zc_manifest *zc_manifest_new(const struct zc_ram *ram, GError **error);
void zc_manifest_free(struct zc_manifest *manifest); /* accepts NULL */

uint64_t zc_manifest_pages(const struct zc_manifest *manifest);

/* Of a partial one, the pages that nothing is known of; else 0. */
uint64_t zc_manifest_unknown(const struct zc_manifest *manifest);

/* Fills the entries of @range from memory.  Reads the pages; no other thread writes them. */
void zc_manifest_digest_range(struct zc_manifest *manifest, const struct zc_ram *ram,
                              const struct zc_range *range);

enum zc_mismatch_kind {
    ZC_MISMATCH_DIFFERS, /* both sides know the page, and it is not the same */
    ZC_MISMATCH_MISSING, /* the second side never got it */
    ZC_MISMATCH_SHAPE,   /* the block is not there, or has another length */
};

/* A run of pages of one kind. */
struct zc_mismatch {
    enum zc_mismatch_kind kind;
    char block[ZC_BLOCK_NAME_BYTES];
    uint64_t first_page;
    uint64_t n_pages;
};

/*
 * Compares @got with @expected.  Returns the number of pages that are wrong; appends at most
 * @max_runs runs (struct zc_mismatch) to @runs, in the order of blocks and pages.  A page that
 * never arrived is a page of zeros; one that nothing is known of on either side is not compared.
 */
uint64_t zc_manifest_compare(const struct zc_manifest *expected, const struct zc_manifest *got,
                             GArray *runs, uint32_t max_runs);

/* The pages of that comparison of which either side knows nothing. */
uint64_t zc_manifest_uncompared(const struct zc_manifest *expected, const struct zc_manifest *got);

/* "block 'pc.ram': 3 pages from offset 0x1000 differ": one line for people; the caller frees. */
char *zc_mismatch_format(const struct zc_mismatch *mismatch);

/*
 * The file form (docs/protocol.md): big-endian,
 *
 *     "ZCMIGMAN" | version u32 = 1, of a partial one 2 | blocks u32 | exact_bytes u64
 *     { name length u16 | name | pages u64 } | digests u64 ... | XXH3-64 of all before u64
 *
 * Written whole under another name, then renamed.
 * Errors: ZCMIG_ERROR_OUTPUT; ZCMIG_ERROR_SOURCE (unreadable), ZCMIG_ERROR_PROTOCOL (not one).
 */
bool zc_manifest_save(const struct zc_manifest *manifest, const char *path, GError **error);
struct zc_manifest *zc_manifest_load(const char *path, GError **error);

/* The parser behind zc_manifest_load, on bytes: pure, for the fuzzer. */
struct zc_manifest *zc_manifest_parse(const uint8_t *bytes, size_t length, GError **error);

#endif
