/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The demo's own files: a private directory on tmpfs, where an image costs
 * memory but no disk, and the comparison of two images byte by byte, which
 * knows nothing of digests.
 */
#ifndef ZC_TOOLS_DEMO_FILES_H
#define ZC_TOOLS_DEMO_FILES_H

#include <stdint.h>

#include <glib.h>

/*
 * A new directory (0700) with @need_bytes free: in $TMPDIR where that is set, else in /dev/shm
 * where that is tmpfs and has room, else where temporary files go.  NULL: ZCMIG_ERROR_OUTPUT, with
 * what is free and what is needed.
 */
char *zc_demo_files_make_directory(uint64_t need_bytes, GError **error);

/* Removes the directory and the plain files in it. */
void zc_demo_files_remove_directory(const char *directory);

/*
 * Whether two files have the same length and bytes; *@offset_out is the first difference where
 * they have not.  FALSE with @error when one cannot be read.
 */
gboolean zc_demo_files_compare(const char *first, const char *second, gboolean *same_out,
                               uint64_t *offset_out, GError **error);

#endif
