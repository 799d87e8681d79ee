/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every tracker on every kind of memory.  The oracle is what migration needs: a
 * copy that is refreshed from the pages that a harvest tells, and from nothing
 * else, must in the end equal the memory.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <zcmig/error.h>

#include "base/clock.h"
#include "guest/track-uffd.h"
#include "guest/track.h"
#include "lib/guest-memory.h"
#include "lib/unit.h"

#define PAGES 4096u
#define RAM_BYTES ((uint64_t)PAGES * ZC_PAGE_BYTES)

enum how { HOW_SCAN, HOW_FAULT, HOW_FAULT_OLD, HOW_BITMAP, HOWS };

struct rig {
    enum how how;
    enum zc_memory_kind kind;
    uint8_t *memory;
    struct zc_ram ram;
    struct zc_bitmap marks; /* for HOW_BITMAP: the writers' own */
    struct zc_tracker_log log;
    struct zc_tracker *tracker;
    struct zc_bitmap dirty;
};

static struct zc_tracker *new_tracker(struct rig *rig, GError **error)
{
    switch (rig->how) {
    case HOW_SCAN:
        return zc_tracker_new(ZC_TRACKER_SCAN, NULL, error);
    case HOW_FAULT:
        return zc_tracker_new(ZC_TRACKER_FAULT, NULL, error);
    case HOW_FAULT_OLD: /* Linux 5.19 to 6.3 */
        return zc_track_fault_new(~(uint64_t)UFFD_FEATURE_WP_UNPOPULATED, error);
    default:
        rig->log.blocks = &rig->marks;
        return zc_tracker_new(ZC_TRACKER_BITMAP, &rig->log, error);
    }
}

/* False, with a line that says why, where this machine cannot. */
static bool rig_init(struct rig *rig, int index)
{
    g_autoptr(GError) error = NULL;

    memset(rig, 0, sizeof(*rig));
    rig->how = (enum how)(index % HOWS);
    rig->kind = (enum zc_memory_kind)(index / HOWS);
    zc_bitmap_init(&rig->marks, PAGES);
    zc_bitmap_init(&rig->dirty, PAGES);
    rig->memory = zc_memory_map(rig->kind, RAM_BYTES);
    rig->tracker = new_tracker(rig, &error);
    if (!rig->memory || !rig->tracker) {
        printf("not tested: memory %s: %s\n", zc_memory_kind_name(rig->kind),
               rig->memory ? error->message : "none on this machine");
        return false;
    }
    zc_ram_init(&rig->ram);
    zc_ram_add(&rig->ram, "ram", rig->memory, RAM_BYTES, NULL);
    ck_assert_msg(zc_tracker_start(rig->tracker, &rig->ram, &error), "%s",
                  error ? error->message : "");
    return true;
}

static void rig_clear(struct rig *rig)
{
    zc_tracker_free(rig->tracker);
    zc_ram_clear(&rig->ram);
    zc_bitmap_clear(&rig->marks);
    zc_bitmap_clear(&rig->dirty);
    if (rig->memory) {
        zc_memory_unmap(rig->memory, RAM_BYTES);
    }
}

static _Atomic uint32_t *page_word(const struct rig *rig, uint64_t page)
{
    return (_Atomic uint32_t *)(void *)(rig->memory + page * ZC_PAGE_BYTES + 64);
}

static void write_page(struct rig *rig, uint64_t page)
{
    atomic_fetch_add_explicit(page_word(rig, page), 1, memory_order_relaxed);
    zc_bitmap_set_page_atomic(&rig->marks, page);
}

static int64_t harvest_all(struct rig *rig)
{
    struct zc_range all = { .block = 0, .first_page = 0, .n_pages = PAGES };

    zc_bitmap_clear_range(&rig->dirty, 0, PAGES);
    return zc_tracker_harvest(rig->tracker, &all, &rig->dirty);
}

/* A kernel's harvest over hugetlb memory tells whole huge pages. */
static uint32_t granule_pages(const struct rig *rig)
{
    return rig->kind == ZC_MEMORY_HUGETLB && rig->how != HOW_BITMAP
               ? ZC_HUGE_PAGE_BYTES / ZC_PAGE_BYTES
               : 1;
}

