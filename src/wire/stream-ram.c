/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the body of a RAM section is a row of be64 records, offset and flags
 * in one.  The block list that START announces is kept, so that every later
 * record is checked here, against it, once and for all callers.
 */
#include "config.h"

#include "wire/stream-decode.h"

#define FLAGS_MASK ((uint64_t)ZC_WIRE_PAGE_BYTES - 1)

static const struct {
    uint32_t flag;
    const char *name;
} refused_flags[] = {
    { ZC_RECORD_XBZRLE, "an XBZRLE page (capability xbzrle)" },
    { ZC_RECORD_HOOK, "a HOOK record (RDMA)" },
    { ZC_RECORD_COMPRESS_PAGE, "a COMPRESS_PAGE record (capability compress)" },
};

static const struct zc_stream_block *find_block(const struct zc_stream_decoder *decoder,
                                                const char *name)
{
    for (uint32_t i = 0; i < decoder->n_blocks; i++) {
        if (strcmp(decoder->blocks[i].name, name) == 0) {
            return &decoder->blocks[i];
        }
    }
    return NULL;
}

static enum zc_stream_result parse_size(struct zc_stream_decoder *decoder, struct zc_cursor *cursor,
                                        struct zc_stream_event *event, GError **error)
{
    uint64_t record;

    if (!zc_cursor_u64(cursor, &record)) {
        return ZC_STREAM_MORE;
    }
    if ((record & FLAGS_MASK) != ZC_RECORD_MEM_SIZE) {
        return zc_stream_refuse(
            decoder, error, ZCMIG_ERROR_PROTOCOL,
            "RAM START begins with record 0x%" G_GINT64_MODIFIER "x, allowed is MEM_SIZE", record);
    }
    uint64_t total_bytes = record & ~FLAGS_MASK;
    if (total_bytes == 0) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "MEM_SIZE: got no RAM at all");
    }
    if (total_bytes > decoder->limits.ram_bytes) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_LIMIT,
                                "MEM_SIZE: got %" G_GUINT64_FORMAT
                                " bytes of RAM, allowed are %" G_GUINT64_FORMAT,
                                total_bytes, decoder->limits.ram_bytes);
    }
    event->type = ZC_STREAM_RAM_SIZE;
    event->ram_size.total_bytes = total_bytes;
    decoder->unlisted_bytes = total_bytes;
    decoder->phase = ZC_PHASE_RAM_BLOCKS;
    return ZC_STREAM_GOT;
}

static enum zc_stream_result refuse_own_page_size(struct zc_stream_decoder *decoder, GError **error)
{
    const char *name = decoder->n_blocks ? decoder->blocks[decoder->n_blocks - 1].name : "";

    return zc_stream_refuse(decoder, error, ZCMIG_ERROR_UNSUPPORTED,
                            "block '%s' has a page size of its own (huge pages with capability "
                            "postcopy-ram), which is not supported",
                            name);
}

static enum zc_stream_result parse_block(struct zc_stream_decoder *decoder,
                                         struct zc_cursor *cursor, struct zc_stream_event *event,
                                         GError **error)
{
    uint64_t used_bytes;

    if (decoder->n_blocks == decoder->limits.blocks) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_LIMIT,
                                "got more RAM blocks than the %u that are allowed",
                                decoder->limits.blocks);
    }
    /* A be64 page size of less than 2^56 begins with a byte 0, which begins no name. */
    if (cursor->left && *cursor->at == 0 && decoder->postcopy_advised && decoder->n_blocks) {
        return refuse_own_page_size(decoder, error);
    }
    enum zc_stream_result result =
        zc_stream_parse_name(decoder, cursor, "RAM block's name", event->block.name, error);
    if (result != ZC_STREAM_GOT) {
        return result;
    }
    if (find_block(decoder, event->block.name)) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "RAM block '%s' is listed twice", event->block.name);
    }
    if (!zc_cursor_u64(cursor, &used_bytes)) {
        return ZC_STREAM_MORE;
    }
    if (used_bytes == 0 || used_bytes % ZC_WIRE_PAGE_BYTES != 0 ||
        used_bytes > decoder->unlisted_bytes) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "RAM block '%s': got 0x%" G_GINT64_MODIFIER
                                "x bytes, allowed are multiples of %u up to the "
                                "0x%" G_GINT64_MODIFIER "x that MEM_SIZE leaves",
                                event->block.name, used_bytes, ZC_WIRE_PAGE_BYTES,
                                decoder->unlisted_bytes);
    }
    struct zc_stream_block *block = &decoder->blocks[decoder->n_blocks++];
    memcpy(block->name, event->block.name, sizeof(block->name));
    block->used_bytes = used_bytes;
    decoder->unlisted_bytes -= used_bytes;
    if (decoder->unlisted_bytes == 0) {
        decoder->phase = ZC_PHASE_RAM_RECORDS;
    }
    event->type = ZC_STREAM_RAM_BLOCK;
    event->block.used_bytes = used_bytes;
    return ZC_STREAM_GOT;
}

