/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One broken rule a row: where in the stream, the bytes, and what the decoder says of them. */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "fuzz/samples.h"
#include "fuzz/stream-trace.h"
#include "lib/unit.h"
#include "wire/bytes.h"

#define RAW(bytes) bytes, sizeof(bytes) - 1

enum stage {
    NOTHING, /* the stream begins */
    HEADER,
    CONFIGURED, /* "pc" */
    ADVISED,    /* POSTCOPY_ADVISE with page sizes */
    STARTED,    /* RAM START, id 2 */
    SIZED,      /* of 0x5000 bytes */
    LISTED_ONE, /* "a" of 0x3000 bytes */
    ADVISED_LISTED_ONE,
    LISTED, /* and "b" of 0x2000 */
    ADVISED_LISTED,
    SET_UP, /* START is at its end */
    PART,
    NAMED,   /* a zero page of "b" was sent */
    ENDED,   /* RAM END is at its end */
    DEVICES, /* a FULL section began */
    AFTER_DEVICES,
    AFTER_EOF,
    DESCRIBED,
};

static const struct zc_stream_limits limits = {
    .ram_bytes = 0x10000,
    .blocks = 3,
    .description_bytes = 100,
};

static void put_ram_start(GByteArray *out, enum stage stage)
{
    if (stage >= STARTED) {
        zc_stream_put_section_start(out, 2, "ram", 0, 4);
    }
    if (stage >= SIZED) {
        zc_stream_put_ram_size(out, 0x5000);
    }
    if (stage >= LISTED_ONE) {
        zc_stream_put_ram_block(out, "a", 0x3000);
    }
    if (stage >= LISTED) {
        zc_stream_put_ram_block(out, "b", 0x2000);
    }
    if (stage >= SET_UP) {
        zc_stream_put_ram_eos(out);
        zc_stream_put_section_footer(out, 2);
    }
}

static void put_ram_rest(GByteArray *out, enum stage stage)
{
    if (stage == PART || stage == NAMED) {
        zc_stream_put_section_part(out, 2);
    }
    if (stage == NAMED) {
        zc_stream_put_ram_zero(out, "b", 0);
    }
    if (stage >= ENDED) {
        zc_stream_put_section_end(out, 2);
        zc_stream_put_ram_eos(out);
        zc_stream_put_section_footer(out, 2);
    }
    if (stage == DEVICES || stage == AFTER_DEVICES) {
        zc_stream_put_section_full(out, 5, "cpu", 0, 12);
    }
    if (stage >= AFTER_EOF) {
        zc_stream_put_eof(out);
    }
    if (stage >= DESCRIBED) {
        zc_stream_put_description(out, "{}");
    }
}

static GByteArray *stream_up_to(enum stage stage)
{
    static const uint8_t page_sizes[16] = { 0 };
    GByteArray *out = g_byte_array_new();

    if (stage >= HEADER) {
        zc_stream_put_header(out);
    }
    if (stage >= CONFIGURED) {
        zc_stream_put_configuration(out, "pc");
    }
    if (stage == ADVISED || stage == ADVISED_LISTED_ONE || stage == ADVISED_LISTED) {
        zc_stream_put_command(out, ZC_COMMAND_POSTCOPY_ADVISE, page_sizes, sizeof(page_sizes));
    }
    put_ram_start(out, stage);
    put_ram_rest(out, stage);
    return out;
}

