/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "lib/unit.h"
#include "wire/bytes.h"
#include "wire/extension.h"
#include "wire/stream.h"

#define RAW(bytes) bytes, sizeof(bytes) - 1

static const uint8_t digests[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static void fill_later_one(struct zc_extension *message)
{
    switch (message->type) {
    case ZC_EXTENSION_MEMORY:
    case ZC_EXTENSION_MAPPED:
        message->memory.n_blocks = message->type == ZC_EXTENSION_MEMORY ? 2 : 1;
        message->memory.blocks[0] = (struct zc_memory_identity){ 28, UINT64_C(0x123456789a) };
        if (message->memory.n_blocks == 2) {
            message->memory.blocks[1] = (struct zc_memory_identity){ UINT64_MAX, 1 };
        }
        break;
    case ZC_EXTENSION_KEEP:
        memset(message->keep.secret, 0x5c, sizeof(message->keep.secret));
        message->keep.seconds = 60;
        break;
    case ZC_EXTENSION_RESUME:
        memset(message->resume.uuid, 1, sizeof(message->resume.uuid));
        memset(message->resume.secret, 2, sizeof(message->resume.secret));
        memset(message->resume.token, 3, sizeof(message->resume.token));
        break;
    case ZC_EXTENSION_RESUMED:
        message->resumed.runs = 1;
        message->resumed.ran_ns = INT64_MAX;
        message->resumed.barriers = UINT64_C(0x100000002);
        break;
    case ZC_EXTENSION_HEARD:
        break;
    default:
        break;
    }
}

static struct zc_extension example(int which)
{
    struct zc_extension message = { .type = (enum zc_extension_type)which };

    switch (message.type) {
    case ZC_EXTENSION_SESSION:
        memset(message.session.uuid, 0xab, sizeof(message.session.uuid));
        message.session.n_channels = 4;
        message.session.verify = ZC_VERIFY_BEFORE;
        message.session.exact_bytes = UINT64_C(0x100000001);
        message.session.live = true;
        break;
    case ZC_EXTENSION_MANIFEST:
        message.manifest.block = 3;
        message.manifest.first_page = UINT64_C(0x123456789a);
        message.manifest.n_digests = 2;
        message.manifest.digests = digests;
        break;
    case ZC_EXTENSION_MANIFEST_END:
        message.manifest_end.n_pages = UINT64_C(0x100000000);
        break;
    case ZC_EXTENSION_FAIL:
        message.fail.code = ZCMIG_ERROR_TIMEOUT;
        strcpy(message.fail.text, "no page for 30 s");
        break;
    case ZC_EXTENSION_RESULT:
        message.result.n_pages = 77;
        message.result.n_wrong = 2;
        strcpy(message.result.text, "block 'pc.ram', offset 0x1000: 2 pages differ");
        break;
    case ZC_EXTENSION_READY:
        message.ready.barrier_ns = 1;
        message.ready.load_ns = UINT64_C(0x7fffffffffffffff);
        message.ready.verify_ns = 3;
        break;
    case ZC_EXTENSION_RUN:
        break;
    case ZC_EXTENSION_OBSERVED:
        message.observed.writes = UINT64_C(0xfedcba9876543210);
        message.observed.gap_ns = 29000000;
        break;
    default:
        fill_later_one(&message);
    }
    return message;
}

START_TEST(message_comes_back_the_same)
{
    struct zc_extension message = example(_i), again;
    GByteArray *bytes = g_byte_array_new();

    zc_extension_put(bytes, &message);
    ck_assert(zc_extension_decode(bytes->data, bytes->len, &again, NULL));
    ck_assert_uint_eq(again.type, message.type);
    if (message.type == ZC_EXTENSION_MANIFEST) {
        ck_assert_uint_eq(again.manifest.block, message.manifest.block);
        ck_assert_uint_eq(again.manifest.first_page, message.manifest.first_page);
        ck_assert_uint_eq(again.manifest.n_digests, 2);
        ck_assert_mem_eq(again.manifest.digests, digests, sizeof(digests));
    } else {
        ck_assert_mem_eq(&again, &message, sizeof(message));
    }
    g_byte_array_unref(bytes);
}
END_TEST

START_TEST(message_has_its_length)
{
    static const guint lengths[] = { 0, 30, 33, 9, 18, 62, 25, 1, 17, 33, 17, 21, 49, 18, 1 };
    struct zc_extension message = example(_i);
    GByteArray *bytes = g_byte_array_new();

    zc_extension_put(bytes, &message);
    ck_assert_uint_eq(bytes->len, lengths[_i]);
    ck_assert_uint_eq(bytes->data[0], (unsigned int)_i);
    g_byte_array_unref(bytes);
}
END_TEST

/* Only a text may be cut: what is left of it is the text. */
START_TEST(message_that_is_cut_or_too_long_is_refused)
{
    struct zc_extension message = example(_i), again;
    static const guint fixed_bytes[] = { 0, 30, 33, 9, 2, 17, 25, 1, 17, 17, 17, 21, 49, 18, 1 };
    GByteArray *bytes = g_byte_array_new();

    zc_extension_put(bytes, &message);
    for (guint cut = 0; cut < fixed_bytes[_i]; cut++) {
        uint8_t *exact = g_memdup2(bytes->data, cut);
        GError *error = NULL;

        ck_assert(!zc_extension_decode(exact, cut, &again, &error));
        zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "extension");
        g_free(exact);
    }
    if (message.type <= ZC_EXTENSION_MANIFEST_END || message.type >= ZC_EXTENSION_READY) {
        GError *error = NULL;

        zc_append_u8(bytes, 0);
        ck_assert(!zc_extension_decode(bytes->data, bytes->len, &again, &error));
        zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "has 1 bytes too many");
    }
    g_byte_array_unref(bytes);
}
END_TEST

