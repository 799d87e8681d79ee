/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: channels are read independently of each other, so the same page of two
 * iterations may be seen in the wrong order.  A receiver stops its channels at the
 * barrier; whoever only looks on need not: each page carries the number of the
 * iteration that it was recorded in, counted by each connection for itself (SYNCs
 * of a channel; of the main stream FLUSHes, or EOSes where the first section had
 * no FLUSH), and an older one never replaces a newer.
 */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "mem/manifest.h"
#include "relay/tap.h"
#include "wire/multifd.h"
#include "wire/stream.h"

#define DESCRIPTION_BYTES_MAX (16u << 20)

struct zc_tap_stream {
    struct zc_tap *tap;
    bool is_main;
    GByteArray *pending; /* an item that is not whole yet */
    uint64_t skip_bytes; /* of payload that nobody wants */
    uint32_t iteration;
    /* the page whose content comes next */
    bool in_page;
    uint32_t block;
    uint64_t page;
    /* channels */
    bool has_init;
    struct zc_multifd_packet packet;
    uint32_t next_normal; /* of the packet's, whose content is to come */
    /* main */
    bool has_flush;
    bool knows_mode;
};

struct zc_tap {
    GPtrArray *streams;
    struct zc_stream_decoder *decoder;
    struct zc_ram ram;
    uint64_t listed_bytes, total_bytes;
    struct zc_manifest *manifest;
    uint32_t **iterations; /* of each block, of each page */
    uint64_t n_pages;
    bool ended;    /* RAM has, or nothing more of it is to be seen */
    GError *error; /* it gave up */
};

static void stream_free(gpointer data)
{
    struct zc_tap_stream *stream = data;

    g_byte_array_free(stream->pending, TRUE);
    g_free(stream);
}

struct zc_tap *zc_tap_new(uint64_t ram_bytes_max)
{
    const struct zc_stream_limits limits = {
        .ram_bytes = ram_bytes_max,
        .blocks = ZC_BLOCKS_MAX,
        .description_bytes = DESCRIPTION_BYTES_MAX,
    };
    struct zc_tap *tap = g_new0(struct zc_tap, 1);

    tap->streams = g_ptr_array_new_with_free_func(stream_free);
    tap->decoder = zc_stream_decoder_new(&limits);
    zc_ram_init(&tap->ram);
    return tap;
}

void zc_tap_free(struct zc_tap *tap)
{
    if (!tap) {
        return;
    }
    for (uint32_t i = 0; tap->iterations && i < tap->ram.n_blocks; i++) {
        g_free(tap->iterations[i]);
    }
    g_free(tap->iterations);
    zc_manifest_free(tap->manifest);
    zc_ram_clear(&tap->ram);
    zc_stream_decoder_free(tap->decoder);
    g_ptr_array_free(tap->streams, TRUE);
    g_clear_error(&tap->error);
    g_free(tap);
}

static struct zc_tap_stream *add_stream(struct zc_tap *tap, bool is_main)
{
    struct zc_tap_stream *stream = g_new0(struct zc_tap_stream, 1);

    stream->tap = tap;
    stream->is_main = is_main;
    stream->pending = g_byte_array_new();
    g_ptr_array_add(tap->streams, stream);
    return stream;
}

struct zc_tap_stream *zc_tap_add_main(struct zc_tap *tap)
{
    return add_stream(tap, true);
}

struct zc_tap_stream *zc_tap_add_channel(struct zc_tap *tap)
{
    return add_stream(tap, false);
}

bool zc_tap_is_ready(const struct zc_tap *tap)
{
    return tap->manifest || tap->error || tap->ended;
}

uint64_t zc_tap_pages(const struct zc_tap *tap)
{
    return tap->n_pages;
}

/* ----------------------------------------------------------------- recording */

static bool fail_at(struct zc_tap *tap, const char *block, uint64_t offset)
{
    return zc_error(&tap->error, ZCMIG_ERROR_PROTOCOL,
                    "manifest: got a page of block '%.64s' at 0x%" G_GINT64_MODIFIER
                    "x, which is in no block",
                    block, offset);
}

