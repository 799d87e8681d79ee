/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root file system of the demo's guest: a cpio archive (newc) with a
 * static busybox and an init that works in memory.  On its first serial port
 * the guest prints "ready" when its data is in place and "TICK n" for as long
 * as it lives, while it keeps rewriting part of the data.
 */
#ifndef ZC_TOOLS_DEMO_INITRAMFS_H
#define ZC_TOOLS_DEMO_INITRAMFS_H

#include <stdint.h>

#include <glib.h>

/*
 * Writes the archive to @path; the guest will fill @fill_mib MiB with random data.
 * Errors: ZCMIG_ERROR_UNSUPPORTED (no static busybox here: which package), ZCMIG_ERROR_OUTPUT.
 */
gboolean zc_demo_initramfs_write(const char *path, uint64_t fill_mib, GError **error);

#endif
