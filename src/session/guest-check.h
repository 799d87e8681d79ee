/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a synthetic guest is whole after it was moved, or after it was not:
 * its RAM against its execution state.
 */
#ifndef ZC_SESSION_GUEST_CHECK_H
#define ZC_SESSION_GUEST_CHECK_H

#include <stdbool.h>

#include <zcmig/zcmig.h>

#include "guest/synthetic.h"

/*
 * Pauses @guest, which stays paused, and checks it: sets checked, guest_writes and
 * guest_wrong_pages of @live.  Errors: ZCMIG_ERROR_MISMATCH (which pages, and how), or that it
 * could not be checked.
 */
bool zc_guest_check(struct zc_synthetic *guest, struct zcmig_live_stats *live, GError **error);

/* What the writes of @guest took so far.  Any thread. */
void zc_guest_get_latency(struct zc_synthetic *guest, struct zcmig_live_stats *live);

#endif
