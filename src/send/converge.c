/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: no model of the guest, only its last measurements.  An iteration
 * takes a trip, whatever it carries, and so much for each byte, run of pages and
 * page table that they are in, beside a guest that wants the same CPUs:
 *
 *     load = bytes + runs x run_bytes + tables x table_bytes
 *     took x (1 - guest's share) = trip + load x alone_ns
 *
 * The rest is known beforehand, so each iteration tells alone_ns.  The share
 * matters where both ends and the guest fill a host: there a stopped guest gives
 * up to a third of the time back.  So do the runs and tables where a page is
 * found rather than copied: the fewer pages are dirty, the fewer of them are
 * neighbours.  The mean fades by the iteration, not by the byte: iterations
 * shrink, and the pages of the switchover resemble those of the last one, however
 * small it was, and not those of the longest.  The first iteration counts only
 * until there is a second: it makes the destination's memory, which takes longer
 * than to fill it again, and so would the last pages.  Therefore the guest is not
 * stopped on its word alone, unless next to nothing is dirty.  A harvest goes over
 * RAM while the guest writes, so what is written behind it, half of what the guest
 * writes meanwhile, comes on top of what it tells; what is written while the guest
 * is being stopped is nothing beside that.  A harvest protects again what it tells,
 * the last one does not: a harvest is the most that the last one can take.  Where
 * that decides, a walk that tells and protects nothing says how long it takes.
 *
 * A limit says what is allowed, not what is wanted.  An iteration more takes, while
 * the guest runs, about as long as the estimate says that it would stand still; in
 * return it stands still for what it writes in that time only.  So the limit being
 * met, it goes on as long as each iteration leaves clearly less: a few times the
 * limit at most, and the last pages are then few beside what never changes, which
 * is known best.
 */
#include "config.h"

#include <math.h>

#include <glib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "send/converge.h"

#define BETTER 0.95 /* under so much of what was before is less; the rest is noise */
#define RECENT 0.5  /* of the means is the last iteration's word */
#define WORTH 0.8   /* of the downtime is all that may be left for an iteration more */
/* A guest's share that was measured for so long is believed by half: /proc/stat counts by 10 ms. */
#define SHARE_NS (20 * ZC_NS_PER_MS)

void zc_converge_init(struct zc_converge *converge, const struct zc_converge_options *options,
                      const struct zc_converge_costs *costs, int64_t now_ns)
{
    *converge = (struct zc_converge){
        .options = *options,
        .start_ns = now_ns,
        .costs = *costs,
        .harvest_ns = INT64_MAX,
        .estimate_ns = INT64_MAX,
        .best_ns = INT64_MAX,
        .best_at_ns = now_ns,
    };
}

static double load_of(const struct zc_converge *converge, const struct zc_converge_work *work)
{
    const struct zc_converge_costs *costs = &converge->costs;

    return (double)MAX(work->bytes, 1) + (double)work->runs * costs->run_bytes +
           (double)work->tables * costs->table_bytes;
}

void zc_converge_sent(struct zc_converge *converge, const struct zc_converge_work *work,
                      int64_t took_ns, double guest_share)
{
    converge->iterations++;
    zc_debug("iteration: %" G_GUINT64_FORMAT " bytes, %" G_GUINT64_FORMAT
             " runs, %" G_GUINT64_FORMAT " tables, %.3f ms, guest's share %.3f",
             work->bytes, work->runs, work->tables, (double)took_ns / ZC_NS_PER_MS, guest_share);
    if (took_ns <= 0 || (work->bytes < ZC_CONVERGE_BYTES_MIN && converge->n_measured)) {
        return;
    }
    double believed = converge->n_measured ? (double)took_ns / (double)(took_ns + SHARE_NS) : 1;
    converge->guest_share += believed * (guest_share - converge->guest_share);
    /* It may have been measured too long, and no link is infinitely fast. */
    double alone_ns = (double)took_ns * (1 - converge->guest_share);
    converge->costs.trip_ns = MIN(converge->costs.trip_ns, (int64_t)(alone_ns / 2));
    double trip_ns = (double)converge->costs.trip_ns;
    double byte_ns = ((double)took_ns - trip_ns) / (double)MAX(work->bytes, 1);
    alone_ns = (alone_ns - trip_ns) / load_of(converge, work);
    double recent = converge->n_measured++ < 2 ? 1 : RECENT;
    converge->byte_ns += recent * (byte_ns - converge->byte_ns);
    converge->alone_ns += recent * (alone_ns - converge->alone_ns);
}

uint64_t zc_converge_bandwidth(const struct zc_converge *converge)
{
    return converge->byte_ns > 0 ? (uint64_t)((double)ZC_NS_PER_S / converge->byte_ns) : 0;
}

/* What the last harvest told, and what was written behind it. */
static struct zc_converge_work work_left(const struct zc_converge *converge)
{
    const struct zc_converge_work *dirty = &converge->dirty;
    double behind = converge->since_ns > 0
                        ? MIN((double)converge->behind_ns / (double)converge->since_ns, 1)
                        : 0;

    return (struct zc_converge_work){
        .bytes = dirty->bytes + (uint64_t)(behind * (double)dirty->bytes),
        .runs = dirty->runs + (uint64_t)(behind * (double)dirty->runs),
        .tables = dirty->tables,
    };
}

static double send_ns_of(const struct zc_converge *converge, const struct zc_converge_work *work)
{
    return work->bytes ? load_of(converge, work) * converge->alone_ns : 0;
}

static double fixed_ns(const struct zc_converge *converge)
{
    const struct zc_converge_costs *costs = &converge->costs;

    return (double)costs->trip_ns + (double)converge->harvest_ns + (double)costs->switch_ns;
}

static int64_t estimate(const struct zc_converge *converge)
{
    const struct zc_converge_costs *costs = &converge->costs;
    const struct zc_converge_work work = work_left(converge);
    double send_ns = send_ns_of(converge, &work);

    if (work.bytes && converge->alone_ns <= 0) {
        return INT64_MAX;
    }
    zc_debug("estimate: %.3f ms to send, %.3f ms to harvest, %.3f ms to switch",
             send_ns / ZC_NS_PER_MS, (double)converge->harvest_ns / ZC_NS_PER_MS,
             (double)(costs->trip_ns + costs->switch_ns) / ZC_NS_PER_MS);
    double all_ns = send_ns + fixed_ns(converge);
    return all_ns < (double)(INT64_MAX / 2) ? (int64_t)all_ns : INT64_MAX;
}

void zc_converge_harvested(struct zc_converge *converge, const struct zc_converge_work *dirty,
                           int64_t since_ns, int64_t took_ns)
{
    bool grown =
        converge->iterations > 1 && (double)dirty->bytes >= BETTER * (double)converge->dirty.bytes;

    converge->n_grown = grown && dirty->bytes ? converge->n_grown + 1 : 0;
    converge->dirty = *dirty;
    converge->since_ns = since_ns;
    converge->behind_ns = took_ns / 2;
    converge->dirty_bytes_per_s =
        since_ns > 0 ? (uint64_t)((double)dirty->bytes * (double)ZC_NS_PER_S / (double)since_ns)
                     : 0;
    converge->harvest_ns = MIN(converge->harvest_ns, took_ns);
    converge->estimate_ns = estimate(converge);
}

bool zc_converge_wants_walk(const struct zc_converge *converge)
{
    return converge->estimate_ns < INT64_MAX &&
           converge->estimate_ns - converge->harvest_ns <= converge->options.limit_ns;
}

void zc_converge_walked(struct zc_converge *converge, int64_t took_ns)
{
    converge->behind_ns += took_ns;
    converge->harvest_ns = MIN(converge->harvest_ns, took_ns);
    converge->estimate_ns = estimate(converge);
}

/*
 * Whether it is worth to send what is dirty while the guest still runs: whether the guest would
 * write so much less meanwhile.  Of what is written in a shorter time fewer pages are neighbours.
 */
static bool is_worth_iterating(const struct zc_converge *converge)
{
    const struct zc_converge_work *dirty = &converge->dirty;

    if (!dirty->bytes || converge->since_ns <= 0) {
        return false;
    }
    /* What it takes now, with a look at the guest at its end, and what that one does not see. */
    double takes_ns = (double)dirty->bytes * converge->byte_ns + (double)converge->costs.trip_ns +
                      3 * (double)converge->behind_ns;
    double part = MIN(takes_ns / (double)converge->since_ns, 1);
    const struct zc_converge_work next = {
        .bytes = (uint64_t)(part * (double)dirty->bytes),
        .runs = (uint64_t)(part * (double)dirty->runs),
        .tables = MIN(dirty->tables, (uint64_t)(part * (double)dirty->runs)),
    };
    double then_ns = send_ns_of(converge, &next) + fixed_ns(converge);
    return then_ns <= WORTH * (double)converge->estimate_ns;
}

/* Whether the estimate is the best so far. */
static bool note_progress(struct zc_converge *converge, int64_t now_ns)
{
    bool is_better = (double)converge->estimate_ns < BETTER * (double)converge->best_ns;

    if (is_better) {
        converge->best_ns = converge->estimate_ns;
        converge->best_at_ns = now_ns;
        converge->n_stale = 0;
    } else {
        converge->n_stale++;
    }
    return is_better;
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
    bool is_known = converge->iterations > 1 || converge->dirty.bytes < ZC_CONVERGE_BYTES_MIN;
    bool is_better = note_progress(converge, now_ns);

    if (converge->estimate_ns <= converge->options.limit_ns && (is_known || is_late)) {
        return !is_late && is_better && is_worth_iterating(converge) ? ZC_CONVERGE_ITERATE
                                                                     : ZC_CONVERGE_SWITCHOVER;
    }
    converge->timed_out = is_late;
    if (converge->timed_out || (!throttle(converge, now_ns) && is_hopeless(converge, now_ns))) {
        converge->forced = converge->options.force;
        return converge->forced ? ZC_CONVERGE_SWITCHOVER : ZC_CONVERGE_GIVE_UP;
    }
    return converge->dirty.bytes ? ZC_CONVERGE_ITERATE : ZC_CONVERGE_WAIT;
}

char *zc_converge_explain(const struct zc_converge *converge, int64_t now_ns)
{
    g_autofree char *dirty = zc_size_format(converge->dirty_bytes_per_s);
    g_autofree char *carried = zc_size_format(zc_converge_bandwidth(converge));
    g_autofree char *left = zc_size_format(converge->dirty.bytes);
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
