/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: room is made before each zero-copy call (make_room: the ring, option
 * memory, the budget).  Where there is none, we wait for own notes, shortly and
 * only while calls of our own are in flight: what others hold gives us no
 * event.  Then a smaller call is tried, and at last the packet goes on by copy,
 * which always works.  ENOBUFS, the kernel's answer where our estimate was too
 * high, leads back to the same steps with a lower estimate.
 */
#include "config.h"

#include <errno.h>

#include <linux/sock_diag.h>

#include "send/channel-internal.h"

#ifndef SO_MEMINFO
#define SO_MEMINFO 55 /* Linux 4.12 */
#endif

/* A piece of a packet smaller than this is cheaper to copy than to pin. */
#define CALL_BYTES_MIN (16u * 1024)
/* Time a packet may spend waiting for own notes because of a limit before it is copied. */
#define LIMIT_WAIT_NS (100 * ZC_NS_PER_MS)
#define OPTMEM_SMALLEST_DEFAULT 20480u /* net.core.optmem_max before Linux 6.8 */
/* ENOBUFS that a packet may meet before it is copied; halving gets from 512 KiB to a page in 7. */
#define REFUSALS_MAX 16u

/* ---- one call */

void zc_channel_advance(struct zc_channel *channel, size_t bytes)
{
    struct zc_channel_packet *packet = &channel->packet;

    channel->own.counters.wire_bytes += bytes;
    packet->blocked = 0;
    packet->remaining_bytes -= bytes;
    packet->header_bytes -= MIN(packet->header_bytes, bytes);
    while (bytes > 0) {
        struct iovec *iov = &packet->iovs[packet->first];
        size_t part = MIN(bytes, iov->iov_len);
        iov->iov_base = (uint8_t *)iov->iov_base + part;
        iov->iov_len -= part;
        bytes -= part;
        if (iov->iov_len == 0) {
            packet->first++;
        }
    }
}

struct msghdr zc_channel_message(struct zc_channel *channel, size_t bytes, size_t *cut_out)
{
    struct zc_channel_packet *packet = &channel->packet;
    unsigned int last = packet->first;
    size_t covered = packet->iovs[last].iov_len;

    while (covered < bytes) {
        covered += packet->iovs[++last].iov_len;
    }
    *cut_out = covered - bytes;
    packet->iovs[last].iov_len -= *cut_out;
    return (struct msghdr){
        .msg_iov = &packet->iovs[packet->first],
        .msg_iovlen = last - packet->first + 1,
    };
}

void zc_channel_message_end(const struct msghdr *msg, size_t cut)
{
    msg->msg_iov[msg->msg_iovlen - 1].iov_len += cut;
}

ssize_t zc_channel_sendmsg(struct zc_channel *channel, size_t bytes, int flags)
{
    size_t cut;
    const struct msghdr msg = zc_channel_message(channel, bytes, &cut);
    ssize_t sent = channel->net->ops->sendmsg(channel->net->ctx, channel->fd, &msg,
                                              flags | MSG_NOSIGNAL | MSG_DONTWAIT);

    zc_channel_message_end(&msg, cut);
    return sent == 0 ? -EIO : sent;
}

ssize_t zc_channel_copy(struct zc_channel *channel, size_t bytes, int flags)
{
    struct zc_channel_counters *counters = &channel->own.counters;
    ssize_t sent = zc_channel_sendmsg(channel, bytes, flags);

    if (sent > 0) {
        channel->packet.full = (size_t)sent < bytes;
        counters->copy_calls++;
        counters->copy_bytes += (uint64_t)sent;
        zc_channel_advance(channel, (size_t)sent);
    }
    return sent;
}

ssize_t zc_channel_call_copy(struct zc_channel *channel)
{
    return zc_channel_copy(channel, channel->packet.remaining_bytes, 0);
}

/* ---- room for a zero-copy call */

int64_t zc_channel_optmem(struct zc_channel *channel)
{
    uint32_t info[SK_MEMINFO_VARS] = { 0 };
    socklen_t length = sizeof(info);
    int ret = channel->net->ops->getsockopt(channel->net->ctx, channel->fd, SOL_SOCKET, SO_MEMINFO,
                                            info, &length);

    if (ret < 0 || length < (SK_MEMINFO_OPTMEM + 1) * sizeof(info[0])) {
        return -1;
    }
    return info[SK_MEMINFO_OPTMEM];
}

