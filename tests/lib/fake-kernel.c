/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long: one kernel; its calls share all of their state. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h>
#include <linux/sock_diag.h>

#include "base/clock.h"
#include "lib/fake-kernel.h"

#define RECORD_BYTES_MAX (512u * 1024)
#define RECORD_OPTMEM 832u
#define RECORD_OPTMEM_ASKED 576u
#ifndef SOL_VSOCK
#define SOL_VSOCK 287 /* Linux 6.7 */
#endif
#ifndef VSOCK_RECVERR
#define VSOCK_RECVERR 1
#endif

#define SYSCALL_NS 1000
#define VSOCK_CALL_BYTES_MAX (64u * 1024)
#define VSOCK_CALL_PAGES_MAX 17u
/* System calls that may get nowhere in a row before it is called spinning. */
#define IDLE_CALLS_MAX 64

/* As ck_assert_msg, but silent when it holds: these are in every system call. */
#define FAKE_CHECK(condition, ...)     \
    do {                               \
        if (!(condition)) {            \
            ck_abort_msg(__VA_ARGS__); \
        }                              \
    } while (0)

struct piece {
    uint64_t offset; /* in the stream */
    const uint8_t *memory;
    size_t length;
};

/* The kernel's ubuf_info: one or more calls that complete together. */
struct record {
    uint32_t first; /* serial number */
    uint32_t calls; /* serial numbers; on AF_VSOCK one of several that a call may have */
    uint64_t vsock_call;
    uint64_t bytes;
    uint64_t pages;
    unsigned int segments_left;
    bool copied;
    bool spliced; /* no calls, no note: the bytes are read when the peer has read all of it */
    int64_t note_ns; /* INT64_MAX until all of it is acknowledged */
    GArray *pieces;
};

struct segment {
    size_t length;
    int64_t start_ns;
    int64_t ack_ns;
    struct record *record; /* NULL: copied at once */
};

struct error_message {
    bool foreign;
    uint32_t lo, hi;
    bool copied;
};

void fake_options_init(struct fake_options *options)
{
    *options = (struct fake_options){
        .domain = AF_INET,
        .sndbuf_bytes = 4 << 20,
        .memlock_pages = FAKE_NEVER,
        .optmem_bytes = 131072,
        .pipe_pages = 256,
        .ns_per_kib = 1000,
        .stall_at_bytes = FAKE_NEVER,
        .reset_at_bytes = FAKE_NEVER,
    };
}

static bool chance(struct fake_kernel *fake, unsigned int percent)
{
    return percent > 0 && g_rand_int_range(fake->rand, 0, 100) < (int)percent;
}

static void record_free(struct record *record)
{
    g_array_unref(record->pieces);
    g_free(record);
}

/* ---- what happens as time passes */

static void queue_error(struct fake_kernel *fake, const struct error_message *message)
{
    g_queue_push_tail(&fake->errors, g_memdup2(message, sizeof(*message)));
}

/* Returns whether the note disappeared into the one before. */
static bool merge_note(struct fake_kernel *fake, uint32_t lo, uint32_t hi)
{
    struct error_message *last = g_queue_peek_tail(&fake->errors);

    if (!last || last->foreign || lo != last->hi + 1 ||
        (uint64_t)(last->hi - last->lo) + (hi - lo) + 2 > UINT32_MAX) {
        return false;
    }
    last->hi = hi;
    return true;
}

void fake_kernel_inject_note(struct fake_kernel *fake, uint32_t lo, uint32_t hi, bool copied)
{
    queue_error(fake, &(struct error_message){ .lo = lo, .hi = hi, .copied = copied });
    fake->optmem_used += RECORD_OPTMEM; /* given back when it is read */
}

static void give_late_optmem(struct fake_kernel *fake)
{
    if (fake->now_ns >= fake->optmem_late_ns) {
        fake->optmem_used -= fake->optmem_late;
        fake->optmem_late = 0;
        fake->optmem_late_ns = INT64_MAX;
    }
}

static void count_noted(struct fake_kernel *fake, const struct record *record)
{
    fake->truth.noted_ids += record->calls;
    if (fake->options.domain != AF_VSOCK) {
        fake->truth.noted_calls += record->calls;
        fake->truth.copied_calls += record->copied ? record->calls : 0;
    } else if (record->copied) {
        fake->truth.copied_calls += g_hash_table_add(
            fake->copied_vsock_calls, GSIZE_TO_POINTER((gsize)record->vsock_call));
    }
}

