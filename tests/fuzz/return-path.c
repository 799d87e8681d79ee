/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of a return path, one after the other. */
#include "config.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    GByteArray *again = g_byte_array_new();
    enum zc_stream_result result = ZC_STREAM_GOT;
    size_t at = 0;

    while (result == ZC_STREAM_GOT) {
        struct zc_return_message message;
        GError *error = NULL;
        size_t used = 0;

        result = zc_return_decode(bytes + at, length - at, &used, &message, &error);
        ZC_MUST((error != NULL) == (result == ZC_STREAM_ERROR));
        g_clear_error(&error);
        if (result == ZC_STREAM_GOT) {
            ZC_MUST(used == (size_t)message.length + 4 && used <= length - at);
            ZC_MUST(message.length <= ZC_RETURN_DATA_BYTES_MAX);
            ZC_MUST(message.data == bytes + at + 4);
            zc_return_put(again, message.type, message.data, message.length);
            at += used;
        } else {
            ZC_MUST(result == ZC_STREAM_ERROR || length - at < 4 + ZC_RETURN_DATA_BYTES_MAX);
        }
    }
    ZC_MUST(again->len == at && (at == 0 || memcmp(again->data, bytes, at) == 0));
    g_byte_array_unref(again);
    return 0;
}