static const struct {
    enum stage stage;
    const char *bytes;
    size_t length;
    int code;
    const char *part;
} rejections[] = {
    { NOTHING, RAW("QEVN"), ZCMIG_ERROR_PROTOCOL, "got magic 0x5145564e, allowed is 0x5145564d" },
    { NOTHING, RAW("QEVM\0\0\0\2"), ZCMIG_ERROR_PROTOCOL, "got stream version 2, allowed is 3" },

    /* configuration */
    { HEADER, RAW("\x8"), ZCMIG_ERROR_PROTOCOL, "got item 0x08, allowed is a configuration" },
    { HEADER, RAW("\7\0\0\0\0"), ZCMIG_ERROR_PROTOCOL, "machine name: got 0 characters" },
    { HEADER, RAW("\7\0\0\1\0"), ZCMIG_ERROR_PROTOCOL, "machine name: got 256 characters" },
    { HEADER, RAW("\7\xff\xff\xff\xff"), ZCMIG_ERROR_PROTOCOL, "got 4294967295 characters" },
    { HEADER, RAW("\7\0\0\0\2p\033"), ZCMIG_ERROR_PROTOCOL, "machine name: got unprintable" },
    { CONFIGURED, RAW("\5\0"), ZCMIG_ERROR_PROTOCOL, "subsection: got 0 characters" },
    { CONFIGURED, RAW("\5\3a/b"), ZCMIG_ERROR_PROTOCOL, "got subsection 'a/b'" },
    { CONFIGURED, RAW("\5\22configuration/uuid\0\0\0\2"), ZCMIG_ERROR_PROTOCOL,
      "'configuration/uuid': got version 2, allowed is 1" },
    { CONFIGURED, RAW("\5\22configuration/uuid\0\0\0\1aaaaaaaaaaaaaaaa\5\22configuration/uuid"),
      ZCMIG_ERROR_PROTOCOL, "got subsection 'configuration/uuid', allowed are" },
    { CONFIGURED, RAW("\5\36configuration/target-page-bits\0\0\0\1\0\0\0\16"),
      ZCMIG_ERROR_UNSUPPORTED, "target-page-bits: got 14, allowed is 12" },
    { CONFIGURED, RAW("\5\32configuration/capabilities\0\0\0\1\0\0\0\1\17x-ignore-shared"),
      ZCMIG_ERROR_UNSUPPORTED, "capability x-ignore-shared is not supported" },
    { CONFIGURED, RAW("\5\32configuration/capabilities\0\0\0\1\0\0\0\1\12mapped-ram"),
      ZCMIG_ERROR_UNSUPPORTED, "capability mapped-ram is not supported" },
    { CONFIGURED, RAW("\5\32configuration/capabilities\0\0\0\1\xff\xff\xff\xff\0"),
      ZCMIG_ERROR_PROTOCOL, "capability: got 0 characters" },

    /* items */
    { CONFIGURED, RAW("\7"), ZCMIG_ERROR_PROTOCOL, "got item 0x07, allowed are a section" },
    { CONFIGURED, RAW("\6"), ZCMIG_ERROR_PROTOCOL, "got item 0x06" },
    { SET_UP, RAW("\x7e"), ZCMIG_ERROR_PROTOCOL, "got item 0x7e" },
    { SET_UP, RAW("\5"), ZCMIG_ERROR_PROTOCOL, "got item 0x05" },
    { CONFIGURED, RAW("\0"), ZCMIG_ERROR_PROTOCOL, "got EOF before the END of RAM" },
    { SET_UP, RAW("\0"), ZCMIG_ERROR_PROTOCOL, "got EOF before the END of RAM" },

    /* commands */
    { CONFIGURED, RAW("\x8\0\0"), ZCMIG_ERROR_PROTOCOL, "got command 0, allowed here are 1 to 11" },
    { CONFIGURED, RAW("\x8\0\xc"), ZCMIG_ERROR_PROTOCOL, "got command 12" },
    { CONFIGURED, RAW("\x8\0\1\0\1"), ZCMIG_ERROR_PROTOCOL, "command 1: got 1 bytes" },
    { CONFIGURED, RAW("\x8\0\2\0\3"), ZCMIG_ERROR_PROTOCOL, "command 2: got 3 bytes" },
    { CONFIGURED, RAW("\x8\0\3\0\x8"), ZCMIG_ERROR_PROTOCOL, "command 3: got 8 bytes" },
    { CONFIGURED, RAW("\x8\0\4\0\1"), ZCMIG_ERROR_PROTOCOL, "command 4: got 1 bytes" },
    { CONFIGURED, RAW("\x8\0\5\0\1"), ZCMIG_ERROR_PROTOCOL, "command 5: got 1 bytes" },
    { CONFIGURED, RAW("\x8\0\6\0\x13"), ZCMIG_ERROR_PROTOCOL, "command 6: got 19 bytes" },
    { CONFIGURED, RAW("\x8\0\7\0\5"), ZCMIG_ERROR_PROTOCOL, "command 7: got 5 bytes" },
    { CONFIGURED, RAW("\x8\0\7\0\4\1\0\0\1"), ZCMIG_ERROR_LIMIT,
      "PACKAGED: got 16777217 bytes, allowed are 16777216" },
    { CONFIGURED, RAW("\x8\0\x8\0\1"), ZCMIG_ERROR_PROTOCOL, "command 8: got 1 bytes" },
    { CONFIGURED, RAW("\x8\0\x9\0\1"), ZCMIG_ERROR_PROTOCOL, "command 9: got 1 bytes" },
    { CONFIGURED, RAW("\x8\0\xa\0\1"), ZCMIG_ERROR_PROTOCOL, "command 10: got 1 bytes" },
    { CONFIGURED, RAW("\x8\0\xa\1\1"), ZCMIG_ERROR_PROTOCOL, "command 10: got 257 bytes" },
    { CONFIGURED, RAW("\x8\0\xa\0\2\2r"), ZCMIG_ERROR_PROTOCOL, "RECV_BITMAP: got a name of 2" },
    { CONFIGURED, RAW("\x8\0\xb\0\1"), ZCMIG_ERROR_PROTOCOL, "command 11: got 1 bytes" },
    { CONFIGURED, RAW("\x8\x7a\x63\0\0"), ZCMIG_ERROR_PROTOCOL, "command 31331: got 0 bytes" },

    /* sections */
    { CONFIGURED, RAW("\1\0\0\0\2\0"), ZCMIG_ERROR_PROTOCOL, "section's name: got 0 characters" },
    { CONFIGURED, RAW("\1\0\0\0\2\3ra\n"), ZCMIG_ERROR_PROTOCOL,
      "section's name: got unprintable" },
    { CONFIGURED, RAW("\1\0\0\0\2\14dirty-bitmap"), ZCMIG_ERROR_UNSUPPORTED,
      "section 'dirty-bitmap' is migrated live and is not RAM" },
    { CONFIGURED, RAW("\1\0\0\0\2\3ram\0\0\0\1\0\0\0\4"), ZCMIG_ERROR_PROTOCOL,
      "got instance 1 of version 4" },
    { CONFIGURED, RAW("\1\0\0\0\2\3ram\0\0\0\0\0\0\0\3"), ZCMIG_ERROR_PROTOCOL,
      "got instance 0 of version 3" },
    { CONFIGURED, RAW("\4\0\0\0\2\3ram"), ZCMIG_ERROR_PROTOCOL, "section 'ram' is a FULL one" },
    { CONFIGURED, RAW("\2\0\0\0\2"), ZCMIG_ERROR_PROTOCOL, "PART of id 2 before RAM's START" },
    { CONFIGURED, RAW("\3\0\0\0\2"), ZCMIG_ERROR_PROTOCOL, "END of id 2 before RAM's START" },
    { SET_UP, RAW("\1\0\0\0\3\3ram\0\0\0\0\0\0\0\4"), ZCMIG_ERROR_PROTOCOL, "started twice" },
    { SET_UP, RAW("\2\0\0\0\3"), ZCMIG_ERROR_PROTOCOL, "got id 3, which no START named" },
    { SET_UP, RAW("\3\0\0\0\3"), ZCMIG_ERROR_PROTOCOL, "got id 3, which no START named" },
    { ENDED, RAW("\2\0\0\0\2"), ZCMIG_ERROR_PROTOCOL, "PART of id 2 after RAM's END" },
    { ENDED, RAW("\3\0\0\0\2"), ZCMIG_ERROR_PROTOCOL, "END of id 2 after RAM's END" },
    { ENDED, RAW("\1\0\0\0\2\3ram\0\0\0\0\0\0\0\4"), ZCMIG_ERROR_PROTOCOL, "started twice" },

    /* the block list */
    { STARTED, RAW("\0\0\0\0\0\0\0\x10"), ZCMIG_ERROR_PROTOCOL, "begins with record 0x10" },
    { STARTED, RAW("\0\0\0\0\0\0\x50\5"), ZCMIG_ERROR_PROTOCOL, "begins with record 0x5005" },
    { STARTED, RAW("\0\0\0\0\0\0\0\4"), ZCMIG_ERROR_PROTOCOL, "no RAM at all" },
    { STARTED, RAW("\0\0\0\0\0\1\x10\4"), ZCMIG_ERROR_LIMIT,
      "got 69632 bytes of RAM, allowed are 65536" },
    { STARTED, RAW("\xff\xff\xff\xff\xff\xff\xf0\4"), ZCMIG_ERROR_LIMIT, "bytes of RAM" },
    { SIZED, RAW("\0"), ZCMIG_ERROR_PROTOCOL, "RAM block's name: got 0 characters" },
    { SIZED, RAW("\2a\0"), ZCMIG_ERROR_PROTOCOL, "RAM block's name: got unprintable" },
    { SIZED, RAW("\1a\0\0\0\0\0\0\0\0"), ZCMIG_ERROR_PROTOCOL, "RAM block 'a': got 0x0 bytes" },
    { SIZED, RAW("\1a\0\0\0\0\0\0\x10\1"), ZCMIG_ERROR_PROTOCOL, "got 0x1001 bytes" },
    { SIZED, RAW("\1a\0\0\0\0\0\0\x60\0"), ZCMIG_ERROR_PROTOCOL,
      "got 0x6000 bytes, allowed are multiples of 4096 up to the 0x5000 that MEM_SIZE leaves" },
    { SIZED, RAW("\1a\xff\xff\xff\xff\xff\xff\xf0\0"), ZCMIG_ERROR_PROTOCOL, "RAM block 'a'" },
    { LISTED_ONE, RAW("\1b\0\0\0\0\0\0\x30\0"), ZCMIG_ERROR_PROTOCOL,
      "got 0x3000 bytes, allowed are multiples of 4096 up to the 0x2000" },
    { LISTED_ONE, RAW("\1a\0\0\0\0\0\0\x20\0"), ZCMIG_ERROR_PROTOCOL, "'a' is listed twice" },
    { SIZED, RAW("\1a\0\0\0\0\0\0\x10\0\1b\0\0\0\0\0\0\x10\0\1c\0\0\0\0\0\0\x10\0"),
      ZCMIG_ERROR_LIMIT, "got more RAM blocks than the 3 that are allowed" },
    { LISTED_ONE, RAW("\0\0\0\0\0\x20\0\0"), ZCMIG_ERROR_PROTOCOL, "got 0 characters" },
    { ADVISED_LISTED_ONE, RAW("\0\0\0\0\0\x20\0\0"), ZCMIG_ERROR_UNSUPPORTED,
      "block 'a' has a page size of its own (huge pages with capability postcopy-ram)" },
    { ADVISED_LISTED, RAW("\0\0\0\0\0\x20\0\0"), ZCMIG_ERROR_UNSUPPORTED,
      "block 'b' has a page size of its own" },

    /* records */
    { LISTED, RAW("\0\0\0\0\0\0\0\0"), ZCMIG_ERROR_PROTOCOL, "got RAM record 0x0, allowed are" },
    { LISTED, RAW("\0\0\0\0\0\0\x50\4"), ZCMIG_ERROR_PROTOCOL, "got RAM record 0x5004" },
    { PART, RAW("\0\0\0\0\0\0\0\1"), ZCMIG_ERROR_PROTOCOL, "got RAM record 0x1" },
    { PART, RAW("\0\0\0\0\0\0\0\xa"), ZCMIG_ERROR_PROTOCOL, "got RAM record 0xa" },
    { PART, RAW("\0\0\0\0\0\0\4\0"), ZCMIG_ERROR_PROTOCOL, "got RAM record 0x400" },
    { PART, RAW("\0\0\0\0\0\0\x8\x8"), ZCMIG_ERROR_PROTOCOL, "got RAM record 0x808" },
    { PART, RAW("\0\0\0\0\0\0\x10\x10"), ZCMIG_ERROR_PROTOCOL, "got RAM record 0x1010" },
    { PART, RAW("\0\0\0\0\0\0\x12\0"), ZCMIG_ERROR_PROTOCOL, "got RAM record 0x1200" },
    { PART, RAW("\0\0\0\0\0\0\0\x30"), ZCMIG_ERROR_PROTOCOL, "got RAM record 0x30" },
    { PART, RAW("\x8\0\1"), ZCMIG_ERROR_PROTOCOL,
      "got command 1, allowed here are none of QEMU's" },
    { PART, RAW("\0\0\0\0\0\0\x10\x40"), ZCMIG_ERROR_UNSUPPORTED, "XBZRLE" },
    { NAMED, RAW("\0\0\0\0\0\0\x10\x60"), ZCMIG_ERROR_UNSUPPORTED, "XBZRLE" },
    { PART, RAW("\0\0\0\0\0\0\0\x80"), ZCMIG_ERROR_UNSUPPORTED, "HOOK record (RDMA)" },
    { PART, RAW("\0\0\0\0\0\0\1\0"), ZCMIG_ERROR_UNSUPPORTED, "COMPRESS_PAGE" },
    { PART, RAW("\0\0\0\0\0\0\0\x28"), ZCMIG_ERROR_PROTOCOL, "CONTINUE before any block" },
    { PART, RAW("\0\0\0\0\0\0\0\x22\0"), ZCMIG_ERROR_PROTOCOL, "CONTINUE before any block" },
    { PART, RAW("\0\0\0\0\0\0\0\x8\0"), ZCMIG_ERROR_PROTOCOL, "record's block: got 0 characters" },
    { PART, RAW("\0\0\0\0\0\0\0\x8\1c"), ZCMIG_ERROR_PROTOCOL, "got block 'c', which MEM_SIZE" },
    { PART, RAW("\0\0\0\0\0\0\x30\x8\1a"), ZCMIG_ERROR_PROTOCOL,
      "block 'a': got offset 0x3000, allowed are less than 0x3000" },
    { NAMED, RAW("\0\0\0\0\0\0\x20\x28"), ZCMIG_ERROR_PROTOCOL, "block 'b': got offset 0x2000" },
    { NAMED, RAW("\xff\xff\xff\xff\xff\xff\xf0\x22"), ZCMIG_ERROR_PROTOCOL, "block 'b'" },
    { PART, RAW("\0\0\0\0\0\0\x10\2\1b\1"), ZCMIG_ERROR_PROTOCOL,
      "zero page of block 'b' at 0x1000: got fill byte 0x01" },
    { PART, RAW("\0\0\0\0\0\0\0\x10\3"), ZCMIG_ERROR_PROTOCOL, "after EOS: got item 0x03" },
    { PART, RAW("\0\0\0\0\0\0\0\x10\x7e\0\0\0\3"), ZCMIG_ERROR_PROTOCOL,
      "section footer: got id 3, allowed is that of RAM, 2" },

    /* devices and the end */
    { DEVICES, RAW(""), ZCMIG_ERROR_UNSUPPORTED, "device state" },
    { AFTER_DEVICES, RAW("\4"), ZCMIG_ERROR_PROTOCOL, "got item 0x04, allowed is EOF (0)" },
    { AFTER_DEVICES, RAW("\x8"), ZCMIG_ERROR_PROTOCOL, "got item 0x08, allowed is EOF (0)" },
    { AFTER_EOF, RAW("\0"), ZCMIG_ERROR_PROTOCOL, "got item 0x00, allowed are a description" },
    { AFTER_EOF, RAW("\1"), ZCMIG_ERROR_PROTOCOL, "got item 0x01, allowed are a description" },
    { AFTER_EOF, RAW("\x8\0\2"), ZCMIG_ERROR_PROTOCOL,
      "got command 2, allowed here are none of QEMU's" },
    { AFTER_EOF, RAW("\6\0\0\0\x65"), ZCMIG_ERROR_LIMIT,
      "description: got 101 bytes, allowed are 100" },
    { AFTER_EOF, RAW("\6\xff\xff\xff\xff"), ZCMIG_ERROR_LIMIT, "got 4294967295 bytes" },
    { DESCRIBED, RAW("\6"), ZCMIG_ERROR_PROTOCOL, "got a second description" },
};

