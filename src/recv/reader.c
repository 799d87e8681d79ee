/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the payload of a packet is received with one iovec per run of
 * neighbouring pages, and behind them, in the same call, one for the next
 * packet's header.  So in a steady stream a packet costs one or two recvmsg
 * calls and no poll: the descriptor is tried first, and waited for only when
 * it had nothing.
 *
 * Memory of a guest is received into straight.  An image file is not: there
 * the payload goes by a small buffer that stays in the cache, is digested in
 * it, and written to the file.  That is one copy more and yet a fifth cheaper,
 * because a page that is written whole need neither be cleared nor mapped
 * (docs/benchmarking.md).
 *
 * A header that was read ahead waits in its buffer while the channel stands
 * at the barrier.  That is harmless: only pages must not overtake, and their
 * place is given in the next pass.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/iov.h"
#include "net/io.h"
#include "recv/reader.h"
#include "wire/multifd.h"

#define STAGE_PAGES 64u /* 256 KiB: a part of the second-level cache of common CPUs */
G_STATIC_ASSERT(STAGE_PAGES <= ZC_PLACE_WRITE_MAX);

/* What an end of stream or an error interrupted; index of the texts below. */
enum reader_phase {
    PHASE_HEADER,
    PHASE_PAYLOAD,
    PHASE_POPULATE,
    PHASE_STORE,
    PHASE_ZERO,
    PHASE_BARRIER,
    PHASE_FETCH,
    PHASE_ANSWER,
};

static const char *const phase_names[] = {
    [PHASE_HEADER] = "reading a packet header",
    [PHASE_PAYLOAD] = "reading pages",
    [PHASE_POPULATE] = "making room for pages",
    [PHASE_STORE] = "storing pages",
    [PHASE_ZERO] = "zeroing pages",
    [PHASE_BARRIER] = "waiting at the barrier",
    [PHASE_FETCH] = "fetching pages",
    [PHASE_ANSWER] = "telling that all pages were fetched",
};

struct zc_reader {
    /* set before start */
    struct zc_reader_shared shared;
    int fd;
    unsigned int channel;
    struct zc_reader_counters *counters;
    GThread *thread;
    /* this thread only */
    enum reader_phase phase;
    uint8_t header[ZC_MULTIFD_HEADER_BYTES];
    size_t header_have; /* bytes of the next header that are there */
    struct zc_multifd_packet packet;
    uint32_t block; /* of the packet; kept, because the next one mostly has the same */
    struct iovec iov[ZC_MULTIFD_PAGES + 1];
    uint8_t *stage; /* STAGE_PAGES; NULL: pages are received in place */
    /* of the route pull */
    struct iovec remote[ZC_MULTIFD_PAGES];
    bool has_fetched; /* since the last SYNC, which answers for it */
    /* written at the thread's end, read after the join */
    int64_t cpu_ns;
};

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* -------------------------------------------------------------- one packet */

/* 1 a header is there, 0 the stream ended between packets, or -errno (-ENODATA: within). */
static int read_header(struct zc_reader *reader)
{
    reader->phase = PHASE_HEADER;
    while (reader->header_have < sizeof(reader->header)) {
        struct iovec iov = { reader->header + reader->header_have,
                             sizeof(reader->header) - reader->header_have };
        ssize_t n = zc_stall_recv(reader->shared.stall, reader->fd, &iov, 1);
        if (n < 0) {
            return (int)n;
        }
        if (n == 0) {
            return reader->header_have ? -ENODATA : 0;
        }
        reader->header_have += (size_t)n;
        add(&reader->counters->wire_bytes, (uint64_t)n);
    }
    return 1;
}

/* Header to packet, checked against the RAM.  False: error set. */
static bool decode_header(struct zc_reader *reader, GError **error)
{
    const struct zc_ram *ram = reader->shared.place->ram;
    struct zc_multifd_packet *packet = &reader->packet;

    reader->header_have = 0;
    if (reader->shared.pull ? !zc_multifd_packet_decode_pull(reader->header, packet, error)
                            : !zc_multifd_packet_decode(reader->header, packet, error)) {
        return false;
    }
    bool has_pages = packet->n_normal + packet->n_zero > 0;
    /* QEMU 7.2 sends an empty packet behind a SYNC that had pages; the last one may come late. */
    if (zc_barrier_has_ended(reader->shared.barrier) &&
        (has_pages || packet->flags & ZC_MULTIFD_SYNC)) {
        return zc_error(error, ZCMIG_ERROR_PROTOCOL, "a packet after the end of RAM");
    }
    if (!has_pages) {
        return true;
    }
    if (strcmp(ram->blocks[reader->block].name, packet->block) != 0) {
        int found = zc_ram_find(ram, packet->block);
        if (found < 0) {
            return zc_error(error, ZCMIG_ERROR_PROTOCOL,
                            "got pages of block '%s', which was not announced", packet->block);
        }
        reader->block = (uint32_t)found;
    }
    return zc_multifd_packet_check(packet, ram->blocks[reader->block].used_bytes, error);
}

