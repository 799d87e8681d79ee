/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a fixed table that the handler can walk without a lock.  A slot is
 * published by storing its start last and withdrawn by clearing it first; the
 * handler runs in the thread that faulted, which is inside the mapping, so
 * the slot it needs cannot be withdrawn under it.  mmap(2) is a plain system
 * call here and safe in a handler.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

#include <glib.h>

#include "base/sigbus.h"

struct guard {
    /* atomic: 0 free, 1 taken; set with release by zc_sigbus_guard after the fields below */
    _Atomic uintptr_t start;
    _Atomic bool taken;
    _Atomic bool hit;
    size_t bytes;
    size_t granule_bytes;
    int protection;
};

static struct guard guards[ZC_SIGBUS_GUARDS_MAX];
static struct sigaction previous;

static struct guard *find(uintptr_t address)
{
    for (size_t i = 0; i < G_N_ELEMENTS(guards); i++) {
        uintptr_t start = atomic_load_explicit(&guards[i].start, memory_order_acquire);
        if (start && address >= start && address - start < guards[i].bytes) {
            return &guards[i];
        }
    }
    return NULL;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    uintptr_t address = (uintptr_t)info->si_addr;
    struct guard *guard = find(address);

    if (guard) {
        void *page = (void *)(address & ~(uintptr_t)(guard->granule_bytes - 1));
        if (mmap(page, guard->granule_bytes, guard->protection,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
            atomic_store_explicit(&guard->hit, true, memory_order_release);
            errno = saved_errno;
            return;
        }
    }
    errno = saved_errno;
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    } else {
        signal(number, SIG_DFL); /* the fault repeats, and ends the process as it would have */
    }
}

static void install(void)
{
    static gsize once;

    if (g_once_init_enter(&once)) {
        struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
        sigemptyset(&action.sa_mask);
        sigaction(SIGBUS, &action, &previous);
        g_once_init_leave(&once, 1);
    }
}

int zc_sigbus_guard(void *start, size_t bytes, size_t granule_bytes, int protection)
{
    install();
    for (size_t i = 0; i < G_N_ELEMENTS(guards); i++) {
        if (!atomic_exchange(&guards[i].taken, true)) {
            guards[i].bytes = bytes;
            guards[i].granule_bytes = granule_bytes;
            guards[i].protection = protection;
            atomic_store(&guards[i].hit, false);
            atomic_store_explicit(&guards[i].start, (uintptr_t)start, memory_order_release);
            return (int)i;
        }
    }
    return -1;
}

void zc_sigbus_unguard(int guard)
{
    if (guard >= 0) {
        atomic_store_explicit(&guards[guard].start, 0, memory_order_release);
        atomic_store(&guards[guard].taken, false);
    }
}

bool zc_sigbus_was_hit(int guard)
{
    return guard >= 0 && atomic_load_explicit(&guards[guard].hit, memory_order_acquire);
}
