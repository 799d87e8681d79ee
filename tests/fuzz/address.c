/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The URI of an address. */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "fuzz/fuzz.h"
#include "net/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *uri = g_strndup((const char *)bytes, length);
    struct zc_addr addr, again;
    GError *error = NULL;

    if (zc_addr_parse(uri, &addr, &error)) {
        char *formatted = zc_addr_format(&addr);

        ZC_MUST(addr.kind != ZC_ADDR_TCP || addr.port <= UINT16_MAX);
        ZC_MUST(zc_addr_parse(formatted, &again, NULL));
        ZC_MUST(again.kind == addr.kind && again.cid == addr.cid && again.port == addr.port &&
                again.fd == addr.fd && g_strcmp0(again.host, addr.host) == 0);
        zc_addr_clear(&again);
        zc_addr_clear(&addr);
        g_free(formatted);
    } else {
        ZC_MUST(error && g_error_matches(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE));
        g_error_free(error);
    }
    g_free(uri);
    return 0;
}