/* What the harvest must tell: each page written, widened to granules. */
static void expect_dirty(const struct rig *rig, const bool *written)
{
    uint32_t granule = granule_pages(rig);

    for (uint32_t first = 0; first < PAGES; first += granule) {
        bool any = false;
        for (uint32_t page = first; page < first + granule; page++) {
            any |= written[page];
        }
        for (uint32_t page = first; page < first + granule; page++) {
            ck_assert_msg(zc_bitmap_test(&rig->dirty, page) == any,
                          "page %u: told %d, written %d (%s, %s)", page,
                          zc_bitmap_test(&rig->dirty, page), any, zc_tracker_name(rig->tracker),
                          zc_memory_kind_name(rig->kind));
        }
    }
}

START_TEST(every_write_is_told_by_exactly_one_harvest)
{
    struct rig rig;
    GRand *rand = g_rand_new_with_seed((guint32)zc_unit_seed());

    if (rig_init(&rig, _i)) {
        ck_assert_int_eq(harvest_all(&rig), 0);
        for (unsigned int round = 0; round < 20; round++) {
            bool written[PAGES] = { false };
            for (unsigned int i = 0; i < round * round; i++) {
                uint64_t page = (uint64_t)g_rand_int_range(rand, 0, PAGES);
                write_page(&rig, page);
                written[page] = true;
            }
            int64_t told = harvest_all(&rig);
            ck_assert_int_eq(told, (int64_t)zc_bitmap_count(&rig.dirty));
            expect_dirty(&rig, written);
            ck_assert_int_eq(harvest_all(&rig), 0);
        }
        struct zc_tracker_stats stats;
        zc_tracker_get_stats(rig.tracker, &stats);
        ck_assert_uint_eq(stats.harvests, 41);
        ck_assert_uint_gt(stats.dirty_pages, 0);
    }
    rig_clear(&rig);
    g_rand_free(rand);
}
END_TEST

START_TEST(a_harvest_leaves_what_is_outside_its_range)
{
    struct rig rig;

    if (rig_init(&rig, _i)) {
        uint32_t granule = granule_pages(&rig);
        struct zc_range middle = { .first_page = 1024, .n_pages = 1000 };
        bool inside[PAGES] = { false };
        bool outside[PAGES] = { false };
        for (uint64_t page = 0; page < PAGES; page += 3) {
            write_page(&rig, page);
            bool in = page >= 1024 && page < (2024 + granule - 1) / granule * granule;
            inside[page] = in;
            outside[page] = !in;
        }
        ck_assert_int_gt(zc_tracker_harvest(rig.tracker, &middle, &rig.dirty), 0);
        expect_dirty(&rig, inside);
        ck_assert_int_gt(harvest_all(&rig), 0);
        expect_dirty(&rig, outside);
    }
    rig_clear(&rig);
}
END_TEST

static int peek_all(struct rig *rig)
{
    struct zc_range all = { .n_pages = PAGES };

    zc_bitmap_clear_range(&rig->dirty, 0, PAGES);
    return zc_tracker_peek(rig->tracker, &all, &rig->dirty);
}

START_TEST(a_peek_tells_all_and_leaves_it_to_the_harvest)
{
    struct rig rig;

    if (rig_init(&rig, _i)) {
        struct zc_range all = { .n_pages = PAGES };
        struct zc_range beyond = { .first_page = PAGES - 1, .n_pages = 2 };
        bool written[PAGES] = { false };
        for (uint64_t page = 0; page < PAGES; page += 5) {
            write_page(&rig, page);
            written[page] = true;
        }
        ck_assert_int_eq(zc_tracker_peek(rig.tracker, &all, NULL), 0);
        ck_assert_int_eq(peek_all(&rig), 0);
        expect_dirty(&rig, written);
        /* What is written to a page that a peek told, and to one that it did not. */
        write_page(&rig, 5);
        write_page(&rig, 1);
        written[1] = true;
        ck_assert_int_eq(harvest_all(&rig), (int64_t)zc_bitmap_count(&rig.dirty));
        expect_dirty(&rig, written);
        ck_assert_int_eq(peek_all(&rig), 0);
        ck_assert_uint_eq(zc_bitmap_count(&rig.dirty), 0);
        ck_assert_int_eq(zc_tracker_peek(rig.tracker, &beyond, &rig.dirty), -EINVAL);
        ck_assert_int_eq(zc_tracker_peek(rig.tracker, &beyond, NULL), -EINVAL);
    }
    rig_clear(&rig);
}
END_TEST

