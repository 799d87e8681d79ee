/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: nothing is decided by the kernel's version or by the kind of memory.
 * Features are asked for; whether a block can be protected is found out by
 * protecting it; and /proc/self/maps is only read to say why it could not be.
 * The one exception: without WP_UNPOPULATED, anonymous pages that are not
 * there cannot be protected, so they are made there first (the zero page,
 * read-only), which for a memfd would allocate them.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "guest/track-uffd.h"

#ifndef MADV_POPULATE_READ /* include/uapi/asm-generic/mman-common.h of 5.14 */
#define MADV_POPULATE_READ 22
#endif

#define GRANULE_BYTES_MAX (UINT64_C(1) << 30) /* the largest huge page there is */
#define PROTECT_TRIES 64                      /* the mappings change under us: EAGAIN */

static int open_fd(bool *user_mode_out)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    *user_mode_out = false;
    if (fd < 0 && (errno == EPERM || errno == EACCES)) {
        fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
        *user_mode_out = true;
    }
    return fd;
}

/* The handshake can be made once per descriptor, so asking what there is costs one of its own. */
static bool shake_hands(int fd, uint64_t wanted, uint64_t *features_out)
{
    struct uffdio_api api = { .api = UFFD_API, .features = wanted };

    if (ioctl(fd, UFFDIO_API, &api) < 0) {
        return false;
    }
    *features_out = api.features;
    return true;
}

bool zc_uffd_open(struct zc_uffd *uffd, uint64_t required, uint64_t optional, const char *what,
                  GError **error)
{
    uint64_t available = 0;
    bool user_mode;
    int probe_fd = open_fd(&user_mode);

    *uffd = (struct zc_uffd){ .fd = -1 };
    if (probe_fd < 0) {
        return zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, errno,
                              "%s: userfaultfd is not to be had (seccomp, or a kernel without it)",
                              what);
    }
    bool answered = shake_hands(probe_fd, 0, &available);
    close(probe_fd);
    if (!answered || (available & required) != required) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "%s: this kernel's userfaultfd lacks features: got 0x%" G_GINT64_MODIFIER
                        "x, needed are 0x%" G_GINT64_MODIFIER "x",
                        what, available, required);
    }
    uffd->fd = open_fd(&uffd->user_mode);
    uffd->features = required | (available & optional);
    if (uffd->fd < 0 || !shake_hands(uffd->fd, uffd->features, &available)) {
        zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, errno, "%s: userfaultfd", what);
        zc_uffd_close(uffd);
        return false;
    }
    return true;
}

void zc_uffd_close(struct zc_uffd *uffd)
{
    if (uffd->fd >= 0) {
        close(uffd->fd);
    }
    uffd->fd = -1;
    g_clear_pointer(&uffd->granule_pages, g_free);
}

int zc_uffd_protect(const struct zc_uffd *uffd, uint8_t *host, uint64_t bytes, bool protect)
{
    struct uffdio_writeprotect arg = {
        .range = { .start = (uintptr_t)host, .len = bytes },
        .mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
    };

    for (unsigned int i = 0; i < PROTECT_TRIES; i++) {
        if (ioctl(uffd->fd, UFFDIO_WRITEPROTECT, &arg) == 0) {
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR) {
            break;
        }
    }
    return -errno;
}

/* ------------------------------------------------------------ kinds of memory */

struct mapping {
    bool found;
    bool anonymous;
    char perms[5];
    char path[256];
};

static struct mapping find_mapping(const uint8_t *host)
{
    struct mapping mapping = { .found = false };
    FILE *maps = fopen("/proc/self/maps", "re");
    char *line = NULL;
    size_t size = 0;

    while (maps && !mapping.found && getline(&line, &size, maps) > 0) {
        uint64_t start;
        uint64_t end;
        uint64_t inode;
        mapping.path[0] = '\0';
        int fields = sscanf(line,
                            "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER
                            "x %4s %*s %*s %" G_GINT64_MODIFIER "u %255[^\n]",
                            &start, &end, mapping.perms, &inode, mapping.path);
        if (fields >= 4 && start <= (uintptr_t)host && (uintptr_t)host < end) {
            mapping.found = true;
            mapping.anonymous = inode == 0;
        }
    }
    free(line);
    if (maps) {
        fclose(maps);
    }
    return mapping;
}

static bool is_shared_memory(const char *path)
{
    return g_str_has_prefix(path, "/memfd:") || g_str_has_prefix(path, "/dev/shm/") ||
           g_str_has_prefix(path, "/dev/zero") || g_str_has_prefix(path, "/SYSV");
}

