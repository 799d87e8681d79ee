/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a call is submitted with MSG_DONTWAIT, so the kernel makes it at once
 * and in order, and its result is on the completion queue when the submission
 * returns; it is the note that comes later (IORING_CQE_F_NOTIF), and nobody
 * waits for that here.  A call that failed may get a note too: its user data
 * (attempt << 32 | serial) tells it from that of the successful call which got
 * the same serial number after it.
 *
 * The kernel links the notes of calls that follow each other closely, and says
 * COPIED of a follower under 64 KiB that was not (seen on 6.12 and 7.2), so
 * such a note leaves it open.
 *
 * Pages in registered memory (send/uring-buffers.h) go by a call of their own,
 * behind the header, which is copied with MSG_MORE: all of a packet's that are
 * in one slice where the kernel takes a vector of them (Linux 6.15), else run by
 * run.  Runs too short to be worth a call go as if nothing were registered.
 */
#include "config.h"

#include "send/channel-internal.h"
#include "send/uring-buffers.h"

#ifdef HAVE_LIBURING

#include <errno.h>

#include <liburing.h>

#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3) /* Linux 6.2 */
#endif
#ifndef IORING_NOTIF_USAGE_ZC_COPIED
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31)
#endif

#define SQ_ENTRIES 4u
#define CALLS_MAX 1024u /* as the channel's ring */
#define BELIEVED_BYTES (64u * 1024)
#define RESULT_WAIT_S 1
/* Of registered memory that a call is made for: below it the call costs more than the pinning. */
#define REGISTERED_BYTES_MIN (64u * 1024)

struct uring_call {
    uint32_t attempt;
    bool follows; /* another was in flight when it was made */
};

struct uring_state {
    struct io_uring ring;
    struct zc_uring_buffers *buffers; /* NULL: none */
    bool takes_vectors; /* of registered memory, as far as we know */
    bool reports_usage;
    bool denies_copies; /* vsock copies what goes beyond the credit, and says that it did not */
    uint32_t attempt;
    struct uring_call calls[CALLS_MAX]; /* by serial */
};

static enum zc_channel_reason uring_open(struct zc_channel *channel,
                                         const struct zc_channel_options *options)
{
    struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE, .cq_entries = 2 * CALLS_MAX };

    if (channel->net->ops != zc_net_kernel.ops ||
        zc_channel_ask_zerocopy(channel) != ZC_REASON_NONE) { /* only vsock really asks for it */
        return ZC_REASON_URING_SOCKET;
    }
    struct uring_state *state = g_new0(struct uring_state, 1);
    int ret = io_uring_queue_init_params(SQ_ENTRIES, &state->ring, &params);
    if (ret < 0) {
        g_free(state);
        return ret == -ENOMEM ? ZC_REASON_MEMLOCK : ZC_REASON_URING_FORBIDDEN;
    }
    io_uring_ring_dontfork(&state->ring);
    struct io_uring_probe *probe = io_uring_get_probe_ring(&state->ring);
    bool has_it = probe && io_uring_opcode_supported(probe, IORING_OP_SENDMSG_ZC);
    io_uring_free_probe(probe);
    if (!has_it) {
        io_uring_queue_exit(&state->ring);
        g_free(state);
        return ZC_REASON_URING_OLD;
    }
    state->reports_usage = true;
    state->takes_vectors = true;
    state->buffers = zc_uring_buffers_new(&state->ring, options->regions, options->n_regions,
                                          options->budget);
    state->denies_copies = zc_channel_domain(channel) == AF_VSOCK;
    channel->engine_state = state;
    return ZC_REASON_NONE;
}

static void uring_close(struct zc_channel *channel)
{
    struct uring_state *state = channel->engine_state;

    zc_uring_buffers_free(state->buffers);
    io_uring_queue_exit(&state->ring);
    g_free(state);
}

static int take_note(struct zc_channel *channel, const struct io_uring_cqe *cqe)
{
    struct uring_state *state = channel->engine_state;
    const struct zc_completion *completion = &channel->completion;
    uint32_t serial = (uint32_t)cqe->user_data;
    const struct uring_call *call = &state->calls[serial % CALLS_MAX];
    enum zc_copied copied = ZC_COPIED_NO;

    if (call->attempt != (uint32_t)(cqe->user_data >> 32)) {
        return 0; /* of a call that sent nothing */
    }
    if (!state->reports_usage || state->denies_copies) {
        copied = ZC_COPIED_UNKNOWN;
    } else if ((uint32_t)cqe->res & IORING_NOTIF_USAGE_ZC_COPIED) {
        uint32_t bytes = completion->calls[serial & (completion->capacity - 1)].bytes;
        copied = call->follows && bytes < BELIEVED_BYTES ? ZC_COPIED_UNKNOWN : ZC_COPIED_YES;
    }
    return zc_channel_note(channel, serial, serial, copied);
}

