/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: pages that come on the main stream itself are not copied one by one:
 * while their content lies in the input's buffer they are collected, then
 * populated as runs and copied.  They are placed at the latest when the buffer
 * has to move or the next barrier comes.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "session/incoming.h"

G_STATIC_ASSERT(ZC_RECV_CHANNELS_MAX == ZCMIG_CHANNELS_MAX);

/* ----------------------------------------------------------------- opening */

static bool allocate(struct zc_incoming *in, GError **error)
{
    bool compare = in->options.verify != ZCMIG_VERIFY_OFF && in->has_session &&
                   in->peer.session.verify != ZC_VERIFY_OFF;
    bool record = compare || in->store->ops->keeps_digests || zc_incoming_is_proven(in);

    if (!zc_incoming_check_proof(in, error) || !in->store->ops->allocate(in->store, &in->ram, error)) {
        return false;
    }
    /* Where no page is placed, there is no book to keep. */
    return zc_incoming_shares_memory(in) ||
           zc_place_init(&in->place, &in->ram, in->store, record, in->options.populate, error);
}

static bool open_channels(struct zc_incoming *in, GError **error)
{
    struct zc_acceptor_wanted wanted = { .n_channels = -1, .main_fd = in->main_fd };
    unsigned int n = 0;

    if (in->has_session) {
        wanted.n_channels = in->peer.session.n_channels;
        wanted.uuid = in->is_again ? in->token : in->peer.session.uuid;
    } else if (in->options.channels) {
        wanted.n_channels = (int)in->options.channels;
    }
    if (!wanted.uuid && in->has_wanted_uuid) {
        wanted.uuid = in->wanted_uuid;
    }
    if (in->acceptor) {
        if (!zc_acceptor_wait_channels(in->acceptor, &wanted,
                                       zc_deadline_in(in->options.stall_timeout_ms), in->fds, &n,
                                       error)) {
            return false;
        }
    } else if (wanted.n_channels > 0) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "the source wants %d channels, fd: is one connection", wanted.n_channels);
    }
    if (in->has_wanted_uuid && !in->has_uuid && n == 0) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                        "the source told no UUID, and one was asked for");
    }
    atomic_store(&in->n_channels, n);
    return true;
}

static bool start_readers(struct zc_incoming *in, GError **error)
{
    unsigned int n = atomic_load(&in->n_channels);
    bool is_pull = atomic_load(&in->session.route) == ZCMIG_ROUTE_PULL;

    if (is_pull && !zc_pull_check(&in->pull, &in->ram, error)) {
        return false;
    }
    if (!zc_barrier_init(&in->barrier, n, &in->stall, error)) {
        return false;
    }
    in->has_ram = true;
    in->shared = (struct zc_reader_shared){ .stall = &in->stall,
                                            .barrier = &in->barrier,
                                            .place = &in->place,
                                            .cause = &in->session.cause,
                                            .pull = is_pull ? &in->pull : NULL };
    for (unsigned int i = 0; i < n; i++) {
        in->readers[i] = zc_reader_start(&in->shared, in->fds[i], i, &in->counters[i], error);
        if (!in->readers[i]) {
            return false;
        }
    }
    return true;
}

bool zc_incoming_open_ram(struct zc_incoming *in)
{
    GError *error = NULL;

    if (in->has_ram) {
        return true;
    }
    if (zc_incoming_shares_memory(in) && in->memory.memory.n_blocks == 0) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL, "the route memfd: got RAM before its memory");
        return zc_incoming_fail(in, error);
    }
    atomic_store(&in->session.total_bytes, zc_ram_bytes(&in->ram));
    if (in->is_again && in->n_blocks_again != in->ram.n_blocks) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL, "got %u RAM blocks again, allowed are all %u",
                 in->n_blocks_again, in->ram.n_blocks);
        return zc_incoming_fail(in, error);
    }
    if ((!in->is_again && !allocate(in, &error)) || !open_channels(in, &error) ||
        !start_readers(in, &error)) {
        return zc_incoming_fail(in, error);
    }
    in->phase = ZC_INCOMING_RAM;
    zc_session_set_state(&in->session, ZCMIG_STATE_ACTIVE);
    if (in->is_again) {
        zc_incoming_reconnected(in);
    }
    return !zc_incoming_shares_memory(in) || zc_incoming_check_memory(in);
}

