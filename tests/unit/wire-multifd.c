/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "lib/unit.h"
#include "mem/block.h"
#include "wire/bytes.h"
#include "wire/multifd.h"

G_STATIC_ASSERT(ZC_WIRE_PAGE_BYTES == ZC_PAGE_BYTES);
G_STATIC_ASSERT(ZC_MULTIFD_NAME_BYTES == ZC_BLOCK_NAME_BYTES);
G_STATIC_ASSERT(ZC_MULTIFD_HEADER_BYTES == 1344);

static const struct zc_multifd_init init_example = {
    .uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
    .channel = 7,
};

static struct zc_multifd_packet packet_example(void)
{
    struct zc_multifd_packet packet = {
        .n_normal = 2,
        .n_zero = 1,
        .packet_num = UINT64_C(0x0102030405060708),
        .block = "pc.ram",
        .offsets = { 0x3000, UINT64_C(0x123456789000), 0 },
    };
    return packet;
}

START_TEST(init_packet_has_qemus_layout)
{
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES];
    const uint8_t expected[ZC_MULTIFD_INIT_BYTES] = { 0x11, 0x22, 0x33, 0x44, 0,  0,  0, 1, 1,
                                                      2,    3,    4,    5,    6,  7,  8, 9, 10,
                                                      11,   12,   13,   14,   15, 16, 7 };
    struct zc_multifd_init init;

    zc_multifd_init_encode(&init_example, bytes);
    ck_assert_mem_eq(bytes, expected, sizeof(bytes));
    ck_assert(zc_multifd_init_decode(bytes, &init, NULL));
    ck_assert_mem_eq(&init, &init_example, sizeof(init));
}
END_TEST

START_TEST(init_packet_of_a_wrong_peer_is_refused)
{
    uint8_t bytes[ZC_MULTIFD_INIT_BYTES];
    struct zc_multifd_init init;
    GError *error = NULL;

    zc_multifd_init_encode(&init_example, bytes);
    bytes[0] = 0x16; /* as a TLS client begins */
    ck_assert(!zc_multifd_init_decode(bytes, &init, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL,
                         "got magic 0x16223344, allowed is 0x11223344");
    bytes[0] = 0x11;
    bytes[7] = 2;
    ck_assert(!zc_multifd_init_decode(bytes, &init, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "init packet: got version 2, allowed is 1");
}
END_TEST

START_TEST(packet_has_qemus_layout)
{
    struct zc_multifd_packet packet = packet_example(), again;
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES], expected[ZC_MULTIFD_HEADER_BYTES] = {
        0x11, 0x22, 0x33, 0x44, 0, 0, 0, 1, 0, 0, 0,    0, /* magic, version, flags */
        0,    0,    0,    128,  0, 0, 0, 2, 0, 0, 0x20, 0, /* alloc, normal, next_packet_size */
        1,    2,    3,    4,    5, 6, 7, 8, 0, 0, 0,    1, /* packet_num, zero_pages */
    };
    const uint8_t offsets[] = { 0, 0, 0, 0, 0, 0, 0x30, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x90, 0 };

    memcpy(expected + 64, "pc.ram", 6);
    memcpy(expected + 320, offsets, sizeof(offsets));
    memset(bytes, 0xff, sizeof(bytes));
    zc_multifd_packet_encode(&packet, bytes);
    ck_assert_mem_eq(bytes, expected, sizeof(bytes));
    ck_assert(zc_multifd_packet_decode(bytes, &again, NULL));
    ck_assert_mem_eq(&again, &packet, sizeof(packet));
}
END_TEST

START_TEST(sync_packet_has_no_room_for_pages)
{
    struct zc_multifd_packet packet = { .flags = ZC_MULTIFD_SYNC, .packet_num = 9 }, again;
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];

    zc_multifd_packet_encode(&packet, bytes);
    ck_assert_uint_eq(zc_get_u32(bytes + 12), 0);
    ck_assert(zc_multifd_packet_decode(bytes, &again, NULL));
    ck_assert_mem_eq(&again, &packet, sizeof(packet));
}
END_TEST

START_TEST(random_packets_come_back_the_same)
{
    GRand *rand = g_rand_new_with_seed((guint32)zc_unit_seed());

    for (unsigned int run = 0; run < 2000; run++) {
        struct zc_multifd_packet packet = { .flags = g_rand_boolean(rand) ? ZC_MULTIFD_SYNC : 0 };
        struct zc_multifd_packet again;
        uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];

        packet.n_normal = (uint32_t)g_rand_int_range(rand, 0, ZC_MULTIFD_PAGES + 1);
        packet.n_zero =
            (uint32_t)g_rand_int_range(rand, 0, (gint32)(ZC_MULTIFD_PAGES + 1 - packet.n_normal));
        packet.packet_num = ((uint64_t)g_rand_int(rand) << 32) | g_rand_int(rand);
        for (uint32_t i = 0; i < packet.n_normal + packet.n_zero; i++) {
            packet.offsets[i] =
                (((uint64_t)g_rand_int(rand) << 32) | g_rand_int(rand)) & ~UINT64_C(0xfff);
            memset(packet.block, 'b', (size_t)g_rand_int_range(rand, 1, 256));
        }
        zc_multifd_packet_encode(&packet, bytes);
        ck_assert(zc_multifd_packet_decode(bytes, &again, NULL));
        ck_assert_mem_eq(&again, &packet, sizeof(packet));
    }
    g_rand_free(rand);
}
END_TEST