/* Takes notes off the queue until the result of the call just submitted: that, or -errno. */
static int wait_for_result(struct zc_channel *channel)
{
    struct uring_state *state = channel->engine_state;
    struct __kernel_timespec limit = { .tv_sec = RESULT_WAIT_S };
    struct io_uring_cqe *cqe;
    int ret;

    do {
        ret = io_uring_peek_cqe(&state->ring, &cqe);
        if (ret == -EAGAIN) {
            ret = io_uring_wait_cqe_timeout(&state->ring, &cqe, &limit);
        }
        if (ret == -EINTR) {
            ret = 0;
            continue;
        }
        if (ret < 0) {
            return -EIO;
        }
        bool is_note = cqe->flags & IORING_CQE_F_NOTIF;
        int result = cqe->res;
        ret = is_note ? take_note(channel, cqe) : 0;
        io_uring_cqe_seen(&state->ring, cqe);
        if (!is_note) {
            return result;
        }
    } while (ret == 0);
    return ret;
}

/* What to send: @msg, or a part of registered memory. */
struct uring_message {
    const struct msghdr *msg;
    bool registered;
    uint32_t slice;
};

static void prepare(struct zc_channel *channel, struct io_uring_sqe *sqe,
                    const struct uring_message *message)
{
    struct uring_state *state = channel->engine_state;
    const struct iovec *iov = message->msg->msg_iov;

    if (message->registered && message->msg->msg_iovlen == 1) {
        io_uring_prep_send_zc_fixed(sqe, channel->fd, iov->iov_base, iov->iov_len,
                                    MSG_NOSIGNAL | MSG_DONTWAIT, 0, message->slice);
    } else {
        io_uring_prep_sendmsg_zc(sqe, channel->fd, message->msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (message->registered) {
            sqe->ioprio |= IORING_RECVSEND_FIXED_BUF;
            sqe->buf_index = (uint16_t)message->slice;
        }
    }
    if (state->reports_usage) {
        sqe->ioprio |= IORING_SEND_ZC_REPORT_USAGE;
    }
}

/* One attempt: what the kernel sent, or -errno. */
static int attempt(struct zc_channel *channel, const struct uring_message *message)
{
    struct uring_state *state = channel->engine_state;
    uint32_t serial = channel->completion.next;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&state->ring);

    if (!sqe) {
        return -EIO;
    }
    prepare(channel, sqe, message);
    state->attempt += state->attempt == UINT32_MAX ? 2 : 1; /* never 0 */
    state->calls[serial % CALLS_MAX] = (struct uring_call){
        .attempt = state->attempt,
        .follows = zc_completion_in_flight(&channel->completion) > 0,
    };
    io_uring_sqe_set_data64(sqe, (uint64_t)state->attempt << 32 | serial);
    int ret = io_uring_submit(&state->ring);
    if (ret < 0) {
        return ret;
    }
    ret = wait_for_result(channel);
    if (ret <= 0) {
        state->calls[serial % CALLS_MAX].attempt = 0; /* its note, if any, is nobody's */
    }
    return ret;
}

/* The call, with and without what the kernel may not know yet: bytes sent, or -errno. */
static ssize_t call(struct zc_channel *channel, const struct uring_message *message)
{
    struct uring_state *state = channel->engine_state;
    int ret = attempt(channel, message);

    if (ret == -EINVAL && message->registered && message->msg->msg_iovlen > 1) {
        state->takes_vectors = false;
        return 0; /* go on run by run */
    }
    if (ret == -EINVAL && state->reports_usage) {
        state->reports_usage = false;
        ret = attempt(channel, message);
    }
    zc_channel_collect(channel);
    if (ret == -ENOMEM) {
        return -ENOBUFS; /* RLIMIT_MEMLOCK */
    }
    return ret == 0 ? -EIO : ret;
}

static ssize_t uring_call(struct zc_channel *channel, size_t bytes)
{
    size_t cut;
    const struct msghdr msg = zc_channel_message(channel, bytes, &cut);
    ssize_t sent = call(channel, &(struct uring_message){ .msg = &msg });

    zc_channel_message_end(&msg, cut);
    return sent;
}

/* ---- registered memory */

