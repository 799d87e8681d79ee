/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "lib/unit.h"
#include "relay/hello.h"

static struct zc_multifd_init init;

START_TEST(main_stream_is_known_by_four_bytes)
{
    static const uint8_t bytes[] = "QEVM\0\0\0\3";

    for (size_t length = 0; length < 4; length++) {
        ck_assert_int_eq(zc_hello_classify(bytes, length, &init), ZC_HELLO_UNKNOWN);
    }
    for (size_t length = 4; length < sizeof(bytes); length++) {
        ck_assert_int_eq(zc_hello_classify(bytes, length, &init), ZC_HELLO_MAIN);
    }
}
END_TEST

START_TEST(channel_is_known_by_its_whole_init_packet)
{
    const struct zc_multifd_init sent = { .uuid = { 7, 8, 9 }, .channel = 5 };
    uint8_t bytes[ZC_HELLO_BYTES];

    zc_multifd_init_encode(&sent, bytes);
    for (size_t length = 0; length < sizeof(bytes); length++) {
        ck_assert_int_eq(zc_hello_classify(bytes, length, &init), ZC_HELLO_UNKNOWN);
    }
    ck_assert_int_eq(zc_hello_classify(bytes, sizeof(bytes), &init), ZC_HELLO_CHANNEL);
    ck_assert_uint_eq(init.channel, 5);
    ck_assert_mem_eq(init.uuid, sent.uuid, sizeof(sent.uuid));
    bytes[7] = 2; /* the version */
    ck_assert_int_eq(zc_hello_classify(bytes, sizeof(bytes), &init), ZC_HELLO_FOREIGN);
}
END_TEST

START_TEST(stranger_is_known_by_its_first_wrong_byte)
{
    static const char *const strangers[] = { "\x16\x03", "GET /", "QEMU", "QEVN", "\x11\x22\x33\x45" };

    for (size_t i = 0; i < G_N_ELEMENTS(strangers); i++) {
        ck_assert_int_eq(zc_hello_classify((const uint8_t *)strangers[i], strlen(strangers[i]), &init),
                         ZC_HELLO_FOREIGN);
    }
    ck_assert_int_eq(zc_hello_classify((const uint8_t *)"G", 1, &init), ZC_HELLO_FOREIGN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay-hello");
    TCase *tcase = tcase_create("hello");

    tcase_add_test(tcase, main_stream_is_known_by_four_bytes);
    tcase_add_test(tcase, channel_is_known_by_its_whole_init_packet);
    tcase_add_test(tcase, stranger_is_known_by_its_first_wrong_byte);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
