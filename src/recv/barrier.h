/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Order 3: no page of the next iteration is placed before all of this one are.
 * Every channel stops at its SYNC; when all are there and the main stream has
 * said FLUSH too, all go on.
 *
 *     channel threads                    the main stream's thread
 *     SYNC: arrive, wait  ---all_fd--->  FLUSH: wait for all
 *     go on               <---go_fds---  release
 *
 * A channel that closes between packets has left: an error only if somebody
 * still waits for it.
 */
#ifndef ZC_RECV_BARRIER_H
#define ZC_RECV_BARRIER_H

#include <stdatomic.h>
#include <stdbool.h>

#include <glib.h>

#include "recv/stall.h"

#define ZC_RECV_CHANNELS_MAX 64

struct zc_barrier {
    /* set before start */
    struct zc_stall *stall;
    unsigned int n_channels;
    int all_fd;
    int go_fds[ZC_RECV_CHANNELS_MAX];
    /* under lock */
    GMutex lock;
    unsigned int n_arrived;
    bool arrived[ZC_RECV_CHANNELS_MAX];
    bool closed[ZC_RECV_CHANNELS_MAX];
    /* atomic: written by the main stream's thread, pairs with zc_barrier_has_ended */
    _Atomic bool ended;
};

/* @n_channels <= ZC_RECV_CHANNELS_MAX.  False: no descriptor is left. */
bool zc_barrier_init(struct zc_barrier *barrier, unsigned int n_channels, struct zc_stall *stall,
                     GError **error);
void zc_barrier_clear(struct zc_barrier *barrier);

/* @channel read SYNC.  Returns 0 when it may go on; -ETIMEDOUT, -ECANCELED. */
int zc_barrier_arrive(struct zc_barrier *barrier, unsigned int channel);

/* @channel reached its end of stream, between packets. */
void zc_barrier_close(struct zc_barrier *barrier, unsigned int channel);

/*
 * Waits until all channels arrived: 0, -ETIMEDOUT, -ECANCELED, or -EPIPE with *@channel_out, which
 * closed without a SYNC.  On -ETIMEDOUT *@channel_out is one that is missing.
 */
int zc_barrier_wait(struct zc_barrier *barrier, unsigned int *channel_out);
void zc_barrier_release(struct zc_barrier *barrier);

/* RAM is whole.  Returns how many channels wait at a SYNC that no FLUSH belongs to. */
unsigned int zc_barrier_end(struct zc_barrier *barrier);
bool zc_barrier_has_ended(struct zc_barrier *barrier);

#endif
