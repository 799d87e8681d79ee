/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seeds from what real QEMUs sent (lib/fixture.h), cut to what a fuzzer likes. */
#ifndef ZC_TESTS_FUZZ_CAPTURED_H
#define ZC_TESTS_FUZZ_CAPTURED_H

#include <glib.h>

/* The main stream @file up to its first device, and a little of that; at most @bytes_max. */
GByteArray *zc_captured_stream(const char *file, guint bytes_max);

/*
 * The device tail of main stream @file with as many of its devices as @bytes_max allow for their
 * state and their part of the description: whole, as if the machine had no others.
 */
GByteArray *zc_captured_tail(const char *file, guint bytes_max);

#endif
