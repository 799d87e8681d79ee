/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "wire/bytes.h"
#include "wire/stream-format.h"
#include "wire/stream.h"

void zc_stream_put_header(GByteArray *out)
{
    zc_append_u32(out, ZC_STREAM_MAGIC);
    zc_append_u32(out, ZC_STREAM_VERSION);
}

void zc_stream_put_configuration(GByteArray *out, const char *machine)
{
    size_t length = strlen(machine);

    g_assert(length >= 1 && length < ZC_STREAM_NAME_BYTES);
    zc_append_u8(out, ZC_ITEM_CONFIGURATION);
    zc_append_u32(out, (uint32_t)length);
    g_byte_array_append(out, (const uint8_t *)machine, (guint)length);
}

void zc_stream_put_command(GByteArray *out, uint16_t command, const void *data, uint16_t length)
{
    zc_append_u8(out, ZC_ITEM_COMMAND);
    zc_append_u16(out, command);
    zc_append_u16(out, length);
    if (length) {
        g_byte_array_append(out, data, length);
    }
}

static void put_section_named(GByteArray *out, enum zc_section_type type, uint32_t id,
                              const char *name, uint32_t instance, uint32_t version)
{
    zc_append_u8(out, (uint8_t)type);
    zc_append_u32(out, id);
    zc_append_name(out, name);
    zc_append_u32(out, instance);
    zc_append_u32(out, version);
}

void zc_stream_put_section_start(GByteArray *out, uint32_t id, const char *name, uint32_t instance,
                                 uint32_t version)
{
    put_section_named(out, ZC_SECTION_START, id, name, instance, version);
}

void zc_stream_put_section_full(GByteArray *out, uint32_t id, const char *name, uint32_t instance,
                                uint32_t version)
{
    put_section_named(out, ZC_SECTION_FULL, id, name, instance, version);
}

void zc_stream_put_section_part(GByteArray *out, uint32_t id)
{
    zc_append_u8(out, ZC_SECTION_PART);
    zc_append_u32(out, id);
}

void zc_stream_put_section_end(GByteArray *out, uint32_t id)
{
    zc_append_u8(out, ZC_SECTION_END);
    zc_append_u32(out, id);
}

void zc_stream_put_section_footer(GByteArray *out, uint32_t id)
{
    zc_append_u8(out, ZC_ITEM_FOOTER);
    zc_append_u32(out, id);
}

void zc_stream_put_ram_size(GByteArray *out, uint64_t total_bytes)
{
    g_assert(total_bytes % ZC_WIRE_PAGE_BYTES == 0);
    zc_append_u64(out, total_bytes | ZC_RECORD_MEM_SIZE);
}

void zc_stream_put_ram_block(GByteArray *out, const char *name, uint64_t used_bytes)
{
    zc_append_name(out, name);
    zc_append_u64(out, used_bytes);
}

void zc_stream_put_ram_flush(GByteArray *out)
{
    zc_append_u64(out, ZC_RECORD_MULTIFD_FLUSH);
}

void zc_stream_put_ram_eos(GByteArray *out)
{
    zc_append_u64(out, ZC_RECORD_EOS);
}

static void put_ram_record(GByteArray *out, uint32_t flag, const char *name, uint64_t offset)
{
    g_assert(offset % ZC_WIRE_PAGE_BYTES == 0);
    zc_append_u64(out, offset | flag | (name ? 0u : ZC_RECORD_CONTINUE));
    if (name) {
        zc_append_name(out, name);
    }
}

void zc_stream_put_ram_page(GByteArray *out, const char *name, uint64_t offset)
{
    put_ram_record(out, ZC_RECORD_PAGE, name, offset);
}

void zc_stream_put_ram_zero(GByteArray *out, const char *name, uint64_t offset)
{
    put_ram_record(out, ZC_RECORD_ZERO, name, offset);
    zc_append_u8(out, 0);
}

void zc_stream_put_eof(GByteArray *out)
{
    zc_append_u8(out, ZC_ITEM_EOF);
}

void zc_stream_put_description(GByteArray *out, const char *json)
{
    size_t length = strlen(json);

    g_assert(length <= UINT32_MAX);
    zc_append_u8(out, ZC_ITEM_DESCRIPTION);
    zc_append_u32(out, (uint32_t)length);
    g_byte_array_append(out, (const uint8_t *)json, (guint)length);
}
