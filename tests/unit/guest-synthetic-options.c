/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <zcmig/error.h>

#include "guest/synthetic.h"
#include "lib/unit.h"

static struct zc_synthetic_options parse(const char *uri)
{
    struct zc_synthetic_options options = { .writers = 0 };
    g_autoptr(GError) error = NULL;

    ck_assert_msg(zc_synthetic_options_parse(uri, &options, &error), "%s: %s", uri,
                  error ? error->message : "");
    return options;
}

START_TEST(a_size_is_enough)
{
    struct zc_synthetic_options options = parse("guest:64M");

    ck_assert_uint_eq(options.size_bytes, 64 << 20);
    ck_assert_uint_eq(options.dirty_bytes, 0);
    ck_assert_uint_eq(options.writers, 1);
    ck_assert_int_eq(options.pattern, ZC_SYNTHETIC_RANDOM);
    ck_assert_uint_eq(options.zero_ppm, 0);
    ck_assert(!options.memfd && !options.hugepages);
}
END_TEST

START_TEST(every_key_is_read)
{
    struct zc_synthetic_options options =
        parse("guest:1G,dirty=100M/s,pattern=hot:0.25,writers=4,fill=zero:0.5,seed=77,"
              "hugepages,memory=memfd");

    ck_assert_uint_eq(options.size_bytes, 1 << 30);
    ck_assert_uint_eq(options.dirty_bytes, 100 << 20);
    ck_assert_int_eq(options.pattern, ZC_SYNTHETIC_HOT);
    ck_assert_uint_eq(options.hot_ppm, 250000);
    ck_assert_uint_eq(options.zero_ppm, 500000);
    ck_assert_uint_eq(options.writers, 4);
    ck_assert_uint_eq(options.seed, 77);
    ck_assert(options.memfd && options.hugepages);
    ck_assert_uint_eq(parse("guest:4K,dirty=max").dirty_bytes, ZC_SYNTHETIC_DIRTY_MAX);
    ck_assert_int_eq(parse("guest:4K,pattern=seq").pattern, ZC_SYNTHETIC_SEQ);
    ck_assert_int_eq(parse("guest:4K,pattern=zipf,fill=random,memory=private").pattern,
                     ZC_SYNTHETIC_ZIPF);
}
END_TEST

static const struct {
    const char *uri;
    const char *part;
} refused[] = {
    { "image:1G", "got 'image:1G'" },
    { "guest:", "size: got ''" },
    { "guest:big", "size: got 'big'" },
    { "guest:1G,dirty=fast", "dirty: got 'fast'" },
    { "guest:1G,pattern=spiral", "got 'spiral', allowed are seq, random, zipf, hot:FRACTION" },
    { "guest:1G,pattern=hot:2", "got '2', allowed is a fraction" },
    { "guest:1G,pattern=hot:", "got '', allowed is a fraction" },
    { "guest:1G,pattern=hot:nan", "got 'nan', allowed is a fraction" },
    { "guest:1G,pattern=hot:0", "of hot above 0" },
    { "guest:1G,fill=ones", "got 'ones', allowed are random, zero:FRACTION" },
    { "guest:1G,fill=zero:-0.1", "got '-0.1', allowed is a fraction" },
    { "guest:1G,writers=0", "got '0', allowed is a number from 1 to 64" },
    { "guest:1G,writers=65", "got '65', allowed is a number from 1 to 64" },
    { "guest:1G,seed=x", "seed: got 'x'" },
    { "guest:1G,memory=disk", "got 'disk', allowed are private, memfd" },
    { "guest:1G,hugepages=yes", "got 'hugepages=yes', allowed are dirty=," },
    { "guest:1G,", "got '', allowed are dirty=," },
    { "guest:1G,colour=red", "got 'colour=red', allowed are dirty=," },
    { "guest:5000", "got a size of 5000 bytes" },
    { "guest:0", "got a size of 0 bytes" },
    { "guest:8K,writers=3", "a page for each writer" },
    { "guest:17T", "16T at most" },
};

START_TEST(what_is_wrong_is_named_with_what_is_allowed)
{
    GError *error = NULL;
    struct zc_synthetic_options options;

    ck_assert(!zc_synthetic_options_parse(refused[_i].uri, &options, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE, refused[_i].part);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-synthetic-options");
    TCase *tcase = tcase_create("options");

    tcase_add_test(tcase, a_size_is_enough);
    tcase_add_test(tcase, every_key_is_read);
    tcase_add_loop_test(tcase, what_is_wrong_is_named_with_what_is_allowed, 0,
                        (int)G_N_ELEMENTS(refused));
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
