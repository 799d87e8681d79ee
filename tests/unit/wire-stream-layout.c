/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes, written by hand from QEMU's format, against the encoder and the decoder. */
#include "config.h"

#include <string.h>

#include "fuzz/samples.h"
#include "fuzz/stream-trace.h"
#include "lib/unit.h"
#include "wire/bytes.h"

#define RAW(bytes) ((const uint8_t *)bytes), sizeof(bytes) - 1

/* Every item that the encoder has, in an order that the decoder takes. */
static const char stream_start[] = "QEVM\0\0\0\3"
                                   "\7\0\0\0\6pc-8.1"
                                   "\x8\0\1\0\0"
                                   "\x8\0\2\0\4\0\0\0\1"
                                   "\1\0\0\0\2\3ram\0\0\0\0\0\0\0\4"
                                   "\0\0\0\0\0\0\x30\4"
                                   "\6pc.ram\0\0\0\0\0\0\x20\0"
                                   "\3rom\0\0\0\0\0\0\x10\0"
                                   "\0\0\0\0\0\0\2\0"
                                   "\0\0\0\0\0\0\0\x10"
                                   "\x7e\0\0\0\2"
                                   "\2\0\0\0\2"
                                   "\0\0\0\0\0\0\x10\2\6pc.ram\0"
                                   "\0\0\0\0\0\0\0\x22\0"
                                   "\0\0\0\0\0\0\0\x10"
                                   "\x7e\0\0\0\2"
                                   "\3\0\0\0\2"
                                   "\0\0\0\0\0\0\x10\x28";
static const char stream_end[] = "\0\0\0\0\0\0\0\x8\3rom";
static const char stream_tail[] = "\0\0\0\0\0\0\0\x10"
                                  "\x7e\0\0\0\2"
                                  "\4\0\0\0\x9\3cpu\0\0\0\1\0\0\0\xc";
static const char stream_last[] = "\0"
                                  "\6\0\0\0\2{}";

static void append_page(GByteArray *out, uint8_t fill)
{
    uint8_t page[ZC_WIRE_PAGE_BYTES];

    memset(page, fill, sizeof(page));
    g_byte_array_append(out, page, sizeof(page));
}

static GByteArray *by_hand(void)
{
    GByteArray *out = g_byte_array_new();

    g_byte_array_append(out, RAW(stream_start));
    append_page(out, 0x5a);
    g_byte_array_append(out, RAW(stream_end));
    append_page(out, 0xa5);
    g_byte_array_append(out, RAW(stream_tail));
    g_byte_array_append(out, RAW(stream_last));
    return out;
}

static GByteArray *by_encoder(void)
{
    GByteArray *out = g_byte_array_new();

    zc_stream_put_header(out);
    zc_stream_put_configuration(out, "pc-8.1");
    zc_stream_put_command(out, ZC_COMMAND_OPEN_RETURN_PATH, NULL, 0);
    zc_stream_put_command(out, ZC_COMMAND_PING, "\0\0\0\1", 4);
    zc_stream_put_section_start(out, 2, "ram", 0, 4);
    zc_stream_put_ram_size(out, 0x3000);
    zc_stream_put_ram_block(out, "pc.ram", 0x2000);
    zc_stream_put_ram_block(out, "rom", 0x1000);
    zc_stream_put_ram_flush(out);
    zc_stream_put_ram_eos(out);
    zc_stream_put_section_footer(out, 2);
    zc_stream_put_section_part(out, 2);
    zc_stream_put_ram_zero(out, "pc.ram", 0x1000);
    zc_stream_put_ram_zero(out, NULL, 0);
    zc_stream_put_ram_eos(out);
    zc_stream_put_section_footer(out, 2);
    zc_stream_put_section_end(out, 2);
    zc_stream_put_ram_page(out, NULL, 0x1000);
    append_page(out, 0x5a);
    zc_stream_put_ram_page(out, "rom", 0);
    append_page(out, 0xa5);
    zc_stream_put_ram_eos(out);
    zc_stream_put_section_footer(out, 2);
    zc_stream_put_section_full(out, 9, "cpu", 1, 12);
    zc_stream_put_eof(out);
    zc_stream_put_description(out, "{}");
    return out;
}

START_TEST(encoder_writes_qemus_bytes)
{
    GByteArray *expected = by_hand(), *got = by_encoder();

    ck_assert_uint_eq(got->len, expected->len);
    ck_assert_mem_eq(got->data, expected->data, expected->len);
    g_byte_array_unref(expected);
    g_byte_array_unref(got);
}
END_TEST