START_TEST(text_is_cut_by_the_encoder_and_cleaned_by_the_decoder)
{
    struct zc_extension message = { .type = ZC_EXTENSION_FAIL }, again;
    GByteArray *bytes = g_byte_array_new();
    GError *error = NULL;

    memset(message.fail.text, 'x', sizeof(message.fail.text)); /* no NUL at all */
    memcpy(message.fail.text, "\033[2Jdisk\xc2\x9b\n", 11);
    zc_extension_put(bytes, &message);
    ck_assert_uint_eq(bytes->len, 2 + ZC_EXTENSION_TEXT_BYTES - 1);
    ck_assert(zc_extension_decode(bytes->data, bytes->len, &again, NULL));
    ck_assert_uint_eq(strlen(again.fail.text), ZC_EXTENSION_TEXT_BYTES - 1);
    ck_assert_int_eq(strncmp(again.fail.text, "?[2Jdisk???x", 12), 0);
    zc_append_u8(bytes, 'y');
    ck_assert(!zc_extension_decode(bytes->data, bytes->len, &again, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "got a text of 512 bytes, allowed are 511");
    g_byte_array_unref(bytes);
}
END_TEST

START_TEST(digests_may_be_appended_by_the_caller)
{
    struct zc_extension message = example(ZC_EXTENSION_MANIFEST), again;
    GByteArray *bytes = g_byte_array_new();

    message.manifest.digests = NULL;
    message.manifest.n_digests = ZC_EXTENSION_DIGESTS_MAX;
    zc_extension_put(bytes, &message);
    for (uint64_t i = 0; i < ZC_EXTENSION_DIGESTS_MAX; i++) {
        zc_append_u64(bytes, i);
    }
    ck_assert_uint_le(bytes->len, UINT16_MAX);
    ck_assert(zc_extension_decode(bytes->data, bytes->len, &again, NULL));
    ck_assert_uint_eq(zc_get_u64(again.manifest.digests + 8 * 7999), 7999);
    g_byte_array_unref(bytes);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
    const char *part;
} rejections[] = {
    { RAW(""), "empty message" },
    { RAW("\0"), "got message type 0, allowed are 1 to 14" },
    { RAW("\17"), "got message type 15" },
    { RAW("\1aaaaaaaaaaaaaaaa\1\1\0\0\0\0\0\0\0\0\0\0\0"), "got 257 channels, allowed are 256" },
    { RAW("\1aaaaaaaaaaaaaaaa\0\1\3\0\0\0\0\0\0\0\0\0\0"),
      "got verify mode 3, allowed are 0 to 2" },
    { RAW("\1aaaaaaaaaaaaaaaa\0\1\0\x80\0\0\0\0\0\0\0\0\0"),
      "got an image of 0x8000000000000000 bytes" },
    { RAW("\1aaaaaaaaaaaaaaaa\0\1\0\0\0\0\0\0\0\0\0\2\0"), "got 2 for a live guest" },
    { RAW("\1aaaaaaaaaaaaaaaa\0\1\0\0\0\0\0\0\0\0\0\0\3"), "got route 3, allowed are 0 to 2" },
    { RAW("\1aaaaaaaaaaaaaaaa\0\1\0\0\0\0\0\0\0\0\0\0\1"),
      "got 0 addresses of blocks, allowed are 1 to 1024" },
    { RAW("\1aaaaaaaaaaaaaaaa\0\1\0\0\0\0\0\0\0\0\0\0\0aaaaaaaa"),
      "got 1 addresses of blocks, allowed are none" },
    { RAW("\1aaaaaaaaaaaaaaaa\0\1\0\0\0\0\0\0\0\0\0\0\1aaaaaaaabbb"), "has 3 bytes too many" },
    { RAW("\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "got 0 digests, allowed are 1 to 8000" },
    { RAW("\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1f\x41"), "got 8001 digests" },
    { RAW("\2\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff"), "got 4294967295 digests" },
    { RAW("\2\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\1"
          "aaaaaaaa"),
      "got first page 0xffffffffffffffff" },
    { RAW("\2\0\0\0\0\0\7\xff\xff\xff\xff\xff\xff\0\0\0\1"
          "aaaaaaaa"),
      "got first page 0x7ffffffffffff" },
    { RAW("\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
          "aaaaaaa"),
      "got 7 bytes of digests, allowed are 8" },
    { RAW("\4\x0d"), "got code 13, allowed are 0 to 12" },
    { RAW("\6\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
      "READY: got a time over 2^63 ns" },
    { RAW("\10\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0"), "OBSERVED: got a time over 2^63 ns" },
    { RAW("\11"), "MEMORY: got memory of 0 blocks, allowed are 1 to 32" },
    { RAW("\12"), "MAPPED: got memory of 0 blocks, allowed are 1 to 32" },
    { RAW("\11aaaaaaaabbbbbbbbc"), "has 1 bytes too many" },
    { RAW("\15\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "RESUMED: got 2 for a guest that runs" },
    { RAW("\15\1\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "times below 2^63 ns" },
};

START_TEST(message_that_breaks_a_rule_is_refused)
{
    struct zc_extension message;
    GError *error = NULL;

    ck_assert(!zc_extension_decode((const uint8_t *)rejections[_i].bytes, rejections[_i].length,
                                   &message, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, rejections[_i].part);
}
END_TEST

START_TEST(every_backward_message_fits_the_return_path)
{
    ck_assert_uint_le(1 + 8 + 8 + ZC_EXTENSION_TEXT_BYTES, ZC_RETURN_DATA_BYTES_MAX);
    ck_assert_uint_le(1 + 16 * ZC_EXTENSION_MEMORY_MAX, ZC_RETURN_DATA_BYTES_MAX);
    ck_assert_uint_eq(ZC_RETURN_EXTENSION, ZC_EXTENSION_COMMAND);
}
END_TEST

START_TEST(route_pull_has_addresses)
{
    struct zc_extension message = example(ZC_EXTENSION_SESSION), again;
    uint8_t bases[8 * (ZC_EXTENSION_BASES_MAX + 1)];
    GByteArray *bytes = g_byte_array_new();
    GError *error = NULL;

    memset(bases, 0x12, sizeof(bases));
    message.session.route = ZC_SESSION_ROUTE_PULL;
    message.session.n_bases = ZC_EXTENSION_BASES_MAX;
    message.session.bases = bases;
    zc_extension_put(bytes, &message);
    ck_assert(zc_extension_decode(bytes->data, bytes->len, &again, NULL));
    ck_assert_uint_eq(again.session.route, ZC_SESSION_ROUTE_PULL);
    ck_assert_uint_eq(again.session.n_bases, ZC_EXTENSION_BASES_MAX);
    ck_assert_mem_eq(again.session.bases, bases, 8 * ZC_EXTENSION_BASES_MAX);
    g_byte_array_append(bytes, bases, 8);
    ck_assert(!zc_extension_decode(bytes->data, bytes->len, &again, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "got 1025 addresses");
    g_byte_array_unref(bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire-extension");
    TCase *tcase = tcase_create("extension");

    tcase_add_loop_test(tcase, message_comes_back_the_same, ZC_EXTENSION_SESSION,
                        ZC_EXTENSION_HEARD + 1);
    tcase_add_loop_test(tcase, message_has_its_length, ZC_EXTENSION_SESSION,
                        ZC_EXTENSION_HEARD + 1);
    tcase_add_loop_test(tcase, message_that_is_cut_or_too_long_is_refused, ZC_EXTENSION_SESSION,
                        ZC_EXTENSION_HEARD + 1);
    tcase_add_test(tcase, route_pull_has_addresses);
    tcase_add_test(tcase, text_is_cut_by_the_encoder_and_cleaned_by_the_decoder);
    tcase_add_test(tcase, digests_may_be_appended_by_the_caller);
    tcase_add_loop_test(tcase, message_that_breaks_a_rule_is_refused, 0, G_N_ELEMENTS(rejections));
    tcase_add_test(tcase, every_backward_message_fits_the_return_path);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