static void complete(struct fake_kernel *fake, struct record *record)
{
    uint32_t hi = record->first + record->calls - 1;

    for (guint i = 0; i < record->pieces->len; i++) {
        const struct piece *piece = &g_array_index(record->pieces, struct piece, i);
        memcpy(fake->stream->data + piece->offset, piece->memory, piece->length);
    }
    if (record->spliced) {
        g_queue_remove(&fake->records, record);
        record_free(record);
        return;
    }
    fake->locked_pages -= record->pages;
    count_noted(fake, record);
    fake->truth.notes_queued++;
    if (merge_note(fake, record->first, hi)) {
        fake->optmem_late += RECORD_OPTMEM;
        fake->optmem_late_ns = fake->now_ns + fake->options.merge_delay_ns;
        give_late_optmem(fake);
    } else {
        queue_error(fake, &(struct error_message){
                              .lo = record->first, .hi = hi, .copied = record->copied });
    }
    g_queue_remove(&fake->records, record);
    record_free(record);
}

static void acknowledge(struct fake_kernel *fake)
{
    struct segment *segment = g_queue_pop_head(&fake->segments);
    struct record *record = segment->record;

    fake->queued_bytes -= segment->length;
    fake->read_bytes += segment->length;
    if (record && record->spliced) {
        complete(fake, record);
    } else if (record) {
        record->copied = record->copied || chance(fake, fake->options.copied_percent);
        if (--record->segments_left == 0) {
            int64_t delay = fake->options.note_delay_ns;
            record->note_ns = segment->ack_ns;
            if (delay > 0) {
                record->note_ns += (int64_t)(g_rand_double(fake->rand) * (double)delay);
            }
            if (!fake->options.reorder) {
                record->note_ns = MAX(record->note_ns, fake->last_note_ns);
            }
            fake->last_note_ns = MAX(record->note_ns, fake->last_note_ns);
        }
    }
    if (chance(fake, fake->options.foreign_percent)) {
        queue_error(fake, &(struct error_message){ .foreign = true });
    }
    g_free(segment);
}

static void reset(struct fake_kernel *fake)
{
    fake->dead = true;
    fake->socket_error = ECONNRESET;
    g_queue_clear_full(&fake->segments, g_free);
    fake->queued_bytes = 0;
    while (!fake->options.reset_keeps_notes && !g_queue_is_empty(&fake->records)) {
        complete(fake, g_queue_peek_head(&fake->records));
    }
    for (GList *item = fake->records.head; item; item = item->next) {
        ((struct record *)item->data)->note_ns = INT64_MAX;
    }
}

static struct record *next_note(struct fake_kernel *fake)
{
    struct record *next = NULL;

    for (GList *item = fake->records.head; item; item = item->next) {
        struct record *record = item->data;
        if (record->note_ns != INT64_MAX && (!next || record->note_ns < next->note_ns)) {
            next = record;
        }
    }
    return next;
}

/* The time of the next event, INT64_MAX when nothing will ever happen. */
static int64_t next_event_ns(struct fake_kernel *fake)
{
    struct segment *segment = g_queue_peek_head(&fake->segments);
    struct record *record = next_note(fake);
    int64_t at = INT64_MAX;

    if (segment && fake->read_bytes + segment->length <= fake->options.stall_at_bytes) {
        at = segment->ack_ns;
    }
    if (record) {
        at = MIN(at, record->note_ns);
    }
    return MIN(at, fake->optmem_late_ns);
}

static void advance_to(struct fake_kernel *fake, int64_t to_ns)
{
    int64_t at = next_event_ns(fake);

    while (at <= to_ns) {
        struct record *record = next_note(fake);
        fake->now_ns = MAX(fake->now_ns, at);
        if (fake->optmem_late_ns == at) {
            give_late_optmem(fake);
        } else if (record && record->note_ns == at) {
            complete(fake, record);
        } else {
            acknowledge(fake);
            if (!fake->dead && fake->read_bytes >= fake->options.reset_at_bytes) {
                reset(fake);
            }
        }
        at = next_event_ns(fake);
    }
    fake->now_ns = MAX(fake->now_ns, to_ns);
}

