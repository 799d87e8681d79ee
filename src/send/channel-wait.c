/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: everything that waits ends in zc_channel_wait, and each pass of a
 * loop around it has read a message, has room in the socket, or has slept:
 * poll(2) is level-triggered, and cannot make us spin.
 */
#include "config.h"

#include <errno.h>

#include "send/channel-internal.h"

/* Completed calls without ENOBUFS after which a lowered budget is raised by a part of its top. */
#define RELAX_CALLS 64u
#define RELAX_PART 16u
/* How often option memory is asked for that no event will speak of. */
#define SETTLE_MS 1

/* ---- notes */

void zc_channel_release_slot(struct zc_channel *channel, uint32_t slot)
{
    if (channel->slot_calls[slot] == 0 && slot != channel->current_slot) {
        channel->free_slots[channel->n_free++] = slot;
    }
}

void zc_channel_collect(struct zc_channel *channel)
{
    struct zc_call call;

    while (zc_completion_pop(&channel->completion, &call)) {
        zc_budget_give(channel->budget, call.charge_pages);
        if (call.cookie != ZC_CHANNEL_NO_SLOT) {
            channel->slot_calls[call.cookie]--;
            zc_channel_release_slot(channel, call.cookie);
        }
        if (++channel->calls_since_refusal == RELAX_CALLS) {
            channel->calls_since_refusal = 0;
            zc_budget_relax(channel->budget,
                            channel->budget->memlock_bytes / ZC_CHANNEL_PAGE_BYTES / RELAX_PART);
        }
    }
}

/* Whether a limit is the reason: the user can lift it, and the counters tell of copies anyway. */
static bool is_limit(struct zc_channel *channel)
{
    int reason = atomic_load_explicit(&channel->reason, memory_order_relaxed);

    return reason == ZC_REASON_OPTMEM || reason == ZC_REASON_MEMLOCK ||
           reason == ZC_REASON_MEMLOCK_TOO_SMALL;
}

int zc_channel_note(struct zc_channel *channel, uint32_t lo, uint32_t hi, enum zc_copied copied)
{
    if (channel->tallies) {
        if (zc_tally_note(&channel->tally, lo, hi, copied) < 0) {
            return -EPROTO;
        }
        channel->completion.counts.notes++;
    } else if (zc_completion_note(&channel->completion, lo, hi, copied) < 0) {
        return -EPROTO;
    }
    if (copied != ZC_COPIED_UNKNOWN) {
        zc_pause_note(&channel->pause, copied == ZC_COPIED_YES);
    }
    if (copied == ZC_COPIED_YES &&
        (channel->pause.state == ZC_ZEROCOPY_PAUSED_COPIED || !is_limit(channel))) {
        zc_channel_set_reason(channel, ZC_REASON_COPIED);
    }
    return 0;
}

/*
 * Where notes do not tell calls: whether all are done.  Asked after the error queue was read to its
 * end, so no note can still wait there; but the option memory of a note that the kernel has merged
 * into another is given back a moment later, and no event tells.
 */
static void settle(struct zc_channel *channel)
{
    uint32_t calls = zc_completion_in_flight(&channel->completion);
    uint32_t copied_min, copied_max;

    channel->settling = zc_tally_may_be_quiet(&channel->tally, calls) &&
                        zc_channel_optmem(channel) != 0;
    if (!channel->settling && zc_tally_may_be_quiet(&channel->tally, calls)) {
        zc_tally_take(&channel->tally, calls, &copied_min, &copied_max);
        zc_completion_all(&channel->completion, copied_min, copied_max);
    }
}

/* Reads all notes that are there: how many messages, or -errno. */
static int reap(struct zc_channel *channel)
{
    int messages = channel->engine->reap(channel);

    if (messages < 0) {
        return zc_channel_fail(channel, messages);
    }
    if (channel->tallies) {
        settle(channel);
    }
    zc_channel_collect(channel);
    return messages;
}

