/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "guest/guest.h"
#include "guest/qemu.h"
#include "guest/snapshot.h"
#include "guest/synthetic.h"

/* Its own parser takes the whole. */
static struct zc_source *open_guest(const char *uri, const char *rest, GError **error)
{
    (void)rest;
    return zc_synthetic_open(uri, error);
}

static const struct {
    const char *scheme;
    struct zc_source *(*open)(const char *uri, const char *rest, GError **error);
} schemes[] = {
    { "file:", zc_image_source_open },
    { ZC_SNAPSHOT_SCHEME, zc_snapshot_source_open },
    { "guest:", open_guest },
    { ZC_QEMU_SCHEME, zc_qemu_source_open },
};

struct zc_source *zc_source_open(const char *uri, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
        size_t length = strlen(schemes[i].scheme);
        if (strncmp(uri, schemes[i].scheme, length) == 0) {
            return schemes[i].open(uri, uri + length, error);
        }
    }
    zc_error(error, ZCMIG_ERROR_USAGE,
             "source: got '%s', allowed are file:IMAGE, dir:SNAPSHOT, guest:SIZE and, to digest, "
             "qmp:SOCKET",
             uri);
    return NULL;
}

void zc_source_free(struct zc_source *source)
{
    if (source) {
        source->ops->free(source);
    }
}