/* How much of the packet's next pages is in one slice: 0 when that is not worth a call. */
static size_t next_in_slice(struct zc_channel *channel, uint32_t *slice_out)
{
    struct uring_state *state = channel->engine_state;
    const struct zc_channel_packet *packet = &channel->packet;
    unsigned int first = packet->first + (packet->header_bytes > 0);
    unsigned int end = state->takes_vectors ? packet->n_iovs : MIN(first + 1, packet->n_iovs);
    size_t bytes = 0;

    for (unsigned int i = first; i < end; i++) {
        uint32_t slice;
        size_t part = zc_uring_buffers_part(state->buffers, packet->iovs[i].iov_base,
                                            packet->iovs[i].iov_len, &slice);
        if (part == 0 || (bytes > 0 && slice != *slice_out)) {
            break;
        }
        *slice_out = slice;
        bytes += part;
        if (part < packet->iovs[i].iov_len) {
            break;
        }
    }
    return bytes >= REGISTERED_BYTES_MIN ? bytes : 0;
}

/* Whether the slice is registered; if not, and it was to be, the channel says why. */
static bool is_registered(struct zc_channel *channel, uint32_t slice)
{
    struct uring_state *state = channel->engine_state;

    if (zc_uring_buffers_use(state->buffers, slice)) {
        return true;
    }
    int error = zc_uring_buffers_error(state->buffers);
    if (error < 0) {
        atomic_store_explicit(&channel->unregistered,
                              error == -ENOMEM ? (int)ZC_REASON_URING_BUFFERS_MEMLOCK
                                               : (int)ZC_REASON_URING_BUFFERS_MEMORY,
                              memory_order_relaxed);
    }
    return false;
}

static ssize_t send_registered(struct zc_channel *channel, size_t bytes, uint32_t slice)
{
    size_t cut;

    if (channel->packet.header_bytes > 0) {
        return zc_channel_copy(channel, channel->packet.header_bytes, MSG_MORE);
    }
    const struct msghdr msg = zc_channel_message(channel, bytes, &cut);
    ssize_t sent = call(
        channel, &(struct uring_message){ .msg = &msg, .registered = true, .slice = slice });
    zc_channel_message_end(&msg, cut);
    if (sent == -ENOBUFS) { /* no limit of ours: the kernel is short of memory */
        channel->packet.zerocopy = false;
        channel->packet.limited = true;
        return 0;
    }
    if (sent > 0) {
        channel->own.counters.registered_bytes += (uint64_t)sent;
        zc_channel_called(channel, (size_t)sent, 0);
    }
    return sent;
}

static ssize_t uring_send(struct zc_channel *channel)
{
    const struct uring_state *state = channel->engine_state;
    uint32_t slice = 0;
    size_t bytes = 0;

    if (state->buffers && channel->call_pages_max == UINT32_MAX &&
        !zc_completion_is_full(&channel->completion)) {
        bytes = next_in_slice(channel, &slice);
    }
    if (bytes > 0 && is_registered(channel, slice)) {
        return send_registered(channel, bytes, slice);
    }
    ssize_t sent = zc_channel_call_zerocopy(channel);
    if (bytes > 0 && sent > 0) {
        zc_uring_buffers_sent(state->buffers, slice, MIN(bytes, (size_t)sent));
    }
    return sent;
}

static int uring_reap(struct zc_channel *channel)
{
    struct uring_state *state = channel->engine_state;
    struct io_uring_cqe *cqe;
    int messages = 0;

    while (io_uring_peek_cqe(&state->ring, &cqe) == 0) {
        int ret = cqe->flags & IORING_CQE_F_NOTIF ? take_note(channel, cqe) : 0;
        io_uring_cqe_seen(&state->ring, cqe);
        if (ret < 0) {
            return ret;
        }
        messages++;
    }
    return messages;
}

static int uring_notes_fd(struct zc_channel *channel)
{
    return ((struct uring_state *)channel->engine_state)->ring.ring_fd;
}

const struct zc_engine zc_engine_io_uring = {
    .name = "io_uring",
    .open = uring_open,
    .close = uring_close,
    .send = uring_send,
    .call = uring_call,
    .reap = uring_reap,
    .notes_fd = uring_notes_fd,
};

#else

static enum zc_channel_reason uring_open(struct zc_channel *channel,
                                         const struct zc_channel_options *options)
{
    (void)channel;
    (void)options;
    return ZC_REASON_URING_ABSENT;
}

const struct zc_engine zc_engine_io_uring = { .name = "io_uring", .open = uring_open };

#endif
