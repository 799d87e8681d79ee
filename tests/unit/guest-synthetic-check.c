/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the checker of the synthetic guest must tell apart: each fault is
 * injected by hand into RAM that is right, and has to be found, by its name,
 * on its page, and no other.
 */
#include "config.h"

#include <string.h>

#include "guest/synthetic-page.h"
#include "guest/synthetic.h"
#include "lib/unit.h"

#define PAGES 512u
#define RAM_BYTES ((uint64_t)PAGES * ZC_PAGE_BYTES)

static const char *const uris[] = {
    "guest:2M,pattern=random",
    "guest:2M,pattern=seq,writers=3",
    "guest:2M,pattern=zipf,writers=7,fill=zero:0.5",
    "guest:2M,pattern=hot:0.1,writers=2,fill=zero:1",
};

struct rig {
    struct zc_synthetic *guest;
    struct zc_ram *ram;
    struct zc_synthetic_state state;
    struct zc_synthetic_report report;
    GRand *rand;
};

static void rig_init(struct rig *rig, const char *uri)
{
    struct zc_synthetic_options options;

    ck_assert(zc_synthetic_options_parse(uri, &options, NULL));
    options.seed = zc_unit_seed();
    rig->guest = zc_synthetic_new(&options, NULL);
    ck_assert_ptr_nonnull(rig->guest);
    rig->ram = &zc_synthetic_source(rig->guest)->ram;
    rig->rand = g_rand_new_with_seed((guint32)zc_unit_seed());
}

static void rig_clear(struct rig *rig)
{
    zc_synthetic_free(rig->guest);
    g_rand_free(rig->rand);
}

static uint8_t *page_at(const struct rig *rig, uint64_t page)
{
    return rig->ram->blocks[0].host + page * ZC_PAGE_BYTES;
}

static uint64_t check(struct rig *rig)
{
    ck_assert(zc_synthetic_get_state(rig->guest, &rig->state, NULL));
    return zc_synthetic_check(rig->ram, &rig->state, &rig->report);
}

/* Exactly one wrong page, and it is this one. */
static void expect_one(struct rig *rig, enum zc_synthetic_fault fault, uint64_t page)
{
    ck_assert_uint_eq(check(rig), 1);
    ck_assert_uint_eq(rig->report.n_findings, 1);
    ck_assert_str_eq(zc_synthetic_fault_name(rig->report.findings[0].fault),
                     zc_synthetic_fault_name(fault));
    ck_assert_uint_eq(rig->report.counts[fault], 1);
    ck_assert_uint_eq(rig->report.findings[0].page, page);
}

/* A page that differs from @before, drawn at random. */
static uint64_t written_page(const struct rig *rig, const uint8_t *before)
{
    for (;;) {
        uint64_t page = (uint64_t)g_rand_int_range(rig->rand, 0, PAGES);
        if (memcmp(before + page * ZC_PAGE_BYTES, page_at(rig, page), ZC_PAGE_BYTES) != 0) {
            return page;
        }
    }
}

static uint8_t *snapshot(const struct rig *rig)
{
    return g_memdup2(rig->ram->blocks[0].host, RAM_BYTES);
}

START_TEST(what_the_guest_wrote_is_right)
{
    struct rig rig;

    rig_init(&rig, uris[_i]);
    ck_assert_uint_eq(check(&rig), 0);
    ck_assert_uint_eq(rig.report.writes, 0);
    for (unsigned int i = 1; i <= 20; i++) {
        zc_synthetic_step(rig.guest, 97);
        ck_assert_uint_eq(check(&rig), 0);
        ck_assert_uint_eq(rig.report.writes, (uint64_t)i * 97 * rig.state.options.writers);
    }
    rig_clear(&rig);
}
END_TEST

START_TEST(torn_at_any_line_is_found)
{
    struct rig rig;

    rig_init(&rig, uris[_i]);
    zc_synthetic_step(rig.guest, 600);
    g_autofree uint8_t *before = snapshot(&rig);
    zc_synthetic_step(rig.guest, 600);
    for (size_t cut = 16; cut < ZC_PAGE_BYTES; cut += 248) {
        uint64_t page = written_page(&rig, before);
        g_autofree uint8_t *good = g_memdup2(page_at(&rig, page), ZC_PAGE_BYTES);
        memcpy(page_at(&rig, page) + cut, before + page * ZC_PAGE_BYTES + cut, ZC_PAGE_BYTES - cut);
        expect_one(&rig, ZC_SYNTHETIC_TORN, page);
        memcpy(page_at(&rig, page), good, ZC_PAGE_BYTES);
    }
    ck_assert_uint_eq(check(&rig), 0);
    rig_clear(&rig);
}
END_TEST

