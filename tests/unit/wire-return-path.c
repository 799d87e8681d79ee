/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "lib/unit.h"
#include "wire/stream.h"

#define RAW(bytes) bytes, sizeof(bytes) - 1

static const struct {
    uint16_t type;
    const char *bytes;
    size_t length;
    uint32_t value;
} messages[] = {
    {ZC_RETURN_SHUT, RAW("\0\1\0\4\0\0\0\1"), 1},
    {ZC_RETURN_PONG, RAW("\0\2\0\4\x7a\x63\x49\0"), 0x7a634900},
    {ZC_RETURN_REQ_PAGES_ID, RAW("\0\3\0\x13\0\0\0\0\0\0\x10\0\0\0\x20\0\6" "pc.ram"), 0},
    {ZC_RETURN_REQ_PAGES, RAW("\0\4\0\xc\0\0\0\0\0\0\x10\0\0\0\x20\0"), 0},
    {ZC_RETURN_RESUME_ACK, RAW("\0\6\0\4\0\0\0\1"), 1},
    {ZC_RETURN_SWITCHOVER_ACK, RAW("\0\7\0\0"), 0},
    {ZC_RETURN_EXTENSION, RAW("\x7a\x63\0\4\5\0\0\1"), 0},
};

START_TEST(message_has_qemus_layout)
{
    const uint8_t *bytes = (const uint8_t *)messages[_i].bytes;
    size_t length = messages[_i].length, used = 0;
    struct zc_return_message message;
    GByteArray *again = g_byte_array_new();

    ck_assert_int_eq(zc_return_decode(bytes, length, &used, &message, NULL), ZC_STREAM_GOT);
    ck_assert_uint_eq(used, length);
    ck_assert_uint_eq(message.type, messages[_i].type);
    ck_assert_uint_eq(message.value, messages[_i].value);
    ck_assert_uint_eq(message.length, length - 4);
    if (message.length == 4 && message.type != ZC_RETURN_EXTENSION) {
        zc_return_put_u32(again, message.type, message.value);
    } else {
        zc_return_put(again, message.type, message.data, message.length);
    }
    ck_assert_uint_eq(again->len, length);
    ck_assert_mem_eq(again->data, bytes, length);
    g_byte_array_unref(again);
}
END_TEST

START_TEST(message_that_is_cut_wants_more)
{
    for (size_t cut = 0; cut < messages[_i].length; cut++) {
        uint8_t *bytes = g_memdup2(messages[_i].bytes, cut);
        struct zc_return_message message;
        size_t used;

        ck_assert_int_eq(zc_return_decode(bytes, cut, &used, &message, NULL), ZC_STREAM_MORE);
        g_free(bytes);
    }
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
    int code;
    const char *part;
} rejections[] = {
    {RAW("\0\0"), ZCMIG_ERROR_PROTOCOL, "got message type 0"},
    {RAW("\0\x8"), ZCMIG_ERROR_PROTOCOL, "got message type 8"},
    {RAW("\0\5"), ZCMIG_ERROR_UNSUPPORTED, "RECV_BITMAP"},
    {RAW("\0\1\0\3"), ZCMIG_ERROR_PROTOCOL, "type 1: got 3 bytes, allowed are 4 to 4"},
    {RAW("\0\2\0\5"), ZCMIG_ERROR_PROTOCOL, "type 2: got 5 bytes"},
    {RAW("\0\3\0\xd"), ZCMIG_ERROR_PROTOCOL, "type 3: got 13 bytes, allowed are 14 to 268"},
    {RAW("\0\3\1\xd"), ZCMIG_ERROR_PROTOCOL, "type 3: got 269 bytes"},
    {RAW("\0\3\0\x13\0\0\0\0\0\0\x10\0\0\0\x20\0\7" "pc.ram"), ZCMIG_ERROR_PROTOCOL,
     "got a name of 7 characters, allowed are 6"},
    {RAW("\0\4\0\xb"), ZCMIG_ERROR_PROTOCOL, "type 4: got 11 bytes, allowed are 12 to 12"},
    {RAW("\0\6\0\0"), ZCMIG_ERROR_PROTOCOL, "type 6: got 0 bytes"},
    {RAW("\0\7\0\1"), ZCMIG_ERROR_PROTOCOL, "type 7: got 1 bytes, allowed are 0 to 0"},
    {RAW("\x7a\x63\0\0"), ZCMIG_ERROR_PROTOCOL, "got 0 bytes, allowed are 1 to 1024"},
    {RAW("\x7a\x63\4\1"), ZCMIG_ERROR_PROTOCOL, "got 1025 bytes, allowed are 1 to 1024"},
};

START_TEST(message_that_breaks_a_rule_is_refused)
{
    struct zc_return_message message;
    GError *error = NULL;
    size_t used;

    ck_assert_int_eq(zc_return_decode((const uint8_t *)rejections[_i].bytes, rejections[_i].length,
                                      &used, &message, &error),
                     ZC_STREAM_ERROR);
    zc_unit_expect_error(&error, rejections[_i].code, rejections[_i].part);
}
END_TEST

START_TEST(messages_come_one_by_one)
{
    GByteArray *bytes = g_byte_array_new();
    struct zc_return_message message;
    size_t used, at;

    zc_return_put_u32(bytes, ZC_RETURN_PONG, 1);
    zc_return_put_u32(bytes, ZC_RETURN_SHUT, 0);
    ck_assert_int_eq(zc_return_decode(bytes->data, bytes->len, &at, &message, NULL), ZC_STREAM_GOT);
    ck_assert_uint_eq(message.type, ZC_RETURN_PONG);
    ck_assert_int_eq(zc_return_decode(bytes->data + at, bytes->len - at, &used, &message, NULL),
                     ZC_STREAM_GOT);
    ck_assert_uint_eq(message.type, ZC_RETURN_SHUT);
    ck_assert_uint_eq(at + used, bytes->len);
    g_byte_array_unref(bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire-return-path");
    TCase *tcase = tcase_create("return path");

    tcase_add_loop_test(tcase, message_has_qemus_layout, 0, G_N_ELEMENTS(messages));
    tcase_add_loop_test(tcase, message_that_is_cut_wants_more, 0, G_N_ELEMENTS(messages));
    tcase_add_loop_test(tcase, message_that_breaks_a_rule_is_refused, 0,
                        G_N_ELEMENTS(rejections));
    tcase_add_test(tcase, messages_come_one_by_one);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
