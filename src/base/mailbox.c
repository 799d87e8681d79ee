/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>

#include "base/mailbox.h"

struct zc_mailbox {
    /* set before start */
    unsigned int capacity;
    unsigned int refill;
    /* under lock */
    GMutex lock;
    GCond not_full;
    GCond not_empty;
    unsigned int head;
    unsigned int count;
    unsigned int n_putting; /* who waits for room */
    unsigned int n_getting; /* who waits for items */
    bool closed;
    void *items[];
};

struct zc_mailbox *zc_mailbox_new(unsigned int capacity, unsigned int refill)
{
    struct zc_mailbox *mailbox =
        g_malloc0(sizeof(*mailbox) + (gsize)capacity * sizeof(mailbox->items[0]));

    g_assert(capacity > 0 && refill > 0 && refill <= capacity);
    mailbox->capacity = capacity;
    mailbox->refill = refill;
    g_mutex_init(&mailbox->lock);
    g_cond_init(&mailbox->not_full);
    g_cond_init(&mailbox->not_empty);
    return mailbox;
}

void zc_mailbox_free(struct zc_mailbox *mailbox)
{
    if (!mailbox) {
        return;
    }
    g_mutex_clear(&mailbox->lock);
    g_cond_clear(&mailbox->not_full);
    g_cond_clear(&mailbox->not_empty);
    g_free(mailbox);
}

/*
 * One wait, counted in @waiters: GLib wakes with a system call even when nobody waits.
 * Its monotonic time is CLOCK_MONOTONIC in microseconds, so a deadline carries over.
 */
static bool wait_until(GCond *cond, GMutex *lock, unsigned int *waiters, zc_deadline deadline)
{
    bool in_time = true;

    (*waiters)++;
    if (deadline == ZC_DEADLINE_NEVER) {
        g_cond_wait(cond, lock);
    } else {
        in_time = g_cond_wait_until(cond, lock, deadline / 1000);
    }
    (*waiters)--;
    return in_time;
}

static void wake(GCond *cond, unsigned int waiters)
{
    if (waiters) {
        g_cond_signal(cond);
    }
}

int zc_mailbox_put(struct zc_mailbox *mailbox, void *item, zc_deadline deadline)
{
    int ret = 0;

    g_assert(item);
    g_mutex_lock(&mailbox->lock);
    while (!mailbox->closed && mailbox->count == mailbox->capacity) {
        if (!wait_until(&mailbox->not_full, &mailbox->lock, &mailbox->n_putting, deadline)) {
            break;
        }
    }
    if (mailbox->closed) {
        ret = -EPIPE;
    } else if (mailbox->count == mailbox->capacity) {
        ret = -ETIMEDOUT;
    } else {
        mailbox->items[(mailbox->head + mailbox->count++) % mailbox->capacity] = item;
        if (mailbox->count >= mailbox->refill) {
            wake(&mailbox->not_empty, mailbox->n_getting);
        }
    }
    g_mutex_unlock(&mailbox->lock);
    return ret;
}

int zc_mailbox_get(struct zc_mailbox *mailbox, void **item_out, zc_deadline deadline)
{
    int ret = 0;

    g_mutex_lock(&mailbox->lock);
    while (!mailbox->closed && mailbox->count == 0) {
        if (!wait_until(&mailbox->not_empty, &mailbox->lock, &mailbox->n_getting, deadline)) {
            break;
        }
    }
    if (mailbox->count > 0) {
        *item_out = mailbox->items[mailbox->head];
        mailbox->head = (mailbox->head + 1) % mailbox->capacity;
        mailbox->count--;
        wake(&mailbox->not_full, mailbox->n_putting);
    } else {
        ret = mailbox->closed ? -EPIPE : -ETIMEDOUT;
    }
    g_mutex_unlock(&mailbox->lock);
    return ret;
}

void zc_mailbox_close(struct zc_mailbox *mailbox)
{
    g_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    g_cond_broadcast(&mailbox->not_full);
    g_cond_broadcast(&mailbox->not_empty);
    g_mutex_unlock(&mailbox->lock);
}