void fake_kernel_sleep(struct fake_kernel *fake, int64_t ns)
{
    advance_to(fake, fake->now_ns + ns);
}

static void enter(struct fake_kernel *fake)
{
    advance_to(fake, fake->now_ns + SYSCALL_NS);
    fake->idle_calls++;
    fake->truth.idle_calls_max = MAX(fake->truth.idle_calls_max, fake->idle_calls);
    FAKE_CHECK(fake->idle_calls < IDLE_CALLS_MAX, "spinning: %d system calls got nowhere",
                  IDLE_CALLS_MAX);
}

/* ---- sendmsg */

static struct record *joinable_record(struct fake_kernel *fake, size_t bytes)
{
    struct segment *last = g_queue_peek_tail(&fake->segments);

    if (fake->options.domain == AF_VSOCK || !last || !last->record || last->record->spliced || last->start_ns <= fake->now_ns ||
        last->record->bytes + bytes > RECORD_BYTES_MAX) {
        return NULL;
    }
    return last->record;
}

/* The record for a call of @bytes, charged; NULL with *@joined unset is ENOBUFS. */
static struct record *charge(struct fake_kernel *fake, size_t bytes, bool *joined)
{
    uint64_t pages = bytes / 4096 + 2;
    struct record *record = joinable_record(fake, bytes);

    *joined = record != NULL;
    if (!record && fake->optmem_used + RECORD_OPTMEM_ASKED > fake->options.optmem_bytes) {
        fake->truth.enobufs_optmem++;
        return NULL;
    }
    if (fake->options.memlock_pages != FAKE_NEVER &&
        fake->locked_pages + fake->foreign_pages + pages > fake->options.memlock_pages) {
        fake->truth.enobufs_memlock++;
        return NULL;
    }
    if (!record) {
        record = g_new0(struct record, 1);
        record->first = fake->next_serial;
        record->note_ns = INT64_MAX;
        record->pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));
        fake->optmem_used += RECORD_OPTMEM;
        g_queue_push_tail(&fake->records, record);
    }
    record->pages += pages;
    fake->locked_pages += pages;
    return record;
}

/* The call sent nothing: the pages of a record that it had joined stay charged. */
static void abort_record(struct fake_kernel *fake, struct record *record, bool joined)
{
    if (record && !joined) {
        fake->locked_pages -= record->pages;
        fake->optmem_used -= RECORD_OPTMEM;
        g_queue_remove(&fake->records, record);
        record_free(record);
    }
}

static void queue_bytes(struct fake_kernel *fake, const struct msghdr *msg, size_t bytes,
                        struct record *record)
{
    struct segment *segment = g_new0(struct segment, 1);

    segment->length = bytes;
    segment->record = record;
    segment->start_ns = MAX(fake->now_ns, fake->link_free_ns);
    segment->ack_ns = segment->start_ns + (int64_t)bytes * fake->options.ns_per_kib / 1024;
    fake->link_free_ns = segment->ack_ns;
    g_queue_push_tail(&fake->segments, segment);
    fake->queued_bytes += bytes;
    for (size_t i = 0; bytes > 0; i++) {
        size_t part = MIN(bytes, msg->msg_iov[i].iov_len);
        guint offset = fake->stream->len;
        g_byte_array_set_size(fake->stream, offset + (guint)part);
        if (record) {
            struct piece piece = { offset, msg->msg_iov[i].iov_base, part };
            g_array_append_val(record->pieces, piece);
            memset(fake->stream->data + offset, 0xee, part);
        } else {
            memcpy(fake->stream->data + offset, msg->msg_iov[i].iov_base, part);
        }
        bytes -= part;
    }
}

/* The call that makes one skb of what credit there is, and another of what comes meanwhile. */
static size_t send_by_vsock(struct fake_kernel *fake, const struct msghdr *msg, size_t bytes,
                          struct record *record)
{
    unsigned int ids = MAX(fake->options.ids_per_call, 1);
    const struct fake_truth before = fake->truth;
    struct iovec rest[256];
    struct msghdr part_msg = { .msg_iov = rest };
    size_t taken = 0;
    bool joined;