bool zc_uffd_refuse(const struct zc_uffd *uffd, const struct zc_block *block, int saved_errno,
                    GError **error)
{
    struct mapping mapping = find_mapping(block->host);

    if (saved_errno == EBUSY) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "block '%s': writes cannot be tracked: another userfaultfd watches it",
                        block->name);
    }
    if (mapping.found && mapping.perms[3] == 's' && mapping.perms[1] != 'w') {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "block '%s': writes cannot be tracked: it is mapped read-only ('%s')",
                        block->name, mapping.path);
    }
    if (mapping.found && !mapping.anonymous && is_shared_memory(mapping.path) &&
        !(uffd->features & UFFD_FEATURE_WP_HUGETLBFS_SHMEM)) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "block '%s': writes to shared memory ('%s') cannot be tracked by this "
                        "kernel, only to private anonymous memory",
                        block->name, mapping.path);
    }
    if (mapping.found && !mapping.anonymous && !is_shared_memory(mapping.path)) {
        return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                        "block '%s': writes to a mapping of the file '%s' cannot be tracked, "
                        "allowed are private anonymous memory, memfd, tmpfs and huge pages",
                        block->name, mapping.path);
    }
    return zc_error_errno(error, ZCMIG_ERROR_UNSUPPORTED, saved_errno,
                          "block '%s': writes cannot be tracked", block->name);
}

/* Taking off a protection that is not there succeeds on whole granules only, and does nothing. */
static uint32_t find_granule_pages(const struct zc_uffd *uffd, const struct zc_block *block)
{
    for (uint64_t bytes = ZC_PAGE_BYTES; bytes <= GRANULE_BYTES_MAX; bytes *= 2) {
        if (bytes <= block->used_bytes &&
            zc_uffd_protect(uffd, block->host, bytes, false) != -EINVAL) {
            return (uint32_t)(bytes / ZC_PAGE_BYTES);
        }
    }
    return 1;
}

static void touch_anonymous(const struct zc_block *block)
{
    const volatile uint8_t *host = block->host;

    if (madvise(block->host, block->used_bytes, MADV_POPULATE_READ) == 0) {
        return;
    }
    for (uint64_t offset = 0; offset < block->used_bytes; offset += ZC_PAGE_BYTES) {
        (void)host[offset];
    }
}

static bool register_block(struct zc_uffd *uffd, const struct zc_block *block, uint32_t index,
                           GError **error)
{
    struct uffdio_register arg = {
        .range = { .start = (uintptr_t)block->host, .len = block->used_bytes },
        .mode = UFFDIO_REGISTER_MODE_WP,
    };

    if (!(uffd->features & UFFD_FEATURE_WP_UNPOPULATED) && find_mapping(block->host).anonymous) {
        touch_anonymous(block);
    }
    if (ioctl(uffd->fd, UFFDIO_REGISTER, &arg) < 0) {
        return zc_uffd_refuse(uffd, block, errno, error);
    }
    uffd->n_registered = index + 1;
    uffd->granule_pages[index] = find_granule_pages(uffd, block);
    return true;
}

bool zc_uffd_register(struct zc_uffd *uffd, const struct zc_ram *ram, GError **error)
{
    g_free(uffd->granule_pages);
    uffd->granule_pages = g_new0(uint32_t, ram->n_blocks);
    uffd->n_registered = 0;
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        if (!register_block(uffd, &ram->blocks[i], i, error)) {
            return false;
        }
    }
    return true;
}

bool zc_uffd_protect_all(const struct zc_uffd *uffd, const struct zc_ram *ram, GError **error)
{
    for (uint32_t i = 0; i < ram->n_blocks; i++) {
        const struct zc_block *block = &ram->blocks[i];
        int ret = zc_uffd_protect(uffd, block->host, block->used_bytes, true);
        if (ret < 0) {
            return zc_uffd_refuse(uffd, block, -ret, error);
        }
    }
    return true;
}

void zc_uffd_stop(struct zc_uffd *uffd, const struct zc_ram *ram)
{
    for (uint32_t i = 0; i < uffd->n_registered; i++) {
        struct uffdio_range range = {
            .start = (uintptr_t)ram->blocks[i].host,
            .len = ram->blocks[i].used_bytes,
        };
        ioctl(uffd->fd, UFFDIO_UNREGISTER, &range);
        /* Unregistering wakes only those that wait for a missing page. */
        ioctl(uffd->fd, UFFDIO_WAKE, &range);
    }
    uffd->n_registered = 0;
}

void zc_uffd_forget(struct zc_uffd *uffd)
{
    uffd->n_registered = 0;
}

struct zc_range zc_uffd_widen(const struct zc_uffd *uffd, const struct zc_ram *ram,
                              const struct zc_range *range)
{
    uint64_t granule = uffd->granule_pages[range->block];
    uint64_t block_pages = zc_block_pages(&ram->blocks[range->block]);
    uint64_t first = range->first_page / granule * granule;
    uint64_t end =
        MIN((range->first_page + range->n_pages + granule - 1) / granule * granule, block_pages);

    return (struct zc_range){ .block = range->block,
                              .first_page = first,
                              .n_pages = (uint32_t)(end - first) };
}
