/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that a main stream decodes to, as bytes that can be compared, and
 * encoded again.  The fuzzer and the unit tests use it.
 */
#ifndef ZC_TESTS_FUZZ_STREAM_TRACE_H
#define ZC_TESTS_FUZZ_STREAM_TRACE_H

#include <glib.h>

#include "wire/stream.h"

struct zc_trace {
    GByteArray *events; /* each event, its data and its payload */
    GByteArray *again;  /* the events encoded; page records all with their block's name */
    GError *error;      /* what the decoder refused with; NULL: it only wants more */
    size_t used;        /* bytes taken */
    unsigned int n_events;
    enum zc_stream_event_type last;
};

/* Feeds @bytes so that each call has @step bytes more than the one before; @step 0: all at once. */
void zc_trace_init(struct zc_trace *trace, const struct zc_stream_limits *limits,
                   const uint8_t *bytes, size_t length, size_t step);
void zc_trace_clear(struct zc_trace *trace);

/* Same events, same end, same message. */
bool zc_trace_equal(const struct zc_trace *a, const struct zc_trace *b);

#endif
