/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: who waits, waits in poll(2) on an eventfd, because such a wait also
 * ends when the session does.  The state under the lock is the truth; the
 * eventfds only say "look again".
 */
#include "config.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "base/fd.h"
#include "recv/barrier.h"

bool zc_barrier_init(struct zc_barrier *barrier, unsigned int n_channels, struct zc_stall *stall,
                     GError **error)
{
    bool enough;

    *barrier = (struct zc_barrier){ .stall = stall, .n_channels = n_channels };
    g_mutex_init(&barrier->lock);
    barrier->all_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enough = barrier->all_fd >= 0;
    for (unsigned int i = 0; i < n_channels; i++) {
        barrier->go_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        enough = enough && barrier->go_fds[i] >= 0;
    }
    if (!enough) {
        zc_error_errno(error, ZCMIG_ERROR_FAILED, errno, "cannot create an eventfd");
        zc_barrier_clear(barrier);
    }
    return enough;
}

void zc_barrier_clear(struct zc_barrier *barrier)
{
    zc_fd_clear(&barrier->all_fd);
    for (unsigned int i = 0; i < barrier->n_channels; i++) {
        zc_fd_clear(&barrier->go_fds[i]);
    }
    barrier->n_channels = 0;
    g_mutex_clear(&barrier->lock);
}

/* An eventfd's counter cannot overflow here, so neither call can fail. */
static void signal_fd(int fd)
{
    eventfd_write(fd, 1);
}

static void clear_fd(int fd)
{
    eventfd_t value;

    eventfd_read(fd, &value);
}

int zc_barrier_arrive(struct zc_barrier *barrier, unsigned int channel)
{
    g_mutex_lock(&barrier->lock);
    barrier->arrived[channel] = true;
    if (++barrier->n_arrived == barrier->n_channels) {
        signal_fd(barrier->all_fd);
    }
    g_mutex_unlock(&barrier->lock);
    for (;;) {
        int rc = zc_stall_wait(barrier->stall, barrier->go_fds[channel], POLLIN);
        if (rc < 0) {
            return rc;
        }
        clear_fd(barrier->go_fds[channel]);
        g_mutex_lock(&barrier->lock);
        bool released = !barrier->arrived[channel];
        g_mutex_unlock(&barrier->lock);
        if (released) {
            return 0;
        }
    }
}

void zc_barrier_close(struct zc_barrier *barrier, unsigned int channel)
{
    g_mutex_lock(&barrier->lock);
    barrier->closed[channel] = true;
    signal_fd(barrier->all_fd);
    g_mutex_unlock(&barrier->lock);
}

/* 0 all are there, -EPIPE one never will be, -EAGAIN; the channel in question. */
static int look(struct zc_barrier *barrier, unsigned int *channel_out)
{
    int rc = 0;

    g_mutex_lock(&barrier->lock);
    for (unsigned int i = 0; i < barrier->n_channels && rc != -EPIPE; i++) {
        if (!barrier->arrived[i]) {
            rc = barrier->closed[i] ? -EPIPE : -EAGAIN;
            *channel_out = i;
        }
    }
    g_mutex_unlock(&barrier->lock);
    return rc;
}

int zc_barrier_wait(struct zc_barrier *barrier, unsigned int *channel_out)
{
    for (;;) {
        int rc = look(barrier, channel_out);
        if (rc != -EAGAIN) {
            return rc;
        }
        rc = zc_stall_wait(barrier->stall, barrier->all_fd, POLLIN);
        if (rc < 0) {
            return rc;
        }
        clear_fd(barrier->all_fd);
    }
}

void zc_barrier_release(struct zc_barrier *barrier)
{
    g_mutex_lock(&barrier->lock);
    barrier->n_arrived = 0;
    for (unsigned int i = 0; i < barrier->n_channels; i++) {
        barrier->arrived[i] = false;
        signal_fd(barrier->go_fds[i]);
    }
    g_mutex_unlock(&barrier->lock);
}

unsigned int zc_barrier_end(struct zc_barrier *barrier)
{
    unsigned int n_waiting;

    g_mutex_lock(&barrier->lock);
    n_waiting = barrier->n_arrived;
    g_mutex_unlock(&barrier->lock);
    atomic_store_explicit(&barrier->ended, true, memory_order_release);
    return n_waiting;
}

bool zc_barrier_has_ended(struct zc_barrier *barrier)
{
    return atomic_load_explicit(&barrier->ended, memory_order_acquire);
}
