/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RAM of every kind that a guest may have, for tests of what works on it.
 */
#ifndef ZC_TESTS_GUEST_MEMORY_H
#define ZC_TESTS_GUEST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

enum zc_memory_kind {
    ZC_MEMORY_PRIVATE,
    ZC_MEMORY_MEMFD,
    ZC_MEMORY_PRIVATE_THP,
    ZC_MEMORY_MEMFD_THP,
    ZC_MEMORY_HUGETLB,       /* private; NULL unless the administrator reserved huge pages */
    ZC_MEMORY_PRIVATE_EMPTY, /* nothing touched yet */
    ZC_MEMORY_MEMFD_EMPTY,
    ZC_MEMORY_KINDS,
};

#define ZC_HUGE_PAGE_BYTES (2u << 20)

const char *zc_memory_kind_name(enum zc_memory_kind kind);

/* Maps @bytes (a multiple of 2 MiB), aligned to 2 MiB; touched unless of an empty kind.  NULL:
 * this machine has none of it. */
uint8_t *zc_memory_map(enum zc_memory_kind kind, uint64_t bytes);
void zc_memory_unmap(uint8_t *memory, uint64_t bytes);

#endif
