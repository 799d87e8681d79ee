/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages onto the channels, and when they are known to have arrived.
 *
 * Design: in a session that both ends keep, iterations are cut into chunks.
 * Behind each goes a mark: a barrier and a PING, as at the end of an iteration,
 * but nobody waits for its PONG before the next mark is due.  So at most two
 * chunks are ever unknown, however long the iteration is, and the channels do not run dry.
 */
#include "config.h"

#include "base/error.h"
#include "session/precopy.h"
#include "wire/stream.h"

#define RANGE_PAGES (1u << 14) /* 64 MiB: the timeout is looked at so often */

/* Whether the time for all of it is over, and nothing but giving up follows. */
static bool is_late(const struct zc_precopy *precopy)
{
    const struct zc_converge_options *options = &precopy->converge.options;

    return options->timeout_ns && !options->force &&
           zc_clock_now_ns() - precopy->converge.start_ns >= options->timeout_ns;
}

/* The PONG of the mark that is on its way.  False: reported. */
static bool wait_for_mark(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;

    if (!zc_return_path_wait_pong(out->return_path, zc_outgoing_stall_deadline(out))) {
        return false;
    }
    zc_unplaced_placed(&precopy->unplaced);
    out->n_barriers++;
    return true;
}

void zc_precopy_end_section(struct zc_outgoing *out)
{
    zc_stream_put_ram_eos(out->out);
    zc_stream_put_section_footer(out->out, zc_outgoing_ram_section_id(out));
}

/* A barrier in the middle of an iteration: what was sent before it is not lost by a cut. */
static bool set_mark(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;

    if (precopy->unplaced.is_marked && !wait_for_mark(precopy)) {
        return false;
    }
    if (!zc_outgoing_sync_channels(out)) {
        return false;
    }
    zc_precopy_end_section(out);
    zc_return_path_expect_pong(out->return_path, precopy->ping);
    zc_outgoing_put_ping(out, precopy->ping++);
    zc_unplaced_mark(&precopy->unplaced);
    if (!zc_outgoing_flush(out)) {
        return false;
    }
    zc_stream_put_section_part(out->out, zc_outgoing_ram_section_id(out));
    return true;
}

/* Onto the channels; of a kept session with a record of it. */
static bool send_range(struct zc_precopy *precopy, const struct zc_range *range)
{
    if (precopy->out->keeps) {
        zc_unplaced_put(&precopy->unplaced, range);
    }
    return zc_sender_put(precopy->out->sender, range);
}

static bool put_range(const struct zc_range *range, void *data)
{
    struct zc_precopy *precopy = data;
    struct zc_range part = *range;
    uint64_t left = range->n_pages;
    bool ok = true;

    if (is_late(precopy)) {
        return zc_precopy_give_up(precopy, "the time is over");
    }
    if (!precopy->out->keeps) {
        return send_range(precopy, range);
    }
    while (left && ok) {
        uint64_t room =
            precopy->chunk_pages - MIN(precopy->unplaced.n_current, precopy->chunk_pages);
        part.n_pages = (uint32_t)MIN(left, room);
        ok = send_range(precopy, &part) && (part.n_pages < room || set_mark(precopy));
        part.first_page += part.n_pages;
        left -= part.n_pages;
    }
    if (left) {
        part.n_pages = (uint32_t)left;
        zc_harvest_give_back(&precopy->harvest, &part);
    }
    return ok;
}

/* The guest stands still: there is no time to be over any more. */
static bool put_range_of_paused(const struct zc_range *range, void *data)
{
    return send_range(data, range);
}

bool zc_precopy_put_pages(struct zc_precopy *precopy, bool all)
{
    bool paused = precopy->out->live.guest == ZCMIG_GUEST_PAUSED;
    zc_iterate_fn put = paused ? put_range_of_paused : put_range;

    zc_sender_expect(precopy->out->sender,
                     all ? zc_ram_pages(&precopy->source->ram) : precopy->harvest.n_pages);
    return all ? zc_iterate_all(precopy->source, RANGE_PAGES, put, precopy)
               : zc_harvest_give(&precopy->harvest, put, precopy);
}

/* A PING, and what is before it in out->out; its PONG.  When it came; 0: reported. */
int64_t zc_precopy_round_trip(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;

    if (precopy->unplaced.is_marked && (!zc_outgoing_flush(out) || !wait_for_mark(precopy))) {
        return 0;
    }
    zc_return_path_expect_pong(out->return_path, precopy->ping);
    zc_outgoing_put_ping(out, precopy->ping++);
    return zc_outgoing_flush(out)
               ? zc_return_path_wait_pong(out->return_path, zc_outgoing_stall_deadline(out))
               : 0;
}
