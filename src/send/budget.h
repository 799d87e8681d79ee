/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much may be in flight with MSG_ZEROCOPY before the kernel says ENOBUFS.
 * One budget for all channels of the process, because one of its two limits
 * counts per user:
 *
 *     RLIMIT_MEMLOCK  a call of S bytes holds S/4096 + 2 pages until it is noted, for all sockets
 *                     of the user together; not for CAP_IPC_LOCK, not when unlimited
 *     optmem_max      768 (Linux 6.1) to 896 (6.12) bytes of option memory per outstanding call,
 *                     per socket
 *
 * Other processes of the user eat the same memlock and are invisible, so the
 * budget is an estimate: ENOBUFS still comes, and shrinks it.
 */
#ifndef ZC_SEND_BUDGET_H
#define ZC_SEND_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ZC_BUDGET_UNLIMITED UINT64_MAX
#define ZC_BUDGET_OPTMEM_PER_CALL 896u

struct zc_budget {
    /* set before start */
    uint64_t memlock_bytes; /* RLIMIT_MEMLOCK, ZC_BUDGET_UNLIMITED when it does not bind */
    uint64_t optmem_bytes;  /* net.core.optmem_max; 0 when it cannot be read */
    /* atomic */
    _Atomic uint64_t limit_pages; /* what all channels together may hold; ENOBUFS lowers it */
    _Atomic uint64_t held_pages;
};

/* Reads RLIMIT_MEMLOCK, CAP_IPC_LOCK and net.core.optmem_max of this process and namespace. */
void zc_budget_init(struct zc_budget *budget);

/* The same from given limits, for tests and for showing the arithmetic. */
void zc_budget_init_from(struct zc_budget *budget, uint64_t memlock_bytes, uint64_t optmem_bytes);

/* Pages that the kernel charges for a call of @bytes asked for, also when it sends fewer. */
static inline uint32_t zc_budget_charge(uint64_t bytes)
{
    return (uint32_t)(bytes / 4096 + 2);
}

/* Largest call of whole pages under the present limit, nothing held; 0 when not even one page. */
uint64_t zc_budget_largest_call(struct zc_budget *budget);

/* The same with what is held at this moment: the largest call that would be allowed now. */
uint64_t zc_budget_room(struct zc_budget *budget);

/* Calls that one socket may have outstanding by optmem_max; by the smallest default if unknown. */
uint32_t zc_budget_calls_per_socket(const struct zc_budget *budget);

/* All or nothing; lock-free. */
bool zc_budget_take(struct zc_budget *budget, uint32_t pages);
void zc_budget_give(struct zc_budget *budget, uint32_t pages);

/*
 * The kernel refused for memlock although the budget had allowed @pages.  Gives them back and
 * lowers the limit to what else is held and half of them, so that a caller who asks again and
 * again for what there is room for arrives at what fits, or at nothing, in a few steps.
 */
void zc_budget_refused(struct zc_budget *budget, uint32_t pages);

/* Raises a lowered limit by @pages, up to RLIMIT_MEMLOCK: somebody else may have let go. */
void zc_budget_relax(struct zc_budget *budget, uint64_t pages);

#endif
