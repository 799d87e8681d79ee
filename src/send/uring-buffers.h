/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that a ring has registered: its pages are pinned once, and calls from it neither look
 * them up nor count against RLIMIT_MEMLOCK any more.
 *
 * Pinning costs about what it saves the first time, and it makes pages exist that nobody touched.
 * So memory is cut into slices, and a slice is registered when as much as its size has been sent
 * from it and more is to be: a guest that is sent once is never pinned, and what it writes again
 * and again is.  A limit that binds (RLIMIT_MEMLOCK) is used up to a half.
 *
 * One thread, that of the ring.  Allocates in new only.
 */
#ifndef ZC_SEND_URING_BUFFERS_H
#define ZC_SEND_URING_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "send/budget.h"

struct io_uring;
struct zc_uring_buffers;

/*
 * @regions must stay mapped to the same pages until free (no munmap, MADV_DONTNEED, hole punched):
 * a call from registered memory sends the pages that were there when it was registered.  NULL when
 * there are none, or the kernel has no table of buffers to be filled later (Linux 5.19).
 */
struct zc_uring_buffers *zc_uring_buffers_new(struct io_uring *ring, const struct iovec *regions,
                                              unsigned int n_regions, struct zc_budget *budget);
/* Before the ring goes.  Accepts NULL. */
void zc_uring_buffers_free(struct zc_uring_buffers *buffers);

/* How many of the @bytes at @memory are in the slice where they begin: 0 when in no region. */
size_t zc_uring_buffers_part(const struct zc_uring_buffers *buffers, const void *memory,
                             size_t bytes, uint32_t *slice_out);

/* Whether @slice is registered, or could be now that it is to be sent from again. */
bool zc_uring_buffers_use(struct zc_uring_buffers *buffers, uint32_t slice);

/* @bytes of @slice were sent without being registered. */
void zc_uring_buffers_sent(struct zc_uring_buffers *buffers, uint32_t slice, size_t bytes);

/* Why a slice that was due could not be registered: the first -errno, or 0. */
int zc_uring_buffers_error(const struct zc_uring_buffers *buffers);

#endif
