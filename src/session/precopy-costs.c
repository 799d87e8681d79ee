/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a switchover takes however many pages are dirty: measured beforehand,
 * by doing each part of it while the guest still runs.
 */
#include "config.h"

#include <stdlib.h>

#include "base/log.h"
#include "session/digest.h"
#include "session/precopy.h"
#include "wire/stream.h"

#define TRIES 5            /* that tell what something takes */
#define SAMPLE_PAGES 1024u /* that tell how fast this host digests */
/*
 * What it takes to find pages, in the bytes that could be carried meanwhile: for each run of
 * neighbours, and for each page table of 2 MiB in which there is one.  By pull the destination's
 * kernel goes through the source's page tables too.
 */
#define RUN_BYTES (4u << 10)
#define TABLE_BYTES (4u << 10)
#define TABLE_BYTES_PULL (6u << 10)

static int64_t ms_to_ns(int64_t ms)
{
    return ms * ZC_NS_PER_MS;
}

/* What a digest of all pages would take, when the guest has to wait for it. */
static int64_t measure_verify(struct zc_precopy *precopy)
{
    const struct zc_block *block = &precopy->source->ram.blocks[0];
    uint64_t n = MIN(zc_block_pages(block), (uint64_t)SAMPLE_PAGES);
    volatile uint64_t sum = 0;
    int64_t begin_ns = zc_clock_now_ns();

    if (precopy->out->options.verify != ZCMIG_VERIFY_BEFORE) {
        return 0;
    }
    for (uint64_t page = 0; page < n; page++) {
        sum += zc_digest_page(block->host + page * ZC_PAGE_BYTES);
    }
    double page_ns = (double)(zc_clock_now_ns() - begin_ns) / (double)n;
    return (int64_t)(page_ns * (double)zc_ram_pages(&precopy->source->ram) / zc_digest_threads());
}

/*
 * An iteration of one page, so that the channels are awake for it, or without channels what is left
 * of it.  The page is sent again with all.  When it ended; 0: reported.
 */
static int64_t send_one(struct zc_precopy *precopy)
{
    const struct zc_range first = { .block = 0, .first_page = 0, .n_pages = 1 };
    struct zc_outgoing *out = precopy->out;

    if (out->sender) {
        zc_stream_put_section_part(out->out, zc_outgoing_ram_section_id(out));
        if (!zc_sender_put(out->sender, &first) || !zc_outgoing_sync_channels(out)) {
            return 0;
        }
        zc_precopy_end_section(out);
    }
    int64_t end_ns = zc_precopy_round_trip(precopy);
    out->n_barriers += end_ns && out->sender;
    return end_ns;
}

static int compare_ns(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;

    return first < second ? -1 : first > second;
}

static int64_t median(int64_t *took_ns)
{
    qsort(took_ns, TRIES, sizeof(took_ns[0]), compare_ns);
    return MAX(took_ns[TRIES / 2], 1);
}

/* How long @what takes, as a rule.  0: reported. */
static int64_t measure(struct zc_precopy *precopy, int64_t (*what)(struct zc_precopy *precopy))
{
    int64_t took_ns[TRIES];

    for (unsigned int i = 0; i < TRIES; i++) {
        int64_t begin_ns = zc_clock_now_ns();
        int64_t end_ns = what(precopy);
        if (!end_ns) {
            return 0;
        }
        took_ns[i] = end_ns - begin_ns;
    }
    return median(took_ns);
}

/* How long the guest's own part of a switchover takes.  It is done once there, so once here. */
static int64_t measure_guest(struct zc_precopy *precopy)
{
    struct zc_source *source = precopy->source;
    GError *error = NULL;
    int64_t took_ns;

    if (!source->live->rehearse(source, &took_ns, &error)) {
        zc_outgoing_fail(precopy->out, error);
        return 0;
    }
    return took_ns;
}

bool zc_precopy_init_converge(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    const struct zcmig_send_options *options = &out->options;
    const struct zc_converge_options converge_options = {
        .limit_ns = ms_to_ns(options->downtime_limit_ms),
        .timeout_ns = ms_to_ns(options->timeout_ms),
        .force = options->timeout_policy == ZCMIG_TIMEOUT_SWITCHOVER,
        .throttle = options->auto_converge,
    };
    struct zc_converge_costs costs = {
        .run_bytes = RUN_BYTES,
        .table_bytes = options->route == ZCMIG_ROUTE_PULL ? TABLE_BYTES_PULL : TABLE_BYTES,
    };

    precopy->harvested_ns = zc_clock_now_ns();
    int64_t guest_ns = measure_guest(precopy);
    costs.trip_ns = guest_ns ? measure(precopy, send_one) : 0;
    int64_t commit_ns = costs.trip_ns ? measure(precopy, zc_precopy_round_trip) : 0;
    if (!commit_ns) {
        return false;
    }
    costs.switch_ns = guest_ns + commit_ns + measure_verify(precopy);
    zc_debug("costs: trip %.3f ms, state of the guest %.3f ms, commit %.3f ms",
             (double)costs.trip_ns / ZC_NS_PER_MS, (double)guest_ns / ZC_NS_PER_MS,
             (double)commit_ns / ZC_NS_PER_MS);
    zc_converge_init(&precopy->converge, &converge_options, &costs, zc_clock_now_ns());
    return true;
}
