/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: one packet at a time is sent call by call.  Who may wait for what:
 *
 *     a call's room       own notes, a tenth of a second a packet at most
 *     a full socket       POLLOUT, or the caller's deadline
 *     header, drain       notes, or the caller's deadline
 *
 * A header slot counts the calls in flight that hold bytes of it, and is free
 * when there are none and it is not being filled.
 */
#include "config.h"

#include <errno.h>
#include <sys/mman.h>

#include "send/channel-internal.h"

#define CALLS_MAX 1024u /* in flight */

static const char *const reason_texts[] = {
    [ZC_REASON_NONE] = "",
    [ZC_REASON_NOT_ASKED] = "zero-copy was not asked for",
    [ZC_REASON_UNIX] = "UNIX sockets have no zero-copy; pages are copied",
    [ZC_REASON_VSOCK] =
        "this vsock socket does not tell by its option memory when calls are done; pages are copied",
    [ZC_REASON_NOT_SUPPORTED] = "this kernel has no zero-copy for this socket; pages are copied",
    [ZC_REASON_COPIED] =
        "the kernel copied although zero-copy was asked for (loopback, veth, a packet capture, "
        "or a device without scatter-gather)",
    [ZC_REASON_OPTMEM] =
        "option memory of the socket was used up; raise net.core.optmem_max",
    [ZC_REASON_MEMLOCK] =
        "RLIMIT_MEMLOCK, which all processes of the user share, leaves too little room; raise it "
        "or give CAP_IPC_LOCK",
    [ZC_REASON_MEMLOCK_TOO_SMALL] =
        "RLIMIT_MEMLOCK is too small for any zero-copy call; raise it or give CAP_IPC_LOCK",
    [ZC_REASON_SPLICE_TCP] =
        "splice over TCP needs RAM that does not change: an acknowledged page may still wait in a "
        "local peer's queue",
    [ZC_REASON_SPLICE_SOCKET] = "splice needs a TCP or a UNIX socket",
    [ZC_REASON_SPLICE_PIPE] = "splice got no pipe; see fs.pipe-user-pages-soft and RLIMIT_NOFILE",
    [ZC_REASON_URING_ABSENT] = "this zcmig was built without liburing",
    [ZC_REASON_URING_FORBIDDEN] =
        "io_uring is forbidden here (kernel.io_uring_disabled, seccomp) or not in this kernel",
    [ZC_REASON_URING_OLD] = "io_uring of this kernel has no SENDMSG_ZC (Linux 6.1)",
    [ZC_REASON_URING_BUFFERS_MEMLOCK] =
        "memory was not registered: RLIMIT_MEMLOCK leaves too little room; raise it or give "
        "CAP_IPC_LOCK",
    [ZC_REASON_URING_BUFFERS_MEMORY] =
        "memory was not registered: the kernel does not pin this kind, such as a file that is "
        "mapped read-only",
    [ZC_REASON_URING_SOCKET] = "io_uring has no zero-copy for this socket",
};

int64_t zc_channel_now_ns(struct zc_channel *channel)
{
    return channel->net->ops->now_ns(channel->net->ctx);
}

void zc_channel_publish(struct zc_channel *channel)
{
    struct zc_channel_counters *counters = &channel->own.counters;

    counters->zerocopy = channel->completion.counts;
    counters->pauses = channel->pause.pauses;
    counters->probes = channel->pause.probes;
    counters->state = channel->pause.state;
    for (size_t i = 0; i < ZC_COUNTER_WORDS; i++) {
        atomic_store_explicit(&channel->published[i], channel->own.words[i], memory_order_relaxed);
    }
}

void zc_channel_set_reason(struct zc_channel *channel, enum zc_channel_reason reason)
{
    atomic_store_explicit(&channel->reason, (int)reason, memory_order_relaxed);
}

int zc_channel_fail(struct zc_channel *channel, int error)
{
    if (!channel->error) {
        channel->error = error;
    }
    return channel->error;
}

/* ---- packets */

static int send_packet(struct zc_channel *channel)
{
    struct zc_channel_packet *packet = &channel->packet;

    while (packet->remaining_bytes > 0) {
        ssize_t sent = packet->zerocopy ? channel->engine->send(channel)
                                        : zc_channel_call_copy(channel);
        if (sent == -EAGAIN || packet->full) {
            packet->full = false;
            sent = sent < 0 && sent != -EAGAIN ? sent : zc_channel_wait_writable(channel);
        }
        if (sent < 0) {
            return (int)sent;
        }
    }
    return 0;
}