START_TEST(an_empty_or_impossible_range_is_refused_or_nothing)
{
    struct rig rig;

    if (rig_init(&rig, _i)) {
        struct zc_range none = { .first_page = PAGES, .n_pages = 0 };
        struct zc_range beyond = { .first_page = PAGES - 1, .n_pages = 2 };
        struct zc_range no_block = { .block = 1, .n_pages = 1 };
        ck_assert_int_eq(zc_tracker_harvest(rig.tracker, &none, &rig.dirty), 0);
        ck_assert_int_eq(zc_tracker_harvest(rig.tracker, &beyond, &rig.dirty), -EINVAL);
        ck_assert_int_eq(zc_tracker_harvest(rig.tracker, &no_block, &rig.dirty), -EINVAL);
        zc_tracker_stop(rig.tracker);
        ck_assert_int_eq(harvest_all(&rig), -EINVAL);
    }
    rig_clear(&rig);
}
END_TEST

/* ------------------------------------------------- writers beside the harvests */

#define WRITERS 2u
#define WRITES_EACH 20000u

struct writer {
    struct rig *rig;
    uint32_t index;
    uint32_t n_pages; /* writes to this many from the first on */
    _Atomic uint32_t *running;
};

/* Its own pages only: page % WRITERS is the writer. */
static gpointer write_many(gpointer data)
{
    struct writer *writer = data;
    GRand *rand = g_rand_new_with_seed((guint32)zc_unit_seed() + writer->index);
    int pages_each = (int)(writer->n_pages / WRITERS);

    for (unsigned int i = 0; i < WRITES_EACH; i++) {
        uint64_t page = (uint64_t)g_rand_int_range(rand, 0, pages_each) * WRITERS;
        write_page(writer->rig, page + writer->index);
    }
    atomic_fetch_sub(writer->running, 1);
    g_rand_free(rand);
    return NULL;
}

/* Reads the told pages: order 1 has it that they were cleared before. */
static void refresh(struct rig *rig, uint32_t *copy)
{
    uint64_t at = 0;
    uint64_t first = 0;
    uint64_t n;

    while ((n = zc_bitmap_next_run(&rig->dirty, at, &first)) > 0) {
        for (at = first; at < first + n; at++) {
            copy[at] = atomic_load_explicit(page_word(rig, at), memory_order_relaxed);
        }
    }
}

static uint32_t count_differences(const struct rig *rig, const uint32_t *copy)
{
    uint32_t wrong = 0;

    for (uint64_t page = 0; page < PAGES; page++) {
        wrong += copy[page] != atomic_load(page_word(rig, page));
    }
    return wrong;
}

struct crowd {
    struct writer writers[WRITERS];
    GThread *threads[WRITERS];
    _Atomic uint32_t running;
};

static void crowd_start(struct crowd *crowd, struct rig *rig, uint32_t n_pages)
{
    atomic_store(&crowd->running, WRITERS);
    for (uint32_t i = 0; i < WRITERS; i++) {
        crowd->writers[i] = (struct writer){
            .rig = rig, .index = i, .n_pages = n_pages, .running = &crowd->running
        };
        crowd->threads[i] = g_thread_new("writer", write_many, &crowd->writers[i]);
    }
}

static void crowd_join(struct crowd *crowd)
{
    for (uint32_t i = 0; i < WRITERS; i++) {
        g_thread_join(crowd->threads[i]);
    }
}

static void copy_all(const struct rig *rig, uint32_t *copy)
{
    for (uint64_t page = 0; page < PAGES; page++) {
        copy[page] = atomic_load(page_word(rig, page));
    }
}