/* -------------------------------------------------- pages of the main stream */

static bool fail_store(struct zc_incoming *in, int rc, const char *doing)
{
    GError *error = NULL;

    zc_error_errno(&error, rc == -ENOMEM ? ZCMIG_ERROR_LIMIT : ZCMIG_ERROR_OUTPUT, rc,
                   "main stream: %s of block '%s'", doing, in->ram.blocks[in->pages_block].name);
    return zc_incoming_fail(in, error);
}

/* The block of @event's page, which the decoder has named; checked against ours.  -1: reported. */
static int find_block(struct zc_incoming *in, const struct zc_stream_event *event)
{
    int block = (int)in->pages_block;
    GError *error = NULL;

    if (zc_incoming_shares_memory(in)) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "main stream: got a page by the route memfd, which moves none");
        zc_incoming_fail(in, error);
        return -1;
    }
    if (strcmp(in->ram.blocks[block].name, event->page.block) != 0) {
        block = zc_ram_find(&in->ram, event->page.block);
    }
    if (block < 0 || !zc_block_has(&in->ram.blocks[block], event->page.offset)) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "main stream: got a page at 0x%" G_GINT64_MODIFIER
                 "x of block '%s', which has none there",
                 event->page.offset, event->page.block);
        zc_incoming_fail(in, error);
        return -1;
    }
    return block;
}

/* The pages that wait, into memory of the guest.  0 or -errno. */
static int copy_pages(struct zc_incoming *in)
{
    uint8_t *host = in->ram.blocks[in->pages_block].host;

    for (unsigned int i = 0; i < in->n_pages;) {
        unsigned int n = 1;
        while (i + n < in->n_pages && in->pages[i + n].page == in->pages[i].page + n) {
            n++;
        }
        int rc = zc_place_prepare(&in->place, in->pages_block, in->pages[i].page, n, true);
        if (rc < 0) {
            return rc;
        }
        for (; n > 0; n--, i++) {
            memcpy(host + in->pages[i].page * ZC_PAGE_BYTES, in->pages[i].content, ZC_PAGE_BYTES);
            zc_place_arrived(&in->place, in->pages_block, in->pages[i].page);
        }
    }
    return 0;
}

bool zc_incoming_flush_pages(struct zc_incoming *in)
{
    bool is_written = in->n_pages && zc_place_wants_whole_pages(&in->place);
    int rc = !in->n_pages  ? 0
             : is_written ? zc_place_write(&in->place, in->pages_block, in->pages, in->n_pages)
                          : copy_pages(in);

    if (rc < 0) {
        return fail_store(in, rc, is_written ? "storing pages" : "making room for pages");
    }
    atomic_fetch_add(&in->main_normal, in->n_pages);
    in->n_pages = 0;
    return true;
}

bool zc_incoming_page(struct zc_incoming *in, const struct zc_stream_event *event)
{
    int block = find_block(in, event);
    uint64_t page = event->page.offset / ZC_PAGE_BYTES;

    if (block < 0) {
        return false;
    }
    while (in->input.length < ZC_PAGE_BYTES) {
        if (!zc_incoming_flush_pages(in) || !zc_incoming_more(in)) {
            return false;
        }
    }
    if (((uint32_t)block != in->pages_block || in->n_pages == ZC_INCOMING_PAGES) &&
        !zc_incoming_flush_pages(in)) {
        return false;
    }
    in->pages_block = (uint32_t)block;
    in->pages[in->n_pages++] = (struct zc_place_page){ page, in->input.bytes };
    zc_input_take(&in->input, ZC_PAGE_BYTES);
    return true;
}

bool zc_incoming_zero(struct zc_incoming *in, const struct zc_stream_event *event)
{
    if (!zc_incoming_flush_pages(in)) {
        return false;
    }
    int block = find_block(in, event);
    if (block < 0) {
        return false;
    }
    in->pages_block = (uint32_t)block;
    int rc = zc_place_zero(&in->place, in->pages_block, event->page.offset / ZC_PAGE_BYTES, 1);
    if (rc < 0) {
        return fail_store(in, rc, "zeroing a page");
    }
    atomic_fetch_add(&in->main_zero, 1);
    return true;
}