/* Length of the run of neighbours that begins with offsets[@first]. */
static uint32_t run_length(const uint64_t *offsets, uint32_t first, uint32_t end)
{
    uint32_t n = 1;

    while (first + n < end && offsets[first + n] == offsets[first] + n * (uint64_t)ZC_PAGE_BYTES) {
        n++;
    }
    return n;
}

static int zero_pages(struct zc_reader *reader)
{
    const struct zc_multifd_packet *packet = &reader->packet;
    uint32_t end = packet->n_normal + packet->n_zero;

    reader->phase = PHASE_ZERO;
    for (uint32_t i = packet->n_normal; i < end;) {
        uint32_t n = run_length(packet->offsets, i, end);
        int rc = zc_place_zero(reader->shared.place, reader->block,
                               packet->offsets[i] / ZC_PAGE_BYTES, n);
        if (rc < 0) {
            return rc;
        }
        i += n;
    }
    add(&reader->counters->zero_pages, packet->n_zero);
    return 0;
}

/* Fills iov with the runs of the payload and the next header; returns their number or -errno. */
static int prepare_pages(struct zc_reader *reader)
{
    const struct zc_multifd_packet *packet = &reader->packet;
    uint8_t *host = reader->shared.place->ram->blocks[reader->block].host;
    int n_iov = 0;

    reader->phase = PHASE_POPULATE;
    for (uint32_t i = 0; i < packet->n_normal;) {
        uint32_t n = run_length(packet->offsets, i, packet->n_normal);
        int rc = zc_place_prepare(reader->shared.place, reader->block,
                                  packet->offsets[i] / ZC_PAGE_BYTES, n, false);
        if (rc < 0) {
            return rc;
        }
        reader->iov[n_iov++] = (struct iovec){ host + packet->offsets[i],
                                               (size_t)n * ZC_PAGE_BYTES };
        i += n;
    }
    reader->iov[n_iov++] = (struct iovec){ reader->header, sizeof(reader->header) };
    return n_iov;
}

/* Receives @payload bytes into @iov; what comes beyond them is the next header's. */
static int receive(struct zc_reader *reader, struct iovec *iov, unsigned int n_iov,
                   size_t payload)
{
    size_t have = 0;

    reader->phase = PHASE_PAYLOAD;
    while (have < payload) {
        ssize_t n = zc_stall_recv(reader->shared.stall, reader->fd, iov, n_iov);
        if (n <= 0) {
            return n < 0 ? (int)n : -ENODATA;
        }
        have += (size_t)n;
        add(&reader->counters->wire_bytes, (uint64_t)n);
        zc_iov_advance(&iov, &n_iov, (size_t)n);
    }
    reader->header_have = have - payload;
    return 0;
}

static int read_in_place(struct zc_reader *reader)
{
    const struct zc_multifd_packet *packet = &reader->packet;
    int n_iov = prepare_pages(reader);

    if (n_iov < 0) {
        return n_iov;
    }
    int rc = receive(reader, reader->iov, (unsigned int)n_iov, (size_t)packet->n_normal * ZC_PAGE_BYTES);
    for (uint32_t i = 0; rc == 0 && i < packet->n_normal; i++) {
        zc_place_arrived(reader->shared.place, reader->block, packet->offsets[i] / ZC_PAGE_BYTES);
    }
    return rc;
}

/* Stores what lies in the stage: @n pages of the packet, from the one at @first on. */
static int store_stage(struct zc_reader *reader, uint32_t first, uint32_t n)
{
    struct zc_place_page pages[STAGE_PAGES];

    for (uint32_t i = 0; i < n; i++) {
        pages[i] = (struct zc_place_page){ reader->packet.offsets[first + i] / ZC_PAGE_BYTES,
                                           reader->stage + (size_t)i * ZC_PAGE_BYTES };
    }
    reader->phase = PHASE_STORE;
    return zc_place_write(reader->shared.place, reader->block, pages, n);
}