/* Fills in the packet; the caller's array is not written to, neither now nor later. */
static void begin_packet(struct zc_channel *channel, size_t header_bytes, const struct iovec *pages,
                         unsigned int n_pages, zc_deadline deadline)
{
    struct zc_channel_packet *packet = &channel->packet;

    packet->first = 0;
    packet->n_iovs = 0;
    packet->remaining_bytes = header_bytes;
    packet->header_bytes = header_bytes;
    packet->deadline = deadline;
    packet->limit_deadline = 0;
    packet->refusals = 0;
    packet->blocked = 0;
    packet->limited = false;
    packet->full = false;
    packet->smaller = false;
    packet->split = false;
    if (header_bytes > 0) {
        packet->iovs[packet->n_iovs++] = (struct iovec){
            .iov_base =
                channel->headers + (size_t)channel->current_slot * ZC_CHANNEL_HEADER_BYTES_MAX,
            .iov_len = header_bytes,
        };
    }
    for (unsigned int i = 0; i < n_pages; i++) {
        if (pages[i].iov_len > 0) {
            packet->iovs[packet->n_iovs++] = pages[i];
            packet->remaining_bytes += pages[i].iov_len;
        }
    }
    bool idle = zc_completion_in_flight(&channel->completion) == 0;
    bool has_pages = packet->remaining_bytes > header_bytes;
    enum zc_pause_verdict verdict =
        has_pages ? zc_pause_packet(&channel->pause, idle) : ZC_PAUSE_COPY;
    packet->wanted = verdict != ZC_PAUSE_COPY;
    packet->zerocopy = packet->wanted;
    packet->probe = verdict == ZC_PAUSE_ASK_PROBE;
    if (packet->probe) {
        zc_budget_relax(channel->budget, zc_budget_charge(packet->remaining_bytes));
    }
}

static void end_packet(struct zc_channel *channel)
{
    struct zc_channel_packet *packet = &channel->packet;
    struct zc_channel_counters *counters = &channel->own.counters;
    uint32_t slot = channel->current_slot;

    counters->packets++;
    counters->packets_split += packet->split;
    counters->packets_by_copy += packet->limited;
    if (packet->split && channel->pause.state != ZC_ZEROCOPY_PAUSED_COPIED) {
        zc_channel_set_reason(channel, ZC_REASON_MEMLOCK); /* no other limit asks for pieces */
    }
    if (packet->wanted) {
        zc_pause_packet_done(&channel->pause, packet->limited);
    }
    channel->current_slot = ZC_CHANNEL_NO_SLOT;
    zc_channel_release_slot(channel, slot);
}

int zc_channel_header(struct zc_channel *channel, uint8_t **header_out, zc_deadline deadline)
{
    int ret = channel->error;

    while (ret >= 0 && channel->current_slot == ZC_CHANNEL_NO_SLOT && channel->n_free == 0) {
        ret = zc_channel_wait_sending(channel, 0, deadline);
    }
    zc_channel_publish(channel);
    if (ret < 0) {
        return ret;
    }
    if (channel->current_slot == ZC_CHANNEL_NO_SLOT) {
        channel->current_slot = channel->free_slots[--channel->n_free];
    }
    *header_out = channel->headers + (size_t)channel->current_slot * ZC_CHANNEL_HEADER_BYTES_MAX;
    return 0;
}

int zc_channel_send(struct zc_channel *channel, size_t header_bytes, const struct iovec *pages,
                    unsigned int n_pages, zc_deadline deadline)
{
    if (channel->error || channel->cut) {
        return channel->error ? channel->error : -EPIPE;
    }
    if (header_bytes > ZC_CHANNEL_HEADER_BYTES_MAX || n_pages >= ZC_CHANNEL_IOVS_MAX ||
        channel->current_slot == ZC_CHANNEL_NO_SLOT) {
        return -EINVAL;
    }
    int ret = zc_channel_reap_if_any(channel);
    if (ret >= 0) {
        begin_packet(channel, header_bytes, pages, n_pages, deadline);
        ret = send_packet(channel);
    }
    if (ret == 0) {
        end_packet(channel);
    } else if (ret != -ETIMEDOUT && ret != -ECANCELED) {
        zc_channel_fail(channel, ret);
    } else {
        channel->cut = true;
    }
    zc_channel_publish(channel);
    return ret;
}

int zc_channel_reap(struct zc_channel *channel)
{
    int ret = channel->error ? channel->error : zc_channel_reap_if_any(channel);

    zc_channel_publish(channel);
    return MIN(ret, 0);
}

int zc_channel_drain(struct zc_channel *channel, zc_deadline deadline)
{
    int64_t start = zc_channel_now_ns(channel);
    int ret = zc_channel_reap_if_any(channel);

    if (ret >= 0 && channel->engine->drain) {
        ret = channel->error ? channel->error : channel->engine->drain(channel, deadline);
    }
    while (ret >= 0 && zc_completion_in_flight(&channel->completion) > 0) {
        ret = channel->error ? channel->error : zc_channel_wait(channel, 0, deadline);
    }
    if (ret >= 0) {
        ret = channel->error ? channel->error : zc_channel_socket_error(channel);
    }
    channel->own.counters.drains++;
    channel->own.counters.drain_ns += zc_channel_now_ns(channel) - start;
    zc_channel_publish(channel);
    return MIN(ret, 0);
}

/* ---- life */

static int ask_socket(struct zc_channel *channel, int name)
{
    const struct zc_net *net = channel->net;
    int value = 0; /* AF_UNSPEC */
    socklen_t length = sizeof(value);

    net->ops->getsockopt(net->ctx, channel->fd, SOL_SOCKET, name, &value, &length);
    return value;
}