START_TEST(torn_names_both_versions)
{
    struct rig rig;

    rig_init(&rig, "guest:2M,pattern=seq");
    zc_synthetic_step(rig.guest, PAGES);
    g_autofree uint8_t *before = snapshot(&rig);
    zc_synthetic_step(rig.guest, PAGES);
    memcpy(page_at(&rig, 9) + 2048, before + 9 * ZC_PAGE_BYTES + 2048, 2048);
    expect_one(&rig, ZC_SYNTHETIC_TORN, 9);
    ck_assert_uint_eq(rig.report.findings[0].expected, PAGES + 10);
    ck_assert_uint_eq(rig.report.findings[0].found, PAGES + 10);
    ck_assert_uint_eq(rig.report.findings[0].other, 10);
    rig_clear(&rig);
}
END_TEST

START_TEST(stale_is_found)
{
    struct rig rig;

    rig_init(&rig, uris[_i]);
    zc_synthetic_step(rig.guest, 600);
    g_autofree uint8_t *before = snapshot(&rig);
    zc_synthetic_step(rig.guest, 600);
    uint64_t page = written_page(&rig, before);
    memcpy(page_at(&rig, page), before + page * ZC_PAGE_BYTES, ZC_PAGE_BYTES);
    /* A page that had been zeros and became content is told as stale as well. */
    expect_one(&rig, ZC_SYNTHETIC_STALE, page);
    rig_clear(&rig);
}
END_TEST

START_TEST(a_lost_write_shows_after_the_page_was_written_again)
{
    struct rig rig;

    rig_init(&rig, "guest:2M,pattern=seq");
    zc_synthetic_step(rig.guest, PAGES);
    g_autofree uint8_t *before = snapshot(&rig);
    zc_synthetic_step(rig.guest, PAGES);
    memcpy(page_at(&rig, 100), before + 100 * ZC_PAGE_BYTES, ZC_PAGE_BYTES);
    zc_synthetic_step(rig.guest, 5 * PAGES);
    expect_one(&rig, ZC_SYNTHETIC_LOST, 100);
    rig_clear(&rig);
}
END_TEST

START_TEST(writes_done_twice_are_found)
{
    struct rig rig;
    struct zc_synthetic_state early;

    rig_init(&rig, "guest:2M,pattern=random");
    zc_synthetic_step(rig.guest, 100);
    ck_assert(zc_synthetic_get_state(rig.guest, &early, NULL));
    g_autofree uint8_t *before = snapshot(&rig);
    zc_synthetic_step(rig.guest, 50);
    uint64_t changed = 0;
    for (uint64_t page = 0; page < PAGES; page++) {
        changed += memcmp(before + page * ZC_PAGE_BYTES, page_at(&rig, page), ZC_PAGE_BYTES) != 0;
    }
    /* RAM of now with the state of before: the 50 writes are done again. */
    struct zc_synthetic *again = zc_synthetic_new_incoming(rig.ram, &early, NULL);
    zc_synthetic_step(again, 50);
    ck_assert_uint_eq(check(&rig), changed);
    ck_assert_uint_eq(rig.report.counts[ZC_SYNTHETIC_LOST], changed);
    zc_synthetic_free(again);
    rig_clear(&rig);
}
END_TEST

START_TEST(future_is_found)
{
    struct rig rig;
    struct zc_synthetic_state early;

    rig_init(&rig, uris[_i]);
    zc_synthetic_step(rig.guest, 300);
    ck_assert(zc_synthetic_get_state(rig.guest, &early, NULL));
    g_autofree uint8_t *before = snapshot(&rig);
    zc_synthetic_step(rig.guest, 1);
    uint64_t changed = 0;
    for (uint64_t page = 0; page < PAGES; page++) {
        changed += memcmp(before + page * ZC_PAGE_BYTES, page_at(&rig, page), ZC_PAGE_BYTES) != 0;
    }
    ck_assert_uint_eq(changed, early.options.writers);
    ck_assert_uint_eq(zc_synthetic_check(rig.ram, &early, &rig.report), changed);
    ck_assert_uint_eq(rig.report.counts[ZC_SYNTHETIC_FUTURE], changed);
    rig_clear(&rig);
}
END_TEST

START_TEST(misplaced_missing_and_foreign_are_found)
{
    struct rig rig;

    rig_init(&rig, "guest:2M,pattern=random,writers=2");
    zc_synthetic_step(rig.guest, 600);
    memcpy(page_at(&rig, 40), page_at(&rig, 41), ZC_PAGE_BYTES);
    expect_one(&rig, ZC_SYNTHETIC_MISPLACED, 40);
    ck_assert_uint_eq(rig.report.findings[0].found, 41);
    memset(page_at(&rig, 40), 0, ZC_PAGE_BYTES);
    expect_one(&rig, ZC_SYNTHETIC_MISSING, 40);
    memset(page_at(&rig, 40), 0xee, ZC_PAGE_BYTES);
    expect_one(&rig, ZC_SYNTHETIC_FOREIGN, 40);
    rig_clear(&rig);
}
END_TEST

