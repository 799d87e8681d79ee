/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: two counters without a lock.  A take adds first and looks after, so
 * two channels may both be turned away where one would have fitted; neither
 * can ever exceed the limit, and the next note lets one of them in.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "send/budget.h"

#define PAGE_BYTES 4096u
/* pages that a call is charged beyond its bytes */
#define CHARGE_EXTRA 2u
/* net.core.optmem_max before Linux 6.8, and the least that is met in the field */
#define OPTMEM_SMALLEST_DEFAULT 20480u

/* The kernel asks for the capability in the first user namespace, wherever the process lives. */
static bool in_first_user_namespace(void)
{
    unsigned long inside = 1, outside = 1, count = 0;
    FILE *file = fopen("/proc/self/uid_map", "re");

    if (!file) {
        return errno == ENOENT; /* a kernel without user namespaces */
    }
    bool read = fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3;
    fclose(file);
    return read && inside == 0 && outside == 0 && count == UINT32_MAX;
}

static bool has_cap_ipc_lock(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    if (syscall(SYS_capget, &header, data) < 0) {
        return false;
    }
    return data[0].effective & (1u << CAP_IPC_LOCK);
}

static uint64_t read_memlock(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
        (has_cap_ipc_lock() && in_first_user_namespace())) {
        return ZC_BUDGET_UNLIMITED;
    }
    return limit.rlim_cur;
}

static uint64_t read_optmem(void)
{
    unsigned long bytes = 0;
    FILE *file = fopen("/proc/sys/net/core/optmem_max", "re");

    if (file) {
        if (fscanf(file, "%lu", &bytes) != 1) {
            bytes = 0;
        }
        fclose(file);
    }
    return bytes;
}

static uint64_t memlock_pages(const struct zc_budget *budget)
{
    return budget->memlock_bytes == ZC_BUDGET_UNLIMITED ? ZC_BUDGET_UNLIMITED
                                                        : budget->memlock_bytes / PAGE_BYTES;
}

void zc_budget_init_from(struct zc_budget *budget, uint64_t memlock_bytes, uint64_t optmem_bytes)
{
    budget->memlock_bytes = memlock_bytes;
    budget->optmem_bytes = optmem_bytes;
    atomic_init(&budget->limit_pages, memlock_pages(budget));
    atomic_init(&budget->held_pages, 0);
}

void zc_budget_init(struct zc_budget *budget)
{
    zc_budget_init_from(budget, read_memlock(), read_optmem());
}

/* The most bytes, in whole pages, whose charge is at most @pages. */
static uint64_t call_of(uint64_t pages)
{
    if (pages <= CHARGE_EXTRA) {
        return 0;
    }
    return pages >= UINT64_MAX / PAGE_BYTES ? ZC_BUDGET_UNLIMITED
                                            : (pages - CHARGE_EXTRA) * PAGE_BYTES;
}

uint64_t zc_budget_largest_call(struct zc_budget *budget)
{
    return call_of(atomic_load_explicit(&budget->limit_pages, memory_order_relaxed));
}

uint64_t zc_budget_room(struct zc_budget *budget)
{
    uint64_t limit = atomic_load_explicit(&budget->limit_pages, memory_order_relaxed);
    uint64_t held = atomic_load_explicit(&budget->held_pages, memory_order_relaxed);

    return limit > held ? call_of(limit - held) : 0;
}

uint32_t zc_budget_calls_per_socket(const struct zc_budget *budget)
{
    uint64_t optmem = budget->optmem_bytes ? budget->optmem_bytes : OPTMEM_SMALLEST_DEFAULT;
    uint64_t calls = optmem / ZC_BUDGET_OPTMEM_PER_CALL;

    return calls > UINT32_MAX ? UINT32_MAX : (uint32_t)calls;
}

bool zc_budget_take(struct zc_budget *budget, uint32_t pages)
{
    uint64_t held =
        atomic_fetch_add_explicit(&budget->held_pages, pages, memory_order_relaxed) + pages;

    if (held > atomic_load_explicit(&budget->limit_pages, memory_order_relaxed)) {
        zc_budget_give(budget, pages);
        return false;
    }
    return true;
}

void zc_budget_give(struct zc_budget *budget, uint32_t pages)
{
    atomic_fetch_sub_explicit(&budget->held_pages, pages, memory_order_relaxed);
}

void zc_budget_refused(struct zc_budget *budget, uint32_t pages)
{
    uint64_t held =
        atomic_fetch_sub_explicit(&budget->held_pages, pages, memory_order_relaxed) - pages;
    uint64_t lower = held + pages / 2;
    uint64_t limit = atomic_load_explicit(&budget->limit_pages, memory_order_relaxed);

    while (lower < limit &&
           !atomic_compare_exchange_weak_explicit(&budget->limit_pages, &limit, lower,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void zc_budget_relax(struct zc_budget *budget, uint64_t pages)
{
    uint64_t top = memlock_pages(budget);
    uint64_t limit = atomic_load_explicit(&budget->limit_pages, memory_order_relaxed);
    uint64_t higher;

    do {
        if (limit >= top) {
            return;
        }
        higher = pages < top - limit ? limit + pages : top;
    } while (!atomic_compare_exchange_weak_explicit(&budget->limit_pages, &limit, higher,
                                                    memory_order_relaxed, memory_order_relaxed));
}
