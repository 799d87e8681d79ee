/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: no model of the guest, only its last measurements.  Bandwidth is a
 * sum of bytes over a sum of time, both halved by each iteration that counts,
 * so that a long iteration weighs more than a short one and an old one less
 * than a new one.  The first iteration counts only until there is a second: it
 * makes the destination's memory, which takes longer than to fill it again, and
 * so would the last pages.  Therefore the guest is not stopped on its word
 * alone, unless next to nothing is dirty.  The estimate takes what is dirty as
 * all of what has to be sent: what the guest writes while it is being stopped
 * is nothing beside it.
 */
#include "config.h"

#include <math.h>

#include <glib.h>

#include "base/clock.h"
#include "base/size.h"
#include "send/converge.h"

#define BETTER 0.95 /* under so much of what was before is less; the rest is noise */

void zc_converge_init(struct zc_converge *converge, const struct zc_converge_options *options,
                      int64_t fixed_ns, int64_t now_ns)
{
    *converge = (struct zc_converge){
        .options = *options,
        .start_ns = now_ns,
        .fixed_ns = fixed_ns,
        .estimate_ns = INT64_MAX,
        .best_ns = INT64_MAX,
        .best_at_ns = now_ns,
    };
}

void zc_converge_sent(struct zc_converge *converge, uint64_t bytes, int64_t took_ns)
{
    converge->iterations++;
    if (took_ns <= 0 || (bytes < ZC_CONVERGE_BYTES_MIN && converge->n_measured)) {
        return;
    }
    double fade = converge->n_measured++ == 1 ? 0 : 0.5;
    converge->sent_bytes = converge->sent_bytes * fade + (double)bytes;
    converge->sent_ns = converge->sent_ns * fade + (double)took_ns;
}

uint64_t zc_converge_bandwidth(const struct zc_converge *converge)
{
    return converge->sent_ns > 0
               ? (uint64_t)(converge->sent_bytes / converge->sent_ns * (double)ZC_NS_PER_S)
               : 0;
}

static int64_t estimate(const struct zc_converge *converge)
{
    double send_ns = 0;

    if (converge->dirty_bytes) {
        if (converge->sent_bytes <= 0) {
            return INT64_MAX;
        }
        send_ns = (double)converge->dirty_bytes * converge->sent_ns / converge->sent_bytes;
    }
    double all_ns = send_ns + (double)converge->fixed_ns + (double)converge->harvest_ns;
    return all_ns < (double)(INT64_MAX / 2) ? (int64_t)all_ns : INT64_MAX;
}

void zc_converge_harvested(struct zc_converge *converge, uint64_t dirty_bytes, int64_t since_ns,
                           int64_t took_ns)
{
    bool grown = converge->iterations > 1 &&
                 (double)dirty_bytes >= BETTER * (double)converge->last_dirty_bytes;

    converge->n_grown = grown && dirty_bytes ? converge->n_grown + 1 : 0;
    converge->last_dirty_bytes = converge->dirty_bytes = dirty_bytes;
    converge->dirty_bytes_per_s =
        since_ns > 0 ? (uint64_t)((double)dirty_bytes * (double)ZC_NS_PER_S / (double)since_ns) : 0;
    /* The last one finds less than any before it, and nobody disturbs it. */
    converge->harvest_ns =
        converge->n_harvests++ ? MIN(converge->harvest_ns, took_ns) : took_ns;
    converge->estimate_ns = estimate(converge);
}

static void note_progress(struct zc_converge *converge, int64_t now_ns)
{
    if ((double)converge->estimate_ns < BETTER * (double)converge->best_ns) {
        converge->best_ns = converge->estimate_ns;
        converge->best_at_ns = now_ns;
        converge->n_stale = 0;
    } else {
        converge->n_stale++;
    }
}

/* True when the guest was slowed down further, which deserves new patience. */
static bool throttle(struct zc_converge *converge, int64_t now_ns)
{
    unsigned int percent = converge->throttle_percent;

    if (!converge->options.throttle || converge->n_grown < 2 ||
        percent >= ZC_CONVERGE_THROTTLE_MAX) {
        return false;
    }
    percent = percent ? percent + ZC_CONVERGE_THROTTLE_STEP : ZC_CONVERGE_THROTTLE_FIRST;
    converge->throttle_percent = MIN(percent, ZC_CONVERGE_THROTTLE_MAX);
    converge->n_grown = 0;
    converge->n_stale = 0;
    converge->best_at_ns = now_ns;
    return true;
}

static bool is_hopeless(const struct zc_converge *converge, int64_t now_ns)
{
    return converge->n_stale >= ZC_CONVERGE_PATIENCE &&
           now_ns - converge->best_at_ns >= ZC_CONVERGE_PATIENCE_NS;
}

enum zc_converge_decision zc_converge_decide(struct zc_converge *converge, int64_t now_ns)
{
    bool is_late =
        converge->options.timeout_ns && now_ns - converge->start_ns >= converge->options.timeout_ns;
    bool is_known = converge->iterations > 1 || converge->dirty_bytes < ZC_CONVERGE_BYTES_MIN;

    if (converge->estimate_ns <= converge->options.limit_ns && (is_known || is_late)) {
        return ZC_CONVERGE_SWITCHOVER;
    }
    note_progress(converge, now_ns);
    converge->timed_out = is_late;
    if (converge->timed_out || (!throttle(converge, now_ns) && is_hopeless(converge, now_ns))) {
        converge->forced = converge->options.force;
        return converge->forced ? ZC_CONVERGE_SWITCHOVER : ZC_CONVERGE_GIVE_UP;
    }
    return converge->dirty_bytes ? ZC_CONVERGE_ITERATE : ZC_CONVERGE_WAIT;
}

char *zc_converge_explain(const struct zc_converge *converge, int64_t now_ns)
{
    g_autofree char *dirty = zc_size_format(converge->dirty_bytes_per_s);
    g_autofree char *carried = zc_size_format(zc_converge_bandwidth(converge));
    g_autofree char *left = zc_size_format(converge->dirty_bytes);
    g_autofree char *slowed =
        converge->throttle_percent
            ? g_strdup_printf(", slowed down by %u%%", converge->throttle_percent)
            : g_strdup("");
    bool known = converge->estimate_ns < INT64_MAX;
    g_autofree char *downtime =
        known ? g_strdup_printf("%.0f ms", ceil((double)converge->estimate_ns / ZC_NS_PER_MS))
              : g_strdup("unknown");

    return g_strdup_printf(
        "the guest writes %s/s%s, the channels carry %s/s, %s are dirty: "
        "downtime would be %s, allowed are %.0f ms (%" G_GUINT64_FORMAT " iterations, %.1f s)",
        dirty, slowed, carried, left, downtime, (double)converge->options.limit_ns / ZC_NS_PER_MS,
        converge->iterations, (double)(now_ns - converge->start_ns) / (double)ZC_NS_PER_S);
}
