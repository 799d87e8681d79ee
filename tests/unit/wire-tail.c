/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device tail of real QEMUs (tests/qemu/fixtures, captured with
 * tests/qemu/lib/capture-tail) is found and cut into its sections, and nothing
 * that is not exactly so passes.
 */
#include "config.h"

#include <string.h>

#include <zcmig/error.h>

#include "lib/fixture.h"
#include "lib/unit.h"
#include "wire/bytes.h"
#include "wire/tail.h"

#define SECTIONS_MAX 128
#define DESCRIPTION_MAX (1u << 20)

static const struct {
    const char *file;
    int n_sections;
    const char *first, *last;
} fixtures[] = {
    { "tail-pc-7.2.gz", 30, "timer", "globalstate" },
    { "tail-pc-10.0.gz", 30, "timer", "globalstate" },
    { "tail-q35-7.2.gz", 34, "timer", "globalstate" },
    { "tail-q35-10.0.gz", 34, "timer", "globalstate" },
};
#define N_FIXTURES ((int)G_N_ELEMENTS(fixtures))

static GByteArray *load(int i)
{
    return zc_fixture_load(fixtures[i].file);
}

static bool find(const GByteArray *bytes, struct zc_tail *tail)
{
    size_t searched = 0;

    return zc_tail_find(bytes->data, bytes->len, DESCRIPTION_MAX, &searched, tail);
}

START_TEST(sections_of_a_real_tail_meet_their_footers)
{
    g_autoptr(GByteArray) bytes = load(_i);
    struct zc_tail_section sections[SECTIONS_MAX];
    struct zc_tail tail;
    GError *error = NULL;

    ck_assert(find(bytes, &tail));
    ck_assert_uint_eq(tail.bytes, bytes->len);
    int n = zc_tail_index(bytes->data, &tail, NULL, sections, SECTIONS_MAX, NULL, &error);
    ck_assert_msg(n > 0, "%s", error ? error->message : "no sections");
    ck_assert_int_eq(n, fixtures[_i].n_sections);
    ck_assert_str_eq(sections[0].name, fixtures[_i].first);
    ck_assert_str_eq(sections[n - 1].name, fixtures[_i].last);
    for (int k = 0; k < n; k++) {
        size_t end = sections[k].offset + sections[k].bytes;
        ck_assert_uint_eq(end, k + 1 < n ? sections[k + 1].offset : tail.devices_bytes);
        ck_assert_uint_eq(bytes->data[end - 5], 0x7e);
        ck_assert_uint_eq(zc_get_u32(bytes->data + end - 4), sections[k].id);
    }
}
END_TEST

START_TEST(a_tail_is_whole_only_with_its_last_byte)
{
    g_autoptr(GByteArray) bytes = load(_i);
    size_t searched = 0;
    struct zc_tail tail;

    /* As a receiver does: the search goes on where it was. */
    for (size_t length = 0; length < bytes->len; length += length + 97 < bytes->len ? 97 : 1) {
        ck_assert(!zc_tail_find(bytes->data, length, DESCRIPTION_MAX, &searched, &tail));
    }
    ck_assert(zc_tail_find(bytes->data, bytes->len, DESCRIPTION_MAX, &searched, &tail));
    ck_assert_uint_eq(tail.bytes, bytes->len);
    ck_assert(
        !zc_tail_find(bytes->data, bytes->len, tail.description_bytes - 1, &(size_t){ 0 }, &tail));

    /* What follows is not its business. */
    g_byte_array_append(bytes, (const guint8 *)"\0\6\0\0\0\2{\"", 8);
    ck_assert(find(bytes, &tail));
    ck_assert_uint_eq(tail.bytes, bytes->len - 8);
}
END_TEST

START_TEST(state_that_looks_like_a_description_is_passed_over)
{
    /* It claims to be longer than what follows, shorter, and to break off. */
    static const char lures[3][13] = { "\0\6\0\17\0\0{\"aaaa", "\0\6\0\0\0\6{\"aaaa",
                                       "\0\6\0\0\0\6{\"\":1}" };
    g_autoptr(GByteArray) bytes = load(0);
    struct zc_tail tail;

    ck_assert(find(bytes, &tail));
    size_t devices_bytes = tail.devices_bytes;
    g_byte_array_prepend(bytes, (const guint8 *)lures[_i], 12);
    ck_assert(find(bytes, &tail));
    ck_assert_uint_eq(tail.devices_bytes, devices_bytes + 12);
}
END_TEST