int zc_channel_domain(struct zc_channel *channel)
{
    return ask_socket(channel, SO_DOMAIN);
}

bool zc_channel_is_stream(struct zc_channel *channel)
{
    return ask_socket(channel, SO_TYPE) == SOCK_STREAM;
}

/* Opens the engine that is asked for; if it cannot, zero-copy; if that cannot, all is copied. */
static void open_engine(struct zc_channel *channel, const struct zc_channel_options *options)
{
    static const struct zc_engine *const engines[] = {
        [ZC_ENGINE_AUTO] = &zc_engine_zerocopy, [ZC_ENGINE_COPY] = &zc_engine_zerocopy,
        [ZC_ENGINE_ZEROCOPY] = &zc_engine_zerocopy, [ZC_ENGINE_IO_URING] = &zc_engine_io_uring,
        [ZC_ENGINE_SPLICE] = &zc_engine_splice,
    };
    enum zc_channel_reason reason = ZC_REASON_NOT_ASKED;

    channel->engine = &zc_engine_zerocopy;
    if (channel->pause.mode != ZC_ZEROCOPY_OFF) {
        channel->engine = engines[options->engine];
        reason = channel->engine->open(channel, options);
        if (reason != ZC_REASON_NONE && channel->engine != &zc_engine_zerocopy) {
            channel->engine_reason = reason;
            channel->engine = &zc_engine_zerocopy;
            reason = channel->engine->open(channel, options);
        }
        if (reason != ZC_REASON_NONE) {
            zc_pause_not_supported(&channel->pause);
        }
    }
    zc_channel_set_reason(channel, reason);
    if (channel->engine_reason == ZC_REASON_NONE && options->engine != ZC_ENGINE_AUTO &&
        options->engine != ZC_ENGINE_COPY) {
        channel->engine_reason = reason;
    }
}

struct zc_channel *zc_channel_new(int fd, const struct zc_net *net,
                                  const struct zc_channel_options *options)
{
    size_t bytes = (size_t)ZC_CHANNEL_SLOTS * ZC_CHANNEL_HEADER_BYTES_MAX;

    if (fd < 0 || !options->budget || (unsigned int)options->mode > ZC_ZEROCOPY_ON ||
        (unsigned int)options->engine > ZC_ENGINE_SPLICE) {
        return NULL;
    }
    void *headers = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (headers == MAP_FAILED) {
        return NULL;
    }
    /* After a fork a write here would go to a fresh page, and the kernel would send the old one. */
    madvise(headers, bytes, MADV_DONTFORK);

    struct zc_channel *channel = g_new0(struct zc_channel, 1);
    channel->fd = fd;
    channel->net = net;
    channel->budget = options->budget;
    channel->wake_fd = options->wake_fd;
    channel->headers = headers;
    channel->call_bytes_max = UINT64_MAX;
    channel->call_pages_max = UINT32_MAX;
    channel->current_slot = ZC_CHANNEL_NO_SLOT;
    for (uint32_t slot = ZC_CHANNEL_SLOTS; slot > 0; slot--) {
        channel->free_slots[channel->n_free++] = slot - 1;
    }
    zc_completion_init(&channel->completion, CALLS_MAX, options->first_serial);
    zc_pause_init(&channel->pause,
                  options->engine == ZC_ENGINE_COPY ? ZC_ZEROCOPY_OFF : options->mode,
                  options->copied_limit, options->probe_packets);
    open_engine(channel, options);
    zc_channel_publish(channel);
    return channel;
}

void zc_channel_free(struct zc_channel *channel)
{
    if (!channel) {
        return;
    }
    if (channel->engine->close) {
        channel->engine->close(channel);
    }
    struct zc_completion *completion = &channel->completion;
    for (uint32_t serial = completion->oldest; serial != completion->next; serial++) {
        zc_budget_give(channel->budget,
                       completion->calls[serial & (completion->capacity - 1)].charge_pages);
    }
    zc_completion_clear(completion);
    munmap(channel->headers, (size_t)ZC_CHANNEL_SLOTS * ZC_CHANNEL_HEADER_BYTES_MAX);
    g_free(channel);
}

void zc_channel_counters(struct zc_channel *channel, struct zc_channel_counters *out)
{
    union zc_counter_words words;

    for (size_t i = 0; i < ZC_COUNTER_WORDS; i++) {
        words.words[i] = atomic_load_explicit(&channel->published[i], memory_order_relaxed);
    }
    *out = words.counters;
}

const char *zc_channel_reason(struct zc_channel *channel)
{
    return reason_texts[atomic_load_explicit(&channel->reason, memory_order_relaxed)];
}

const char *zc_channel_unregistered(struct zc_channel *channel)
{
    return reason_texts[atomic_load_explicit(&channel->unregistered, memory_order_relaxed)];
}

const char *zc_channel_engine(struct zc_channel *channel, const char **why_not_out)
{
    bool copies = channel->pause.mode == ZC_ZEROCOPY_OFF ||
                  channel->own.counters.state == ZC_ZEROCOPY_NOT_SUPPORTED;

    *why_not_out = reason_texts[channel->engine_reason];
    return copies ? "copy" : channel->engine->name;
}
