/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RAM that another process may map as well: what the route memfd hands over.
 *
 *     source                         destination
 *     mapping --> file <--(SCM_RIGHTS)-- descriptor --> mapping
 *
 * The store adopts descriptors of somebody who may be hostile.  Memory that
 * its owner could cut short would end this process with SIGBUS, so each must
 *
 *   - be a file of tmpfs (a memfd is one) or of huge pages, of the announced length exactly;
 *   - be sealed against shrinking, or let itself be sealed here.
 *
 * What no seal forbids, that holes are punched, makes pages zeros, and of huge pages a fault that
 * finds no page; that one is caught by a guard (base/sigbus.h), and told by zc_shared_store_check.
 */
#ifndef ZC_GUEST_SHARED_H
#define ZC_GUEST_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "guest/guest.h"

/* Which memory a mapping is of.  Two that have this in common are of the same pages. */
struct zc_shared_identity {
    uint64_t device;
    uint64_t inode;
};

/*
 * Finds out of what the @bytes at @host are a mapping, as the kernel tells it of this process.
 * ZCMIG_ERROR_SOURCE: not of one file, from its beginning on, and shared.
 * Cost: reads /proc/self/maps.
 */
bool zc_shared_identify(const uint8_t *host, uint64_t bytes,
                        struct zc_shared_identity *identity_out, GError **error);

/*
 * A store whose memory is that of @n_fds descriptors, one a block, which it takes.  allocate()
 * checks and maps them, read-only; ZCMIG_ERROR_PROTOCOL: not as many as blocks, not of their
 * length; ZCMIG_ERROR_UNSUPPORTED: not such memory.  Nothing is populated: a mapping costs the same
 * for a page and for a terabyte.
 */
struct zc_store *zc_shared_store_new(const int *fds, unsigned int n_fds);

/* Of block @index, once it is mapped.  Errors as zc_shared_identify. */
bool zc_shared_store_identify(struct zc_store *store, uint32_t index,
                              struct zc_shared_identity *identity_out, GError **error);

/* From now on the memory may be written.  0 or -errno. */
int zc_shared_store_make_writable(struct zc_store *store);

/* Whether all pages that were touched were there.  ZCMIG_ERROR_SOURCE. */
bool zc_shared_store_check(struct zc_store *store, GError **error);

#endif