struct reader {
    GByteArray *bytes;
    struct zc_stream_decoder *decoder;
    size_t at;
    struct zc_stream_event event;
};

static void expect(struct reader *reader, enum zc_stream_event_type type)
{
    GError *error = NULL;
    size_t used = 0;
    enum zc_stream_result result =
        zc_stream_decoder_next(reader->decoder, reader->bytes->data + reader->at,
                               reader->bytes->len - reader->at, &used, &reader->event, &error);

    ck_assert_msg(result == ZC_STREAM_GOT, "%s", error ? error->message : "wants more");
    ck_assert_int_eq((int)reader->event.type, (int)type);
    reader->at += used + reader->event.payload_bytes;
}

static void expect_command(struct reader *reader, uint16_t command, uint16_t length)
{
    expect(reader, ZC_STREAM_COMMAND);
    ck_assert_uint_eq(reader->event.command.command, command);
    ck_assert_uint_eq(reader->event.command.length, length);
}

static void expect_section(struct reader *reader, enum zc_section_type type, uint32_t id,
                           bool is_ram, const char *name)
{
    expect(reader, ZC_STREAM_SECTION);
    ck_assert_int_eq((int)reader->event.section.type, (int)type);
    ck_assert_uint_eq(reader->event.section.id, id);
    ck_assert_int_eq(reader->event.section.is_ram, is_ram);
    ck_assert_str_eq(reader->event.section.name, name);
}

static void expect_block(struct reader *reader, const char *name, uint64_t used_bytes)
{
    expect(reader, ZC_STREAM_RAM_BLOCK);
    ck_assert_str_eq(reader->event.block.name, name);
    ck_assert_uint_eq(reader->event.block.used_bytes, used_bytes);
}

static void expect_page(struct reader *reader, bool is_zero, const char *name, uint64_t offset)
{
    expect(reader, is_zero ? ZC_STREAM_RAM_ZERO : ZC_STREAM_RAM_PAGE);
    ck_assert_uint_eq(reader->event.payload_bytes, is_zero ? 0 : ZC_WIRE_PAGE_BYTES);
    ck_assert_str_eq(reader->event.page.block, name);
    ck_assert_uint_eq(reader->event.page.offset, offset);
}

static void expect_ram_start(struct reader *reader)
{
    expect(reader, ZC_STREAM_HEADER);
    expect(reader, ZC_STREAM_CONFIGURATION);
    ck_assert_str_eq(reader->event.configuration.machine, "pc-8.1");
    ck_assert_uint_eq(reader->event.configuration.length, 11);
    ck_assert_uint_eq(reader->event.configuration.target_page_bits, 0);
    ck_assert(!reader->event.configuration.has_uuid);
    expect_command(reader, ZC_COMMAND_OPEN_RETURN_PATH, 0);
    expect_command(reader, ZC_COMMAND_PING, 4);
    ck_assert_uint_eq(zc_get_u32(reader->event.command.data), 1);
    expect_section(reader, ZC_SECTION_START, 2, true, "ram");
    ck_assert_uint_eq(reader->event.section.version, 4);
    expect(reader, ZC_STREAM_RAM_SIZE);
    ck_assert_uint_eq(reader->event.ram_size.total_bytes, 0x3000);
    expect_block(reader, "pc.ram", 0x2000);
    expect_block(reader, "rom", 0x1000);
    expect(reader, ZC_STREAM_RAM_FLUSH);
    expect(reader, ZC_STREAM_RAM_EOS);
}

/* QEMU flushes up to the EOS of a section, and its footer with the next: who waits, stands still. */
START_TEST(eos_is_told_without_the_footer)
{
    struct reader whole = { by_hand(), zc_stream_decoder_new(&zc_sample_limits), 0, { 0 } };
    struct reader reader = { by_hand(), zc_stream_decoder_new(&zc_sample_limits), 0, { 0 } };

    expect_ram_start(&whole);
    g_byte_array_set_size(reader.bytes, (guint)whole.at);
    ck_assert_uint_eq(reader.bytes->data[whole.at - 1], 0x10);
    expect_ram_start(&reader);
    zc_stream_decoder_free(whole.decoder);
    zc_stream_decoder_free(reader.decoder);
    g_byte_array_unref(whole.bytes);
    g_byte_array_unref(reader.bytes);
}
END_TEST