/* ----------------------------------------------------------------- barriers */

/*
 * A stock QEMU does not say how many channels it has.  All of them connect before it sends RAM, but
 * what passes connections on may be slower with one than with the main stream.
 */
#define LATE_CHANNELS "%u channels that came when %u had been counted"

static unsigned int count_late_channels(struct zc_incoming *in)
{
    return in->acceptor && in->has_ram
               ? zc_acceptor_count_late(in->acceptor, atomic_load(&in->n_channels))
               : 0;
}

void zc_incoming_explain_silence(struct zc_incoming *in)
{
    g_autoptr(GError) cause = zc_cause_copy(&in->session.cause);
    GError *error = NULL;
    unsigned int n_late;

    if (zc_error_code(cause) != ZCMIG_ERROR_TIMEOUT || (n_late = count_late_channels(in)) == 0) {
        return;
    }
    zc_error(&error, ZCMIG_ERROR_TIMEOUT,
             "%s; nothing was taken from " LATE_CHANNELS ": say how many the source has",
             cause->message, n_late, atomic_load(&in->n_channels));
    zc_cause_replace(&in->session.cause, error);
}

bool zc_incoming_barrier(struct zc_incoming *in)
{
    unsigned int channel = 0;
    GError *error = NULL;

    if (atomic_load(&in->n_channels) == 0) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "the source flushes its channels, but none was there when RAM began: say how "
                 "many it has");
        return zc_incoming_fail(in, error);
    }
    int64_t begin_ns = zc_clock_now_ns();
    int rc = zc_barrier_wait(&in->barrier, &channel);
    in->barrier_ns = zc_clock_now_ns() - begin_ns;
    if (rc == 0) {
        in->n_barriers++;
        zc_barrier_release(&in->barrier);
        return true;
    }
    if (rc == -EPIPE) {
        zc_error(&error, ZCMIG_ERROR_DISCONNECTED,
                 "channel %u: the connection ended before RAM was whole", channel);
    } else if (rc == -ETIMEDOUT) {
        zc_error(&error, ZCMIG_ERROR_TIMEOUT,
                 "channel %u: its SYNC did not come; nothing came for %" G_GINT64_FORMAT " ms",
                 channel, in->options.stall_timeout_ms);
    } else if (rc == -ECANCELED) {
        zc_error(&error, ZCMIG_ERROR_CANCELLED, "cancelled at the barrier");
    } else {
        zc_error_errno(&error, ZCMIG_ERROR_FAILED, rc, "cannot wait at the barrier");
    }
    return zc_incoming_fail(in, error);
}

void zc_incoming_stop_readers(struct zc_incoming *in)
{
    for (unsigned int i = 0; i < atomic_load(&in->n_channels); i++) {
        in->readers_cpu_ns += zc_reader_stop(in->readers[i]);
        in->readers[i] = NULL;
    }
}

bool zc_incoming_end_ram(struct zc_incoming *in)
{
    unsigned int n_waiting = zc_barrier_end(&in->barrier);
    unsigned int n_late = count_late_channels(in);
    GError *error = NULL;

    if (n_late) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "RAM ended without what " LATE_CHANNELS " sent: say how many the source has", n_late,
                 atomic_load(&in->n_channels));
        return zc_incoming_fail(in, error);
    }

    if (n_waiting) {
        zc_error(&error, ZCMIG_ERROR_PROTOCOL,
                 "RAM ended while %u channels wait at a SYNC that no flush belongs to", n_waiting);
        return zc_incoming_fail(in, error);
    }
    zc_incoming_stop_readers(in);
    if (zc_cause_is_set(&in->session.cause)) {
        return false;
    }
    in->phase = ZC_INCOMING_TAIL;
    atomic_store(&in->session.transferred_ns, zc_clock_now_ns());
    zc_session_set_state(&in->session, ZCMIG_STATE_VERIFYING);
    return true;
}