/* Runs the writers to their end beside harvests; @copy has all but what a last harvest tells. */
static void run_writers(struct rig *rig, uint32_t n_pages, uint32_t *copy)
{
    struct crowd crowd;

    copy_all(rig, copy);
    crowd_start(&crowd, rig, n_pages);
    while (atomic_load(&crowd.running) > 0) {
        ck_assert_int_ge(harvest_all(rig), 0);
        refresh(rig, copy);
    }
    crowd_join(&crowd);
}

START_TEST(no_write_beside_harvests_is_lost)
{
    struct rig rig;
    g_autofree uint32_t *copy = g_new0(uint32_t, PAGES);

    if (rig_init(&rig, _i)) {
        run_writers(&rig, PAGES, copy);
        ck_assert_int_ge(harvest_all(&rig), 0);
        refresh(&rig, copy);
        ck_assert_uint_eq(count_differences(&rig, copy), 0);
    }
    rig_clear(&rig);
}
END_TEST

/* A few pages that are written and harvested all the time: the races between the two. */
START_TEST(no_write_to_hot_pages_is_lost)
{
    struct rig rig;
    g_autofree uint32_t *copy = g_new0(uint32_t, PAGES);

    if (rig_init(&rig, _i)) {
        for (unsigned int i = 0; i < 5; i++) {
            run_writers(&rig, 4, copy);
            ck_assert_int_ge(harvest_all(&rig), 0);
            refresh(&rig, copy);
            ck_assert_uint_eq(count_differences(&rig, copy), 0);
        }
    }
    rig_clear(&rig);
}
END_TEST

START_TEST(the_oracle_sees_one_lost_bit)
{
    struct rig rig;
    g_autofree uint32_t *copy = g_new0(uint32_t, PAGES);

    if (rig_init(&rig, _i)) {
        run_writers(&rig, PAGES, copy);
        write_page(&rig, 1717);
        ck_assert_int_gt(harvest_all(&rig), 0);
        ck_assert_uint_eq(zc_bitmap_clear_range(&rig.dirty, 1717, 1), 1);
        refresh(&rig, copy);
        ck_assert_uint_eq(count_differences(&rig, copy), 1);
    }
    rig_clear(&rig);
}
END_TEST

/* ------------------------------------------------------------------ life cycle */

START_TEST(a_stopped_tracker_starts_again)
{
    struct rig rig;

    if (rig_init(&rig, _i)) {
        for (unsigned int i = 0; i < 3; i++) {
            bool written[PAGES] = { false };
            write_page(&rig, 5);
            zc_tracker_stop(rig.tracker);
            write_page(&rig, 6);
            ck_assert(zc_tracker_start(rig.tracker, &rig.ram, NULL));
            write_page(&rig, 7);
            written[7] = true;
            ck_assert_int_gt(harvest_all(&rig), 0);
            expect_dirty(&rig, written);
        }
    }
    rig_clear(&rig);
}
END_TEST

START_TEST(stopping_lets_writers_go_on)
{
    struct rig rig;
    g_autofree uint32_t *before = g_new0(uint32_t, PAGES);
    uint64_t writes = 0;

    if (rig_init(&rig, _i)) {
        struct crowd crowd;
        copy_all(&rig, before);
        crowd_start(&crowd, &rig, PAGES);
        harvest_all(&rig);
        zc_tracker_stop(rig.tracker);
        crowd_join(&crowd);
        for (uint64_t page = 0; page < PAGES; page++) {
            writes += atomic_load(page_word(&rig, page)) - before[page];
        }
        ck_assert_uint_eq(writes, WRITERS * WRITES_EACH);
    }
    rig_clear(&rig);
}
END_TEST

