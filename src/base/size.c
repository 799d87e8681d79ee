/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"

static const char unit_letters[] = "KMGTP";

static bool bad_size(GError **error, const char *what, const char *text)
{
    return zc_error(error, ZCMIG_ERROR_USAGE,
                    "%s: got '%s', allowed is a number with K, M, G or T, for example 512M", what,
                    text);
}

bool zc_size_parse(const char *text, const char *what, uint64_t *bytes_out, GError **error)
{
    char *end = NULL;
    double scale = 1;

    if (!g_ascii_isdigit(text[0])) {
        return bad_size(error, what, text);
    }
    double number = g_ascii_strtod(text, &end);
    const char *unit = *end ? strchr(unit_letters, g_ascii_toupper(*end)) : NULL;
    if (unit) {
        scale = exp2(10.0 * (double)(unit - unit_letters + 1));
        end++;
        if (*end == 'i') {
            end++;
        }
    }
    if (*end == 'B' || *end == 'b') {
        end++;
    }
    if (strcmp(end, "/s") == 0) {
        end += 2;
    }
    if (*end || !isfinite(number) || number * scale >= 0x1p63) {
        return bad_size(error, what, text);
    }
    *bytes_out = (uint64_t)(number * scale + 0.5);
    return true;
}

char *zc_size_format(uint64_t bytes)
{
    int unit = -1;
    double number = (double)bytes;

    while (number >= 1024 && unit < (int)strlen(unit_letters) - 1) {
        number /= 1024;
        unit++;
    }
    if (unit < 0) {
        return g_strdup_printf("%" G_GUINT64_FORMAT " bytes", bytes);
    }
    return g_strdup_printf(number == floor(number) ? "%.0f %ciB" : "%.2f %ciB", number,
                           unit_letters[unit]);
}