/* Index of the block that @offset lies in, -1 with the tap's error. */
static int find_page(struct zc_tap *tap, const char *block, uint64_t offset)
{
    int index = tap->manifest ? zc_ram_find(&tap->ram, block) : -1;

    if (index < 0 || !zc_block_has(&tap->ram.blocks[index], offset)) {
        fail_at(tap, block, offset);
        return -1;
    }
    return index;
}

static void record(struct zc_tap_stream *stream, uint32_t block, uint64_t page, uint64_t digest)
{
    struct zc_tap *tap = stream->tap;
    uint32_t *recorded = &tap->iterations[block][page];

    if (stream->iteration >= *recorded) {
        *recorded = stream->iteration;
        tap->manifest->blocks[block].digests[page] = digest;
    }
    tap->n_pages++;
}

static bool record_zero(struct zc_tap_stream *stream, const char *block, uint64_t offset)
{
    int index = find_page(stream->tap, block, offset);

    if (index >= 0) {
        record(stream, (uint32_t)index, offset / ZC_PAGE_BYTES, ZC_DIGEST_ZERO_PAGE);
    }
    return index >= 0;
}

/* The content of this page is what comes next. */
static bool expect_page(struct zc_tap_stream *stream, const char *block, uint64_t offset)
{
    int index = find_page(stream->tap, block, offset);

    if (index >= 0) {
        stream->in_page = true;
        stream->block = (uint32_t)index;
        stream->page = offset / ZC_PAGE_BYTES;
    }
    return index >= 0;
}

/* --------------------------------------------------------------- main stream */

static bool have_blocks(struct zc_tap *tap)
{
    tap->manifest = zc_manifest_new(&tap->ram, &tap->error);
    if (!tap->manifest) {
        return false;
    }
    tap->iterations = g_new0(uint32_t *, tap->ram.n_blocks);
    for (uint32_t i = 0; i < tap->ram.n_blocks; i++) {
        tap->iterations[i] = g_try_new0(uint32_t, zc_block_pages(&tap->ram.blocks[i]));
        if (!tap->iterations[i]) {
            return zc_error(&tap->error, ZCMIG_ERROR_LIMIT, "manifest: no memory for %u blocks",
                            tap->ram.n_blocks);
        }
    }
    return true;
}

static bool take_block(struct zc_tap *tap, const struct zc_stream_event *event)
{
    if (zc_ram_add(&tap->ram, event->block.name, NULL, event->block.used_bytes, &tap->error) < 0) {
        return false;
    }
    tap->listed_bytes += event->block.used_bytes;
    return tap->listed_bytes < tap->total_bytes || have_blocks(tap);
}

static void end_section(struct zc_tap_stream *stream)
{
    if (!stream->knows_mode) {
        stream->knows_mode = true;
        stream->has_flush = stream->iteration > 0;
    }
    if (!stream->has_flush) {
        stream->iteration++;
    }
}

/* False: the tap gave up. */
static bool take_event(struct zc_tap_stream *stream, const struct zc_stream_event *event)
{
    struct zc_tap *tap = stream->tap;

    stream->skip_bytes = event->payload_bytes;
    switch (event->type) {
    case ZC_STREAM_RAM_SIZE:
        tap->total_bytes = event->ram_size.total_bytes;
        return true;
    case ZC_STREAM_RAM_BLOCK:
        return take_block(tap, event);
    case ZC_STREAM_RAM_ZERO:
        return record_zero(stream, event->page.block, event->page.offset);
    case ZC_STREAM_RAM_PAGE:
        stream->skip_bytes = 0;
        return expect_page(stream, event->page.block, event->page.offset);
    case ZC_STREAM_RAM_FLUSH:
        stream->iteration++;
        return true;
    case ZC_STREAM_RAM_EOS:
        end_section(stream);
        return true;
    case ZC_STREAM_SECTION:
    case ZC_STREAM_EOF:
        /* Device state and what follows has no pages any more. */
        tap->ended = event->type == ZC_STREAM_EOF || event->section.type == ZC_SECTION_FULL;
        return true;
    default:
        return true;
    }
}