START_TEST(decoder_reads_qemus_bytes)
{
    struct reader reader = { by_hand(), zc_stream_decoder_new(&zc_sample_limits), 0, { 0 } };

    expect_ram_start(&reader);
    expect_section(&reader, ZC_SECTION_PART, 2, true, "");
    expect_page(&reader, true, "pc.ram", 0x1000);
    expect_page(&reader, true, "pc.ram", 0);
    expect(&reader, ZC_STREAM_RAM_EOS);
    expect_section(&reader, ZC_SECTION_END, 2, true, "");
    expect_page(&reader, false, "pc.ram", 0x1000);
    expect_page(&reader, false, "rom", 0);
    expect(&reader, ZC_STREAM_RAM_EOS);
    ck_assert(!zc_stream_decoder_after_devices(reader.decoder, 0)); /* no device yet */
    expect_section(&reader, ZC_SECTION_FULL, 9, false, "cpu");
    ck_assert_uint_eq(reader.event.section.instance, 1);
    ck_assert_uint_eq(reader.event.section.version, 12);
    ck_assert(zc_stream_decoder_after_devices(reader.decoder, 0));
    expect(&reader, ZC_STREAM_EOF);
    expect(&reader, ZC_STREAM_DESCRIPTION);
    ck_assert_uint_eq(reader.event.payload_bytes, 2);
    ck_assert_uint_eq(reader.at, reader.bytes->len);
    zc_stream_decoder_free(reader.decoder);
    g_byte_array_unref(reader.bytes);
}
END_TEST

START_TEST(configuration_has_subsections)
{
    struct reader reader = {
        zc_sample_configuration_and_commands(), zc_stream_decoder_new(&zc_sample_limits), 0, { 0 }
    };

    expect(&reader, ZC_STREAM_HEADER);
    expect(&reader, ZC_STREAM_CONFIGURATION);
    ck_assert_uint_eq(reader.event.configuration.target_page_bits, 12);
    ck_assert(reader.event.configuration.has_uuid);
    ck_assert_mem_eq(reader.event.configuration.uuid, "\xde\xad\xbe\xef\0", 5);
    ck_assert_uint_eq(reader.event.configuration.length, reader.at - 8);
    ck_assert_uint_eq(reader.bytes->data[reader.at], 8);
    zc_stream_decoder_free(reader.decoder);
    g_byte_array_unref(reader.bytes);
}
END_TEST

START_TEST(every_command_of_qemu_is_an_event)
{
    struct reader reader = {
        zc_sample_configuration_and_commands(), zc_stream_decoder_new(&zc_sample_limits), 0, { 0 }
    };

    expect(&reader, ZC_STREAM_HEADER);
    expect(&reader, ZC_STREAM_CONFIGURATION);
    expect_command(&reader, ZC_COMMAND_OPEN_RETURN_PATH, 0);
    expect_command(&reader, ZC_COMMAND_PING, 4);
    expect_command(&reader, ZC_COMMAND_POSTCOPY_ADVISE, 0);
    expect_command(&reader, ZC_COMMAND_POSTCOPY_ADVISE, 16);
    expect_command(&reader, ZC_COMMAND_POSTCOPY_LISTEN, 0);
    expect_command(&reader, ZC_COMMAND_POSTCOPY_RUN, 0);
    expect_command(&reader, ZC_COMMAND_POSTCOPY_RAM_DISCARD, 20);
    expect_command(&reader, ZC_COMMAND_PACKAGED, 4);
    ck_assert_uint_eq(reader.event.payload_bytes, 3);
    expect_command(&reader, ZC_COMMAND_ENABLE_COLO, 0);
    expect_command(&reader, ZC_COMMAND_POSTCOPY_RESUME, 0);
    expect_command(&reader, ZC_COMMAND_RECV_BITMAP, 2);
    expect_command(&reader, ZC_COMMAND_SWITCHOVER_START, 0);
    ck_assert_uint_eq(reader.at, reader.bytes->len);
    zc_stream_decoder_free(reader.decoder);
    g_byte_array_unref(reader.bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire-stream-layout");
    TCase *tcase = tcase_create("layout");

    tcase_add_test(tcase, encoder_writes_qemus_bytes);
    tcase_add_test(tcase, decoder_reads_qemus_bytes);
    tcase_add_test(tcase, eos_is_told_without_the_footer);
    tcase_add_test(tcase, configuration_has_subsections);
    tcase_add_test(tcase, every_command_of_qemu_is_an_event);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
