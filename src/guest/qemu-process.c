/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: QEMU's record of a block (struct RAMBlock) holds, in this order and
 * without gaps since 2.x,
 *
 *     host | colo_cache | offset | used | total | resized | flags u32 | idstr[256]
 *
 * Offset, lengths and name are known from the monitor, so a record is told from
 * chance by 24 bytes and a name that all must be right, and what it says of the
 * host must be memory of that length besides.  Records lie on the main thread's
 * heap; nothing else is searched, and the guest's RAM least of all, for what is
 * there the guest wrote.  Checked on QEMU 7.2 and 10.0; 10.0 says itself where
 * its blocks are, and there the records are found to say the same.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "guest/qemu-process.h"

#define CHUNK_BYTES (4u << 20)
#define WORD sizeof(uint64_t)
/* Of a record, from its host. */
#define OFFSET_AT (2 * WORD)
#define USED_AT (3 * WORD)
#define TOTAL_AT (4 * WORD)
#define NAME_AT (6 * WORD + sizeof(uint32_t))
#define RECORD_BYTES (NAME_AT + ZC_BLOCK_NAME_BYTES)

struct mapping {
    uint64_t begin, end;
    uint64_t offset; /* in the file */
    dev_t device;
    ino_t inode; /* 0: anonymous */
    bool is_writable, is_shared, is_heap;
};

struct zc_qemu_process {
    pid_t pid;
    GArray *mappings; /* by address */
};

/* ----------------------------------------------------------------- mappings */

static bool read_mapping(const char *line, struct mapping *mapping)
{
    unsigned int major, minor;
    char rights[5];

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %lu", &mapping->begin,
               &mapping->end, rights, &mapping->offset, &major, &minor, &mapping->inode) != 7) {
        return false;
    }
    mapping->device = makedev(major, minor);
    mapping->is_writable = rights[1] == 'w';
    mapping->is_shared = rights[3] == 's';
    mapping->is_heap = strstr(line, "[heap]") != NULL;
    return mapping->begin < mapping->end;
}

struct zc_qemu_process *zc_qemu_process_open(pid_t pid, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    struct mapping mapping;
    char *line = NULL;
    size_t room = 0;
    int code = file ? 0 : errno;

    if (!file) {
        zc_error_errno(error, ZCMIG_ERROR_SOURCE, code, "cannot look at process %d", (int)pid);
        return NULL;
    }
    struct zc_qemu_process *process = g_new0(struct zc_qemu_process, 1);
    process->pid = pid;
    process->mappings = g_array_new(FALSE, FALSE, sizeof(struct mapping));
    while (getline(&line, &room, file) > 0) {
        if (read_mapping(line, &mapping)) {
            g_array_append_val(process->mappings, mapping);
        }
    }
    free(line);
    fclose(file);
    return process;
}

void zc_qemu_process_free(struct zc_qemu_process *process)
{
    if (process) {
        g_array_unref(process->mappings);
        g_free(process);
    }
}

pid_t zc_qemu_process_get_pid(const struct zc_qemu_process *process)
{
    return process->pid;
}

bool zc_qemu_process_has(const struct zc_qemu_process *process, uint64_t host, uint64_t bytes)
{
    uint64_t end;

    if (host == 0 || __builtin_add_overflow(host, bytes, &end)) {
        return false;
    }
    for (guint i = 0; i < process->mappings->len && host < end; i++) {
        const struct mapping *mapping = &g_array_index(process->mappings, struct mapping, i);
        if (mapping->begin <= host && host < mapping->end) {
            host = mapping->end;
        }
    }
    return host >= end;
}

/* ------------------------------------------------------------------ reading */

int zc_qemu_process_read(const struct zc_qemu_process *process, uint64_t host, void *buffer,
                         size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        struct iovec local = { (uint8_t *)buffer + done, bytes - done };
        struct iovec remote = { (void *)(uintptr_t)(host + done), bytes - done }; /* NOLINT */
        ssize_t n = process_vm_readv(process->pid, &local, 1, &remote, 1, 0);
        if (n <= 0) {
            return n < 0 ? -errno : -EFAULT;
        }
        done += (size_t)n;
    }
    return 0;
}