/* Puts @from, somewhere in the description, in @to's place of equal length. */
static void replace(GByteArray *bytes, const struct zc_tail *tail, const char *from, const char *to)
{
    guint8 *at =
        memmem(bytes->data + tail->description_offset, tail->description_bytes, from, strlen(from));

    ck_assert_ptr_nonnull(at);
    ck_assert_uint_eq(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void refused(GByteArray *bytes, const struct zc_tail *tail, unsigned int max, int code,
                    const char *part)
{
    struct zc_tail_section sections[SECTIONS_MAX];
    GError *error = NULL;

    ck_assert_int_eq(zc_tail_index(bytes->data, tail, NULL, sections, max, NULL, &error), -1);
    zc_unit_expect_error(&error, code, part);
}

START_TEST(what_does_not_fit_is_refused_by_name_and_place)
{
    static const struct {
        const char *from, *to, *part;
    } lies[] = {
        { "\"size\": 8}, {\"name\": \"unused\"", "\"size\": 9}, {\"name\": \"unused\"",
          "device 'timer': offset 44: got" },
        { "\"cpu_ticks_offset\", \"type\": \"int64\", \"size\": 8",
          "\"xyz\", \"type\": \"int64\", \"size\": 99999999999999",
          "'timer': the description says" },
        { "\"name\": \"timer\", \"instance_id\"", "\"name\": \"times\", \"instance_id\"",
          "'timer': offset 0: the description has 'times' there" },
        { "\"name\": \"globalstate\"", "\"name\": \"globalstats\"", "'globalstate': offset " },
    };
    struct zc_tail tail;

    for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        g_autoptr(GByteArray) bytes = load(0);
        ck_assert(find(bytes, &tail));
        replace(bytes, &tail, lies[i].from, lies[i].to);
        refused(bytes, &tail, SECTIONS_MAX, ZCMIG_ERROR_PROTOCOL, lies[i].part);
    }
    g_autoptr(GByteArray) bytes = load(0);
    ck_assert(find(bytes, &tail));
    refused(bytes, &tail, 5, ZCMIG_ERROR_LIMIT, "more than 5 sections");
    bytes->data[0] = 3;
    refused(bytes, &tail, SECTIONS_MAX, ZCMIG_ERROR_PROTOCOL, "offset 0: got 0x03, allowed 0x04");
    bytes->data[0] = 4;
    bytes->data[4] ^= 1; /* the id, which the footer repeats */
    refused(bytes, &tail, SECTIONS_MAX, ZCMIG_ERROR_PROTOCOL, "allowed a footer");
    bytes->data[4] ^= 1;
    bytes->data[6] = '\n'; /* the name */
    refused(bytes, &tail, SECTIONS_MAX, ZCMIG_ERROR_PROTOCOL, "without a printable name");
}
END_TEST

START_TEST(a_lost_or_doubled_section_is_noticed)
{
    g_autoptr(GByteArray) bytes = load(_i);
    struct zc_tail_section sections[SECTIONS_MAX];
    struct zc_tail tail;

    ck_assert(find(bytes, &tail));
    int n = zc_tail_index(bytes->data, &tail, NULL, sections, SECTIONS_MAX, NULL, NULL);
    ck_assert_int_gt(n, 2);

    g_autoptr(GByteArray) doubled = g_byte_array_new();
    g_byte_array_append(doubled, bytes->data, (guint)sections[1].offset);
    g_byte_array_append(doubled, bytes->data, bytes->len);
    ck_assert(find(doubled, &tail));
    refused(doubled, &tail, SECTIONS_MAX, ZCMIG_ERROR_PROTOCOL, "the description has");

    g_byte_array_remove_range(bytes, (guint)sections[n - 1].offset, (guint)sections[n - 1].bytes);
    ck_assert(find(bytes, &tail));
    refused(bytes, &tail, SECTIONS_MAX, ZCMIG_ERROR_PROTOCOL, "more devices than");
}
END_TEST

/* A tail of one section with @state_bytes of state, described by @description. */
static bool index_of(const char *description, unsigned int state_bytes)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct zc_tail_section sections[2];
    struct zc_tail tail;

    zc_append_u8(bytes, 4);
    zc_append_u32(bytes, 7);
    zc_append_name(bytes, "d");
    zc_append_u32(bytes, 0);
    zc_append_u32(bytes, 1);
    for (unsigned int i = 0; i < state_bytes; i++) {
        zc_append_u8(bytes, 0xaa);
    }
    zc_append_u8(bytes, 0x7e);
    zc_append_u32(bytes, 7);
    zc_append_u8(bytes, 0);
    zc_append_u8(bytes, 6);
    zc_append_u32(bytes, (uint32_t)strlen(description));
    g_byte_array_append(bytes, (const guint8 *)description, (guint)strlen(description));
    return find(bytes, &tail) && zc_tail_index(bytes->data, &tail, NULL, sections, 2, NULL, NULL) == 1;
}

