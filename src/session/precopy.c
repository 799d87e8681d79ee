/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: an iteration is over when the destination has placed its pages, not
 * when they are in the sockets: FLUSH is followed by a PING, whose PONG comes
 * from behind the barrier there.  So the bandwidth is what really arrived, and
 * the switchover does not begin with full sockets in front of it.
 *
 * The guest's place is moved by three functions only: it is paused and handed
 * over in precopy-switch.c, and given back in take_back().
 */
#include "config.h"

#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/load.h"
#include "base/log.h"
#include "session/digest.h"
#include "session/guest-check.h"
#include "session/precopy.h"
#include "wire/stream.h"

#define PING_FIRST 16u /* none of the hello's */
#define WAIT_MS 100    /* before looking again at a guest that writes nothing */
/* A cut costs the pages of two chunks at most, beside those that the guest wrote meanwhile. */
#define CHUNKS 16u
#define CHUNK_PAGES_MIN 256u
#define CHUNK_PAGES_MAX (1u << 14) /* 64 MiB */

/* --------------------------------------------------------------- statistics */

void zc_precopy_set_guest(struct zc_precopy *precopy, enum zcmig_guest_place place)
{
    struct zc_outgoing *out = precopy->out;

    g_mutex_lock(&out->lock);
    zc_debug("guest: %s -> %s", zcmig_guest_place_name(out->live.guest),
             zcmig_guest_place_name(place));
    out->live.guest = place;
    g_mutex_unlock(&out->lock);
}

/* What all channels have carried. */
struct carried {
    uint64_t wire_bytes;
    uint64_t normal_pages;
    uint64_t pages; /* zero pages too */
};

static struct carried add_up(struct zc_outgoing *out)
{
    struct zc_sender_counters counters;
    struct carried sum = { 0 };

    for (unsigned int i = 0; i < out->options.channels; i++) {
        zc_sender_get_counters(out->sender, i, &counters);
        sum.wire_bytes += counters.channel.wire_bytes;
        sum.normal_pages += counters.normal_pages;
        sum.pages += counters.normal_pages + counters.zero_pages;
    }
    sum.pages += zc_outgoing_past_pages(out);
    return sum;
}

static void publish_begin(struct zc_precopy *precopy, uint64_t n_pages, uint64_t pages_before)
{
    struct zc_outgoing *out = precopy->out;

    g_mutex_lock(&out->lock);
    out->iteration_pages = n_pages;
    out->pages_before = pages_before;
    g_mutex_unlock(&out->lock);
}

static void publish_end(struct zc_precopy *precopy)
{
    struct zcmig_live_stats *live = &precopy->out->live;

    g_mutex_lock(&precopy->out->lock);
    if (live->n_kept == ZCMIG_ITERATIONS_KEPT) {
        memmove(live->kept, live->kept + 1, (live->n_kept - 1) * sizeof(live->kept[0]));
        live->n_kept--;
    }
    live->kept[live->n_kept++] = precopy->iteration;
    live->n_iterations = precopy->converge.iterations;
    precopy->out->iteration_pages += precopy->iteration.dirty_pages;
    g_mutex_unlock(&precopy->out->lock);
}

/* --------------------------------------------------------------- iterations */

bool zc_precopy_give_up(struct zc_precopy *precopy, const char *what)
{
    g_autofree char *numbers = zc_converge_explain(&precopy->converge, zc_clock_now_ns());
    GError *error = NULL;

    zc_error(&error, ZCMIG_ERROR_TIMEOUT, "%s, so the guest stays at the source: %s", what,
             numbers);
    zc_outgoing_fail(precopy->out, error);
    precopy->gave_up = true;
    return false;
}

static struct zc_converge_work dirty_work(const struct zc_harvest *harvest)
{
    struct zc_converge_work work = { .bytes = harvest->n_pages * ZC_PAGE_BYTES };

    zc_harvest_count(harvest, &work.runs, &work.tables);
    return work;
}

/* Of all pages.  Their bytes are known when they were sent: zeros cost none. */
static struct zc_converge_work all_work(const struct zc_ram *ram)
{
    return (struct zc_converge_work){
        .runs = ram->n_blocks,
        .tables = zc_ram_pages(ram) / ZC_BITMAP_TABLE_PAGES,
    };
}