/* Takes one item of the main stream: the bytes used, 0 when it is not whole. */
static size_t take_main(struct zc_tap_stream *stream, const uint8_t *bytes, size_t length)
{
    struct zc_tap *tap = stream->tap;
    struct zc_stream_event event;
    size_t used = 0;

    if (zc_stream_decoder_next(tap->decoder, bytes, length, &used, &event, &tap->error) !=
            ZC_STREAM_GOT ||
        !take_event(stream, &event)) {
        return 0;
    }
    return used;
}

/* ------------------------------------------------------------------ channels */

static bool next_normal(struct zc_tap_stream *stream)
{
    const struct zc_multifd_packet *packet = &stream->packet;

    if (stream->next_normal < packet->n_normal) {
        return expect_page(stream, packet->block, packet->offsets[stream->next_normal++]);
    }
    stream->iteration += (packet->flags & ZC_MULTIFD_SYNC) != 0;
    return true;
}

static size_t take_channel(struct zc_tap_stream *stream, const uint8_t *bytes, size_t length)
{
    struct zc_tap *tap = stream->tap;
    struct zc_multifd_packet *packet = &stream->packet;

    if (!stream->has_init) {
        stream->has_init = length >= ZC_MULTIFD_INIT_BYTES;
        return stream->has_init ? ZC_MULTIFD_INIT_BYTES : 0;
    }
    if (length < ZC_MULTIFD_HEADER_BYTES || !zc_multifd_packet_decode(bytes, packet, &tap->error)) {
        return 0;
    }
    for (uint32_t i = packet->n_normal; i < packet->n_normal + packet->n_zero; i++) {
        if (!record_zero(stream, packet->block, packet->offsets[i])) {
            return 0;
        }
    }
    stream->next_normal = 0;
    return next_normal(stream) ? ZC_MULTIFD_HEADER_BYTES : 0;
}

/* -------------------------------------------------------------------- taking */

/* Takes one item off @bytes; 0: more are needed, or the tap gave up. */
static size_t take_item(struct zc_tap_stream *stream, const uint8_t *bytes, size_t length)
{
    if (stream->skip_bytes) {
        size_t skipped = MIN(length, stream->skip_bytes);
        stream->skip_bytes -= skipped;
        return skipped;
    }
    if (!stream->in_page) {
        return stream->is_main ? take_main(stream, bytes, length)
                               : take_channel(stream, bytes, length);
    }
    if (length < ZC_PAGE_BYTES) {
        return 0;
    }
    record(stream, stream->block, stream->page, zc_digest_page(bytes));
    stream->in_page = false;
    return stream->is_main || next_normal(stream) ? ZC_PAGE_BYTES : 0;
}

static bool is_over(const struct zc_tap_stream *stream)
{
    return stream->tap->error || (stream->is_main && stream->tap->ended);
}

/* How many of @bytes were whole items. */
static size_t take_items(struct zc_tap_stream *stream, const uint8_t *bytes, size_t length)
{
    size_t done = 0, used = 1;

    while (done < length && used && !is_over(stream)) {
        used = take_item(stream, bytes + done, length - done);
        done += used;
    }
    return done;
}

void zc_tap_take(void *data, const uint8_t *bytes, size_t length)
{
    struct zc_tap_stream *stream = data;
    GByteArray *pending = stream->pending;

    while (pending->len && length && !is_over(stream)) {
        /* Join the item that was cut with so much that it surely becomes whole, or all there is. */
        guint old = pending->len;
        size_t part = MIN(length, ZC_STREAM_EVENT_BYTES_MAX);
        g_byte_array_append(pending, bytes, (guint)part);
        size_t done = take_items(stream, pending->data, pending->len);
        if (done >= old) {
            g_byte_array_set_size(pending, 0);
            part = done - old;
        } else if (done) {
            g_byte_array_remove_range(pending, 0, (guint)done);
        }
        bytes += part;
        length -= part;
    }
    if (!is_over(stream) && length) {
        size_t done = take_items(stream, bytes, length);
        g_byte_array_append(pending, bytes + done, (guint)(length - done));
    }
}

bool zc_tap_save(struct zc_tap *tap, const char *path, GError **error)
{
    if (tap->error) {
        g_propagate_error(error, g_error_copy(tap->error));
        return false;
    }
    if (!tap->manifest || !tap->ended) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "manifest: the stream ended before its RAM did");
    }
    return zc_manifest_save(tap->manifest, path, error);
}