START_TEST(memory_mapped_anew_is_an_error_and_no_silence)
{
    struct rig rig;

    if (rig_init(&rig, _i)) {
        write_page(&rig, 9);
        ck_assert_ptr_eq(mmap(rig.memory, RAM_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
                         rig.memory);
        int64_t ret = harvest_all(&rig);
        ck_assert_msg(ret < 0, "got %" G_GINT64_FORMAT, ret);
    }
    rig_clear(&rig);
}
END_TEST

/*
 * Its addresses may be somebody else's by then: here the next tracker's, which a kernel before 6.17
 * lets any userfaultfd unregister.
 */
START_TEST(freed_after_its_memory_it_leaves_the_next_alone)
{
    struct rig rig;

    if (rig_init(&rig, _i)) {
        bool written[PAGES] = { [9] = true };
        struct zc_tracker *before = rig.tracker;
        ck_assert_ptr_eq(mmap(rig.memory, RAM_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
                         rig.memory);
        rig.tracker = new_tracker(&rig, NULL);
        ck_assert(zc_tracker_start(rig.tracker, &rig.ram, NULL));
        zc_tracker_free_unmapped(before);
        write_page(&rig, 9);
        ck_assert_int_eq(harvest_all(&rig), 1);
        expect_dirty(&rig, written);
    }
    rig_clear(&rig);
}
END_TEST

START_TEST(memory_that_cannot_be_tracked_says_why)
{
    GError *error = NULL;
    struct zc_tracker *tracker = zc_track_fault_new(UINT64_MAX, NULL);
    FILE *file = fopen("/bin/sh", "re");
    struct statfs where;
    struct zc_ram ram;

    ck_assert(file && fstatfs(fileno(file), &where) == 0);
    uint8_t *memory = mmap(NULL, 4 * ZC_PAGE_BYTES, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    zc_ram_init(&ram);
    zc_ram_add(&ram, "flash", memory, 4 * ZC_PAGE_BYTES, NULL);
    if (!tracker || where.f_type == TMPFS_MAGIC) {
        printf("not tested: a file outside tmpfs, and a tracker that refuses it\n");
    } else {
        ck_assert(!zc_tracker_start(tracker, &ram, &error));
        zc_unit_expect_error(&error, ZCMIG_ERROR_UNSUPPORTED,
                             "block 'flash': writes to a mapping of the file '/");
    }
    zc_tracker_free(tracker);
    zc_ram_clear(&ram);
    munmap(memory, 4 * ZC_PAGE_BYTES);
    fclose(file);
}
END_TEST

START_TEST(kinds_have_names_and_a_wrong_one_is_told)
{
    GError *error = NULL;
    enum zc_tracker_kind kind = ZC_TRACKER_AUTO;

    ck_assert(zc_tracker_kind_parse("fault", &kind, &error));
    ck_assert_int_eq(kind, ZC_TRACKER_FAULT);
    ck_assert(!zc_tracker_kind_parse("ebpf", &kind, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_USAGE,
                         "got 'ebpf', allowed are auto, scan, fault, bitmap");
    ck_assert_int_eq(kind, ZC_TRACKER_FAULT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-track");
    TCase *tcase = tcase_create("track");
    int combinations = (int)ZC_MEMORY_KINDS * (int)HOWS;
    g_autoptr(GError) error = NULL;
    struct zc_tracker *any = zc_tracker_new(ZC_TRACKER_AUTO, NULL, &error);

    if (!any) {
        printf("skipped: %s\n", error->message);
        return 77;
    }
    zc_tracker_free(any);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, every_write_is_told_by_exactly_one_harvest, 0, combinations);
    tcase_add_loop_test(tcase, a_harvest_leaves_what_is_outside_its_range, 0, combinations);
    tcase_add_loop_test(tcase, a_peek_tells_all_and_leaves_it_to_the_harvest, 0, combinations);
    tcase_add_loop_test(tcase, an_empty_or_impossible_range_is_refused_or_nothing, 0, HOWS);
    tcase_add_loop_test(tcase, no_write_beside_harvests_is_lost, 0, combinations);
    tcase_add_loop_test(tcase, no_write_to_hot_pages_is_lost, 0, HOWS * 2);
    tcase_add_loop_test(tcase, the_oracle_sees_one_lost_bit, 0, HOWS);
    tcase_add_loop_test(tcase, a_stopped_tracker_starts_again, 0, combinations);
    tcase_add_loop_test(tcase, stopping_lets_writers_go_on, 0, HOWS);
    tcase_add_loop_test(tcase, memory_mapped_anew_is_an_error_and_no_silence, 0, HOW_BITMAP);
    tcase_add_loop_test(tcase, freed_after_its_memory_it_leaves_the_next_alone, 0, HOWS);
    tcase_add_test(tcase, memory_that_cannot_be_tracked_says_why);
    tcase_add_test(tcase, kinds_have_names_and_a_wrong_one_is_told);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