static int read_staged(struct zc_reader *reader)
{
    const struct zc_multifd_packet *packet = &reader->packet;
    int rc = 0;

    for (uint32_t first = 0; rc == 0 && first < packet->n_normal; first += STAGE_PAGES) {
        uint32_t n = MIN(packet->n_normal - first, STAGE_PAGES);
        bool is_last = first + n == packet->n_normal;
        struct iovec iov[] = { { reader->stage, (size_t)n * ZC_PAGE_BYTES },
                               { reader->header, sizeof(reader->header) } };
        rc = receive(reader, iov, is_last ? 2 : 1, iov[0].iov_len);
        if (rc == 0) {
            rc = store_stage(reader, first, n);
        }
    }
    return rc;
}

/* ------------------------------------------------------------------ by pull */

/* Fetches @n pages of the packet's list, from the one at @first on, into @n_local runs. */
static int fetch(struct zc_reader *reader, uint32_t first, uint32_t n, struct iovec *local,
                 unsigned int n_local)
{
    const struct zc_multifd_packet *packet = &reader->packet;
    const struct zc_pull *pull = reader->shared.pull;
    unsigned int n_remote = 0;

    for (uint32_t i = first; i < first + n;) {
        uint32_t run = run_length(packet->offsets, i, first + n);
        reader->remote[n_remote++] = (struct iovec){
            zc_pull_address(pull, reader->block, packet->offsets[i]), (size_t)run * ZC_PAGE_BYTES
        };
        i += run;
    }
    reader->phase = PHASE_FETCH;
    int rc = zc_pull_fetch(pull, local, n_local, reader->remote, n_remote);
    if (rc == 0) {
        reader->has_fetched = true;
        zc_stall_note(reader->shared.stall);
    }
    return rc;
}

static int fetch_in_place(struct zc_reader *reader)
{
    const struct zc_multifd_packet *packet = &reader->packet;
    int n_iov = prepare_pages(reader);

    if (n_iov < 0) {
        return n_iov;
    }
    /* The last one is that of a next header, which does not come behind pages here. */
    int rc = fetch(reader, 0, packet->n_normal, reader->iov, (unsigned int)n_iov - 1);
    for (uint32_t i = 0; rc == 0 && i < packet->n_normal; i++) {
        zc_place_arrived(reader->shared.place, reader->block, packet->offsets[i] / ZC_PAGE_BYTES);
    }
    return rc;
}

static int fetch_staged(struct zc_reader *reader)
{
    const struct zc_multifd_packet *packet = &reader->packet;
    int rc = 0;

    for (uint32_t first = 0; rc == 0 && first < packet->n_normal; first += STAGE_PAGES) {
        uint32_t n = MIN(packet->n_normal - first, STAGE_PAGES);
        struct iovec local = { reader->stage, (size_t)n * ZC_PAGE_BYTES };
        rc = fetch(reader, first, n, &local, 1);
        if (rc == 0) {
            rc = store_stage(reader, first, n);
        }
    }
    return rc;
}

static int fetch_pages(struct zc_reader *reader)
{
    return reader->stage ? fetch_staged(reader) : fetch_in_place(reader);
}

/* SYNC: everything before it was fetched, so that memory is the source's again. */
static int answer_sync(struct zc_reader *reader)
{
    static const uint8_t answer = ZC_MULTIFD_PULL_ACK;
    const struct zc_stall *stall = reader->shared.stall;

    reader->has_fetched = false;
    reader->phase = PHASE_FETCH;
    int rc = zc_pull_confirm(reader->shared.pull);
    if (rc < 0) {
        return rc;
    }
    reader->phase = PHASE_ANSWER;
    return zc_io_write_all(reader->fd, &answer, sizeof(answer), zc_deadline_in(stall->limit_ms),
                           stall->wake_fd);
}

/* ------------------------------------------------------------------ thread */

