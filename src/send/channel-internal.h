/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of a channel, shared by its files and the engines, and nobody else:
 *
 *     channel.c       packets: begin, send, end; header slots; life
 *     channel-call.c  one call: room for it, the call, what the kernel's refusal means
 *     channel-wait.c  notes, and everything that waits
 *     engine-*.c      how bytes get into the socket
 */
#ifndef ZC_SEND_CHANNEL_INTERNAL_H
#define ZC_SEND_CHANNEL_INTERNAL_H

#include <stdatomic.h>

#include <glib.h>

#include "send/channel.h"
#include "send/engine.h"
#include "send/tally.h"

#define ZC_CHANNEL_PAGE_BYTES 4096u
#define ZC_CHANNEL_SLOTS 256u
#define ZC_CHANNEL_NO_SLOT UINT32_MAX

/*
 * A vsock call of more than a packet of the transport (64 KiB) or than what fits into one skb (17
 * fragments at least) is cut into several, and only the last of them is noted.
 */
#define ZC_CHANNEL_VSOCK_CALL_BYTES (64u * 1024)
#define ZC_CHANNEL_VSOCK_CALL_PAGES 17u

enum zc_channel_reason {
    ZC_REASON_NONE,
    ZC_REASON_NOT_ASKED,
    ZC_REASON_UNIX,
    ZC_REASON_VSOCK,
    ZC_REASON_NOT_SUPPORTED,
    ZC_REASON_COPIED,
    ZC_REASON_OPTMEM,
    ZC_REASON_MEMLOCK,
    ZC_REASON_MEMLOCK_TOO_SMALL,
    ZC_REASON_SPLICE_TCP,
    ZC_REASON_SPLICE_SOCKET,
    ZC_REASON_SPLICE_PIPE,
    ZC_REASON_URING_ABSENT,
    ZC_REASON_URING_FORBIDDEN,
    ZC_REASON_URING_OLD,
    ZC_REASON_URING_SOCKET,
    ZC_REASON_URING_BUFFERS_MEMLOCK,
    ZC_REASON_URING_BUFFERS_MEMORY,
};

/* Counters as words, so that they can be read while they are written. */
union zc_counter_words {
    struct zc_channel_counters counters;
    uint64_t words[sizeof(struct zc_channel_counters) / sizeof(uint64_t)];
};
G_STATIC_ASSERT(sizeof(union zc_counter_words) == sizeof(struct zc_channel_counters));
#define ZC_COUNTER_WORDS G_N_ELEMENTS(((union zc_counter_words *)NULL)->words)

/* The packet that is being sent. */
struct zc_channel_packet {
    struct iovec iovs[ZC_CHANNEL_IOVS_MAX];
    unsigned int first; /* iovs[first..n_iovs) are left */
    unsigned int n_iovs;
    size_t remaining_bytes;
    size_t header_bytes; /* of them */
    zc_deadline deadline;
    zc_deadline limit_deadline; /* 0 until it first waits because of a limit */
    unsigned int refusals;
    unsigned int blocked; /* EAGAIN since the last byte went out */
    bool zerocopy;        /* for what is left */
    bool probe;
    bool wanted; /* zero-copy, when it began */
    bool limited;
    bool full;    /* the last call was short: there is no room in the socket */
    bool smaller; /* the call being made, because of a limit */
    bool split;
};

struct zc_channel {
    /* set before start */
    int fd;
    const struct zc_net *net;
    struct zc_budget *budget;
    int wake_fd;
    const struct zc_engine *engine;
    void *engine_state; /* the engine's own */
    enum zc_channel_reason engine_reason; /* why not the one that was asked for */
    uint8_t *headers; /* ZC_CHANNEL_SLOTS of ZC_CHANNEL_HEADER_BYTES_MAX */
    uint64_t call_bytes_max; /* of a zero-copy call, by the kind of socket */
    uint32_t call_pages_max; /* that it may touch */
    bool tallies; /* notes do not tell calls: see send/tally.h */
    /* this thread only */
    struct zc_tally tally;
    bool settling; /* all may be noted, but the option memory does not say so yet */
    struct zc_completion completion;
    struct zc_pause pause;
    struct zc_channel_packet packet;
    int error; /* the socket's, sticky */
    bool cut;  /* a packet was given up in the middle */
    uint32_t current_slot;
    uint32_t n_free;
    uint32_t free_slots[ZC_CHANNEL_SLOTS];
    uint32_t slot_calls[ZC_CHANNEL_SLOTS]; /* calls in flight that hold bytes of the slot */
    uint32_t calls_since_refusal;
    union zc_counter_words own;
    /* atomic, relaxed: written by this thread, read by any */
    _Atomic uint64_t published[ZC_COUNTER_WORDS];
    _Atomic int reason;
    _Atomic int unregistered;
};