START_TEST(qemu_7_2_puts_sync_on_data)
{
    struct zc_multifd_packet packet = packet_example();
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];

    packet.n_zero = 0;
    packet.flags = ZC_MULTIFD_SYNC;
    zc_multifd_packet_encode(&packet, bytes);
    zc_set_u32(bytes + 20, 0x80000);         /* of the packet before: not ours to believe */
    zc_set_u64(bytes + 320 + 16, 0x1234567); /* beyond the count: stale, no multiple of a page */
    ck_assert(zc_multifd_packet_decode(bytes, &packet, NULL));
    ck_assert_uint_eq(packet.flags, ZC_MULTIFD_SYNC);
    ck_assert_uint_eq(packet.n_normal, 2);
    ck_assert_uint_eq(packet.n_zero, 0);
    ck_assert_uint_eq(packet.offsets[1], UINT64_C(0x123456789000));
    ck_assert_uint_eq(packet.offsets[2], 0);
}
END_TEST

START_TEST(qemu_7_2_leaves_everything_stale_in_an_empty_packet)
{
    struct zc_multifd_packet packet = packet_example();
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];
    static const uint32_t flags[] = { ZC_MULTIFD_SYNC, 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        zc_multifd_packet_encode(&packet, bytes);
        zc_set_u32(bytes + 8, flags[i]);
        zc_set_u32(bytes + 16, 0);
        zc_set_u32(bytes + 32, 0);
        zc_set_u32(bytes + 20, 0x80000);
        memset(bytes + 64, 0xee, 256); /* no NUL either */
        memset(bytes + 320, 0xdd, 1024);
        ck_assert(zc_multifd_packet_decode(bytes, &packet, NULL));
        ck_assert_uint_eq(packet.flags, flags[i]);
        ck_assert_uint_eq(packet.n_normal + packet.n_zero, 0);
        ck_assert_str_eq(packet.block, "");
        ck_assert_uint_eq(packet.offsets[0], 0);
        packet = packet_example();
    }
}
END_TEST

START_TEST(lists_of_the_route_pull_have_their_flag_and_nothing_else_has)
{
    static const struct {
        uint32_t flags, n_normal, n_zero;
        const char *part; /* NULL: it is right */
    } cases[] = {
        { ZC_MULTIFD_PULL, 2, 1, NULL },
        { ZC_MULTIFD_PULL | ZC_MULTIFD_SYNC, 2, 0, NULL },
        { ZC_MULTIFD_SYNC, 0, 0, NULL },
        { 0, 0, 3, NULL },
        { 0, 1, 0, "got 1 normal pages with flags 0x0" },
        { ZC_MULTIFD_PULL, 0, 1, "got 0 normal pages with flags 0x40000000" },
        { ZC_MULTIFD_PULL | 0x80, 1, 0, "got flags 0x40000080, allowed are 0x40000001" },
        { ZC_MULTIFD_PULL | 0x04, 1, 0, "zstd" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct zc_multifd_packet packet = packet_example();
        uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];
        GError *error = NULL;

        packet.flags = cases[i].flags;
        packet.n_normal = cases[i].n_normal;
        packet.n_zero = cases[i].n_zero;
        zc_multifd_packet_encode(&packet, bytes);
        bool good = zc_multifd_packet_decode_pull(bytes, &packet, &error);
        ck_assert_msg(good == !cases[i].part, "case %zu", i);
        if (good) {
            ck_assert_uint_eq(packet.flags, cases[i].flags);
        } else {
            zc_unit_expect_error(&error, error->code, cases[i].part);
        }
    }
}
END_TEST

