/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>

#include "mem/huge.h"

uint8_t *zc_huge_reserve(uint64_t bytes)
{
    uint8_t *all = mmap(NULL, bytes + ZC_HUGE_PAGE_BYTES, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (all == MAP_FAILED) {
        return NULL;
    }
    uint64_t skip = -(uintptr_t)all % ZC_HUGE_PAGE_BYTES;
    if (skip) {
        munmap(all, skip);
    }
    munmap(all + skip + bytes, ZC_HUGE_PAGE_BYTES - skip);
    return all + skip;
}

/* proc(5), smaps: a line of addresses for each mapping, then one for each of its figures. */
uint64_t zc_huge_count(const uint8_t *host, uint64_t bytes)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    bool is_inside = false;
    uint64_t huge_bytes = 0;

    while (file && fgets(line, sizeof(line), file)) {
        unsigned long long begin, end, kib;
        if (sscanf(line, "%llx-%llx ", &begin, &end) == 2) {
            is_inside = begin >= (uintptr_t)host && end <= (uintptr_t)host + bytes;
        } else if (is_inside && sscanf(line, "AnonHugePages: %llu kB", &kib) == 1) {
            huge_bytes += kib * 1024;
        }
    }
    if (file) {
        fclose(file);
    }
    return huge_bytes;
}
