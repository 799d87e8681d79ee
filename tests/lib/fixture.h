/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was recorded from real QEMUs: tests/qemu/fixtures.  Whole streams were
 * made with tests/qemu/lib/capture-stream, tails with capture-tail.
 */
#ifndef ZC_TESTS_FIXTURE_H
#define ZC_TESTS_FIXTURE_H

#include <glib.h>

/* One migration: NAME.main.gz, NAME.channel-N.gz, and what arrived in NAME.manifest. */
struct zc_fixture_stream {
    const char *name;
    const char *machine;
    unsigned int n_channels;
    gboolean has_return_path;
};

#define ZC_FIXTURE_STREAMS 5
extern const struct zc_fixture_stream zc_fixture_streams[ZC_FIXTURE_STREAMS];

/* The path of @file; the caller frees. */
char *zc_fixture_path(const char *file);

/* The content of @file, which was packed with gzip.  Ends the program when there is none. */
GByteArray *zc_fixture_load(const char *file);

#endif