/* Runs the decoder to where it wants more or refuses; returns which. */
static enum zc_stream_result run(struct zc_stream_decoder *decoder, const GByteArray *bytes,
                                 enum stage stage, size_t *at_out, GError **error)
{
    static const uint8_t footer[] = { 0x7e, 0, 0, 0, 2 };
    enum zc_stream_result result;
    bool behind_eos = false;
    size_t at = 0;

    do {
        struct zc_stream_event event;
        size_t used = 0;

        /* A right footer belongs to the item behind it, which is the one that is told of. */
        bool has_footer = behind_eos && bytes->len - at >= sizeof(footer) &&
                          memcmp(bytes->data + at, footer, sizeof(footer)) == 0;
        *at_out = at + (has_footer ? sizeof(footer) : 0);
        result = zc_stream_decoder_next(decoder, bytes->data + at, bytes->len - at, &used, &event,
                                        error);
        if (result == ZC_STREAM_GOT) {
            at += used + event.payload_bytes;
            behind_eos = event.type == ZC_STREAM_RAM_EOS;
            if (event.type == ZC_STREAM_SECTION && stage == AFTER_DEVICES) {
                zc_stream_decoder_after_devices(decoder, 0);
            }
        }
    } while (result == ZC_STREAM_GOT);
    return result;
}

