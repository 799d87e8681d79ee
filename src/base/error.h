/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Setting errors of the public domain with one statement, errno included.
 *
 *     if (fd < 0)
 *         return zc_error_errno(error, ZCMIG_ERROR_OUTPUT, errno, "cannot create '%s'", path);
 *
 * g_io_error_from_errno() is not used: it has no code for ENOBUFS and EPROTO.
 * Messages: lower case, context first, "got X, allowed Y", no full stop.
 */
#ifndef ZC_BASE_ERROR_H
#define ZC_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#include <zcmig/error.h>

/* Sets @error to @code with a formatted text.  Returns false, always. */
bool zc_error(GError **error, enum zcmig_error_code code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/*
 * The same, followed by ": " and strerror(@saved_errno); the errno is kept.  @saved_errno may be
 * given as a positive errno or as the -errno of a hot-path function.  Returns false, always.
 */
bool zc_error_errno(GError **error, enum zcmig_error_code code, int saved_errno, const char *format,
                    ...) G_GNUC_PRINTF(4, 5);

/* The public code of an error of our domain; ZCMIG_ERROR_FAILED for any other domain. */
enum zcmig_error_code zc_error_code(const GError *error);

#endif
