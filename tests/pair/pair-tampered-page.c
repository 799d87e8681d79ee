/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page is changed between the ends: flipped, dropped, doubled over
 * another, misplaced, or made zero.  Verification finds every one, names the
 * page, and no output appears.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/random.h"
#include "lib/unit.h"

#define PAGE 4096u
#define PAGES 1200u
#define ROUNDS 6u

enum tampering {
    FLIP_BIT,     /* one bit of the content */
    DROP_PAGE,    /* the page is taken out of its packet */
    DOUBLE_PAGE,  /* the content of a neighbour comes in its place */
    SWAP_PAGES,   /* two pages change places */
    MAKE_ZERO,    /* the page is announced as zero */
    MAKE_STALE,   /* the packet's page comes again later, with older content */
    N_TAMPERINGS,
};

struct plan {
    enum tampering tampering;
    uint64_t skip_packets; /* packets with two pages or more that pass untouched */
    struct zc_random random;
    bool done;
    uint64_t wrong[2]; /* offsets of the pages that are wrong now */
    unsigned int n_wrong;
};

static void remove_at(struct zc_multifd_packet *packet, uint8_t *payload, uint32_t index)
{
    uint32_t after = packet->n_normal - index - 1;

    memmove(&packet->offsets[index], &packet->offsets[index + 1],
            (packet->n_normal + packet->n_zero - index - 1) * sizeof(packet->offsets[0]));
    memmove(payload + index * PAGE, payload + (index + 1) * PAGE, (size_t)after * PAGE);
    packet->n_normal--;
}

static void swap_pages(uint8_t *a, uint8_t *b)
{
    uint8_t page[PAGE];

    memcpy(page, a, PAGE);
    memcpy(a, b, PAGE);
    memcpy(b, page, PAGE);
}

static bool tamper(struct zc_multifd_packet *packet, uint8_t *payload, void *data)
{
    struct plan *plan = data;

    if (plan->done || packet->n_normal < 2 || plan->skip_packets-- > 0) {
        return true;
    }
    uint32_t i = (uint32_t)zc_random_below(&plan->random, packet->n_normal - 1);
    plan->done = true;
    plan->wrong[plan->n_wrong++] = packet->offsets[i];
    switch (plan->tampering) {
    case FLIP_BIT:
        payload[i * PAGE + zc_random_below(&plan->random, PAGE)] ^=
            (uint8_t)(1u << zc_random_below(&plan->random, 8));
        break;
    case DROP_PAGE:
        remove_at(packet, payload, i);
        break;
    case DOUBLE_PAGE:
        memcpy(payload + i * PAGE, payload + (i + 1) * PAGE, PAGE);
        break;
    case SWAP_PAGES:
        plan->wrong[plan->n_wrong++] = packet->offsets[i + 1];
        swap_pages(payload + i * PAGE, payload + (i + 1) * PAGE);
        break;
    case MAKE_ZERO: {
        uint64_t offset = packet->offsets[i];
        remove_at(packet, payload, i);
        packet->offsets[packet->n_normal + packet->n_zero++] = offset;
        break;
    }
    case MAKE_STALE:
        /* In the last place of the packet, the page before it once more: what it held is lost. */
        plan->wrong[0] = packet->offsets[packet->n_normal - 2];
        plan->wrong[plan->n_wrong++] = packet->offsets[packet->n_normal - 1];
        packet->offsets[packet->n_normal - 1] = packet->offsets[packet->n_normal - 2];
        break;
    default:
        break;
    }
    return true;
}

static void expect_found(struct zc_pair *pair, const struct plan *plan, const char *output)
{
    unsigned int n_runs;
    uint64_t n_pages = 0;
    const struct zcmig_mismatch *runs = zcmig_session_get_mismatches(pair->receiver, &n_runs);

    ck_assert_msg(plan->done, "nothing was tampered with");
    ck_assert(!pair->recv_ok && !pair->send_ok);
    ck_assert_int_eq(pair->recv_error->code, ZCMIG_ERROR_MISMATCH);
    ck_assert_msg(pair->send_error->code == ZCMIG_ERROR_MISMATCH, "sender: %s",
                  pair->send_error->message);
    ck_assert_uint_eq(pair->recv_stats.mismatched_pages, plan->n_wrong);
    ck_assert_uint_eq(pair->send_stats.mismatched_pages, plan->n_wrong);
    for (unsigned int wrong = 0; wrong < plan->n_wrong; wrong++) {
        bool named = false;
        for (unsigned int i = 0; i < n_runs; i++) {
            named |= plan->wrong[wrong] >= runs[i].offset &&
                     plan->wrong[wrong] < runs[i].offset + runs[i].n_pages * PAGE;
        }
        ck_assert_msg(named, "the page at 0x%llx is not named",
                      (unsigned long long)plan->wrong[wrong]);
    }
    for (unsigned int i = 0; i < n_runs; i++) {
        n_pages += runs[i].n_pages;
        ck_assert_str_eq(runs[i].block, "image");
    }
    ck_assert_uint_eq(n_pages, plan->n_wrong);
    ck_assert_msg(access(output, F_OK) < 0, "the output exists");
}

static void one_round(enum tampering tampering, uint64_t seed)
{
    char *dir = zc_unit_make_dir();
    g_autofree char *image = zc_pair_make_image(dir, PAGES, seed);
    g_autofree char *source = g_strdup_printf("file:%s", image);
    g_autofree char *output = g_build_filename(dir, "output.img", NULL);
    struct plan plan = { .tampering = tampering };
    struct zc_pair pair;

    zc_random_init(&plan.random, seed);
    plan.skip_packets = zc_random_below(&plan.random, 6);
    /* Into a file pages go by a buffer, into memory they are received in place. */
    zc_pair_init(&pair, source, zc_random_below(&plan.random, 2) ? output : NULL);
    pair.send.channels = 1 + (unsigned int)zc_random_below(&plan.random, 4);
    pair.send.verify = zc_random_below(&plan.random, 2) ? ZCMIG_VERIFY_AFTER : ZCMIG_VERIFY_BEFORE;
    zc_pair_start_receiver(&pair);
    struct zc_meddler *meddler =
        zc_meddler_start(zcmig_session_get_address(pair.receiver), tamper, &plan);
    zc_pair_start_sender(&pair, zc_meddler_address(meddler));
    zc_pair_join(&pair);
    expect_found(&pair, &plan, output);
    zc_pair_clear(&pair);
    zc_meddler_stop(meddler);
    zc_unit_remove_dir(dir);
}

START_TEST(every_tampering_is_found)
{
    for (unsigned int round = 0; round < ROUNDS; round++) {
        one_round((enum tampering)_i, zc_unit_seed() + round);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pair-tampered-page");
    TCase *tcase = tcase_create("tampered-page");

    tcase_set_timeout(tcase, ZC_PAIR_WATCHDOG_S);
    tcase_add_loop_test(tcase, every_tampering_is_found, 0, N_TAMPERINGS);
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
