/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RAM as QEMU's migration sees it: an ordered list of named blocks, each a
 * run of target pages.  The list is fixed when a session starts; everything
 * that comes from the wire is checked against it (zc_ram_find, zc_block_has).
 */
#ifndef ZC_MEM_BLOCK_H
#define ZC_MEM_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#define ZC_PAGE_BYTES 4096u       /* target page of x86-64, and of every target zcmig speaks for */
#define ZC_BLOCK_NAME_BYTES 256u  /* idstr of a RAMBlock, its NUL included: QEMU's limit */
#define ZC_BLOCKS_MAX 1024u       /* more blocks than any machine type has */

struct zc_block {
    char name[ZC_BLOCK_NAME_BYTES];
    uint8_t *host;       /* where its pages are mapped here; page-aligned; NULL until allocated */
    uint64_t used_bytes; /* multiple of ZC_PAGE_BYTES */
};

struct zc_ram {
    struct zc_block *blocks;
    uint32_t n_blocks;
};

void zc_ram_init(struct zc_ram *ram);
void zc_ram_clear(struct zc_ram *ram); /* frees the list, never the pages */

/*
 * Adds a block.  Errors (ZCMIG_ERROR_LIMIT, ZCMIG_ERROR_PROTOCOL): too many blocks, an empty or
 * over-long name, a name that is there already, a length that is 0 or no multiple of a page, a
 * total over 2^63.  Returns its index, or -1.
 */
int zc_ram_add(struct zc_ram *ram, const char *name, uint8_t *host, uint64_t used_bytes,
               GError **error);

/* Index of the block called @name, -1 when there is none. */
int zc_ram_find(const struct zc_ram *ram, const char *name);

uint64_t zc_ram_bytes(const struct zc_ram *ram);
uint64_t zc_ram_pages(const struct zc_ram *ram);

static inline uint64_t zc_block_pages(const struct zc_block *block)
{
    return block->used_bytes / ZC_PAGE_BYTES;
}

/* Whether @offset is that of a whole page of @block. */
static inline bool zc_block_has(const struct zc_block *block, uint64_t offset)
{
    return offset % ZC_PAGE_BYTES == 0 && offset < block->used_bytes;
}

/* Pages [first_page, first_page + n_pages) of one block: what is handed from owner to owner. */
struct zc_range {
    uint32_t block;
    uint32_t n_pages;
    uint64_t first_page;
    bool known_zero; /* the source knows without reading (a hole of a sparse file) */
};

#endif