static bool send_iteration(struct zc_precopy *precopy, bool all)
{
    struct zc_outgoing *out = precopy->out;
    struct zc_source *source = precopy->source;
    uint64_t n_pages = all ? zc_ram_pages(&source->ram) : precopy->harvest.n_pages;
    struct zc_converge_work work = all ? all_work(&source->ram) : dirty_work(&precopy->harvest);
    struct zc_load load_before, load_after;
    int64_t guest_ns = source->live->cpu_ns(source);
    zc_load_read(&load_before);
    int64_t begin_ns = zc_clock_now_ns();

    struct carried before = add_up(out);
    publish_begin(precopy, n_pages, before.pages);
    zc_stream_put_section_part(out->out, zc_outgoing_ram_section_id(out));
    if (!zc_precopy_put_pages(precopy, all) || !zc_outgoing_sync_channels(out)) {
        return false;
    }
    zc_precopy_end_section(out);
    int64_t end_ns = zc_precopy_round_trip(precopy);
    if (!end_ns) {
        return false;
    }
    guest_ns = source->live->cpu_ns(source) - guest_ns;
    zc_load_read(&load_after);
    if (out->keeps) {
        out->n_barriers++;
        zc_unplaced_mark(&precopy->unplaced);
        zc_unplaced_placed(&precopy->unplaced);
    }
    struct carried after = add_up(out);
    precopy->iteration = (struct zcmig_iteration){
        .pages = n_pages,
        .sent_bytes = after.wire_bytes - before.wire_bytes,
        .took_ns = end_ns - begin_ns,
    };
    /* In bytes of RAM, as what is dirty is counted: by pull next to nothing is on the wire. */
    uint64_t ram_bytes = (after.normal_pages - before.normal_pages) * ZC_PAGE_BYTES;
    work.bytes = MAX(ram_bytes, precopy->iteration.sent_bytes);
    zc_converge_sent(&precopy->converge, &work, end_ns - begin_ns,
                     zc_load_share(&load_before, &load_after, guest_ns));
    return true;
}

bool zc_precopy_harvest(struct zc_precopy *precopy)
{
    GError *error = NULL;
    bool paused = precopy->out->live.guest == ZCMIG_GUEST_PAUSED;
    int ret = paused ? zc_harvest_peek(&precopy->harvest, precopy->tracker)
                     : zc_harvest_take(&precopy->harvest, precopy->tracker);

    if (ret < 0) {
        zc_error_errno(&error, ZCMIG_ERROR_SOURCE, ret,
                       "cannot find the pages that the guest wrote");
        zc_outgoing_fail(precopy->out, error);
    }
    return ret == 0;
}

/* Looks at the guest once, and completes the record of the iteration before. */
static bool look(struct zc_precopy *precopy)
{
    struct zc_converge *converge = &precopy->converge;
    int64_t begin_ns = zc_clock_now_ns();

    if (!zc_precopy_harvest(precopy)) {
        return false;
    }
    int64_t took_ns = zc_clock_now_ns() - begin_ns;
    struct zc_converge_work dirty = dirty_work(&precopy->harvest);
    zc_converge_harvested(converge, &dirty, begin_ns - precopy->harvested_ns, took_ns);
    if (zc_converge_wants_walk(converge)) {
        int64_t walk_ns = zc_clock_now_ns();
        zc_harvest_walk(&precopy->harvest, precopy->tracker); /* the next harvest shows a failure */
        zc_converge_walked(converge, zc_clock_now_ns() - walk_ns);
    }
    precopy->harvested_ns = begin_ns;
    precopy->iteration.harvest_ns = took_ns;
    precopy->iteration.bandwidth = zc_converge_bandwidth(converge);
    precopy->iteration.dirty_pages = precopy->harvest.n_pages;
    precopy->iteration.dirty_pages_per_s = converge->dirty_bytes_per_s / ZC_PAGE_BYTES;
    precopy->iteration.estimate_ns = converge->estimate_ns;
    return true;
}

/* Nothing is dirty, and still the estimate is too long: an iteration would change nothing. */
static bool wait_a_little(struct zc_precopy *precopy)
{
    struct pollfd wake = { .fd = precopy->out->session.cause.wake_fd, .events = POLLIN };

    poll(&wake, 1, WAIT_MS);
    return !zc_cause_is_set(&precopy->out->session.cause);
}

/* No page has to move first, and what is left to do was measured. */
static bool consider(struct zc_precopy *precopy)
{
    struct zc_converge *converge = &precopy->converge;

    zc_converge_harvested(converge, &(struct zc_converge_work){ 0 }, 0, 0);
    if (converge->estimate_ns <= converge->options.limit_ns) {
        return true;
    }
    g_autofree char *numbers = g_strdup_printf("downtime would be %.0f ms, allowed are %.0f ms",
                                               (double)converge->estimate_ns / ZC_NS_PER_MS,
                                               (double)converge->options.limit_ns / ZC_NS_PER_MS);
    if (converge->options.force) {
        zc_warning("switching over although %s", numbers);
        return true;
    }
    zc_outgoing_fail(precopy->out, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_TIMEOUT,
                                               "the guest stays at the source: %s", numbers));
    precopy->gave_up = true;
    return false;
}

