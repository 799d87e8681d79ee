/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Place, barrier and verification, each against what it promises. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "lib/unit.h"
#include "recv/barrier.h"
#include "recv/place.h"
#include "recv/verify.h"

#define PAGES 32

/* A store that notes what it is asked for. */
struct counting_store {
    struct zc_store base;
    unsigned int n_populate, n_zero;
    uint64_t populated, zeroed;
    int answer;
};

static _Alignas(4096) uint8_t memory[PAGES * ZC_PAGE_BYTES];
static struct counting_store store;
static struct zc_ram ram;
static struct zc_place place;

static int count_populate(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    (void)host;
    ((struct counting_store *)base)->n_populate++;
    ((struct counting_store *)base)->populated += bytes / ZC_PAGE_BYTES;
    return ((struct counting_store *)base)->answer;
}

static int count_zero(struct zc_store *base, uint8_t *host, uint64_t bytes)
{
    memset(host, 0, bytes);
    ((struct counting_store *)base)->n_zero++;
    ((struct counting_store *)base)->zeroed += bytes / ZC_PAGE_BYTES;
    return ((struct counting_store *)base)->answer;
}

static const struct zc_store_ops counting_ops = { .populate = count_populate, .zero = count_zero };

static void setup(void)
{
    store = (struct counting_store){ .base.ops = &counting_ops };
    zc_ram_init(&ram);
    zc_ram_add(&ram, "pc.ram", memory, sizeof(memory), NULL);
    place = (struct zc_place){ 0 };
    ck_assert(zc_place_init(&place, &ram, &store.base, true, true, NULL));
}

static void teardown(void)
{
    zc_place_clear(&place);
    zc_ram_clear(&ram);
}

START_TEST(a_page_is_populated_once_and_in_runs)
{
    ck_assert_int_eq(zc_place_prepare(&place, 0, 4, 4, false), 0);
    ck_assert_int_eq(zc_place_prepare(&place, 0, 4, 4, false), 0);
    ck_assert_uint_eq(store.n_populate, 1);
    ck_assert_int_eq(zc_place_prepare(&place, 0, 0, 12, false), 0); /* two runs around it */
    ck_assert_uint_eq(store.n_populate, 3);
    ck_assert_uint_eq(store.populated, 12);
}
END_TEST

START_TEST(only_pages_that_held_data_are_zeroed)
{
    ck_assert_int_eq(zc_place_zero(&place, 0, 0, PAGES), 0);
    ck_assert_uint_eq(store.n_zero, 0);
    ck_assert_uint_eq(place.arrival->blocks[0].digests[5], ZC_DIGEST_ZERO_PAGE);
    zc_place_prepare(&place, 0, 8, 2, false);
    memset(memory + 8 * ZC_PAGE_BYTES, 1, 2 * ZC_PAGE_BYTES);
    zc_place_arrived(&place, 0, 9);
    ck_assert_uint_ne(place.arrival->blocks[0].digests[9], ZC_DIGEST_ZERO_PAGE);
    ck_assert_int_eq(zc_place_zero(&place, 0, 0, PAGES), 0);
    ck_assert_uint_eq(store.zeroed, 2);
    ck_assert_uint_eq(place.arrival->blocks[0].digests[9], ZC_DIGEST_ZERO_PAGE);
    /* And they must be populated again. */
    zc_place_prepare(&place, 0, 9, 1, false);
    ck_assert_uint_eq(store.n_populate, 2);
}
END_TEST

START_TEST(a_full_store_is_told_and_tried_again)
{
    store.answer = -ENOSPC;
    ck_assert_int_eq(zc_place_prepare(&place, 0, 0, 4, false), -ENOSPC);
    store.answer = 0;
    ck_assert_int_eq(zc_place_prepare(&place, 0, 0, 4, false), 0);
    ck_assert_uint_eq(store.n_populate, 2);
}
END_TEST

START_TEST(without_populating_only_our_own_writes_are_prepared)
{
    place.populate = false;
    zc_place_prepare(&place, 0, 0, 4, false);
    ck_assert_uint_eq(store.n_populate, 0);
    zc_place_prepare(&place, 0, 8, 4, true);
    ck_assert_uint_eq(store.n_populate, 1);
}
END_TEST

/* ------------------------------------------------------------------ barrier */

static struct zc_stall stall;
static struct zc_barrier barrier;
static _Atomic unsigned int n_passed;

static gpointer arrive(gpointer data)
{
    int rc = zc_barrier_arrive(&barrier, GPOINTER_TO_UINT(data));

    n_passed += rc == 0;
    return GINT_TO_POINTER(rc);
}

