/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU's monitor tells of a guest's RAM, which it does as tables for
 * people: "info ramblock" (the blocks; 10.0 also says where the process has
 * them) and "info mtree -f" (where the guest sees them).  Pure.
 */
#ifndef ZC_GUEST_QEMU_TEXT_H
#define ZC_GUEST_QEMU_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "mem/block.h"

struct zc_qemu_block {
    char name[ZC_BLOCK_NAME_BYTES]; /* idstr: as on the wire */
    uint64_t offset;                /* in QEMU's own numbering of all RAM */
    uint64_t used_bytes;
    uint64_t total_bytes;
    uint64_t host; /* address in QEMU's process; 0: this version does not tell */
};

/* A piece of a block that the guest can address. */
struct zc_qemu_piece {
    char region[ZC_BLOCK_NAME_BYTES]; /* the last part of the block's name: "vga.vram" */
    uint64_t guest_address;
    uint64_t offset; /* in the block */
    uint64_t bytes;
};

/*
 * Appends the blocks of @text to @blocks (struct zc_qemu_block).  Those without a name never
 * migrate and are left out.  ZCMIG_ERROR_PROTOCOL: no such table, or a line is not of it;
 * ZCMIG_ERROR_LIMIT: over ZC_BLOCKS_MAX.
 */
bool zc_qemu_text_blocks(const char *text, GArray *blocks, GError **error);

/*
 * Appends the RAM and ROM of the address space "memory" to @pieces (struct zc_qemu_piece).  Errors
 * as above.
 */
bool zc_qemu_text_layout(const char *text, GArray *pieces, GError **error);

/* Whether @region can be the name of @block's memory: the same, or what is behind its last '/'. */
bool zc_qemu_text_is_region(const char *region, const char *block);

#endif