/* Until the guest may be stopped. */
static bool iterate(struct zc_precopy *precopy)
{
    enum zc_converge_decision decision = ZC_CONVERGE_ITERATE;
    bool all = !precopy->out->keeps; /* else the harvest says what is left */

    if (zc_outgoing_shares_memory(precopy->out)) {
        return consider(precopy);
    }
    do {
        if (decision == ZC_CONVERGE_WAIT ? !wait_a_little(precopy)
                                         : !send_iteration(precopy, all)) {
            return false;
        }
        all = false;
        if (!look(precopy)) {
            return false;
        }
        unsigned int throttle = precopy->converge.throttle_percent;
        decision = zc_converge_decide(&precopy->converge, zc_clock_now_ns());
        precopy->iteration.throttle_percent = precopy->converge.throttle_percent;
        if (precopy->converge.throttle_percent != throttle) {
            precopy->source->live->set_throttle(precopy->source,
                                                precopy->converge.throttle_percent);
        }
        publish_end(precopy);
    } while (decision == ZC_CONVERGE_ITERATE || decision == ZC_CONVERGE_WAIT);
    if (decision == ZC_CONVERGE_GIVE_UP) {
        return zc_precopy_give_up(precopy, precopy->converge.timed_out ? "the time is over"
                                                                       : "it does not converge");
    }
    if (precopy->converge.forced) {
        g_autofree char *numbers = zc_converge_explain(&precopy->converge, zc_clock_now_ns());
        zc_warning("switching over although %s", numbers);
    }
    return true;
}

/* ----------------------------------------------------------------- starting */

bool zc_precopy_start_ram(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;

    /* The first PONG comes when the destination has its memory and all channels. */
    if (!zc_outgoing_start_ram(out) || !zc_precopy_round_trip(precopy)) {
        return false;
    }
    out->n_barriers += out->sender != NULL;
    return !zc_outgoing_shares_memory(out) || zc_outgoing_check_mapped(out);
}

/* To where the destination is ready for pages; the tracker before the first of them. */
static bool start(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    const struct zcmig_send_options *options = &out->options;
    GError *error = NULL;

    if (!zc_precopy_start_ram(precopy)) {
        return false;
    }
    precopy->started = true;
    if (zc_outgoing_shares_memory(out)) {
        return zc_precopy_init_converge(precopy);
    }
    if (out->keeps) {
        zc_harvest_fill(&precopy->harvest);
        zc_unplaced_init(&precopy->unplaced, &precopy->source->ram);
    }
    precopy->tracker = precopy->source->live->start_tracker(
        precopy->source, (enum zc_tracker_kind)options->tracker, &error);
    if (!precopy->tracker) {
        zc_outgoing_fail(out, error);
        return false;
    }
    g_mutex_lock(&out->lock);
    out->live.tracker = zc_tracker_name(precopy->tracker);
    g_mutex_unlock(&out->lock);
    return zc_precopy_init_converge(precopy);
}

/* ------------------------------------------------------------------- ending */

void zc_precopy_take_back(struct zc_precopy *precopy)
{
    const struct zc_live_ops *live = precopy->source->live;

    if (precopy->out->live.guest == ZCMIG_GUEST_PAUSED) {
        live->resume(precopy->source);
        zc_precopy_set_guest(precopy, ZCMIG_GUEST_RUNS);
    }
}

static bool verify_after(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    GError *error = NULL;

    /* What the destination runs in is what would be digested here: it was shown to be the same. */
    if (out->options.verify != ZCMIG_VERIFY_AFTER || zc_outgoing_shares_memory(out)) {
        return true;
    }
    /* A second time after a cut: the guest has stood still since. */
    if (!out->manifest) {
        out->manifest = zc_digest_source(precopy->source, zc_digest_threads(), &error);
    }
    if (!out->manifest) {
        zc_outgoing_fail(out, error);
        return false;
    }
    return zc_outgoing_send_manifest(out) && zc_outgoing_hear_result(out);
}