    FAKE_CHECK(msg->msg_iovlen <= G_N_ELEMENTS(rest), "%zu iovecs", (size_t)msg->msg_iovlen);
    memcpy(rest, msg->msg_iov, msg->msg_iovlen * sizeof(*rest));
    for (unsigned int left = 1 + (unsigned int)g_rand_int_range(fake->rand, 0, (gint32)ids);
         record && taken < bytes; left--) {
        size_t part = bytes - taken;
        if (left > 1) {
            part = 1 + (size_t)(g_rand_double(fake->rand) * (double)(part - 1));
        }
        record->calls = 1;
        record->vsock_call = fake->truth.calls;
        record->bytes = part;
        record->segments_left = 1;
        fake->next_serial++;
        queue_bytes(fake, &part_msg, part, record);
        taken += part;
        for (; part > 0; part_msg.msg_iov += part_msg.msg_iov->iov_len == 0) {
            size_t step = MIN(part, part_msg.msg_iov->iov_len);
            part_msg.msg_iov->iov_base = (uint8_t *)part_msg.msg_iov->iov_base + step;
            part_msg.msg_iov->iov_len -= step;
            part -= step;
        }
        record = taken < bytes ? charge(fake, bytes - taken, &joined) : NULL;
    }
    fake->truth.enobufs_optmem = before.enobufs_optmem; /* such a refusal only makes a call short */
    fake->truth.enobufs_memlock = before.enobufs_memlock;
    return taken;
}

static void check_vsock_call(const struct msghdr *msg)
{
    size_t bytes = 0, pages = 0;

    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        const struct iovec *iov = &msg->msg_iov[i];
        bytes += iov->iov_len;
        pages += ((uintptr_t)iov->iov_base % 4096 + iov->iov_len + 4095) / 4096;
    }
    FAKE_CHECK(bytes <= VSOCK_CALL_BYTES_MAX, "a call of %zu bytes: not all of it is noted", bytes);
    FAKE_CHECK(pages <= VSOCK_CALL_PAGES_MAX, "a call of %zu pages does not fit an skb", pages);
}

static ssize_t fake_sendmsg(void *ctx, int fd, const struct msghdr *msg, int flags)
{
    struct fake_kernel *fake = ctx;
    bool zerocopy = (flags & MSG_ZEROCOPY) && fake->zerocopy;
    bool vsock = fake->options.domain == AF_VSOCK;
    struct record *record = NULL;
    bool joined = false;
    size_t bytes = 0;

    enter(fake);
    FAKE_CHECK(fd == FAKE_FD, "descriptor %d", fd);
    FAKE_CHECK((flags & MSG_DONTWAIT) && (flags & MSG_NOSIGNAL), "sendmsg flags %#x", flags);
    fake->truth.sendmsgs++;
    if (fake->dead) {
        int error = fake->socket_error ? fake->socket_error : EPIPE;
        fake->socket_error = 0;
        return -error;
    }
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        bytes += msg->msg_iov[i].iov_len;
    }
    if (zerocopy) {
        if (vsock) {
            check_vsock_call(msg);
        }
        record = charge(fake, bytes, &joined);
        if (!record) {
            return vsock ? -ENOMEM : -ENOBUFS;
        }
    }
    uint64_t space = fake->options.sndbuf_bytes - MIN(fake->queued_bytes, fake->options.sndbuf_bytes);
    if (space == 0 || chance(fake, fake->options.lie_percent)) {
        abort_record(fake, record, joined);
        return -EAGAIN;
    }
    bytes = MIN(bytes, space);
    if (chance(fake, fake->options.short_percent)) {
        bytes = 1 + (size_t)(g_rand_double(fake->rand) * (double)(bytes - 1));
    }
    fake->idle_calls = 0;
    if (record && vsock) {
        fake->truth.calls++;
        return (ssize_t)send_by_vsock(fake, msg, bytes, record);
    }
    if (record) {
        record->calls++;
        record->bytes += bytes;
        record->segments_left++;
        fake->next_serial++;
        fake->truth.calls++;
    } else {
        fake->truth.plain_calls++;
    }
    queue_bytes(fake, msg, bytes, record);
    return (ssize_t)bytes;
}

/* ---- splice */

