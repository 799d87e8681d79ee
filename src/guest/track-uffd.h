/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * userfaultfd as both kernel trackers use it: opening it without privileges,
 * asking for features, protecting ranges, and saying why a block cannot be
 * protected.  Constants that the headers of Debian 12 (Linux 6.1) lack are
 * from include/uapi/linux/userfaultfd.h and include/uapi/linux/fs.h of 6.7.
 */
#ifndef ZC_GUEST_TRACK_UFFD_H
#define ZC_GUEST_TRACK_UFFD_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/userfaultfd.h>

#include <glib.h>

#include "mem/block.h"

#ifndef UFFD_FEATURE_WP_UNPOPULATED /* 6.4: pages that are not there can be protected */
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC /* 6.7: the kernel resolves the write fault by itself */
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

struct zc_uffd {
    int fd;            /* -1: none */
    uint64_t features; /* that the kernel granted */
    bool user_mode;    /* faults of system calls are not delivered (vm.unprivileged_userfaultfd) */
    uint32_t n_registered;   /* blocks of the RAM, from the first */
    uint32_t *granule_pages; /* per block: what is protected at once; more than 1 for hugetlb */
};

/*
 * With all of @required and what there is of @optional.  Where privilege is missing, faults of
 * system calls are given up (UFFD_USER_MODE_ONLY).  ZCMIG_ERROR_UNSUPPORTED says that @what is not
 * possible, and why.
 */
bool zc_uffd_open(struct zc_uffd *uffd, uint64_t required, uint64_t optional, const char *what,
                  GError **error);
void zc_uffd_close(struct zc_uffd *uffd);

/* Registers every block, then protects every block: in between nothing faults yet. */
bool zc_uffd_register(struct zc_uffd *uffd, const struct zc_ram *ram, GError **error);
bool zc_uffd_protect_all(const struct zc_uffd *uffd, const struct zc_ram *ram, GError **error);
/* Says in @error why @block cannot be protected, for which the kernel said @saved_errno; false. */
bool zc_uffd_refuse(const struct zc_uffd *uffd, const struct zc_block *block, int saved_errno,
                    GError **error);
/* Undoes it; threads that wait for a fault go on. */
void zc_uffd_stop(struct zc_uffd *uffd, const struct zc_ram *ram);
/* Instead, once the memory has been unmapped: nothing is registered any more. */
void zc_uffd_forget(struct zc_uffd *uffd);

/* Protects, or takes the protection off and wakes.  0 or -errno. */
int zc_uffd_protect(const struct zc_uffd *uffd, uint8_t *host, uint64_t bytes, bool protect);

/* @range widened to whole granules, not beyond the block. */
struct zc_range zc_uffd_widen(const struct zc_uffd *uffd, const struct zc_ram *ram,
                              const struct zc_range *range);

#endif
