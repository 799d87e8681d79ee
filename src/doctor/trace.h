/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Probe: where in the kernel user pages are copied, by kprobes and histograms
 * of their stacks.  Needs root, tracefs and CONFIG_KPROBE_EVENTS.
 */
#ifndef ZC_DOCTOR_TRACE_H
#define ZC_DOCTOR_TRACE_H

#include "doctor/stack.h"

struct zc_trace;

/*
 * Starts to collect, for the whole machine.  Nothing that others trace is touched: the probes and
 * the histograms have names of their own and a tracefs instance of their own.  What a zcmig that
 * was killed left behind is removed.  Errors: UNSUPPORTED with what the kernel or this build lacks
 * or forbids.
 */
struct zc_trace *zc_trace_start(GError **error);

/* Ends it, removes all that was made, and fills @traced_out, which the caller clears. */
void zc_trace_stop(struct zc_trace *trace, struct zc_traced *traced_out);

#endif
