/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The synthetic guest as a guest: it runs, is paused, is tracked, moves, and
 * goes on.  The checker decides what is right; times are never asserted from
 * below but where the clock itself is the subject.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <zcmig/error.h>

#include "guest/synthetic-writer.h"
#include "guest/synthetic.h"
#include "guest/track-uffd.h"
#include "lib/unit.h"

static struct zc_synthetic *new_guest(const char *uri)
{
    struct zc_synthetic_options options;
    g_autoptr(GError) error = NULL;

    ck_assert_msg(zc_synthetic_options_parse(uri, &options, &error), "%s",
                  error ? error->message : "");
    options.seed = zc_unit_seed();
    struct zc_synthetic *guest = zc_synthetic_new(&options, &error);
    ck_assert_msg(guest != NULL, "%s", error ? error->message : "");
    return guest;
}

static struct zc_ram *ram_of(struct zc_synthetic *guest)
{
    return &zc_synthetic_source(guest)->ram;
}

static uint64_t writes_of(struct zc_synthetic *guest)
{
    struct zc_synthetic_timeline timeline;

    zc_synthetic_get_timeline(guest, &timeline);
    return timeline.writes;
}

/* Waits until there were @goal writes in all. */
static void run_until(struct zc_synthetic *guest, uint64_t goal)
{
    zc_deadline deadline = zc_deadline_in(30000);

    while (writes_of(guest) < goal) {
        ck_assert_msg(zc_clock_now_ns() < deadline, "no %" G_GUINT64_FORMAT " writes in 30 s",
                      goal);
        sched_yield();
    }
}

/* Waits for @more writes. */
static void run_for(struct zc_synthetic *guest, uint64_t more)
{
    run_until(guest, writes_of(guest) + more);
}

static void pause_guest(struct zc_synthetic *guest)
{
    ck_assert_int_eq(zc_synthetic_pause(guest, zc_deadline_in(10000)), 0);
}

static uint64_t wrong_pages(const struct zc_ram *ram, struct zc_synthetic *guest)
{
    struct zc_synthetic_state state;
    struct zc_synthetic_report report;

    ck_assert(zc_synthetic_get_state(guest, &state, NULL));
    return zc_synthetic_check(ram, &state, &report);
}

/* RAM of the same shape elsewhere, as a store would have it. */
static struct zc_ram new_ram_like(const struct zc_ram *ram)
{
    struct zc_ram copy;
    uint64_t bytes = ram->blocks[0].used_bytes;
    uint8_t *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(host, MAP_FAILED);
    zc_ram_init(&copy);
    ck_assert_int_eq(zc_ram_add(&copy, ram->blocks[0].name, host, bytes, NULL), 0);
    return copy;
}

static void free_ram(struct zc_ram *ram)
{
    munmap(ram->blocks[0].host, ram->blocks[0].used_bytes);
    zc_ram_clear(ram);
}

/* The state crosses as bytes. */
static struct zc_synthetic *incoming(const struct zc_ram *ram, struct zc_synthetic *guest)
{
    struct zc_synthetic_state state;
    g_autoptr(GBytes) bytes = zc_synthetic_save_state(guest, NULL);

    ck_assert_ptr_nonnull(bytes);
    ck_assert(zc_synthetic_load_state(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                                      &state, NULL));
    struct zc_synthetic *copy = zc_synthetic_new_incoming(ram, &state, NULL);
    ck_assert_ptr_nonnull(copy);
    return copy;
}

/* ------------------------------------------------------------------ pausing */

START_TEST(every_pause_finds_whole_writes)
{
    struct zc_synthetic *guest = new_guest("guest:256K,dirty=max,writers=3");

    for (unsigned int i = 0; i < 60; i++) {
        zc_synthetic_resume(guest);
        run_for(guest, 50);
        pause_guest(guest);
        ck_assert_uint_eq(wrong_pages(ram_of(guest), guest), 0);
    }
    pause_guest(guest); /* again: nothing happens */
    zc_synthetic_free(guest);
}
END_TEST