/* Opens what link @path leads to if it is the file of @mapping; -1. */
static int open_if(const char *path, const struct mapping *mapping)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &st) < 0 || st.st_ino != mapping->inode || !S_ISREG(st.st_mode)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* By the mapping itself, which takes CAP_CHECKPOINT_RESTORE, or by a descriptor of the process. */
static int open_mapping(const struct zc_qemu_process *process, const struct mapping *mapping)
{
    g_autofree char *link = g_strdup_printf("/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
                                            (int)process->pid, mapping->begin, mapping->end);
    g_autofree char *directory = g_strdup_printf("/proc/%d/fd", (int)process->pid);
    int fd = open_if(link, mapping);
    GDir *dir = fd < 0 ? g_dir_open(directory, 0, NULL) : NULL;
    const char *name;

    while (fd < 0 && dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        struct stat st;
        if (stat(path, &st) == 0 && st.st_ino == mapping->inode && S_ISREG(st.st_mode)) {
            fd = open_if(path, mapping);
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    return fd;
}

int zc_qemu_process_open_file(const struct zc_qemu_process *process, uint64_t host, uint64_t bytes,
                              uint64_t *offset_out)
{
    const struct mapping *found = NULL;
    unsigned int n = 0;

    for (guint i = 0; i < process->mappings->len; i++) {
        const struct mapping *mapping = &g_array_index(process->mappings, struct mapping, i);
        bool is_it =
            host ? mapping->begin <= host && host < mapping->end && bytes <= mapping->end - host
                 : mapping->end - mapping->begin == bytes && mapping->is_writable;
        if (is_it && mapping->is_shared && mapping->inode) {
            found = mapping;
            n++;
        }
    }
    if (n != 1) {
        return -1;
    }
    *offset_out = found->offset + (host ? host - found->begin : 0);
    return open_mapping(process, found);
}

/* ------------------------------------------------------------------ records */

uint64_t zc_qemu_process_find_record(const uint8_t *bytes, size_t length,
                                     const struct zc_qemu_block *block)
{
    const uint64_t wanted[] = { block->offset, block->used_bytes, block->total_bytes };
    size_t name_bytes = strlen(block->name) + 1;
    uint64_t host;

    for (size_t at = 0; length >= RECORD_BYTES && at <= length - RECORD_BYTES; at += WORD) {
        const uint8_t *record = bytes + at;
        if (memcmp(record + OFFSET_AT, wanted, sizeof(wanted)) == 0 &&
            memcmp(record + NAME_AT, block->name, name_bytes) == 0) {
            memcpy(&host, record, sizeof(host));
            return host;
        }
    }
    return 0;
}
G_STATIC_ASSERT(USED_AT == OFFSET_AT + WORD && TOTAL_AT == USED_AT + WORD);

/* Searches @length bytes of the process for the blocks that are missing; returns how many are. */
static unsigned int search(struct zc_qemu_process *process, const uint8_t *bytes, size_t length,
                           GArray *blocks)
{
    unsigned int n_missing = 0;

    for (guint i = 0; i < blocks->len; i++) {
        struct zc_qemu_block *block = &g_array_index(blocks, struct zc_qemu_block, i);
        uint64_t host = block->host ? 0 : zc_qemu_process_find_record(bytes, length, block);
        if (host % ZC_PAGE_BYTES == 0 && zc_qemu_process_has(process, host, block->used_bytes)) {
            block->host = host;
        }
        n_missing += block->host == 0;
    }
    return n_missing;
}

/* Chunks overlap by a record, so that none is cut. */
static int search_mapping(struct zc_qemu_process *process, const struct mapping *mapping,
                          uint8_t *buffer, GArray *blocks, unsigned int *n_missing)
{
    for (uint64_t at = mapping->begin; at < mapping->end && *n_missing;
         at += CHUNK_BYTES - ZC_PAGE_BYTES) {
        size_t length = MIN(mapping->end - at, (uint64_t)CHUNK_BYTES);
        int rc = zc_qemu_process_read(process, at, buffer, length);
        if (rc == -EFAULT) {
            return 0; /* not that one */
        }
        if (rc < 0) {
            return rc;
        }
        *n_missing = search(process, buffer, length, blocks);
    }
    return 0;
}
G_STATIC_ASSERT(RECORD_BYTES <= ZC_PAGE_BYTES);

int zc_qemu_process_find_blocks(struct zc_qemu_process *process, GArray *blocks)
{
    g_autofree uint8_t *buffer = g_malloc(CHUNK_BYTES);
    unsigned int n_missing = search(process, buffer, 0, blocks);
    int rc = 0;

    for (guint i = 0; i < process->mappings->len && n_missing && rc == 0; i++) {
        struct mapping mapping = g_array_index(process->mappings, struct mapping, i);
        if (mapping.is_heap) {
            rc = search_mapping(process, &mapping, buffer, blocks, &n_missing);
        }
    }
    return rc;
}