START_TEST(content_where_zeros_belong_is_found)
{
    struct rig rig;
    struct zc_stamp stamp = { .page = 40 };

    rig_init(&rig, "guest:2M,fill=zero:1");
    ck_assert_uint_eq(check(&rig), 0);
    zc_stamp_write(page_at(&rig, 40), &stamp, rig.state.options.seed);
    expect_one(&rig, ZC_SYNTHETIC_FOREIGN, 40);
    rig_clear(&rig);
}
END_TEST

START_TEST(any_flipped_bit_is_found)
{
    struct rig rig;

    rig_init(&rig, uris[_i]);
    zc_synthetic_step(rig.guest, 600);
    for (unsigned int i = 0; i < 300; i++) {
        uint64_t byte = (uint64_t)g_rand_int_range(rig.rand, 0, (int)RAM_BYTES);
        uint8_t bit = (uint8_t)(1u << g_rand_int_range(rig.rand, 0, 8));
        rig.ram->blocks[0].host[byte] ^= bit;
        ck_assert_uint_eq(check(&rig), 1);
        ck_assert_uint_eq(rig.report.findings[0].page, byte / ZC_PAGE_BYTES);
        rig.ram->blocks[0].host[byte] ^= bit;
    }
    ck_assert_uint_eq(check(&rig), 0);
    rig_clear(&rig);
}
END_TEST

START_TEST(ram_of_another_shape_is_all_foreign)
{
    struct rig rig;

    rig_init(&rig, uris[0]);
    ck_assert_uint_eq(check(&rig), 0);
    rig.state.options.size_bytes += ZC_PAGE_BYTES;
    ck_assert_uint_eq(zc_synthetic_check(rig.ram, &rig.state, &rig.report), PAGES);
    rig_clear(&rig);
}
END_TEST

/* ---------------------------------------------------------------------- walks */

static void count_walk(const char *uri, uint64_t writes, uint64_t *counts, struct zc_walk *walk)
{
    struct zc_synthetic_options options;

    ck_assert(zc_synthetic_options_parse(uri, &options, NULL));
    zc_walk_init(walk, &options, 0, zc_unit_seed());
    for (uint64_t sequence = 1; sequence <= writes; sequence++) {
        uint64_t index = zc_walk_index(walk, sequence);
        ck_assert_uint_lt(index, walk->n_walk);
        counts[index]++;
    }
}

START_TEST(patterns_are_what_they_are_called)
{
    uint64_t counts[PAGES] = { 0 };
    uint64_t most = 0;
    uint64_t touched = 0;
    struct zc_walk walk;

    count_walk("guest:2M,pattern=seq", 3 * PAGES, counts, &walk);
    for (uint64_t page = 0; page < PAGES; page++) {
        ck_assert_uint_eq(counts[page], 3);
    }
    memset(counts, 0, sizeof(counts));
    count_walk("guest:2M,pattern=hot:0.125", 100000, counts, &walk);
    ck_assert_uint_eq(walk.n_walk, PAGES / 8);
    memset(counts, 0, sizeof(counts));
    count_walk("guest:2M,pattern=random", 100 * PAGES, counts, &walk);
    for (uint64_t page = 0; page < PAGES; page++) {
        ck_assert_uint_gt(counts[page], 40); /* 100 expected, 10 the standard deviation */
        ck_assert_uint_lt(counts[page], 180);
    }
    memset(counts, 0, sizeof(counts));
    count_walk("guest:2M,pattern=zipf", 100 * PAGES, counts, &walk);
    for (uint64_t page = 0; page < PAGES; page++) {
        most = MAX(most, counts[page]);
        touched += counts[page] > 0;
    }
    /* 10 octaves: the favourite gets a tenth, and the last octave, half the pages, another */
    ck_assert_uint_gt(most, 10 * PAGES * 9 / 10);
    ck_assert_uint_gt(touched, PAGES * 9 / 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-synthetic-check");
    TCase *tcase = tcase_create("check");
    int n_uris = (int)G_N_ELEMENTS(uris);

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, what_the_guest_wrote_is_right, 0, n_uris);
    tcase_add_loop_test(tcase, torn_at_any_line_is_found, 0, n_uris);
    tcase_add_test(tcase, torn_names_both_versions);
    tcase_add_loop_test(tcase, stale_is_found, 0, n_uris);
    tcase_add_test(tcase, a_lost_write_shows_after_the_page_was_written_again);
    tcase_add_test(tcase, writes_done_twice_are_found);
    tcase_add_loop_test(tcase, future_is_found, 0, n_uris);
    tcase_add_test(tcase, misplaced_missing_and_foreign_are_found);
    tcase_add_test(tcase, content_where_zeros_belong_is_found);
    tcase_add_loop_test(tcase, any_flipped_bit_is_found, 0, n_uris);
    tcase_add_test(tcase, ram_of_another_shape_is_all_foreign);
    tcase_add_test(tcase, patterns_are_what_they_are_called);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