int64_t zc_channel_now_ns(struct zc_channel *channel);
void zc_channel_publish(struct zc_channel *channel);
void zc_channel_set_reason(struct zc_channel *channel, enum zc_channel_reason reason);
void zc_channel_release_slot(struct zc_channel *channel, uint32_t slot);

/* Keeps the socket's error for all that come later, and returns the first one kept. */
int zc_channel_fail(struct zc_channel *channel, int error);

/* Reads all notes that are there, if any can be: how many messages, or -errno. */
int zc_channel_reap_if_any(struct zc_channel *channel);

/* The error that poll spoke of, or 0.  The kernel tells it once, then it is ours to remember. */
int zc_channel_socket_error(struct zc_channel *channel);

/*
 * Waits for @events or notes, and reads the notes: 1 when it is writable, 0 when not, else
 * -ETIMEDOUT, -ECANCELED, or the socket's error.
 */
int zc_channel_wait(struct zc_channel *channel, short events, zc_deadline deadline);

/* The same, counted as time lost while sending. */
int zc_channel_wait_sending(struct zc_channel *channel, short events, zc_deadline deadline);

/* After EAGAIN: 0 or -errno. */
int zc_channel_wait_writable(struct zc_channel *channel);

/* A message of the next @bytes of the packet; @cut_out takes what zc_channel_message_end puts back. */
struct msghdr zc_channel_message(struct zc_channel *channel, size_t bytes, size_t *cut_out);
void zc_channel_message_end(const struct msghdr *msg, size_t cut);

/* One sendmsg of the next @bytes of the packet: what it sent, or -errno.  Does not advance. */
ssize_t zc_channel_sendmsg(struct zc_channel *channel, size_t bytes, int flags);
void zc_channel_advance(struct zc_channel *channel, size_t bytes);

/* Live option memory of the socket, or -1 when the kernel does not say. */
int64_t zc_channel_optmem(struct zc_channel *channel);

/* Sets SO_ZEROCOPY, and what the kind of socket asks for: why it cannot be, or ZC_REASON_NONE. */
enum zc_channel_reason zc_channel_ask_zerocopy(struct zc_channel *channel);

/* A note of the engine's: calls @lo to @hi are done.  0 or -EPROTO. */
int zc_channel_note(struct zc_channel *channel, uint32_t lo, uint32_t hi, enum zc_copied copied);

/* Gives back what the oldest calls held, as far as they are noted. */
void zc_channel_collect(struct zc_channel *channel);

/* The kind of socket, AF_UNSPEC when the kernel does not say. */
int zc_channel_domain(struct zc_channel *channel);

/* False for a socket of datagrams, each packet of which is one (the bench does that). */
bool zc_channel_is_stream(struct zc_channel *channel);

/* Sleeps without looking at the socket: 0; -ETIMEDOUT when @deadline has passed, or -ECANCELED. */
int zc_channel_nap(struct zc_channel *channel, int ms, zc_deadline deadline);

/* A copying call of the next @bytes at most, advanced: bytes sent or -errno. */
ssize_t zc_channel_copy(struct zc_channel *channel, size_t bytes, int flags);

/* One sendmsg of all that is left of the packet: bytes sent, or -errno. */
ssize_t zc_channel_call_copy(struct zc_channel *channel);

/* The engine's call sent @sent bytes of the packet, charged with @pages: tracked and advanced. */
void zc_channel_called(struct zc_channel *channel, size_t sent, uint32_t pages);

/* One zero-copy call, or none when it has to be copied: bytes sent (0: go on), or -errno. */
ssize_t zc_channel_call_zerocopy(struct zc_channel *channel);

#endif
