/* SPDX-License-Identifier: GPL-2.0-or-later */
/* However the stream is cut, the same events come out, and a cut is never an error. */
#include "config.h"

#include <string.h>

#include "fuzz/samples.h"
#include "fuzz/stream-trace.h"
#include "lib/unit.h"

static GByteArray *(*const samples[])(void) = {
    zc_sample_qemu_multifd,
    zc_sample_plain,
    zc_sample_zcmig,
    zc_sample_configuration_and_commands,
};

START_TEST(byte_by_byte_gives_the_same_events)
{
    GByteArray *bytes = samples[_i]();

    for (size_t step = 1; step < 40; step++) {
        struct zc_trace whole, steps;

        zc_trace_init(&whole, &zc_sample_limits, bytes->data, bytes->len, 0);
        zc_trace_init(&steps, &zc_sample_limits, bytes->data, bytes->len, step);
        ck_assert_msg(!whole.error, "%s", whole.error ? whole.error->message : "");
        ck_assert_uint_eq(whole.used, bytes->len);
        ck_assert(zc_trace_equal(&whole, &steps));
        zc_trace_clear(&whole);
        zc_trace_clear(&steps);
    }
    g_byte_array_unref(bytes);
}
END_TEST

/* The bytes end where their buffer ends, so that a sanitizer sees a read beyond. */
START_TEST(truncated_at_every_byte_wants_more)
{
    GByteArray *bytes = samples[_i]();
    struct zc_trace whole;

    zc_trace_init(&whole, &zc_sample_limits, bytes->data, bytes->len, 0);
    for (size_t cut = 1; cut < bytes->len; cut++) {
        uint8_t *exact = g_memdup2(bytes->data, cut);
        struct zc_trace part;

        zc_trace_init(&part, &zc_sample_limits, exact, cut, 0);
        ck_assert_msg(!part.error, "cut at %zu: %s", cut, part.error ? part.error->message : "");
        ck_assert_uint_le(part.events->len, whole.events->len);
        ck_assert_mem_eq(part.events->data, whole.events->data, part.events->len);
        zc_trace_clear(&part);
        g_free(exact);
    }
    zc_trace_clear(&whole);
    g_byte_array_unref(bytes);
}
END_TEST

START_TEST(every_item_alone_in_its_buffer_wants_more_until_it_is_whole)
{
    GByteArray *bytes = samples[_i]();
    struct zc_stream_decoder *decoder = zc_stream_decoder_new(&zc_sample_limits);
    size_t at = 0;

    while (at < bytes->len) {
        enum zc_stream_result result = ZC_STREAM_MORE;
        struct zc_stream_event event;
        size_t used = 0;

        for (size_t n = 0; result == ZC_STREAM_MORE; n++) {
            ck_assert_uint_le(at + n, bytes->len);
            uint8_t *exact = g_memdup2(bytes->data + at, n);
            result = zc_stream_decoder_next(decoder, exact, n, &used, &event, NULL);
            /* the configuration alone looks at one byte more */
            ck_assert(result == ZC_STREAM_MORE ||
                      used + (event.type == ZC_STREAM_CONFIGURATION) == n);
            g_free(exact);
        }
        ck_assert_int_eq((int)result, (int)ZC_STREAM_GOT);
        at += used + event.payload_bytes;
        if (event.type == ZC_STREAM_SECTION && event.section.type == ZC_SECTION_FULL) {
            break;
        }
    }
    zc_stream_decoder_free(decoder);
    g_byte_array_unref(bytes);
}
END_TEST

START_TEST(random_streams_come_back_the_same)
{
    GRand *rand = g_rand_new_with_seed((guint32)zc_unit_seed());

    for (unsigned int run = 0; run < 100; run++) {
        GByteArray *bytes = zc_sample_random(rand);
        struct zc_trace whole, steps, again;

        zc_trace_init(&whole, &zc_sample_limits, bytes->data, bytes->len, 0);
        zc_trace_init(&steps, &zc_sample_limits, bytes->data, bytes->len,
                      (size_t)g_rand_int_range(rand, 1, 5000));
        zc_trace_init(&again, &zc_sample_limits, whole.again->data, whole.again->len, 0);
        ck_assert_msg(!whole.error, "%s", whole.error ? whole.error->message : "");
        ck_assert_uint_eq(whole.used, bytes->len);
        ck_assert(zc_trace_equal(&whole, &steps));
        ck_assert_uint_eq(again.n_events, whole.n_events);
        ck_assert_uint_eq(again.events->len, whole.events->len);
        ck_assert_mem_eq(again.events->data, whole.events->data, whole.events->len);
        zc_trace_clear(&whole);
        zc_trace_clear(&steps);
        zc_trace_clear(&again);
        g_byte_array_unref(bytes);
    }
    g_rand_free(rand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire-stream-cut-anywhere");
    TCase *tcase = tcase_create("cut");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, byte_by_byte_gives_the_same_events, 0, G_N_ELEMENTS(samples));
    tcase_add_loop_test(tcase, truncated_at_every_byte_wants_more, 0, G_N_ELEMENTS(samples));
    tcase_add_loop_test(tcase, every_item_alone_in_its_buffer_wants_more_until_it_is_whole, 0,
                        G_N_ELEMENTS(samples));
    tcase_add_test(tcase, random_streams_come_back_the_same);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
