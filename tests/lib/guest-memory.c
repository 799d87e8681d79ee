/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#include "lib/guest-memory.h"

static const struct {
    const char *name;
    bool memfd;
    bool thp;
    bool empty;
} kinds[ZC_MEMORY_KINDS] = {
    [ZC_MEMORY_PRIVATE] = { .name = "private" },
    [ZC_MEMORY_MEMFD] = { .name = "memfd", .memfd = true },
    [ZC_MEMORY_PRIVATE_THP] = { .name = "private, huge pages", .thp = true },
    [ZC_MEMORY_MEMFD_THP] = { .name = "memfd, huge pages", .memfd = true, .thp = true },
    [ZC_MEMORY_HUGETLB] = { .name = "hugetlb" },
    [ZC_MEMORY_PRIVATE_EMPTY] = { .name = "private, empty", .empty = true },
    [ZC_MEMORY_MEMFD_EMPTY] = { .name = "memfd, empty", .memfd = true, .empty = true },
};

const char *zc_memory_kind_name(enum zc_memory_kind kind)
{
    return kinds[kind].name;
}

/* Address space of which @bytes are aligned; what is too much goes back. */
static uint8_t *reserve_aligned(uint64_t bytes)
{
    uint64_t more = bytes + ZC_HUGE_PAGE_BYTES;
    uint8_t *all = mmap(NULL, more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (all == MAP_FAILED) {
        return NULL;
    }
    uint64_t skip = -(uintptr_t)all % ZC_HUGE_PAGE_BYTES;
    if (skip) {
        munmap(all, skip);
    }
    munmap(all + skip + bytes, more - skip - bytes);
    return all + skip;
}

static uint8_t *map_hugetlb(uint64_t bytes)
{
    uint8_t *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

uint8_t *zc_memory_map(enum zc_memory_kind kind, uint64_t bytes)
{
    uint8_t *memory = kind == ZC_MEMORY_HUGETLB ? map_hugetlb(bytes) : reserve_aligned(bytes);
    int fd = -1;

    if (!memory) {
        return NULL;
    }
    if (kinds[kind].memfd) {
        fd = memfd_create("guest-memory", MFD_CLOEXEC);
        g_assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    }
    if (kind != ZC_MEMORY_HUGETLB) {
        int flags = MAP_FIXED | (fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
        g_assert(mmap(memory, bytes, PROT_READ | PROT_WRITE, flags, fd, 0) == memory);
        madvise(memory, bytes, kinds[kind].thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!kinds[kind].empty) {
        memset(memory, 1, bytes);
    }
    return memory;
}

void zc_memory_unmap(uint8_t *memory, uint64_t bytes)
{
    munmap(memory, bytes);
}
