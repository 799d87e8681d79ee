/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cut-tail <STREAM >TAIL: what QEMU wrote behind RAM.  How the fixtures of
 * tests/unit/wire-tail.c were made; see tests/qemu/lib/capture-tail.
 */
#include "config.h"

#include <stdio.h>

#include <glib.h>

#include "wire/stream.h"

static GByteArray *read_all(FILE *file)
{
    GByteArray *bytes = g_byte_array_new();
    guint8 chunk[65536];
    size_t n;

    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        g_byte_array_append(bytes, chunk, (guint)n);
    }
    return bytes;
}

int main(void)
{
    const struct zc_stream_limits limits = { .ram_bytes = UINT64_C(1) << 40,
                                             .blocks = 1024,
                                             .description_bytes = 16 << 20 };
    g_autoptr(GByteArray) stream = read_all(stdin);
    struct zc_stream_decoder *decoder = zc_stream_decoder_new(&limits);
    struct zc_stream_event event;
    g_autoptr(GError) error = NULL;
    size_t at = 0, used;

    for (;;) {
        enum zc_stream_result result = zc_stream_decoder_next(
            decoder, stream->data + at, stream->len - at, &used, &event, &error);
        if (result != ZC_STREAM_GOT) {
            fprintf(stderr, "cut-tail: offset %zu: %s\n", at,
                    error ? error->message : "the stream ends before device state");
            zc_stream_decoder_free(decoder);
            return 1;
        }
        if (event.type == ZC_STREAM_SECTION && event.section.type == ZC_SECTION_FULL) {
            break;
        }
        at += used + event.payload_bytes;
        if (at > stream->len) {
            at = stream->len;
        }
    }
    zc_stream_decoder_free(decoder);
    return fwrite(stream->data + at, 1, stream->len - at, stdout) == stream->len - at ? 0 : 1;
}
