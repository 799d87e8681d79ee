/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "session/guest-check.h"

#define PAUSE_MS 10000

static bool fail(const struct zc_synthetic_report *report, uint64_t n_wrong, GError **error)
{
    const struct zc_synthetic_finding *first = &report->findings[0];

    return zc_error(error, ZCMIG_ERROR_MISMATCH,
                    "the guest does not find its RAM as it wrote it: %" G_GUINT64_FORMAT
                    " of %" G_GUINT64_FORMAT " pages are wrong; page %" G_GUINT64_FORMAT
                    " is %s: write %" G_GUINT64_FORMAT " was expected, found %" G_GUINT64_FORMAT,
                    n_wrong, report->pages, first->page, zc_synthetic_fault_name(first->fault),
                    first->expected, first->found);
}

bool zc_guest_check(struct zc_synthetic *guest, struct zcmig_live_stats *live, GError **error)
{
    struct zc_synthetic_report report;
    struct zc_synthetic_state state;

    if (zc_synthetic_pause(guest, zc_deadline_in(PAUSE_MS)) < 0) {
        return zc_error(error, ZCMIG_ERROR_TIMEOUT,
                        "the guest does not stop within %d ms to be checked", PAUSE_MS);
    }
    if (!zc_synthetic_get_state(guest, &state, error)) {
        return false;
    }
    uint64_t n_wrong = zc_synthetic_check(&zc_synthetic_source(guest)->ram, &state, &report);
    live->checked = true;
    live->guest_writes = 0;
    for (uint32_t i = 0; i < state.options.writers; i++) {
        live->guest_writes += state.writers[i].writes;
    }
    live->guest_wrong_pages = n_wrong;
    return n_wrong == 0 || fail(&report, n_wrong, error);
}

static void summarise(const struct zc_latency *from, struct zcmig_latency *to)
{
    G_STATIC_ASSERT(ZCMIG_LATENCY_BUCKETS == ZC_LATENCY_BUCKETS);
    *to = (struct zcmig_latency){
        .writes = from->count,
        .p50_ns = zc_latency_percentile_ns(from, 500),
        .p99_ns = zc_latency_percentile_ns(from, 990),
        .p999_ns = zc_latency_percentile_ns(from, 999),
        .max_ns = from->max_ns,
    };
    memcpy(to->histogram, from->buckets, sizeof(to->histogram));
}

void zc_guest_get_latency(struct zc_synthetic *guest, struct zcmig_live_stats *live)
{
    struct zc_synthetic_timeline timeline;

    zc_synthetic_get_timeline(guest, &timeline);
    summarise(&timeline.untracked, &live->untracked);
    summarise(&timeline.tracked, &live->tracked);
}
