/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "guest/synthetic.h"
#include "lib/unit.h"

static struct zc_synthetic_state example(void)
{
    struct zc_synthetic_state state = {
        .options = { .size_bytes = 1 << 20,
                     .dirty_bytes = 12345678,
                     .seed = UINT64_C(0x0102030405060708),
                     .pattern = ZC_SYNTHETIC_HOT,
                     .hot_ppm = 300000,
                     .zero_ppm = 100,
                     .writers = 3,
                     .memfd = true },
        .boot_id = { 1, 2, 3 },
    };

    for (uint32_t i = 0; i < 3; i++) {
        state.writers[i].key = ~(uint64_t)i;
        state.writers[i].writes = 1000 * i;
        state.writers[i].last_write_ns = INT64_MAX - i;
    }
    return state;
}

START_TEST(what_was_saved_is_loaded)
{
    struct zc_synthetic_state saved = example();
    struct zc_synthetic_state loaded;
    uint8_t bytes[ZC_SYNTHETIC_STATE_BYTES_MAX];
    uint8_t again[ZC_SYNTHETIC_STATE_BYTES_MAX];
    size_t length = zc_synthetic_state_encode(&saved, bytes);

    ck_assert_uint_eq(length, 72 + 3 * 24);
    ck_assert(zc_synthetic_load_state(bytes, length, &loaded, NULL));
    ck_assert_uint_eq(zc_synthetic_state_encode(&loaded, again), length);
    ck_assert_mem_eq(bytes, again, length);
    ck_assert_uint_eq(loaded.options.seed, saved.options.seed);
    ck_assert_uint_eq(loaded.writers[2].writes, 2000);
    ck_assert_int_eq(loaded.writers[1].last_write_ns, INT64_MAX - 1);
    ck_assert(loaded.options.memfd && !loaded.options.hugepages);
}
END_TEST

/* The bytes themselves are a contract with the other end. */
START_TEST(the_layout_is_the_documented_one)
{
    static const uint8_t head[] = { 'Z',  'C',  'S',  'G', 0, 0, 0, 1, 0, 0, 0,
                                    0,    0,    0x10, 0,   0, 0, 0, 0, 0, 0, 0xbc,
                                    0x61, 0x4e, 1,    2,   3, 4, 5, 6, 7, 8 };
    struct zc_synthetic_state state = example();
    uint8_t bytes[ZC_SYNTHETIC_STATE_BYTES_MAX];

    zc_synthetic_state_encode(&state, bytes);
    ck_assert_mem_eq(bytes, head, sizeof(head));
    ck_assert_uint_eq(bytes[72 + 24 + 15], 1000 & 0xff);
    ck_assert_uint_eq(bytes[72 + 24 + 14], 1000 >> 8);
}
END_TEST

static const struct {
    const char *part;
    size_t offset;
    uint8_t value;
} damages[] = {
    { "do not begin as one", 0, 'X' },
    { "got version 2", 7, 2 },
    { "a size of", 15, 1 },
    { "a size of", 8, 0x10 },
    { "pattern", 35, 4 },
    { "pattern", 32, 0x80 },
    { "says 145", 39, 145 },
    { "pattern", 40, 0xff },
    { "pattern", 44, 0xff },
    { "got 65 writers", 51, 65 },
    { "got 0 writers", 51, 0 },
    { "flags 5", 55, 5 },
    { "allowed are 63 bits", 72 + 8, 0x80 },
    { "allowed are 63 bits", 72 + 16, 0x80 },
};

START_TEST(a_damaged_field_is_refused)
{
    struct zc_synthetic_state state = example();
    uint8_t bytes[ZC_SYNTHETIC_STATE_BYTES_MAX];
    size_t length = zc_synthetic_state_encode(&state, bytes);
    GError *error = NULL;

    bytes[damages[_i].offset] = damages[_i].value;
    ck_assert(!zc_synthetic_load_state(bytes, length, &state, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, damages[_i].part);
}
END_TEST

START_TEST(every_other_length_is_refused)
{
    struct zc_synthetic_state state = example();
    uint8_t bytes[ZC_SYNTHETIC_STATE_BYTES_MAX + 1] = { 0 };
    size_t length = zc_synthetic_state_encode(&state, bytes);

    for (size_t n = 0; n <= sizeof(bytes); n++) {
        /* of its own size, so that a sanitizer sees a read beyond */
        g_autofree uint8_t *exact = g_malloc(MAX(n, 1));
        memcpy(exact, bytes, n);
        ck_assert_msg(zc_synthetic_load_state(exact, n, &state, NULL) == (n == length), "%zu", n);
    }
}
END_TEST

START_TEST(random_damage_is_refused_or_harmless)
{
    GRand *rand = g_rand_new_with_seed((guint32)zc_unit_seed());
    struct zc_synthetic_state state = example();
    uint8_t good[ZC_SYNTHETIC_STATE_BYTES_MAX];
    uint8_t again[ZC_SYNTHETIC_STATE_BYTES_MAX];
    size_t length = zc_synthetic_state_encode(&state, good);

    for (unsigned int i = 0; i < 20000; i++) {
        uint8_t bytes[ZC_SYNTHETIC_STATE_BYTES_MAX];
        memcpy(bytes, good, length);
        for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--) {
            bytes[g_rand_int_range(rand, 0, (int)length)] = (uint8_t)g_rand_int(rand);
        }
        if (zc_synthetic_load_state(bytes, length, &state, NULL)) {
            ck_assert(zc_synthetic_options_check(&state.options, ZCMIG_ERROR_PROTOCOL, NULL));
            ck_assert_uint_eq(zc_synthetic_state_encode(&state, again), length);
            ck_assert_mem_eq(again, bytes, length);
        }
    }
    g_rand_free(rand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-synthetic-state");
    TCase *tcase = tcase_create("state");

    tcase_add_test(tcase, what_was_saved_is_loaded);
    tcase_add_test(tcase, the_layout_is_the_documented_one);
    tcase_add_loop_test(tcase, a_damaged_field_is_refused, 0, (int)G_N_ELEMENTS(damages));
    tcase_add_test(tcase, every_other_length_is_refused);
    tcase_add_test(tcase, random_damage_is_refused_or_harmless);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
