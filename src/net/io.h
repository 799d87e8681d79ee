/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole messages over a non-blocking socket, for the edges of a migration: the
 * main stream, the return path, init packets.  Pages go by the channel core.
 */
#ifndef ZC_NET_IO_H
#define ZC_NET_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "base/clock.h"

/*
 * Writes all of @bytes.  Returns 0, -ETIMEDOUT at @deadline, -ECANCELED when @wake_fd (or -1)
 * turned readable, or the socket's error; never raises SIGPIPE.
 */
int zc_io_write_all(int fd, const void *bytes, size_t length, zc_deadline deadline, int wake_fd);

/* At most so many descriptors go with one message: less than the kernel's own limit. */
#define ZC_IO_FDS_MAX 64

/* The same, with @n_fds descriptors (1 to ZC_IO_FDS_MAX) at its first byte: UNIX sockets only. */
int zc_io_write_fds(int fd, const void *bytes, size_t length, const int *fds, unsigned int n_fds,
                    zc_deadline deadline, int wake_fd);

/* Reads what is there, at least one byte: their number, 0 at the end of the stream, or as above. */
ssize_t zc_io_read_some(int fd, void *bytes, size_t length, zc_deadline deadline, int wake_fd);

#endif
