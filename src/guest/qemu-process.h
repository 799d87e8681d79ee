/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory of a QEMU's process, read from outside.
 *
 * What may be read depends on rights: a memory file (memfd, file backend) takes
 * the right to look at the process (same user, or CAP_SYS_PTRACE; yama does not
 * mind), everything else the right to attach to it (yama minds).
 */
#ifndef ZC_GUEST_QEMU_PROCESS_H
#define ZC_GUEST_QEMU_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/qemu-text.h"

struct zc_qemu_process;

/* Reads the list of mappings of @pid.  ZCMIG_ERROR_SOURCE: no such process, or no right to. */
struct zc_qemu_process *zc_qemu_process_open(pid_t pid, GError **error);
void zc_qemu_process_free(struct zc_qemu_process *process); /* accepts NULL */

pid_t zc_qemu_process_get_pid(const struct zc_qemu_process *process);

/*
 * For a QEMU that does not tell (7.2): sets host of those of @blocks (struct zc_qemu_block)
 * that have none, by searching the process for QEMU's own records of them.  A record counts if its
 * name, offset and both lengths are the block's, and it points at that much memory.  Returns 0, or
 * -errno when the process cannot be read.
 */
int zc_qemu_process_find_blocks(struct zc_qemu_process *process, GArray *blocks);

/* Whether all @bytes at @host are mapped there. */
bool zc_qemu_process_has(const struct zc_qemu_process *process, uint64_t host, uint64_t bytes);

/* Reads @bytes at @host.  Any thread.  0 or -errno: -EPERM, -ESRCH, -EFAULT. */
int zc_qemu_process_read(const struct zc_qemu_process *process, uint64_t host, void *buffer,
                         size_t bytes);

/*
 * Opens, read-only, the file that all @bytes at @host are a shared mapping of; *@offset_out is
 * where they begin in it.  With @host 0: the only shared mapping of just that length.  -1: it is
 * none, or may not be opened.
 */
int zc_qemu_process_open_file(const struct zc_qemu_process *process, uint64_t host, uint64_t bytes,
                              uint64_t *offset_out);

/*
 * The search in one piece of memory, for tests: @bytes that lie at an address which is a multiple
 * of 8.  Returns the host address of @block's record, or 0.
 */
uint64_t zc_qemu_process_find_record(const uint8_t *bytes, size_t length,
                                     const struct zc_qemu_block *block);

#endif