START_TEST(all_wait_for_all_and_for_the_release)
{
    unsigned int missing = 99;
    int wake_fd = eventfd(0, EFD_CLOEXEC);
    GThread *threads[3];

    zc_stall_init(&stall, &zc_net_kernel, wake_fd, 100);
    ck_assert(zc_barrier_init(&barrier, 3, &stall, NULL));
    for (unsigned int round = 0; round < 20; round++) {
        n_passed = 0;
        for (unsigned int i = 0; i < 2; i++) {
            threads[i] = g_thread_new("arrive", arrive, GUINT_TO_POINTER(i));
        }
        if (round == 0) {
            ck_assert_int_eq(zc_barrier_wait(&barrier, &missing), -ETIMEDOUT);
            ck_assert_uint_eq(missing, 2);
            for (unsigned int i = 0; i < 2; i++) {
                ck_assert_int_eq(GPOINTER_TO_INT(g_thread_join(threads[i])), -ETIMEDOUT);
            }
            zc_barrier_clear(&barrier);
            stall.limit_ms = 10000;
            ck_assert(zc_barrier_init(&barrier, 3, &stall, NULL));
            continue;
        }
        threads[2] = g_thread_new("arrive", arrive, GUINT_TO_POINTER(2));
        ck_assert_int_eq(zc_barrier_wait(&barrier, &missing), 0);
        ck_assert_uint_eq(n_passed, 0);
        zc_barrier_release(&barrier);
        for (unsigned int i = 0; i < 3; i++) {
            ck_assert_int_eq(GPOINTER_TO_INT(g_thread_join(threads[i])), 0);
        }
    }
    zc_barrier_close(&barrier, 1);
    ck_assert_int_eq(zc_barrier_wait(&barrier, &missing), -EPIPE);
    ck_assert_uint_eq(missing, 1);
    ck_assert_uint_eq(zc_barrier_end(&barrier), 0);
    ck_assert(zc_barrier_has_ended(&barrier));
    threads[0] = g_thread_new("arrive", arrive, GUINT_TO_POINTER(0));
    ck_assert_int_eq(eventfd_write(wake_fd, 1), 0);
    ck_assert_int_eq(GPOINTER_TO_INT(g_thread_join(threads[0])), -ECANCELED);
    zc_barrier_clear(&barrier);
    close(wake_fd);
}
END_TEST

/* ------------------------------------------------------------- verification */

static struct zc_verify verify;
static GArray *runs;
static uint8_t digests[PAGES * 8];

static bool take(uint32_t block, uint64_t first, uint32_t n, GError **error)
{
    struct zc_extension message = { .type = ZC_EXTENSION_MANIFEST };

    message.manifest.block = block;
    message.manifest.first_page = first;
    message.manifest.n_digests = n;
    message.manifest.digests = digests + first * 8;
    return zc_verify_take(&verify, &message, error);
}

static bool take_end(uint64_t n_pages, GError **error)
{
    struct zc_extension message = { .type = ZC_EXTENSION_MANIFEST_END };

    message.manifest_end.n_pages = n_pages;
    return zc_verify_end(&verify, &message, error);
}

static void setup_verify(void)
{
    setup();
    for (unsigned int i = 0; i < PAGES; i++) {
        uint64_t digest = GUINT64_TO_BE(1000 + i);
        memcpy(digests + i * 8, &digest, 8);
        place.arrival->blocks[0].digests[i] = 1000 + i;
    }
    runs = g_array_new(FALSE, FALSE, sizeof(struct zc_mismatch));
    zc_verify_init(&verify, place.arrival, runs);
}

static void teardown_verify(void)
{
    g_array_unref(runs);
    teardown();
}

START_TEST(wrong_and_missing_pages_become_runs)
{
    char text[200];

    place.arrival->blocks[0].digests[3] = 7;
    place.arrival->blocks[0].digests[4] = 7;
    place.arrival->blocks[0].digests[5] = ZC_DIGEST_NONE;
    place.arrival->blocks[0].digests[31] = 7;
    ck_assert(take(0, 0, 4, NULL)); /* a run across two pieces */
    ck_assert(take(0, 4, 28, NULL));
    ck_assert(take_end(PAGES, NULL));
    ck_assert_uint_eq(verify.n_wrong, 4);
    ck_assert_uint_eq(verify.n_compared, PAGES);
    ck_assert_uint_eq(runs->len, 3);
    const struct zc_mismatch *run = &g_array_index(runs, struct zc_mismatch, 0);
    ck_assert_uint_eq(run->first_page, 3);
    ck_assert_uint_eq(run->n_pages, 2);
    ck_assert_int_eq(run[1].kind, ZC_MISMATCH_MISSING);
    zc_verify_describe(&verify, text, sizeof(text));
    ck_assert_str_eq(text, "block 'pc.ram' at 0x3000, 2 pages: not what was sent");
}
END_TEST

START_TEST(a_manifest_with_gaps_or_too_much_is_refused)
{
    GError *error = NULL;

    ck_assert(!take(0, 1, 1, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "allowed are those of block 0 from page 0");
    ck_assert(!take(1, 0, 1, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "got digests of block 1");
    ck_assert(!take(0, 0, PAGES + 1, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "has 32 pages");
    ck_assert(!take(0, 0, 0, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "got 0 digests");
    ck_assert(take(0, 0, 10, &error));
    ck_assert(!take_end(10, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "10 digests came");
    ck_assert(!take_end(PAGES, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "32 were announced");
    ck_assert(take(0, 10, PAGES - 10, &error));
    ck_assert(!take(1, 0, 1, &error));
    zc_unit_expect_error(&error, ZCMIG_ERROR_PROTOCOL, "got digests of block 1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recv-place");
    TCase *tcase = tcase_create("place");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_page_is_populated_once_and_in_runs);
    tcase_add_test(tcase, only_pages_that_held_data_are_zeroed);
    tcase_add_test(tcase, a_full_store_is_told_and_tried_again);
    tcase_add_test(tcase, without_populating_only_our_own_writes_are_prepared);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("barrier");
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, all_wait_for_all_and_for_the_release);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("verify");
    tcase_add_checked_fixture(tcase, setup_verify, teardown_verify);
    tcase_add_test(tcase, wrong_and_missing_pages_become_runs);
    tcase_add_test(tcase, a_manifest_with_gaps_or_too_much_is_refused);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