static int fake_pipe(void *ctx, int fds_out[2], int bytes)
{
    struct fake_kernel *fake = ctx;

    (void)bytes;
    enter(fake);
    if (fake->options.pipe_pages == 0) {
        return -EMFILE;
    }
    FAKE_CHECK(!fake->pipe, "a second pipe");
    fake->pipe = g_array_new(FALSE, FALSE, sizeof(struct iovec));
    fds_out[0] = FAKE_PIPE_READ_FD;
    fds_out[1] = FAKE_PIPE_WRITE_FD;
    return 0;
}

static void fake_close(void *ctx, int fd)
{
    struct fake_kernel *fake = ctx;

    FAKE_CHECK(fd == FAKE_PIPE_READ_FD || fd == FAKE_PIPE_WRITE_FD, "descriptor %d", fd);
    if (fd == FAKE_PIPE_WRITE_FD) {
        g_array_unref(fake->pipe);
        fake->pipe = NULL;
    }
}

static ssize_t fake_vmsplice(void *ctx, int pipe_fd, const struct iovec *iovs, unsigned int n_iovs)
{
    struct fake_kernel *fake = ctx;
    size_t taken = 0;

    enter(fake);
    FAKE_CHECK(pipe_fd == FAKE_PIPE_WRITE_FD, "descriptor %d", pipe_fd);
    for (unsigned int i = 0; i < n_iovs; i++) {
        struct iovec rest = iovs[i];
        while (rest.iov_len > 0) {
            struct iovec page = { rest.iov_base, MIN(rest.iov_len, 4096) };
            if (fake->pipe->len == fake->options.pipe_pages) {
                return taken > 0 ? (ssize_t)taken : -EAGAIN;
            }
            g_array_append_val(fake->pipe, page);
            taken += page.iov_len;
            rest.iov_base = (uint8_t *)rest.iov_base + page.iov_len;
            rest.iov_len -= page.iov_len;
        }
    }
    return (ssize_t)taken;
}

/* The first bytes of the pipe are gone. */
static void consume_pipe(struct fake_kernel *fake, size_t bytes)
{
    while (bytes > 0) {
        struct iovec *page = &g_array_index(fake->pipe, struct iovec, 0);
        size_t part = MIN(bytes, page->iov_len);
        page->iov_base = (uint8_t *)page->iov_base + part;
        page->iov_len -= part;
        bytes -= part;
        if (page->iov_len == 0) {
            g_array_remove_index(fake->pipe, 0);
        }
    }
}

static ssize_t fake_splice(void *ctx, int pipe_fd, int fd, size_t bytes, bool more)
{
    struct fake_kernel *fake = ctx;
    size_t piped = 0;

    (void)more;
    enter(fake);
    FAKE_CHECK(pipe_fd == FAKE_PIPE_READ_FD && fd == FAKE_FD, "descriptors %d %d", pipe_fd, fd);
    if (fake->dead) {
        fake->socket_error = 0;
        return -EPIPE;
    }
    for (guint i = 0; i < fake->pipe->len; i++) {
        piped += g_array_index(fake->pipe, struct iovec, i).iov_len;
    }
    FAKE_CHECK(bytes <= piped, "splice of %zu bytes, %zu in the pipe", bytes, piped);
    uint64_t space = fake->options.sndbuf_bytes - MIN(fake->queued_bytes, fake->options.sndbuf_bytes);
    if (space == 0 || chance(fake, fake->options.lie_percent)) {
        return -EAGAIN;
    }
    bytes = MIN(bytes, space);
    if (chance(fake, fake->options.short_percent)) {
        bytes = 1 + (size_t)(g_rand_double(fake->rand) * (double)(bytes - 1));
    }
    struct record *record = g_new0(struct record, 1);
    record->spliced = true;
    record->note_ns = INT64_MAX;
    record->pieces = g_array_new(FALSE, FALSE, sizeof(struct piece));
    g_queue_push_tail(&fake->records, record);
    struct msghdr msg = { .msg_iov = (struct iovec *)(void *)fake->pipe->data };
    queue_bytes(fake, &msg, bytes, record);
    consume_pipe(fake, bytes);
    fake->truth.splices++;
    fake->idle_calls = 0;
    return (ssize_t)bytes;
}

