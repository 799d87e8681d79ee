/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "fuzz/captured.h"
#include "fuzz/fuzz.h"
#include "lib/fixture.h"
#include "wire/bytes.h"
#include "wire/stream.h"
#include "wire/tail.h"

#define SECTIONS_MAX 128
#define DESCRIPTION_MAX (1u << 20)
#define SECTION_HEAD_BYTES (1 + 4 + 1 + 4 + 4) /* and its name */
#define LEAD_BYTES 32 /* of the first device */

/* Where the first device's section begins. */
static size_t find_devices(const GByteArray *stream)
{
    const struct zc_stream_limits limits = { .ram_bytes = 64 << 20,
                                             .blocks = 64,
                                             .description_bytes = DESCRIPTION_MAX };
    struct zc_stream_decoder *decoder = zc_stream_decoder_new(&limits);
    struct zc_stream_event event;
    size_t at = 0, used = 0;

    for (;;) {
        ZC_MUST(at < stream->len);
        ZC_MUST(zc_stream_decoder_next(decoder, stream->data + at, stream->len - at, &used, &event,
                                       NULL) == ZC_STREAM_GOT);
        if (event.type == ZC_STREAM_SECTION && event.section.type == ZC_SECTION_FULL) {
            break;
        }
        at += used + event.payload_bytes;
    }
    zc_stream_decoder_free(decoder);
    /* In front of the section may be the footer of the one before, which is part of the event. */
    return at + used - (SECTION_HEAD_BYTES + strlen(event.section.name));
}

GByteArray *zc_captured_stream(const char *file, guint bytes_max)
{
    GByteArray *stream = zc_fixture_load(file);
    size_t end = find_devices(stream) + LEAD_BYTES;

    g_byte_array_set_size(stream, (guint)MIN(end, bytes_max));
    return stream;
}

/* The end of the JSON object that begins at @text: behind its closing brace. */
static const char *object_end(const char *text)
{
    unsigned int depth = 0;
    bool in_string = false;

    for (;; text++) {
        ZC_MUST(*text != '\0');
        if (in_string && *text == '\\') {
            text++;
        } else if (*text == '"') {
            in_string = !in_string;
        } else if (!in_string && *text == '{') {
            depth++;
        } else if (!in_string && *text == '}' && --depth == 0) {
            return text + 1;
        }
    }
}

GByteArray *zc_captured_tail(const char *file, guint bytes_max)
{
    static struct zc_tail_section sections[SECTIONS_MAX];
    g_autoptr(GByteArray) stream = zc_fixture_load(file);
    size_t begin = find_devices(stream), searched = 0;
    const uint8_t *devices = stream->data + begin;
    g_autoptr(GError) error = NULL;
    struct zc_tail tail;

    ZC_MUST(zc_tail_find(devices, stream->len - begin, DESCRIPTION_MAX, &searched, &tail));
    int n = zc_tail_index(devices, &tail, NULL, sections, SECTIONS_MAX, NULL, &error);
    if (n <= 0) {
        g_error("%s: %s", file, error ? error->message : "no devices");
    }

    g_autofree char *json =
        g_strndup((const char *)devices + tail.description_offset, tail.description_bytes);
    const char *list = strstr(json, "\"devices\": [");
    ZC_MUST(list != NULL);
    const char *object = strchr(list, '{');
    g_autoptr(GString) description = g_string_new_len(json, object - json);
    GByteArray *small = g_byte_array_new();
    for (int i = 0; i < n; i++) {
        const char *end = object_end(object);
        if (small->len + sections[i].bytes + description->len + (size_t)(end - object) < bytes_max) {
            g_byte_array_append(small, devices + sections[i].offset, (guint)sections[i].bytes);
            g_string_append(description, small->len > sections[i].bytes ? ", " : "");
            g_string_append_len(description, object, end - object);
        }
        object = i + 1 < n ? strchr(end, '{') : NULL;
    }
    g_string_append(description, "]}");
    zc_append_u16(small, 6); /* EOF, and the description's mark */
    zc_append_u32(small, (uint32_t)description->len);
    g_byte_array_append(small, (const guint8 *)description->str, (guint)description->len);
    searched = 0;
    ZC_MUST(zc_tail_find(small->data, small->len, DESCRIPTION_MAX, &searched, &tail));
    ZC_MUST(tail.bytes == small->len);
    ZC_MUST(zc_tail_index(small->data, &tail, NULL, sections, SECTIONS_MAX, NULL, NULL) > 1);
    return small;
}
