/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Main streams that are right, made with the encoders: for the corpus and for
 * the unit tests.
 */
#ifndef ZC_TESTS_FUZZ_SAMPLES_H
#define ZC_TESTS_FUZZ_SAMPLES_H

#include <glib.h>

#include "wire/stream.h"

/* Room for all samples and little more. */
extern const struct zc_stream_limits zc_sample_limits;

/* As a stock QEMU with multifd (machine 8.1 or later) sends it, up to its first device. */
GByteArray *zc_sample_qemu_multifd(void);
/* As a stock QEMU without multifd: pages and zeros on the stream, then EOF and a description. */
GByteArray *zc_sample_plain(void);
/* As zcmig sends it to zcmig: a session before RAM and a manifest after the description. */
GByteArray *zc_sample_zcmig(void);
/* Every subsection of a configuration that is accepted, and every command that QEMU knows. */
GByteArray *zc_sample_configuration_and_commands(void);
/* Anything that the rules allow, drawn from @rand. */
GByteArray *zc_sample_random(GRand *rand);

/* A subsection as QEMU writes it; zcmig never does. */
void zc_sample_put_subsection(GByteArray *out, const char *name, const void *data, guint length);

#endif
