/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzz target: one parser, and what must hold of it whatever the bytes are.
 * The same file links with libFuzzer (--enable-fuzzing) and with replay.c,
 * which runs it over the committed corpus in make check.
 */
#ifndef ZC_TESTS_FUZZ_FUZZ_H
#define ZC_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* An invariant.  Aborts, also in builds without assertions. */
#define ZC_MUST(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