#define DEVICES(list) "{\"page_size\": 4096, \"devices\": [" list "]}"
#define DEVICE(rest) DEVICES("{\"name\": \"d\", \"instance_id\": 0" rest "}")

START_TEST(the_length_of_state_follows_from_its_fields)
{
    static const struct {
        const char *description;
        unsigned int bytes;
    } cases[] = {
        { DEVICE(""), 0 },
        { DEVICE(", \"fields\": []"), 0 },
        { DEVICE(", \"fields\": [{\"size\": 3}, {\"size\": 4}]"), 7 },
        { DEVICE(", \"fields\": [{\"array_len\": 5, \"size\": 2}]"), 10 },
        /* what is nested in a field is in its size already */
        { DEVICE(", \"fields\": [{\"struct\": {\"fields\": [{\"size\": 9}], \"subsections\": "
                 "[{\"vmsd_name\": \"x\"}]}, \"size\": 2}]"),
          2 },
        { DEVICE(", \"subsections\": [{\"vmsd_name\": \"abc\", \"fields\": [{\"size\": 1}]}]"),
          10 },
        { DEVICE(", \"subsections\": [{\"vmsd_name\": \"a\", \"subsections\": "
                 "[{\"vmsd_name\": \"b\"}]}]"),
          14 },
    };

    ck_assert(index_of(cases[_i].description, cases[_i].bytes));
    ck_assert(!index_of(cases[_i].description, cases[_i].bytes + 1));
}
END_TEST

START_TEST(descriptions_that_lie_or_break_off_are_refused)
{
    static const char *const bad[] = {
        "{\"devices\": ",
        "{\"devices\": []} x",
        "{\"devices\": {}}",
        "{\"page_size\": 1}",
        "[{\"devices\": []}]",
        DEVICES("1"),
        DEVICES("{\"instance_id\": 0}"),
        DEVICES("{\"name\": \"d\", \"instance_id\": 1}"),
        DEVICE(", \"fields\": 0"),
        DEVICE(", \"fields\": [0]"),
        DEVICE(", \"fields\": [{\"size\": -1}]"),
        DEVICE(", \"fields\": [{\"size\": 1e9}]"),
        DEVICE(", \"fields\": [{\"size\": 0.5}]"),
        DEVICE(", \"fields\": [{\"size\": 18446744073709551616}]"),
        DEVICE(", \"fields\": [{\"size\": 9223372036854775799, \"array_len\": 4}]"),
        DEVICE(", \"fields\": [{\"size\": 9223372036854775799}, {\"size\": "
               "9223372036854775799}, {\"size\": 18}]"),
        DEVICE(", \"subsections\": [{\"fields\": []}]"),
        DEVICE(", \"fields\" []"),
        DEVICE(", \"fields\": [{},]"),
        DEVICE(", \"fields\": [{}") "\\",
        DEVICES("{\"name\": \"d\", \"instance_id\": 0}, {\"name\": \"e\"}"),
        /* a section that went before RAM was whole, and that nobody has */
        DEVICES("{\"name\": \"e\"}, {\"name\": \"d\", \"instance_id\": 0}"),
    };

    ck_assert_msg(!index_of(bad[_i], 0), "accepted: %s", bad[_i]);
}
END_TEST

