/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include <glib.h>

#include "relay/hello.h"

#define MAGIC_BYTES 4

static const uint8_t main_magic[MAGIC_BYTES] = { 'Q', 'E', 'V', 'M' };
static const uint8_t multifd_magic[MAGIC_BYTES] = { 0x11, 0x22, 0x33, 0x44 };

enum zc_hello zc_hello_classify(const uint8_t *bytes, size_t length,
                                struct zc_multifd_init *init_out)
{
    size_t known = MIN(length, MAGIC_BYTES);

    if (memcmp(bytes, main_magic, known) == 0) {
        return known == MAGIC_BYTES ? ZC_HELLO_MAIN : ZC_HELLO_UNKNOWN;
    }
    if (memcmp(bytes, multifd_magic, known) != 0) {
        return ZC_HELLO_FOREIGN;
    }
    if (length < ZC_MULTIFD_INIT_BYTES) {
        return ZC_HELLO_UNKNOWN;
    }
    return zc_multifd_init_decode(bytes, init_out, NULL) ? ZC_HELLO_CHANNEL : ZC_HELLO_FOREIGN;
}