START_TEST(stream_that_breaks_a_rule_is_refused)
{
    struct zc_stream_decoder *decoder = zc_stream_decoder_new(&limits);
    GByteArray *bytes = stream_up_to(rejections[_i].stage);
    GError *error = NULL;
    size_t at;

    /* What comes before is right... */
    if (rejections[_i].stage != DEVICES) {
        ck_assert_int_eq((int)run(decoder, bytes, rejections[_i].stage, &at, &error),
                         (int)ZC_STREAM_MORE);
        ck_assert_ptr_null(error);
    }
    zc_stream_decoder_free(decoder);

    /* ... and this is not, whatever comes after it. */
    g_byte_array_append(bytes, (const uint8_t *)rejections[_i].bytes, (guint)rejections[_i].length);
    decoder = zc_stream_decoder_new(&limits);
    ck_assert_int_eq((int)run(decoder, bytes, rejections[_i].stage, &at, &error),
                     (int)ZC_STREAM_ERROR);
    g_autofree char *place = g_strdup_printf("main stream, byte %zu: ", at);
    ck_assert_msg(g_str_has_prefix(error->message, place), "'%s' does not say '%s'", error->message,
                  place);
    zc_unit_expect_error(&error, rejections[_i].code, rejections[_i].part);
    ck_assert_int_eq((int)run(decoder, bytes, rejections[_i].stage, &at, &error),
                     (int)ZC_STREAM_ERROR);
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "was refused before");
    zc_stream_decoder_free(decoder);
    g_byte_array_unref(bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire-stream-rejections");
    TCase *tcase = tcase_create("rejections");

    tcase_add_loop_test(tcase, stream_that_breaks_a_rule_is_refused, 0, G_N_ELEMENTS(rejections));
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
