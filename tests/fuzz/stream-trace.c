/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "fuzz/stream-trace.h"

static void encode(GByteArray *out, const struct zc_stream_event *event, const uint8_t *item)
{
    switch (event->type) {
    case ZC_STREAM_HEADER:
        zc_stream_put_header(out);
        return;
    case ZC_STREAM_CONFIGURATION:
        /* its subsections have no encoder: a sender repeats captured ones */
        g_byte_array_append(out, item, (guint)event->configuration.length);
        return;
    case ZC_STREAM_COMMAND:
        zc_stream_put_command(out, event->command.command, event->command.data,
                              event->command.length);
        return;
    case ZC_STREAM_SECTION:
        switch (event->section.type) {
        case ZC_SECTION_START:
            zc_stream_put_section_start(out, event->section.id, event->section.name,
                                        event->section.instance, event->section.version);
            return;
        case ZC_SECTION_PART:
            zc_stream_put_section_part(out, event->section.id);
            return;
        case ZC_SECTION_END:
            zc_stream_put_section_end(out, event->section.id);
            return;
        case ZC_SECTION_FULL:
            zc_stream_put_section_full(out, event->section.id, event->section.name,
                                       event->section.instance, event->section.version);
            return;
        }
        return;
    case ZC_STREAM_RAM_SIZE:
        zc_stream_put_ram_size(out, event->ram_size.total_bytes);
        return;
    case ZC_STREAM_RAM_BLOCK:
        zc_stream_put_ram_block(out, event->block.name, event->block.used_bytes);
        return;
    case ZC_STREAM_RAM_ZERO:
        zc_stream_put_ram_zero(out, event->page.block, event->page.offset);
        return;
    case ZC_STREAM_RAM_PAGE:
        zc_stream_put_ram_page(out, event->page.block, event->page.offset);
        return;
    case ZC_STREAM_RAM_FLUSH:
        zc_stream_put_ram_flush(out);
        return;
    case ZC_STREAM_RAM_EOS:
        zc_stream_put_ram_eos(out);
        return;
    case ZC_STREAM_EOF:
        zc_stream_put_eof(out);
        return;
    case ZC_STREAM_DESCRIPTION:
        g_byte_array_append(out, item, 5); /* its encoder wants the text, which is payload here */
        return;
    }
}

static void record(struct zc_trace *trace, const struct zc_stream_event *event)
{
    struct zc_stream_event copy = *event;

    if (event->type == ZC_STREAM_COMMAND) {
        copy.command.data = NULL;
        g_byte_array_append(trace->events, event->command.data, event->command.length);
    }
    g_byte_array_append(trace->events, (const uint8_t *)&copy, sizeof(copy));
}

void zc_trace_init(struct zc_trace *trace, const struct zc_stream_limits *limits,
                   const uint8_t *bytes, size_t length, size_t step)
{
    struct zc_stream_decoder *decoder = zc_stream_decoder_new(limits);
    size_t end = step ? MIN(step, length) : length;
    enum zc_stream_result result = ZC_STREAM_MORE;
    uint32_t section_id = 0;

    memset(trace, 0, sizeof(*trace));
    trace->events = g_byte_array_new();
    trace->again = g_byte_array_new();
    while (result != ZC_STREAM_ERROR && trace->used < length) {
        struct zc_stream_event event;
        size_t used;

        if (end < trace->used) {
            end = trace->used;
        }
        result = zc_stream_decoder_next(decoder, bytes + trace->used, end - trace->used, &used,
                                        &event, &trace->error);
        if (result == ZC_STREAM_MORE) {
            if (end == length) {
                break;
            }
            end = MIN(end + step, length);
        }
        if (result != ZC_STREAM_GOT) {
            continue;
        }
        record(trace, &event);
        encode(trace->again, &event, bytes + trace->used);
        trace->used += used;
        size_t payload = MIN(event.payload_bytes, length - trace->used);
        g_byte_array_append(trace->again, bytes + trace->used, (guint)payload);
        g_byte_array_append(trace->events, bytes + trace->used, (guint)payload);
        trace->used += payload;
        trace->last = event.type;
        trace->n_events++;
        if (event.type == ZC_STREAM_SECTION) {
            section_id = event.section.id;
            zc_stream_decoder_after_devices(decoder, 0);
        } else if (event.type == ZC_STREAM_RAM_EOS) {
            zc_stream_put_section_footer(trace->again, section_id);
        }
    }
    zc_stream_decoder_free(decoder);
}

void zc_trace_clear(struct zc_trace *trace)
{
    g_byte_array_unref(trace->events);
    g_byte_array_unref(trace->again);
    g_clear_error(&trace->error);
}

bool zc_trace_equal(const struct zc_trace *a, const struct zc_trace *b)
{
    return a->n_events == b->n_events && a->used == b->used && a->events->len == b->events->len &&
           memcmp(a->events->data, b->events->data, a->events->len) == 0 &&
           g_strcmp0(a->error ? a->error->message : NULL, b->error ? b->error->message : NULL) == 0;
}
