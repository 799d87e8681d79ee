/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Address space that suits huge pages, and how much of it has them.  Zero-copy
 * is cheaper by a third to a half with them: the kernel finds the pages of a
 * call at once, and hands neighbours to the device as one piece
 * (docs/cost.md).
 */
#ifndef ZC_MEM_HUGE_H
#define ZC_MEM_HUGE_H

#include <stdint.h>

#define ZC_HUGE_PAGE_BYTES (UINT64_C(2) << 20) /* of x86-64, and of others with pages of 4 KiB */

/*
 * Reserves @bytes of address space, a multiple of 4 KiB, at a multiple of ZC_HUGE_PAGE_BYTES; to be
 * mapped over, and to be unmapped with @bytes.  NULL: errno says why.
 */
uint8_t *zc_huge_reserve(uint64_t bytes);

/* How much of the @bytes at @host, one mapping of its own, has huge pages now.  0: or it is unknown. */
uint64_t zc_huge_count(const uint8_t *host, uint64_t bytes);

#endif