/* -errno of a phase, as the session's error.  NULL: the session ended already, or ends by this. */
static GError *error_of(const struct zc_reader *reader, int rc)
{
    const char *phase = phase_names[reader->phase];
    GError *error = NULL;

    if (rc == -ECANCELED) {
        return NULL;
    }
    if (rc == -ETIMEDOUT) {
        zc_error(&error, ZCMIG_ERROR_TIMEOUT,
                 "channel %u: nothing came for %" G_GINT64_FORMAT " ms while %s", reader->channel,
                 reader->shared.stall->limit_ms, phase);
    } else if (rc == -ENODATA) {
        zc_error(&error, ZCMIG_ERROR_DISCONNECTED,
                 "channel %u: the connection ended in the middle of a packet, while %s",
                 reader->channel, phase);
    } else if (reader->phase == PHASE_FETCH) {
        error = zc_pull_error(reader->shared.pull, rc);
        g_prefix_error(&error, "channel %u: ", reader->channel);
    } else if (reader->phase == PHASE_POPULATE || reader->phase == PHASE_STORE ||
               reader->phase == PHASE_ZERO || rc == -EFAULT) {
        zc_error_errno(&error, rc == -ENOMEM ? ZCMIG_ERROR_LIMIT : ZCMIG_ERROR_OUTPUT, rc,
                       "channel %u: %s of block '%s'", reader->channel, phase,
                       reader->packet.block);
    } else {
        zc_error_errno(&error, ZCMIG_ERROR_DISCONNECTED, rc, "channel %u: while %s",
                       reader->channel, phase);
    }
    return error;
}

/* 1 go on, 0 the stream ended, or -errno; -EPROTO with @error. */
static int read_packet(struct zc_reader *reader, GError **error)
{
    int rc = read_header(reader);

    if (rc <= 0) {
        return rc;
    }
    if (!decode_header(reader, error)) {
        return -EPROTO;
    }
    if (reader->packet.n_normal) {
        rc = reader->shared.pull ? fetch_pages(reader)
             : reader->stage     ? read_staged(reader)
                                 : read_in_place(reader);
        if (rc == 0) {
            add(&reader->counters->normal_pages, reader->packet.n_normal);
        }
    }
    if (rc >= 0 && reader->packet.n_zero) {
        rc = zero_pages(reader);
    }
    add(&reader->counters->packets, 1);
    if (rc >= 0 && reader->packet.flags & ZC_MULTIFD_SYNC && reader->has_fetched) {
        rc = answer_sync(reader);
    }
    if (rc >= 0 && reader->packet.flags & ZC_MULTIFD_SYNC) {
        reader->phase = PHASE_BARRIER;
        rc = zc_barrier_arrive(reader->shared.barrier, reader->channel);
    }
    return rc < 0 ? rc : 1;
}

static gpointer reader_run(gpointer data)
{
    struct zc_reader *reader = data;
    GError *error = NULL;
    int rc;

    do {
        rc = read_packet(reader, &error);
    } while (rc > 0 && !zc_cause_is_set(reader->shared.cause));
    if (rc == 0) {
        zc_barrier_close(reader->shared.barrier, reader->channel);
    } else if (error) {
        g_prefix_error(&error, "channel %u: ", reader->channel);
    } else if (rc < 0) {
        error = error_of(reader, rc);
    }
    if (error) {
        zc_cause_report(reader->shared.cause, error);
    }
    reader->cpu_ns = zc_clock_thread_cpu_ns();
    return NULL;
}

struct zc_reader *zc_reader_start(const struct zc_reader_shared *shared, int fd,
                                  unsigned int channel, struct zc_reader_counters *counters,
                                  GError **error)
{
    struct zc_reader *reader = g_new0(struct zc_reader, 1);
    g_autofree char *name = g_strdup_printf("zcmig-recv-%u", channel);

    reader->shared = *shared;
    reader->fd = fd;
    reader->channel = channel;
    reader->counters = counters;
    if (zc_place_wants_whole_pages(shared->place)) {
        reader->stage = g_aligned_alloc(STAGE_PAGES, ZC_PAGE_BYTES, ZC_PAGE_BYTES);
    }
    reader->thread = g_thread_try_new(name, reader_run, reader, error);
    if (!reader->thread) {
        g_aligned_free(reader->stage);
        g_free(reader);
        return NULL;
    }
    return reader;
}

int64_t zc_reader_stop(struct zc_reader *reader)
{
    if (!reader) {
        return 0;
    }
    /* Input that is queued still comes out; after it the reader sees an end of stream. */
    shutdown(reader->fd, SHUT_RD);
    g_thread_join(reader->thread);
    int64_t cpu_ns = reader->cpu_ns;
    g_aligned_free(reader->stage);
    g_free(reader);
    return cpu_ns;
}
