/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

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
    atomic_init(&input->wire_bytes, 0);
}

void zc_input_clear(struct zc_input *input)
{
    g_clear_pointer(&input->buffer, g_free);
    input->length = 0;
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

ssize_t zc_input_more(struct zc_input *input)
{
    if (input->length == input->capacity) {
        return -EMSGSIZE;
    }
    /* Only a part of an item is ever left, so moving it is cheap. */
    memmove(input->buffer, input->bytes, input->length);
    input->bytes = input->buffer;
    struct iovec iov = { input->buffer + input->length, input->capacity - input->length };
    ssize_t n = zc_stall_recv(input->stall, input->fd, &iov, 1);
    if (n > 0) {
        input->length += (size_t)n;
        atomic_fetch_add_explicit(&input->wire_bytes, (uint64_t)n, memory_order_relaxed);
    }
    return n;
}