int zc_channel_reap_if_any(struct zc_channel *channel)
{
    return zc_completion_in_flight(&channel->completion) > 0 ? reap(channel) : 0;
}

/* ---- waiting */

int zc_channel_socket_error(struct zc_channel *channel)
{
    int error = 0;
    socklen_t length = sizeof(error);
    int ret = channel->net->ops->getsockopt(channel->net->ctx, channel->fd, SOL_SOCKET, SO_ERROR,
                                            &error, &length);

    if (ret < 0) {
        return zc_channel_fail(channel, ret);
    }
    return error ? zc_channel_fail(channel, -error) : 0;
}

int zc_channel_nap(struct zc_channel *channel, int ms, zc_deadline deadline)
{
    struct pollfd wake = { .fd = channel->wake_fd, .events = POLLIN };
    int64_t now = zc_channel_now_ns(channel);

    if (now >= deadline) {
        return -ETIMEDOUT;
    }
    int left = zc_deadline_poll_ms(deadline, now);
    int ret = channel->net->ops->poll(channel->net->ctx, &wake, channel->wake_fd >= 0,
                                      left < 0 ? ms : MIN(ms, left));
    if (ret < 0) {
        return ret;
    }
    return ret > 0 ? -ECANCELED : 0;
}

int zc_channel_wait(struct zc_channel *channel, short events, zc_deadline deadline)
{
    struct pollfd fds[3] = {
        { .fd = channel->fd, .events = events },
        { .fd = channel->wake_fd, .events = POLLIN },
        { .fd = channel->engine->notes_fd ? channel->engine->notes_fd(channel) : -1,
          .events = POLLIN },
    };
    nfds_t n_fds = fds[2].fd >= 0 ? 3 : channel->wake_fd >= 0 ? 2 : 1;

    zc_channel_publish(channel);
    int timeout = zc_deadline_poll_ms(deadline, zc_channel_now_ns(channel));
    bool asks_again = channel->settling && (timeout < 0 || timeout > SETTLE_MS);
    int ret = channel->net->ops->poll(channel->net->ctx, fds, n_fds,
                                      asks_again ? SETTLE_MS : timeout);
    if (ret < 0) {
        return zc_channel_fail(channel, ret);
    }
    if (fds[1].revents) {
        return -ECANCELED;
    }
    if (ret == 0 && asks_again) {
        ret = reap(channel);
        return MIN(ret, 0);
    }
    if (ret == 0) {
        return -ETIMEDOUT;
    }
    if (fds[0].revents & POLLNVAL) {
        return zc_channel_fail(channel, -EBADF);
    }
    bool notes = (fds[0].revents & POLLERR) || fds[2].revents;
    int messages = notes ? reap(channel) : 0;
    if (messages < 0) {
        return messages;
    }
    if (fds[0].revents & POLLOUT & events) {
        return 1;
    }
    if (messages > 0) {
        return 0;
    }
    ret = zc_channel_socket_error(channel);
    if (ret < 0) {
        return ret;
    }
    if (fds[0].revents & POLLHUP) {
        return zc_channel_fail(channel, -EPIPE);
    }
    return zc_channel_nap(channel, 1, deadline);
}

int zc_channel_wait_sending(struct zc_channel *channel, short events, zc_deadline deadline)
{
    int64_t start = zc_channel_now_ns(channel);
    int ret = zc_channel_wait(channel, events, deadline);

    channel->own.counters.wait_ns += zc_channel_now_ns(channel) - start;
    return ret;
}

/* A socket that calls itself writable and then is not, is asked less and less often. */
int zc_channel_wait_writable(struct zc_channel *channel)
{
    struct zc_channel_packet *packet = &channel->packet;
    int ret = 0;

    if (packet->blocked++ > 0) {
        ret = zc_channel_nap(channel, 1 << MIN(packet->blocked - 1, 4), packet->deadline);
    }
    while (ret == 0) {
        ret = zc_channel_wait_sending(channel, POLLOUT, packet->deadline);
    }
    return ret < 0 ? ret : 0;
}
