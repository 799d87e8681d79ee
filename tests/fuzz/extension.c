/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One extension message. */
#include "config.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/bytes.h"
#include "wire/extension.h"

static void must_be_text(const char text[static ZC_EXTENSION_TEXT_BYTES])
{
    size_t n_chars = strnlen(text, ZC_EXTENSION_TEXT_BYTES);

    ZC_MUST(n_chars < ZC_EXTENSION_TEXT_BYTES);
    for (size_t i = 0; i < n_chars; i++) {
        ZC_MUST(zc_is_printable((uint8_t)text[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct zc_extension message, again;
    GError *error = NULL;

    if (!zc_extension_decode(bytes, length, &message, &error)) {
        ZC_MUST(error != NULL);
        g_error_free(error);
        return 0;
    }
    GByteArray *encoded = g_byte_array_new();
    zc_extension_put(encoded, &message);
    ZC_MUST(encoded->len <= length);
    ZC_MUST(zc_extension_decode(encoded->data, encoded->len, &again, NULL));
    if (message.type == ZC_EXTENSION_MANIFEST) {
        ZC_MUST(message.manifest.n_digests <= ZC_EXTENSION_DIGESTS_MAX);
        ZC_MUST(encoded->len == length && memcmp(encoded->data, bytes, length) == 0);
        again.manifest.digests = message.manifest.digests;
    } else if (message.type == ZC_EXTENSION_SESSION) {
        ZC_MUST(message.session.n_bases <= ZC_EXTENSION_BASES_MAX);
        ZC_MUST(encoded->len == length && memcmp(encoded->data, bytes, length) == 0);
        again.session.bases = message.session.bases;
    } else if (message.type == ZC_EXTENSION_FAIL) {
        must_be_text(message.fail.text);
    } else if (message.type == ZC_EXTENSION_RESULT) {
        must_be_text(message.result.text);
    }
    ZC_MUST(memcmp(&again, &message, sizeof(message)) == 0);
    g_byte_array_unref(encoded);
    return 0;
}
