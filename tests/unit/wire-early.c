/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of device state that comes before RAM is whole: its own footer with
 * what can follow it, and not one that the guest put into the state.
 */
#include "config.h"

#include <string.h>

#include "lib/unit.h"
#include "wire/early.h"

#define ID 0x27
#define RAM_ID 1
#define FOOTER "\x7e\0\0\0\x27"
#define STATE "0123456789"
#define BYTES(text) text, sizeof(text) - 1
#define STATE_AND_FOOTER (sizeof(STATE FOOTER) - 1)

static const struct zc_early behind_start = { .id = ID, .ram_started = true, .ram_id = RAM_ID };
static const struct zc_early before_ram = { .id = ID };

#define PART "\2\0\0\0\1"
#define END "\3\0\0\0\1"
#define EOS "\0\0\0\0\0\0\0\x10"
#define START "\1\0\0\0\1\3ram\0\0\0\0\0\0\0\4"
#define FULL "\4\0\0\0\x29\1d\0\0\0\0\0\0\0\1"

static const struct {
    const struct zc_early *early;
    const char *text;
    size_t length;
} followed[] = {
    { &behind_start, BYTES(STATE FOOTER PART "\0\0\0\0\0\0\0\x08\6pc.ram") },
    { &behind_start, BYTES(STATE FOOTER PART "\0\0\0\0\0\0\x10\x22") }, /* ZERO, CONTINUE */
    { &behind_start, BYTES(STATE FOOTER PART EOS) },
    { &behind_start, BYTES(STATE FOOTER END "\0\0\0\0\0\0\2\0") }, /* FLUSH */
    { &behind_start, BYTES(STATE FOOTER FULL) },
    { &behind_start, BYTES(STATE FOOTER "\x8\0\x0b\0\0") },   /* SWITCHOVER_START */
    { &behind_start, BYTES(STATE FOOTER "\x8\x7a\x63\0\1") }, /* zcmig's FAIL */
    { &before_ram, BYTES(STATE FOOTER START) },
    { &before_ram, BYTES(STATE FOOTER FULL) },
    { &before_ram, BYTES(STATE FOOTER "\x8\0\2\0\4") }, /* PING */
};

START_TEST(state_ends_where_something_follows)
{
    const uint8_t *bytes = (const uint8_t *)followed[_i].text;
    size_t all = followed[_i].length, searched = 0;

    ck_assert_uint_eq(zc_early_find(bytes, all, followed[_i].early, &searched), STATE_AND_FOOTER);
    /* However it is cut; and never sooner than what decides is there. */
    searched = 0;
    size_t cut = 0;
    for (size_t found = 0; !found; cut++) {
        ck_assert_uint_le(cut, all);
        found = zc_early_find(bytes, cut, followed[_i].early, &searched);
        ck_assert(found == 0 || found == STATE_AND_FOOTER);
    }
    ck_assert_uint_ge(cut, STATE_AND_FOOTER + 5);
}
END_TEST

static const struct {
    const struct zc_early *early;
    const char *text; /* of the state, with what only looks like its end */
    size_t length;
} imitations[] = {
    { &behind_start, BYTES(FOOTER "guest") },
    { &behind_start, BYTES("\x7e\0\0\0\x28" PART EOS) },               /* another id */
    { &behind_start, BYTES(FOOTER "\2\0\0\0\2" EOS) },                 /* not RAM's */
    { &behind_start, BYTES(FOOTER PART "\0\0\0\0\0\0\0\x04") },        /* MEM_SIZE: of START */
    { &behind_start, BYTES(FOOTER PART "\0\0\0\0\0\0\x10\x10") },      /* EOS with an offset */
    { &behind_start, BYTES(FOOTER START) },                            /* a second START */
    { &behind_start, BYTES(FOOTER "\4\0\0\0\x29\0\0\0\0\0\0\0\0\1") }, /* no name */
    { &behind_start, BYTES(FOOTER "\4\0\0\0\x29\1\x1f\0\0\0\0\0\0\0\1") },
    { &behind_start, BYTES(FOOTER "\x8\0\2\0\5") },
    { &behind_start, BYTES(FOOTER "\x8\0\3\0\x10") }, /* postcopy */
    { &behind_start, BYTES(FOOTER "\0\0\0\0\0") },    /* EOF */
    { &before_ram, BYTES(FOOTER PART EOS) },
    { &before_ram, BYTES(FOOTER "\1\0\0\0\1\3rom\0\0\0\0\0\0\0\4") },
    { &before_ram, BYTES(FOOTER "\1\0\0\0\1\3ram\0\0\0\1\0\0\0\4") },
};

START_TEST(an_imitation_of_the_end_is_passed_over)
{
    const struct zc_early *early = imitations[_i].early;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    size_t searched = 0;

    g_byte_array_append(bytes, (const guint8 *)imitations[_i].text, (guint)imitations[_i].length);
    g_byte_array_append(bytes, (const guint8 *)BYTES("....................."));
    ck_assert_uint_eq(zc_early_find(bytes->data, bytes->len, early, &searched), 0);
    size_t own = bytes->len;
    g_byte_array_append(bytes, (const guint8 *)BYTES(FOOTER FULL));
    ck_assert_uint_eq(zc_early_find(bytes->data, bytes->len, early, &searched),
                      own + sizeof(FOOTER) - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire-early");
    TCase *tcase = tcase_create("early");

    tcase_add_loop_test(tcase, state_ends_where_something_follows, 0, (int)G_N_ELEMENTS(followed));
    tcase_add_loop_test(tcase, an_imitation_of_the_end_is_passed_over, 0,
                        (int)G_N_ELEMENTS(imitations));
    suite_add_tcase(suite, tcase);
    return zc_unit_main(suite);
}
