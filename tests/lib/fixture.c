/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <gio/gio.h>

#include "lib/fixture.h"

/* The last is a machine that flushes at each section, from a QEMU that would flush once a round. */
const struct zc_fixture_stream zc_fixture_streams[ZC_FIXTURE_STREAMS] = {
    { "stream-7.2-plain", "pc-i440fx-7.2", 0, FALSE },
    { "stream-7.2-multifd", "pc-i440fx-7.2", 2, TRUE },
    { "stream-10.0-plain", "pc-q35-10.0", 0, TRUE },
    { "stream-10.0-multifd", "pc-q35-10.0", 2, FALSE },
    { "stream-10.0-multifd-pc-7.2", "pc-i440fx-7.2", 2, TRUE },
};

char *zc_fixture_path(const char *file)
{
    const char *top = g_getenv("ZC_SRCDIR");

    return g_build_filename(top ? top : ".", "tests", "qemu", "fixtures", file, NULL);
}

GByteArray *zc_fixture_load(const char *file)
{
    g_autofree char *path = zc_fixture_path(file);
    g_autofree char *packed = NULL;
    g_autoptr(GError) error = NULL;
    gsize packed_bytes = 0;

    if (!g_file_get_contents(path, &packed, &packed_bytes, &error)) {
        g_error("%s", error->message);
    }
    g_autoptr(GZlibDecompressor) unzip = g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP);
    g_autoptr(GInputStream) from =
        g_memory_input_stream_new_from_data(packed, (gssize)packed_bytes, NULL);
    g_autoptr(GInputStream) stream = g_converter_input_stream_new(from, G_CONVERTER(unzip));
    GByteArray *content = g_byte_array_new();
    guint8 chunk[8192];
    gssize n;

    while ((n = g_input_stream_read(stream, chunk, sizeof(chunk), NULL, &error)) > 0) {
        g_byte_array_append(content, chunk, (guint)n);
    }
    if (n < 0) {
        g_error("%s: %s", path, error->message);
    }
    return content;
}