/* Of a page record, what comes after the be64: the block and, of a ZERO, its fill byte. */
static enum zc_stream_result parse_page(struct zc_stream_decoder *decoder, struct zc_cursor *cursor,
                                        uint64_t record, struct zc_stream_event *event,
                                        GError **error)
{
    const struct zc_stream_block *block = decoder->current;
    uint64_t offset = record & ~FLAGS_MASK;
    bool is_zero = record & ZC_RECORD_ZERO;
    uint8_t fill = 0;

    if (!(record & ZC_RECORD_CONTINUE)) {
        enum zc_stream_result result =
            zc_stream_parse_name(decoder, cursor, "page record's block", event->page.block, error);
        if (result != ZC_STREAM_GOT) {
            return result;
        }
        block = find_block(decoder, event->page.block);
        if (!block) {
            return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                    "page record: got block '%s', which MEM_SIZE did not list",
                                    event->page.block);
        }
    } else if (!block) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "page record: got CONTINUE before any block was named");
    }
    if (offset >= block->used_bytes) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "page record of block '%s': got offset 0x%" G_GINT64_MODIFIER
                                "x, allowed are less than 0x%" G_GINT64_MODIFIER "x",
                                block->name, offset, block->used_bytes);
    }
    if (is_zero && !zc_cursor_u8(cursor, &fill)) {
        return ZC_STREAM_MORE;
    }
    if (fill != 0) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "zero page of block '%s' at 0x%" G_GINT64_MODIFIER
                                "x: got fill byte 0x%02x, allowed is 0",
                                block->name, offset, fill);
    }
    decoder->current = block;
    event->type = is_zero ? ZC_STREAM_RAM_ZERO : ZC_STREAM_RAM_PAGE;
    event->payload_bytes = is_zero ? 0 : ZC_WIRE_PAGE_BYTES;
    memcpy(event->page.block, block->name, sizeof(event->page.block));
    event->page.offset = offset;
    return ZC_STREAM_GOT;
}

enum zc_stream_result zc_stream_parse_footer(struct zc_stream_decoder *decoder,
                                             struct zc_cursor *cursor, GError **error)
{
    uint8_t item;
    uint32_t id;

    if (!zc_cursor_u8(cursor, &item)) {
        return ZC_STREAM_MORE;
    }
    if (item != ZC_ITEM_FOOTER) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "after EOS: got item 0x%02x, allowed is a footer (0x%02x)", item,
                                ZC_ITEM_FOOTER);
    }
    if (!zc_cursor_u32(cursor, &id)) {
        return ZC_STREAM_MORE;
    }
    if (id != decoder->ram_section_id) {
        return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                                "section footer: got id %u, allowed is that of RAM, %u", id,
                                decoder->ram_section_id);
    }
    decoder->phase = ZC_PHASE_ITEMS;
    return ZC_STREAM_GOT;
}

static enum zc_stream_result refuse_record(struct zc_stream_decoder *decoder, uint64_t record,
                                           GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(refused_flags); i++) {
        if (record & FLAGS_MASK & refused_flags[i].flag) {
            return zc_stream_refuse(decoder, error, ZCMIG_ERROR_UNSUPPORTED,
                                    "RAM record is %s, which is not supported",
                                    refused_flags[i].name);
        }
    }
    if ((record & FLAGS_MASK) == 0 && decoder->postcopy_advised) {
        return refuse_own_page_size(decoder, error);
    }
    return zc_stream_refuse(decoder, error, ZCMIG_ERROR_PROTOCOL,
                            "got RAM record 0x%" G_GINT64_MODIFIER
                            "x, allowed are ZERO, PAGE (with or without CONTINUE), MULTIFD_FLUSH "
                            "and EOS",
                            record);
}

static enum zc_stream_result parse_record(struct zc_stream_decoder *decoder,
                                          struct zc_cursor *cursor, struct zc_stream_event *event,
                                          GError **error)
{
    uint64_t record;
    const uint8_t *item;

    /* A record that begins with this byte would speak of a page beyond 2^59: it is a command. */
    if (cursor->left && *cursor->at == ZC_ITEM_COMMAND && zc_cursor_bytes(cursor, 1, &item)) {
        return zc_stream_parse_command(decoder, cursor, event, error);
    }
    if (!zc_cursor_u64(cursor, &record)) {
        return ZC_STREAM_MORE;
    }
    switch (record & FLAGS_MASK & ~(uint64_t)ZC_RECORD_CONTINUE) {
    case ZC_RECORD_ZERO:
    case ZC_RECORD_PAGE:
        return parse_page(decoder, cursor, record, event, error);
    default:
        break;
    }
    /* Neither of these has an offset. */
    if (record == ZC_RECORD_MULTIFD_FLUSH) {
        event->type = ZC_STREAM_RAM_FLUSH;
        return ZC_STREAM_GOT;
    }
    if (record == ZC_RECORD_EOS) {
        event->type = ZC_STREAM_RAM_EOS;
        decoder->ram = decoder->in_ram_end ? ZC_RAM_ENDED : ZC_RAM_STARTED;
        decoder->phase = ZC_PHASE_RAM_FOOTER;
        return ZC_STREAM_GOT;
    }
    return refuse_record(decoder, record, error);
}

enum zc_stream_result zc_stream_parse_ram(struct zc_stream_decoder *decoder,
                                          struct zc_cursor *cursor, struct zc_stream_event *event,
                                          GError **error)
{
    switch (decoder->phase) {
    case ZC_PHASE_RAM_SIZE:
        return parse_size(decoder, cursor, event, error);
    case ZC_PHASE_RAM_BLOCKS:
        return parse_block(decoder, cursor, event, error);
    default:
        return parse_record(decoder, cursor, event, error);
    }
}
