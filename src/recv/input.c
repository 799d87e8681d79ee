/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#include "recv/input.h"

void zc_input_init(struct zc_input *input, struct zc_stall *stall, int fd, size_t capacity)
{
    input->stall = stall;
    input->fd = fd;
    input->capacity = capacity;
    input->buffer = g_malloc(capacity);
    input->bytes = input->buffer;
    input->length = 0;
    input->n_fds = 0;
    input->lost_fds = false;
    atomic_init(&input->wire_bytes, 0);
}

static void close_fds(struct zc_input *input)
{
    while (input->n_fds > 0) {
        close(input->fds[--input->n_fds]);
    }
    input->lost_fds = false;
}

void zc_input_reopen(struct zc_input *input, int fd)
{
    close_fds(input);
    input->fd = fd;
    input->bytes = input->buffer;
    input->length = 0;
}

void zc_input_clear(struct zc_input *input)
{
    g_clear_pointer(&input->buffer, g_free);
    input->length = 0;
    close_fds(input);
}

void zc_input_unread(struct zc_input *input, const void *bytes, size_t length)
{
    g_return_if_fail(length + input->length <= input->capacity);
    memmove(input->buffer + length, input->bytes, input->length);
    memcpy(input->buffer, bytes, length);
    input->bytes = input->buffer;
    input->length += length;
    atomic_fetch_add_explicit(&input->wire_bytes, length, memory_order_relaxed);
}

/* Keeps the descriptors that came with @message. */
static void take_fds(struct zc_input *input, struct msghdr *message)
{
    input->lost_fds |= (message->msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control;
         control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
            if (input->n_fds == ZC_IO_FDS_MAX) {
                input->lost_fds = true;
                close(fd);
            } else {
                input->fds[input->n_fds++] = fd;
            }
        }
    }
}

ssize_t zc_input_more(struct zc_input *input)
{
    if (input->length == input->capacity) {
        return -EMSGSIZE;
    }
    /* Only a part of an item is ever left, so moving it is cheap. */
    memmove(input->buffer, input->bytes, input->length);
    input->bytes = input->buffer;
    struct iovec iov = { input->buffer + input->length, input->capacity - input->length };
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * ZC_IO_FDS_MAX)];
    } control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t n = zc_stall_recvmsg(input->stall, input->fd, &message, MSG_CMSG_CLOEXEC);
    if (n > 0) {
        take_fds(input, &message);
        input->length += (size_t)n;
        atomic_fetch_add_explicit(&input->wire_bytes, (uint64_t)n, memory_order_relaxed);
    }
    return n;
}