START_TEST(a_running_guest_has_no_state)
{
    struct zc_synthetic *guest = new_guest("guest:256K,dirty=max");
    GError *error = NULL;

    zc_synthetic_resume(guest);
    ck_assert_ptr_null(zc_synthetic_save_state(guest, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_FAILED, "while it runs");
    zc_synthetic_free(guest);
}
END_TEST

START_TEST(a_napping_or_idle_guest_pauses_at_once)
{
    /* 5 bytes a second each: the next write is due in 13 minutes */
    struct zc_synthetic *guest = new_guest(_i ? "guest:256K,dirty=20,writers=4" : "guest:256K");

    zc_synthetic_resume(guest);
    run_until(guest, _i ? 4 : 0); /* some of the four may be there already */
    pause_guest(guest);
    ck_assert_uint_eq(wrong_pages(ram_of(guest), guest), 0);
    zc_synthetic_free(guest);
}
END_TEST

START_TEST(a_writer_stuck_in_a_fault_makes_pausing_time_out)
{
    struct zc_synthetic *guest = new_guest("guest:256K,dirty=max,writers=2");
    struct zc_uffd uffd;

    if (!zc_uffd_open(&uffd, UFFD_FEATURE_PAGEFAULT_FLAG_WP, 0, "test", NULL)) {
        printf("not tested: a fault that nobody resolves: no userfaultfd\n");
    } else {
        ck_assert(zc_uffd_register(&uffd, ram_of(guest), NULL));
        ck_assert(zc_uffd_protect_all(&uffd, ram_of(guest), NULL));
        zc_synthetic_resume(guest);
        struct pollfd stuck = { .fd = uffd.fd, .events = POLLIN };
        ck_assert_int_eq(poll(&stuck, 1, 10000), 1);
        ck_assert_int_eq(zc_synthetic_pause(guest, zc_deadline_in(100)), -ETIMEDOUT);
        zc_uffd_stop(&uffd, ram_of(guest));
        run_for(guest, 100); /* it runs on */
        pause_guest(guest);
        ck_assert_uint_eq(wrong_pages(ram_of(guest), guest), 0);
        zc_uffd_close(&uffd);
    }
    zc_synthetic_free(guest);
}
END_TEST

/* ------------------------------------------------------------------- pacing */

START_TEST(a_paced_guest_never_writes_more_than_its_rate)
{
    struct zc_synthetic *guest = new_guest("guest:1M,dirty=80M,writers=4,pattern=seq");
    int64_t before_ns = zc_clock_now_ns();
    unsigned int throttle = _i ? 50 : 0;

    zc_synthetic_set_throttle(guest, throttle);
    zc_synthetic_resume(guest);
    run_for(guest, 3000);
    pause_guest(guest);
    double elapsed_ns = (double)(zc_clock_now_ns() - before_ns);
    double rate_per_ns = 80.0 * (1 << 20) / ZC_PAGE_BYTES / 1e9 * (100 - throttle) / 100;
    ck_assert_double_le((double)writes_of(guest),
                        rate_per_ns * (elapsed_ns + ZC_PACER_BURST_NS + ZC_PACER_NAP_NS) + 4);
    zc_synthetic_free(guest);
}
END_TEST

/* ------------------------------------------------------------ going on elsewhere */

static const char *const uris[] = {
    "guest:2M,pattern=random,writers=3",
    "guest:2M,pattern=seq",
    "guest:2M,pattern=zipf,writers=5,fill=zero:0.7",
    "guest:2M,pattern=hot:0.01,writers=2",
};

START_TEST(saved_loaded_and_continued_equals_uninterrupted)
{
    struct zc_synthetic *whole = new_guest(uris[_i]);
    struct zc_synthetic *first = new_guest(uris[_i]);
    struct zc_ram copy = new_ram_like(ram_of(first));
    uint64_t bytes = copy.blocks[0].used_bytes;

    zc_synthetic_step(whole, 1500);
    zc_synthetic_step(first, 700);
    memcpy(copy.blocks[0].host, ram_of(first)->blocks[0].host, bytes);
    struct zc_synthetic *second = incoming(&copy, first);
    zc_synthetic_step(second, 800);
    ck_assert_mem_eq(copy.blocks[0].host, ram_of(whole)->blocks[0].host, bytes);
    ck_assert_uint_eq(wrong_pages(&copy, second), 0);
    ck_assert_uint_eq(writes_of(second), writes_of(whole));
    zc_synthetic_free(whole);
    zc_synthetic_free(first);
    zc_synthetic_free(second);
    free_ram(&copy);
}
END_TEST

START_TEST(a_state_does_not_fit_other_ram)
{
    struct zc_synthetic *guest = new_guest("guest:256K");
    struct zc_synthetic *other = new_guest("guest:512K");
    struct zc_synthetic_state state;
    GError *error = NULL;

    ck_assert(zc_synthetic_get_state(guest, &state, NULL));
    ck_assert_ptr_null(zc_synthetic_new_incoming(ram_of(other), &state, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "524288 bytes, the state is of one block");
    zc_synthetic_free(guest);
    zc_synthetic_free(other);
}
END_TEST

/* -------------------------------------------------- a move, without a transport */

static const struct {
    const char *uri;
    enum zc_tracker_kind kind;
} moves[] = {
    { "guest:8M,dirty=max,writers=2", ZC_TRACKER_SCAN },
    { "guest:8M,dirty=max,writers=2,memory=memfd,fill=zero:0.5", ZC_TRACKER_SCAN },
    { "guest:8M,dirty=max,writers=2,hugepages,pattern=zipf", ZC_TRACKER_SCAN },
    { "guest:8M,dirty=max,writers=2", ZC_TRACKER_FAULT },
    { "guest:8M,dirty=max,writers=2,memory=memfd,fill=zero:0.5", ZC_TRACKER_FAULT },
    { "guest:8M,dirty=max,writers=2,hugepages,pattern=zipf", ZC_TRACKER_FAULT },
};

static void copy_dirty(const struct zc_bitmap *dirty, const struct zc_ram *from,
                       const struct zc_ram *to)
{
    uint64_t at = 0;
    uint64_t first = 0;
    uint64_t n;

    while ((n = zc_bitmap_next_run(dirty, at, &first)) > 0) {
        memcpy(to->blocks[0].host + first * ZC_PAGE_BYTES,
               from->blocks[0].host + first * ZC_PAGE_BYTES, n * ZC_PAGE_BYTES);
        at = first + n;
    }
}

/* Pre-copy; the guest is paused in the end, and @dirty has what is left to copy. */
static void copy_live(struct zc_source *source, struct zc_tracker *tracker, const struct zc_ram *to,
                      struct zc_bitmap *dirty)
{
    struct zc_range all = { .n_pages = (uint32_t)dirty->n_pages };

    zc_bitmap_set_range(dirty, 0, dirty->n_pages);
    for (unsigned int i = 0; i < 8; i++) {
        copy_dirty(dirty, &source->ram, to);
        zc_bitmap_clear_range(dirty, 0, dirty->n_pages);
        run_for(zc_synthetic_from_source(source), 20);
        ck_assert_int_gt(zc_tracker_harvest(tracker, &all, dirty), 0);
    }
    copy_dirty(dirty, &source->ram, to);
    zc_bitmap_clear_range(dirty, 0, dirty->n_pages);
    ck_assert_int_eq(source->live->pause(source, zc_deadline_in(10000)), 0);
    ck_assert_int_ge(zc_tracker_harvest(tracker, &all, dirty), 0);
}

struct move {
    struct zc_synthetic *guest;
    struct zc_source *source;
    struct zc_tracker *tracker;
    struct zc_ram copy;
    struct zc_bitmap dirty;
};

static bool move_init(struct move *move, int index)
{
    g_autoptr(GError) error = NULL;

    move->guest = new_guest(moves[index].uri);
    move->source = zc_synthetic_source(move->guest);
    move->copy = new_ram_like(&move->source->ram);
    zc_bitmap_init(&move->dirty, zc_ram_pages(&move->copy));
    zc_synthetic_resume(move->guest);
    run_for(move->guest, 100);
    move->tracker = move->source->live->start_tracker(move->source, moves[index].kind, &error);
    if (!move->tracker) {
        printf("not tested: %s\n", error->message);
    }
    return move->tracker != NULL;
}

static void move_clear(struct move *move)
{
    if (move->tracker) {
        move->source->live->stop_tracker(move->source, move->tracker, true);
    }
    move->source->ops->free(move->source);
    zc_bitmap_clear(&move->dirty);
    free_ram(&move->copy);
}

START_TEST(a_guest_moves_while_it_writes_and_goes_on)
{
    struct move move;

    if (move_init(&move, _i)) {
        copy_live(move.source, move.tracker, &move.copy, &move.dirty);
        int64_t paused_ns = zc_clock_now_ns();
        copy_dirty(&move.dirty, &move.source->ram, &move.copy);
        struct zc_synthetic *moved = incoming(&move.copy, move.guest);
        ck_assert_uint_eq(wrong_pages(&move.copy, moved), 0);

        /* The blackout is in the guest's own timeline, though half of it was elsewhere. */
        struct zc_synthetic_timeline timeline;
        int64_t resumed_ns = zc_clock_now_ns();
        zc_synthetic_step(moved, 1);
        zc_synthetic_get_timeline(moved, &timeline);
        ck_assert_int_ge(timeline.gap_ns, resumed_ns - paused_ns);
        ck_assert_int_le(timeline.gap_start_ns, paused_ns);
        zc_synthetic_reset_gap(moved);
        zc_synthetic_get_timeline(moved, &timeline);
        ck_assert_int_eq(timeline.gap_ns, 0);

        zc_synthetic_resume(moved);
        run_for(moved, 2000);
        pause_guest(moved);
        ck_assert_uint_eq(wrong_pages(&move.copy, moved), 0);
        zc_synthetic_get_timeline(moved, &timeline);
        ck_assert_uint_gt(timeline.untracked.count, 0);
        ck_assert_uint_eq(timeline.tracked.count, 0);
        zc_synthetic_get_timeline(move.guest, &timeline);
        ck_assert_uint_gt(timeline.tracked.count, 0);
        ck_assert_uint_eq(timeline.tracked.count + timeline.untracked.count, timeline.writes);
        zc_synthetic_free(moved);
    }
    move_clear(&move);
}
END_TEST

START_TEST(a_lost_dirty_bit_is_a_stale_page_there)
{
    struct move move;

    if (move_init(&move, _i)) {
        struct zc_synthetic_state state;
        struct zc_synthetic_report report;
        uint64_t lost = 0;
        copy_live(move.source, move.tracker, &move.copy, &move.dirty);
        struct zc_range all = { .n_pages = (uint32_t)move.dirty.n_pages };
        copy_dirty(&move.dirty, &move.source->ram, &move.copy);
        zc_bitmap_clear_range(&move.dirty, 0, move.dirty.n_pages);
        /* After that copy: a page of it that is written now would be there already. */
        zc_synthetic_step(move.guest, 1);
        ck_assert_int_eq(zc_tracker_harvest(move.tracker, &all, &move.dirty), 2);
        zc_bitmap_next_run(&move.dirty, 0, &lost);
        zc_bitmap_clear_range(&move.dirty, lost, 1);
        copy_dirty(&move.dirty, &move.source->ram, &move.copy);
        ck_assert(zc_synthetic_get_state(move.guest, &state, NULL));
        ck_assert_uint_eq(zc_synthetic_check(&move.copy, &state, &report), 1);
        ck_assert_uint_eq(report.counts[ZC_SYNTHETIC_STALE], 1);
        ck_assert_uint_eq(report.findings[0].page, lost);
    }
    move_clear(&move);
}
END_TEST

START_TEST(a_failed_move_leaves_the_guest_running)
{
    struct move move;

    if (move_init(&move, _i)) {
        copy_live(move.source, move.tracker, &move.copy, &move.dirty);
        move.source->live->resume(move.source);
        move.source->live->stop_tracker(move.source, g_steal_pointer(&move.tracker), false);
        run_for(move.guest, 500);
        pause_guest(move.guest);
        ck_assert_uint_eq(wrong_pages(&move.source->ram, move.guest), 0);
    }
    move_clear(&move);
}
END_TEST

/* ---------------------------------------------------------------- rehearsal */

/* Beside a guest that runs: nothing is written by the other one, and nothing changes for it. */
START_TEST(a_rehearsal_leaves_the_guest_as_it_is)
{
    struct zc_synthetic *guest = new_guest("guest:256K,dirty=max,writers=3");
    int64_t begin_ns = zc_clock_now_ns(), took_ns = 0;

    zc_synthetic_resume(guest);
    for (unsigned int i = 0; i < 20; i++) {
        ck_assert(zc_synthetic_rehearse(guest, &took_ns, NULL));
        ck_assert_int_gt(took_ns, 0);
        ck_assert_int_le(took_ns, zc_clock_now_ns() - begin_ns);
    }
    run_for(guest, 50);
    pause_guest(guest);
    ck_assert_uint_eq(wrong_pages(ram_of(guest), guest), 0);
    zc_synthetic_free(guest);
}
END_TEST

/* ----------------------------------------------------------------- timeline */

START_TEST(a_gap_of_another_boot_is_no_gap)
{
    struct zc_synthetic *guest = new_guest("guest:256K");
    struct zc_synthetic_state state;
    struct zc_synthetic_timeline timeline;

    zc_synthetic_step(guest, 10);
    ck_assert(zc_synthetic_get_state(guest, &state, NULL));
    state.boot_id[3] ^= 1;
    state.writers[0].last_write_ns = 1;
    struct zc_synthetic *moved = zc_synthetic_new_incoming(ram_of(guest), &state, NULL);
    zc_synthetic_step(moved, 1);
    zc_synthetic_get_timeline(moved, &timeline);
    ck_assert_int_eq(timeline.gap_ns, 0);
    ck_assert_int_eq(timeline.move_ns, 0);
    ck_assert_uint_eq(timeline.writes, 11);
    zc_synthetic_free(moved);
    zc_synthetic_free(guest);
}
END_TEST

/* The gap of the move is the first one here, however long the guest is stopped later. */
START_TEST(the_gap_of_the_move_is_the_first)
{
    struct zc_synthetic *guest = new_guest("guest:256K,dirty=max");
    struct zc_synthetic_timeline timeline;
    struct zc_synthetic_state state;

    zc_synthetic_step(guest, 10);
    zc_synthetic_get_timeline(guest, &timeline);
    ck_assert_int_eq(timeline.move_ns, 0);
    ck_assert(zc_synthetic_get_state(guest, &state, NULL));
    struct zc_synthetic *moved = zc_synthetic_new_incoming(ram_of(guest), &state, NULL);
    int64_t before_ns = zc_clock_now_ns();
    zc_synthetic_step(moved, 1);
    zc_synthetic_get_timeline(moved, &timeline);
    int64_t move_ns = timeline.move_ns;
    ck_assert_int_ge(move_ns, before_ns - state.writers[0].last_write_ns);
    ck_assert_int_le(move_ns, zc_clock_now_ns() - state.writers[0].last_write_ns);
    while (zc_clock_now_ns() < before_ns + 2 * move_ns) {
    }
    zc_synthetic_step(moved, 1);
    zc_synthetic_get_timeline(moved, &timeline);
    ck_assert_int_eq(timeline.move_ns, move_ns);
    zc_synthetic_free(moved);
    zc_synthetic_free(guest);
}
END_TEST

START_TEST(percentiles_are_the_ends_of_buckets)
{
    struct zc_latency latency = { .buckets = { [5] = 90, [10] = 9, [20] = 1 },
                                  .count = 100,
                                  .max_ns = 1500000 };
    struct zc_latency none = { .count = 0 };

    ck_assert_int_eq(zc_latency_percentile_ns(&latency, 500), 63);
    ck_assert_int_eq(zc_latency_percentile_ns(&latency, 900), 63);
    ck_assert_int_eq(zc_latency_percentile_ns(&latency, 990), 2047);
    ck_assert_int_eq(zc_latency_percentile_ns(&latency, 1000), 1500000);
    ck_assert_int_eq(zc_latency_percentile_ns(&none, 500), 0);
}
END_TEST

START_TEST(a_uri_gives_a_running_source)
{
    g_autoptr(GError) error = NULL;
    struct zc_source *source = zc_synthetic_open("guest:256K,dirty=max", &error);

    ck_assert_ptr_nonnull(source);
    ck_assert_str_eq(source->uri, "guest:256K,dirty=max");
    ck_assert_uint_eq(zc_ram_bytes(&source->ram), 256 << 10);
    run_for(zc_synthetic_from_source(source), 10);
    source->ops->free(source);
    ck_assert_ptr_null(zc_synthetic_open("guest:1X", &error));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guest-synthetic-run");
    TCase *tcase = tcase_create("run");
    int n_moves = (int)G_N_ELEMENTS(moves);

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_pause_finds_whole_writes);
    tcase_add_test(tcase, a_running_guest_has_no_state);
    tcase_add_loop_test(tcase, a_napping_or_idle_guest_pauses_at_once, 0, 2);
    tcase_add_test(tcase, a_writer_stuck_in_a_fault_makes_pausing_time_out);
    tcase_add_loop_test(tcase, a_paced_guest_never_writes_more_than_its_rate, 0, 2);
    tcase_add_loop_test(tcase, saved_loaded_and_continued_equals_uninterrupted, 0,
                        (int)G_N_ELEMENTS(uris));
    tcase_add_test(tcase, a_state_does_not_fit_other_ram);
    tcase_add_loop_test(tcase, a_guest_moves_while_it_writes_and_goes_on, 0, n_moves);
    tcase_add_loop_test(tcase, a_lost_dirty_bit_is_a_stale_page_there, 0, n_moves);
    tcase_add_loop_test(tcase, a_failed_move_leaves_the_guest_running, 0, n_moves);
    tcase_add_test(tcase, a_rehearsal_leaves_the_guest_as_it_is);
    tcase_add_test(tcase, a_gap_of_another_boot_is_no_gap);
    tcase_add_test(tcase, the_gap_of_the_move_is_the_first);
    tcase_add_test(tcase, percentiles_are_the_ends_of_buckets);
    tcase_add_test(tcase, a_uri_gives_a_running_source);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
