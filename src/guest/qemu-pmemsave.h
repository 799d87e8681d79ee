/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory that a guest can address, read by QEMU's monitor (pmemsave)
 * through a FIFO, so that no file of it lies about.  For who may talk to QEMU
 * and not look into its process.
 */
#ifndef ZC_GUEST_QEMU_PMEMSAVE_H
#define ZC_GUEST_QEMU_PMEMSAVE_H

#include "guest/qmp.h"

struct zc_pmemsave;

/* Makes the FIFO in a new directory of TMPDIR.  ZCMIG_ERROR_OUTPUT. */
struct zc_pmemsave *zc_pmemsave_new(GError **error);
void zc_pmemsave_free(struct zc_pmemsave *pmemsave); /* accepts NULL; removes both */

/*
 * Reads @bytes at @guest_address, which must be RAM or ROM: reading a device's registers may have
 * effects.  Blocks; one thread at a time.  Errors: those of zc_qmp_execute; ZCMIG_ERROR_SOURCE:
 * QEMU said that it wrote all, and not all came.
 */
bool zc_pmemsave_read(struct zc_pmemsave *pmemsave, struct zc_qmp *qmp, uint64_t guest_address,
                      uint8_t *buffer, size_t bytes, GError **error);

#endif