/*
 * Whether option memory is used up.  Calls that queue behind unsent data share a record, so beyond
 * the number that always fits the kernel is asked; where it cannot be, that number is the limit.
 */
static bool optmem_is_full(struct zc_channel *channel)
{
    const struct zc_budget *budget = channel->budget;
    uint32_t calls = zc_budget_calls_per_socket(budget);

    if (!channel->engine->uses_optmem ||
        zc_completion_in_flight(&channel->completion) < calls) {
        return false;
    }
    int64_t used = zc_channel_optmem(channel);
    if (used < 0) {
        return true;
    }
    uint64_t limit = budget->optmem_bytes ? budget->optmem_bytes
                                          : (uint64_t)calls * ZC_BUDGET_OPTMEM_PER_CALL;
    return (uint64_t)used + ZC_BUDGET_OPTMEM_PER_CALL > limit;
}

/* Waits shortly for own notes: 1 when some came, 0 when it makes no sense (any more), or -errno. */
static int wait_for_own_notes(struct zc_channel *channel)
{
    struct zc_channel_packet *packet = &channel->packet;

    if (zc_completion_in_flight(&channel->completion) == 0) {
        return 0;
    }
    if (!packet->limit_deadline) {
        int64_t latest = zc_channel_now_ns(channel) + LIMIT_WAIT_NS;
        packet->limit_deadline = MIN(latest, packet->deadline);
        channel->own.counters.budget_waits++;
    }
    int ret = zc_channel_wait_sending(channel, 0, packet->limit_deadline);
    if (ret == -ETIMEDOUT) {
        return 0;
    }
    return ret < 0 ? ret : 1;
}

/* A call of at most @most bytes out of the packet, such that no crumb is left for the last one. */
static size_t piece_of(const struct zc_channel_packet *packet, uint64_t most)
{
    if (most >= packet->remaining_bytes) {
        return packet->remaining_bytes;
    }
    if (most < CALL_BYTES_MIN) {
        return 0;
    }
    size_t pieces = (packet->remaining_bytes + most - 1) / most;
    size_t even = (packet->remaining_bytes + pieces - 1) / pieces;
    size_t even_pages = (even + ZC_CHANNEL_PAGE_BYTES - 1) / ZC_CHANNEL_PAGE_BYTES;
    return MIN(even_pages * ZC_CHANNEL_PAGE_BYTES, most);
}

static bool take_piece(struct zc_channel *channel, uint64_t most, size_t *bytes_out)
{
    struct zc_channel_packet *packet = &channel->packet;
    size_t bytes = piece_of(packet, MIN(most, channel->call_bytes_max));

    if (bytes == 0 || !zc_budget_take(channel->budget, zc_budget_charge(bytes))) {
        return false;
    }
    packet->smaller = most < MIN(packet->remaining_bytes, channel->call_bytes_max);
    *bytes_out = bytes;
    return true;
}

/*
 * Takes from the budget what the next call may hold: 1 with *@bytes_out, 0 when there is no room
 * and the packet must be copied, or -errno.
 */
static int make_room(struct zc_channel *channel, size_t *bytes_out)
{
    bool memlock;
    int ret = 1;

    do {
        bool full = zc_completion_is_full(&channel->completion) || optmem_is_full(channel);
        memlock = !full;
        if (memlock &&
            take_piece(channel, zc_budget_largest_call(channel->budget), bytes_out)) {
            return 1;
        }
        ret = wait_for_own_notes(channel);
    } while (ret > 0);
    if (ret < 0) {
        return ret;
    }
    if (memlock && take_piece(channel, zc_budget_room(channel->budget), bytes_out)) {
        return 1;
    }
    uint64_t most_pages = channel->budget->memlock_bytes / ZC_CHANNEL_PAGE_BYTES;
    enum zc_channel_reason reason = ZC_REASON_MEMLOCK;
    if (!memlock) {
        reason = ZC_REASON_OPTMEM;
    } else if (most_pages < zc_budget_charge(CALL_BYTES_MIN)) {
        reason = ZC_REASON_MEMLOCK_TOO_SMALL;
    }
    zc_channel_set_reason(channel, reason);
    return 0;
}

