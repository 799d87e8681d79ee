/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdlib.h>

#include "base/error.h"

struct zc_error_private {
    int saved_errno;
};
typedef struct zc_error_private ZcmigErrorPrivate;

static void zcmig_error_private_init(ZcmigErrorPrivate *priv)
{
    priv->saved_errno = 0;
}

static void zcmig_error_private_copy(const ZcmigErrorPrivate *from, ZcmigErrorPrivate *to)
{
    *to = *from;
}

static void zcmig_error_private_clear(ZcmigErrorPrivate *priv)
{
    (void)priv;
}

G_DEFINE_EXTENDED_ERROR(ZcmigError, zcmig_error)

static void set_error(GError **error, enum zcmig_error_code code, int saved_errno,
                      const char *format, va_list args) G_GNUC_PRINTF(4, 0);

static void set_error(GError **error, enum zcmig_error_code code, int saved_errno,
                      const char *format, va_list args)
{
    if (!error) {
        return;
    }
    g_return_if_fail(*error == NULL);
    *error = g_error_new_valist(ZCMIG_ERROR, (gint)code, format, args);
    if (saved_errno) {
        zcmig_error_get_private(*error)->saved_errno = saved_errno;
        char *text = g_strdup_printf("%s: %s", (*error)->message, g_strerror(saved_errno));
        g_free((*error)->message);
        (*error)->message = text;
    }
}

bool zc_error(GError **error, enum zcmig_error_code code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set_error(error, code, 0, format, args);
    va_end(args);
    return false;
}

bool zc_error_errno(GError **error, enum zcmig_error_code code, int saved_errno, const char *format,
                    ...)
{
    va_list args;

    va_start(args, format);
    set_error(error, code, abs(saved_errno), format, args);
    va_end(args);
    return false;
}

enum zcmig_error_code zc_error_code(const GError *error)
{
    if (!error || error->domain != ZCMIG_ERROR) {
        return ZCMIG_ERROR_FAILED;
    }
    return (enum zcmig_error_code)error->code;
}

int zcmig_error_get_errno(const GError *error)
{
    if (!error || error->domain != ZCMIG_ERROR) {
        return 0;
    }
    return zcmig_error_get_private(error)->saved_errno;
}

int zcmig_error_exit_code(const GError *error)
{
    if (!error) {
        return 0;
    }
    if (error->domain == G_OPTION_ERROR) {
        return 2;
    }
    switch (zc_error_code(error)) {
    case ZCMIG_ERROR_USAGE:
        return 2;
    case ZCMIG_ERROR_MISMATCH:
        return 3;
    case ZCMIG_ERROR_CANCELLED:
    case ZCMIG_ERROR_TIMEOUT:
        return 4;
    default:
        return 1;
    }
}
