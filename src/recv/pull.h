/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The route pull, at the receiving end: pages come straight out of the source's
 * process with process_vm_readv, one copy, while the channels carry lists of
 * them.
 *
 *     source's process   [ block 0 ]  [ block 1 ]      bases: where each lies there
 *                             |            |
 *                             +-- process_vm_readv --> the same offsets of our blocks
 *
 * Which process it is, the kernel says (SO_PEERCRED), not the peer.  Whether
 * we may read it, the kernel decides at each call.
 *
 * Threads: any number, once it is set up.
 */
#ifndef ZC_RECV_PULL_H
#define ZC_RECV_PULL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <glib.h>

#include "mem/block.h"

struct zc_pull {
    /* set before start */
    pid_t pid;
    int pidfd; /* of it: so that a process that took over its number is told from it; -1: none */
    uint64_t *bases; /* owned; of each RAM block, in their order */
    uint32_t n_bases;
};

/*
 * The process at the other end of @fd, with @n_bases big-endian addresses at @bases, of which the
 * first page's first byte is read as a trial.  Errors: ZCMIG_ERROR_UNSUPPORTED: no UNIX socket, a
 * process of another PID namespace, or the kernel does not let us read it (the message says what
 * would); ZCMIG_ERROR_PROTOCOL: an address that no page has.
 */
bool zc_pull_open(struct zc_pull *pull, int fd, const uint8_t *bases, uint32_t n_bases,
                  GError **error);
void zc_pull_clear(struct zc_pull *pull); /* accepts one that is all zeros but pidfd -1 */

/* Whether the addresses are those of as many blocks, each of them whole.  ZCMIG_ERROR_PROTOCOL. */
bool zc_pull_check(const struct zc_pull *pull, const struct zc_ram *ram, GError **error);

/* Where the byte at @offset of @block, which was checked to have it, is in the source's process. */
static inline void *zc_pull_address(const struct zc_pull *pull, uint32_t block, uint64_t offset)
{
    return (void *)(uintptr_t)(pull->bases[block] + offset);
}

/*
 * Fetches @remote, runs of the source's memory, into @local; up to IOV_MAX of each, not empty, of
 * the same length in all; both are used up.  0, or -errno: -EPERM, -ESRCH, -EFAULT (the source has
 * no such memory).
 */
int zc_pull_fetch(const struct zc_pull *pull, struct iovec *local, unsigned int n_local,
                  struct iovec *remote, unsigned int n_remote);

/* 0 when the process lives on, so that all that was fetched was its memory; -ESRCH. */
int zc_pull_confirm(const struct zc_pull *pull);

/* Whether the process at the other end of @fd is still the same one. */
bool zc_pull_is_peer(const struct zc_pull *pull, int fd);

/* -errno of the two above as an error that says what can be done. */
GError *zc_pull_error(const struct zc_pull *pull, int ret);

#endif