START_TEST(early_sections_are_described_first)
{
    static const char description[] =
        DEVICES("{\"name\": \"e\", \"fields\": [{\"size\": 3}]}, {\"name\": \"d\"}");
    static const uint8_t early_bytes[] = "\4\0\0\0\5\1e\0\0\0\0\0\0\0\1abc\x7e\0\0\0\5";
    static const uint8_t head[] = "\4\0\0\0\7\1d\0\0\0\0\0\0\0\1\x7e\0\0\0\7\0\6\0\0\0";
    struct zc_tail_sections early = { early_bytes, sizeof(early_bytes) - 1 };
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct zc_tail_section sections[3];
    unsigned int n_early = 0;
    struct zc_tail tail;

    g_byte_array_append(bytes, head, sizeof(head) - 1);
    zc_append_u8(bytes, sizeof(description) - 1);
    g_byte_array_append(bytes, (const guint8 *)description, sizeof(description) - 1);
    ck_assert(find(bytes, &tail));
    ck_assert_int_eq(zc_tail_index(bytes->data, &tail, &early, sections, 3, &n_early, NULL), 2);
    ck_assert_uint_eq(n_early, 1);
    ck_assert_str_eq(sections[0].name, "e");
    ck_assert_uint_eq(sections[0].state_bytes, 3);
    ck_assert_str_eq(sections[1].name, "d");
    ck_assert_uint_eq(sections[1].offset, 0);
    /* Cut at the wrong place, or left out, they do not agree with the description. */
    early.length--;
    ck_assert_int_eq(zc_tail_index(bytes->data, &tail, &early, sections, 3, &n_early, NULL), -1);
    ck_assert_int_eq(zc_tail_index(bytes->data, &tail, NULL, sections, 3, &n_early, NULL), -1);
}
END_TEST

START_TEST(deep_nesting_ends_at_its_limit)
{
    for (int depth = 1; depth < 200000; depth *= 3) {
        g_autoptr(GString) text = g_string_new("{\"devices\": [], \"x\": ");
        for (int i = 0; i < depth; i++) {
            g_string_append_c(text, '[');
        }
        for (int i = 0; i < depth; i++) {
            g_string_append_c(text, ']');
        }
        g_string_append(text, "}");
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        struct zc_tail tail;
        zc_append_u16(bytes, 6);
        zc_append_u32(bytes, (uint32_t)text->len);
        g_byte_array_append(bytes, (const guint8 *)text->str, (guint)text->len);
        ck_assert_msg(find(bytes, &tail) == (depth < ZC_TAIL_DEPTH_MAX), "depth %d", depth);
    }
}
END_TEST

/* Whatever bytes a peer changes: an answer or an error, inside the buffer. */
START_TEST(changed_bytes_never_lead_outside)
{
    g_autoptr(GByteArray) bytes = load(_i);
    GRand *random = g_rand_new_with_seed((guint32)zc_unit_seed());
    int refusals = 0;

    for (int round = 0; round < 300; round++) {
        /* An exact copy on the heap: the address sanitizer sees one byte too many. */
        g_autofree guint8 *copy = g_memdup2(bytes->data, bytes->len);
        struct zc_tail_section sections[SECTIONS_MAX];
        struct zc_tail tail;
        size_t searched = 0;
        for (int i = 0; i < 4; i++) {
            copy[g_rand_int_range(random, 0, (gint32)bytes->len)] =
                (guint8)g_rand_int_range(random, 0, 256);
        }
        if (!zc_tail_find(copy, bytes->len, DESCRIPTION_MAX, &searched, &tail)) {
            refusals++;
            continue;
        }
        int n = zc_tail_index(copy, &tail, NULL, sections, SECTIONS_MAX, NULL, NULL);
        refusals += n < 0;
        ck_assert_int_le(n, SECTIONS_MAX);
    }
    g_rand_free(random);
    ck_assert_int_gt(refusals, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire/tail");
    TCase *tcase = tcase_create("tail");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, sections_of_a_real_tail_meet_their_footers, 0, N_FIXTURES);
    tcase_add_loop_test(tcase, a_tail_is_whole_only_with_its_last_byte, 0, N_FIXTURES);
    tcase_add_loop_test(tcase, state_that_looks_like_a_description_is_passed_over, 0, 3);
    tcase_add_test(tcase, what_does_not_fit_is_refused_by_name_and_place);
    tcase_add_loop_test(tcase, a_lost_or_doubled_section_is_noticed, 0, N_FIXTURES);
    tcase_add_loop_test(tcase, the_length_of_state_follows_from_its_fields, 0, 7);
    tcase_add_loop_test(tcase, descriptions_that_lie_or_break_off_are_refused, 0, 22);
    tcase_add_test(tcase, early_sections_are_described_first);
    tcase_add_test(tcase, deep_nesting_ends_at_its_limit);
    tcase_add_loop_test(tcase, changed_bytes_never_lead_outside, 0, N_FIXTURES);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
