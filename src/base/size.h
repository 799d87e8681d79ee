/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers with units, as people type and read them.  Powers of 1024 throughout:
 * "4G", "4GiB" and "4096M" are the same; a bare number is bytes.
 */
#ifndef ZC_BASE_SIZE_H
#define ZC_BASE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#define ZC_KIB (UINT64_C(1) << 10)
#define ZC_MIB (UINT64_C(1) << 20)
#define ZC_GIB (UINT64_C(1) << 30)

/*
 * Reads "NUMBER[K|M|G|T][i][B][/s]", decimals allowed ("1.5G").  The error names @what and the
 * text, and says what is allowed.  @bytes_out is set only on success.
 */
bool zc_size_parse(const char *text, const char *what, uint64_t *bytes_out, GError **error);

/* "1.50 GiB", "512 KiB", "17 bytes".  The caller frees. */
char *zc_size_format(uint64_t bytes);

#endif
