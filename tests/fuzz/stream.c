/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole main stream, all at once, in pieces of a few sizes, and encoded again. */
#include "config.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/samples.h"
#include "fuzz/stream-trace.h"

/* Of every event, what the limits promise. */
static void check_events(const uint8_t *bytes, size_t length)
{
    struct zc_stream_decoder *decoder = zc_stream_decoder_new(&zc_sample_limits);
    enum zc_stream_result result = ZC_STREAM_GOT;
    uint64_t listed_bytes = 0, total_bytes = 0;
    unsigned int n_blocks = 0;
    size_t at = 0;

    while (result == ZC_STREAM_GOT && at <= length) {
        struct zc_stream_event event;
        GError *error = NULL;
        size_t used = 0;

        result = zc_stream_decoder_next(decoder, bytes + at, length - at, &used, &event, &error);
        ZC_MUST((error != NULL) == (result == ZC_STREAM_ERROR));
        ZC_MUST(result != ZC_STREAM_MORE || length - at <= ZC_STREAM_EVENT_BYTES_MAX);
        g_clear_error(&error);
        if (result != ZC_STREAM_GOT) {
            break;
        }
        ZC_MUST(used > 0 && used <= length - at && used <= ZC_STREAM_EVENT_BYTES_MAX);
        ZC_MUST(event.payload_bytes <= (1u << 24));
        at += used + event.payload_bytes;
        if (event.type == ZC_STREAM_RAM_SIZE) {
            total_bytes = event.ram_size.total_bytes;
            ZC_MUST(total_bytes <= zc_sample_limits.ram_bytes);
        } else if (event.type == ZC_STREAM_RAM_BLOCK) {
            listed_bytes += event.block.used_bytes;
            ZC_MUST(++n_blocks <= zc_sample_limits.blocks);
            ZC_MUST(listed_bytes <= total_bytes);
        } else if (event.type == ZC_STREAM_RAM_PAGE || event.type == ZC_STREAM_RAM_ZERO) {
            ZC_MUST(listed_bytes == total_bytes);
            ZC_MUST(event.page.offset % 4096 == 0 && event.page.offset < total_bytes);
        } else if (event.type == ZC_STREAM_DESCRIPTION) {
            ZC_MUST(event.payload_bytes <= zc_sample_limits.description_bytes);
        }
    }
    zc_stream_decoder_free(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const size_t steps[] = {1, 7, 4099};
    struct zc_trace whole, other;

    check_events(bytes, length);
    zc_trace_init(&whole, &zc_sample_limits, bytes, length, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        zc_trace_init(&other, &zc_sample_limits, bytes, length, steps[i]);
        ZC_MUST(zc_trace_equal(&whole, &other));
        zc_trace_clear(&other);
    }
    zc_trace_init(&other, &zc_sample_limits, whole.again->data, whole.again->len, 0);
    if (whole.n_events && whole.last == ZC_STREAM_CONFIGURATION) {
        /* its event needs one byte after it, which may be gone */
        ZC_MUST(other.n_events + 1 >= whole.n_events);
    } else {
        ZC_MUST(other.n_events == whole.n_events && other.events->len == whole.events->len &&
                memcmp(other.events->data, whole.events->data, whole.events->len) == 0);
    }
    zc_trace_clear(&other);
    zc_trace_clear(&whole);
    return 0;
}