static int fake_unsent(void *ctx, int fd, int *bytes_out)
{
    struct fake_kernel *fake = ctx;

    enter(fake);
    FAKE_CHECK(fd == FAKE_FD, "descriptor %d", fd);
    *bytes_out = (int)fake->queued_bytes;
    return 0;
}

/* ---- recvmsg of the error queue */

static void put_error(struct msghdr *msg, size_t *used, int level, int type,
                      const struct sock_extended_err *error, size_t address_bytes)
{
    size_t payload = sizeof(*error) + address_bytes;
    size_t room = msg->msg_controllen - *used;
    struct cmsghdr header = { .cmsg_level = level, .cmsg_type = type };

    if (room < sizeof(struct cmsghdr)) {
        msg->msg_flags |= MSG_CTRUNC;
        return;
    }
    header.cmsg_len = MIN(CMSG_LEN(payload), room);
    if (CMSG_LEN(payload) > room) {
        msg->msg_flags |= MSG_CTRUNC;
    }
    uint8_t *at = (uint8_t *)msg->msg_control + *used;
    memset(at, 0, header.cmsg_len);
    memcpy(at, &header, sizeof(header));
    memcpy(at + CMSG_LEN(0), error, MIN(sizeof(*error), header.cmsg_len - CMSG_LEN(0)));
    *used += MIN(CMSG_SPACE(payload), room);
}

