/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The main connection, buffered: the stream decoder looks at [bytes, bytes +
 * length) and takes from the front.
 */
#ifndef ZC_RECV_INPUT_H
#define ZC_RECV_INPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/io.h"
#include "recv/stall.h"

struct zc_input {
    /* set before start */
    struct zc_stall *stall;
    int fd;
    size_t capacity;
    uint8_t *buffer;
    /* this thread only */
    const uint8_t *bytes; /* what is there and not yet taken */
    size_t length;
    int fds[ZC_IO_FDS_MAX]; /* that came with the bytes and nobody took; owned */
    unsigned int n_fds;
    bool lost_fds; /* more came than there is room for: those were closed */
    /* atomic; writer: this thread */
    _Atomic uint64_t wire_bytes;
};

/* @fd is borrowed and non-blocking; @capacity: of the longest item at least. */
void zc_input_init(struct zc_input *input, struct zc_stall *stall, int fd, size_t capacity);
/* The same for a new connection after the first: wire_bytes goes on. */
void zc_input_reopen(struct zc_input *input, int fd);
void zc_input_clear(struct zc_input *input); /* closes the descriptors that nobody took */

/* Bytes that were read from the connection before: they come first. */
void zc_input_unread(struct zc_input *input, const void *bytes, size_t length);

/*
 * Reads what is there behind what was not taken yet, which may move to the front of the buffer.
 * The number of bytes, 0 at the end of the stream, -EMSGSIZE when the buffer is full, or what
 * zc_stall_recv says.
 */
ssize_t zc_input_more(struct zc_input *input);

static inline void zc_input_take(struct zc_input *input, size_t n)
{
    input->bytes += n;
    input->length -= n;
}

#endif
