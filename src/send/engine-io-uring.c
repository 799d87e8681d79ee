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
 */
#include "config.h"

#include "send/channel-internal.h"

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

struct uring_call {
    uint32_t attempt;
    bool follows; /* another was in flight when it was made */
};

struct uring_state {
    struct io_uring ring;
    bool reports_usage;
    bool denies_copies; /* vsock copies what goes beyond the credit, and says that it did not */
    uint32_t attempt;
    struct uring_call calls[CALLS_MAX]; /* by serial */
};

static enum zc_channel_reason uring_open(struct zc_channel *channel,
                                         const struct zc_channel_options *options)
{
    struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE, .cq_entries = 2 * CALLS_MAX };

    (void)options;
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
    state->denies_copies = zc_channel_domain(channel) == AF_VSOCK;
    channel->engine_state = state;
    return ZC_REASON_NONE;
}

static void uring_close(struct zc_channel *channel)
{
    struct uring_state *state = channel->engine_state;

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

/* One attempt: what the kernel sent, or -errno. */
static int attempt(struct zc_channel *channel, const struct msghdr *msg)
{
    struct uring_state *state = channel->engine_state;
    uint32_t serial = channel->completion.next;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&state->ring);

    if (!sqe) {
        return -EIO;
    }
    io_uring_prep_sendmsg_zc(sqe, channel->fd, msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (state->reports_usage) {
        sqe->ioprio |= IORING_SEND_ZC_REPORT_USAGE;
    }
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

static ssize_t uring_call(struct zc_channel *channel, size_t bytes)
{
    struct uring_state *state = channel->engine_state;
    size_t cut;
    const struct msghdr msg = zc_channel_message(channel, bytes, &cut);
    int ret = attempt(channel, &msg);

    if (ret == -EINVAL && state->reports_usage) {
        state->reports_usage = false;
        ret = attempt(channel, &msg);
    }
    zc_channel_message_end(&msg, cut);
    zc_channel_collect(channel);
    if (ret == -ENOMEM) {
        return -ENOBUFS; /* RLIMIT_MEMLOCK */
    }
    return ret == 0 ? -EIO : ret;
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
    .send = zc_channel_call_zerocopy,
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
