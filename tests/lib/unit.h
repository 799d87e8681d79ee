/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every libcheck program needs: a main() that runs one suite, prints the
 * random seed it uses, and honours ZC_SEED to repeat a run.
 */
#ifndef ZC_TESTS_UNIT_H
#define ZC_TESTS_UNIT_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include <glib.h>

/* The seed of this run: from $ZC_SEED, else drawn; printed by zc_unit_main. */
uint64_t zc_unit_seed(void);

/* A new directory, short enough for UNIX sockets; on tmpfs where there is one. */
char *zc_unit_make_dir(void);
/* Removes it with all in it, and frees the name. */
void zc_unit_remove_dir(char *dir);

/* Runs the suite and removes what directories failed tests left; returns main's exit code. */
int zc_unit_main(Suite *suite);

/* Fails unless @error is of code @expected and its message contains @part; clears it. */
void zc_unit_expect_error(GError **error, int expected, const char *part);

#endif