static void hear_observed(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;
    struct zc_extension observed;

    if (zc_return_path_wait_observed(out->return_path, zc_outgoing_stall_deadline(out),
                                     &observed)) {
        g_mutex_lock(&out->lock);
        out->live.downtime.observed_ns = (int64_t)observed.observed.gap_ns;
        g_mutex_unlock(&out->lock);
    } else if (out->keeps) {
        zc_outgoing_fail(out, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED,
                                          "the destination did not say what the guest noticed of "
                                          "its move"));
    } else if (!zc_cause_is_set(&out->session.cause)) {
        zc_warning("the destination did not say what the guest noticed of its move");
    }
}

/* The destination of a kept session waits for that word. */
static void say_heard(struct zc_outgoing *out)
{
    struct zc_extension heard = { .type = ZC_EXTENSION_HEARD };

    zc_outgoing_put_extension(out, &heard);
    zc_outgoing_flush(out);
}

/* It runs there.  What is left is to hear how it went. */
static bool conclude(struct zc_precopy *precopy)
{
    struct zc_outgoing *out = precopy->out;

    zc_session_set_state(&out->session, ZCMIG_STATE_VERIFYING);
    if (!precopy->verified && !verify_after(precopy)) {
        return false;
    }
    precopy->verified = true;
    hear_observed(precopy);
    if (out->keeps && !zc_cause_is_set(&out->session.cause)) {
        say_heard(out);
    }
    return !zc_cause_is_set(&out->session.cause);
}

/* After the guest went: a cut may only have cost what it noticed, and cancelling comes too late. */
static void excuse(struct zc_precopy *precopy)
{
    struct zc_cause *cause = &precopy->out->session.cause;
    g_autoptr(GError) error = zc_cause_copy(cause);

    if (error && zc_error_code(error) == ZCMIG_ERROR_CANCELLED) {
        zc_cause_replace(cause, g_error_new(ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED,
                                            "cancelled when the guest ran at the destination "
                                            "already"));
    } else if (error && precopy->out->keeps && precopy->verified &&
               zc_error_code(error) == ZCMIG_ERROR_DISCONNECTED && zc_cause_reset(cause)) {
        zc_warning("%s", error->message);
    }
}

/* Until the guest runs there. */
static bool move(struct zc_precopy *precopy)
{
    bool ready = start(precopy);

    while (!ready || !iterate(precopy) || !zc_precopy_switch_over(precopy)) {
        if (!zc_precopy_reconnect(precopy)) {
            return false;
        }
        if (precopy->out->live.guest == ZCMIG_GUEST_GONE) {
            return true; /* as the destination says */
        }
        /* That may be what the cut had broken off. */
        ready = ready || zc_precopy_init_converge(precopy);
    }
    return true;
}

bool zc_precopy_run(struct zc_outgoing *out)
{
    struct zc_precopy precopy = { .out = out, .source = out->source, .ping = PING_FIRST };
    uint64_t n_pages = zc_ram_pages(&out->source->ram);
    bool ok = false;

    precopy.chunk_pages = MIN(CHUNK_PAGES_MAX, MAX(CHUNK_PAGES_MIN, n_pages / CHUNKS));
    zc_harvest_init(&precopy.harvest, &out->source->ram);
    bool moved = move(&precopy);
    if (precopy.tracker) {
        precopy.source->live->stop_tracker(precopy.source, precopy.tracker, moved);
    }
    out->source->live->set_throttle(out->source, 0);
    if (!moved) {
        zc_precopy_take_back(&precopy);
    } else {
        do {
            ok = conclude(&precopy);
        } while (!ok && zc_precopy_reconnect(&precopy));
        excuse(&precopy);
    }
    zc_unplaced_clear(&precopy.unplaced);
    zc_harvest_clear(&precopy.harvest);
    return ok;
}

void zc_precopy_settle(struct zc_outgoing *out)
{
    struct zc_synthetic *guest = zc_synthetic_from_source(out->source);
    struct zcmig_live_stats live = { .checked = false };
    GError *error = NULL;

    if (!guest || out->live.guest != ZCMIG_GUEST_RUNS || !out->options.run_for_ms ||
        !zc_cause_is_set(&out->session.cause)) {
        return;
    }
    poll(NULL, 0, (int)out->options.run_for_ms);
    if (!zc_guest_check(guest, &live, &error)) {
        zc_cause_replace(&out->session.cause, error);
    }
    zc_synthetic_resume(guest);
    g_mutex_lock(&out->lock);
    out->live.checked = live.checked;
    out->live.guest_writes = live.guest_writes;
    out->live.guest_wrong_pages = live.guest_wrong_pages;
    g_mutex_unlock(&out->lock);
}