static const struct {
    size_t at;
    uint32_t value;
    int code;
    const char *part;
} rejections[] = {
    { 0, 0x11223345, ZCMIG_ERROR_PROTOCOL, "packet: got magic 0x11223345" },
    { 4, 0, ZCMIG_ERROR_PROTOCOL, "packet: got version 0" },
    { 8, 0x02, ZCMIG_ERROR_UNSUPPORTED, "zlib" },
    { 8, 0x05, ZCMIG_ERROR_UNSUPPORTED, "zstd" },
    { 8, 0x08, ZCMIG_ERROR_UNSUPPORTED, "qpl" },
    { 8, 0x10, ZCMIG_ERROR_UNSUPPORTED, "uadk" },
    { 8, 0x20, ZCMIG_ERROR_UNSUPPORTED, "qatzip" },
    { 8, 0x40, ZCMIG_ERROR_UNSUPPORTED, "device state" },
    { 8, 0x80, ZCMIG_ERROR_PROTOCOL, "got flags 0x80, allowed are 0x1" },
    { 8, 0x40000000, ZCMIG_ERROR_PROTOCOL, "got flags 0x40000000, allowed are 0x1" },
    { 8, 0x80000001, ZCMIG_ERROR_PROTOCOL, "got flags 0x80000001" },
    { 12, 129, ZCMIG_ERROR_PROTOCOL, "got room for 129 pages, allowed are 128" },
    { 12, 1, ZCMIG_ERROR_PROTOCOL, "got 2 normal pages, allowed are 1" },
    { 12, 2, ZCMIG_ERROR_PROTOCOL, "got 1 zero pages after 2 normal ones, allowed are 0" },
    { 16, 129, ZCMIG_ERROR_PROTOCOL, "got 129 normal pages, allowed are 128" },
    { 16, UINT32_MAX, ZCMIG_ERROR_PROTOCOL, "got 4294967295 normal pages" },
    { 32, 127, ZCMIG_ERROR_PROTOCOL, "got 127 zero pages after 2 normal ones, allowed are 126" },
    { 32, UINT32_MAX, ZCMIG_ERROR_PROTOCOL, "got 4294967295 zero pages" },
    { 64, 0, ZCMIG_ERROR_PROTOCOL, "block name" },
    { 64, 0x70630a72, ZCMIG_ERROR_PROTOCOL, "block name" },
    { 324, 0x3001, ZCMIG_ERROR_PROTOCOL, "got offset 0x3001, allowed are multiples of 4096" },
    { 340, 0x800, ZCMIG_ERROR_PROTOCOL, "page 2 of block 'pc.ram': got offset 0x800" },
};

START_TEST(packet_that_breaks_a_rule_is_refused)
{
    struct zc_multifd_packet packet = packet_example();
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];
    GError *error = NULL;

    zc_multifd_packet_encode(&packet, bytes);
    zc_set_u32(bytes + rejections[_i].at, rejections[_i].value);
    ck_assert(!zc_multifd_packet_decode(bytes, &packet, &error));
    zc_unit_expect_error(&error, rejections[_i].code, rejections[_i].part);
}
END_TEST

START_TEST(name_needs_a_nul)
{
    struct zc_multifd_packet packet = packet_example();
    uint8_t bytes[ZC_MULTIFD_HEADER_BYTES];
    GError *error = NULL;

    zc_multifd_packet_encode(&packet, bytes);
    memset(bytes + 64, 'x', 255);
    ck_assert(zc_multifd_packet_decode(bytes, &packet, NULL));
    ck_assert_uint_eq(strlen(packet.block), 255);
    bytes[64 + 255] = 'x';
    ck_assert(!zc_multifd_packet_decode(bytes, &packet, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "a NUL");
}
END_TEST

START_TEST(check_keeps_every_page_inside_its_block)
{
    struct zc_multifd_packet packet = packet_example();
    GError *error = NULL;

    packet.offsets[1] = 0x4000;
    ck_assert(zc_multifd_packet_check(&packet, 0x5000, NULL));
    ck_assert(!zc_multifd_packet_check(&packet, 0x4000, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL,
                         "page 1 of block 'pc.ram': got offset 0x4000");
    ck_assert(
        !zc_multifd_packet_check(&packet, 0x4fff, NULL)); /* the page's last byte is outside */
    ck_assert(!zc_multifd_packet_check(&packet, 0, NULL));
    packet.offsets[1] = 0;
    packet.offsets[2] = UINT64_C(0xfffffffffffff000); /* of a zero page, and its end wraps to 0 */
    ck_assert(!zc_multifd_packet_check(&packet, 0x5000, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "page 2");
    packet.n_zero = 0;
    ck_assert(zc_multifd_packet_check(&packet, 0x5000, NULL));
    packet.offsets[0] = 0x10;
    ck_assert(!zc_multifd_packet_check(&packet, 0x5000, NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire-multifd");
    TCase *tcase = tcase_create("multifd");

    tcase_add_test(tcase, init_packet_has_qemus_layout);
    tcase_add_test(tcase, init_packet_of_a_wrong_peer_is_refused);
    tcase_add_test(tcase, packet_has_qemus_layout);
    tcase_add_test(tcase, sync_packet_has_no_room_for_pages);
    tcase_add_test(tcase, random_packets_come_back_the_same);
    tcase_add_test(tcase, qemu_7_2_puts_sync_on_data);
    tcase_add_test(tcase, lists_of_the_route_pull_have_their_flag_and_nothing_else_has);
    tcase_add_test(tcase, qemu_7_2_leaves_everything_stale_in_an_empty_packet);
    tcase_add_loop_test(tcase, packet_that_breaks_a_rule_is_refused, 0, G_N_ELEMENTS(rejections));
    tcase_add_test(tcase, name_needs_a_nul);
    tcase_add_test(tcase, check_keeps_every_page_inside_its_block);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