static ssize_t fake_recvmsg(void *ctx, int fd, struct msghdr *msg, int flags)
{
    struct fake_kernel *fake = ctx;
    struct error_message *message;
    size_t used = 0;
    bool v6 = fake->options.domain == AF_INET6;

    enter(fake);
    FAKE_CHECK(fd == FAKE_FD, "descriptor %d", fd);
    FAKE_CHECK((flags & MSG_ERRQUEUE) && !(flags & MSG_PEEK), "recvmsg flags %#x", flags);
    message = g_queue_pop_head(&fake->errors);
    if (!message) {
        return -EAGAIN;
    }
    fake->idle_calls = 0;
    struct sock_extended_err error = {
        .ee_errno = message->foreign ? ENOMSG : 0,
        .ee_origin = message->foreign ? SO_EE_ORIGIN_TIMESTAMPING : SO_EE_ORIGIN_ZEROCOPY,
        .ee_code = message->copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0,
        .ee_info = message->lo,
        .ee_data = message->hi,
    };
    msg->msg_flags = MSG_ERRQUEUE;
    if (message->foreign) {
        struct sock_extended_err stamp = { 0 };
        put_error(msg, &used, SOL_SOCKET, SCM_TIMESTAMPING, &stamp, 32);
    } else {
        fake->optmem_used -= RECORD_OPTMEM;
    }
    if (fake->options.domain == AF_VSOCK) {
        put_error(msg, &used, SOL_VSOCK, VSOCK_RECVERR, &error, 0);
    } else {
        put_error(msg, &used, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &error,
                  v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    }
    msg->msg_controllen = used;
    g_free(message);
    return 0;
}

/* ---- poll and the rest */

static int poll_now(struct fake_kernel *fake, struct pollfd *fds, nfds_t n_fds)
{
    int ready = 0;

    for (nfds_t i = 0; i < n_fds; i++) {
        short events = 0;
        if (fds[i].fd == FAKE_WAKE_FD) {
            events = fake->now_ns >= fake->wake_at_ns ? POLLIN : 0;
        } else {
            FAKE_CHECK(fds[i].fd == FAKE_FD, "descriptor %d", fds[i].fd);
            if (fake->dead) {
                events = (short)((fds[i].events & POLLOUT) | POLLHUP);
            } else if (fake->queued_bytes <= fake->options.sndbuf_bytes / 3 * 2) {
                events = (short)(fds[i].events & POLLOUT);
            }
            if (fake->socket_error || !g_queue_is_empty(&fake->errors) ||
                chance(fake, fake->options.phantom_percent)) {
                events = (short)(events | POLLERR);
            }
        }
        fds[i].revents = events;
        ready += events != 0;
    }
    return ready;
}

static int fake_poll(void *ctx, struct pollfd *fds, nfds_t n_fds, int timeout_ms)
{
    struct fake_kernel *fake = ctx;

    enter(fake);
    int64_t begin = fake->now_ns;
    int64_t end = timeout_ms < 0 ? INT64_MAX : fake->now_ns + timeout_ms * ZC_NS_PER_MS;
    for (;;) {
        int ready = poll_now(fake, fds, n_fds);
        if (ready > 0 || fake->now_ns >= end) {
            return ready;
        }
        int64_t until = MIN(end, next_event_ns(fake));
        if (fake->wake_at_ns > fake->now_ns) {
            until = MIN(until, fake->wake_at_ns);
        }
        FAKE_CHECK(until != INT64_MAX, "poll without end: nothing will ever happen");
        advance_to(fake, until);
        if (fake->now_ns - begin >= ZC_NS_PER_MS) {
            fake->idle_calls = 0; /* it slept */
        }
    }
}

static int fake_getsockopt(void *ctx, int fd, int level, int name, void *value, socklen_t *length)
{
    struct fake_kernel *fake = ctx;
    uint32_t info[SK_MEMINFO_VARS] = { 0 };

    enter(fake);
    FAKE_CHECK(fd == FAKE_FD, "descriptor %d", fd);
    FAKE_CHECK(level == SOL_SOCKET, "level %d", level);
    switch (name) {
    case SO_DOMAIN:
        memcpy(value, &fake->options.domain, sizeof(int));
        return 0;
    case SO_TYPE:
        memcpy(value, &(int){ SOCK_STREAM }, sizeof(int));
        return 0;
    case SO_ERROR:
        memcpy(value, &fake->socket_error, sizeof(int));
        fake->socket_error = 0;
        return 0;
    case SO_MEMINFO:
        if (fake->options.no_meminfo) {
            return -ENOPROTOOPT;
        }
        info[SK_MEMINFO_OPTMEM] = (uint32_t)fake->optmem_used;
        *length = MIN(*length, (socklen_t)sizeof(info));
        memcpy(value, info, *length);
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int fake_setsockopt(void *ctx, int fd, int level, int name, const void *value,
                           socklen_t length)
{
    struct fake_kernel *fake = ctx;

    (void)value;
    (void)length;
    enter(fake);
    FAKE_CHECK(fd == FAKE_FD, "descriptor %d", fd);
    if (level != SOL_SOCKET || name != SO_ZEROCOPY || fake->options.no_zerocopy) {
        return -EOPNOTSUPP;
    }
    FAKE_CHECK(fake->options.domain != AF_UNIX, "SO_ZEROCOPY on a socket that must not be asked");
    fake->zerocopy = true;
    return 0;
}

static int64_t fake_now_ns(void *ctx)
{
    return ((struct fake_kernel *)ctx)->now_ns;
}

static const struct zc_net_ops fake_ops = {
    .sendmsg = fake_sendmsg,
    .recvmsg = fake_recvmsg,
    .poll = fake_poll,
    .getsockopt = fake_getsockopt,
    .setsockopt = fake_setsockopt,
    .pipe = fake_pipe,
    .close = fake_close,
    .vmsplice = fake_vmsplice,
    .splice = fake_splice,
    .unsent = fake_unsent,
    .now_ns = fake_now_ns,
};

struct fake_kernel *fake_kernel_new(const struct fake_options *options)
{
    struct fake_kernel *fake = g_new0(struct fake_kernel, 1);

    fake->options = *options;
    fake->rand = g_rand_new_with_seed((guint32)(options->seed ^ options->seed >> 32));
    fake->stream = g_byte_array_new();
    fake->next_serial = options->first_serial;
    fake->wake_at_ns = INT64_MAX;
    fake->optmem_late_ns = INT64_MAX;
    fake->copied_vsock_calls = g_hash_table_new(NULL, NULL);
    fake->now_ns = ZC_NS_PER_S;
    return fake;
}

void fake_kernel_free(struct fake_kernel *fake)
{
    g_queue_clear_full(&fake->segments, g_free);
    g_queue_clear_full(&fake->records, (GDestroyNotify)record_free);
    g_queue_clear_full(&fake->errors, g_free);
    g_hash_table_unref(fake->copied_vsock_calls);
    g_byte_array_unref(fake->stream);
    g_rand_free(fake->rand);
    g_free(fake);
}

struct zc_net fake_kernel_net(struct fake_kernel *fake)
{
    return (struct zc_net){ .ops = &fake_ops, .ctx = fake };
}