/* The first @bytes of the packet, or fewer, such that a call touches no more pages than it may. */
static size_t within_pages(struct zc_channel *channel, size_t bytes)
{
    const struct zc_channel_packet *packet = &channel->packet;
    size_t fits = 0;
    uint32_t pages = channel->call_pages_max;

    for (unsigned int i = packet->first; fits < bytes && pages > 0; i++) {
        size_t offset = (uintptr_t)packet->iovs[i].iov_base % ZC_CHANNEL_PAGE_BYTES;
        size_t part = MIN(packet->iovs[i].iov_len, bytes - fits);
        part = MIN(part, (size_t)pages * ZC_CHANNEL_PAGE_BYTES - offset);
        pages -= (uint32_t)((offset + part + ZC_CHANNEL_PAGE_BYTES - 1) / ZC_CHANNEL_PAGE_BYTES);
        fits += part;
    }
    return fits;
}

/* From here on this packet goes by copy. */
static void copy_the_rest(struct zc_channel *channel)
{
    channel->packet.zerocopy = false;
    channel->packet.limited = true;
}

/* The kernel said ENOBUFS to a call charged with @pages: by which limit, and on with it or not. */
static int refused(struct zc_channel *channel, uint32_t pages)
{
    const struct zc_budget *budget = channel->budget;
    int64_t used = zc_channel_optmem(channel);
    uint64_t limit = (uint64_t)zc_budget_calls_per_socket(budget) * ZC_BUDGET_OPTMEM_PER_CALL;
    int ret = 1;

    if (budget->memlock_bytes == ZC_BUDGET_UNLIMITED) {
        limit = MIN(limit, OPTMEM_SMALLEST_DEFAULT); /* the socket may be of another namespace */
    }
    if (used < 0) { /* by arithmetic: as if no call shared a record */
        used = (int64_t)zc_completion_in_flight(&channel->completion) * ZC_BUDGET_OPTMEM_PER_CALL;
    }
    channel->calls_since_refusal = 0;
    if (channel->engine->uses_optmem && (uint64_t)used + ZC_BUDGET_OPTMEM_PER_CALL > limit) {
        channel->own.counters.enobufs_optmem++;
        zc_channel_set_reason(channel, ZC_REASON_OPTMEM);
        zc_budget_give(channel->budget, pages);
        ret = wait_for_own_notes(channel);
    } else {
        channel->own.counters.enobufs_memlock++;
        zc_channel_set_reason(channel, ZC_REASON_MEMLOCK);
        zc_budget_refused(channel->budget, pages);
        ret = wait_for_own_notes(channel);
        ret = ret == 0 ? 1 : ret; /* a smaller call may fit */
    }
    if (ret < 0) {
        return ret;
    }
    if (ret == 0 || ++channel->packet.refusals == REFUSALS_MAX) {
        copy_the_rest(channel);
    }
    return 0;
}

void zc_channel_called(struct zc_channel *channel, size_t sent, uint32_t pages)
{
    struct zc_channel_packet *packet = &channel->packet;
    struct zc_channel_counters *counters = &channel->own.counters;
    uint32_t slot = packet->header_bytes > 0 ? channel->current_slot : ZC_CHANNEL_NO_SLOT;

    if (slot != ZC_CHANNEL_NO_SLOT) {
        channel->slot_calls[slot]++;
    }
    zc_completion_call(&channel->completion, (uint32_t)sent, pages, slot);
    counters->in_flight_bytes_max =
        MAX(counters->in_flight_bytes_max, channel->completion.bytes_in_flight);
    if (packet->probe) {
        zc_pause_probe_sent(&channel->pause);
        packet->zerocopy = !zc_pause_is_single_call(&channel->pause);
        packet->probe = false;
    }
    zc_channel_advance(channel, sent);
}

ssize_t zc_channel_call_zerocopy(struct zc_channel *channel)
{
    struct zc_channel_packet *packet = &channel->packet;
    size_t bytes = 0;
    int ret = make_room(channel, &bytes);

    if (ret < 0) {
        return ret;
    }
    if (ret == 0) {
        copy_the_rest(channel);
        return 0;
    }
    uint32_t pages = zc_budget_charge(bytes);
    size_t asked_bytes =
        channel->call_pages_max < UINT32_MAX ? within_pages(channel, bytes) : bytes;
    ssize_t sent = channel->engine->call(channel, asked_bytes);
    if (sent == -ENOBUFS) {
        return refused(channel, pages);
    }
    if (sent < 0) {
        zc_budget_give(channel->budget, pages);
        return sent;
    }
    packet->split = packet->split || packet->smaller;
    packet->full = (size_t)sent < asked_bytes;
    zc_channel_called(channel, (size_t)sent, pages);
    return sent;
}
